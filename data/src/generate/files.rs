//! The two files beside the day: `truth.parquet` and `faults.csv`.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::GenerateError;
use super::faults::Fault;

/// One row of `truth.parquet`.
#[derive(Clone, Debug, PartialEq)]
pub struct TruthRow {
    /// OSI symbol.
    pub osi_symbol: String,
    /// Price per share; null where no model gave one.
    pub true_price: Option<f64>,
    /// Volatility under the series' own model; null at expiry and where the value does not determine one.
    pub true_volatility: Option<f64>,
    /// Forward per share of the deliverable.
    pub true_forward: f64,
    /// The underlying's true price.
    pub spot: f64,
    /// Liquidity tier.
    pub tier: &'static str,
}

/// Writes `truth.parquet` batch by batch.
pub struct TruthWriter {
    writer: ArrowWriter<File>,
    schema: Arc<Schema>,
}

impl TruthWriter {
    /// Begins the file.
    ///
    /// # Errors
    /// See [`GenerateError`].
    pub fn create(path: &Path) -> Result<Self, GenerateError> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("osi_symbol", DataType::Utf8, false),
            Field::new("true_price", DataType::Float64, true),
            Field::new("true_volatility", DataType::Float64, true),
            Field::new("true_forward", DataType::Float64, false),
            Field::new("spot", DataType::Float64, false),
            Field::new("tier", DataType::Utf8, false),
        ]));
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?)).build();
        let file = File::create(path).map_err(|source| GenerateError::Io { path: path.to_owned(), source })?;
        Ok(Self { writer: ArrowWriter::try_new(file, schema.clone(), Some(properties))?, schema })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// See [`GenerateError`].
    pub fn write(&mut self, rows: &[TruthRow]) -> Result<(), GenerateError> {
        let numbers = |value: fn(&TruthRow) -> Option<f64>| -> ArrayRef {
            Arc::new(rows.iter().map(value).collect::<Float64Array>())
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.osi_symbol))),
            numbers(|row| row.true_price),
            numbers(|row| row.true_volatility),
            numbers(|row| Some(row.true_forward)),
            numbers(|row| Some(row.spot)),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.tier))),
        ];
        self.writer.write(&RecordBatch::try_new(self.schema.clone(), columns)?)?;
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// See [`GenerateError`].
    pub fn finish(self) -> Result<(), GenerateError> {
        self.writer.close()?;
        Ok(())
    }
}

/// Writes `faults.csv`: symbol (or underlying), venue, kind, detail.
pub struct LedgerWriter {
    writer: csv::Writer<File>,
}

impl LedgerWriter {
    /// Begins the file.
    ///
    /// # Errors
    /// See [`GenerateError`].
    pub fn create(path: &Path) -> Result<Self, GenerateError> {
        let mut writer = csv::Writer::from_path(path)?;
        writer.write_record(["osi_symbol", "venue", "kind", "detail"])?;
        Ok(Self { writer })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// See [`GenerateError`].
    pub fn write(&mut self, faults: &[Fault]) -> Result<(), GenerateError> {
        for fault in faults {
            self.writer.write_record([
                fault.target.as_str(),
                fault.venue.as_str(),
                fault.kind.as_str(),
                fault.detail.as_str(),
            ])?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`GenerateError::Csv`] where the last bytes cannot be written.
    pub fn finish(mut self) -> Result<(), GenerateError> {
        self.writer.flush().map_err(|error| GenerateError::Csv(error.into()))
    }
}
