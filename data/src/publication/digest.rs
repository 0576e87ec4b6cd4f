//! Files that know their own digest.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::error::PublishError;
use crate::files::{Files, NewFile};

/// The size and blake3 digest of a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileDigest {
    /// Bytes.
    pub size: u64,
    /// Hex digits of the 256-bit digest.
    pub blake3: String,
}

impl FileDigest {
    /// The digest of bytes in memory.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self { size: bytes.len() as u64, blake3: blake3::hash(bytes).to_hex().to_string() }
    }

    /// The digest of a file, read in pieces.
    ///
    /// # Errors
    /// What the file system says.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut hasher = blake3::Hasher::new();
        let mut size = 0_u64;
        let mut buffer = vec![0_u8; 1 << 20];
        loop {
            let n = file.read(&mut buffer)?;
            let Some(piece) = buffer.get(..n).filter(|p| !p.is_empty()) else { break };
            hasher.update(piece);
            size += n as u64;
        }
        Ok(Self { size, blake3: hasher.finalize().to_hex().to_string() })
    }
}

/// Bytes gathered before they are written.
const PIECE: usize = 1 << 18;

/// A file being written, with the digest of what went into it.
pub(crate) struct DigestingFile {
    path: PathBuf,
    file: Box<dyn NewFile>,
    gathered: Vec<u8>,
    hasher: blake3::Hasher,
    size: u64,
}

impl DigestingFile {
    pub(crate) fn create(files: &dyn Files, path: &Path) -> Result<Self, PublishError> {
        let file = files.create(path).map_err(PublishError::io("create", path))?;
        let (path, gathered) = (path.to_owned(), Vec::with_capacity(PIECE));
        Ok(Self { path, file, gathered, hasher: blake3::Hasher::new(), size: 0 })
    }

    /// Flushes, syncs to the device and gives the digest.
    pub(crate) fn finish(mut self) -> Result<FileDigest, PublishError> {
        self.flush().map_err(PublishError::io("write", &self.path))?;
        self.file.sync().map_err(PublishError::io("sync", &self.path))?;
        Ok(FileDigest { size: self.size, blake3: self.hasher.finalize().to_hex().to_string() })
    }
}

impl Write for DigestingFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.hasher.update(buf);
        self.size += buf.len() as u64;
        self.gathered.extend_from_slice(buf);
        if self.gathered.len() >= PIECE {
            self.flush()?;
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.gathered.is_empty() {
            self.file.append(&self.gathered)?;
            self.gathered.clear();
        }
        Ok(())
    }
}
