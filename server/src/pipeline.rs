//! From a day to a published run: the same steps, and so the same bytes, for the command line and for the service.

use std::collections::BTreeSet;
use std::path::Path;

use closemark_data::day::Day;
use closemark_data::input::ReadOptions;
use closemark_data::publication::{ExtraFile, OverrideRecord, PublicationRequest, Published, publish};
use closemark_data::report::{self, ReportHead};
use closemark_data::settings::{RunChoices, run_text};
use closemark_pricing::mark::{FixedMark, UnderlyingMarks};

use crate::correction::Correction;
use crate::curve::settle_curve;
use crate::marking::{Watcher, mark_day};
use crate::profile::Profile;

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
    /// The day as it was published: with what was taken from a base run.
    pub(crate) day: Day,
    /// One entry for each underlying of the day, in its order.
    pub(crate) marks: Vec<UnderlyingMarks>,
    /// What was published.
    pub(crate) published: Published,
}

/// Gives the day its curve.
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

/// Marks a day that has its curve, and publishes it under `out`.
///
/// # Errors
/// What marking and publication say; readers then see what they saw before.
pub(crate) fn close_day(
    mut day: Day,
    work: &CloseWork<'_>,
    out: &Path,
    profile: &mut Profile,
) -> anyhow::Result<Closed> {
    let correction = match work.base_run {
        Some(base) if !work.choices.only.is_empty() => {
            Some(profile.stage("base", || Correction::begin(&mut day, &work.choices.only, base, out))?)
        }
        _ => None,
    };
    let mut overrides = overrides_of(&day, work);
    let fixed: Vec<FixedMark> = overrides
        .iter()
        .map(|one| FixedMark { osi_symbol: one.osi_symbol.clone(), mark: one.mark(), author: one.author.clone() })
        .collect();
    if let Some(correction) = &correction {
        overrides.extend(correction.overrides());
        overrides.sort_by(|a, b| a.osi_symbol.cmp(&b.osi_symbol));
    }
    let mut marks = mark_day(&day, &fixed, work.threads, work.watcher, profile)?;
    if let Some(correction) = correction {
        marks = correction.finish(&mut day, marks);
    }
    let settings_text = run_text(&day.settings, work.choices);
    let timings = profile.to_json();
    let report = ExtraFile {
        name: "report.html",
        render: &|run, file| {
            let head = ReportHead { run_id: run.run_id, gates: run.gates };
            file.write_all(report::render(&day, &marks, &head).as_bytes())
        },
    };
    let request = PublicationRequest {
        partial: !work.choices.only.is_empty() && work.base_run.is_none(),
        day: &day,
        marks: &marks,
        settings_text: &settings_text,
        base_run: work.base_run,
        overrides: &overrides,
        extra_files: &[report],
        timings_json: Some(&timings),
        audit_head: work.audit_head,
    };
    let published = profile.stage("publish", || publish(&request, out))?;
    Ok(Closed { day, marks, published })
}

/// The marks that people fixed and that count for the day. Where some underlyings alone are closed, the day holds those,
/// and what is fixed for others is no matter of this close: the rest comes from the base with what was fixed there.
fn overrides_of(day: &Day, work: &CloseWork<'_>) -> Vec<OverrideRecord> {
    if work.choices.only.is_empty() {
        return work.overrides.to_vec();
    }
    let symbols: BTreeSet<&str> =
        day.underlyings.iter().flat_map(|own| &own.series).map(|series| series.osi_symbol.as_str()).collect();
    work.overrides.iter().filter(|one| symbols.contains(one.osi_symbol.as_str())).cloned().collect()
}
