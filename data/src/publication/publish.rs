//! Publication: a run appears whole, or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use closemark_pricing::METHOD_VERSION;
use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::mark::{ExceptionRow, UnderlyingMarks};
use closemark_pricing::vocabulary::VOCABULARY_VERSION;

use super::digest::DigestingFile;
use super::error::PublishError;
use super::folder::{CURRENT, LockedDate, current, date_folder, run_folder};
use super::gates::{Gate, gates};
use super::integrity;
use super::manifest::{MANIFEST, MANIFEST_FORMAT, Manifest, Provenance};
use super::parquet_file::ParquetFile;
use super::risk_arrays;
use super::rows::{RunStamp, push_exception, push_mark, push_slice};
use super::run_id::{OverrideRecord, RunInputs, run_id};
use super::schema::{EXCEPTIONS, MARKS, RISK_ARRAYS, SLICES, TABLES};
use super::state::{DateState, RunEntry, RunState, STATE};
use super::totals::Totals;
use crate::day::Day;
use crate::files::{Disk, Files};

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
    let day = request.day;
    let run_id = run_id(&RunInputs {
        input_digest: &day.input_digest,
        settings_text: request.settings_text,
        method_version: METHOD_VERSION,
        base_run: request.base_run,
        overrides: request.overrides,
    });
    let date_folder = date_folder(out, day.market_date)?;
    let date = LockedDate::lock_on(files, &date_folder)?;
    observe("locked")?;
    let Some(folder) = run_folder(date.path(), &run_id) else {
        return Err(PublishError::State { path: date_folder, detail: format!("{run_id} is no run id") });
    };
    let already_published = folder.exists();
    let manifest = if already_published {
        integrity::check(&folder).map_err(|detail| PublishError::Damaged { path: folder.clone(), detail })?
    } else {
        let temporary = date.temporary(&run_id)?;
        observe("temporary")?;
        let written = write_run(&date, request, &run_id, &temporary, observe)
            .and_then(|manifest| date.adopt(&temporary, &folder).map(|()| manifest));
        if written.is_err() {
            date.discard(&temporary);
        }
        let manifest = written?;
        observe("renamed")?;
        manifest
    };
    let state = settle(&date, &manifest, observe)?;
    Ok(Published { run_id, folder, state, gates: manifest.gates, totals: manifest.totals, already_published })
}

/// Enters the run and moves the pointer. A run that died between any two of these steps is settled by the next try.
fn settle(
    date: &LockedDate,
    manifest: &Manifest,
    observe: &mut dyn FnMut(&'static str) -> Result<(), PublishError>,
) -> Result<RunState, PublishError> {
    let mut states = DateState::read(date.path())?;
    let run_id = &manifest.run_id;
    let state = match states.of(run_id) {
        Some(state) => state,
        None => {
            let passed = manifest.gates.iter().all(|g| g.pass);
            let state = if passed { RunState::Final } else { RunState::Preliminary };
            states.set(RunEntry { run_id: run_id.clone(), state, set_by: "gates".to_owned(), reason: None });
            let bytes = states.to_bytes().map_err(|error| json_failed(date, STATE, &error))?;
            date.replace(STATE, &bytes)?;
            state
        }
    };
    observe("state")?;
    if state == RunState::Final && current(date.path())?.as_ref() != Some(run_id) {
        date.replace(CURRENT, format!("{run_id}\n").as_bytes())?;
    }
    observe("pointer")?;
    Ok(state)
}

fn json_failed(date: &LockedDate, name: &str, error: &serde_json::Error) -> PublishError {
    PublishError::State { path: date.path().join(name), detail: error.to_string() }
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
    let mut names: Vec<&str> = request.extra_files.iter().map(|f| f.name).collect();
    names.extend(TABLES.map(|t| t.file));
    names.extend([MANIFEST, TIMINGS]);
    for (i, file) in request.extra_files.iter().enumerate() {
        let plain = file.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let taken = names.iter().enumerate().any(|(j, name)| i != j && *name == file.name);
        if file.name.is_empty() || file.name.starts_with('.') || !plain || taken {
            return Err(PublishError::ExtraName { name: file.name.to_owned() });
        }
    }
    Ok(())
}

/// Writes every file of the run into a folder that nobody reads yet; the manifest last.
fn write_run(
    date: &LockedDate,
    request: &PublicationRequest<'_>,
    run_id: &str,
    folder: &Path,
    observe: &mut dyn FnMut(&'static str) -> Result<(), PublishError>,
) -> Result<Manifest, PublishError> {
    let day = request.day;
    let stamp = RunStamp { market_date: day.market_date, run_id };
    let mut pairs: Vec<(&UnderlyingDay, &UnderlyingMarks)> = day.underlyings.iter().zip(request.marks).collect();
    pairs.sort_by(|a, b| a.0.underlying.cmp(&b.0.underlying));
    let mut provenance = Provenance { audit_head: request.audit_head.map(ToOwned::to_owned), ..Provenance::default() };

    let (digest, _) = write_marks(date.files(), folder, stamp, &pairs)?.finish()?;
    provenance.files.insert(MARKS.file.to_owned(), digest);
    observe("marks")?;
    let (digest, _) = write_slices(date.files(), folder, stamp, &pairs)?.finish()?;
    provenance.files.insert(SLICES.file.to_owned(), digest);
    observe("slices")?;
    let (digest, exceptions) = write_exceptions(date.files(), folder, &day.exceptions, &pairs)?.finish()?;
    provenance.files.insert(EXCEPTIONS.file.to_owned(), digest);
    observe("exceptions")?;
    let mut arrays = 0;
    if day.settings.risk.arrays {
        let (digest, rows) = risk_arrays::write(folder, &pairs, &day.settings.risk)?.finish()?;
        provenance.files.insert(RISK_ARRAYS.file.to_owned(), digest);
        arrays = rows;
    }
    observe("risk_arrays")?;

    let mut totals = Totals {
        exceptions,
        risk_arrays: arrays,
        rows_read: day.rows_read,
        rows_dropped: day.rows_dropped,
        ..Totals::default()
    };
    let mut expected: Vec<&str> = day.expected.iter().map(String::as_str).collect();
    expected.sort_unstable();
    expected.dedup();
    totals.series_expected = expected.len() as u64;
    for (underlying, marks) in &pairs {
        totals.add(underlying, marks, &expected);
    }
    let mut gates = gates(&totals, &day.settings.gates);
    if request.partial {
        gates.push(Gate::partial(totals.series));
    }

    for extra in request.extra_files {
        let path = folder.join(extra.name);
        let mut file = DigestingFile::create(date.files(), &path)?;
        let summary = RunSummary { run_id, totals: &totals, gates: &gates };
        (extra.render)(&summary, &mut file).map_err(PublishError::io("write", &path))?;
        provenance.files.insert(extra.name.to_owned(), file.finish()?);
    }
    if let Some(timings) = request.timings_json {
        date.write_durably(&folder.join(TIMINGS), timings.as_bytes())?;
    }
    observe("extras")?;

    let manifest = Manifest {
        format: MANIFEST_FORMAT,
        run_id: run_id.to_owned(),
        market_date: crate::date::to_text_within(day.market_date)
            .ok_or(PublishError::Date { days: day.market_date.0 })?,
        snapshot: day.snapshot_text.clone(),
        method_version: METHOD_VERSION.to_owned(),
        vocabulary_version: VOCABULARY_VERSION,
        base_run: request.base_run.map(ToOwned::to_owned),
        previous_run: day.previous_run.clone(),
        overrides: request.overrides.to_vec(),
        settings: request.settings_text.to_owned(),
        settings_digest: blake3::hash(request.settings_text.as_bytes()).to_hex().to_string(),
        input_digest: day.input_digest.clone(),
        input_records: day.record_counts.iter().cloned().collect(),
        totals,
        gates,
        provenance,
    };
    let path = folder.join(MANIFEST);
    let bytes =
        manifest.to_bytes().map_err(|error| PublishError::State { path: path.clone(), detail: error.to_string() })?;
    date.write_durably(&path, &bytes)?;
    observe("manifest")?;
    Ok(manifest)
}

fn write_marks(
    files: &dyn Files,
    folder: &Path,
    stamp: RunStamp<'_>,
    pairs: &[(&UnderlyingDay, &UnderlyingMarks)],
) -> Result<ParquetFile, PublishError> {
    let mut file = ParquetFile::create(files, folder, &MARKS)?;
    for (day, marks) in pairs {
        let mut rows: Vec<_> = day.series.iter().zip(&marks.series).collect();
        rows.sort_by(|(a, _), (b, _)| {
            (a.expiration, a.settlement, &a.root, a.strike, a.option_type, &a.osi_symbol).cmp(&(
                b.expiration,
                b.settlement,
                &b.root,
                b.strike,
                b.option_type,
                &b.osi_symbol,
            ))
        });
        for (series, mark) in rows {
            push_mark(&mut file, stamp, &day.underlying, series, mark)?;
        }
    }
    Ok(file)
}

fn write_slices(
    files: &dyn Files,
    folder: &Path,
    stamp: RunStamp<'_>,
    pairs: &[(&UnderlyingDay, &UnderlyingMarks)],
) -> Result<ParquetFile, PublishError> {
    let mut file = ParquetFile::create(files, folder, &SLICES)?;
    for (day, marks) in pairs {
        let mut rows: Vec<_> = marks.slices.iter().collect();
        rows.sort_by(|a, b| {
            (a.expiration, a.settlement, &a.root, &a.deliverable).cmp(&(
                b.expiration,
                b.settlement,
                &b.root,
                &b.deliverable,
            ))
        });
        for slice in rows {
            push_slice(&mut file, stamp, &day.underlying, slice)?;
        }
    }
    Ok(file)
}

fn write_exceptions(
    files: &dyn Files,
    folder: &Path,
    input: &[ExceptionRow],
    pairs: &[(&UnderlyingDay, &UnderlyingMarks)],
) -> Result<ParquetFile, PublishError> {
    let mut rows: Vec<&ExceptionRow> = input.iter().chain(pairs.iter().flat_map(|(_, m)| &m.exceptions)).collect();
    // A total order, so that neither threads nor the order of the input's files show.
    rows.sort_by_key(|r| {
        (
            (r.underlying.as_deref(), r.expiration, r.settlement, r.root.as_deref(), r.osi_symbol.as_deref()),
            (r.scope, r.stage, r.reason),
            (r.field.as_deref(), r.before.as_deref(), r.after.as_deref(), r.author.as_deref()),
        )
    });
    let mut file = ParquetFile::create(files, folder, &EXCEPTIONS)?;
    for row in rows {
        push_exception(&mut file, row)?;
    }
    Ok(file)
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
