//! Why there is nothing to verify.

use std::path::PathBuf;

/// Why a path cannot be verified at all; what is found in its files is a [`super::Violation`] instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The path is neither a date nor a run.
    #[error("{}: neither a folder date=YYYY-MM-DD with a CURRENT run nor a folder run=<id>", path.display())]
    NoRun {
        /// The path.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("{}: {detail}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}
