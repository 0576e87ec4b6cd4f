//! The store: which closes there are, and those that were used last.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use bytes::Bytes;
use closemark_pricing::series::Date;

use super::close::{Close, tables_of};
use super::error::StoreError;
use super::message::Message;
use super::pointer::Pointer;
use super::table::StoredTable;
use crate::publication::schema::{EXCEPTIONS, MARKS, RISK_ARRAYS, SLICES};
use crate::publication::{DateState, RunEntry, date_folder, integrity, is_run_id, run_folder};

/// The name of a run: 16 hexadecimal digits, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u64);

impl RunId {
    /// Reads the published form and no other.
    pub fn parse(text: &str) -> Option<Self> {
        if is_run_id(text) { u64::from_str_radix(text, 16).ok().map(Self) } else { None }
    }

    /// Writes what it displays, faster.
    pub fn push_to(self, text: &mut String) {
        let digit = |place: u32| char::from_digit((self.0 >> (4 * place)) as u32 & 15, 16);
        text.extend((0..16).rev().filter_map(digit));
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Pointers kept; a client that walks through all dates does not grow the map without end.
const POINTERS_MAX: usize = 1024;

/// Published closes under one folder.
pub struct Store {
    out: PathBuf,
    budget: u64,
    /// Readers of one close never wait for each other: looking at a pointer and taking a close change nothing.
    pointers: RwLock<BTreeMap<Date, Pointer>>,
    shelf: RwLock<Shelf>,
    /// One close is read at a time: reading uses every core, and its memory is counted before the next begins.
    reading: Mutex<()>,
}

#[derive(Default)]
struct Shelf {
    kept: Vec<Kept>,
    /// Let go, and perhaps still held by readers.
    gone: Vec<Weak<Close>>,
    /// Counts uses, so that the one used longest ago is known.
    uses: AtomicU64,
}

struct Kept {
    close: Arc<Close>,
    /// The count of uses when it was last used.
    used: AtomicU64,
}

impl Shelf {
    fn take(&self, date: Date, run: RunId) -> Option<Arc<Close>> {
        let found = self.kept.iter().find(|kept| kept.close.run() == run && kept.close.date() == date)?;
        let last = self.uses.load(Ordering::Relaxed);
        // A close that is used again and again writes to no memory that other readers need.
        if found.used.load(Ordering::Relaxed) != last {
            found.used.store(self.uses.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        Some(found.close.clone())
    }

    fn keep(&mut self, close: Arc<Close>) {
        let used = self.uses.fetch_add(1, Ordering::Relaxed) + 1;
        self.kept.push(Kept { close, used: used.into() });
    }

    /// The place of the close that was used longest ago.
    fn oldest(&self) -> Option<usize> {
        let used = |(_, kept): &(usize, &Kept)| kept.used.load(Ordering::Relaxed);
        self.kept.iter().enumerate().min_by_key(used).map(|(at, _)| at)
    }

    /// Bytes of everything alive.
    fn held(&mut self) -> u64 {
        self.gone.retain(|close| close.strong_count() > 0);
        let gone = self.gone.iter().filter_map(Weak::upgrade).map(|close| close.bytes()).sum::<u64>();
        self.kept.iter().map(|kept| kept.close.bytes()).sum::<u64>() + gone
    }

    /// Lets go of what was used longest ago until `needed` bytes are free.
    fn make_room(&mut self, needed: u64, budget: u64) -> Result<(), StoreError> {
        if needed > budget {
            return Err(StoreError::TooLarge { needed, budget });
        }
        while self.held() + needed > budget
            && let Some(oldest) = self.oldest()
        {
            let oldest = self.kept.swap_remove(oldest);
            self.gone.push(Arc::downgrade(&oldest.close));
        }
        let held = self.held();
        if held + needed > budget { Err(StoreError::Busy { needed, held, budget }) } else { Ok(()) }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reading<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn writing<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// A store of the closes under `out`, holding at most `budget` bytes of them.
    pub fn new(out: impl Into<PathBuf>, budget: u64) -> Self {
        Self {
            out: out.into(),
            budget,
            pointers: RwLock::default(),
            shelf: RwLock::default(),
            reading: Mutex::default(),
        }
    }

    /// The folder.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// Bytes of closes alive.
    pub fn held(&self) -> u64 {
        writing(&self.shelf).held()
    }

    /// The dates with a folder, ascending.
    ///
    /// # Errors
    /// [`StoreError::Folder`] where `out` cannot be listed.
    pub fn dates(&self) -> Result<Vec<Date>, StoreError> {
        match crate::publication::read::dates(&self.out) {
            Ok(dates) => Ok(dates),
            Err(_) if !self.out.exists() => Ok(Vec::new()),
            Err(error) => Err(StoreError::Folder { detail: error.to_string() }),
        }
    }

    /// The latest date with a close that counts.
    ///
    /// # Errors
    /// [`StoreError::Folder`] where a folder cannot be read.
    pub fn latest(&self) -> Result<Option<(Date, RunId)>, StoreError> {
        for date in self.dates()?.into_iter().rev() {
            match self.current(date) {
                Ok(run) => return Ok(Some((date, run))),
                Err(StoreError::NoClose { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The runs of a date in the order of their publication.
    ///
    /// # Errors
    /// [`StoreError::NoClose`] where the date has none.
    pub fn runs(&self, date: Date) -> Result<Vec<RunEntry>, StoreError> {
        let runs = DateState::read(&date_folder(&self.out, date)?)?.runs;
        if runs.is_empty() { Err(StoreError::NoClose { date }) } else { Ok(runs) }
    }

    /// The run that counts for a date.
    ///
    /// # Errors
    /// [`StoreError::NoClose`] where none does.
    pub fn current(&self, date: Date) -> Result<RunId, StoreError> {
        if let Some(run) = self.known_current(date) {
            return Ok(run);
        }
        let folder = date_folder(&self.out, date)?;
        let mut pointers = writing(&self.pointers);
        let Some(pointer) = Pointer::read(&folder)? else {
            pointers.remove(&date);
            return Err(StoreError::NoClose { date });
        };
        let run = pointer.run();
        if pointers.len() >= POINTERS_MAX {
            pointers.pop_first();
        }
        pointers.insert(date, pointer);
        Ok(run)
    }

    /// The run that counted for a date when it was last asked, where it still does; reads nothing.
    pub fn known_current(&self, date: Date) -> Option<RunId> {
        let known = |pointer: &Pointer| pointer.run_if_unchanged(|| date_folder(&self.out, date));
        reading(&self.pointers).get(&date).and_then(known)
    }

    /// A close in memory; never reads one.
    pub fn held_close(&self, date: Date, run: RunId) -> Option<Arc<Close>> {
        reading(&self.shelf).take(date, run)
    }

    /// A close, read where it is not in memory. Reading a whole market takes seconds: not on a thread that must not
    /// wait.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn close(&self, date: Date, run: RunId) -> Result<Arc<Close>, StoreError> {
        if let Some(close) = self.held_close(date, run) {
            return Ok(close);
        }
        let _reading = locked(&self.reading);
        if let Some(close) = self.held_close(date, run) {
            return Ok(close);
        }
        let date_folder = date_folder(&self.out, date)?;
        let folder = run_folder(&date_folder, &run.to_string()).filter(|folder| folder.is_dir());
        let folder = folder.ok_or(StoreError::NoRun { date, run })?;
        let damaged = |detail: String| StoreError::Damaged { date, run, detail };
        let manifest = integrity::manifest(&folder).map_err(damaged)?;
        writing(&self.shelf).make_room(Close::estimate(&manifest), self.budget)?;
        let close = Arc::new(Close::read(folder, date, run).map_err(damaged)?);
        let mut shelf = writing(&self.shelf);
        shelf.make_room(close.bytes(), self.budget)?;
        shelf.keep(close.clone());
        Ok(close)
    }

    /// A table of a close, read where it is not in memory.
    ///
    /// # Errors
    /// [`StoreError::NoTable`], and as for a close.
    pub fn table(&self, close: &Arc<Close>, name: &str) -> Result<Arc<StoredTable>, StoreError> {
        if let Some(table) = close.held_table(name) {
            return Ok(table);
        }
        let _reading = locked(&self.reading);
        if let Some(table) = close.held_table(name) {
            return Ok(table);
        }
        let (date, run) = (close.date(), close.run());
        let needed = close.estimate_table(name).ok_or_else(|| StoreError::NoTable { run, table: name.to_owned() })?;
        writing(&self.shelf).make_room(needed, self.budget)?;
        close.read_table(name).map_err(|detail| StoreError::Damaged { date, run, detail })
    }

    /// What a date's current run has, from its manifest alone; `None` where no close counts or it cannot be read.
    pub fn listing(&self, date: Date) -> Option<Listing> {
        let run = self.current(date).ok()?;
        let folder = run_folder(&date_folder(&self.out, date).ok()?, &run.to_string())?;
        let manifest = integrity::manifest(&folder).ok()?;
        let tables = tables_of(&manifest).filter_map(|table| {
            let rows = match table.file {
                file if file == MARKS.file => Some(manifest.totals.series),
                file if file == SLICES.file => Some(manifest.totals.slices),
                file if file == EXCEPTIONS.file => Some(manifest.totals.exceptions),
                file if file == RISK_ARRAYS.file => Some(manifest.totals.risk_arrays),
                _ => None,
            };
            let schema = Message::of_schema(&table.arrow_schema()).ok()?;
            Some((table.file.strip_suffix(".parquet")?.to_owned(), schema.encapsulated(), rows))
        });
        Some(Listing { date, run, tables: tables.collect() })
    }
}

/// A run and its tables.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The day that was closed.
    pub date: Date,
    /// The run.
    pub run: RunId,
    /// Each table's name, its schema as an encapsulated IPC message, and its rows where the manifest says.
    pub tables: Vec<(String, Bytes, Option<u64>)>,
}
