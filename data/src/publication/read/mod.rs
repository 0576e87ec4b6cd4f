//! Reading a published close, as `show`, the next day's close and the service do.

pub(crate) mod columns;
mod marks;
mod nightly;
mod restore;
pub(crate) mod risk_arrays;
mod slices;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use closemark_pricing::series::Date;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::statistics::Statistics;

use super::PublishError;
use super::folder::{current, date_folder, run_folder};
use super::integrity;
use super::manifest::Manifest;
use super::state::{DateState, RunState};
use crate::date::parse_dashed;
use crate::decoder;

pub use marks::{MarkRow, read_mark, read_marks};
pub use nightly::{NightlyRow, scan_marks};
pub use restore::{Restored, RestoredUnderlying, restore, restore_each};
pub use risk_arrays::{RiskArrayRow, read_risk_arrays};
pub use slices::{SliceRow, read_slices};

/// Why a published close cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// No close was published there.
    #[error("{}: {detail}", path.display())]
    Nothing {
        /// Where.
        path: PathBuf,
        /// What is missing.
        detail: String,
    },
    /// The file cannot be read.
    #[error("{}: {detail}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A column is missing or of another type.
    #[error("{file}: column {column} is missing or of another type")]
    Column {
        /// The file.
        file: &'static str,
        /// The column.
        column: String,
    },
    /// The date's own files.
    #[error(transparent)]
    Folder(#[from] PublishError),
}

/// A published run.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenRun {
    /// Its folder.
    pub folder: PathBuf,
    /// Its name.
    pub run_id: String,
    /// The day it closed.
    pub market_date: Date,
    /// What it is; `None` where `state.json` does not say.
    pub state: Option<RunState>,
    /// Its manifest.
    pub manifest: Manifest,
}

/// The dates under `out` with a folder, ascending.
///
/// # Errors
/// [`ReadError::Nothing`] where `out` cannot be listed.
pub fn dates(out: &Path) -> Result<Vec<Date>, ReadError> {
    let nothing = |error: std::io::Error| ReadError::Nothing { path: out.to_owned(), detail: error.to_string() };
    let mut dates = Vec::new();
    for entry in fs::read_dir(out).map_err(nothing)? {
        let name = entry.map_err(nothing)?.file_name();
        dates.extend(name.to_string_lossy().strip_prefix("date=").and_then(parse_dashed));
    }
    dates.sort_unstable();
    Ok(dates)
}

/// Opens the run that counts: of `date`, or of the latest date that has one.
///
/// # Errors
/// [`ReadError::Nothing`] where no close counts.
pub fn open_current(out: &Path, date: Option<Date>) -> Result<OpenRun, ReadError> {
    let candidates = match date {
        Some(date) => vec![date],
        None => dates(out)?,
    };
    for date in candidates.into_iter().rev() {
        let folder = date_folder(out, date)?;
        if let Some(run_id) = current(&folder)? {
            return open_run(&folder, &run_id, date);
        }
    }
    Err(ReadError::Nothing { path: out.to_owned(), detail: "no close is published here".to_owned() })
}

/// Opens one run of a date by name.
///
/// # Errors
/// [`ReadError::Nothing`] where there is no such run.
pub fn open_run(date_folder: &Path, run_id: &str, market_date: Date) -> Result<OpenRun, ReadError> {
    let folder = run_folder(date_folder, run_id)
        .filter(|f| f.is_dir())
        .ok_or_else(|| ReadError::Nothing { path: date_folder.to_owned(), detail: format!("no run {run_id:?}") })?;
    let manifest = integrity::manifest(&folder).map_err(|detail| ReadError::File { path: folder.clone(), detail })?;
    let state = DateState::read(date_folder)?.of(run_id);
    Ok(OpenRun { folder, run_id: run_id.to_owned(), market_date, state, manifest })
}

/// Takes a Parquet file batch by batch; with `underlying`, only the row groups that can hold it.
fn read_batches(
    path: &Path,
    underlying: Option<&str>,
    mut take: impl FnMut(&RecordBatch) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let failed = |detail: String| ReadError::File { path: path.to_owned(), detail };
    let read = decoder::caught(|| {
        for batch in reader(path, underlying)? {
            take(&batch.map_err(|error| failed(error.to_string()))?)?;
        }
        Ok(())
    });
    read.unwrap_or_else(|| Err(failed(decoder::GAVE_UP.to_owned())))
}

/// Opens a Parquet file; with `underlying`, only the row groups that can hold it.
fn reader(
    path: &Path,
    underlying: Option<&str>,
) -> Result<parquet::arrow::arrow_reader::ParquetRecordBatchReader, ReadError> {
    let failed = |detail: String| ReadError::File { path: path.to_owned(), detail };
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| failed(e.to_string()))?;
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone()).with_batch_size(8192);
    if let Some(underlying) = underlying {
        let groups = metadata.metadata().row_groups();
        let column = metadata.schema().index_of("underlying").ok();
        let may_hold = |group: usize| {
            let chunk = groups.get(group).zip(column).and_then(|(g, c)| g.columns().get(c));
            match chunk.and_then(|c| c.statistics()) {
                Some(Statistics::ByteArray(s)) => {
                    let below = s.min_bytes_opt().is_some_and(|min| underlying.as_bytes() < min);
                    let above = s.max_bytes_opt().is_some_and(|max| underlying.as_bytes() > max);
                    !(below || above)
                }
                _ => true,
            }
        };
        builder = builder.with_row_groups((0..groups.len()).filter(|g| may_hold(*g)).collect());
    }
    builder.build().map_err(|error| failed(error.to_string()))
}
