//! What is durable of a market date at one moment, and the day that it makes.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use closemark_pricing::series::Date;

use super::batch::{BatchReader, PayloadFault};
use super::error::LogError;
use super::frame::FrameKind;
use super::reference::{LoggedReference, ReferenceTexts};
use super::replay::{read_segment, replay};
use super::segment::{self, Head};
use crate::date;
use crate::day::Day;
use crate::files::Files;
use crate::input::{InputError, InputSource, LoggedDay, ReadOptions, assemble_logged};

/// Why a day could not be read from the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DayError {
    /// The log is in trouble.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What the log holds makes no day.
    #[error("{0}")]
    Input(InputError),
}

impl From<InputError> for DayError {
    fn from(error: InputError) -> Self {
        Self::Input(error)
    }
}

/// A durable prefix of a market date's log. Reading it needs no lock and no hold on the log.
#[derive(Clone, Debug)]
pub struct DaySnapshot {
    files: Arc<dyn Files>,
    folder: PathBuf,
    date: Date,
    /// Durable bytes of each segment, from number 1.
    segments: Vec<u64>,
    version: u64,
    quotes: bool,
}

/// A market date that the log has something of and has not open: to be read by whoever wants to know, not by the thread
/// that owns the log.
#[derive(Clone, Debug)]
pub struct ClosedDay {
    pub(super) files: Arc<dyn Files>,
    pub(super) folder: PathBuf,
    pub(super) date: Date,
}

impl ClosedDay {
    /// Replays the date's segments; changes nothing. Where the log opens the date meanwhile and writes to it, what is
    /// found may be more than is durable: ask [`QuoteLog::held`](super::QuoteLog::held) again, and believe it first.
    ///
    /// # Errors
    /// [`LogError`] where a file cannot be read or does not hold.
    pub fn read(&self) -> Result<DaySnapshot, LogError> {
        let replayed = replay(self.files.as_ref(), &self.folder, self.date)?;
        let version = replayed.requests.len() as u64;
        let quotes = !replayed.producers.is_empty();
        Ok(DaySnapshot::new(self.clone(), replayed.segments, version, quotes))
    }
}

/// A record as [`DaySnapshot::for_each`] shows it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Record<'a> {
    /// A batch of quotes.
    Batch(BatchReader<'a>),
    /// A reference update.
    Reference {
        /// The request's id.
        request_id: &'a str,
        /// The version that it made.
        version: u64,
    },
}

impl DaySnapshot {
    pub(super) fn new(day: ClosedDay, segments: Vec<u64>, version: u64, quotes: bool) -> Self {
        let ClosedDay { files, folder, date } = day;
        Self { files, folder, date, segments, version, quotes }
    }

    /// Whether any batch of quotes is there.
    pub fn has_quotes(&self) -> bool {
        self.quotes
    }

    /// The market date.
    pub fn market_date(&self) -> Date {
        self.date
    }

    /// The last version of the reference records, 0 before the first.
    pub fn reference_version(&self) -> u64 {
        self.version
    }

    /// Durable bytes.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().sum()
    }

    /// Shows every record in the order in which it was appended.
    ///
    /// # Errors
    /// [`LogError`] where the log cannot be read or does not hold.
    pub fn for_each(&self, mut show: impl FnMut(Record<'_>)) -> Result<(), LogError> {
        let mut version = 0;
        self.walk(&mut |logged| {
            match logged {
                Logged::Batch(batch) => show(Record::Batch(batch)),
                Logged::Reference(update) => {
                    version += 1;
                    show(Record::Reference { request_id: update.request_id, version });
                }
            }
            Ok(())
        })
    }

    /// The day that the records make, under a header of the form of `day.toml`: the same code, and the same bytes, as
    /// for a folder with the same content.
    ///
    /// `previous` is a source with the previous published close under `previous/`, as an input folder has it.
    ///
    /// # Errors
    /// [`DayError::Input`] for what would stop a folder's day; [`DayError::Log`] where the log does not hold.
    pub fn read_day(
        &self,
        day_toml: &str,
        previous: Option<&dyn InputSource>,
        options: &ReadOptions,
    ) -> Result<Day, DayError> {
        let mut day = LoggedDay::new(day_toml)?;
        if day.market_date() != self.date {
            let given = date::to_text(day.market_date());
            let fault = InputError::file("day.toml", format!("the log's date is {}", date::to_text(self.date)));
            return Err(fault.at_column("market_date").with_value(given).into());
        }
        let mut texts = ReferenceTexts::default();
        self.walk(&mut |logged| {
            match logged {
                Logged::Reference(update) => texts.replace(update.texts.map(|text| text.map(Bytes::copy_from_slice))),
                Logged::Batch(mut batch) => {
                    day.begin_batch();
                    while let Some(quote) = batch.next_quote()? {
                        day.push(&quote);
                    }
                }
            }
            Ok(())
        })?;
        Ok(assemble_logged(day, &texts.source(), previous, options)?)
    }

    fn walk(&self, show: &mut dyn FnMut(Logged<'_>) -> Result<(), PayloadFault>) -> Result<(), LogError> {
        let mut previous = [0; 32];
        for (place, bytes) in self.segments.iter().enumerate() {
            let number = place as u64 + 1;
            let path = self.folder.join(segment::name(number));
            let head = Head { date: self.date, number, previous };
            let end = read_segment(self.files.as_ref(), &path, head, Some(*bytes), &mut |frame| {
                let shown = match frame.kind {
                    FrameKind::Quotes => BatchReader::new(frame.payload).and_then(|batch| show(Logged::Batch(batch))),
                    FrameKind::Reference => LoggedReference::read(frame.payload)
                        .ok_or(PayloadFault { what: "the reference update", place: 0 })
                        .and_then(|update| show(Logged::Reference(update))),
                    _ => Ok(()),
                };
                shown.map_err(|fault| LogError::damaged(&path, frame.position, fault))
            })?;
            if let Some(fault) = end.fault {
                return Err(LogError::damaged(&path, fault.position, fault.what));
            }
            if end.bytes != *bytes {
                return Err(LogError::damaged(&path, end.bytes, "the file ends before what was durable"));
            }
            previous = end.seal.unwrap_or_default();
        }
        Ok(())
    }
}

enum Logged<'a> {
    Batch(BatchReader<'a>),
    Reference(LoggedReference<'a>),
}
