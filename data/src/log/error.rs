//! What can go wrong with the log.

use std::io;
use std::path::{Path, PathBuf};

/// The log itself is in trouble.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The file system refused. Nothing acknowledged is lost.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said; `StorageFull` and `ReadOnlyFilesystem` are worth telling apart.
        source: io::Error,
    },
    /// A file is not what was written. It is left as it is, for a person to look at.
    #[error("{}: damaged at byte {offset}: {detail}", path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where the first frame that does not hold begins.
        offset: u64,
        /// What is wrong there.
        detail: String,
    },
    /// An earlier write or sync failed; the log takes nothing in until it is opened again.
    #[error("the log refuses to write until it is opened again: {because}")]
    Refusing {
        /// The failure.
        because: String,
    },
    /// Another process writes this log.
    #[error("{}: another process writes this log", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A market date that no folder can be named by.
    #[error("market date {days} days after 1970-01-01 is no date that a folder can be named by")]
    Date {
        /// Days since 1970-01-01.
        days: i32,
    },
}

impl LogError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Whether writing or syncing failed, so that nobody knows what the device has. What failed while reading says
    /// nothing of what was written.
    pub(super) fn is_of_writing(&self) -> bool {
        match self {
            Self::Io { action, .. } => !["open", "read", "list"].contains(action),
            Self::Damaged { .. } | Self::Locked { .. } | Self::Date { .. } => false,
            Self::Refusing { .. } => true,
        }
    }

    pub(super) fn damaged(path: &Path, offset: u64, detail: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), offset, detail: detail.to_string() }
    }
}

/// Why a batch or an update was not appended; nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A producer's sequence jumped.
    #[error("producer {producer_id}: sequence {given} where {expected} is expected")]
    Gap {
        /// The producer.
        producer_id: String,
        /// The sequence that comes next.
        expected: u64,
        /// The sequence given.
        given: u64,
    },
    /// A sequence that was taken before came back with other quotes; nothing of it is taken.
    #[error("producer {producer_id}: sequence {sequence} was taken before, with other quotes")]
    SequenceReused {
        /// The producer.
        producer_id: String,
        /// The sequence.
        sequence: u64,
    },
    /// Too much waits for a commit; commit, then try again.
    #[error("{pending_bytes} bytes wait for a commit, {limit} may")]
    Full {
        /// Bytes that wait.
        pending_bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The market date has as many producers, or reference updates, as it may have.
    #[error("the market date has {limit} {what} already")]
    TooMany {
        /// `producers` or `reference updates`.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A request id came back with other content.
    #[error("request {request_id} was version {version} with other content")]
    RequestConflict {
        /// The request.
        request_id: String,
        /// The version that it made.
        version: u64,
    },
    /// The log is in trouble.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Why a batch or an update cannot be put into the log's form at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A producer or request id that is empty, longer than [`ID_BYTES_MAX`](super::ID_BYTES_MAX), or has other
    /// characters than visible ASCII.
    #[error("{what} {given:?}: 1 to {limit} visible ASCII characters are allowed")]
    Id {
        /// `producer_id` or `request_id`.
        what: &'static str,
        /// What was given, cut.
        given: String,
        /// Longest id, bytes.
        limit: usize,
    },
    /// Sequences start at 1.
    #[error("sequence 0: sequences start at 1")]
    Sequence,
    /// Too many quotes in one batch.
    #[error("a batch has at most {limit} quotes")]
    Quotes {
        /// The limit.
        limit: usize,
    },
    /// A market date that no folder can be named by.
    #[error("market date {days} days after 1970-01-01 is no date that a folder can be named by")]
    Date {
        /// Days since 1970-01-01.
        days: i32,
    },
    /// An update is larger than its limit.
    #[error("the update has {bytes} bytes in its stored form, {limit} are allowed")]
    Bytes {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A reference record is of a form that no folder's file could have either.
    #[error("{0}")]
    Reference(crate::input::InputError),
}
