//! Publication: a run appears whole, or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::mark::UnderlyingMarks;

use super::error::PublishError;
use super::gates::Gate;
use super::manifest::MANIFEST;
use super::run_id::OverrideRecord;
use super::run_writer::{OpenedRun, RunHead, open_run, settle_published};
use super::schema::TABLES;
use super::state::RunState;
use super::totals::Totals;
use crate::day::Day;
use crate::files::{Disk, Files};
use crate::input::PlannedUnderlying;

/// Timings stand beside a run's files and outside every digest.
pub const TIMINGS: &str = "timings.json";

/// What a renderer of a further file may know.
#[derive(Clone, Copy, Debug)]
pub struct RunSummary<'a> {
    /// The run.
    pub run_id: &'a str,
    /// What the close amounts to.
    pub totals: &'a Totals,
    /// Its gates.
    pub gates: &'a [Gate],
}

/// Writes one further file of a run.
pub type Render<'a> = dyn Fn(&RunSummary<'_>, &mut dyn Write) -> io::Result<()> + 'a;

/// A file that others make, as `report.html`. It must follow from the canonical inputs alone.
pub struct ExtraFile<'a> {
    /// Its name in the run's folder.
    pub name: &'a str,
    /// Writes it.
    pub render: &'a Render<'a>,
}

/// Everything that a publication needs.
pub struct PublicationRequest<'a> {
    /// The day as read.
    pub day: &'a Day,
    /// One entry per underlying of the day, in the day's order.
    pub marks: &'a [UnderlyingMarks],
    /// Canonical text of the settings, with every flag that changes a published byte.
    pub settings_text: &'a str,
    /// The run this one is built on.
    pub base_run: Option<&'a str>,
    /// Marks that people fixed.
    pub overrides: &'a [OverrideRecord],
    /// Files that others make.
    pub extra_files: &'a [ExtraFile<'a>],
    /// Text of `timings.json`, outside every digest.
    pub timings_json: Option<&'a str>,
    /// Whether only some of the day's underlyings were closed: such a run is never the one that counts.
    pub partial: bool,
    /// Head of the audit chain, where a service publishes.
    pub audit_head: Option<&'a str>,
}

/// What publication did.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// The run.
    pub run_id: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What it is now.
    pub state: RunState,
    /// Its gates.
    pub gates: Vec<Gate>,
    /// What it amounts to.
    pub totals: Totals,
    /// Whether it was there already, and was verified instead of written.
    pub already_published: bool,
}

/// The steps of a publication, in order; an observer sees each after it is done.
pub const STEPS: [&str; 11] = [
    "locked",
    "temporary",
    "marks",
    "slices",
    "exceptions",
    "risk_arrays",
    "extras",
    "manifest",
    "renamed",
    "state",
    "pointer",
];

/// Publishes a close under `out`.
///
/// # Errors
/// See [`PublishError`]; readers then see what they saw before.
pub fn publish(request: &PublicationRequest<'_>, out: &Path) -> Result<Published, PublishError> {
    publish_observed(request, out, &mut |_| Ok(()))
}

/// [`publish`] with an observer that sees each of [`STEPS`] when it is done and may stop there.
///
/// # Errors
/// See [`publish`]; [`PublishError::Stopped`] where the observer said so.
pub fn publish_observed(
    request: &PublicationRequest<'_>,
    out: &Path,
    observe: &mut dyn FnMut(&'static str) -> Result<(), PublishError>,
) -> Result<Published, PublishError> {
    publish_on(Arc::new(Disk), request, out, observe)
}

/// [`publish_observed`] with everything that is written going through a file layer; what is read comes from the disk.
///
/// # Errors
/// See [`publish_observed`].
pub fn publish_on(
    files: Arc<dyn Files>,
    request: &PublicationRequest<'_>,
    out: &Path,
    observe: &mut dyn FnMut(&'static str) -> Result<(), PublishError>,
) -> Result<Published, PublishError> {
    check(request)?;
    let mut pairs: Vec<(&UnderlyingDay, &UnderlyingMarks)> =
        request.day.underlyings.iter().zip(request.marks).collect();
    pairs.sort_by(|a, b| a.0.underlying.cmp(&b.0.underlying));
    let head = RunHead {
        day: request.day,
        settings_text: request.settings_text,
        base_run: request.base_run,
        overrides: request.overrides,
        partial: request.partial,
        audit_head: request.audit_head,
    };
    let plan = pairs.iter().map(|(day, _)| PlannedUnderlying::of(day)).collect();
    match open_run(files, head, plan, out, observe)? {
        OpenedRun::Published(published) => settle_published(*published, observe),
        OpenedRun::Writing(mut run) => {
            for (day, marks) in pairs {
                run.push(day, marks)?;
            }
            run.finish(request.extra_files, request.timings_json, observe)
        }
    }
}

/// Refuses what cannot be published before anything is touched.
fn check(request: &PublicationRequest<'_>) -> Result<(), PublishError> {
    let underlyings = &request.day.underlyings;
    let shape = |underlying: &str, expected, found| {
        if expected == found {
            return Ok(());
        }
        Err(PublishError::Shape { underlying: underlying.to_owned(), expected, found })
    };
    shape("the day's underlyings", underlyings.len(), request.marks.len())?;
    for (day, marks) in underlyings.iter().zip(request.marks) {
        shape(&day.underlying, day.series.len(), marks.series.len())?;
    }
    check_names(request.extra_files)
}

/// Refuses names that are no plain file names, or taken.
pub(super) fn check_names(extra_files: &[ExtraFile<'_>]) -> Result<(), PublishError> {
    let mut names: Vec<&str> = extra_files.iter().map(|f| f.name).collect();
    names.extend(TABLES.map(|t| t.file));
    names.extend([MANIFEST, TIMINGS]);
    for (i, file) in extra_files.iter().enumerate() {
        let plain = file.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let taken = names.iter().enumerate().any(|(j, name)| i != j && *name == file.name);
        if file.name.is_empty() || file.name.starts_with('.') || !plain || taken {
            return Err(PublishError::ExtraName { name: file.name.to_owned() });
        }
    }
    Ok(())
}

/// The names in a run's folder.
pub(crate) fn file_names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}
