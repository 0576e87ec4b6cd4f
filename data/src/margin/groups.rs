//! Product groups: a table, not code.

use serde::Deserialize;

const BUILT_IN: &str = include_str!("../../reference/product_groups.toml");
const VERSION: u32 = 1;
const GROUPS_MAX: usize = 1000;
const MEMBERS_MAX: usize = 100_000;

/// Classes that offset one another in part.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductGroup {
    /// Its name.
    pub name: String,
    /// What it is, for people.
    pub title: String,
    /// Share of a class' gain that may make up for other classes' losses at the same point.
    pub offset: f64,
    /// Where members and offset come from.
    pub source: String,
    /// Underlyings.
    pub members: Vec<String>,
}

/// All product groups.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductGroups {
    version: u32,
    #[serde(default)]
    group: Vec<ProductGroup>,
}

/// Why a table of groups is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {value:?}; allowed is {allowed}")]
pub struct GroupsError {
    /// Group and key.
    pub place: String,
    /// What stands there.
    pub value: String,
    /// What may.
    pub allowed: String,
}

fn refused(place: impl Into<String>, value: impl Into<String>, allowed: &str) -> GroupsError {
    let value: String = value.into().chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect();
    GroupsError { place: place.into(), value, allowed: allowed.to_owned() }
}

impl ProductGroups {
    /// Reads a table in the form of `data/reference/product_groups.toml`.
    ///
    /// # Errors
    /// [`GroupsError`] where it is not of that form, an offset is no share, a name stands twice or an underlying is in two
    /// groups.
    pub fn parse(text: &str) -> Result<Self, GroupsError> {
        let groups: Self = toml::from_str(text)
            .map_err(|error| refused("product groups", error.message(), "version and [[group]] tables"))?;
        if groups.version != VERSION {
            return Err(refused("version", groups.version.to_string(), "1"));
        }
        let members: usize = groups.group.iter().map(|g| g.members.len()).sum();
        if groups.group.len() > GROUPS_MAX || members > MEMBERS_MAX {
            return Err(refused("product groups", members.to_string(), "1,000 groups and 100,000 members"));
        }
        let mut seen: Vec<&str> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for group in &groups.group {
            let place = |key: &str| format!("group {:?}, {key}", group.name);
            if group.name.is_empty() || names.contains(&group.name.as_str()) {
                return Err(refused(place("name"), &group.name, "a name of its own"));
            }
            names.push(&group.name);
            if !(0.0..=1.0).contains(&group.offset) {
                return Err(refused(place("offset"), group.offset.to_string(), "a share from 0 to 1"));
            }
            seen.extend(group.members.iter().map(String::as_str));
        }
        seen.sort_unstable();
        match seen.windows(2).find(|pair| matches!(pair, [a, b] if a == b)) {
            Some(twice) => Err(refused("members", twice.concat(), "each underlying in one group")),
            None => Ok(groups),
        }
    }

    /// The group of an underlying.
    pub fn of(&self, underlying: &str) -> Option<&ProductGroup> {
        self.group.iter().find(|group| group.members.iter().any(|member| member == underlying))
    }
}

/// The table that the project brings.
///
/// # Errors
/// [`GroupsError`] where it is damaged, which a test rules out.
pub fn built_in_groups() -> Result<ProductGroups, GroupsError> {
    ProductGroups::parse(BUILT_IN)
}

#[cfg(test)]
mod tests {
    use super::{ProductGroups, built_in_groups};

    #[test]
    fn the_built_in_table_ties_indices_and_nothing_else() {
        let groups = built_in_groups().unwrap();
        let name = |underlying: &str| groups.of(underlying).map(|g| g.name.as_str());
        assert_eq!(
            (name("SPX"), name("XSP"), name("QQQ")),
            (Some("us_broad_index"), name("SPY"), Some("us_growth_index"))
        );
        assert_eq!(name("AAPL"), None);
    }

    #[test]
    fn refusals_say_where_what_and_what_is_allowed() {
        let table = |body: &str| format!("version = 1\n[[group]]\ntitle = \"t\"\nsource = \"s\"\n{body}");
        for (text, said) in [
            ("version = 2".to_owned(), "version: \"2\"; allowed is 1"),
            (table("name = \"a\"\noffset = 1.5\nmembers = []"), "group \"a\", offset: \"1.5\""),
            (table("name = \"a\"\noffset = nan\nmembers = []"), "a share from 0 to 1"),
            (table("name = \"a\"\noffset = 0.5\nmembers = [\"X\", \"X\"]"), "each underlying in one group"),
            (table("name = \"a\"\noffset = 0.5"), "product groups: \"missing field"),
            ("[[group".to_owned(), "product groups"),
        ] {
            let error = ProductGroups::parse(&text).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains('\n'), "{error}");
        }
    }
}
