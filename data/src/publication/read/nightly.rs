//! The few columns of `marks.parquet` that margin and the nightly files need, row by row.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, RecordBatch};
use closemark_pricing::Price;
use closemark_pricing::series::Date;
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType, Settlement};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::ReadError;
use super::columns::{Columns, count, number};
use crate::publication::schema::MARKS;

/// What is read, and nothing else.
const READ: [&str; 15] = [
    "osi_symbol",
    "underlying",
    "root",
    "expiration",
    "strike",
    "option_type",
    "exercise_style",
    "settlement",
    "multiplier",
    "currency",
    "deliverable",
    "mark",
    "delta",
    "underlying_price",
    "time_to_expiry",
];

/// One series; every field is the column of its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NightlyRow<'a> {
    /// The series.
    pub osi_symbol: &'a str,
    /// Its underlying.
    pub underlying: &'a str,
    /// Option root.
    pub root: &'a str,
    /// Expiration date as listed.
    pub expiration: Date,
    /// Strike; currency per share.
    pub strike: Price,
    /// Call or put.
    pub option_type: OptionType,
    /// American or European.
    pub exercise_style: ExerciseStyle,
    /// AM or PM.
    pub settlement: Settlement,
    /// Currency units per contract and price unit.
    pub multiplier: i64,
    /// ISO 4217 code.
    pub currency: &'a str,
    /// What one contract delivers.
    pub deliverable: &'a str,
    /// The mark; currency per share.
    pub mark: Option<Price>,
    /// Per 1.00 of the underlying.
    pub delta: Option<f64>,
    /// Currency per share.
    pub underlying_price: Option<Price>,
    /// Years.
    pub time_to_expiry: f64,
}

impl NightlyRow<'_> {
    /// Whether one unit delivers one share of the underlying.
    pub fn is_standard(&self) -> bool {
        self.deliverable
            .strip_suffix(self.underlying)
            .and_then(|rest| rest.strip_suffix(' '))
            .is_some_and(|count| count.parse() == Ok(self.multiplier))
    }
}

/// Shows every series of a run to `see`, in published order; memory does not grow with the run.
///
/// # Errors
/// [`ReadError`] where the file is missing, damaged, or not of the published schema; what `see` says.
pub fn scan_marks<E: From<ReadError>>(
    run_folder: &Path,
    mut see: impl FnMut(&NightlyRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let path = run_folder.join(MARKS.file);
    let failed = |detail: String| ReadError::File { path: path.clone(), detail };
    let file = File::open(&path).map_err(|e| failed(e.to_string()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(e.to_string()))?;
    let columns = ProjectionMask::columns(builder.parquet_schema(), READ);
    let reader = builder.with_projection(columns).with_batch_size(8192).build().map_err(|e| failed(e.to_string()))?;
    for batch in reader {
        see_batch(&batch.map_err(|e| failed(e.to_string()))?, &mut see)?;
    }
    Ok(())
}

fn see_batch<E: From<ReadError>>(
    batch: &RecordBatch,
    see: &mut impl FnMut(&NightlyRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let columns = Columns::new(MARKS.file, batch);
    let unknown = |column: &str| ReadError::Column { file: MARKS.file, column: column.to_owned() };
    let (symbol, underlying, root) = (columns.text("osi_symbol")?, columns.text("underlying")?, columns.text("root")?);
    let (expiration, strike) = (columns.dates("expiration")?, columns.decimals("strike")?);
    let (kind, style) = (columns.text("option_type")?, columns.text("exercise_style")?);
    let (settlement, multiplier) = (columns.text("settlement")?, columns.counts("multiplier")?);
    let (currency, deliverable) = (columns.text("currency")?, columns.text("deliverable")?);
    let (mark, delta) = (columns.decimals("mark")?, columns.numbers("delta")?);
    let (price, time) = (columns.decimals("underlying_price")?, columns.numbers("time_to_expiry")?);
    for row in 0..batch.num_rows() {
        see(&NightlyRow {
            osi_symbol: symbol.or_empty(row),
            underlying: underlying.or_empty(row),
            root: root.or_empty(row),
            expiration: Date(if expiration.is_valid(row) { expiration.value(row) } else { 0 }),
            strike: Price::from_micros(strike.get(row).unwrap_or_default()),
            option_type: OptionType::parse(kind.or_empty(row)).ok_or_else(|| unknown("option_type"))?,
            exercise_style: ExerciseStyle::parse(style.or_empty(row)).ok_or_else(|| unknown("exercise_style"))?,
            settlement: Settlement::parse(settlement.or_empty(row)).ok_or_else(|| unknown("settlement"))?,
            multiplier: count(multiplier, row).unwrap_or_default(),
            currency: currency.or_empty(row),
            deliverable: deliverable.or_empty(row),
            mark: mark.get(row).map(Price::from_micros),
            delta: number(delta, row),
            underlying_price: price.get(row).map(Price::from_micros),
            time_to_expiry: number(time, row).unwrap_or_default(),
        })?;
    }
    Ok(())
}
