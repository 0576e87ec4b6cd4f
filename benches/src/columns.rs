//! Named columns of a Parquet file, as numbers or text.

use anyhow::{Context, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;

/// A file read whole.
pub struct Columns(Vec<RecordBatch>);

impl Columns {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it is no Parquet file.
    pub fn read(file: impl ChunkReader + 'static) -> Result<Self> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.build()?;
        Ok(Self(reader.collect::<Result<_, _>>()?))
    }

    /// A column of text; null is empty.
    ///
    /// # Errors
    /// Where the column is missing or is no text.
    pub fn text(&self, name: &str) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for batch in &self.0 {
            let array = cast(batch.column_by_name(name).with_context(|| name.to_owned())?, &DataType::Utf8)?;
            let texts = array.as_string_opt::<i32>().with_context(|| name.to_owned())?;
            all.extend(texts.iter().map(|text| text.unwrap_or_default().to_owned()));
        }
        Ok(all)
    }

    /// A column of numbers.
    ///
    /// # Errors
    /// Where the column is missing or is no number.
    pub fn numbers(&self, name: &str) -> Result<Vec<Option<f64>>> {
        let mut all = Vec::new();
        for batch in &self.0 {
            let array = cast(batch.column_by_name(name).with_context(|| name.to_owned())?, &DataType::Float64)?;
            let numbers = array.as_primitive_opt::<Float64Type>().with_context(|| name.to_owned())?;
            all.extend((0..numbers.len()).map(|i| numbers.is_valid(i).then(|| numbers.value(i))));
        }
        Ok(all)
    }
}
