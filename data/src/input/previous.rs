//! The previous published close: the curves that a slice without quotes, and day-over-day checks, fall back on.

use std::collections::BTreeMap;
use std::io::Read;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type};
use bytes::Bytes;
use closemark_pricing::day::PreviousSlice;
use closemark_pricing::series::Date;
use closemark_pricing::vocabulary::Settlement;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;

use super::error::InputError;
use super::rows::CorporateActionRow;
use super::source::InputSource;
use crate::{date, decoder};

const MANIFEST: &str = "previous/manifest.json";
const SLICES: &str = "previous/slices.parquet";
const BYTES_MAX: u64 = 1 << 24;
const SLICES_BYTES_MAX: u64 = 1 << 30;
const COLUMNS: [&str; 11] = [
    "underlying",
    "root",
    "deliverable",
    "expiration",
    "settlement",
    "time_to_expiry",
    "forward",
    "borrow_rate",
    "carry_rate",
    "curve_log_moneyness",
    "curve_total_variance",
];

/// What `previous/` holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Previous {
    pub(crate) run_id: String,
    pub(crate) market_date: Option<Date>,
    /// By underlying, in the order of the file.
    pub(crate) slices: BTreeMap<String, Vec<PreviousSlice>>,
}

impl Previous {
    /// Reads `previous/`; `None` where there is none.
    pub(crate) fn read(source: &dyn InputSource) -> Result<Option<Self>, InputError> {
        let unreadable = |error: std::io::Error| InputError::file(MANIFEST, format!("cannot be read: {error}"));
        let Some(file) = source.open(MANIFEST).map_err(unreadable)? else { return Ok(None) };
        let mut text = String::new();
        file.into_read().take(BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
        let manifest: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| InputError::file(MANIFEST, format!("no JSON: {error}")))?;
        let word = |key: &str| manifest.get(key).and_then(serde_json::Value::as_str);
        let run_id = word("run_id")
            .filter(|id| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()))
            .ok_or_else(|| {
                let value = manifest.get("run_id").map(ToString::to_string).unwrap_or_default();
                InputError::file(MANIFEST, "16 hex digits").at_column("run_id").with_value(value)
            })?
            .to_owned();
        let market_date = word("market_date").and_then(date::parse);
        let file = source
            .open(SLICES)
            .map_err(|error| InputError::file(SLICES, format!("cannot be read: {error}")))?
            .ok_or_else(|| InputError::file(SLICES, "is missing beside previous/manifest.json"))?;
        let mut content = Vec::new();
        file.into_read()
            .take(SLICES_BYTES_MAX + 1)
            .read_to_end(&mut content)
            .map_err(|error| InputError::file(SLICES, format!("cannot be read: {error}")))?;
        if content.len() as u64 > SLICES_BYTES_MAX {
            return Err(InputError::file(SLICES, format!("at most {SLICES_BYTES_MAX} bytes")));
        }
        // The run id stands for these curves in the digest of this day's input, so they must be that run's own.
        let published = manifest.pointer("/provenance/files/slices.parquet/blake3").and_then(serde_json::Value::as_str);
        let found = blake3::hash(&content).to_hex();
        if published != Some(found.as_str()) {
            return Err(
                InputError::file(SLICES, "the digest that previous/manifest.json names").with_value(found.as_str())
            );
        }
        let outcome = decoder::caught(|| slices(Bytes::from(content)));
        let slices = outcome.unwrap_or_else(|| Err(InputError::file(SLICES, decoder::GAVE_UP)))?;
        Ok(Some(Self { run_id, market_date, slices }))
    }

    /// The curves of an underlying, moved over the corporate actions between that close and `market_date`.
    ///
    /// Curves live in log-moneyness, which a split leaves alone; the forward becomes `F / ratio`, and loses what a
    /// spin-off or special dividend takes off the share.
    pub(crate) fn adjusted(
        &self,
        underlying: &str,
        actions: &[CorporateActionRow],
        market_date: Date,
    ) -> Vec<PreviousSlice> {
        let mut slices = self.slices.get(underlying).cloned().unwrap_or_default();
        let since = self.market_date.unwrap_or(Date(market_date.0.saturating_sub(1)));
        let mut due: Vec<&CorporateActionRow> = actions
            .iter()
            .filter(|a| a.underlying == underlying && a.effective_date > since && a.effective_date <= market_date)
            .collect();
        due.sort_by_key(|action| action.effective_date);
        for slice in &mut slices {
            for action in &due {
                match action.kind.as_str() {
                    "split" => slice.forward /= action.ratio.unwrap_or(1.0),
                    _ => slice.forward -= action.amount.unwrap_or(0.0),
                }
            }
        }
        slices.retain(|slice| slice.forward > 0.0);
        slices
    }
}

fn slices<T: ChunkReader + 'static>(file: T) -> Result<BTreeMap<String, Vec<PreviousSlice>>, InputError> {
    let unreadable =
        |error: &dyn std::fmt::Display| InputError::file(SLICES, format!("is no readable Parquet: {error}"));
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| unreadable(&error))?;
    for column in COLUMNS {
        if builder.schema().column_with_name(column).is_none() {
            return Err(InputError::file(SLICES, "is missing").at_column(column));
        }
    }
    let roots = (0..builder.parquet_schema().root_schema().get_fields().len()).filter(|i| {
        builder.parquet_schema().root_schema().get_fields().get(*i).is_some_and(|f| COLUMNS.contains(&f.name()))
    });
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let reader = builder.with_projection(mask).build().map_err(|error| unreadable(&error))?;
    let mut all: BTreeMap<String, Vec<PreviousSlice>> = BTreeMap::new();
    for batch in reader {
        let batch = batch.map_err(|error| unreadable(&error))?;
        read_batch(&batch, &mut all)?;
    }
    Ok(all)
}

fn read_batch(batch: &RecordBatch, all: &mut BTreeMap<String, Vec<PreviousSlice>>) -> Result<(), InputError> {
    let typed = |column: &str, kind: &DataType| {
        let array = batch.column_by_name(column).map(|array| cast(array, kind));
        array.and_then(Result::ok).ok_or_else(|| InputError::file(SLICES, kind).at_column(column))
    };
    let text = |column: &str| typed(column, &DataType::Utf8);
    let (underlying, root) = (text("underlying")?, text("root")?);
    let (deliverable, settlement) = (text("deliverable")?, text("settlement")?);
    let expiration = typed("expiration", &DataType::Date32)?;
    let number = |column: &str| typed(column, &DataType::Float64);
    let (years, forward, borrow) = (number("time_to_expiry")?, number("forward")?, number("borrow_rate")?);
    let carry = number("carry_rate")?;
    let lists = DataType::new_list(DataType::Float64, true);
    let (nodes, variances) = (typed("curve_log_moneyness", &lists)?, typed("curve_total_variance", &lists)?);
    let word = |array: &dyn Array, i: usize| {
        array.as_string_opt::<i32>().filter(|a| a.is_valid(i)).map(|a| a.value(i).to_owned())
    };
    let real = |array: &dyn Array, i: usize| {
        array.as_primitive_opt::<Float64Type>().filter(|a| a.is_valid(i)).map(|a| a.value(i))
    };
    let list = |array: &dyn Array, i: usize| -> Option<Vec<f64>> {
        let values = array.as_list_opt::<i32>().filter(|a| a.is_valid(i))?.value(i);
        let values = values.as_primitive_opt::<Float64Type>()?;
        (values.null_count() == 0).then(|| values.values().to_vec())
    };
    for i in 0..batch.num_rows() {
        let day = expiration.as_primitive_opt::<Date32Type>().filter(|a| a.is_valid(i)).map(|a| Date(a.value(i)));
        let (Some(name), Some(root), Some(deliverable), Some(day)) =
            (word(&underlying, i), word(&root, i), word(&deliverable, i), day)
        else {
            continue;
        };
        let settled = word(&settlement, i).as_deref().and_then(Settlement::parse);
        let (Some(settlement), Some(log_moneyness), Some(total_variance)) =
            (settled, list(&nodes, i), list(&variances, i))
        else {
            continue;
        };
        // A slice without forward or curve has nothing to carry.
        let (Some(years), Some(forward)) = (real(&years, i), real(&forward, i)) else { continue };
        let sane = !log_moneyness.is_empty()
            && log_moneyness.len() == total_variance.len()
            && log_moneyness.iter().chain(&total_variance).all(|v| v.is_finite())
            && log_moneyness.is_sorted_by(|a, b| a < b)
            && total_variance.iter().all(|w| *w >= 0.0)
            && years > 0.0
            && forward > 0.0;
        if sane && years.is_finite() && forward.is_finite() {
            all.entry(name).or_default().push(PreviousSlice {
                root,
                deliverable,
                expiration: day,
                settlement,
                time_to_expiry: years,
                forward,
                borrow_rate: real(&borrow, i).or(real(&carry, i)).filter(|rate| rate.is_finite()),
                log_moneyness,
                total_variance,
            });
        }
    }
    Ok(())
}
