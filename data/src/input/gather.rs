//! Chunks of quote rows, as threads decode them, into the day's symbols and rows, in the order of files and rows.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use closemark_pricing::mark::ExceptionRow;

use super::error::InputError;
use super::quotes::QuoteRows;
use super::spill::{Parts, Resources, RowStore};
use super::symbols::Symbols;

/// Rows that may wait for those before them.
const WAITING_ROWS_MAX: usize = 4 << 20;

/// Every quote row of a day, with its symbols.
#[derive(Debug)]
pub(crate) struct Gathered {
    parts: Parts,
    pub(crate) store: RowStore,
    /// Symbols as they came.
    pub(crate) symbols: Symbols,
    /// Rows of each symbol.
    pub(crate) rows_of_symbol: Vec<u32>,
    /// The part of each symbol.
    pub(crate) part_of_symbol: Vec<u16>,
    pub(crate) faults: Vec<ExceptionRow>,
    pub(crate) rows_dropped: u64,
    numbers: Vec<u32>,
}

impl Gathered {
    pub(crate) fn new(parts: Parts, resources: &Resources) -> Self {
        let store = RowStore::new(parts.count(), resources);
        Self {
            parts,
            store,
            symbols: Symbols::default(),
            rows_of_symbol: Vec::new(),
            part_of_symbol: Vec::new(),
            faults: Vec::new(),
            rows_dropped: 0,
            numbers: Vec::new(),
        }
    }

    /// Takes a chunk's rows and empties it.
    pub(crate) fn take(&mut self, chunk: &mut QuoteRows) -> Result<(), InputError> {
        self.numbers.clear();
        for own in 0..chunk.symbols.len() as u32 {
            let number = self.symbols.intern(chunk.symbols.get(own)).ok_or_else(too_many)?;
            if number as usize == self.part_of_symbol.len() {
                self.part_of_symbol.push(self.parts.of_symbol(chunk.symbols.get(own)));
                self.rows_of_symbol.push(0);
            }
            self.numbers.push(number);
        }
        for mut row in chunk.rows.drain(..) {
            let Some(number) = self.numbers.get(row.symbol as usize) else { continue };
            row.symbol = *number;
            if let Some(rows) = self.rows_of_symbol.get_mut(*number as usize) {
                *rows = rows.saturating_add(1);
            }
            self.store.push(self.part_of_symbol.get(*number as usize).copied().unwrap_or_default(), row);
        }
        self.store.spill_if_full().map_err(|error| spilling(&error))?;
        self.faults.append(&mut chunk.faults);
        self.rows_dropped += std::mem::take(&mut chunk.rows_dropped);
        chunk.symbols.clear();
        Ok(())
    }

    /// A symbol that no quote named; its number.
    pub(crate) fn intern(&mut self, symbol: &[u8]) -> Option<u32> {
        let number = self.symbols.intern(symbol)?;
        if number as usize == self.part_of_symbol.len() {
            self.part_of_symbol.push(self.parts.of_symbol(symbol));
            self.rows_of_symbol.push(0);
        }
        Some(number)
    }
}

fn too_many() -> InputError {
    InputError::file("quotes.parquet", "more distinct symbols than a day can have")
}

/// What the temporary file says.
pub(crate) fn spilling(error: &std::io::Error) -> InputError {
    InputError::file("(temporary file of quotes)", format!("cannot be written or read: {error}"))
}

/// Takes chunks of numbered units from several threads and gathers them in the units' order.
pub(crate) struct InOrder {
    state: Mutex<State>,
    moved: Condvar,
}

struct State {
    gathered: Gathered,
    /// The unit whose chunks are gathered as they come.
    turn: usize,
    /// Chunks of later units; true where the unit is at its end.
    waiting: BTreeMap<usize, (Vec<QuoteRows>, bool)>,
    waiting_rows: usize,
    /// The first unit that failed, and how.
    failed: Option<(usize, InputError)>,
}

/// Whoever gets this stops: an earlier unit failed.
pub(crate) struct Stopped;

impl InOrder {
    pub(crate) fn new(gathered: Gathered) -> Self {
        let state = State { gathered, turn: 0, waiting: BTreeMap::new(), waiting_rows: 0, failed: None };
        Self { state: Mutex::new(state), moved: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a chunk of `unit`, the unit's last where `end`; the chunk comes back empty.
    pub(crate) fn give(&self, unit: usize, chunk: &mut QuoteRows, end: bool) -> Result<(), Stopped> {
        let mut state = self.lock();
        loop {
            if state.failed.as_ref().is_some_and(|(failed, _)| *failed < unit) {
                return Err(Stopped);
            }
            if state.turn == unit || state.waiting_rows < WAITING_ROWS_MAX {
                break;
            }
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.turn != unit {
            state.waiting_rows += chunk.rows.len();
            let own = state.waiting.entry(unit).or_default();
            own.0.push(std::mem::replace(chunk, QuoteRows::new()));
            own.1 |= end;
            return Ok(());
        }
        let outcome = state.take_turn(chunk, end);
        if let Err(error) = outcome {
            state.fail(unit, error);
        }
        drop(state);
        self.moved.notify_all();
        Ok(())
    }

    /// Notes that a unit cannot be read.
    pub(crate) fn fail(&self, unit: usize, error: InputError) {
        self.lock().fail(unit, error);
        self.moved.notify_all();
    }

    /// Whether some unit failed, so that no further one is begun.
    pub(crate) fn has_failed(&self) -> bool {
        self.lock().failed.is_some()
    }

    /// Everything gathered, or the fault of the first unit that has one.
    pub(crate) fn finish(self) -> Result<Gathered, InputError> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.failed {
            Some((_, error)) => Err(error),
            None => Ok(state.gathered),
        }
    }
}

impl State {
    /// Gathers what waited of the unit whose turn it is, the chunk, and every unit after it that is complete.
    fn take_turn(&mut self, chunk: &mut QuoteRows, end: bool) -> Result<(), InputError> {
        self.take_waiting()?;
        self.gathered.take(chunk)?;
        let mut end = end;
        while end {
            self.turn += 1;
            end = self.take_waiting()?;
        }
        Ok(())
    }

    /// Gathers what waited of the unit whose turn it is; whether that was all of it.
    fn take_waiting(&mut self) -> Result<bool, InputError> {
        let Some((chunks, end)) = self.waiting.remove(&self.turn) else { return Ok(false) };
        for mut chunk in chunks {
            self.waiting_rows = self.waiting_rows.saturating_sub(chunk.rows.len());
            self.gathered.take(&mut chunk)?;
        }
        Ok(end)
    }

    fn fail(&mut self, unit: usize, error: InputError) {
        if self.failed.as_ref().is_none_or(|(first, _)| unit < *first) {
            self.failed = Some((unit, error));
        }
    }
}
