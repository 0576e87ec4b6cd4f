//! The figures of a close and of each underlying: what the summary table, the report and the board count.

use std::collections::BTreeMap;

use closemark_pricing::mark::{SeriesMark, SliceMark, ViolationCounts};
use closemark_pricing::series::Series;
use closemark_pricing::vocabulary::{MarkSource, OptionType, QuoteStatus, Reason, SolverStatus};

pub use super::board::{Board, BoardBuilder, BoardRow, LargeEdit, board, largest_edits};

/// Upper ends of the classes of |mark - mid| in half-spreads; the last class is open.
pub const EDIT_CLASSES: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, f64::INFINITY];

/// A share as its two counts, so that shares of parts add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many have the property.
    pub part: u64,
    /// Of how many.
    pub whole: u64,
}

impl Share {
    pub(crate) fn count(&mut self, has: bool) {
        self.whole += 1;
        self.part += u64::from(has);
    }

    fn add(&mut self, other: Self) {
        self.part += other.part;
        self.whole += other.whole;
    }

    /// The fraction; `None` where there is nothing to divide by.
    pub fn fraction(self) -> Option<f64> {
        if self.whole == 0 { None } else { Some(self.part as f64 / self.whole as f64) }
    }
}

/// What is counted over series and slices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Listed series.
    pub series: u64,
    /// Slices.
    pub slices: u64,
    /// Series with a mark.
    pub marked: u64,
    /// Series with a usable bid or ask.
    pub quoted: u64,
    /// Two-sided out-of-the-money quotes that contain their mark (rejected ones included).
    pub inside: Share,
    /// Two-sided out-of-the-money quotes that the last fit accepted.
    pub accepted: Share,
    /// Violations in the mids.
    pub before: ViolationCounts,
    /// Violations in the published integers.
    pub after: ViolationCounts,
    /// Slices whose solver ended without meeting its tolerances.
    pub non_converged: u64,
    /// Series by mark source, in the vocabulary's order, those that occur.
    pub sources: BTreeMap<MarkSource, u64>,
    /// Series without a mark, by reason (a series counts once for each of its reasons).
    pub null_reasons: BTreeMap<Reason, u64>,
    /// Series with a mid, by [`EDIT_CLASSES`].
    pub edit_classes: [u64; 8],
    /// Largest |mark - mid| in half-spreads.
    pub worst_edit: Option<f64>,
    /// Series that carry at least one reason, by reason.
    pub reasons: BTreeMap<Reason, u64>,
}

impl Figures {
    pub(super) fn count_series(&mut self, series: &Series, mark: &SeriesMark) {
        self.series += 1;
        self.marked += u64::from(mark.mark.is_some());
        self.quoted += u64::from(mark.quote_status != QuoteStatus::None);
        *self.sources.entry(mark.mark_source).or_default() += 1;
        for reason in mark.reasons.iter() {
            *self.reasons.entry(reason).or_default() += 1;
            if mark.mark.is_none() {
                *self.null_reasons.entry(reason).or_default() += 1;
            }
        }
        if is_two_sided_out_of_the_money(series, mark) {
            let holds = match (mark.bid, mark.mark, mark.ask) {
                (Some(bid), Some(value), Some(ask)) => bid <= value && value <= ask,
                _ => false,
            };
            self.inside.count(holds);
            self.accepted.count(mark.accepted == Some(true));
        }
        if let Some(size) = mark.edit_half_spreads.map(f64::abs).filter(|size| size.is_finite()) {
            let class = EDIT_CLASSES.iter().position(|&end| size <= end).unwrap_or(EDIT_CLASSES.len() - 1);
            if let Some(count) = self.edit_classes.get_mut(class) {
                *count += 1;
            }
            self.worst_edit = Some(self.worst_edit.map_or(size, |worst| worst.max(size)));
        }
    }

    pub(super) fn count_slice(&mut self, slice: &SliceMark) {
        self.slices += 1;
        self.before = sum(self.before, slice.violations_before);
        self.after = sum(self.after, slice.violations_after);
        self.non_converged += u64::from(is_non_converged(slice));
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.series += other.series;
        self.slices += other.slices;
        self.marked += other.marked;
        self.quoted += other.quoted;
        self.inside.add(other.inside);
        self.accepted.add(other.accepted);
        self.before = sum(self.before, other.before);
        self.after = sum(self.after, other.after);
        self.non_converged += other.non_converged;
        for (word, count) in &other.sources {
            *self.sources.entry(*word).or_default() += count;
        }
        for (word, count) in &other.null_reasons {
            *self.null_reasons.entry(*word).or_default() += count;
        }
        for (word, count) in &other.reasons {
            *self.reasons.entry(*word).or_default() += count;
        }
        for (mine, theirs) in self.edit_classes.iter_mut().zip(other.edit_classes) {
            *mine += theirs;
        }
        self.worst_edit = match (self.worst_edit, other.worst_edit) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
    }

    /// Series from this source.
    pub fn from_source(&self, source: MarkSource) -> u64 {
        self.sources.get(&source).copied().unwrap_or(0)
    }

    /// Series whose mark a volatility cap or hard limit decided.
    pub fn capped(&self) -> u64 {
        self.from_source(MarkSource::CapHigh) + self.from_source(MarkSource::CapLow)
    }
}

/// How hard an underlying is to believe. The parts are bounded so that one absurd quote does not hide a name
/// where everything is a little wrong: published violations first, then non-convergence, the share outside,
/// the worst edit, what was wrong in the input, and the slices' own confidence.
pub(crate) fn doubt(figures: &Figures, confidence: Option<f64>) -> f64 {
    let slices = figures.slices.max(1) as f64;
    let outside = figures.inside.fraction().map_or(0.0, |inside| 1.0 - inside);
    let worst = figures.worst_edit.unwrap_or(0.0);
    let unmarked = 1.0 - figures.marked as f64 / figures.series.max(1) as f64;
    let before = f64::from(figures.before.total()) / figures.series.max(1) as f64;
    let published = if figures.after.total() > 0 { 100.0 } else { 0.0 };
    published
        + 4.0 * (figures.non_converged as f64 / slices)
        + 6.0 * outside
        + 2.0 * worst / (worst + 5.0)
        + before.min(1.0)
        + 3.0 * unmarked
        + 2.0 * (1.0 - confidence.unwrap_or(0.5))
}

/// Whether a series' quote is two-sided and out of the money on its forward (at the forward both types are).
pub fn is_two_sided_out_of_the_money(series: &Series, mark: &SeriesMark) -> bool {
    mark.quote_status == QuoteStatus::TwoSided && is_out_of_the_money(series, mark)
}

/// Whether a series is out of the money on its forward; false where there is no forward.
pub fn is_out_of_the_money(series: &Series, mark: &SeriesMark) -> bool {
    mark.forward.is_some_and(|forward| match series.option_type {
        OptionType::Call => series.strike.to_f64() >= forward,
        OptionType::Put => series.strike.to_f64() <= forward,
    })
}

/// Whether a slice's smoothing ended without meeting its tolerances.
pub fn is_non_converged(slice: &SliceMark) -> bool {
    matches!(slice.solver_status, SolverStatus::MaxIterations | SolverStatus::Breakdown)
        || slice.reasons.contains(Reason::NonConverged)
}

fn sum(a: ViolationCounts, b: ViolationCounts) -> ViolationCounts {
    ViolationCounts {
        vertical: a.vertical.saturating_add(b.vertical),
        butterfly: a.butterfly.saturating_add(b.butterfly),
        calendar: a.calendar.saturating_add(b.calendar),
        parity: a.parity.saturating_add(b.parity),
    }
}
