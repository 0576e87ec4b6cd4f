//! Rows of `marks.parquet`.

use std::path::Path;

use arrow::array::RecordBatch;
use closemark_pricing::Price;
use closemark_pricing::series::Date;
use closemark_pricing::vocabulary::{ExerciseStyle, MarkSource, OptionType, QuoteStatus, Settlement, VolatilityStatus};

use super::columns::{Columns, count, flag, number, words};
use super::{ReadError, read_batches};
use crate::decoder;
use crate::publication::schema::MARKS;

/// One row of `marks.parquet`; every field is the column of its name.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkRow {
    /// The day that was closed.
    pub market_date: Date,
    /// The 21-character OSI symbol, or the opaque symbol that the input described.
    pub osi_symbol: String,
    /// The underlying's symbol.
    pub underlying: String,
    /// Option root.
    pub root: String,
    /// Expiration date as listed.
    pub expiration: Date,
    /// Strike; currency per share.
    pub strike: Price,
    /// `C` or `P`.
    pub option_type: OptionType,
    /// `american` or `european`.
    pub exercise_style: ExerciseStyle,
    /// `AM` or `PM`.
    pub settlement: Settlement,
    /// Contract multiplier; currency per contract and price unit.
    pub multiplier: i64,
    /// ISO 4217 code of every price in the row.
    pub currency: String,
    /// What one contract delivers.
    pub deliverable: String,
    /// Best bid after uncrossing; currency per share.
    pub bid: Option<Price>,
    /// Best offer after uncrossing; currency per share.
    pub ask: Option<Price>,
    /// Size at the best bid over all venues; null = none or unknown; contracts.
    pub bid_size: Option<i64>,
    /// Size at the best offer over all venues; null = none or unknown; contracts.
    pub ask_size: Option<i64>,
    /// Venues with a usable quote; venues.
    pub venue_count: i64,
    /// `NONE`, `NO_ASK`, `CROSSED`, `LOCKED`, `ZERO_BID` or `TWO_SIDED`.
    pub quote_status: QuoteStatus,
    /// Remarks beside the status.
    pub quote_flags: Vec<String>,
    /// Whether the quote entered the last fit.
    pub accepted: Option<bool>,
    /// Midpoint of bid and offer, for `TWO_SIDED` and `LOCKED`; currency per share.
    pub mid: Option<Price>,
    /// The published mark; currency per share.
    pub mark: Option<Price>,
    /// What decided the mark; `NONE` where it is null.
    pub mark_source: MarkSource,
    /// Why the mark is what it is, or why its quote was not believed.
    pub reasons: Vec<String>,
    /// Volatility of the mid; per square root of year.
    pub implied_volatility: Option<f64>,
    /// Volatility of the bid; per square root of year.
    pub bid_implied_volatility: Option<f64>,
    /// Volatility of the ask; per square root of year.
    pub ask_implied_volatility: Option<f64>,
    /// How the inversion of the mid ended.
    pub volatility_status: VolatilityStatus,
    /// Volatility whose model price is the unrounded mark; per square root of year.
    pub smoothed_volatility: Option<f64>,
    /// Mark less mid; currency per share.
    pub edit: Option<Price>,
    /// Mark less mid; half-spreads.
    pub edit_half_spreads: Option<f64>,
    /// Smoothed less implied volatility; per square root of year.
    pub edit_volatility: Option<f64>,
    /// First derivative in the underlying's price; per 1.00 of the underlying.
    pub delta: Option<f64>,
    /// Second derivative in the underlying's price; per 1.00 of the underlying, squared.
    pub gamma: Option<f64>,
    /// Derivative in volatility; per 1.00 of volatility.
    pub vega: Option<f64>,
    /// Derivative in time, the underlying's price held; per calendar day.
    pub theta: Option<f64>,
    /// Derivative in a parallel shift of the zero curve; per 1.00 of rate.
    pub rho: Option<f64>,
    /// The price of the underlying that served everything; currency per share.
    pub underlying_price: Option<Price>,
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
    /// Time from the snapshot to settlement, never negative; years, ACT/365.
    pub time_to_expiry: f64,
    /// ln(strike / forward); 1.
    pub log_moneyness: Option<f64>,
    /// The curve's total variance, in the European-equivalent coordinate; 1.
    pub total_variance: Option<f64>,
    /// How far the mark should be believed; 0 to 1.
    pub confidence: Option<f64>,
    /// The run that published the row.
    pub run_id: String,
}

/// The marks of a run, of one underlying or of all, in published order.
///
/// # Errors
/// [`ReadError`] where the file is missing, damaged, or not of the published schema.
pub fn read_marks(run_folder: &Path, underlying: Option<&str>) -> Result<Vec<MarkRow>, ReadError> {
    let mut rows = Vec::new();
    read_batches(&run_folder.join(MARKS.file), underlying, |batch| MarkRow::append(batch, underlying, &mut rows))?;
    Ok(rows)
}

/// Takes the rows of a run some thousands at a time, in published order, until `take` says no.
pub(super) fn scan_rows(run_folder: &Path, mut take: impl FnMut(Vec<MarkRow>) -> bool) -> Result<(), ReadError> {
    let path = run_folder.join(MARKS.file);
    let failed = |detail: String| ReadError::File { path: path.clone(), detail };
    let mut reader = super::reader(&path, None)?;
    loop {
        let next = decoder::caught(|| reader.next()).ok_or_else(|| failed(decoder::GAVE_UP.to_owned()))?;
        let Some(batch) = next else { return Ok(()) };
        let mut rows = Vec::new();
        MarkRow::append(&batch.map_err(|error| failed(error.to_string()))?, None, &mut rows)?;
        if !take(rows) {
            return Ok(());
        }
    }
}

/// The mark of one series of a run; `None` where the run does not have it.
///
/// # Errors
/// As for [`read_marks`].
pub fn read_mark(run_folder: &Path, osi_symbol: &str) -> Result<Option<MarkRow>, ReadError> {
    let mut found = Vec::with_capacity(1);
    read_batches(&run_folder.join(MARKS.file), None, |batch| {
        let columns = Columns::new(MARKS.file, batch);
        let symbols = columns.text("osi_symbol")?;
        match (0..batch.num_rows()).find(|row| symbols.get(*row) == Some(osi_symbol)) {
            Some(row) if found.is_empty() => MarkRow::append(&batch.slice(row, 1), None, &mut found),
            _ => Ok(()),
        }
    })?;
    Ok(found.pop())
}

impl MarkRow {
    fn append(batch: &RecordBatch, only: Option<&str>, rows: &mut Vec<Self>) -> Result<(), ReadError> {
        let columns = Columns::new(MARKS.file, batch);
        let unknown = |column: &str| ReadError::Column { file: MARKS.file, column: column.to_owned() };
        let market_date = columns.dates("market_date")?;
        let osi_symbol = columns.text("osi_symbol")?;
        let underlying = columns.text("underlying")?;
        let root = columns.text("root")?;
        let expiration = columns.dates("expiration")?;
        let strike = columns.decimals("strike")?;
        let option_type = columns.text("option_type")?;
        let exercise_style = columns.text("exercise_style")?;
        let settlement = columns.text("settlement")?;
        let multiplier = columns.counts("multiplier")?;
        let currency = columns.text("currency")?;
        let deliverable = columns.text("deliverable")?;
        let bid = columns.decimals("bid")?;
        let ask = columns.decimals("ask")?;
        let bid_size = columns.counts("bid_size")?;
        let ask_size = columns.counts("ask_size")?;
        let venue_count = columns.counts("venue_count")?;
        let quote_status = columns.text("quote_status")?;
        let quote_flags = columns.lists("quote_flags")?;
        let accepted = columns.flags("accepted")?;
        let mid = columns.decimals("mid")?;
        let mark = columns.decimals("mark")?;
        let mark_source = columns.text("mark_source")?;
        let reasons = columns.lists("reasons")?;
        let implied_volatility = columns.numbers("implied_volatility")?;
        let bid_implied_volatility = columns.numbers("bid_implied_volatility")?;
        let ask_implied_volatility = columns.numbers("ask_implied_volatility")?;
        let volatility_status = columns.text("volatility_status")?;
        let smoothed_volatility = columns.numbers("smoothed_volatility")?;
        let edit = columns.decimals("edit")?;
        let edit_half_spreads = columns.numbers("edit_half_spreads")?;
        let edit_volatility = columns.numbers("edit_volatility")?;
        let delta = columns.numbers("delta")?;
        let gamma = columns.numbers("gamma")?;
        let vega = columns.numbers("vega")?;
        let theta = columns.numbers("theta")?;
        let rho = columns.numbers("rho")?;
        let underlying_price = columns.decimals("underlying_price")?;
        let forward = columns.numbers("forward")?;
        let forward_present_value = columns.decimals("forward_present_value")?;
        let discount_factor = columns.decimals("discount_factor")?;
        let carry_rate = columns.numbers("carry_rate")?;
        let borrow_rate = columns.numbers("borrow_rate")?;
        let dividend_present_value = columns.numbers("dividend_present_value")?;
        let time_to_expiry = columns.numbers("time_to_expiry")?;
        let log_moneyness = columns.numbers("log_moneyness")?;
        let total_variance = columns.numbers("total_variance")?;
        let confidence = columns.numbers("confidence")?;
        let run_id = columns.text("run_id")?;
        for row in 0..batch.num_rows() {
            if only.is_some_and(|u| underlying.get(row) != Some(u)) {
                continue;
            }
            rows.push(Self {
                market_date: Date(market_date.value(row)),
                osi_symbol: osi_symbol.or_empty(row).to_owned(),
                underlying: underlying.or_empty(row).to_owned(),
                root: root.or_empty(row).to_owned(),
                expiration: Date(expiration.value(row)),
                strike: Price::from_micros(strike.get(row).unwrap_or_default()),
                option_type: OptionType::parse(option_type.or_empty(row)).ok_or_else(|| unknown("option_type"))?,
                exercise_style: ExerciseStyle::parse(exercise_style.or_empty(row))
                    .ok_or_else(|| unknown("exercise_style"))?,
                settlement: Settlement::parse(settlement.or_empty(row)).ok_or_else(|| unknown("settlement"))?,
                multiplier: count(multiplier, row).unwrap_or_default(),
                currency: currency.or_empty(row).to_owned(),
                deliverable: deliverable.or_empty(row).to_owned(),
                bid: bid.get(row).map(Price::from_micros),
                ask: ask.get(row).map(Price::from_micros),
                bid_size: count(bid_size, row),
                ask_size: count(ask_size, row),
                venue_count: count(venue_count, row).unwrap_or_default(),
                quote_status: QuoteStatus::parse(quote_status.or_empty(row)).ok_or_else(|| unknown("quote_status"))?,
                quote_flags: words(quote_flags, row),
                accepted: flag(accepted, row),
                mid: mid.get(row).map(Price::from_micros),
                mark: mark.get(row).map(Price::from_micros),
                mark_source: MarkSource::parse(mark_source.or_empty(row)).ok_or_else(|| unknown("mark_source"))?,
                reasons: words(reasons, row),
                implied_volatility: number(implied_volatility, row),
                bid_implied_volatility: number(bid_implied_volatility, row),
                ask_implied_volatility: number(ask_implied_volatility, row),
                volatility_status: VolatilityStatus::parse(volatility_status.or_empty(row))
                    .ok_or_else(|| unknown("volatility_status"))?,
                smoothed_volatility: number(smoothed_volatility, row),
                edit: edit.get(row).map(Price::from_micros),
                edit_half_spreads: number(edit_half_spreads, row),
                edit_volatility: number(edit_volatility, row),
                delta: number(delta, row),
                gamma: number(gamma, row),
                vega: number(vega, row),
                theta: number(theta, row),
                rho: number(rho, row),
                underlying_price: underlying_price.get(row).map(Price::from_micros),
                forward: number(forward, row),
                forward_present_value: forward_present_value.get(row).map(Price::from_micros),
                discount_factor: discount_factor.get(row),
                carry_rate: number(carry_rate, row),
                borrow_rate: number(borrow_rate, row),
                dividend_present_value: number(dividend_present_value, row),
                time_to_expiry: number(time_to_expiry, row).unwrap_or_default(),
                log_moneyness: number(log_moneyness, row),
                total_variance: number(total_variance, row),
                confidence: number(confidence, row),
                run_id: run_id.or_empty(row).to_owned(),
            });
        }
        Ok(())
    }
}
