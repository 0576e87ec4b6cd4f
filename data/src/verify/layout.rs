//! Whether a Parquet file is what its description says: columns, types, order declared, pages indexed.

use std::fs::File;
use std::path::Path;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use rayon::prelude::*;

use super::error::VerifyError;
use super::report::{Kind, Violation};
use crate::publication::ROW_GROUP_ROWS;
use crate::publication::schema::Table;

/// An opened table.
pub(super) struct Opened {
    path: std::path::PathBuf,
    metadata: ArrowReaderMetadata,
    /// Whether every column is there with its type, so that rows can be read.
    pub(super) readable: bool,
}

/// Opens a table of a run and compares its form with its description.
pub(super) fn open(folder: &Path, table: &Table) -> Result<(Opened, Vec<Violation>), VerifyError> {
    let path = folder.join(table.file);
    let file = File::open(&path).map_err(|e| unreadable(&path, &e))?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| unreadable(&path, &e))?;
    let mut found = Vec::new();
    let mut wrong = |subject: &str, detail: String| {
        found.push(Violation::new(table.file, Kind::Schema, subject, detail));
    };
    let (expected, actual) = (table.arrow_schema(), metadata.schema().clone());
    let mut readable = true;
    for (place, field) in expected.fields().iter().enumerate() {
        match actual.index_of(field.name()) {
            Ok(at) => {
                let other = actual.field(at);
                if at != place {
                    wrong(field.name(), format!("is column {at}, should be {place}"));
                }
                if other.data_type() != field.data_type() {
                    wrong(field.name(), format!("has type {}, should have {}", other.data_type(), field.data_type()));
                    readable = false;
                }
                if other.is_nullable() && !field.is_nullable() {
                    wrong(field.name(), "may be null and should not".to_owned());
                }
            }
            Err(_) => {
                wrong(field.name(), "is missing".to_owned());
                readable = false;
            }
        }
    }
    for field in actual.fields().iter().filter(|f| expected.index_of(f.name()).is_err()) {
        wrong(field.name(), "is not a published column".to_owned());
    }
    form(&metadata, table, &mut wrong);
    Ok((Opened { path, metadata, readable }, found))
}

fn form(metadata: &ArrowReaderMetadata, table: &Table, wrong: &mut dyn FnMut(&str, String)) {
    let sorted: Vec<i32> = table.sorted_by.iter().filter_map(|n| table.index_of(n)).map(|i| i as i32).collect();
    for (group, meta) in metadata.metadata().row_groups().iter().enumerate() {
        let name = format!("row group {group}");
        if usize::try_from(meta.num_rows()).is_ok_and(|n| n > ROW_GROUP_ROWS) {
            wrong(&name, format!("has {} rows", meta.num_rows()));
        }
        let declared: Vec<i32> = meta
            .sorting_columns()
            .map(|s| s.iter().filter(|c| !c.descending).map(|c| c.column_idx).collect())
            .unwrap_or_default();
        if declared != sorted {
            wrong(&name, "does not declare its order".to_owned());
        }
        for chunk in meta.columns() {
            let column = chunk.column_path().string();
            if !matches!(chunk.compression(), Compression::ZSTD(_)) {
                wrong(&column, format!("is compressed by {}", chunk.compression()));
            }
            if chunk.offset_index_offset().is_none() {
                wrong(&column, "has no page index".to_owned());
            }
            if table.bloom_filters.contains(&column.as_str()) && chunk.bloom_filter_offset().is_none() {
                wrong(&column, "has no bloom filter".to_owned());
            }
        }
    }
}

impl Opened {
    /// Maps every row group, in parallel, in the file's order; each comes as one batch.
    pub(super) fn map<T: Send>(
        &self,
        work: impl Fn(&RecordBatch) -> Result<T, VerifyError> + Sync,
    ) -> Result<Vec<T>, VerifyError> {
        (0..self.metadata.metadata().num_row_groups())
            .into_par_iter()
            .map(|group| {
                let file = File::open(&self.path).map_err(|e| unreadable(&self.path, &e))?;
                let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                    .with_row_groups(vec![group])
                    .with_batch_size(ROW_GROUP_ROWS)
                    .build()
                    .map_err(|e| unreadable(&self.path, &e))?;
                let mut parts = Vec::new();
                for batch in reader {
                    parts.push(work(&batch.map_err(|e| unreadable(&self.path, &e))?)?);
                }
                Ok(parts)
            })
            .collect::<Result<Vec<Vec<T>>, VerifyError>>()
            .map(|groups| groups.into_iter().flatten().collect())
    }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> VerifyError {
    VerifyError::Unreadable { path: path.to_owned(), detail: error.to_string() }
}
