//! The four roles, and which of them a call needs.

use std::fmt;

use serde::Deserialize;

use crate::serve::page;

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Send quotes and reference data.
    Ingest,
    /// Read marks, slices and closes.
    Read,
    /// Start and finalize closes.
    Operate,
    /// Propose and approve overrides of marks.
    Override,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Ingest, Self::Read, Self::Operate, Self::Override];

    /// The word used in configuration and errors.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Override => "override",
        }
    }

    /// The role of a word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles(u8);

impl Roles {
    /// The set of some roles.
    pub(crate) fn of(roles: &[Role]) -> Self {
        roles.iter().copied().collect()
    }

    /// Whether it holds a role.
    pub(crate) fn contains(self, role: Role) -> bool {
        self.0 & 1 << (role as u8) != 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.contains(*role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |set, role| set | 1 << (role as u8)))
    }
}

/// Services that anybody may call who can connect.
const OPEN: [&str; 3] =
    ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// The roles of which a caller needs one for a path; empty where none is needed.
///
/// The one table of who may call what. A path that is not in it needs the role read. The page's own files hold no data,
/// and a browser cannot show a token before it has them.
pub(crate) fn needed(path: &str) -> &'static [Role] {
    // One slash and no more: what the router does not take for a service is none here either.
    let mut parts = path.strip_prefix('/').unwrap_or_default().splitn(2, '/');
    let (service, method) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if OPEN.contains(&service) {
        return &[];
    }
    match (service, method) {
        // What is asked for most comes first.
        ("closemark.v1.MarkService", _) => &[Role::Read],
        ("closemark.v1.QuoteService" | "closemark.v1.ReferenceService", _) => &[Role::Ingest],
        ("closemark.v1.CloseService", "StartClose" | "FinalizeClose") => &[Role::Operate],
        ("closemark.v1.CloseService", "OverrideMark" | "ApproveOverride" | "WithdrawOverride") => &[Role::Override],
        ("closemark.v1.CloseService", _) => &[Role::Read, Role::Operate, Role::Override],
        ("api", "v1/who") => &[],
        ("api", method) if method.starts_with("v1/override/") => &[Role::Override],
        ("api", method) if is_list_of_overrides(method) => &[Role::Read, Role::Operate, Role::Override],
        _ if page::is_file(path) => &[],
        _ => &[Role::Read],
    }
}

/// `v1/dates/D/overrides`.
fn is_list_of_overrides(method: &str) -> bool {
    let day = method.strip_prefix("v1/dates/").and_then(|rest| rest.strip_suffix("/overrides"));
    day.is_some_and(|day| !day.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::{Role, Roles, needed};

    #[test]
    fn every_method_has_its_role_and_unknown_paths_are_not_open() {
        assert_eq!(needed("/closemark.v1.QuoteService/IngestQuotes"), [Role::Ingest]);
        assert_eq!(needed("/closemark.v1.CloseService/StartClose"), [Role::Operate]);
        assert_eq!(needed("/closemark.v1.CloseService/ApproveOverride"), [Role::Override]);
        assert_eq!(needed("/closemark.v1.MarkService/GetMark"), [Role::Read]);
        assert_eq!(needed("/arrow.flight.protocol.FlightService/DoGet"), [Role::Read]);
        assert_eq!(needed("/grpc.health.v1.Health/Check"), []);
        assert_eq!(needed("/closemark.v1.CloseService/WithdrawOverride"), [Role::Override]);
        for path in [
            "",
            "//",
            "/x.js",
            "/api/v1/dates",
            "/grpc.health.v1.HealthX/Check",
            "//grpc.health.v1.Health/../x",
            "//grpc.health.v1.Health/Check",
            "grpc.health.v1.Health/Check",
        ] {
            assert_eq!(needed(path), [Role::Read], "{path}");
        }
        // Files without data, and the names of people, not what they may see.
        for path in ["/", "/index.html", "/app.js", "/draw.js", "/api/v1/who"] {
            assert_eq!(needed(path), [], "{path}");
        }
        assert_eq!(needed("/api/v1/override/dates/2026-11-20/runs/current/marks/X"), [Role::Override]);
        assert_eq!(needed("/api/v1/dates/2026-11-20/overrides"), [Role::Read, Role::Operate, Role::Override]);
        assert_eq!(needed("/api/v1/dates/2026-11-20/runs/current/marks/overrides"), [Role::Read]);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set = Roles::of(&[Role::Read, Role::Override]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Role::Read, Role::Override]);
        assert!(!Roles::default().contains(Role::Ingest));
    }
}
