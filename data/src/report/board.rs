//! The board of a close: every underlying with its figures, least believable first, built underlying by underlying.

use std::borrow::Cow;
use std::cmp::Ordering;

use closemark_pricing::UnderlyingDay;
use closemark_pricing::mark::{SeriesMark, UnderlyingMarks};
use closemark_pricing::series::Series;

use super::WORST_MAX;
use super::figures::{Figures, doubt};
use crate::day::Day;

/// Large edits that are remembered.
const EDITS_MAX: usize = 20;

/// One underlying on the board.
#[derive(Clone, Debug)]
pub struct BoardRow<'a> {
    /// Its input. Where rows are owned, only those of the [`WORST_MAX`] at the top keep their series; the others keep
    /// their head, with the price that served everything.
    pub day: Cow<'a, UnderlyingDay>,
    /// Its rows, likewise.
    pub marks: Cow<'a, UnderlyingMarks>,
    /// Its figures.
    pub figures: Figures,
    /// Least confidence of its slices that have quotes.
    pub confidence: Option<f64>,
    /// How hard the underlying is to believe; larger is worse.
    pub doubt: f64,
}

/// One large edit.
#[derive(Clone, Debug)]
pub struct LargeEdit {
    /// The series.
    pub series: Series,
    /// Its row.
    pub mark: SeriesMark,
    /// |mark - mid| in half-spreads.
    pub half_spreads: f64,
}

/// The board: every underlying with its figures, least believable first, and the figures of the whole.
#[derive(Clone, Debug, Default)]
pub struct Board<'a> {
    /// Least believable first; ties by symbol.
    pub rows: Vec<BoardRow<'a>>,
    /// The whole close.
    pub total: Figures,
    edits: Vec<LargeEdit>,
}

/// A board while its underlyings come.
#[derive(Default)]
pub struct BoardBuilder<'a> {
    board: Board<'a>,
    /// Places of the least believable rows so far, in the board's order.
    worst: Vec<usize>,
}

impl<'a> BoardBuilder<'a> {
    /// Counts an underlying and keeps what the board shows of it.
    pub fn push(&mut self, day: Cow<'a, UnderlyingDay>, marks: Cow<'a, UnderlyingMarks>) {
        let mut figures = Figures::default();
        for (series, mark) in day.series.iter().zip(&marks.series) {
            figures.count_series(series, mark);
        }
        marks.slices.iter().for_each(|slice| figures.count_slice(slice));
        self.board.total.add(&figures);
        self.note_edits(&day, &marks);
        let quoted = marks.slices.iter().filter(|slice| slice.quoted_count > 0);
        let confidence = quoted.map(|slice| slice.confidence).reduce(f64::min);
        let doubt = doubt(&figures, confidence);
        self.board.rows.push(BoardRow { day, marks, figures, confidence, doubt });
        self.note_worst();
    }

    /// The board of everything pushed.
    pub fn finish(mut self) -> Board<'a> {
        self.board.rows.sort_by(order);
        self.board
    }

    /// Keeps the last row whole where it is among the least believable; what falls out of them gives its series back.
    fn note_worst(&mut self) {
        let rows = &self.board.rows;
        let Some(newest) = rows.len().checked_sub(1) else { return };
        let before = |place: &usize| match (rows.get(*place), rows.get(newest)) {
            (Some(a), Some(b)) => order(a, b) == Ordering::Less,
            _ => false,
        };
        let at = self.worst.partition_point(before);
        self.worst.insert(at, newest);
        if self.worst.len() > WORST_MAX
            && let Some(row) = self.worst.pop().and_then(|place| self.board.rows.get_mut(place))
        {
            row.strip();
        }
    }

    /// Remembers the largest edits.
    fn note_edits(&mut self, day: &UnderlyingDay, marks: &UnderlyingMarks) {
        let least = match self.board.edits.get(EDITS_MAX - 1) {
            Some(last) => last.half_spreads,
            None => f64::NEG_INFINITY,
        };
        for (series, mark) in day.series.iter().zip(&marks.series) {
            let size = mark.edit_half_spreads.map(f64::abs).filter(|size| size.is_finite() && *size >= least);
            if let Some(half_spreads) = size {
                self.board.edits.push(LargeEdit { series: series.clone(), mark: mark.clone(), half_spreads });
                // Keeps the list short without changing its end.
                if self.board.edits.len() > 64 * EDITS_MAX {
                    self.cut_edits();
                }
            }
        }
        self.cut_edits();
    }

    fn cut_edits(&mut self) {
        self.board.edits.sort_by(|a, b| {
            b.half_spreads.total_cmp(&a.half_spreads).then_with(|| a.series.osi_symbol.cmp(&b.series.osi_symbol))
        });
        self.board.edits.truncate(EDITS_MAX);
    }
}

impl BoardRow<'_> {
    /// Gives the series of owned rows back.
    fn strip(&mut self) {
        if let (Cow::Owned(day), Cow::Owned(marks)) = (&mut self.day, &mut self.marks) {
            day.price = marks.series.iter().find_map(|mark| mark.underlying_price).or(day.price);
            day.series = Vec::new();
            day.quotes = Vec::new();
            day.quote_offsets = Vec::new();
            day.previous = Vec::new();
            day.dividends = Vec::new();
            *marks =
                UnderlyingMarks { underlying: std::mem::take(&mut marks.underlying), ..UnderlyingMarks::default() };
        }
    }
}

fn order(a: &BoardRow<'_>, b: &BoardRow<'_>) -> Ordering {
    b.doubt.total_cmp(&a.doubt).then_with(|| a.day.underlying.cmp(&b.day.underlying))
}

/// The board of a close that is held.
///
/// Marks whose underlying the day does not know are left out; a day's underlyings without marks likewise
/// (as with `--only`).
pub fn board<'a>(day: &'a Day, marks: &'a [UnderlyingMarks]) -> Board<'a> {
    let mut board = BoardBuilder::default();
    for marks in marks {
        let found = day.underlyings.binary_search_by(|u| u.underlying.as_str().cmp(&marks.underlying));
        if let Some(underlying) = found.ok().and_then(|index| day.underlyings.get(index)) {
            board.push(Cow::Borrowed(underlying), Cow::Borrowed(marks));
        }
    }
    board.finish()
}

/// The largest edits of the close, in half-spreads; ties by symbol; at most 20 are known.
pub fn largest_edits<'b>(board: &'b Board<'_>, count: usize) -> &'b [LargeEdit] {
    board.edits.get(..count).unwrap_or(&board.edits)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::tests::fixture;
    use super::{BoardBuilder, board, largest_edits};
    use crate::report::{ReportHead, render, render_board};

    #[test]
    fn a_board_of_rows_that_were_given_away_makes_the_same_page() {
        let names = (0..30).map(|i| fixture::name(&format!("N{i:02}"), 100.0, 0.3, 3, f64::from(i * 7 % 30) / 30.0));
        let (day, marks) = fixture::day(names.collect());
        let mut built = BoardBuilder::default();
        for (day, marks) in day.underlyings.iter().zip(&marks) {
            built.push(Cow::Owned(day.clone()), Cow::Owned(marks.clone()));
        }
        let (held, built) = (board(&day, &marks), built.finish());
        assert_eq!(built.rows.iter().filter(|row| !row.day.series.is_empty()).count(), 20);
        assert_eq!(built.total, held.total);
        assert_eq!(largest_edits(&built, 50).len(), 20);
        let head = ReportHead { run_id: "00112233aabbccdd", gates: &[] };
        assert_eq!(render_board(&day, &built, &head), render(&day, &marks, &head));
    }
}
