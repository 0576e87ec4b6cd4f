//! A published run's rows, back in the form in which a close makes them: what a correction takes from its base.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, RecordBatch};
use closemark_pricing::mark::{ExceptionRow, Greeks, SeriesMark, SliceMark, UnderlyingMarks, ViolationCounts};
use closemark_pricing::risk::RiskArray;
use closemark_pricing::series::{Date, Deliverable, Instant, Series};
use closemark_pricing::vocabulary::{MarkSource, QuoteFlag, QuoteFlags, Reason, Reasons, Settlement, Stage};

use super::columns::Columns;
use super::marks::scan_rows;
use super::{MarkRow, ReadError, SliceRow, read_batches, read_risk_arrays, read_slices};
use crate::input::exceptions as input;
use crate::publication::schema::{EXCEPTIONS, RISK_ARRAYS};

/// Every word that may stand in `exceptions` as a reason beside [`Reason`]'s own.
const WORDS: [&str; 13] = [
    input::CONTRADICTING_TERMS,
    input::MALFORMED_SYMBOL,
    input::MALFORMED_ROW,
    input::UNKNOWN_VENUE,
    input::UNKNOWN_ROOT,
    input::BAD_PRICE,
    input::WRONG_CURRENCY,
    input::WRONG_MULTIPLIER,
    input::DUPLICATE_QUOTE,
    input::DUPLICATE_ROW,
    input::EXPIRED_SERIES,
    input::NO_UNDERLYING_PRICE,
    MarkSource::Override.as_str(),
];
const SCOPES: [&str; 5] = ["series", "slice", "underlying", "venue_quote", "row"];

/// One underlying as a run published it.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoredUnderlying {
    /// Its series, in published order. What is not published (the settlement's instant, the deliverable's parts) is not
    /// restored: the rows carry what followed from it.
    pub series: Vec<Series>,
    /// Its rows; those of `exceptions` are in [`Restored::exceptions`].
    pub marks: UnderlyingMarks,
}

/// A run's rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restored {
    /// Ascending symbol.
    pub underlyings: Vec<RestoredUnderlying>,
    /// Rows of `exceptions` about these underlyings.
    pub exceptions: Vec<ExceptionRow>,
}

/// Reads the rows of every underlying of a run but those in `except`. Publishing them again gives the same rows, under
/// the new run's id.
///
/// # Errors
/// [`ReadError`] where a file is missing, damaged, or not of the published schema.
pub fn restore(run_folder: &Path, except: &[String]) -> Result<Restored, ReadError> {
    let wanted = |underlying: &str| !except.iter().any(|one| one == underlying);
    let mut underlyings = Vec::new();
    each(run_folder, &wanted, |one| -> Result<(), ReadError> {
        underlyings.push(one);
        Ok(())
    })?;
    Ok(Restored { underlyings, exceptions: exceptions(run_folder, &wanted)? })
}

/// Shows every underlying of a run, ascending, each with its rows of `exceptions`; the marks of one are held at a time.
///
/// # Errors
/// As for [`restore`]; what `see` says.
pub fn restore_each<E: From<ReadError>>(
    run_folder: &Path,
    mut see: impl FnMut(RestoredUnderlying) -> Result<(), E>,
) -> Result<(), E> {
    let mut own: BTreeMap<String, Vec<ExceptionRow>> = BTreeMap::new();
    for row in exceptions(run_folder, &|_| true)? {
        own.entry(row.underlying.clone().unwrap_or_default()).or_default().push(row);
    }
    each(run_folder, &|_| true, |mut one| {
        one.marks.exceptions = own.remove(&one.marks.underlying).unwrap_or_default();
        see(one)
    })
}

/// Shows every underlying that is wanted, ascending.
fn each<E: From<ReadError>>(
    run_folder: &Path,
    wanted: &dyn Fn(&str) -> bool,
    mut see: impl FnMut(RestoredUnderlying) -> Result<(), E>,
) -> Result<(), E> {
    let mut slices = read_slices(run_folder, None)?.into_iter().filter(|row| wanted(&row.underlying)).peekable();
    let arrays = arrays(run_folder)?;
    let mut show = |rows: &[MarkRow]| {
        let Some(first) = rows.first().filter(|first| wanted(&first.underlying)) else { return Ok(()) };
        let mut own = Vec::new();
        while let Some(slice) = slices.next_if(|slice| slice.underlying <= first.underlying) {
            own.push(slice);
        }
        see(restored(rows, &own, &arrays))
    };
    // The rows of the underlying that is not yet at its end, and what `see` said.
    let (mut rows, mut said): (Vec<MarkRow>, Option<E>) = (Vec::new(), None);
    let read = scan_rows(run_folder, |mut more| {
        rows.append(&mut more);
        let last = rows.last().map(|row| row.underlying.clone());
        let whole = rows.iter().rposition(|row| Some(&row.underlying) != last.as_ref()).map_or(0, |at| at + 1);
        for group in rows.get(..whole).unwrap_or_default().chunk_by(|a, b| a.underlying == b.underlying) {
            if let Err(error) = show(group) {
                said = Some(error);
                return false;
            }
        }
        rows.drain(..whole);
        true
    });
    match (said, read) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(error.into()),
        (None, Ok(())) => show(&rows),
    }
}

fn restored(rows: &[MarkRow], own: &[SliceRow], arrays: &BTreeMap<String, RiskArray>) -> RestoredUnderlying {
    let marks = UnderlyingMarks {
        underlying: rows.first().map(|first| first.underlying.clone()).unwrap_or_default(),
        series: rows.iter().map(|row| series_mark(row, own)).collect(),
        slices: own.iter().map(slice_mark).collect(),
        exceptions: Vec::new(),
        risk_arrays: if arrays.is_empty() {
            Vec::new()
        } else {
            rows.iter().map(|row| arrays.get(&row.osi_symbol).cloned()).collect()
        },
    };
    RestoredUnderlying { series: rows.iter().map(series).collect(), marks }
}

/// The arrays by symbol; none where the run was made without them.
fn arrays(run_folder: &Path) -> Result<BTreeMap<String, RiskArray>, ReadError> {
    if !run_folder.join(RISK_ARRAYS.file).is_file() {
        return Ok(BTreeMap::new());
    }
    let rows = read_risk_arrays(run_folder, None)?.into_iter();
    Ok(rows.map(|row| (row.osi_symbol, RiskArray { points: row.points, volatility: row.implied_volatility })).collect())
}

fn series(row: &MarkRow) -> Series {
    Series {
        osi_symbol: row.osi_symbol.clone(),
        root: row.root.clone(),
        expiration: row.expiration,
        settlement_time: Instant(0),
        snapshot: Instant(0),
        strike: row.strike,
        option_type: row.option_type,
        exercise_style: row.exercise_style,
        settlement: row.settlement,
        multiplier: u32::try_from(row.multiplier).unwrap_or(0),
        currency: row.currency.clone(),
        deliverable: Deliverable {
            text: row.deliverable.clone(),
            shares: 0.0,
            cash: 0.0,
            standard: true,
            priceable: true,
        },
        calendar: true,
    }
}

fn series_mark(row: &MarkRow, slices: &[SliceRow]) -> SeriesMark {
    let place = slices.iter().position(|slice| {
        (slice.expiration, slice.settlement, &slice.root, &slice.deliverable)
            == (row.expiration, row.settlement, &row.root, &row.deliverable)
    });
    let size = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    SeriesMark {
        bid: row.bid,
        ask: row.ask,
        bid_size: size(row.bid_size),
        ask_size: size(row.ask_size),
        venue_count: u32::try_from(row.venue_count).unwrap_or(0),
        quote_status: row.quote_status,
        quote_flags: flags(&row.quote_flags),
        accepted: row.accepted,
        mid: row.mid,
        mark: row.mark,
        mark_source: row.mark_source,
        reasons: reasons(&row.reasons),
        implied_volatility: row.implied_volatility,
        bid_implied_volatility: row.bid_implied_volatility,
        ask_implied_volatility: row.ask_implied_volatility,
        volatility_status: row.volatility_status,
        smoothed_volatility: row.smoothed_volatility,
        edit: row.edit,
        edit_half_spreads: row.edit_half_spreads,
        edit_volatility: row.edit_volatility,
        greeks: greeks(row),
        underlying_price: row.underlying_price,
        forward: row.forward,
        forward_present_value: row.forward_present_value,
        discount_factor: factor(row.discount_factor),
        carry_rate: row.carry_rate,
        borrow_rate: row.borrow_rate,
        dividend_present_value: row.dividend_present_value,
        time_to_expiry: row.time_to_expiry,
        log_moneyness: row.log_moneyness,
        total_variance: row.total_variance,
        confidence: row.confidence,
        slice: place.unwrap_or_default(),
        method: None,
    }
}

fn greeks(row: &MarkRow) -> Option<Greeks> {
    Some(Greeks { delta: row.delta?, gamma: row.gamma?, vega: row.vega?, theta: row.theta?, rho: row.rho? })
}

fn slice_mark(row: &SliceRow) -> SliceMark {
    let count = |value: i64| u32::try_from(value).unwrap_or(0);
    let counts = |vertical, butterfly, calendar, parity| ViolationCounts {
        vertical: count(vertical),
        butterfly: count(butterfly),
        calendar: count(calendar),
        parity: count(parity),
    };
    SliceMark {
        root: row.root.clone(),
        deliverable: row.deliverable.clone(),
        expiration: row.expiration,
        settlement: row.settlement,
        exercise_style: row.exercise_style,
        calendar: row.calendar,
        series_count: count(row.series_count),
        quoted_count: count(row.quoted_count),
        time_to_expiry: row.time_to_expiry,
        forward: row.forward,
        forward_present_value: row.forward_present_value,
        discount_factor: factor(row.discount_factor),
        carry_rate: row.carry_rate,
        borrow_rate: row.borrow_rate,
        dividend_present_value: row.dividend_present_value,
        forward_pairs: count(row.forward_pairs),
        forward_uncertainty: row.forward_uncertainty,
        parity_residual: row.parity_residual,
        atm_volatility: row.atm_volatility,
        lambda: row.lambda,
        degrees_of_freedom: row.degrees_of_freedom,
        chi: row.chi,
        atm_error: row.atm_error,
        share_inside: row.share_inside,
        share_accepted: row.share_accepted,
        left_out_error: row.left_out_error,
        used_calls: count(row.used_calls),
        used_puts: count(row.used_puts),
        rejected_calls: count(row.rejected_calls),
        rejected_puts: count(row.rejected_puts),
        violations_before: counts(
            row.violations_before_vertical,
            row.violations_before_butterfly,
            row.violations_before_calendar,
            row.violations_before_parity,
        ),
        violations_after: counts(
            row.violations_after_vertical,
            row.violations_after_butterfly,
            row.violations_after_calendar,
            row.violations_after_parity,
        ),
        iterations: count(row.iterations),
        solver_status: row.solver_status,
        solver_residual: row.solver_residual,
        largest_move: row.largest_move,
        smallest_possible_move: row.smallest_possible_move,
        confidence: row.confidence,
        reasons: reasons(&row.reasons),
        curve_log_moneyness: row.curve_log_moneyness.clone(),
        curve_total_variance: row.curve_total_variance.clone(),
        parity_upper: row.parity_upper,
        parity_lower: row.parity_lower,
        discount_factor_min: row.discount_factor_min,
        discount_factor_max: row.discount_factor_max,
    }
}

/// A published factor: 12 decimals come back as the number nearest to them, which rounds to them again.
fn factor(published: Option<i64>) -> Option<f64> {
    published.map(|units| units as f64 / 1e12)
}

fn flags(words: &[String]) -> QuoteFlags {
    words.iter().filter_map(|word| QuoteFlag::parse(word)).fold(QuoteFlags::EMPTY, QuoteFlags::with)
}

fn reasons(words: &[String]) -> Reasons {
    words.iter().filter_map(|word| Reason::parse(word)).fold(Reasons::EMPTY, Reasons::with)
}

fn exceptions(run_folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<ExceptionRow>, ReadError> {
    let mut rows = Vec::new();
    read_batches(&run_folder.join(EXCEPTIONS.file), None, |batch| append(batch, wanted, &mut rows))?;
    Ok(rows)
}

fn append(batch: &RecordBatch, wanted: &dyn Fn(&str) -> bool, rows: &mut Vec<ExceptionRow>) -> Result<(), ReadError> {
    let columns = Columns::new(EXCEPTIONS.file, batch);
    let unknown = |column: &str| ReadError::Column { file: EXCEPTIONS.file, column: column.to_owned() };
    let (scope, stage, reason) = (columns.text("scope")?, columns.text("stage")?, columns.text("reason")?);
    let (underlying, root, symbol) = (columns.text("underlying")?, columns.text("root")?, columns.text("osi_symbol")?);
    let (expiration, settlement) = (columns.dates("expiration")?, columns.text("settlement")?);
    let (field, author) = (columns.text("field")?, columns.text("author")?);
    let (before, after) = (columns.text("before")?, columns.text("after")?);
    for row in 0..batch.num_rows() {
        let Some(own) = underlying.get(row).filter(|own| wanted(own)) else { continue };
        let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
        let word = reason.or_empty(row);
        let known = Reason::parse(word).map(Reason::as_str).or(WORDS.into_iter().find(|known| *known == word));
        rows.push(ExceptionRow {
            scope: SCOPES.into_iter().find(|known| *known == scope.or_empty(row)).ok_or_else(|| unknown("scope"))?,
            underlying: Some(own.to_owned()),
            root: owned(root.get(row)),
            expiration: expiration.is_valid(row).then(|| Date(expiration.value(row))),
            settlement: settlement.get(row).and_then(Settlement::parse),
            osi_symbol: owned(symbol.get(row)),
            stage: Stage::parse(stage.or_empty(row)).map(Stage::as_str).ok_or_else(|| unknown("stage"))?,
            reason: known.ok_or_else(|| unknown("reason"))?,
            field: owned(field.get(row)),
            before: owned(before.get(row)),
            after: owned(after.get(row)),
            author: owned(author.get(row)),
        });
    }
    Ok(())
}
