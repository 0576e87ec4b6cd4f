//! `CURRENT`, read again only when it is another file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::RunId;
use super::error::StoreError;
use crate::publication::CURRENT;

/// One look in so many goes by the path.
const BY_PATH: u32 = 256;
/// Readings of a pointer that is replaced meanwhile.
const READS_MAX: u32 = 100;

/// A pointer as it was read.
///
/// The file is kept open: while it is, no other file can have its inode, and publication replaces the pointer by
/// renaming a new file over it. That takes a link from the old file and changes its time of change, so that the open
/// file itself says whether it still counts, which costs a fraction of a walk along the path. Only a folder that is
/// moved away as a whole leaves the file as it was; a look by the path now and then notices that too.
pub(crate) struct Pointer {
    open: File,
    identity: Identity,
    run: RunId,
    looks: AtomicU32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    links: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            links: metadata.nlink(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Pointer {
    /// Reads the pointer of a date's folder; `None` where there is none.
    pub(crate) fn read(date_folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = date_folder.join(CURRENT);
        let failed = |error: io::Error| StoreError::Folder { detail: format!("{}: {error}", path.display()) };
        for _ in 0..READS_MAX {
            let mut open = match File::open(&path) {
                Ok(open) => open,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failed(error)),
            };
            let identity = Identity::of(&open.metadata().map_err(failed)?);
            let mut text = String::new();
            Read::by_ref(&mut open).take(64).read_to_string(&mut text).map_err(failed)?;
            // A publisher that came between has left the open file as it will stay: only the path tells.
            match fs::metadata(&path) {
                Ok(now) if Identity::of(&now) == identity => {}
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            }
            let run = RunId::parse(text.trim_end())
                .ok_or_else(|| StoreError::Folder { detail: format!("{}: names no run", path.display()) })?;
            return Ok(Some(Self { open, identity, run, looks: AtomicU32::new(1) }));
        }
        Err(StoreError::Folder { detail: format!("{}: replaced each time it was read", path.display()) })
    }

    /// The run, where the file is still the one that was read. `date_folder` is asked for where the path is looked at.
    pub(crate) fn run_if_unchanged<E>(
        &self,
        date_folder: impl FnOnce() -> Result<std::path::PathBuf, E>,
    ) -> Option<RunId> {
        let now = if self.looks.fetch_add(1, Ordering::Relaxed).is_multiple_of(BY_PATH) {
            fs::metadata(date_folder().ok()?.join(CURRENT)).ok()?
        } else {
            self.open.metadata().ok()?
        };
        (Identity::of(&now) == self.identity).then_some(self.run)
    }

    /// The run that was read.
    pub(crate) fn run(&self) -> RunId {
        self.run
    }
}
