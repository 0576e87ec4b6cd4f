//! Writes an input folder: what the generator and the importers make, and what the reader takes.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use closemark_pricing::price::Price;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::columns;
use super::rows::{CorporateActionRow, DayFiles, DividendRow, QuoteRow, RateRow, SeriesRow, UnderlyingRow};
use crate::date;
use crate::time;

/// Why a folder could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Arrow refused the columns.
    #[error("quotes: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Parquet refused the columns.
    #[error("quotes: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// CSV refused a record.
    #[error("csv: {0}")]
    Csv(#[from] csv::Error),
}

/// Writes a whole input folder, creating it where it is missing.
///
/// Each file is written beside its name and then renamed; `day.toml` comes last and an earlier one goes first, so
/// that a reader meets a whole folder or one without `day.toml`, which it refuses.
///
/// # Errors
/// See [`WriteError`].
pub fn write_day(dir: &Path, day: &DayFiles) -> Result<(), WriteError> {
    fs::create_dir_all(dir).map_err(|source| io_error(dir, source))?;
    let head = dir.join("day.toml");
    if head.exists() {
        fs::remove_file(&head).map_err(|source| io_error(&head, source))?;
    }
    let mut quotes = QuoteWriter::create(&dir.join("quotes.parquet"))?;
    for rows in day.quotes.chunks(QuoteWriter::BATCH_ROWS) {
        quotes.write(rows)?;
    }
    quotes.finish()?;
    write_reference(dir, day)?;
    replace(&head, day_toml(day).as_bytes())
}

/// Writes every file of a folder but its quotes, `day.toml` last; for folders whose quotes come in parts.
///
/// # Errors
/// See [`WriteError`].
pub fn write_day_without_quotes(dir: &Path, day: &DayFiles) -> Result<(), WriteError> {
    fs::create_dir_all(dir).map_err(|source| io_error(dir, source))?;
    write_reference(dir, day)?;
    replace(&dir.join("day.toml"), day_toml(day).as_bytes())
}

fn write_reference(dir: &Path, day: &DayFiles) -> Result<(), WriteError> {
    csv_file(dir, "underlyings.csv", columns::UNDERLYINGS, day.underlyings.iter().map(underlying_fields), true)?;
    csv_file(dir, "series.csv", columns::SERIES, day.series.iter().map(series_fields), false)?;
    csv_file(dir, "dividends.csv", columns::DIVIDENDS, day.dividends.iter().map(dividend_fields), false)?;
    csv_file(dir, "rates.csv", columns::RATES, day.rates.iter().map(rate_fields), false)?;
    csv_file(
        dir,
        "corporate_actions.csv",
        columns::CORPORATE_ACTIONS,
        day.corporate_actions.iter().map(action_fields),
        false,
    )
}

fn day_toml(day: &DayFiles) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut text = format!("market_date = {}\n", quoted(&date::to_text(day.market_date)));
    text += &format!("snapshot = {}\n", quoted(&day.snapshot));
    let calendar = if day.calendar.is_empty() { "us" } else { &day.calendar };
    text += &format!("calendar = {}\n", quoted(calendar));
    if !day.snapshots.is_empty() {
        text += "\n[snapshots]\n";
        for (root, snapshot) in &day.snapshots {
            text += &format!("{} = {}\n", quoted(root), quoted(snapshot));
        }
    }
    if let Some(settings) = &day.settings_toml {
        text += "\n";
        text += settings;
        text += "\n";
    }
    text
}

fn csv_file(
    dir: &Path,
    name: &str,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
    always: bool,
) -> Result<(), WriteError> {
    let mut rows = rows.peekable();
    let path = dir.join(name);
    if rows.peek().is_none() && !always {
        // A file of an earlier writing would be read as this day's.
        return match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(io_error(&path, source)),
            _ => Ok(()),
        };
    }
    replace(&path, &csv_text(name, header, rows)?)
}

fn csv_text(name: &str, header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<Vec<u8>, WriteError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(&row)?;
    }
    writer.into_inner().map_err(|error| io_error(Path::new(name), error.into_error()))
}

/// The texts of a folder's reference files, for records that come another way; empty without rows.
pub(crate) mod reference_text {
    use super::{
        CorporateActionRow, DividendRow, RateRow, SeriesRow, UnderlyingRow, WriteError, action_fields, columns,
        csv_text, dividend_fields, rate_fields, series_fields, underlying_fields,
    };

    fn table<T>(name: &str, header: &[&str], rows: &[T], fields: fn(&T) -> Vec<String>) -> Result<Vec<u8>, WriteError> {
        if rows.is_empty() { Ok(Vec::new()) } else { csv_text(name, header, rows.iter().map(fields)) }
    }

    pub(crate) fn underlyings(rows: &[UnderlyingRow]) -> Result<Vec<u8>, WriteError> {
        table("underlyings.csv", columns::UNDERLYINGS, rows, underlying_fields)
    }

    pub(crate) fn series(rows: &[SeriesRow]) -> Result<Vec<u8>, WriteError> {
        table("series.csv", columns::SERIES, rows, series_fields)
    }

    pub(crate) fn dividends(rows: &[DividendRow]) -> Result<Vec<u8>, WriteError> {
        table("dividends.csv", columns::DIVIDENDS, rows, dividend_fields)
    }

    pub(crate) fn rates(rows: &[RateRow]) -> Result<Vec<u8>, WriteError> {
        table("rates.csv", columns::RATES, rows, rate_fields)
    }

    pub(crate) fn corporate_actions(rows: &[CorporateActionRow]) -> Result<Vec<u8>, WriteError> {
        table("corporate_actions.csv", columns::CORPORATE_ACTIONS, rows, action_fields)
    }
}

fn text<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map(show).unwrap_or_default()
}

fn underlying_fields(row: &UnderlyingRow) -> Vec<String> {
    vec![
        row.underlying.clone(),
        text(row.price, |p| p.to_string()),
        text(row.price_time, time::to_utc_text),
        row.halted.to_string(),
        text(row.margin_group, |g| g.to_string()),
        text(row.leverage, |l| l.to_string()),
        text(row.settlement_price, |p| p.to_string()),
    ]
}

fn series_fields(row: &SeriesRow) -> Vec<String> {
    vec![
        row.osi_symbol.clone(),
        row.underlying.clone().unwrap_or_default(),
        text(row.expiration, date::to_text),
        text(row.expiration_time, time::to_utc_text),
        text(row.strike, |p| p.to_string()),
        text(row.option_type, |t| t.to_string()),
        text(row.exercise_style, |s| s.to_string()),
        text(row.settlement, |s| s.to_string()),
        text(row.multiplier, |m| m.to_string()),
        row.currency.clone().unwrap_or_default(),
        row.deliverable.clone().unwrap_or_default(),
        row.expected.to_string(),
    ]
}

fn dividend_fields(row: &DividendRow) -> Vec<String> {
    let amount = text(row.amount, |a| a.to_string());
    vec![row.underlying.clone(), text(row.ex_date, date::to_text), amount, row.status.clone()]
}

fn rate_fields(row: &RateRow) -> Vec<String> {
    vec![row.tenor_days.to_string(), row.zero_rate.to_string()]
}

fn action_fields(row: &CorporateActionRow) -> Vec<String> {
    vec![
        row.underlying.clone(),
        date::to_text(row.effective_date),
        row.kind.clone(),
        text(row.ratio, |r| r.to_string()),
        text(row.amount, |a| a.to_string()),
    ]
}

fn io_error(path: &Path, source: std::io::Error) -> WriteError {
    WriteError::Io { path: path.to_owned(), source }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let partial = beside(path);
    let mut file = File::create(&partial).map_err(|source| io_error(&partial, source))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|source| io_error(&partial, source))?;
    fs::rename(&partial, path).map_err(|source| io_error(path, source))
}

/// Writes one Parquet file of quotes, batch by batch.
pub struct QuoteWriter {
    path: PathBuf,
    writer: ArrowWriter<File>,
    schema: Arc<Schema>,
}

impl QuoteWriter {
    /// Rows handed to Parquet at a time.
    pub const BATCH_ROWS: usize = 65_536;

    /// Begins a file; it appears under its name with [`Self::finish`].
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let time = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let schema = Arc::new(Schema::new(vec![
            Field::new("osi_symbol", DataType::Utf8, false),
            Field::new("venue", DataType::Utf8, false),
            Field::new("bid", DataType::Decimal128(18, 6), true),
            Field::new("bid_size", DataType::UInt32, true),
            Field::new("ask", DataType::Decimal128(18, 6), true),
            Field::new("ask_size", DataType::UInt32, true),
            Field::new("quote_time", time, true),
            Field::new("sequence", DataType::UInt64, true),
        ]));
        // Times differ from row to row: a dictionary of them costs more than their differences.
        let delta = |builder: parquet::file::properties::WriterPropertiesBuilder, name: &str| {
            builder
                .set_column_dictionary_enabled(ColumnPath::from(name), false)
                .set_column_encoding(ColumnPath::from(name), Encoding::DELTA_BINARY_PACKED)
        };
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_max_row_group_row_count(Some(1 << 20));
        properties = delta(properties, "quote_time");
        properties = delta(properties, "sequence");
        let partial = beside(path);
        let file = File::create(&partial).map_err(|source| io_error(&partial, source))?;
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties.build()))?;
        Ok(Self { path: path.to_owned(), writer, schema })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write(&mut self, rows: &[QuoteRow]) -> Result<(), WriteError> {
        let prices = |side: fn(&QuoteRow) -> Option<Price>| -> Result<ArrayRef, WriteError> {
            let column: Decimal128Array = rows.iter().map(|row| side(row).map(|p| i128::from(p.micros()))).collect();
            Ok(Arc::new(column.with_precision_and_scale(18, 6)?))
        };
        let times: TimestampNanosecondArray = rows.iter().map(|row| row.quote_time.map(|t| t.0)).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.osi_symbol))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.venue))),
            prices(|row| row.bid)?,
            Arc::new(rows.iter().map(|row| row.bid_size).collect::<UInt32Array>()),
            prices(|row| row.ask)?,
            Arc::new(rows.iter().map(|row| row.ask_size).collect::<UInt32Array>()),
            Arc::new(times.with_timezone("UTC")),
            Arc::new(rows.iter().map(|row| row.sequence).collect::<UInt64Array>()),
        ];
        self.writer.write(&RecordBatch::try_new(self.schema.clone(), columns)?)?;
        Ok(())
    }

    /// Ends the file and gives it its name.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn finish(self) -> Result<(), WriteError> {
        let partial = beside(&self.path);
        let file = self.writer.into_inner()?;
        file.sync_all().map_err(|source| io_error(&partial, source))?;
        fs::rename(&partial, &self.path).map_err(|source| io_error(&self.path, source))
    }
}
