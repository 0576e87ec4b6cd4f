//! METHOD's gates of a healthy close, section 8, but for the left-out rows.

use crate::chains::ChainClass;
use crate::figures::DayFigures;

/// One gate as found.
#[derive(Clone, Debug, PartialEq)]
pub struct GateRow {
    /// What is held to it.
    pub chain: String,
    /// What is measured.
    pub figure: &'static str,
    /// What was found; in percent but for violations.
    pub value: f64,
    /// The limit.
    pub limit: f64,
    /// Whether the value must not be below the limit; above it otherwise.
    pub at_least: bool,
}

impl GateRow {
    /// Whether the gate is met.
    pub fn pass(&self) -> bool {
        if self.at_least { self.value >= self.limit } else { self.value <= self.limit }
    }
}

/// Least share inside, least share accepted, largest shares of null marks and of slices not converged; percent.
fn limits(class: ChainClass) -> (f64, Option<f64>, f64) {
    match class {
        ChainClass::Index => (99.5, Some(99.0), 0.1),
        ChainClass::Index2011 => (99.6, Some(99.0), 0.1),
        ChainClass::LiquidUs => (98.5, Some(98.0), 0.1),
        ChainClass::AllUs => (97.0, Some(95.0), 1.0),
        // METHOD limits neither; what is left is held to the widest column.
        ChainClass::Official | ChainClass::Sample => (99.0, None, 1.0),
    }
}

/// The gates of one chain; `violations` as verification of the published files counts them.
pub fn of_chain(chain: &str, class: ChainClass, figures: &DayFigures, violations: u64) -> Vec<GateRow> {
    let percent = |part: u64, whole: u64| if whole == 0 { f64::NAN } else { 100.0 * part as f64 / whole as f64 };
    let row = |figure, value, limit, at_least| GateRow { chain: chain.to_owned(), figure, value, limit, at_least };
    let (inside, accepted, bad) = limits(class);
    let mut rows = vec![row("violations", violations as f64, 0.0, false)];
    if class != ChainClass::Sample {
        rows.push(row("inside", percent(figures.inside, figures.quotes), inside, true));
    }
    if let Some(limit) = accepted {
        rows.push(row("accepted", percent(figures.accepted, figures.quotes), limit, true));
    }
    // Names that nothing quotes are excluded.
    rows.push(row("null marks", percent(figures.null_quoted, figures.series), bad, false));
    rows.push(row("not converged", percent(figures.non_converged, figures.slices), bad, false));
    rows
}

#[cfg(test)]
mod tests {
    use super::of_chain;
    use crate::chains::ChainClass;
    use crate::figures::DayFigures;

    #[test]
    fn values_on_their_limits_pass_and_nothing_measured_does_not() {
        let good = DayFigures {
            series: 1000,
            null_quoted: 1,
            quotes: 1000,
            inside: 995,
            accepted: 990,
            slices: 1000,
            non_converged: 1,
            ..DayFigures::default()
        };
        assert!(of_chain("x", ChainClass::Index, &good, 0).iter().all(|row| row.pass()));
        let failing = |figures: &DayFigures, violations| -> Vec<&str> {
            let rows = of_chain("x", ChainClass::Index, figures, violations);
            rows.iter().filter(|row| !row.pass()).map(|row| row.figure).collect()
        };
        assert_eq!(failing(&DayFigures { inside: 994, ..good }, 0), ["inside"]);
        assert_eq!(failing(&DayFigures { accepted: 989, ..good }, 1), ["violations", "accepted"]);
        assert_eq!(
            failing(&DayFigures { null_quoted: 2, non_converged: 2, ..good }, 0),
            ["null marks", "not converged"]
        );
        assert_eq!(failing(&DayFigures { quotes: 0, ..good }, 0), ["inside", "accepted"]);
    }
}
