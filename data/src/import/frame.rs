//! Any CSV or Parquet file as named columns of text.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::error::ImportError;
use crate::decoder;

/// The wanted columns of a file; an absent value is empty text.
pub(crate) struct Frame {
    names: Vec<String>,
    columns: Vec<Vec<String>>,
}

impl Frame {
    /// Reads the columns of `names` that the file has; a name that it lacks is an error.
    pub(crate) fn read(path: &Path, names: &[&str]) -> Result<Self, ImportError> {
        let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        names.sort();
        names.dedup();
        let mut frame = Self { columns: vec![Vec::new(); names.len()], names };
        let is_parquet = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
        if is_parquet {
            let outcome = decoder::caught(|| frame.read_parquet(path));
            outcome.unwrap_or_else(|| Err(ImportError::file(path, decoder::GAVE_UP)))?;
        } else {
            frame.read_csv(path)?;
        }
        Ok(frame)
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// The text of a column's row; empty where the column was not asked for.
    pub(crate) fn get(&self, name: &str, row: usize) -> &str {
        let column = self.names.iter().position(|own| own == name).and_then(|at| self.columns.get(at));
        column.and_then(|column| column.get(row)).map_or("", String::as_str)
    }

    fn missing(path: &Path, name: &str, there: &[String]) -> ImportError {
        ImportError::file(path, format!("column `{name}` is missing; the file has {}", there.join(", ")))
    }

    fn read_csv(&mut self, path: &Path) -> Result<(), ImportError> {
        let unreadable = |error: csv::Error| ImportError::file(path, error);
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path).map_err(unreadable)?;
        let header: Vec<String> = reader
            .byte_headers()
            .map_err(unreadable)?
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim_start_matches('\u{feff}').trim().to_owned())
            .collect();
        let place =
            |name: &String| header.iter().position(|own| own == name).ok_or_else(|| Self::missing(path, name, &header));
        let places: Vec<usize> = self.names.iter().map(place).collect::<Result<_, _>>()?;
        for record in reader.byte_records() {
            let record = record.map_err(unreadable)?;
            for (column, place) in self.columns.iter_mut().zip(&places) {
                let field = record.get(*place).unwrap_or_default();
                column.push(String::from_utf8_lossy(field).trim().to_owned());
            }
        }
        Ok(())
    }

    fn read_parquet(&mut self, path: &Path) -> Result<(), ImportError> {
        let file = File::open(path).map_err(|error| ImportError::file(path, error))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| ImportError::file(path, error))?;
        let there: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
        if let Some(name) = self.names.iter().find(|name| !there.contains(name)) {
            return Err(Self::missing(path, name, &there));
        }
        let mask = ProjectionMask::columns(builder.parquet_schema(), self.names.iter().map(String::as_str));
        let reader = builder.with_projection(mask).build().map_err(|error| ImportError::file(path, error))?;
        for batch in reader {
            let batch = batch.map_err(|error| ImportError::file(path, error))?;
            for (name, column) in self.names.iter().zip(&mut self.columns) {
                let Some(array) = batch.column_by_name(name) else { continue };
                let texts = cast(array, &DataType::Utf8).map_err(|error| ImportError::file(path, error))?;
                let texts = texts.as_string_opt::<i32>().ok_or_else(|| ImportError::file(path, "no text"))?;
                column.extend(
                    (0..texts.len())
                        .map(|i| if texts.is_valid(i) { texts.value(i).trim().to_owned() } else { String::new() }),
                );
            }
        }
        Ok(())
    }
}
