//! Marking in parallel: the largest underlyings first, so that both ends of the queue finish together;
//! collected in the day's order, so that nothing shows which thread did what.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use closemark_data::day::Day;
use closemark_pricing::mark::UnderlyingMarks;
use closemark_pricing::mark_underlying;

use crate::profile::{Profile, Watch};
use crate::progress::Progress;

/// Marks every underlying of the day, in the day's order.
pub(crate) fn mark_day(day: &Day, threads: Option<u16>, profile: &mut Profile) -> anyhow::Result<Vec<UnderlyingMarks>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.map_or(0, usize::from))
        .build()
        .context("cannot start the threads")?;
    let order = largest_first(day);
    let series = day.underlyings.iter().map(|u| u.series.len() as u64).sum();
    let progress = Progress::new(series);
    let next = AtomicUsize::new(0);
    let work = |_: rayon::BroadcastContext<'_>| {
        let mut done = Vec::new();
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Some(underlying) = day.underlyings.get(index) else { continue };
            let watch = Watch::start();
            let marks = mark_underlying(underlying, &day.settings);
            done.push((index, marks, watch.elapsed()));
            progress.done(&underlying.underlying, underlying.series.len() as u64);
        }
        done
    };
    let by_thread: Vec<Vec<(usize, UnderlyingMarks, Duration)>> = profile.stage("mark", || pool.broadcast(work));
    progress.finish();
    let mut all: Vec<(usize, UnderlyingMarks, Duration)> = by_thread.into_iter().flatten().collect();
    all.sort_by_key(|(index, _, _)| *index);
    let times = all.iter().map(|(_, marks, time)| (marks.underlying.clone(), marks.series.len() as u64, *time));
    profile.underlyings(pool.current_num_threads(), times.collect());
    Ok(all.into_iter().map(|(_, marks, _)| marks).collect())
}

fn largest_first(day: &Day) -> Vec<usize> {
    let mut order: Vec<usize> = (0..day.underlyings.len()).collect();
    let size = |index: usize| day.underlyings.get(index).map_or(0, |underlying| underlying.series.len());
    order.sort_by(|a, b| size(*b).cmp(&size(*a)).then(a.cmp(b)));
    order
}
