//! `closemark close`: the main job.

use std::fs;
use std::path::Path;

use anyhow::Context;
use closemark_data::input::{DayStream, Embedded, Folder, Resources};
use closemark_data::publication::{OverrideRecord, RunState};
use closemark_data::sample;
use closemark_data::settings::{RunChoices, merge_settings_text};
use closemark_pricing::Settings;

use crate::cli::CloseArguments;
use crate::curve::settle_stream;
use crate::exit::Exit;
use crate::output;
use crate::pipeline::{self, CloseWork, Closed};
use crate::profile::Profile;
use crate::progress::Progress;
use crate::sharding;
use crate::source::DaySource;
use crate::summary;

/// What makes a close a correction of another.
#[derive(Clone, Copy, Default)]
pub(crate) struct Correction<'a> {
    /// The run that it is built on.
    pub(crate) base_run: Option<&'a str>,
    /// Marks that people fixed.
    pub(crate) overrides: &'a [OverrideRecord],
    /// Settings and input of the run that is closed again; those of the command line where absent.
    pub(crate) again: Option<Again<'a>>,
}

/// What a run must share with the one that it closes again.
#[derive(Clone, Copy)]
pub(crate) struct Again<'a> {
    /// The settings.
    pub(crate) settings: &'a Settings,
    /// Digest of the canonical inputs, hex.
    pub(crate) input_digest: &'a str,
}

pub(crate) fn run(arguments: &CloseArguments) -> anyhow::Result<Exit> {
    match arguments.shard {
        Some(shard) if !arguments.check => sharding::run(arguments, shard),
        _ => run_corrected(arguments, &Correction::default()),
    }
}

/// Closes a day, with what a correction fixes.
pub(crate) fn run_corrected(arguments: &CloseArguments, correction: &Correction<'_>) -> anyhow::Result<Exit> {
    let mut profile = Profile::default();
    let source = open_again(arguments, correction, &mut profile)?;
    if arguments.check {
        output::print(&summary::checked(&source))?;
        return Ok(Exit::Done);
    }
    let choices = choices(arguments);
    let progress = Progress::new(source.series());
    let work = CloseWork {
        choices: &choices,
        threads: arguments.threads,
        base_run: correction.base_run.or(arguments.base.as_deref()),
        overrides: correction.overrides,
        audit_head: None,
        watcher: &progress,
    };
    let (series, head) = (source.series(), source.head().clone());
    let Closed { board, published } = pipeline::close_day(source, &work, &arguments.out, &mut profile)?;
    let mut text = match &board {
        Some(board) => summary::closed(&head, board, &published),
        None => summary::published_before(&head, &published),
    };
    if cfg!(feature = "serve") {
        text.push_str(&look(arguments));
    }
    if arguments.profile {
        text.push_str(&profile.to_table(series));
    }
    output::print(&text)?;
    Ok(if published.state == RunState::Preliminary { Exit::Held } else { Exit::Done })
}

/// The command that shows the close in a browser.
fn look(arguments: &CloseArguments) -> String {
    let inputs = arguments.input.as_ref().map_or_else(String::new, |folder| format!(" --inputs {}", folder.display()));
    // Whoever has only the sources has no program of this name on the path.
    let program = if std::env::var_os("CARGO").is_some() { "cargo run --release --" } else { "closemark" };
    format!("Look at it in a browser: {program} serve --out {}{inputs}\n", arguments.out.display())
}

/// Reads the input and settles its curve.
pub(crate) fn open(arguments: &CloseArguments, profile: &mut Profile) -> anyhow::Result<DaySource> {
    open_again(arguments, &Correction::default(), profile)
}

/// The same, with the settings of the run that is closed again, whose input it must be.
fn open_again(
    arguments: &CloseArguments,
    correction: &Correction<'_>,
    profile: &mut Profile,
) -> anyhow::Result<DaySource> {
    let mut stream = profile.stage("read", || read(arguments))?;
    if let Some(again) = correction.again {
        let found = &stream.head().input_digest;
        anyhow::ensure!(
            found == again.input_digest,
            "this input is not what run {} was closed from (digests {found} and {}); close it as it is now first",
            correction.base_run.unwrap_or_default(),
            again.input_digest
        );
        stream.head_mut().settings = again.settings.clone();
    }
    profile.stage("curve", || settle_stream(&mut stream))?;
    Ok(DaySource::streamed(stream))
}

pub(crate) fn choices(arguments: &CloseArguments) -> RunChoices {
    RunChoices { flat_rate: arguments.flat_rate, only: arguments.only.clone() }
}

fn read(arguments: &CloseArguments) -> anyhow::Result<DayStream> {
    let options = pipeline::read_options(&choices(arguments), arguments.base.as_deref());
    let resources = resources(arguments);
    let mut stream = match &arguments.input {
        Some(folder) => DayStream::open(&Folder(folder.clone()), &options, &resources)?,
        None => DayStream::open(&Embedded::from_static(sample::FILES), &options, &resources)?,
    };
    let settings = &mut stream.head_mut().settings;
    if let Some(file) = &arguments.settings {
        let text = read_settings(file)?;
        merge_settings_text(settings, &text).with_context(|| file.display().to_string())?;
    }
    if arguments.no_risk_arrays {
        settings.risk.arrays = false;
    }
    Ok(stream)
}

/// The threads that were asked for; rows that are too many go beside what is published, not where memory may lie.
fn resources(arguments: &CloseArguments) -> Resources {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let spill_folder = (!arguments.check).then(|| arguments.out.clone());
    let threads = arguments.threads.map_or(processors, usize::from);
    Resources { threads, spill_folder, ..Resources::default() }
}

fn read_settings(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("{}: cannot be read as settings", file.display()))
}
