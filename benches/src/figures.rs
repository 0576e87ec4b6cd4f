//! The figures of one closed day, over every two-sided uncrossed out-of-the-money quote, rejected ones included.

use closemark_data::day::Day;
use closemark_data::report::figures::{is_non_converged, is_two_sided_out_of_the_money};
use closemark_pricing::mark::{SeriesMark, UnderlyingMarks, ViolationCounts};
use closemark_pricing::series::Series;
use closemark_pricing::vocabulary::QuoteStatus;

/// Counts over one day or one part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DayFigures {
    /// Listed series.
    pub series: u64,
    /// Series without a mark.
    pub null_marks: u64,
    /// Series without a mark although something quotes them.
    pub null_quoted: u64,
    /// Two-sided, uncrossed, out-of-the-money quotes.
    pub quotes: u64,
    /// Of these: the mark lies within bid and ask.
    pub inside: u64,
    /// Of these: the last fit accepted the quote.
    pub accepted: u64,
    /// Slices.
    pub slices: u64,
    /// Slices whose smoothing did not converge.
    pub non_converged: u64,
    /// Violations in the mids.
    pub before: ViolationCounts,
    /// Largest move of exact publication, millionths.
    pub largest_move: i64,
}

/// Whether the mark lies within its quote.
pub fn is_inside(mark: &SeriesMark) -> bool {
    match (mark.bid, mark.mark, mark.ask) {
        (Some(bid), Some(mark), Some(ask)) => bid <= mark && mark <= ask,
        _ => false,
    }
}

impl DayFigures {
    /// The figures of a day's underlyings, those that `keep` chooses.
    pub fn of(day: &Day, marks: &[UnderlyingMarks], keep: impl Fn(&str) -> bool) -> Self {
        let mut sum = Self::default();
        for (underlying, rows) in day.underlyings.iter().zip(marks) {
            if keep(&underlying.underlying) {
                for (series, mark) in underlying.series.iter().zip(&rows.series) {
                    sum.add_series(series, mark);
                }
                sum.add_slices(rows);
            }
        }
        sum
    }

    fn add_series(&mut self, series: &Series, mark: &SeriesMark) {
        self.series += 1;
        if mark.mark.is_none() {
            self.null_marks += 1;
            self.null_quoted += u64::from(mark.quote_status != QuoteStatus::None);
        }
        if is_two_sided_out_of_the_money(series, mark) {
            self.quotes += 1;
            self.inside += u64::from(is_inside(mark));
            self.accepted += u64::from(mark.accepted == Some(true));
        }
    }

    fn add_slices(&mut self, rows: &UnderlyingMarks) {
        for slice in &rows.slices {
            self.slices += 1;
            self.non_converged += u64::from(is_non_converged(slice));
            let (sum, part) = (&mut self.before, slice.violations_before);
            sum.vertical += part.vertical;
            sum.butterfly += part.butterfly;
            sum.calendar += part.calendar;
            sum.parity += part.parity;
            self.largest_move = self.largest_move.max(slice.largest_move.map_or(0, |m| m.micros().saturating_abs()));
        }
    }

    /// A share in percent, or a dash without a base.
    pub fn percent(part: u64, whole: u64) -> String {
        if whole == 0 { "-".to_owned() } else { format!("{:.2}", 100.0 * part as f64 / whole as f64) }
    }
}

/// The value below which a share `q` of the values lies (nearest rank); `None` of nothing.
pub fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (q * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1).min(values.len().saturating_sub(1))).copied()
}
