//! The gates that decide PRELIMINARY or FINAL.

use closemark_pricing::settings::GateSettings;
use serde::{Deserialize, Serialize};

use super::totals::Totals;

/// Which side of its limit a gate's value must be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The value must not be below the limit.
    AtLeast,
    /// The value must not be above the limit.
    AtMost,
}

/// One gate with what it found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// `coverage`, `dropped_rows`, `violations`, `non_convergence`, `share_inside`, `jumps`.
    pub name: String,
    /// Which side of the limit is good.
    pub bound: Bound,
    /// The limit, from the settings.
    pub limit: f64,
    /// What was found; null where there was nothing to measure.
    pub value: Option<f64>,
    /// How many of [`Gate::of`] the value counts.
    pub count: u64,
    /// Out of how many.
    pub of: u64,
    /// Whether the close may be FINAL for it.
    pub pass: bool,
}

impl Gate {
    fn share(name: &str, bound: Bound, limit: f64, count: u64, of: u64) -> Self {
        let value = (of > 0).then(|| count as f64 / of as f64);
        let pass = value.is_none_or(|v| match bound {
            Bound::AtLeast => v >= limit,
            Bound::AtMost => v <= limit,
        });
        Self { name: name.to_owned(), bound, limit, value, count, of, pass }
    }
}

impl Gate {
    /// The gate that holds a close of chosen underlyings alone: it is no close of the day.
    pub fn partial(series: u64) -> Self {
        Self {
            name: "whole".to_owned(),
            bound: Bound::AtLeast,
            limit: 1.0,
            value: Some(0.0),
            count: 0,
            of: series,
            pass: false,
        }
    }
}

/// The gates of a close, in published order.
///
/// # Formula
/// `coverage` = series with a mark / series listed (or expected); `dropped_rows` = quote rows dropped / (rows that count + rows dropped);
/// `violations` = count in the published integers, limit 0; `non_convergence` = slices not converged / slices;
/// `share_inside` = two-sided out-of-the-money quotes that contain their mark / all of them;
/// `jumps` = slices whose at-the-money volatility moved by more than half / slices with a previous curve.
pub fn gates(totals: &Totals, limits: &GateSettings) -> Vec<Gate> {
    let t = totals;
    let mut coverage =
        Gate::share("coverage", Bound::AtLeast, limits.coverage_min, t.series_covered, t.series_expected);
    // A close of nothing is not a covered one.
    coverage.pass &= coverage.value.is_some();
    let violations = t.violations_after.total();
    vec![
        coverage,
        Gate::share("dropped_rows", Bound::AtMost, limits.dropped_rows_max, t.rows_dropped, t.rows_read),
        Gate {
            name: "violations".to_owned(),
            bound: Bound::AtMost,
            limit: 0.0,
            value: Some(violations as f64),
            count: violations,
            of: t.series,
            pass: violations == 0,
        },
        Gate::share("non_convergence", Bound::AtMost, limits.non_converged_max, t.slices_not_converged, t.slices),
        Gate::share("share_inside", Bound::AtLeast, limits.inside_min, t.inside, t.out_of_the_money_quotes),
        Gate::share("jumps", Bound::AtMost, limits.jump_share_max, t.slices_jumped, t.slices_compared),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::totals::Violations;

    fn good() -> Totals {
        Totals {
            series: 100,
            series_expected: 100,
            series_covered: 96,
            rows_read: 1000,
            rows_dropped: 20,
            slices: 100,
            slices_not_converged: 1,
            out_of_the_money_quotes: 50,
            inside: 45,
            slices_compared: 20,
            slices_jumped: 1,
            ..Totals::default()
        }
    }

    fn failing(totals: &Totals) -> Vec<String> {
        gates(totals, &GateSettings::default()).into_iter().filter(|g| !g.pass).map(|g| g.name).collect()
    }

    #[test]
    fn values_on_their_limits_pass() {
        assert_eq!(failing(&good()), Vec::<String>::new());
    }

    #[test]
    fn each_gate_falls_by_its_own_count() {
        let violations_after = Violations { calendar: 1, ..Violations::default() };
        for (name, totals) in [
            ("coverage", Totals { series_covered: 94, ..good() }),
            ("dropped_rows", Totals { rows_dropped: 21, ..good() }),
            ("violations", Totals { violations_after, ..good() }),
            ("non_convergence", Totals { slices_not_converged: 2, ..good() }),
            ("share_inside", Totals { inside: 44, ..good() }),
            ("jumps", Totals { slices_jumped: 2, ..good() }),
        ] {
            assert_eq!(failing(&totals), [name]);
        }
    }

    #[test]
    fn nothing_to_measure_passes_but_for_coverage() {
        assert_eq!(failing(&Totals::default()), ["coverage"]);
    }
}
