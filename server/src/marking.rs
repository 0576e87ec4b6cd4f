//! Marking in parallel: the largest underlyings first, so that both ends of the queue finish together;
//! collected in the day's order, so that nothing shows which thread did what.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use closemark_data::day::Day;
use closemark_pricing::mark::{Contradiction, FixedMark, UnderlyingMarks};
use closemark_pricing::mark_underlying_fixed;

use crate::profile::{Profile, Watch};

/// An underlying's place in the day, its marks, and the time they took.
type Marked = (usize, Result<UnderlyingMarks, Contradiction>, Duration);

/// Sees underlyings as they are done, on any thread.
pub(crate) trait Watcher: Sync {
    /// One underlying is done.
    fn done(&self, underlying: &str, series: u64);
    /// All are.
    fn finished(&self) {}
}

/// Marks every underlying of the day, in the day's order, with the marks that people fixed.
///
/// # Errors
/// Where fixed marks contradict the absence of arbitrage, or name no series of the day.
pub(crate) fn mark_day(
    day: &Day,
    fixed: &[FixedMark],
    threads: Option<u16>,
    watcher: &dyn Watcher,
    profile: &mut Profile,
) -> anyhow::Result<Vec<UnderlyingMarks>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.map_or(0, usize::from))
        .build()
        .context("cannot start the threads")?;
    check_fixed(day, fixed)?;
    let order = largest_first(day);
    let next = AtomicUsize::new(0);
    let work = |_: rayon::BroadcastContext<'_>| {
        let mut done = Vec::new();
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Some(underlying) = day.underlyings.get(index) else { continue };
            let watch = Watch::start();
            let marks = mark_underlying_fixed(underlying, fixed, &day.settings);
            done.push((index, marks, watch.elapsed()));
            watcher.done(&underlying.underlying, underlying.series.len() as u64);
        }
        done
    };
    let by_thread: Vec<Vec<Marked>> = profile.stage("mark", || pool.broadcast(work));
    watcher.finished();
    let mut done: Vec<Marked> = by_thread.into_iter().flatten().collect();
    done.sort_by_key(|(index, _, _)| *index);
    let mut all = Vec::with_capacity(done.len());
    for (index, marks, time) in done {
        all.push((index, marks?, time));
    }
    let times = all.iter().map(|(_, marks, time)| (marks.underlying.clone(), marks.series.len() as u64, *time));
    profile.underlyings(pool.current_num_threads(), times.collect());
    Ok(all.into_iter().map(|(_, marks, _)| marks).collect())
}

/// A fixed mark whose series is not there would be lost without a word.
fn check_fixed(day: &Day, fixed: &[FixedMark]) -> anyhow::Result<()> {
    let mut missing: BTreeSet<&str> = fixed.iter().map(|one| one.osi_symbol.as_str()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for series in day.underlyings.iter().flat_map(|underlying| &underlying.series) {
        missing.remove(series.osi_symbol.as_str());
    }
    match missing.first() {
        Some(symbol) => anyhow::bail!("the mark of {symbol:?} is fixed, and the day has no such series"),
        None => Ok(()),
    }
}

fn largest_first(day: &Day) -> Vec<usize> {
    let mut order: Vec<usize> = (0..day.underlyings.len()).collect();
    let size = |index: usize| day.underlyings.get(index).map_or(0, |underlying| underlying.series.len());
    order.sort_by(|a, b| size(*b).cmp(&size(*a)).then(a.cmp(b)));
    order
}
