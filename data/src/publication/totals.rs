//! What a close amounts to: counts over its marks, added underlying by underlying.

use std::collections::BTreeMap;

use closemark_pricing::day::{PreviousSlice, UnderlyingDay};
use closemark_pricing::mark::{SeriesMark, SliceMark, UnderlyingMarks, ViolationCounts};
use closemark_pricing::series::Series;
use closemark_pricing::vocabulary::{MarkSource, OptionType, QuoteStatus, Reason, SolverStatus};
use serde::{Deserialize, Serialize};

/// Violations by kind, as published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violations {
    /// Prices not monotone in strike.
    pub vertical: u64,
    /// Prices not convex in strike.
    pub butterfly: u64,
    /// Prices not ordered in time.
    pub calendar: u64,
    /// Calls and puts outside parity's bounds.
    pub parity: u64,
}

impl Violations {
    fn add(&mut self, counts: &ViolationCounts) {
        self.vertical += u64::from(counts.vertical);
        self.butterfly += u64::from(counts.butterfly);
        self.calendar += u64::from(counts.calendar);
        self.parity += u64::from(counts.parity);
    }

    /// All kinds together.
    pub fn total(&self) -> u64 {
        self.vertical + self.butterfly + self.calendar + self.parity
    }
}

/// Counts over a whole close.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Underlyings with at least one series.
    pub underlyings: u64,
    /// Rows of `slices`.
    pub slices: u64,
    /// Rows of `marks`.
    pub series: u64,
    /// Rows of `exceptions`.
    pub exceptions: u64,
    /// Rows of `risk_arrays`; 0 where they were not asked for.
    #[serde(default)]
    pub risk_arrays: u64,
    /// Series that coverage is measured against: the expected ones where the input names them, else all.
    pub series_expected: u64,
    /// Those of them with a mark.
    pub series_covered: u64,
    /// Series by mark source.
    pub by_mark_source: BTreeMap<String, u64>,
    /// Series without a mark, by each of their reasons.
    pub null_marks_by_reason: BTreeMap<String, u64>,
    /// Two-sided, uncrossed out-of-the-money quotes, rejected ones included.
    pub out_of_the_money_quotes: u64,
    /// Those that contain their mark.
    pub inside: u64,
    /// Those that the last fit accepted.
    pub accepted: u64,
    /// Violations in the mids.
    pub violations_before: Violations,
    /// Violations in the marks, as the close itself counted them.
    pub violations_after: Violations,
    /// Slices whose smoothing did not converge.
    pub slices_not_converged: u64,
    /// Slices with a curve in the previous close.
    pub slices_compared: u64,
    /// Those whose at-the-money volatility moved by more than half of it.
    pub slices_jumped: u64,
    /// Largest move of exact publication, millionths.
    pub largest_move_micros: i64,
    /// The least that it could have been, by bisection over every class, millionths.
    #[serde(default)]
    pub smallest_possible_move_micros: i64,
    /// Quote rows read.
    pub rows_read: u64,
    /// Quote rows dropped.
    pub rows_dropped: u64,
}

impl Totals {
    /// Adds one underlying; `expected` is sorted, empty where all series count.
    pub(crate) fn add(&mut self, day: &UnderlyingDay, marks: &UnderlyingMarks, expected: &[String]) {
        self.underlyings += u64::from(!day.series.is_empty());
        self.slices += marks.slices.len() as u64;
        self.series += marks.series.len() as u64;
        for (series, mark) in day.series.iter().zip(&marks.series) {
            self.add_series(series, mark);
            if expected.is_empty() {
                self.series_expected += 1;
                self.series_covered += u64::from(mark.mark.is_some());
            } else if expected.binary_search(&series.osi_symbol).is_ok() {
                self.series_covered += u64::from(mark.mark.is_some());
            }
        }
        for slice in &marks.slices {
            self.add_slice(slice, &day.previous);
        }
    }

    fn add_series(&mut self, series: &Series, mark: &SeriesMark) {
        count_word(&mut self.by_mark_source, mark.mark_source.as_str());
        if mark.mark_source == MarkSource::None {
            for reason in mark.reasons.iter() {
                count_word(&mut self.null_marks_by_reason, reason.as_str());
            }
        }
        if is_out_of_the_money(series, mark) && mark.quote_status == QuoteStatus::TwoSided {
            self.out_of_the_money_quotes += 1;
            self.inside += u64::from(contains_mark(mark));
            self.accepted += u64::from(mark.accepted == Some(true));
        }
    }

    fn add_slice(&mut self, slice: &SliceMark, previous: &[PreviousSlice]) {
        self.violations_before.add(&slice.violations_before);
        self.violations_after.add(&slice.violations_after);
        let ended_badly = matches!(slice.solver_status, SolverStatus::MaxIterations | SolverStatus::Breakdown);
        self.slices_not_converged += u64::from(ended_badly || slice.reasons.contains(Reason::NonConverged));
        let moved = slice.largest_move.map_or(0, |p| p.micros().saturating_abs());
        self.largest_move_micros = self.largest_move_micros.max(moved);
        let possible = slice.smallest_possible_move.map_or(0, |p| p.micros().saturating_abs());
        self.smallest_possible_move_micros = self.smallest_possible_move_micros.max(possible);
        let before = previous.iter().find(|p| {
            p.root == slice.root
                && p.deliverable == slice.deliverable
                && p.expiration == slice.expiration
                && p.settlement == slice.settlement
        });
        if let (Some(now), Some(before)) = (slice.atm_volatility, before.and_then(at_the_money)) {
            self.slices_compared += 1;
            self.slices_jumped += u64::from((now - before).abs() > 0.5 * before);
        }
    }
}

/// Adds one to a word's count, with an allocation only for a new word.
fn count_word(counts: &mut BTreeMap<String, u64>, word: &str) {
    match counts.get_mut(word) {
        Some(count) => *count += 1,
        None => {
            counts.insert(word.to_owned(), 1);
        }
    }
}

/// Out of the money on the forward; both types are at it.
fn is_out_of_the_money(series: &Series, mark: &SeriesMark) -> bool {
    mark.log_moneyness.is_some_and(|k| match series.option_type {
        OptionType::Call => k >= 0.0,
        OptionType::Put => k <= 0.0,
    })
}

fn contains_mark(mark: &SeriesMark) -> bool {
    matches!((mark.bid, mark.ask, mark.mark), (Some(bid), Some(ask), Some(mark)) if bid <= mark && mark <= ask)
}

/// The volatility of a carried curve at the forward: total variance linear between nodes, flat outside.
fn at_the_money(previous: &PreviousSlice) -> Option<f64> {
    let nodes = || previous.log_moneyness.iter().copied().zip(previous.total_variance.iter().copied());
    let below = nodes().take_while(|(k, _)| *k <= 0.0).last();
    let above = nodes().find(|(k, _)| *k > 0.0);
    let variance = match (below, above) {
        (Some((k0, w0)), Some((k1, w1))) => w0 + (w1 - w0) * (-k0 / (k1 - k0)),
        (Some((_, w)), None) | (None, Some((_, w))) => w,
        (None, None) => return None,
    };
    let volatility = (variance / previous.time_to_expiry).sqrt();
    (volatility.is_finite() && volatility > 0.0).then_some(volatility)
}
