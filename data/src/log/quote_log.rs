//! The whole log: one owner, many producers, one commit for all that waits.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use closemark_pricing::series::Date;

use super::batch::EncodedBatch;
use super::day_log::{DayLog, Taken};
use super::error::{AppendError, LogError};
use super::limits::LogLimits;
use super::reference::EncodedReference;
use super::snapshot::{ClosedDay, DaySnapshot};
use crate::date;
use crate::files::{Files, Held};

const LOCK: &str = ".lock";
const DATE: &str = "date=";

/// Stands for the commit that will make something durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is on stable storage already: a retry. Acknowledge at once.
    Durable {
        /// Highest durable sequence of this producer and market date.
        acknowledged_sequence: u64,
    },
    /// It will be durable once a commit gives this ticket or a later one. Acknowledge its sequence then, not before.
    Waiting(Ticket),
}

/// What became of a reference update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferencePut {
    /// The version that it made, from 1; the same for the same request.
    pub version: u64,
    /// When it will be durable; `None` where it is already.
    pub ticket: Option<Ticket>,
}

/// What the log has of a market date, as far as it knows without reading anything.
#[derive(Clone, Debug)]
pub enum HeldDay {
    /// Nothing.
    Nothing,
    /// The date is open: this is what is durable.
    Open(DaySnapshot),
    /// Something, to be read by whoever asks.
    Closed(ClosedDay),
}

/// What a commit made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Everything with this ticket or an earlier one is durable.
    pub ticket: Ticket,
    /// Bytes written.
    pub bytes: u64,
    /// Batches and updates among them.
    pub records: u64,
    /// Quotes among them.
    pub quotes: u64,
}

/// The append-only log of quotes and reference records. See the [module](super) for how to use it.
#[derive(Debug)]
pub struct QuoteLog {
    files: Arc<dyn Files>,
    root: PathBuf,
    limits: LogLimits,
    days: BTreeMap<Date, DayLog>,
    dates: Vec<Date>,
    next_commit: u64,
    uses: u64,
    refusing: Option<String>,
    _lock: Box<dyn Held>,
}

impl QuoteLog {
    /// Opens a log, creating its folder where it is missing, and replays the last market date in it. Other dates are
    /// replayed at their first use.
    ///
    /// # Errors
    /// [`LogError::Locked`] while another process has it open; [`LogError::Damaged`] naming file and byte;
    /// [`LogError::Io`].
    pub fn open(files: Arc<dyn Files>, root: &Path, limits: LogLimits) -> Result<Self, LogError> {
        files.create_folder(root).map_err(LogError::io("create", root))?;
        let lock_path = root.join(LOCK);
        let lock = match files.lock(&lock_path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(LogError::Locked { path: lock_path });
            }
            Err(error) => return Err(LogError::io("lock", &lock_path)(error)),
        };
        if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            files.sync_folder(parent).map_err(LogError::io("sync", parent))?;
        }
        let names = files.list(root).map_err(LogError::io("list", root))?;
        let mut dates: Vec<Date> =
            names.iter().filter_map(|name| date::parse_dashed(name.strip_prefix(DATE)?)).collect();
        dates.sort_unstable();
        let root = root.to_owned();
        let days = BTreeMap::new();
        let mut log = Self { files, root, limits, days, dates, next_commit: 1, uses: 0, refusing: None, _lock: lock };
        if let Some(last) = log.dates.last().copied() {
            log.day(last)?;
        }
        Ok(log)
    }

    /// Takes a batch in. It is in memory only until [`Self::commit`].
    ///
    /// # Errors
    /// [`AppendError::Gap`] for a sequence that jumps, with the expected one; [`AppendError::SequenceReused`] for one of
    /// the producer's last that comes back with other quotes; [`AppendError::Full`] where a commit must come first;
    /// [`AppendError::TooMany`]; [`AppendError::Log`] where the date cannot be opened, which concerns this call alone, or
    /// with [`LogError::Refusing`] after a failed write or sync. Nothing was taken in then.
    pub fn append(&mut self, batch: &EncodedBatch) -> Result<Appended, AppendError> {
        let limits = self.limits;
        let taken = self.take(batch.market_date, batch.bytes(), |day| day.append(batch, &limits))?;
        Ok(match taken {
            Taken::Durable(acknowledged_sequence) => Appended::Durable { acknowledged_sequence },
            Taken::Waiting(_) => Appended::Waiting(Ticket(self.next_commit)),
        })
    }

    /// Takes a reference update in. It is in memory only until [`Self::commit`].
    ///
    /// # Errors
    /// [`AppendError::RequestConflict`] where the request id stands for other content; otherwise as [`Self::append`].
    pub fn put_reference(&mut self, update: &EncodedReference) -> Result<ReferencePut, AppendError> {
        let limits = self.limits;
        let taken = self.take(update.market_date, update.payload.len(), |day| day.put_reference(update, &limits))?;
        Ok(match taken {
            Taken::Durable(version) => ReferencePut { version, ticket: None },
            Taken::Waiting(version) => ReferencePut { version, ticket: Some(Ticket(self.next_commit)) },
        })
    }

    /// Makes everything that waits durable: one write and one sync for each market date among it.
    ///
    /// # Errors
    /// [`LogError::Io`] where writing or syncing fails: nothing that waited may be acknowledged, and the log takes
    /// nothing more in until it is dropped and opened again. Whatever was acknowledged before stays.
    pub fn commit(&mut self) -> Result<Committed, LogError> {
        self.check()?;
        let mut committed = Committed { ticket: Ticket(self.next_commit), bytes: 0, records: 0, quotes: 0 };
        for day in self.days.values_mut() {
            match day.commit() {
                Ok((bytes, records, quotes)) => {
                    committed.bytes += bytes;
                    committed.records += records;
                    committed.quotes += quotes;
                }
                Err(error) => {
                    self.refusing = Some(error.to_string());
                    return Err(error);
                }
            }
        }
        self.next_commit += 1;
        Ok(committed)
    }

    /// Bytes that wait for a commit.
    pub fn pending_bytes(&self) -> usize {
        self.days.values().map(DayLog::pending_bytes).sum()
    }

    /// The sequence that a producer's next batch of a market date must have.
    ///
    /// # Errors
    /// [`LogError`] where the date has to be replayed and cannot.
    pub fn expected_sequence(&mut self, market_date: Date, producer_id: &str) -> Result<u64, LogError> {
        let day = self.day(market_date)?;
        Ok(day.producers.get(producer_id).map_or(1, |place| place.appended + 1))
    }

    /// What is durable of a market date at this moment, to be read on any other thread while the log goes on; `None`
    /// where there is nothing.
    ///
    /// # Errors
    /// [`LogError`] where the date has to be replayed and cannot. A log that refuses writes can still be read.
    pub fn snapshot(&mut self, market_date: Date) -> Result<Option<DaySnapshot>, LogError> {
        if !self.dates.contains(&market_date) {
            return Ok(None);
        }
        let files = self.files.clone();
        let day = self.day(market_date)?;
        Ok(Some(snapshot_of(files, market_date, day)))
    }

    /// What there is of a market date, without reading anything: a log that takes quotes in does not stop for it. A log
    /// that refuses writes answers as well.
    pub fn held(&self, market_date: Date) -> HeldDay {
        match self.days.get(&market_date) {
            Some(day) if self.dates.contains(&market_date) => {
                HeldDay::Open(snapshot_of(self.files.clone(), market_date, day))
            }
            None if self.dates.contains(&market_date) => match self.folder(market_date) {
                Ok(folder) => HeldDay::Closed(ClosedDay { files: self.files.clone(), folder, date: market_date }),
                Err(_) => HeldDay::Nothing,
            },
            _ => HeldDay::Nothing,
        }
    }

    /// The market dates that the log has anything of, ascending.
    pub fn dates(&self) -> &[Date] {
        &self.dates
    }

    /// Why the log takes nothing in, where it does not.
    pub fn refusing(&self) -> Option<&str> {
        self.refusing.as_deref()
    }

    fn check(&self) -> Result<(), LogError> {
        match &self.refusing {
            Some(because) => Err(LogError::Refusing { because: because.clone() }),
            None => Ok(()),
        }
    }

    fn take(
        &mut self,
        market_date: Date,
        bytes: usize,
        put: impl FnOnce(&mut DayLog) -> Result<Taken, AppendError>,
    ) -> Result<Taken, AppendError> {
        self.check()?;
        let (pending_bytes, limit) = (self.pending_bytes(), self.limits.pending_bytes);
        // A single record larger than the limit goes alone.
        if pending_bytes > 0 && pending_bytes + bytes > limit {
            return Err(AppendError::Full { pending_bytes, limit });
        }
        let known = self.days.remove(&market_date);
        // A date that cannot be opened fails this call alone: nothing was written.
        let mut day = match known {
            Some(day) => day,
            None => self.open_day(market_date)?,
        };
        let taken = put(&mut day);
        match &taken {
            // What the device has of the date is not known any more; nothing of it waits.
            Err(AppendError::Log(error)) => {
                if error.is_of_writing() {
                    self.refusing = Some(error.to_string());
                }
                return taken;
            }
            // What was refused keeps no date open that nothing is of.
            Err(_) if day.is_empty() => return taken,
            Ok(Taken::Waiting(_)) if !self.dates.contains(&market_date) => {
                self.dates.push(market_date);
                self.dates.sort_unstable();
            }
            _ => {}
        }
        self.keep(market_date, day);
        taken
    }

    /// A date's log, replayed at its first use.
    fn day(&mut self, market_date: Date) -> Result<&mut DayLog, LogError> {
        let day = match self.days.remove(&market_date) {
            Some(day) => day,
            None => self.open_day(market_date)?,
        };
        Ok(self.keep(market_date, day))
    }

    /// Keeps a date open that was used now; another is closed for it where as many are open as may be.
    fn keep(&mut self, market_date: Date, mut day: DayLog) -> &mut DayLog {
        self.close_one();
        self.uses += 1;
        day.used = self.uses;
        self.days.entry(market_date).insert_entry(day).into_mut()
    }

    fn open_day(&self, market_date: Date) -> Result<DayLog, LogError> {
        let folder = self.folder(market_date)?;
        DayLog::open(self.files.clone(), &self.root, market_date, folder)
    }

    fn folder(&self, market_date: Date) -> Result<PathBuf, LogError> {
        let text = date::to_text_within(market_date).ok_or(LogError::Date { days: market_date.0 })?;
        Ok(self.root.join(format!("{DATE}{text}")))
    }

    /// Closes the date that was unused for longest, where as many are open as may be. One with records that wait stays.
    fn close_one(&mut self) {
        if self.days.len() < self.limits.open_dates.max(1) {
            return;
        }
        let idle = self.days.iter().filter(|(_, day)| day.pending_bytes() == 0);
        if let Some(date) = idle.min_by_key(|(_, day)| day.used).map(|(date, _)| *date) {
            self.days.remove(&date);
        }
    }
}

fn snapshot_of(files: Arc<dyn Files>, market_date: Date, day: &DayLog) -> DaySnapshot {
    let closed = ClosedDay { files, folder: day.folder().to_owned(), date: market_date };
    let quotes = day.producers.values().any(|place| place.durable > 0);
    DaySnapshot::new(closed, day.segments().to_vec(), day.durable_version(), quotes)
}
