//! The commit thread: the one owner of the quote log.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use closemark_data::files::{Disk, Files};
use closemark_data::log::{
    AppendError, Appended, DaySnapshot, EncodedBatch, EncodedReference, HeldDay, LogError, LogLimits, QuoteLog,
};
use closemark_pricing::series::Date;
use tokio::sync::{mpsc, oneshot, watch};
use tonic::Status;

use super::refusals;
use crate::serve::clock::Watch;
use crate::serve::config::Limits;
use crate::serve::errors;

/// Most answers that wait for one commit.
const GROUP_MAX: usize = 256;
/// How long a log that could not write is left alone before the next batch opens it again: opening reads a day.
const REOPEN: Duration = Duration::from_secs(1);

/// What the log is opened with.
#[derive(Clone, Debug)]
pub(crate) struct LogSettings {
    /// The file system.
    pub(crate) files: Arc<dyn Files>,
    /// The log's folder.
    pub(crate) folder: PathBuf,
    /// Its limits.
    pub(crate) limits: LogLimits,
    /// Commands that may wait.
    pub(crate) pending: usize,
    /// How long a log that could not write is left alone before a batch opens it again.
    pub(crate) reopen_after: Duration,
}

impl LogSettings {
    pub(crate) fn new(folder: &Path, limits: &Limits) -> Self {
        let producers = usize::try_from(limits.producers_per_day_max).unwrap_or(usize::MAX);
        Self {
            files: Arc::new(Disk),
            folder: folder.join("quotes"),
            limits: LogLimits { producers, ..LogLimits::default() },
            pending: usize::try_from(limits.batches_pending_max).unwrap_or(usize::MAX),
            reopen_after: REOPEN,
        }
    }
}

/// Asks the commit thread.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    commands: mpsc::Sender<Command>,
    taking: watch::Receiver<bool>,
}

#[derive(Debug)]
enum Command {
    Batch(EncodedBatch, Answer<u64>),
    Reference(EncodedReference, Answer<u64>),
    Held(Date, Answer<HeldDay>),
    Probe,
}

type Answer<T> = oneshot::Sender<Result<T, Status>>;

impl Log {
    /// Opens the log and starts its thread. The thread ends when every handle is gone.
    ///
    /// # Errors
    /// Where the log is locked, damaged, or cannot be read.
    pub(crate) fn start(settings: LogSettings) -> anyhow::Result<Self> {
        let log = open(&settings).context("the quote log cannot be opened")?;
        let (commands, receiver) = mpsc::channel(settings.pending);
        let (health, taking) = watch::channel(true);
        let owner = Owner { settings, log: Some(log), failed: None, receiver, health };
        std::thread::Builder::new().name("commit".to_owned()).spawn(move || owner.run())?;
        Ok(Self { commands, taking })
    }

    /// Whether the log takes what comes: false from the first write that failed until it could be opened again.
    pub(crate) fn taking(&self) -> watch::Receiver<bool> {
        self.taking.clone()
    }

    /// Has a log that refuses opened again, whenever it was last tried.
    pub(crate) async fn probe(&self) {
        // Where the thread is gone there is nothing to open.
        let _ = self.send(Command::Probe).await;
    }

    /// Hands a batch over; the receiver has the acknowledged sequence once it is durable. Waits while the queue is full.
    ///
    /// # Errors
    /// UNAVAILABLE where the service ends.
    pub(crate) async fn append(&self, batch: EncodedBatch) -> Result<oneshot::Receiver<Result<u64, Status>>, Status> {
        let (answer, receiver) = oneshot::channel();
        self.send(Command::Batch(batch, answer)).await?;
        Ok(receiver)
    }

    /// Puts reference records; the version they make, once it is durable.
    pub(crate) async fn put_reference(&self, update: EncodedReference) -> Result<u64, Status> {
        self.ask(|answer| Command::Reference(update, answer)).await
    }

    /// What is durable of a date.
    pub(crate) async fn snapshot(&self, date: Date) -> Result<Option<DaySnapshot>, Status> {
        let own = self.clone();
        let read = tokio::task::spawn_blocking(move || own.snapshot_blocking(date)).await;
        read.map_err(|error| errors::internal("reading the log", &error))?
    }

    /// What is durable of a date, asked by a thread that may wait. A date that the log has not open is read on this
    /// thread: the one that takes quotes in does not wait for it.
    pub(crate) fn snapshot_blocking(&self, date: Date) -> Result<Option<DaySnapshot>, Status> {
        let closed = match self.held_blocking(date)? {
            HeldDay::Nothing => return Ok(None),
            HeldDay::Open(snapshot) => return Ok(Some(snapshot)),
            HeldDay::Closed(day) => day,
        };
        let read = closed.read();
        // The date may have been opened, and written to, while it was read.
        match self.held_blocking(date)? {
            HeldDay::Open(snapshot) => Ok(Some(snapshot)),
            _ => read.map(Some).map_err(|error| refusals::log(&error)),
        }
    }

    fn held_blocking(&self, date: Date) -> Result<HeldDay, Status> {
        let (answer, receiver) = oneshot::channel();
        let sent = self.commands.blocking_send(Command::Held(date, answer));
        sent.map_err(|_| refusals::ended())?;
        receiver.blocking_recv().map_err(|_| refusals::ended())?
    }

    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, Status> {
        let (answer, receiver) = oneshot::channel();
        self.send(command(answer)).await?;
        receiver.await.map_err(|_| refusals::ended())?
    }

    async fn send(&self, command: Command) -> Result<(), Status> {
        self.commands.send(command).await.map_err(|_| refusals::ended())
    }
}

fn open(settings: &LogSettings) -> Result<QuoteLog, LogError> {
    QuoteLog::open(Arc::clone(&settings.files), &settings.folder, settings.limits)
}

/// The thread's own.
struct Owner {
    settings: LogSettings,
    log: Option<QuoteLog>,
    /// When writing or opening last failed, and how.
    failed: Option<(Watch, Status)>,
    receiver: mpsc::Receiver<Command>,
    health: watch::Sender<bool>,
}

/// What is told once the commit is done.
struct Waiting {
    since: Watch,
    value: u64,
    answer: Answer<u64>,
}

impl Owner {
    fn run(mut self) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while let Some(first) = self.receiver.blocking_recv() {
            self.take(first, &mut group);
            while group.len() < GROUP_MAX {
                let Ok(next) = self.receiver.try_recv() else { break };
                self.take(next, &mut group);
            }
            self.commit(&mut group);
            self.tell_health();
            metrics::gauge!("closemark_log_batches_waiting").set(self.receiver.len() as f64);
        }
    }

    /// Tells whoever asks for health, where it changed.
    fn tell_health(&self) {
        let takes = self.log.as_ref().is_some_and(|log| log.refusing().is_none());
        let changed = self.health.send_if_modified(|said| std::mem::replace(said, takes) != takes);
        if changed && !takes {
            tracing::error!("the quote log refuses");
        }
        metrics::gauge!("closemark_log_refusing").set(f64::from(u8::from(!takes)));
    }

    /// The log, to be written to; opened again after it was in trouble, but not before it was left alone for a while.
    fn log(&mut self) -> Result<&mut QuoteLog, Status> {
        if self.log.as_ref().is_none_or(|log| log.refusing().is_some()) {
            let limit = self.settings.reopen_after.as_secs_f64();
            if let Some((_, status)) = self.failed.as_ref().filter(|(since, _)| since.seconds() < limit) {
                return Err(status.clone());
            }
            self.reopen()?;
        }
        self.log.as_mut().ok_or_else(|| errors::internal("opening the log", &"it is not there"))
    }

    fn reopen(&mut self) -> Result<(), Status> {
        // Its lock must be free first.
        self.log = None;
        let log = open(&self.settings).map_err(|error| self.trouble(&error))?;
        tracing::info!("the log was opened again");
        (self.log, self.failed) = (Some(log), None);
        Ok(())
    }

    /// Remembers what failed, for whoever comes before the log is tried again.
    fn trouble(&mut self, error: &LogError) -> Status {
        let status = refusals::log(error);
        self.failed = Some((Watch::start(), status.clone()));
        status
    }

    /// Whether an earlier failure keeps the log from taking anything in.
    fn refuses(&self) -> bool {
        self.log.as_ref().is_none_or(|log| log.refusing().is_some())
    }

    /// What there is of a date; a log that refuses can still be read.
    fn held(&mut self, date: Date) -> Result<HeldDay, Status> {
        match &self.log {
            Some(log) => Ok(log.held(date)),
            None => self.log().map(|log| log.held(date)),
        }
    }

    fn take(&mut self, command: Command, group: &mut Vec<Waiting>) {
        match command {
            Command::Batch(batch, answer) => match self.append(&batch, group) {
                Ok(Appended::Durable { acknowledged_sequence }) => {
                    metrics::counter!("closemark_quotes_repeated_total").increment(u64::from(batch.quotes()));
                    tell(answer, Ok(acknowledged_sequence));
                }
                Ok(Appended::Waiting(_)) => {
                    group.push(Waiting { since: Watch::start(), value: batch.sequence(), answer })
                }
                Err(status) => tell(answer, Err(status)),
            },
            Command::Reference(update, answer) => match self.put(&update, group) {
                Ok((version, true)) => group.push(Waiting { since: Watch::start(), value: version, answer }),
                Ok((version, false)) => tell(answer, Ok(version)),
                Err(status) => tell(answer, Err(status)),
            },
            Command::Held(date, answer) => {
                let found = self.held(date);
                tell(answer, found);
            }
            // Opening it is all; what it says reaches health.
            Command::Probe => {
                if self.refuses() {
                    drop(self.reopen());
                }
            }
        }
    }

    fn append(&mut self, batch: &EncodedBatch, group: &mut Vec<Waiting>) -> Result<Appended, Status> {
        match self.log()?.append(batch) {
            Err(AppendError::Full { .. }) => {
                self.commit(group);
                self.log()?.append(batch).map_err(|error| self.refused(&error, group))
            }
            done => done.map_err(|error| self.refused(&error, group)),
        }
    }

    fn put(&mut self, update: &EncodedReference, group: &mut Vec<Waiting>) -> Result<(u64, bool), Status> {
        let done = match self.log()?.put_reference(update) {
            Err(AppendError::Full { .. }) => {
                self.commit(group);
                self.log()?.put_reference(update)
            }
            done => done,
        };
        let put = done.map_err(|error| self.refused(&error, group))?;
        Ok((put.version, put.ticket.is_some()))
    }

    /// Where the log itself is in trouble, nothing that waits may be acknowledged. A date that cannot be opened is no
    /// trouble of the others.
    fn refused(&mut self, error: &AppendError, group: &mut Vec<Waiting>) -> Status {
        let status = match error {
            AppendError::Log(error) if self.refuses() => self.trouble(error),
            other => refusals::append(other),
        };
        if self.refuses() {
            for waiting in group.drain(..) {
                tell(waiting.answer, Err(status.clone()));
            }
        }
        status
    }

    fn commit(&mut self, group: &mut Vec<Waiting>) {
        if group.is_empty() {
            return;
        }
        let watch = Watch::start();
        let done = match self.log().map(QuoteLog::commit) {
            Ok(Ok(committed)) => Ok(committed),
            Ok(Err(error)) => Err(self.trouble(&error)),
            Err(status) => Err(status),
        };
        match done {
            Ok(committed) => {
                metrics::histogram!("closemark_log_commit_seconds").record(watch.seconds());
                metrics::counter!("closemark_quotes_taken_total").increment(committed.quotes);
                metrics::counter!("closemark_log_bytes_total").increment(committed.bytes);
                let lag = group.first().map_or(0.0, |oldest| oldest.since.seconds());
                metrics::gauge!("closemark_log_lag_seconds").set(lag);
                for waiting in group.drain(..) {
                    tell(waiting.answer, Ok(waiting.value));
                }
            }
            Err(status) => {
                for waiting in group.drain(..) {
                    tell(waiting.answer, Err(status.clone()));
                }
            }
        }
    }
}

/// Tells an answer; whoever asked may have left.
fn tell<T>(answer: Answer<T>, value: Result<T, Status>) {
    drop(answer.send(value));
}

#[cfg(test)]
mod tests;
