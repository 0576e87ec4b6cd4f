//! Where an input folder's files come from: a folder on disk, or bytes embedded in the binary.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;

use bytes::Bytes;

/// A set of named files. Names are relative, with `/` between folder and file.
pub trait InputSource: Sync {
    /// Names of the files at the top, in any order.
    ///
    /// # Errors
    /// What the file system says.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Opens a file; `None` where there is none of that name.
    ///
    /// # Errors
    /// What the file system says, other than that the file is missing.
    fn open(&self, name: &str) -> io::Result<Option<SourceFile>>;
}

/// An opened file.
#[derive(Debug)]
pub enum SourceFile {
    /// On disk.
    File(File),
    /// In memory.
    Bytes(Bytes),
}

impl SourceFile {
    /// The file's bytes as a stream.
    pub fn into_read(self) -> Box<dyn Read> {
        match self {
            Self::File(file) => Box::new(file),
            Self::Bytes(bytes) => Box::new(Cursor::new(bytes)),
        }
    }
}

/// A folder on disk.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

impl InputSource for Folder {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Option<SourceFile>> {
        let path = self.0.join(name);
        match File::open(&path) {
            Ok(file) if file.metadata()?.is_dir() => Err(io::Error::other("it is a folder, not a file")),
            Ok(file) => Ok(Some(SourceFile::File(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Files in memory, such as the sample day embedded in the binary.
#[derive(Clone, Debug, Default)]
pub struct Embedded(pub Vec<(String, Bytes)>);

impl Embedded {
    /// A source over bytes of the binary itself.
    pub fn from_static(files: &[(&str, &'static [u8])]) -> Self {
        Self(files.iter().map(|(name, bytes)| ((*name).to_owned(), Bytes::from_static(bytes))).collect())
    }
}

impl InputSource for Embedded {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.iter().map(|(name, _)| name.clone()).collect())
    }

    fn open(&self, name: &str) -> io::Result<Option<SourceFile>> {
        Ok(self.0.iter().find(|(own, _)| own == name).map(|(_, bytes)| SourceFile::Bytes(bytes.clone())))
    }
}
