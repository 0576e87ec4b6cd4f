//! Why an import fails.

use std::fmt::Display;
use std::path::Path;

use crate::input::WriteError;
use crate::reference::ReferenceError;

/// Why an import fails: one line that names the file and what is the matter.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A source cannot be used.
    #[error("{place}: {problem}")]
    Source {
        /// File, with row and column where they are known, or argument.
        place: String,
        /// What is the matter and what is allowed.
        problem: String,
    },
    /// The folder cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The project's own tables are damaged.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

impl ImportError {
    pub(crate) fn of(place: impl Display, problem: impl Display) -> Self {
        Self::Source { place: place.to_string(), problem: problem.to_string().replace(['\n', '\r'], " ") }
    }

    pub(crate) fn file(path: &Path, problem: impl Display) -> Self {
        Self::of(path.display(), problem)
    }
}
