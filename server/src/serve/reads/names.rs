//! Resource names, read strictly: `dates/2026-11-20/runs/current/marks/SPX   261218C06000000`.
//!
//! A date or run id of another form is refused here, and what is kept is the parsed value: no text of a caller's
//! becomes a path.

use closemark_data::date;
use closemark_data::store::{RunId, SliceId};
use closemark_pricing::series::Date;

/// A run as a caller names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunName {
    /// The day.
    pub(crate) date: Date,
    /// The run; `None` is the one that counts.
    pub(crate) run: Option<RunId>,
}

/// Longest underlying or symbol that is looked for; published ones are far shorter.
const SYMBOL_MAX: usize = 256;

impl RunName {
    /// Reads `dates/*/runs/*`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match Self::split(name)? {
            (run, "") => Some(run),
            _ => None,
        }
    }

    /// Reads the run and gives what follows it, without the slash between.
    fn split(name: &str) -> Option<(Self, &str)> {
        let (date, rest) = name.strip_prefix("dates/")?.split_once("/runs/")?;
        let date = date::parse(date).filter(|parsed| date::to_text(*parsed) == date)?;
        let (run, rest) = match rest.split_once('/') {
            Some((run, rest)) if !rest.is_empty() => (run, rest),
            Some(_) => return None,
            None => (rest, ""),
        };
        let run = if run == "current" { None } else { Some(RunId::parse(run)?) };
        Some((Self { date, run }, rest))
    }

    /// Reads `dates/*/runs/*/marks/*`; a symbol may hold slashes.
    pub(crate) fn parse_mark(name: &str) -> Option<(Self, &str)> {
        let (run, rest) = Self::split(name)?;
        let symbol = rest.strip_prefix("marks/")?;
        (!symbol.is_empty() && symbol.len() <= SYMBOL_MAX).then_some((run, symbol))
    }

    /// Reads `dates/*/runs/*/riskArrays/*`; a symbol may hold slashes.
    pub(crate) fn parse_risk_array(name: &str) -> Option<(Self, &str)> {
        let (run, rest) = Self::split(name)?;
        let symbol = rest.strip_prefix("riskArrays/")?;
        (!symbol.is_empty() && symbol.len() <= SYMBOL_MAX).then_some((run, symbol))
    }

    /// Reads `dates/*/runs/*/underlyings/*`.
    pub(crate) fn parse_underlying(name: &str) -> Option<(Self, &str)> {
        let (run, rest) = Self::split(name)?;
        let underlying = rest.strip_prefix("underlyings/")?;
        (!underlying.is_empty() && underlying.len() <= SYMBOL_MAX).then_some((run, underlying))
    }

    /// Reads `dates/*/runs/*/underlyings/*/slices/*`.
    pub(crate) fn parse_slice(name: &str) -> Option<(Self, &str, SliceId)> {
        let (head, slice) = name.rsplit_once("/slices/")?;
        let (run, underlying) = Self::parse_underlying(head)?;
        Some((run, underlying, SliceId::parse(slice)?))
    }
}

/// `dates/*/runs/*` of a run.
pub(crate) fn run(date: Date, run: RunId) -> String {
    let mut name = String::with_capacity(64);
    name.push_str("dates/");
    name.push_str(&date::to_text(date));
    name.push_str("/runs/");
    run.push_to(&mut name);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_documented_names() {
        let day = date::parse("2026-11-20").unwrap();
        let run = RunName::parse("dates/2026-11-20/runs/current").unwrap();
        assert_eq!(run, RunName { date: day, run: None });
        let id = RunId::parse("0123456789abcdef").unwrap();
        assert_eq!(RunName::parse("dates/2026-11-20/runs/0123456789abcdef").unwrap().run, Some(id));
        let (_, symbol) = RunName::parse_mark("dates/2026-11-20/runs/current/marks/SPX   261218C06000000").unwrap();
        assert_eq!(symbol, "SPX   261218C06000000");
        let (_, symbol) = RunName::parse_mark("dates/2026-11-20/runs/current/marks/BTC/USD-1").unwrap();
        assert_eq!(symbol, "BTC/USD-1");
        let name = "dates/2026-11-20/runs/current/underlyings/BRK/B/slices/BRKB-2026-12-18-PM-2";
        let (_, underlying, slice) = RunName::parse_slice(name).unwrap();
        assert_eq!((underlying, slice.root.as_str(), slice.place), ("BRK/B", "BRKB", 2));
        assert_eq!(slice.to_string(), "BRKB-2026-12-18-PM-2");
    }

    #[test]
    fn refuses_everything_else() {
        for name in [
            "",
            "dates/2026-11-20",
            "dates/2026-11-20/runs/",
            "dates/2026-11-20/runs/current/",
            "dates/20261120/runs/current",
            "dates/2026-13-20/runs/current",
            "dates/../runs/current",
            "dates/2026-11-20/runs/../../etc",
            "dates/2026-11-20/runs/0123456789ABCDEF",
            "dates/2026-11-20/runs/0123456789abcde",
            "/dates/2026-11-20/runs/current",
        ] {
            assert_eq!(RunName::parse(name), None, "{name}");
        }
        for slice in ["", "SPX", "SPX-2026-12-18", "SPX-2026-12-18-XM", "SPX-2026-12-18-PM-1", "SPX-2026-12-18-PM-x"] {
            let name = format!("dates/2026-11-20/runs/current/underlyings/SPX/slices/{slice}");
            assert_eq!(RunName::parse_slice(&name), None, "{slice}");
        }
        assert_eq!(RunName::parse_mark("dates/2026-11-20/runs/current/marks/"), None);
    }
}
