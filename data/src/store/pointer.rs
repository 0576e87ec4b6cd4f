//! `CURRENT`, read again only when it is another file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::RunId;
use super::error::StoreError;
use crate::publication::CURRENT;

/// A pointer as it was read.
///
/// The file is kept open: while it is, no other file can have its inode, and publication replaces the pointer by
/// renaming a new file over it. The same inode with the same times is the same content, without reading it again.
pub(crate) struct Pointer {
    _open: File,
    identity: Identity,
    run: RunId,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Identity {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Pointer {
    /// Reads the pointer of a date's folder; `None` where there is none.
    pub(crate) fn read(date_folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = date_folder.join(CURRENT);
        let failed = |error: io::Error| StoreError::Folder { detail: format!("{}: {error}", path.display()) };
        let mut open = match File::open(&path) {
            Ok(open) => open,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let identity = Identity::of(&open.metadata().map_err(failed)?);
        let mut text = String::new();
        Read::by_ref(&mut open).take(64).read_to_string(&mut text).map_err(failed)?;
        let run = RunId::parse(text.trim_end())
            .ok_or_else(|| StoreError::Folder { detail: format!("{}: names no run", path.display()) })?;
        Ok(Some(Self { _open: open, identity, run }))
    }

    /// The run, where the file is still the one that was read.
    pub(crate) fn run_if_unchanged(&self, date_folder: &Path) -> Option<RunId> {
        let now = fs::metadata(date_folder.join(CURRENT)).ok()?;
        (Identity::of(&now) == self.identity).then_some(self.run)
    }

    /// The run that was read.
    pub(crate) fn run(&self) -> RunId {
        self.run
    }
}
