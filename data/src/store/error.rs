//! Why a close cannot be had.

use closemark_pricing::series::Date;

use super::RunId;
use crate::date;
use crate::publication::PublishError;

/// Why a close cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nothing was ever published for the date, or nothing that counts.
    #[error("no close of {} counts", date::to_text(*date))]
    NoClose {
        /// The date.
        date: Date,
    },
    /// The date has no such run.
    #[error("{} has no run {run}", date::to_text(*date))]
    NoRun {
        /// The date.
        date: Date,
        /// The run.
        run: RunId,
    },
    /// The run has no such table.
    #[error("run {run} has no table {table}")]
    NoTable {
        /// The run.
        run: RunId,
        /// The table.
        table: String,
    },
    /// The run is not what its manifest says, or cannot be read.
    #[error("run {run} of {}: {detail}", date::to_text(*date))]
    Damaged {
        /// The date.
        date: Date,
        /// The run.
        run: RunId,
        /// What is wrong.
        detail: String,
    },
    /// The close alone is larger than the budget.
    #[error("a close of {needed} bytes does not fit into a budget of {budget}")]
    TooLarge {
        /// What it takes.
        needed: u64,
        /// What there is.
        budget: u64,
    },
    /// Closes that readers still hold fill the budget.
    #[error("closes in use hold {held} of {budget} bytes; {needed} more are wanted")]
    Busy {
        /// What the close takes.
        needed: u64,
        /// What readers hold.
        held: u64,
        /// What there is.
        budget: u64,
    },
    /// The date's own files cannot be read.
    #[error("{detail}")]
    Folder {
        /// What is wrong.
        detail: String,
    },
}

impl From<PublishError> for StoreError {
    fn from(error: PublishError) -> Self {
        Self::Folder { detail: error.to_string() }
    }
}
