//! One published Parquet file: the same rows give the same bytes, whatever machine, time or number of threads.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;

use super::digest::{DigestingFile, FileDigest};
use super::error::PublishError;
use super::schema::{ColumnType, Table};
use super::table::{Cell, TableBuilder};
use crate::files::Files;

/// Rows of a row group.
pub const ROW_GROUP_ROWS: usize = 131_072;

/// What the files say about their maker: nothing of the host, nothing of the time.
const CREATED_BY: &str = concat!("closemark version ", env!("CARGO_PKG_VERSION"));

/// Writes rows of one table; a row group is encoded column by column in parallel as soon as it is full.
pub(crate) struct ParquetFile {
    table: &'static Table,
    schema: SchemaRef,
    rows: TableBuilder,
    written: u64,
    row_groups: usize,
    writer: SerializedFileWriter<DigestingFile>,
    columns: ArrowRowGroupWriterFactory,
}

impl ParquetFile {
    pub(crate) fn create(files: &dyn Files, folder: &Path, table: &'static Table) -> Result<Self, PublishError> {
        let file = DigestingFile::create(files, &folder.join(table.file))?;
        let schema = table.arrow_schema();
        let (writer, columns) = properties(table)
            .and_then(|p| ArrowWriter::try_new(file, schema.clone(), Some(p)))
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(failed(table))?;
        Ok(Self { table, schema, rows: TableBuilder::new(table), written: 0, row_groups: 0, writer, columns })
    }

    /// Appends one row.
    pub(crate) fn push(&mut self, cells: &[Cell<'_>]) -> Result<(), PublishError> {
        self.rows.push(cells)?;
        if self.rows.rows() >= ROW_GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), PublishError> {
        if self.rows.rows() == 0 {
            return Ok(());
        }
        self.written += self.rows.rows() as u64;
        let batch = self.rows.take()?;
        self.write_row_group(&batch).map_err(failed(self.table))
    }

    fn write_row_group(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        // One leaf a column: every published list is a list of plain values.
        let writers = self.columns.create_column_writers(self.row_groups)?;
        let chunks: Vec<_> = writers
            .into_par_iter()
            .zip(self.schema.fields().par_iter())
            .zip(batch.columns().par_iter())
            .map(|((mut writer, field), array)| {
                for leaf in compute_leaves(field, array)? {
                    writer.write(&leaf)?;
                }
                writer.close()
            })
            .collect();
        let mut group = self.writer.next_row_group()?;
        for chunk in chunks {
            chunk?.append_to_row_group(&mut group)?;
        }
        group.close()?;
        self.row_groups += 1;
        Ok(())
    }

    /// Writes what is left and makes the file durable.
    pub(crate) fn finish(mut self) -> Result<(FileDigest, u64), PublishError> {
        self.flush()?;
        let file = self.writer.into_inner().map_err(failed(self.table))?;
        Ok((file.finish()?, self.written))
    }
}

fn failed(table: &Table) -> impl FnOnce(ParquetError) -> PublishError {
    let file = table.file;
    move |source| PublishError::Parquet { file, source }
}

fn properties(table: &Table) -> Result<WriterProperties, ParquetError> {
    let sorting = table
        .sorted_by
        .iter()
        .filter_map(|name| table.index_of(name))
        .map(|i| SortingColumn { column_idx: i as i32, descending: false, nulls_first: true })
        .collect();
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorting))
        .set_dictionary_enabled(true);
    for column in table.columns {
        // Doubles hardly repeat: a dictionary would be built and thrown away.
        if matches!(column.kind, ColumnType::Number) {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(column.name), false);
        }
    }
    for name in table.bloom_filters {
        let path = ColumnPath::from(*name);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_fpp(path.clone(), 0.01)
            .set_column_bloom_filter_max_ndv(path, ROW_GROUP_ROWS as u64);
    }
    Ok(properties.build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Disk;
    use crate::publication::schema::EXCEPTIONS;

    fn write(folder: &Path, threads: usize) -> FileDigest {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut file = ParquetFile::create(&Disk, folder, &EXCEPTIONS).unwrap();
            for i in 0..1000 {
                let symbol = format!("S{i:05}");
                let mut row = vec![Cell::Null; EXCEPTIONS.columns.len()];
                row[0] = Cell::Text("series");
                row[5] = Cell::Text(&symbol);
                row[6] = Cell::Text("input");
                row[7] = Cell::Text("BAD_PRICE");
                file.push(&row).unwrap();
            }
            file.finish().unwrap().0
        })
    }

    #[test]
    fn bytes_do_not_depend_on_threads() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(write(a.path(), 1), write(b.path(), 4));
        let bytes = std::fs::read(a.path().join("exceptions.parquet")).unwrap();
        assert_eq!(bytes, std::fs::read(b.path().join("exceptions.parquet")).unwrap());
    }

    #[test]
    fn a_cell_of_another_kind_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = ParquetFile::create(&Disk, folder.path(), &EXCEPTIONS).unwrap();
        assert!(matches!(file.push(&[Cell::Null]), Err(PublishError::Cell { .. })));
        let row = vec![Cell::Flag(true); EXCEPTIONS.columns.len()];
        assert!(matches!(file.push(&row), Err(PublishError::Cell { column, .. }) if column == "scope"));
    }
}
