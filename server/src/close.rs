//! `closemark close`: the main job.

use std::fs;
use std::path::Path;

use anyhow::Context;
use closemark_data::day::Day;
use closemark_data::input::{Embedded, Folder, InputSource, ReadOptions, read_day};
use closemark_data::publication::{ExtraFile, PublicationRequest, RunState, publish};
use closemark_data::report::{self, ReportHead, figures};
use closemark_data::sample;
use closemark_data::settings::{RunChoices, merge_settings_text, run_text};

use crate::cli::CloseArguments;
use crate::curve::settle_curve;
use crate::exit::Exit;
use crate::marking::mark_day;
use crate::output;
use crate::profile::Profile;
use crate::summary;

pub(crate) fn run(arguments: &CloseArguments) -> anyhow::Result<Exit> {
    let mut profile = Profile::default();
    let mut day = profile.stage("read", || read(arguments))?;
    profile.stage("curve", || settle_curve(&mut day))?;
    if arguments.check {
        output::print(&summary::checked(&day))?;
        return Ok(Exit::Done);
    }
    let marks = mark_day(&day, arguments.threads, &mut profile)?;
    let board = profile.stage("figures", || figures::board(&day, &marks));

    let choices = RunChoices { flat_rate: arguments.flat_rate, only: arguments.only.clone() };
    let settings_text = run_text(&day.settings, &choices);
    let timings = profile.to_json();
    let report = ExtraFile {
        name: "report.html",
        render: &|run, file| {
            let head = ReportHead { run_id: run.run_id, gates: run.gates };
            file.write_all(report::render(&day, &marks, &head).as_bytes())
        },
    };
    let request = PublicationRequest {
        partial: !arguments.only.is_empty(),
        day: &day,
        marks: &marks,
        settings_text: &settings_text,
        base_run: None,
        overrides: &[],
        extra_files: &[report],
        timings_json: Some(&timings),
        audit_head: None,
    };
    let published = profile.stage("publish", || publish(&request, &arguments.out))?;

    let mut text = summary::closed(&day, &board, &published);
    if arguments.profile {
        text.push_str(&profile.to_table(board.total.series));
    }
    output::print(&text)?;
    Ok(if published.state == RunState::Preliminary { Exit::Held } else { Exit::Done })
}

fn read(arguments: &CloseArguments) -> anyhow::Result<Day> {
    let only = if arguments.only.is_empty() { None } else { Some(arguments.only.clone()) };
    let options = ReadOptions { flat_rate: arguments.flat_rate, only };
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
