//! From a day to a published run: the same steps, and so the same bytes, for the command line and for the service.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use closemark_data::day::Day;
use closemark_data::files::Disk;
use closemark_data::input::ReadOptions;
use closemark_data::publication::{
    ExtraFile, OpenedRun, OverrideRecord, Published, RunHead, RunSummary, RunWriter, open_run, settle_published,
};
use closemark_data::report::figures::{Board, BoardBuilder};
use closemark_data::report::{self, ReportHead};
use closemark_data::settings::{RunChoices, run_text};
use closemark_pricing::UnderlyingDay;
use closemark_pricing::mark::FixedMark;

use crate::curve::settle_curve;
use crate::marking::{Watcher, mark_in_order};
use crate::profile::Profile;
use crate::source::DaySource;

/// What a close is made from beside the day.
#[derive(Clone, Copy)]
pub(crate) struct CloseWork<'a> {
    /// What was asked for beyond the day's settings.
    pub(crate) choices: &'a RunChoices,
    /// Threads; all processors where absent.
    pub(crate) threads: Option<u16>,
    /// The run that this one is built on.
    pub(crate) base_run: Option<&'a str>,
    /// Marks that people fixed.
    pub(crate) overrides: &'a [OverrideRecord],
    /// Head of the audit chain, where a service publishes.
    pub(crate) audit_head: Option<&'a str>,
    /// Who watches the series being marked.
    pub(crate) watcher: &'a dyn Watcher,
}

/// What a close made.
pub(crate) struct Closed {
    /// Its board; `None` where the run had been published before, and nothing was marked.
    pub(crate) board: Option<Board<'static>>,
    /// What was published.
    pub(crate) published: Published,
}

/// Gives a day that is held its curve.
///
/// # Errors
/// Where nothing says what money costs.
pub(crate) fn settle(day: &mut Day, profile: &mut Profile) -> anyhow::Result<()> {
    profile.stage("curve", || settle_curve(day))
}

/// What is to be read: a correction takes the rest from its base, but says with its digest what the whole day was.
pub(crate) fn read_options(choices: &RunChoices, base_run: Option<&str>) -> ReadOptions {
    let only = if choices.only.is_empty() || base_run.is_some() { None } else { Some(choices.only.clone()) };
    ReadOptions { flat_rate: choices.flat_rate, only }
}

/// A pool of the threads that were asked for.
///
/// # Errors
/// Where the system has none to give.
pub(crate) fn pool(threads: Option<u16>) -> anyhow::Result<rayon::ThreadPool> {
    let threads = threads.map_or(0, usize::from);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().context("cannot start the threads")
}

/// Marks a day that has its curve, and publishes it under `out`.
///
/// # Errors
/// What marking and publication say; readers then see what they saw before.
pub(crate) fn close_day(
    mut source: DaySource,
    work: &CloseWork<'_>,
    out: &Path,
    profile: &mut Profile,
) -> anyhow::Result<Closed> {
    if let Some(base) = work.base_run.filter(|_| !work.choices.only.is_empty()) {
        profile.stage("base", || source.correct(&work.choices.only, base, out))?;
    }
    let mut overrides = overrides_of(&source, work)?;
    let fixed = fixed(&overrides);
    // What is fixed among the rows that are taken from the base stays fixed.
    if work.base_run.is_some() && !work.choices.only.is_empty() {
        overrides.extend_from_slice(source.base_overrides());
        overrides.sort_by(|a, b| a.osi_symbol.cmp(&b.osi_symbol));
    }
    let settings_text = run_text(&source.head().settings, work.choices);
    let head = RunHead {
        day: source.head(),
        settings_text: &settings_text,
        base_run: work.base_run,
        overrides: &overrides,
        partial: !work.choices.only.is_empty() && work.base_run.is_none(),
        audit_head: work.audit_head,
    };
    let pool = pool(work.threads)?;
    let opened = open_run(Arc::new(Disk), head, source.plan().to_vec(), out, &mut |_| Ok(()))?;
    let run = match opened {
        OpenedRun::Published(before) => {
            let published = profile.stage("publish", || settle_published(*before, &mut |_| Ok(())))?;
            return Ok(Closed { board: None, published });
        }
        OpenedRun::Writing(run) => run,
    };
    mark_and_publish(&source, *run, &fixed, work, &pool, profile)
}

/// The marks that people fixed and that count for the day. Where some underlyings alone are closed, what is fixed for others
/// is no matter of this close: the rest comes from the base with what was fixed there.
fn overrides_of(source: &DaySource, work: &CloseWork<'_>) -> anyhow::Result<Vec<OverrideRecord>> {
    if work.choices.only.is_empty() || work.overrides.is_empty() {
        return Ok(work.overrides.to_vec());
    }
    let symbols = source.symbols_made()?;
    Ok(work.overrides.iter().filter(|one| symbols.contains(&one.osi_symbol)).cloned().collect())
}

/// The marks that people fixed, as marking takes them.
pub(crate) fn fixed(overrides: &[OverrideRecord]) -> Vec<FixedMark> {
    overrides
        .iter()
        .map(|one| FixedMark { osi_symbol: one.osi_symbol.clone(), mark: one.mark(), author: one.author.clone() })
        .collect()
}

/// Writes a file of a run whose figures are there.
type Render<'a> = dyn Fn(&RunSummary<'_>, &mut dyn std::io::Write) -> std::io::Result<()> + Sync + 'a;

/// `report.html` of a close.
pub(crate) struct Report<'a>(Box<Render<'a>>);

impl Report<'_> {
    /// The file, as publication takes it.
    pub(crate) fn file(&self) -> ExtraFile<'_> {
        ExtraFile { name: "report.html", render: &*self.0 }
    }
}

/// The report of a close whose board is there.
pub(crate) fn report<'a>(head: &'a Day, board: &'a Board<'_>) -> Report<'a> {
    Report(Box::new(move |run, file| {
        let said = ReportHead { run_id: run.run_id, gates: run.gates };
        file.write_all(report::render_board(head, board, &said).as_bytes())
    }))
}

fn mark_and_publish(
    source: &DaySource,
    mut run: RunWriter<'_>,
    fixed: &[FixedMark],
    work: &CloseWork<'_>,
    pool: &rayon::ThreadPool,
    profile: &mut Profile,
) -> anyhow::Result<Closed> {
    let mut board = BoardBuilder::default();
    let marked = {
        let mut sink = |day: UnderlyingDay, marks| {
            run.push(&day, &marks)?;
            board.push(Cow::Owned(day), Cow::Owned(marks));
            Ok(())
        };
        profile.stage("mark", || mark_in_order(source, fixed, pool, work.watcher, &mut sink))
    };
    let (spent, write) = marked?;
    profile.underlyings(pool.current_num_threads(), spent, write);
    let board = profile.stage("figures", || board.finish());
    let report = report(source.head(), &board);
    let timings = profile.to_json();
    let published =
        profile.stage("publish", || pool.install(|| run.finish(&[report.file()], Some(&timings), &mut |_| Ok(()))))?;
    drop(report);
    Ok(Closed { board: Some(board), published })
}
