//! Option roots: what a root's series settle like, exercise like and deliver.

use std::collections::BTreeMap;

use closemark_pricing::vocabulary::{ExerciseStyle, MarginGroup, Settlement};

use super::{ReferenceError, rows};

const ROOTS: &str = include_str!("../../reference/roots.csv");
/// Funds that hold an index once over: portfolio margin moves them as it moves the index.
const INDEX_FUNDS: &str = include_str!("../../reference/index_funds.csv");

/// What a root means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The underlying's symbol.
    pub underlying: String,
    /// American or European.
    pub exercise_style: ExerciseStyle,
    /// AM or PM.
    pub settlement: Settlement,
    /// The underlying's group, where `underlyings.csv` does not say.
    pub margin_group: MarginGroup,
    /// Whether calendar conditions tie the root's expirations.
    pub calendar: bool,
    /// False for an adjusted contract whose deliverable the symbol does not tell.
    pub standard: bool,
}

/// The root table: index roots from the project's file, everything that looks like a stock by rule.
#[derive(Clone, Debug)]
pub struct RootTable {
    roots: BTreeMap<String, Root>,
    index_funds: BTreeMap<String, MarginGroup>,
}

impl RootTable {
    /// The project's table.
    ///
    /// # Errors
    /// [`ReferenceError`] where the project's own data file is damaged.
    pub fn new() -> Result<Self, ReferenceError> {
        let file = "roots.csv";
        let mut roots = BTreeMap::new();
        for item in rows(file, ROOTS) {
            let (row, record) = item?;
            let field = |place: usize| record.get(place).unwrap_or_default();
            let fault = |column, place: usize, allowed| ReferenceError {
                file,
                row,
                column,
                value: field(place).to_owned(),
                allowed,
            };
            let root = Root {
                underlying: field(1).to_owned(),
                exercise_style: ExerciseStyle::parse(field(2))
                    .ok_or_else(|| fault("exercise_style", 2, "american or european"))?,
                settlement: Settlement::parse(field(3)).ok_or_else(|| fault("settlement", 3, "AM or PM"))?,
                margin_group: MarginGroup::parse(field(4))
                    .ok_or_else(|| fault("margin_group", 4, "a margin group of DESIGN section 2"))?,
                calendar: field(5).parse().map_err(|_| fault("calendar", 5, "true or false"))?,
                standard: true,
            };
            roots.insert(field(0).to_owned(), root);
        }
        Ok(Self { roots, index_funds: index_funds()? })
    }

    /// What a root means; `None` where neither table nor rule says.
    ///
    /// By rule, one to five capital letters are a stock or fund, its own underlying, American, PM-settled. A digit
    /// after them marks a contract adjusted by a corporate action, whose deliverable only `series.csv` can tell.
    pub fn find(&self, root: &str) -> Option<Root> {
        if let Some(known) = self.roots.get(root) {
            return Some(known.clone());
        }
        let name = root.strip_suffix(|c: char| c.is_ascii_digit());
        let underlying = name.unwrap_or(root);
        let plain = (1..=5).contains(&underlying.len()) && underlying.bytes().all(|b| b.is_ascii_uppercase());
        plain.then(|| Root {
            underlying: underlying.to_owned(),
            exercise_style: ExerciseStyle::American,
            settlement: Settlement::Pm,
            margin_group: MarginGroup::Equity,
            calendar: true,
            standard: name.is_none(),
        })
    }

    /// The margin group of an index or an index fund that the tables name.
    pub fn margin_group(&self, underlying: &str) -> Option<MarginGroup> {
        self.index(underlying).map(|root| root.margin_group).or_else(|| self.index_funds.get(underlying).copied())
    }

    /// Whether an underlying is an index of the table.
    pub fn is_index(&self, underlying: &str) -> bool {
        self.index(underlying).is_some()
    }

    fn index(&self, underlying: &str) -> Option<&Root> {
        self.roots.values().find(|root| root.underlying == underlying)
    }
}

fn index_funds() -> Result<BTreeMap<String, MarginGroup>, ReferenceError> {
    let file = "index_funds.csv";
    let mut funds = BTreeMap::new();
    for item in rows(file, INDEX_FUNDS) {
        let (row, record) = item?;
        let group = record.get(1).unwrap_or_default();
        let fault = || ReferenceError {
            file,
            row,
            column: "margin_group",
            value: group.to_owned(),
            allowed: "a margin group of DESIGN section 2",
        };
        funds.insert(record.get(0).unwrap_or_default().to_owned(), MarginGroup::parse(group).ok_or_else(fault)?);
    }
    Ok(funds)
}

#[cfg(test)]
mod tests {
    use super::RootTable;
    use closemark_pricing::vocabulary::{ExerciseStyle, Settlement};

    #[test]
    fn table_before_rule() {
        let table = RootTable::new().unwrap();
        let spxw = table.find("SPXW").unwrap();
        assert_eq!((spxw.underlying.as_str(), spxw.settlement), ("SPX", Settlement::Pm));
        assert_eq!(spxw.exercise_style, ExerciseStyle::European);
        assert_eq!(table.find("SPX").unwrap().settlement, Settlement::Am);
        assert!(!table.find("VIX").unwrap().calendar);
        // A fund moves as its index does, and is none.
        assert_eq!(table.margin_group("SPY"), table.margin_group("SPX"));
        assert_eq!(table.margin_group("IWM"), table.margin_group("RUT"));
        assert!(table.is_index("SPX") && !table.is_index("SPY") && table.margin_group("AAPL").is_none());
        let apple = table.find("AAPL").unwrap();
        assert_eq!((apple.underlying.as_str(), apple.exercise_style), ("AAPL", ExerciseStyle::American));
        let adjusted = table.find("AAPL1").unwrap();
        assert!(adjusted.underlying == "AAPL" && !adjusted.standard);
        for unknown in ["ABCDEF", "1SPX", "", "A12", "aapl"] {
            assert_eq!(table.find(unknown), None, "{unknown}");
        }
    }
}
