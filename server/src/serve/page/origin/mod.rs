//! Where a mark comes from: the venues' quotes, the rounds of smoothing, the last steps to the integers.
//!
//! None of it is published. It is made again from the run's inputs, where they are to be had, by the code that made the
//! marks; and it is shown only where it ends at what was published.

mod card;
mod inputs;
mod rounds;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use closemark_data::date;
use closemark_data::day::Day;
use closemark_data::publication::Manifest;
use closemark_data::store::{Close, RunId, mark, slice};
use closemark_pricing::METHOD_VERSION;
use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::mark::{FixedMark, SliceHistory, UnderlyingMarks, mark_underlying_by_steps};
use closemark_pricing::series::Date;

pub(super) use card::card;
pub(super) use rounds::rounds;

use crate::serve::state::Service;
use inputs::{Found, RunSettings};

/// Underlyings whose way is kept.
const KEPT_MAX: usize = 12;
/// Runs whose inputs were looked for in vain that are remembered.
const MISSED_MAX: usize = 256;
/// Quotes up to which a day is kept whole, so that its next underlying need not be read again.
const DAY_QUOTES_MAX: usize = 2_000_000;
/// Corrections of corrections that are followed.
const BASES_MAX: usize = 16;

/// The way of one underlying's marks.
pub(super) struct Origin {
    found: Found,
    day: UnderlyingDay,
    /// The rows that the steps end in, and the steps; a reason in words where they are not what was published.
    steps: Result<(UnderlyingMarks, Vec<SliceHistory>), String>,
}

type Key = (Date, RunId);
type Kept = ((Date, RunId, String), Arc<Origin>);

/// A day that was found.
struct FoundDay {
    day: Day,
    found: Found,
}

/// Finds ways again, and keeps the latest.
pub(super) struct Origins {
    service: Arc<Service>,
    kept: Mutex<Vec<Kept>>,
    missed: Mutex<BTreeMap<Key, String>>,
    /// The last day that was read; also what makes sure that one is read at a time.
    last: Mutex<Option<(Key, FoundDay)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Origins {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Self { service, kept: Mutex::default(), missed: Mutex::default(), last: Mutex::default() }
    }

    /// The service whose log, ledger and folders are asked.
    pub(super) fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// The way of an underlying's marks. `base` gives the run that a run is built on.
    ///
    /// # Errors
    /// A reason in words where the inputs are not to be had.
    pub(super) fn of(
        &self,
        close: &Close,
        underlying: &str,
        base: impl Fn(Date, RunId) -> Option<Arc<Close>>,
    ) -> Result<Arc<Origin>, String> {
        let key = (close.date(), close.run(), underlying.to_owned());
        if let Some(origin) = self.held(&key) {
            return Ok(origin);
        }
        let origin = Arc::new(self.make(close, underlying, base)?);
        let mut kept = locked(&self.kept);
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push((key, Arc::clone(&origin)));
        Ok(origin)
    }

    fn held(&self, key: &(Date, RunId, String)) -> Option<Arc<Origin>> {
        let mut kept = locked(&self.kept);
        let at = kept.iter().position(|(own, _)| own == key)?;
        let one = kept.remove(at);
        let origin = Arc::clone(&one.1);
        kept.push(one);
        Some(origin)
    }

    fn make(
        &self,
        close: &Close,
        underlying: &str,
        base: impl Fn(Date, RunId) -> Option<Arc<Close>>,
    ) -> Result<Origin, String> {
        // What a correction left alone was made by the run that it is built on.
        let mut made_by: Option<Arc<Close>> = None;
        for _ in 0..BASES_MAX {
            let manifest = made_by.as_deref().unwrap_or(close).manifest();
            let run = settings_of(manifest)?;
            let anew = run.only.is_empty() || run.only.iter().any(|name| name == underlying);
            let Some(older) = manifest.base_run.as_deref().filter(|_| !anew) else { break };
            let older = RunId::parse(older).and_then(|run| base(close.date(), run));
            made_by = Some(older.ok_or("the run that this correction is built on is not there")?);
        }
        let own = made_by.as_deref().unwrap_or(close);
        let run = settings_of(own.manifest())?;
        let (day, found) = self.day(own, &run, underlying)?;
        let steps = steps(&day, close, own.manifest(), &run);
        Ok(Origin { found, day, steps })
    }

    /// An underlying of the day that a run was made from.
    fn day(&self, close: &Close, run: &RunSettings, underlying: &str) -> Result<(UnderlyingDay, Found), String> {
        let key = (close.date(), close.run());
        let one = |day: &Day| day.underlyings.iter().find(|own| own.underlying == underlying).cloned();
        let absent = || "the inputs do not have this underlying".to_owned();
        let mut last = locked(&self.last);
        if let Some((own, found)) = last.as_ref()
            && *own == key
        {
            return one(&found.day).map(|day| (day, found.found)).ok_or_else(absent);
        }
        if let Some(reason) = locked(&self.missed).get(&key) {
            return Err(reason.clone());
        }
        let (day, found) = inputs::find(&self.service, close.manifest(), run).inspect_err(|reason| {
            let mut missed = locked(&self.missed);
            if missed.len() >= MISSED_MAX {
                missed.pop_first();
            }
            missed.insert(key, reason.clone());
        })?;
        let wanted = one(&day);
        let quotes: usize = day.underlyings.iter().map(|own| own.quotes.len()).sum();
        *last = (quotes <= DAY_QUOTES_MAX).then_some((key, FoundDay { day, found }));
        wanted.map(|day| (day, found)).ok_or_else(absent)
    }
}

fn settings_of(manifest: &Manifest) -> Result<RunSettings, String> {
    RunSettings::read(manifest).ok_or_else(|| "the run's settings are not those of this version".to_owned())
}

/// The steps, where they end at what was published: every curve, and every mark, to the last bit.
fn steps(
    day: &UnderlyingDay,
    close: &Close,
    manifest: &Manifest,
    run: &RunSettings,
) -> Result<(UnderlyingMarks, Vec<SliceHistory>), String> {
    if manifest.method_version != METHOD_VERSION {
        return Err(format!(
            "the run was made by method version {}; this service has version {METHOD_VERSION}",
            manifest.method_version
        ));
    }
    let fixed: Vec<FixedMark> = manifest
        .overrides
        .iter()
        .map(|one| FixedMark { osi_symbol: one.osi_symbol.clone(), mark: one.mark(), author: one.author.clone() })
        .collect();
    let (marks, histories) = mark_underlying_by_steps(day, &fixed, &run.settings);
    let other = || "made again, it is not what was published; the published files are what counts".to_owned();
    for history in &histories {
        let own = marks.slices.get(history.slice).ok_or_else(other)?;
        let published = close.slices_of(&day.underlying).into_iter().find(|(id, view)| {
            id.root == own.root
                && id.expiration == own.expiration
                && id.settlement == own.settlement
                && view.text(slice::DELIVERABLE) == own.deliverable
        });
        let same = |(_, view): (_, closemark_data::store::RowView<'_>)| {
            view.numbers(slice::CURVE_TOTAL_VARIANCE) == history.total_variance().as_slice()
        };
        if !published.is_some_and(same) {
            return Err(other());
        }
    }
    for (series, row) in day.series.iter().zip(&marks.series) {
        let published = close.find(&series.osi_symbol).and_then(|view| view.decimal(mark::MARK));
        if published != row.mark.map(|price| price.micros()) {
            return Err(other());
        }
    }
    Ok((marks, histories))
}

/// The date of a close as text.
fn dated(close: &Close) -> String {
    date::to_text(close.date())
}
