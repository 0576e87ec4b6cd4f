//! A published close as the nightly files that brokers' systems read: prices and risk arrays, as CSV or FIXML.
//!
//! `docs/nightly-files.md` describes both field by field.

mod cells;
mod cfi;
mod csv_files;
mod fixml;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::date;
use crate::publication::read::{OpenRun, ReadError, RiskArrayRow, read_risk_arrays};

pub use csv_files::{PRICE_COLUMNS, RISK_COLUMNS};

/// The forms of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Comma-separated values, one header, one row a series.
    Csv,
    /// FIXML 5.0 SP2, one message a series.
    Fixml,
}

impl ExportFormat {
    /// `csv` or `fixml`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "csv" => Some(Self::Csv),
            "fixml" => Some(Self::Fixml),
            _ => None,
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Fixml => "xml",
        }
    }
}

/// What is to be written.
#[derive(Clone, Copy, Debug)]
pub struct ExportRequest<'a> {
    /// The run.
    pub run: &'a OpenRun,
    /// The form.
    pub format: ExportFormat,
    /// The folder.
    pub to: &'a Path,
}

/// One file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFile {
    /// Where.
    pub path: PathBuf,
    /// Series in it.
    pub rows: u64,
}

/// Why a close cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The close cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file cannot be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What a file's messages share.
struct Stamp {
    market_date: String,
    run_id: String,
}

/// Writes `closemark-<date>-prices.*` and, where the close has arrays, `closemark-<date>-risk-arrays.*`.
///
/// A file appears whole: it is written beside its name and renamed. The same close gives the same bytes.
///
/// # Errors
/// See [`ExportError`].
pub fn export(request: &ExportRequest<'_>) -> Result<Vec<ExportedFile>, ExportError> {
    fs::create_dir_all(request.to).map_err(|source| ExportError::Write { path: request.to.to_owned(), source })?;
    let stamp = Stamp { market_date: date::to_text(request.run.market_date), run_id: request.run.run_id.clone() };
    let folder = &request.run.folder;
    let prices = write(request, &stamp, "prices", |out| match request.format {
        ExportFormat::Csv => csv_files::prices(folder, &stamp, out),
        ExportFormat::Fixml => fixml::prices(folder, &stamp, out),
    })?;
    let mut files = vec![prices];
    let arrays = match read_risk_arrays(folder, None) {
        Ok(arrays) => arrays,
        Err(ReadError::Nothing { .. }) => return Ok(files),
        Err(error) => return Err(error.into()),
    };
    let arrays: BTreeMap<&str, &RiskArrayRow> = arrays.iter().map(|row| (row.osi_symbol.as_str(), row)).collect();
    files.push(write(request, &stamp, "risk-arrays", |out| match request.format {
        ExportFormat::Csv => csv_files::risk_arrays(folder, &stamp, &arrays, out),
        ExportFormat::Fixml => fixml::risk_arrays(folder, &stamp, &arrays, out),
    })?);
    Ok(files)
}

fn write(
    request: &ExportRequest<'_>,
    stamp: &Stamp,
    kind: &str,
    body: impl FnOnce(&mut dyn Write) -> Result<u64, Trouble>,
) -> Result<ExportedFile, ExportError> {
    let name = format!("closemark-{}-{kind}.{}", stamp.market_date, request.format.extension());
    let (path, temporary) = (request.to.join(&name), request.to.join(format!(".tmp-{name}")));
    let failed = |source| ExportError::Write { path: path.clone(), source };
    let mut out = BufWriter::new(File::create(&temporary).map_err(failed)?);
    let written = body(&mut out).map_err(|trouble| match trouble {
        Trouble::Read(error) => ExportError::Read(error),
        Trouble::Write(source) => failed(source),
    });
    let finished = written.and_then(|rows| {
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(failed)?;
        fs::rename(&temporary, &path).map_err(failed)?;
        Ok(rows)
    });
    if finished.is_err() {
        // What cannot be removed is overwritten by the next try.
        let _ = fs::remove_file(&temporary);
    }
    Ok(ExportedFile { path: path.clone(), rows: finished? })
}

/// What stops a file.
enum Trouble {
    Read(ReadError),
    Write(io::Error),
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}
