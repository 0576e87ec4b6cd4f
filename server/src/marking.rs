//! Marking in parallel and handing the marks on in the day's order, with bounded memory.
//!
//! The largest underlyings come first, so that both ends of the queue finish together; their marks wait until their place
//! comes. The others follow in the day's order, and whoever finishes the next one in turn hands on everything that is
//! ready. Nothing shows which thread did what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use closemark_pricing::mark::{FixedMark, MarkStage, UnderlyingMarks};
use closemark_pricing::{UnderlyingDay, mark_underlying_watched};

use crate::profile::{Spent, Watch};
use crate::source::DaySource;

/// Series of underlyings that are marked before their turn because they are large.
const FIRST_SERIES_MAX: u64 = 200_000;
/// Series that may wait for those before them.
const WAITING_SERIES_MAX: u64 = 320_000;

/// Sees underlyings as they are done, on any thread.
pub(crate) trait Watcher: Sync {
    /// One underlying is done.
    fn done(&self, underlying: &str, series: u64);
    /// All are.
    fn finished(&self) {}
}

/// Takes marked underlyings in the day's order.
pub(crate) type Sink<'a> = dyn FnMut(UnderlyingDay, UnderlyingMarks) -> anyhow::Result<()> + Send + 'a;

/// What every thread shares.
struct Queue<'a> {
    source: &'a DaySource,
    fixed: &'a [FixedMark],
    watcher: &'a dyn Watcher,
    order: Vec<usize>,
    /// How many of `order` are marked before their turn.
    first: usize,
    state: Mutex<State>,
    moved: Condvar,
    sink: Mutex<&'a mut Sink<'a>>,
    /// Fixed marks whose series was not met yet: one without a series would be lost without a word.
    unmet: Mutex<BTreeSet<&'a str>>,
}

#[derive(Default)]
struct State {
    /// The next of the order to be marked.
    next: usize,
    /// The next place to be handed on.
    turn: usize,
    ready: BTreeMap<usize, (UnderlyingDay, UnderlyingMarks)>,
    waiting_series: u64,
    /// Whether somebody is handing on.
    busy: bool,
    /// The fault of the first underlying that has one.
    failed: Option<(usize, anyhow::Error)>,
    spent: Vec<(usize, Spent)>,
    write: Duration,
}

/// Marks every underlying of `source` on the threads of `pool`, with the marks that people fixed, and hands them to
/// `sink` in the day's order. What each took, in that order, and what handing on took.
///
/// # Errors
/// Where fixed marks contradict the absence of arbitrage or name no series of the day, the input cannot be read again, or
/// `sink` fails.
pub(crate) fn mark_in_order<'a>(
    source: &'a DaySource,
    fixed: &'a [FixedMark],
    pool: &rayon::ThreadPool,
    watcher: &'a dyn Watcher,
    sink: &'a mut Sink<'a>,
) -> anyhow::Result<(Vec<Spent>, Duration)> {
    let (order, first) = order(source);
    let queue = Queue {
        source,
        fixed,
        watcher,
        order,
        first,
        state: Mutex::new(State::default()),
        moved: Condvar::new(),
        sink: Mutex::new(sink),
        unmet: Mutex::new(fixed.iter().map(|one| one.osi_symbol.as_str()).collect()),
    };
    pool.broadcast(|_| queue.work());
    watcher.finished();
    let mut state = queue.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, error)) = state.failed {
        return Err(error);
    }
    if let Some(symbol) = queue.unmet.into_inner().unwrap_or_else(PoisonError::into_inner).first() {
        anyhow::bail!("the mark of {symbol:?} is fixed, and the day has no such series");
    }
    state.spent.sort_by_key(|(place, _)| *place);
    Ok((state.spent.into_iter().map(|(_, spent)| spent).collect(), state.write))
}

/// The order of marking: the largest first as far as their marks may wait, then the day's order; and how many those are.
fn order(source: &DaySource) -> (Vec<usize>, usize) {
    let size = |place: usize| source.plan().get(place).map_or(0, |planned| planned.series);
    let mut by_size: Vec<usize> = (0..source.plan().len()).collect();
    by_size.sort_by(|a, b| size(*b).cmp(&size(*a)).then(a.cmp(b)));
    let mut room = FIRST_SERIES_MAX;
    let mut first: Vec<usize> = Vec::new();
    for place in by_size {
        if size(place) > room {
            break;
        }
        room -= size(place);
        first.push(place);
    }
    let taken: BTreeSet<usize> = first.iter().copied().collect();
    let count = first.len();
    first.extend((0..source.plan().len()).filter(|place| !taken.contains(place)));
    (first, count)
}

/// Tells the threads that wait where one ends in a panic, which then goes on to whoever asked for the marks.
struct Alarm<'q, 'a>(&'q Queue<'a>);

impl Drop for Alarm<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(usize::MAX, anyhow::anyhow!("a thread gave up"));
        }
    }
}

impl Queue<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let _alarm = Alarm(self);
        while let Some(place) = self.next() {
            match self.mark(place) {
                Ok((day, marks, spent)) => self.hand_on(place, day, marks, spent),
                Err(error) => self.fail(place, error),
            }
        }
    }

    /// The next underlying to be marked, once there is room for it.
    fn next(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.failed.is_some() {
                return None;
            }
            let place = *self.order.get(state.next)?;
            // The one whose turn it is was begun before, or is this one: waiting ends.
            if state.next < self.first || place == state.turn || state.waiting_series < WAITING_SERIES_MAX {
                state.next += 1;
                return Some(place);
            }
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn mark(&self, place: usize) -> anyhow::Result<(UnderlyingDay, UnderlyingMarks, Spent)> {
        let watch = Watch::start();
        let (mut day, made) = self.source.take(place)?;
        let mut spent = Spent::new(&day.underlying, day.series.len() as u64);
        spent.make = watch.elapsed();
        let marks = match made {
            Some(made) => made,
            None => {
                self.meet(&day);
                let (mut lap, mut stage) = (Watch::start(), None::<MarkStage>);
                let settings = &self.source.head().settings;
                let marks = mark_underlying_watched(&day, self.fixed, settings, &mut |begins| {
                    spent.add(stage, lap.lap());
                    stage = Some(begins);
                });
                spent.add(stage, lap.lap());
                marks?
            }
        };
        self.watcher.done(&day.underlying, day.series.len() as u64);
        // Nothing after the marks looks at quotes.
        day.quotes = Vec::new();
        day.quote_offsets = vec![0; day.series.len() + 1];
        Ok((day, marks, spent))
    }

    fn meet(&self, day: &UnderlyingDay) {
        let mut unmet = self.unmet.lock().unwrap_or_else(PoisonError::into_inner);
        if !unmet.is_empty() {
            day.series.iter().for_each(|series| {
                unmet.remove(series.osi_symbol.as_str());
            });
        }
    }

    /// Puts marks where they wait for their turn, and hands on everything whose turn it is.
    fn hand_on(&self, place: usize, day: UnderlyingDay, marks: UnderlyingMarks, spent: Spent) {
        let mut state = self.lock();
        state.waiting_series += day.series.len() as u64;
        state.ready.insert(place, (day, marks));
        state.spent.push((place, spent));
        if state.busy {
            return;
        }
        state.busy = true;
        while state.failed.is_none() {
            let turn = state.turn;
            let Some((day, marks)) = state.ready.remove(&turn) else { break };
            drop(state);
            let watch = Watch::start();
            let series = day.series.len() as u64;
            let outcome = {
                let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
                (*sink)(day, marks)
            };
            state = self.lock();
            state.write += watch.elapsed();
            state.turn += 1;
            state.waiting_series = state.waiting_series.saturating_sub(series);
            if let Err(error) = outcome {
                state.failed = Some((turn, error));
            }
            self.moved.notify_all();
        }
        state.busy = false;
    }

    fn fail(&self, place: usize, error: anyhow::Error) {
        let mut state = self.lock();
        if state.failed.as_ref().is_none_or(|(first, _)| place < *first) {
            state.failed = Some((place, error));
        }
        self.moved.notify_all();
    }
}
