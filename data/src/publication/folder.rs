//! The folder of one date: its lock, its runs, its pointer; each change whole or not at all, and durable.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use closemark_pricing::series::Date;

use super::error::PublishError;
use super::run_id::is_run_id;
use crate::date;
use crate::files::{Disk, Files};

/// The pointer to the run that counts.
pub const CURRENT: &str = "CURRENT";
/// The lock that keeps two writers of a date apart.
const LOCK: &str = ".lock";
/// What unfinished folders and files begin with; no reader looks at them.
const TEMPORARY: &str = ".tmp-";

/// The folder of a date, `<out>/date=YYYY-MM-DD`.
///
/// # Errors
/// [`PublishError::Date`] for a date that no folder can be named by.
pub fn date_folder(out: &Path, date: Date) -> Result<PathBuf, PublishError> {
    let text = date::to_text_within(date).ok_or(PublishError::Date { days: date.0 })?;
    Ok(out.join(format!("date={text}")))
}

/// The folder of a run inside its date's; `None` where the text is no run id.
pub fn run_folder(date_folder: &Path, run_id: &str) -> Option<PathBuf> {
    is_run_id(run_id).then(|| date_folder.join(format!("run={run_id}")))
}

/// The run that CURRENT names; `None` where nothing was published FINAL.
///
/// # Errors
/// What the file system says; a pointer that names no run.
pub fn current(date_folder: &Path) -> Result<Option<String>, PublishError> {
    let path = date_folder.join(CURRENT);
    match fs::read_to_string(&path) {
        Ok(text) if is_run_id(text.trim_end()) => Ok(Some(text.trim_end().to_owned())),
        Ok(_) => Err(PublishError::State { path, detail: "names no run".to_owned() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PublishError::io("read", &path)(error)),
    }
}

/// A date's folder while this writer holds its lock.
///
/// The lock belongs to the open file, so that it falls with the process; the file itself stays.
pub(crate) struct LockedDate {
    files: Arc<dyn Files>,
    folder: PathBuf,
    lock: File,
}

impl Drop for LockedDate {
    /// Unlocks by name: a process started in this moment may hold a copy of the open file until it begins its own
    /// program, and closing alone would leave the date locked that long.
    fn drop(&mut self) {
        // A lock that cannot be released falls with the process.
        let _ = self.lock.unlock();
    }
}

impl LockedDate {
    pub(crate) fn lock(folder: &Path) -> Result<Self, PublishError> {
        Self::lock_on(Arc::new(Disk), folder)
    }

    /// The same, with everything that must be durable going through a file layer.
    pub(crate) fn lock_on(files: Arc<dyn Files>, folder: &Path) -> Result<Self, PublishError> {
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(PublishError::io("create", parent))?;
        }
        files.create_folder(folder).map_err(PublishError::io("create", folder))?;
        let path = folder.join(LOCK);
        let lock = File::options().create(true).append(true).open(&path).map_err(PublishError::io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PublishError::Locked { path }),
            Err(TryLockError::Error(error)) => return Err(PublishError::io("lock", &path)(error)),
        }
        let locked = Self { files, folder: folder.to_owned(), lock };
        locked.sweep()?;
        Ok(locked)
    }

    /// Removes what writers that died left behind. Under the lock nobody else's can be alive.
    fn sweep(&self) -> Result<(), PublishError> {
        let entries = fs::read_dir(&self.folder).map_err(PublishError::io("list", &self.folder))?;
        for entry in entries {
            let path = entry.map_err(PublishError::io("list", &self.folder))?.path();
            let left_over = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(TEMPORARY));
            if left_over && path.is_dir() {
                fs::remove_dir_all(&path).map_err(PublishError::io("remove", &path))?;
            } else if left_over {
                fs::remove_file(&path).map_err(PublishError::io("remove", &path))?;
            }
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// An empty folder that no reader looks at.
    pub(crate) fn temporary(&self, run_id: &str) -> Result<PathBuf, PublishError> {
        let path = self.folder.join(format!("{TEMPORARY}run={run_id}"));
        self.files.create_folder(&path).map_err(PublishError::io("create", &path))?;
        Ok(path)
    }

    /// Removes an unfinished folder; what cannot be removed now is swept by the next writer.
    pub(crate) fn discard(&self, temporary: &Path) {
        let _ = fs::remove_dir_all(temporary);
    }

    /// Gives a finished folder its name, durably.
    pub(crate) fn adopt(&self, temporary: &Path, run: &Path) -> Result<(), PublishError> {
        self.sync_folder(temporary)?;
        self.files.rename(temporary, run).map_err(PublishError::io("rename", run))?;
        self.sync()
    }

    /// Makes the date folder's own entries, and its entry in the folder above, durable.
    pub(crate) fn sync(&self) -> Result<(), PublishError> {
        self.sync_folder(&self.folder)?;
        match self.folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => self.sync_folder(parent),
            _ => Ok(()),
        }
    }

    /// Replaces a small file: readers see the old bytes or the new ones.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), PublishError> {
        let temporary = self.folder.join(format!("{TEMPORARY}{name}"));
        self.write_durably(&temporary, bytes)?;
        let path = self.folder.join(name);
        self.files.rename(&temporary, &path).map_err(PublishError::io("rename", &path))?;
        self.sync_folder(&self.folder)
    }

    /// The file layer.
    pub(crate) fn files(&self) -> &dyn Files {
        self.files.as_ref()
    }

    /// Writes a new file and syncs it.
    pub(crate) fn write_durably(&self, path: &Path, bytes: &[u8]) -> Result<(), PublishError> {
        let mut file = self.files.create(path).map_err(PublishError::io("create", path))?;
        file.append(bytes).map_err(PublishError::io("write", path))?;
        file.sync().map_err(PublishError::io("sync", path))
    }

    /// A rename or a new file is durable only after its folder is.
    fn sync_folder(&self, path: &Path) -> Result<(), PublishError> {
        self.files.sync_folder(path).map_err(PublishError::io("sync", path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_writers_are_kept_apart_and_a_stale_lock_is_no_obstacle() {
        let out = tempfile::tempdir().unwrap();
        let folder = date_folder(out.path(), Date(20_777)).unwrap();
        let first = LockedDate::lock(&folder).unwrap();
        assert!(matches!(LockedDate::lock(&folder), Err(PublishError::Locked { .. })));
        let left = first.temporary("0123456789abcdef").unwrap();
        drop(first);
        assert!(folder.join(LOCK).exists());
        let second = LockedDate::lock(&folder).unwrap();
        assert!(!left.exists());
        second.replace(CURRENT, b"0123456789abcdef\n").unwrap();
        assert_eq!(current(&folder).unwrap().as_deref(), Some("0123456789abcdef"));
    }

    #[test]
    fn a_pointer_out_of_the_folder_is_refused() {
        let out = tempfile::tempdir().unwrap();
        fs::write(out.path().join(CURRENT), "../../x\n").unwrap();
        assert!(current(out.path()).is_err());
        assert_eq!(run_folder(out.path(), "../x"), None);
    }
}
