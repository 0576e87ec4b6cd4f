//! A day in: the input folder, read and written.
//!
//! [`read_day`] takes a folder of DESIGN section 2 and gives a [`Day`]. A fault of the day as a whole is an
//! [`InputError`]; a fault of a row or a series is a row of [`Day::exceptions`] and the day goes on.

mod assemble;
mod columns;
mod contradictions;
mod deliverable;
mod error;
pub mod exceptions;
mod header;
mod logged;
pub(crate) mod number;
mod previous;
mod quotes;
mod quotes_csv;
mod quotes_parquet;
mod records;
mod reference_files;
mod rows;
mod select;
mod source;
pub(crate) mod symbols;
mod table;
mod terms;
mod write;

pub use error::InputError;
pub(crate) use error::shown;
pub(crate) use logged::{LoggedDay, assemble_logged, check_reference};
pub use rows::{CorporateActionRow, DayFiles, DividendRow, QuoteRow, RateRow, SeriesRow, UnderlyingRow};
pub use source::{Embedded, Folder, InputSource, SourceFile};
pub(crate) use write::reference_text;
pub use write::{QuoteWriter, WriteError, write_day, write_day_without_quotes};

use crate::day::Day;
use crate::reference::VenueTable;

/// Choices of the command line that change what is read. Both are settings of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadOptions {
    /// One zero rate for all times instead of `rates.csv`; continuously compounded, fraction per year.
    pub flat_rate: Option<f64>,
    /// The only underlyings to be closed.
    pub only: Option<Vec<String>>,
}

/// Reads, checks and digests an input folder.
///
/// [`Day::curve`] stays empty where the folder has no rates and no flat rate is given: it is then implied from the
/// day's European classes, and until then each underlying carries a curve of zero rate.
///
/// # Errors
/// [`InputError`] for what stops a whole day: a missing or unreadable file, a missing or mistyped column, a bad
/// `day.toml`, a snapshot on a closed day, an underlying that stands twice. Whatever the bytes, nothing panics.
pub fn read_day(source: &dyn InputSource, options: &ReadOptions) -> Result<Day, InputError> {
    let header = header::Header::read(source)?;
    let venues = VenueTable::on(header.market_date)?;
    let mut faults = Vec::new();
    let reference = reference_files::ReferenceRows::read(source, &mut faults)?;
    let previous = previous::Previous::read(source)?;
    let quotes = quotes::QuoteRows::read(source, &venues)?;
    assemble::assemble(assemble::DayRows { header, venues, reference, quotes, previous, faults }, options)
}
