//! Rows of `slices.parquet`.

use std::path::Path;

use arrow::array::RecordBatch;
use closemark_pricing::Price;
use closemark_pricing::series::Date;
use closemark_pricing::vocabulary::{ExerciseStyle, Settlement, SolverStatus};

use super::columns::{Columns, count, flag, list_numbers, number, words};
use super::{ReadError, read_batches};
use crate::publication::schema::SLICES;

/// One row of `slices.parquet`; every field is the column of its name.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceRow {
    /// The day that was closed.
    pub market_date: Date,
    /// The underlying's symbol.
    pub underlying: String,
    /// Option root.
    pub root: String,
    /// What one contract delivers.
    pub deliverable: String,
    /// Expiration date as listed.
    pub expiration: Date,
    /// `AM` or `PM`.
    pub settlement: Settlement,
    /// `american` or `european`.
    pub exercise_style: ExerciseStyle,
    /// Whether calendar conditions tie the slice to others.
    pub calendar: bool,
    /// Listed series; series.
    pub series_count: i64,
    /// Series with a usable bid or ask; series.
    pub quoted_count: i64,
    /// Time from the snapshot to settlement, never negative; years, ACT/365.
    pub time_to_expiry: f64,
    /// Forward to settlement; currency per share.
    pub forward: Option<f64>,
    /// Discounted forward; exact in European parity; currency per share.
    pub forward_present_value: Option<Price>,
    /// Discount factor to settlement; exact in European parity, in 10^-12.
    pub discount_factor: Option<i64>,
    /// Zero rate less what the forward implies (index classes); per year.
    pub carry_rate: Option<f64>,
    /// Borrow rate; positive = hard to borrow; per year.
    pub borrow_rate: Option<f64>,
    /// Present value of the cash dividends up to expiry; currency per share.
    pub dividend_present_value: Option<f64>,
    /// Call-put pairs that the forward was estimated from; pairs.
    pub forward_pairs: i64,
    /// Half-width of the forward's interval; currency per share.
    pub forward_uncertainty: Option<f64>,
    /// Call less put volatility at the money, left out; half-spreads in volatility.
    pub parity_residual: Option<f64>,
    /// The curve's volatility at the forward; per square root of year.
    pub atm_volatility: Option<f64>,
    /// Smoothing parameter of tier 1; 1.
    pub lambda: Option<f64>,
    /// Effective degrees of freedom of tier 1; 1.
    pub degrees_of_freedom: Option<f64>,
    /// Mean of ((mark - mid) / half-spread)^2; half-spreads squared.
    pub chi: Option<f64>,
    /// Mean |fit - market| over the five strikes at the money; per square root of year.
    pub atm_error: Option<f64>,
    /// Share of two-sided out-of-the-money quotes that contain their mark; 0 to 1.
    pub share_inside: Option<f64>,
    /// Share of two-sided out-of-the-money quotes that the last fit accepted; 0 to 1.
    pub share_accepted: Option<f64>,
    /// Root mean square left-out error of tier 1; per square root of year.
    pub left_out_error: Option<f64>,
    /// Accepted call quotes; quotes.
    pub used_calls: i64,
    /// Accepted put quotes; quotes.
    pub used_puts: i64,
    /// Rejected call quotes; quotes.
    pub rejected_calls: i64,
    /// Rejected put quotes; quotes.
    pub rejected_puts: i64,
    /// Not monotone in strike, in the mids; violations.
    pub violations_before_vertical: i64,
    /// Not convex in strike, in the mids; violations.
    pub violations_before_butterfly: i64,
    /// Not ordered in time, in the mids; violations.
    pub violations_before_calendar: i64,
    /// Outside parity's bounds, in the mids; violations.
    pub violations_before_parity: i64,
    /// Not monotone in strike, in the marks; violations.
    pub violations_after_vertical: i64,
    /// Not convex in strike, in the marks; violations.
    pub violations_after_butterfly: i64,
    /// Not ordered in time, in the marks; violations.
    pub violations_after_calendar: i64,
    /// Outside parity's bounds, in the marks; violations.
    pub violations_after_parity: i64,
    /// Outer iterations of the smoothing; rounds.
    pub iterations: i64,
    /// How tier 2 ended.
    pub solver_status: SolverStatus,
    /// Its scaled residual; 1.
    pub solver_residual: Option<f64>,
    /// Largest move that exact publication made; currency per share.
    pub largest_move: Option<Price>,
    /// The least that the largest move over its class could have been, by bisection; currency per share.
    pub smallest_possible_move: Option<Price>,
    /// How far the slice should be believed; 0 to 1.
    pub confidence: f64,
    /// Why.
    pub reasons: Vec<String>,
    /// What `curve_log_moneyness` measures: `log_moneyness`.
    pub curve_coordinate: String,
    /// `linear_total_variance` between nodes, flat volatility outside.
    pub curve_interpolation: String,
    /// Nodes of the curve, ascending ln(strike / forward); 1.
    pub curve_log_moneyness: Vec<f64>,
    /// Total variance at the nodes, European-equivalent; 1.
    pub curve_total_variance: Vec<f64>,
    /// S max(1, e^-bT), rounded up (American); currency per share.
    pub parity_upper: Option<Price>,
    /// S min(1, e^-bT) less discounted dividends, rounded down (American); currency per share.
    pub parity_lower: Option<Price>,
    /// Least discount factor up to expiry, rounded down (American), in 10^-12.
    pub discount_factor_min: Option<i64>,
    /// Largest discount factor up to expiry, rounded up (American), in 10^-12.
    pub discount_factor_max: Option<i64>,
    /// The run that published the row.
    pub run_id: String,
}

/// The slices of a run, of one underlying or of all, in published order.
///
/// # Errors
/// [`ReadError`] where the file is missing, damaged, or not of the published schema.
pub fn read_slices(run_folder: &Path, underlying: Option<&str>) -> Result<Vec<SliceRow>, ReadError> {
    let mut rows = Vec::new();
    read_batches(&run_folder.join(SLICES.file), underlying, |batch| SliceRow::append(batch, underlying, &mut rows))?;
    Ok(rows)
}

impl SliceRow {
    fn append(batch: &RecordBatch, only: Option<&str>, rows: &mut Vec<Self>) -> Result<(), ReadError> {
        let columns = Columns::new(SLICES.file, batch);
        let unknown = |column: &str| ReadError::Column { file: SLICES.file, column: column.to_owned() };
        let market_date = columns.dates("market_date")?;
        let underlying = columns.text("underlying")?;
        let root = columns.text("root")?;
        let deliverable = columns.text("deliverable")?;
        let expiration = columns.dates("expiration")?;
        let settlement = columns.text("settlement")?;
        let exercise_style = columns.text("exercise_style")?;
        let calendar = columns.flags("calendar")?;
        let series_count = columns.counts("series_count")?;
        let quoted_count = columns.counts("quoted_count")?;
        let time_to_expiry = columns.numbers("time_to_expiry")?;
        let forward = columns.numbers("forward")?;
        let forward_present_value = columns.decimals("forward_present_value")?;
        let discount_factor = columns.decimals("discount_factor")?;
        let carry_rate = columns.numbers("carry_rate")?;
        let borrow_rate = columns.numbers("borrow_rate")?;
        let dividend_present_value = columns.numbers("dividend_present_value")?;
        let forward_pairs = columns.counts("forward_pairs")?;
        let forward_uncertainty = columns.numbers("forward_uncertainty")?;
        let parity_residual = columns.numbers("parity_residual")?;
        let atm_volatility = columns.numbers("atm_volatility")?;
        let lambda = columns.numbers("lambda")?;
        let degrees_of_freedom = columns.numbers("degrees_of_freedom")?;
        let chi = columns.numbers("chi")?;
        let atm_error = columns.numbers("atm_error")?;
        let share_inside = columns.numbers("share_inside")?;
        let share_accepted = columns.numbers("share_accepted")?;
        let left_out_error = columns.numbers("left_out_error")?;
        let used_calls = columns.counts("used_calls")?;
        let used_puts = columns.counts("used_puts")?;
        let rejected_calls = columns.counts("rejected_calls")?;
        let rejected_puts = columns.counts("rejected_puts")?;
        let violations_before_vertical = columns.counts("violations_before_vertical")?;
        let violations_before_butterfly = columns.counts("violations_before_butterfly")?;
        let violations_before_calendar = columns.counts("violations_before_calendar")?;
        let violations_before_parity = columns.counts("violations_before_parity")?;
        let violations_after_vertical = columns.counts("violations_after_vertical")?;
        let violations_after_butterfly = columns.counts("violations_after_butterfly")?;
        let violations_after_calendar = columns.counts("violations_after_calendar")?;
        let violations_after_parity = columns.counts("violations_after_parity")?;
        let iterations = columns.counts("iterations")?;
        let solver_status = columns.text("solver_status")?;
        let solver_residual = columns.numbers("solver_residual")?;
        let largest_move = columns.decimals("largest_move")?;
        let smallest_possible_move = columns.decimals("smallest_possible_move")?;
        let confidence = columns.numbers("confidence")?;
        let reasons = columns.lists("reasons")?;
        let curve_coordinate = columns.text("curve_coordinate")?;
        let curve_interpolation = columns.text("curve_interpolation")?;
        let curve_log_moneyness = columns.lists("curve_log_moneyness")?;
        let curve_total_variance = columns.lists("curve_total_variance")?;
        let parity_upper = columns.decimals("parity_upper")?;
        let parity_lower = columns.decimals("parity_lower")?;
        let discount_factor_min = columns.decimals("discount_factor_min")?;
        let discount_factor_max = columns.decimals("discount_factor_max")?;
        let run_id = columns.text("run_id")?;
        for row in 0..batch.num_rows() {
            if only.is_some_and(|u| underlying.get(row) != Some(u)) {
                continue;
            }
            rows.push(Self {
                market_date: Date(market_date.value(row)),
                underlying: underlying.or_empty(row).to_owned(),
                root: root.or_empty(row).to_owned(),
                deliverable: deliverable.or_empty(row).to_owned(),
                expiration: Date(expiration.value(row)),
                settlement: Settlement::parse(settlement.or_empty(row)).ok_or_else(|| unknown("settlement"))?,
                exercise_style: ExerciseStyle::parse(exercise_style.or_empty(row))
                    .ok_or_else(|| unknown("exercise_style"))?,
                calendar: flag(calendar, row).unwrap_or_default(),
                series_count: count(series_count, row).unwrap_or_default(),
                quoted_count: count(quoted_count, row).unwrap_or_default(),
                time_to_expiry: number(time_to_expiry, row).unwrap_or_default(),
                forward: number(forward, row),
                forward_present_value: forward_present_value.get(row).map(Price::from_micros),
                discount_factor: discount_factor.get(row),
                carry_rate: number(carry_rate, row),
                borrow_rate: number(borrow_rate, row),
                dividend_present_value: number(dividend_present_value, row),
                forward_pairs: count(forward_pairs, row).unwrap_or_default(),
                forward_uncertainty: number(forward_uncertainty, row),
                parity_residual: number(parity_residual, row),
                atm_volatility: number(atm_volatility, row),
                lambda: number(lambda, row),
                degrees_of_freedom: number(degrees_of_freedom, row),
                chi: number(chi, row),
                atm_error: number(atm_error, row),
                share_inside: number(share_inside, row),
                share_accepted: number(share_accepted, row),
                left_out_error: number(left_out_error, row),
                used_calls: count(used_calls, row).unwrap_or_default(),
                used_puts: count(used_puts, row).unwrap_or_default(),
                rejected_calls: count(rejected_calls, row).unwrap_or_default(),
                rejected_puts: count(rejected_puts, row).unwrap_or_default(),
                violations_before_vertical: count(violations_before_vertical, row).unwrap_or_default(),
                violations_before_butterfly: count(violations_before_butterfly, row).unwrap_or_default(),
                violations_before_calendar: count(violations_before_calendar, row).unwrap_or_default(),
                violations_before_parity: count(violations_before_parity, row).unwrap_or_default(),
                violations_after_vertical: count(violations_after_vertical, row).unwrap_or_default(),
                violations_after_butterfly: count(violations_after_butterfly, row).unwrap_or_default(),
                violations_after_calendar: count(violations_after_calendar, row).unwrap_or_default(),
                violations_after_parity: count(violations_after_parity, row).unwrap_or_default(),
                iterations: count(iterations, row).unwrap_or_default(),
                solver_status: SolverStatus::parse(solver_status.or_empty(row))
                    .ok_or_else(|| unknown("solver_status"))?,
                solver_residual: number(solver_residual, row),
                largest_move: largest_move.get(row).map(Price::from_micros),
                smallest_possible_move: smallest_possible_move.get(row).map(Price::from_micros),
                confidence: number(confidence, row).unwrap_or_default(),
                reasons: words(reasons, row),
                curve_coordinate: curve_coordinate.or_empty(row).to_owned(),
                curve_interpolation: curve_interpolation.or_empty(row).to_owned(),
                curve_log_moneyness: list_numbers(curve_log_moneyness, row),
                curve_total_variance: list_numbers(curve_total_variance, row),
                parity_upper: parity_upper.get(row).map(Price::from_micros),
                parity_lower: parity_lower.get(row).map(Price::from_micros),
                discount_factor_min: discount_factor_min.get(row),
                discount_factor_max: discount_factor_max.get(row),
                run_id: run_id.or_empty(row).to_owned(),
            });
        }
        Ok(())
    }
}
