//! A close in several processes: `close --shard i/n` each, then `assemble`, which publishes what one process would.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use closemark_data::files::Disk;
use closemark_data::publication::read::restore_each;
use closemark_data::publication::{
    OpenedRun, Published, RunHead, RunState, RunWriter, Shard, ShardWriter, Shards, open_run, settle_published,
};
use closemark_data::report::figures::{Board, BoardBuilder};
use closemark_data::settings::run_text;
use closemark_pricing::UnderlyingDay;

use crate::cli::CloseArguments;
use crate::close;
use crate::exit::Exit;
use crate::marking::mark_in_order;
use crate::output;
use crate::pipeline::{self, Closed};
use crate::profile::Profile;
use crate::progress::Progress;
use crate::source::DaySource;
use crate::summary;
use crate::text::{counted, grouped};

/// Marks one shard and writes it beside the runs.
pub(crate) fn run(arguments: &CloseArguments, shard: Shard) -> anyhow::Result<Exit> {
    anyhow::ensure!(arguments.base.is_none(), "a correction (--base) is not closed in shards");
    let mut profile = Profile::default();
    let mut source = close::open(arguments, &mut profile)?;
    let settings_text = run_text(&source.head().settings, &close::choices(arguments));
    source.keep(shard.range(source.plan()));
    let head = head(&source, &settings_text, arguments);
    let mut writer = ShardWriter::begin(&head, shard, source.plan().to_vec(), &arguments.out)?;
    let pool = pipeline::pool(arguments.threads)?;
    let progress = Progress::new(source.series());
    let marked = {
        let mut sink = |day: UnderlyingDay, marks| Ok(writer.push(&day, &marks)?);
        profile.stage("mark", || mark_in_order(&source, &[], &pool, &progress, &mut sink))
    };
    let (spent, write) = marked?;
    profile.underlyings(pool.current_num_threads(), spent, write);
    let (folder, run_id) = profile.stage("publish", || pool.install(|| writer.finish()))?;
    let mut text = format!(
        "Shard {} of {} of run {run_id}: {} series of {}\n{}\n",
        shard.number,
        shard.of,
        grouped(source.series()),
        counted(source.plan().len() as u64, "underlying"),
        folder.display()
    );
    if arguments.profile {
        text.push_str(&profile.to_table(source.series()));
    }
    output::print(&text)?;
    Ok(Exit::Done)
}

/// Publishes the run whose shards are all there.
pub(crate) fn assemble(arguments: &CloseArguments) -> anyhow::Result<Exit> {
    anyhow::ensure!(arguments.shard.is_none(), "--shard is for closemark close; assemble takes every shard");
    anyhow::ensure!(arguments.base.is_none(), "a correction (--base) is not closed in shards");
    let mut profile = Profile::default();
    let source = close::open(arguments, &mut profile)?;
    let settings_text = run_text(&source.head().settings, &close::choices(arguments));
    let head = head(&source, &settings_text, arguments);
    let pool = pipeline::pool(arguments.threads)?;
    let closed = pool.install(|| gather(&source, head, &arguments.out, &mut profile))?;
    let mut text = match &closed.board {
        Some(board) => summary::closed(source.head(), board, &closed.published),
        None => summary::published_before(source.head(), &closed.published),
    };
    if arguments.profile {
        text.push_str(&profile.to_table(source.series()));
    }
    output::print(&text)?;
    Ok(if closed.published.state == RunState::Preliminary { Exit::Held } else { Exit::Done })
}

fn head<'a>(source: &'a DaySource, settings_text: &'a str, arguments: &CloseArguments) -> RunHead<'a> {
    RunHead {
        day: source.head(),
        settings_text,
        base_run: None,
        overrides: &[],
        partial: !arguments.only.is_empty(),
        audit_head: None,
    }
}

fn gather(source: &DaySource, head: RunHead<'_>, out: &Path, profile: &mut Profile) -> anyhow::Result<Closed> {
    let opened = open_run(Arc::new(Disk), head, source.plan().to_vec(), out, &mut |_| Ok(()))?;
    let mut run = match opened {
        OpenedRun::Published(before) => {
            let published = settle_published(*before, &mut |_| Ok(()))?;
            if let Ok(shards) = Shards::open(&head, out) {
                shards.remove();
            }
            return Ok(Closed { board: None, published });
        }
        OpenedRun::Writing(run) => *run,
    };
    let shards = profile.stage("check", || Shards::open(&head, out))?;
    let mut board = BoardBuilder::default();
    profile
        .stage("assemble", || shards.all().try_for_each(|shard| take(source, &shards, shard, &mut run, &mut board)))?;
    let board = board.finish();
    let published = publish(source, run, &board, profile)?;
    shards.remove();
    Ok(Closed { board: Some(board), published })
}

fn publish(
    source: &DaySource,
    run: RunWriter<'_>,
    board: &Board<'_>,
    profile: &mut Profile,
) -> anyhow::Result<Published> {
    let timings = profile.to_json();
    let report = pipeline::report(source.head(), board);
    Ok(profile.stage("publish", || run.finish(&[report.file()], Some(&timings), &mut |_| Ok(())))?)
}

/// Hands a shard's underlyings on, in the day's order.
fn take(
    source: &DaySource,
    shards: &Shards,
    shard: Shard,
    run: &mut RunWriter<'_>,
    board: &mut BoardBuilder<'static>,
) -> anyhow::Result<()> {
    let folder = shards.folder(shard);
    let mut places = shard.range(source.plan());
    restore_each(&folder, |own| -> anyhow::Result<()> {
        let other = || format!("{}: the shard is not of this day", folder.display());
        let (day, _) = source.take(places.next().with_context(other)?)?;
        anyhow::ensure!(own.marks.underlying == day.underlying, other());
        run.push(&day, &own.marks)?;
        let day = UnderlyingDay { quotes: Vec::new(), quote_offsets: Vec::new(), ..day };
        board.push(Cow::Owned(day), Cow::Owned(own.marks));
        Ok(())
    })
}
