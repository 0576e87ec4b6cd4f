//! A day in: the input folder, read and written.
//!
//! [`read_day`] takes a folder of DESIGN section 2 and gives a [`Day`]. A fault of the day as a whole is an
//! [`InputError`]; a fault of a row or a series is a row of [`Day::exceptions`] and the day goes on. [`DayStream`] is the
//! same day for whoever cannot hold it: its underlyings are made one at a time.

mod assemble;
mod columns;
mod contradictions;
mod deliverable;
mod error;
pub mod exceptions;
mod gather;
mod header;
mod logged;
pub(crate) mod number;
mod plan;
mod previous;
mod quotes;
mod quotes_csv;
mod quotes_parquet;
mod records;
mod reference_files;
mod rows;
mod scan;
mod select;
mod source;
mod spill;
mod stream;
pub(crate) mod symbols;
mod table;
mod terms;
mod write;

pub use error::InputError;
pub(crate) use error::shown;
pub(crate) use logged::{LoggedDay, assemble_logged, check_reference};
pub use rows::{CorporateActionRow, DayFiles, DividendRow, QuoteRow, RateRow, SeriesRow, UnderlyingRow};
pub use source::{Embedded, Folder, InputSource, SourceFile};
pub use spill::Resources;
pub use stream::{DayStream, PlannedUnderlying};
pub(crate) use write::reference_text;
pub use write::{QuoteWriter, WriteError, write_day, write_day_without_quotes};

use crate::day::Day;

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
    let resources = Resources { rows_held_max: usize::MAX, ..Resources::default() };
    stream::whole(stream::read_plan(source, options, &resources)?, &resources)
}
