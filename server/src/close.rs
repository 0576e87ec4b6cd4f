//! `closemark close`: the main job.

use std::fs;
use std::path::Path;

use anyhow::Context;
use closemark_data::day::Day;
use closemark_data::input::{Embedded, Folder, InputSource, ReadOptions, read_day};
use closemark_data::publication::{OverrideRecord, RunState};
use closemark_data::report::figures;
use closemark_data::sample;
use closemark_data::settings::{RunChoices, merge_settings_text};
use closemark_pricing::Settings;

use crate::cli::CloseArguments;
use crate::exit::Exit;
use crate::output;
use crate::pipeline::{self, CloseWork};
use crate::profile::Profile;
use crate::progress::Progress;
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
    run_corrected(arguments, &Correction::default())
}

/// Closes a day, with what a correction fixes.
pub(crate) fn run_corrected(arguments: &CloseArguments, correction: &Correction<'_>) -> anyhow::Result<Exit> {
    let mut profile = Profile::default();
    let mut day = profile.stage("read", || read(arguments))?;
    if let Some(again) = correction.again {
        anyhow::ensure!(
            day.input_digest == again.input_digest,
            "this input is not what run {} was closed from (digests {} and {}); close it as it is now first",
            correction.base_run.unwrap_or_default(),
            day.input_digest,
            again.input_digest
        );
        day.settings = again.settings.clone();
    }
    pipeline::settle(&mut day, &mut profile)?;
    if arguments.check {
        output::print(&summary::checked(&day))?;
        return Ok(Exit::Done);
    }
    let choices = choices(arguments);
    let progress = Progress::new(day.underlyings.iter().map(|u| u.series.len() as u64).sum());
    let work = CloseWork {
        choices: &choices,
        threads: arguments.threads,
        base_run: correction.base_run.or(arguments.base.as_deref()),
        overrides: correction.overrides,
        audit_head: None,
        watcher: &progress,
    };
    let closed = pipeline::close_day(day, &work, &arguments.out, &mut profile)?;
    let board = profile.stage("figures", || figures::board(&closed.day, &closed.marks));

    let mut text = summary::closed(&closed.day, &board, &closed.published);
    if cfg!(feature = "serve") {
        text.push_str(&look(arguments));
    }
    if arguments.profile {
        text.push_str(&profile.to_table(board.total.series));
    }
    output::print(&text)?;
    Ok(if closed.published.state == RunState::Preliminary { Exit::Held } else { Exit::Done })
}

/// The command that shows the close in a browser.
fn look(arguments: &CloseArguments) -> String {
    let inputs = arguments.input.as_ref().map_or_else(String::new, |folder| format!(" --inputs {}", folder.display()));
    // Whoever has only the sources has no program of this name on the path.
    let program = if std::env::var_os("CARGO").is_some() { "cargo run --release --" } else { "closemark" };
    format!("Look at it in a browser: {program} serve --out {}{inputs}\n", arguments.out.display())
}

fn choices(arguments: &CloseArguments) -> RunChoices {
    RunChoices { flat_rate: arguments.flat_rate, only: arguments.only.clone() }
}

fn read(arguments: &CloseArguments) -> anyhow::Result<Day> {
    let options = pipeline::read_options(&choices(arguments), arguments.base.as_deref());
    let mut day = match &arguments.input {
        Some(folder) => read_from(&Folder(folder.clone()), &options)?,
        None => read_from(&Embedded::from_static(sample::FILES), &options)?,
    };
    if let Some(file) = &arguments.settings {
        let text = read_settings(file)?;
        merge_settings_text(&mut day.settings, &text).with_context(|| file.display().to_string())?;
    }
    if arguments.no_risk_arrays {
        day.settings.risk.arrays = false;
    }
    Ok(day)
}

fn read_from(source: &dyn InputSource, options: &ReadOptions) -> anyhow::Result<Day> {
    Ok(read_day(source, options)?)
}

fn read_settings(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("{}: cannot be read as settings", file.display()))
}
