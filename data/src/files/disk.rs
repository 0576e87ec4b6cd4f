//! The real file system.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use super::{Files, Held, NewFile, Operation};

/// Runs one operation between its two failpoints, of which a build without the feature `failpoints` has none.
fn between<T>(operation: Operation, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    pass(operation, false);
    let done = act()?;
    pass(operation, true);
    Ok(done)
}

#[cfg(feature = "failpoints")]
use super::failpoint::pass;

#[cfg(not(feature = "failpoints"))]
fn pass(_: Operation, _: bool) {}

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        between(Operation::CreateFolder, || match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            other => other,
        })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            // A name that is no text is none of ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(DiskFile(between(Operation::Create, || File::create(path))?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        between(Operation::Rename, || fs::rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        between(Operation::Remove, || fs::remove_file(path))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        between(Operation::SyncFolder, || File::open(folder)?.sync_all())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Held>> {
        let file = File::options().create(true).append(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(DiskLock(file))),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[derive(Debug)]
struct DiskFile(File);

impl NewFile for DiskFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        between(Operation::Append, || self.0.write_all(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        between(Operation::Sync, || self.0.sync_data())
    }
}

#[derive(Debug)]
struct DiskLock(File);

impl Held for DiskLock {}

impl Drop for DiskLock {
    /// By name, because a process started in this moment may hold a copy of the open file for a while.
    fn drop(&mut self) {
        // A lock that cannot be released falls with the process.
        let _ = self.0.unlock();
    }
}
