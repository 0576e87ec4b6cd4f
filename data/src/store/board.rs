//! The board: what the report counts at the close, counted again from the published rows.

use closemark_pricing::mark::ViolationCounts;
use closemark_pricing::vocabulary::{MarkSource, Reason};
use rayon::prelude::*;

use super::close::Close;
use super::columns::{mark, slice};
use super::view::RowView;
use crate::report::figures::{EDIT_CLASSES, Figures, doubt};

/// One underlying of the board.
#[derive(Clone, Debug)]
pub struct BoardEntry {
    /// The underlying's symbol.
    pub underlying: String,
    /// The price that served everything, millionths; `None` where no row says.
    pub price_micros: Option<i64>,
    /// What is counted over its series and slices.
    pub figures: Figures,
    /// Least confidence of its slices that have quotes.
    pub confidence: Option<f64>,
    /// How hard the underlying is to believe; larger is worse.
    pub doubt: f64,
    /// The slice of its worst edit: its place among the underlying's slices.
    pub worst_slice: Option<usize>,
    /// The row of marks with its worst edit.
    pub worst_row: Option<u32>,
}

/// Every underlying, least believable first; ties by symbol.
pub fn board(close: &Close) -> Vec<BoardEntry> {
    let groups: Vec<(&str, std::ops::Range<u32>)> = close.marks().underlyings().collect();
    let mut rows: Vec<BoardEntry> = groups.into_par_iter().map(|(name, rows)| entry(close, name, rows)).collect();
    rows.sort_by(|a, b| b.doubt.total_cmp(&a.doubt).then_with(|| a.underlying.cmp(&b.underlying)));
    rows
}

fn entry(close: &Close, underlying: &str, rows: std::ops::Range<u32>) -> BoardEntry {
    let mut figures = Figures::default();
    let mut price_micros = None;
    let mut worst: Option<(f64, u32, RowView<'_>)> = None;
    for (row, view) in rows.filter_map(|row| Some((row, close.marks().row(row)?))) {
        count_series(&mut figures, view);
        price_micros = price_micros.or_else(|| view.decimal(mark::UNDERLYING_PRICE));
        if let Some(edit) = view.number(mark::EDIT_HALF_SPREADS).map(f64::abs).filter(|edit| edit.is_finite())
            && worst.is_none_or(|(most, ..)| edit > most)
        {
            worst = Some((edit, row, view));
        }
    }
    let mut confidence: Option<f64> = None;
    let slices = close.slices_of(underlying);
    for (_, view) in &slices {
        count_slice(&mut figures, view);
        let quoted = view.count(slice::QUOTED_COUNT).unwrap_or(0) > 0;
        if let Some(own) = view.number(slice::CONFIDENCE).filter(|_| quoted) {
            confidence = Some(confidence.map_or(own, |least| least.min(own)));
        }
    }
    let worst_row = worst.map(|(_, row, _)| row);
    let worst_slice = worst.and_then(|(_, _, worst)| {
        slices.iter().position(|(id, view)| {
            id.root == worst.text(mark::ROOT)
                && Some(id.expiration) == worst.date(mark::EXPIRATION)
                && id.settlement.as_str() == worst.text(mark::SETTLEMENT)
                && view.text(slice::DELIVERABLE) == worst.text(mark::DELIVERABLE)
        })
    });
    let doubt = doubt(&figures, confidence);
    let underlying = underlying.to_owned();
    BoardEntry { underlying, price_micros, figures, confidence, doubt, worst_slice, worst_row }
}

fn count_series(figures: &mut Figures, view: RowView<'_>) {
    let price = view.decimal(mark::MARK);
    figures.series += 1;
    figures.marked += u64::from(price.is_some());
    let status = view.text(mark::QUOTE_STATUS);
    figures.quoted += u64::from(status != "NONE");
    if let Some(source) = MarkSource::parse(view.text(mark::MARK_SOURCE)) {
        *figures.sources.entry(source).or_default() += 1;
    }
    for reason in view.words(mark::REASONS).filter_map(Reason::parse) {
        *figures.reasons.entry(reason).or_default() += 1;
        if price.is_none() {
            *figures.null_reasons.entry(reason).or_default() += 1;
        }
    }
    if status == "TWO_SIDED" && is_out_of_the_money(view) {
        let holds = match (view.decimal(mark::BID), price, view.decimal(mark::ASK)) {
            (Some(bid), Some(price), Some(ask)) => bid <= price && price <= ask,
            _ => false,
        };
        figures.inside.count(holds);
        figures.accepted.count(view.flag(mark::ACCEPTED) == Some(true));
    }
    if let Some(size) = view.number(mark::EDIT_HALF_SPREADS).map(f64::abs).filter(|size| size.is_finite()) {
        let class = EDIT_CLASSES.iter().position(|&end| size <= end).unwrap_or(EDIT_CLASSES.len() - 1);
        if let Some(count) = figures.edit_classes.get_mut(class) {
            *count += 1;
        }
        figures.worst_edit = Some(figures.worst_edit.map_or(size, |worst| worst.max(size)));
    }
}

/// At the forward both types are; nothing is where there is no forward.
fn is_out_of_the_money(view: RowView<'_>) -> bool {
    let strike = view.decimal(mark::STRIKE).map(|micros| closemark_pricing::Price::from_micros(micros).to_f64());
    match (view.number(mark::FORWARD), strike) {
        (Some(forward), Some(strike)) if view.text(mark::OPTION_TYPE) == "C" => strike >= forward,
        (Some(forward), Some(strike)) => strike <= forward,
        _ => false,
    }
}

fn count_slice(figures: &mut Figures, view: &RowView<'_>) {
    let count = |place: usize| view.count(place).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let add = |into: &mut ViolationCounts, places: [usize; 4]| {
        into.vertical = into.vertical.saturating_add(count(places[0]));
        into.butterfly = into.butterfly.saturating_add(count(places[1]));
        into.calendar = into.calendar.saturating_add(count(places[2]));
        into.parity = into.parity.saturating_add(count(places[3]));
    };
    figures.slices += 1;
    let before = [slice::BEFORE_VERTICAL, slice::BEFORE_BUTTERFLY, slice::BEFORE_CALENDAR, slice::BEFORE_PARITY];
    let after = [slice::AFTER_VERTICAL, slice::AFTER_BUTTERFLY, slice::AFTER_CALENDAR, slice::AFTER_PARITY];
    add(&mut figures.before, before);
    add(&mut figures.after, after);
    let lost = matches!(view.text(slice::SOLVER_STATUS), "MAX_ITERATIONS" | "BREAKDOWN");
    let said = view.words(slice::REASONS).any(|word| word == Reason::NonConverged.as_str());
    figures.non_converged += u64::from(lost || said);
}
