//! The rows of the three tables, cell by cell in the order of their schemas.

use closemark_pricing::mark::{ExceptionRow, SeriesMark, SliceMark};
use closemark_pricing::series::{Date, Series};

use super::error::PublishError;
use super::parquet_file::ParquetFile;
use super::schema::{CURVE_COORDINATE, CURVE_INTERPOLATION};
use super::table::Cell;

/// What every row of a run shares.
#[derive(Clone, Copy)]
pub(crate) struct RunStamp<'a> {
    pub(crate) market_date: Date,
    pub(crate) run_id: &'a str,
}

pub(crate) fn push_mark(
    file: &mut ParquetFile,
    stamp: RunStamp<'_>,
    underlying: &str,
    series: &Series,
    mark: &SeriesMark,
) -> Result<(), PublishError> {
    let greek = |value: fn(&closemark_pricing::mark::Greeks) -> f64| Cell::number(mark.greeks.as_ref().map(value));
    file.push(&[
        Cell::Date(stamp.market_date),
        Cell::Text(&series.osi_symbol),
        Cell::Text(underlying),
        Cell::Text(&series.root),
        Cell::Date(series.expiration),
        Cell::money(Some(series.strike)),
        Cell::Text(series.option_type.as_str()),
        Cell::Text(series.exercise_style.as_str()),
        Cell::Text(series.settlement.as_str()),
        Cell::count(series.multiplier),
        Cell::Text(&series.currency),
        Cell::Text(&series.deliverable.text),
        Cell::money(mark.bid),
        Cell::money(mark.ask),
        Cell::size(mark.bid_size),
        Cell::size(mark.ask_size),
        Cell::count(mark.venue_count),
        Cell::Text(mark.quote_status.as_str()),
        Cell::Flags(mark.quote_flags),
        Cell::flag(mark.accepted),
        Cell::money(mark.mid),
        Cell::money(mark.mark),
        Cell::Text(mark.mark_source.as_str()),
        Cell::Reasons(mark.reasons),
        Cell::number(mark.implied_volatility),
        Cell::number(mark.bid_implied_volatility),
        Cell::number(mark.ask_implied_volatility),
        Cell::Text(mark.volatility_status.as_str()),
        Cell::number(mark.smoothed_volatility),
        Cell::money(mark.edit),
        Cell::number(mark.edit_half_spreads),
        Cell::number(mark.edit_volatility),
        greek(|g| g.delta),
        greek(|g| g.gamma),
        greek(|g| g.vega),
        greek(|g| g.theta),
        greek(|g| g.rho),
        Cell::money(mark.underlying_price),
        Cell::number(mark.forward),
        Cell::money(mark.forward_present_value),
        Cell::factor(mark.discount_factor),
        Cell::number(mark.carry_rate),
        Cell::number(mark.borrow_rate),
        Cell::number(mark.dividend_present_value),
        Cell::Number(finite_or_zero(mark.time_to_expiry)),
        Cell::number(mark.log_moneyness),
        Cell::number(mark.total_variance),
        Cell::number(mark.confidence),
        Cell::Text(stamp.run_id),
    ])
}

pub(crate) fn push_slice(
    file: &mut ParquetFile,
    stamp: RunStamp<'_>,
    underlying: &str,
    slice: &SliceMark,
) -> Result<(), PublishError> {
    let (before, after) = (&slice.violations_before, &slice.violations_after);
    let curve_is_finite = slice.curve_log_moneyness.len() == slice.curve_total_variance.len()
        && slice.curve_log_moneyness.iter().chain(&slice.curve_total_variance).all(|x| x.is_finite());
    let nodes = |values: &'_ [f64]| if curve_is_finite { values.to_vec() } else { Vec::new() };
    let (log_moneyness, total_variance) = (nodes(&slice.curve_log_moneyness), nodes(&slice.curve_total_variance));
    file.push(&[
        Cell::Date(stamp.market_date),
        Cell::Text(underlying),
        Cell::Text(&slice.root),
        Cell::Text(&slice.deliverable),
        Cell::Date(slice.expiration),
        Cell::Text(slice.settlement.as_str()),
        Cell::Text(slice.exercise_style.as_str()),
        Cell::Flag(slice.calendar),
        Cell::count(slice.series_count),
        Cell::count(slice.quoted_count),
        Cell::Number(finite_or_zero(slice.time_to_expiry)),
        Cell::number(slice.forward),
        Cell::money(slice.forward_present_value),
        Cell::factor(slice.discount_factor),
        Cell::number(slice.carry_rate),
        Cell::number(slice.borrow_rate),
        Cell::number(slice.dividend_present_value),
        Cell::count(slice.forward_pairs),
        Cell::number(slice.forward_uncertainty),
        Cell::number(slice.parity_residual),
        Cell::number(slice.atm_volatility),
        Cell::number(slice.lambda),
        Cell::number(slice.degrees_of_freedom),
        Cell::number(slice.chi),
        Cell::number(slice.atm_error),
        Cell::number(slice.share_inside),
        Cell::number(slice.share_accepted),
        Cell::number(slice.left_out_error),
        Cell::count(slice.used_calls),
        Cell::count(slice.used_puts),
        Cell::count(slice.rejected_calls),
        Cell::count(slice.rejected_puts),
        Cell::count(before.vertical),
        Cell::count(before.butterfly),
        Cell::count(before.calendar),
        Cell::count(before.parity),
        Cell::count(after.vertical),
        Cell::count(after.butterfly),
        Cell::count(after.calendar),
        Cell::count(after.parity),
        Cell::count(slice.iterations),
        Cell::Text(slice.solver_status.as_str()),
        Cell::number(slice.solver_residual),
        Cell::money(slice.largest_move),
        Cell::money(slice.smallest_possible_move),
        Cell::Number(finite_or_zero(slice.confidence)),
        Cell::Reasons(slice.reasons),
        Cell::Text(CURVE_COORDINATE),
        Cell::Text(CURVE_INTERPOLATION),
        Cell::Numbers(&log_moneyness),
        Cell::Numbers(&total_variance),
        Cell::money(slice.parity_upper),
        Cell::money(slice.parity_lower),
        Cell::units(slice.discount_factor_min),
        Cell::units(slice.discount_factor_max),
        Cell::Text(stamp.run_id),
    ])
}

pub(crate) fn push_exception(file: &mut ParquetFile, row: &ExceptionRow) -> Result<(), PublishError> {
    file.push(&[
        Cell::Text(row.scope),
        Cell::text(row.underlying.as_deref()),
        Cell::text(row.root.as_deref()),
        Cell::date(row.expiration),
        Cell::text(row.settlement.map(|s| s.as_str())),
        Cell::text(row.osi_symbol.as_deref()),
        Cell::Text(row.stage),
        Cell::Text(row.reason),
        Cell::text(row.field.as_deref()),
        Cell::text(row.before.as_deref()),
        Cell::text(row.after.as_deref()),
        Cell::text(row.author.as_deref()),
    ])
}

/// The columns that may not be null hold a number whatever an earlier stage made of it.
fn finite_or_zero(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}
