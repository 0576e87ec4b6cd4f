//! The file system as whatever must survive a power cut sees it: few operations, each of which may fail.
//!
//! [`Disk`] is the real one. [`Simulated`] keeps everything in memory, counts every operation, fails or loses power at
//! a chosen one, and then forgets what no completed sync had made durable: bytes, new names and renames.

mod disk;
#[cfg(feature = "failpoints")]
mod failpoint;
mod simulated;

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

pub use disk::Disk;
pub use simulated::{Forget, Operation, Simulated, Step, Trouble};

/// A file system. Every operation is synchronous; what it changes is durable only after the sync that belongs to it.
pub trait Files: fmt::Debug + Send + Sync {
    /// Creates a folder; one that is there already is no error. Durable after [`Files::sync_folder`] of its parent.
    ///
    /// # Errors
    /// What the file system says.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Names in a folder, in any order.
    ///
    /// # Errors
    /// What the file system says; `NotFound` where there is no such folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Creates an empty file, replacing one of that name. Its name is durable after [`Files::sync_folder`].
    ///
    /// # Errors
    /// What the file system says.
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>>;

    /// Opens a file for reading from its beginning.
    ///
    /// # Errors
    /// What the file system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;

    /// Gives a file or a folder another name, replacing a file of that name. Durable after [`Files::sync_folder`].
    ///
    /// # Errors
    /// What the file system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the file system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// What the file system says.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Takes a lock that falls with its value or with the process; the file itself stays.
    ///
    /// # Errors
    /// `WouldBlock` where somebody else holds it; otherwise what the file system says.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Held>>;
}

/// A file being written from its beginning to its end.
pub trait NewFile: fmt::Debug + Send {
    /// Appends bytes; on an error some of them may have been appended.
    ///
    /// # Errors
    /// What the file system says.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything appended so far durable (`fdatasync`). After an error nothing may be assumed about it, and
    /// trying again proves nothing: the kernel may have dropped the pages it could not write.
    ///
    /// # Errors
    /// What the file system says.
    fn sync(&mut self) -> io::Result<()>;
}

/// A lock while it is held.
pub trait Held: fmt::Debug + Send {}
