//! `closemark close`: the main job.

use closemark_data::day::Day;
use closemark_data::publication::{ExtraFile, PublicationRequest, RunState, publish};
use closemark_data::report::{self, ReportHead, figures};
use closemark_data::settings::{RunChoices, run_text};

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
    anyhow::bail!("{:?}: no reader", arguments.input)
}
