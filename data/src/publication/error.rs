//! Why a close could not be published.

use std::io;
use std::path::{Path, PathBuf};

/// Why a close could not be published; nothing readers see has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The file system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another writer holds the date's lock.
    #[error("{}: another close of this date is being published", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The marks do not belong to the day.
    #[error("{underlying}: {found} marks for {expected} series")]
    Shape {
        /// The underlying, or a word for the whole day.
        underlying: String,
        /// Series of the day.
        expected: usize,
        /// Marks given.
        found: usize,
    },
    /// A row carries a value of another kind than its column.
    #[error("{file}: a row does not fit column {column}")]
    Cell {
        /// The file.
        file: &'static str,
        /// The column.
        column: String,
    },
    /// Arrow refused a batch.
    #[error("{file}: {source}")]
    Arrow {
        /// The file.
        file: &'static str,
        /// What Arrow said.
        source: arrow::error::ArrowError,
    },
    /// The Parquet writer refused.
    #[error("{file}: {source}")]
    Parquet {
        /// The file.
        file: &'static str,
        /// What Parquet said.
        source: parquet::errors::ParquetError,
    },
    /// An extra file has a name that a run folder does not allow.
    #[error("extra file {name:?}: only plain file names that the run does not use itself are allowed")]
    ExtraName {
        /// The name.
        name: String,
    },
    /// The run is there already and is not what it was published as.
    #[error("{}: published before and damaged since: {detail}", path.display())]
    Damaged {
        /// The run's folder.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// `state.json` cannot be read.
    #[error("{}: {detail}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The market date is outside the years 0 to 9999.
    #[error("market date {days} days after 1970-01-01 is no date that a folder can be named by")]
    Date {
        /// Days since 1970-01-01.
        days: i32,
    },
    /// A step was stopped by its observer (tests do).
    #[error("stopped at {step}")]
    Stopped {
        /// The step.
        step: &'static str,
    },
}

impl PublishError {
    /// Wraps an I/O error with what was tried on what.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
