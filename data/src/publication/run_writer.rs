//! One run on its way to being published: opened, filled underlying by underlying, finished.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use closemark_pricing::METHOD_VERSION;
use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::mark::UnderlyingMarks;
use closemark_pricing::vocabulary::VOCABULARY_VERSION;

use super::digest::DigestingFile;
use super::error::PublishError;
use super::folder::{CURRENT, LockedDate, current, date_folder, run_folder};
use super::gates::{Gate, gates};
use super::integrity;
use super::manifest::{MANIFEST, MANIFEST_FORMAT, Manifest, Provenance};
use super::publish::{ExtraFile, Published, RunSummary, TIMINGS, check_names};
use super::run_id::{OverrideRecord, RunInputs, run_id};
use super::state::{DateState, RunEntry, RunState, STATE};
use super::tables::Tables;
use crate::day::Day;
use crate::files::Files;
use crate::input::PlannedUnderlying;

/// What a run is, beside its rows.
#[derive(Clone, Copy, Debug)]
pub struct RunHead<'a> {
    /// The day as read; its underlyings are not looked at.
    pub day: &'a Day,
    /// Canonical text of the settings, with every flag that changes a published byte.
    pub settings_text: &'a str,
    /// The run this one is built on.
    pub base_run: Option<&'a str>,
    /// Marks that people fixed.
    pub overrides: &'a [OverrideRecord],
    /// Whether only some of the day's underlyings were closed: such a run is never the one that counts.
    pub partial: bool,
    /// Head of the audit chain, where a service publishes.
    pub audit_head: Option<&'a str>,
}

impl RunHead<'_> {
    /// The run's name, which follows from what goes in.
    pub fn run_id(&self) -> String {
        run_id(&RunInputs {
            input_digest: &self.day.input_digest,
            settings_text: self.settings_text,
            method_version: METHOD_VERSION,
            base_run: self.base_run,
            overrides: self.overrides,
        })
    }
}

/// A run that was there already, or one to be written.
pub enum OpenedRun<'a> {
    /// It was published before and holds.
    Published(Box<PublishedBefore>),
    /// It is to be written.
    Writing(Box<RunWriter<'a>>),
}

/// A run that was there already, under the lock of its date.
pub struct PublishedBefore {
    date: LockedDate,
    folder: PathBuf,
    manifest: Manifest,
}

/// A run being written: underlyings are pushed in ascending order, and readers see nothing until it is finished.
///
/// What is dropped unfinished leaves nothing behind.
pub struct RunWriter<'a> {
    date: LockedDate,
    head: RunHead<'a>,
    run_id: String,
    folder: PathBuf,
    temporary: PathBuf,
    tables: Option<Tables>,
}

impl Drop for RunWriter<'_> {
    fn drop(&mut self) {
        if self.temporary.exists() {
            self.date.discard(&self.temporary);
        }
    }
}

/// Takes the lock of the date, and begins the run or finds it published.
///
/// # Errors
/// See [`PublishError`]; readers then see what they saw before.
pub fn open_run<'a>(
    files: Arc<dyn Files>,
    head: RunHead<'a>,
    plan: Vec<PlannedUnderlying>,
    out: &Path,
    observe: &mut dyn FnMut(&'static str) -> Result<(), PublishError>,
) -> Result<OpenedRun<'a>, PublishError> {
    let run_id = head.run_id();
    let date_folder = date_folder(out, head.day.market_date)?;
    let date = LockedDate::lock_on(files, &date_folder)?;
    observe("locked")?;
    let Some(folder) = run_folder(date.path(), &run_id) else {
        return Err(PublishError::State { path: date_folder, detail: format!("{run_id} is no run id") });
    };
    if folder.exists() {
        let manifest =
            integrity::check(&folder).map_err(|detail| PublishError::Damaged { path: folder.clone(), detail })?;
        return Ok(OpenedRun::Published(Box::new(PublishedBefore { date, folder, manifest })));
    }
    let temporary = date.temporary(&run_id)?;
    let mut run = RunWriter { date, head, run_id, folder, temporary, tables: None };
    observe("temporary")?;
    run.tables = Some(Tables::create(run.date.files(), &run.temporary, &run.run_id, head.day, plan)?);
    Ok(OpenedRun::Writing(Box::new(run)))
}

/// Settles the state of a run that was published before: whoever wrote it may have died before its last steps.
///
/// # Errors
/// See [`PublishError`].
pub fn settle_published(
    before: PublishedBefore,
    observe: &mut dyn FnMut(&'static str) -> Result<(), PublishError>,
) -> Result<Published, PublishError> {
    let PublishedBefore { date, folder, manifest } = before;
    let state = settle(&date, &manifest, observe)?;
    let Manifest { run_id, gates, totals, .. } = manifest;
    Ok(Published { run_id, folder, state, gates, totals, already_published: true })
}

impl RunWriter<'_> {
    /// The run.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Takes the rows of the next underlying of the plan.
    ///
    /// # Errors
    /// [`PublishError::Shape`] where it is another one, or rows are missing; otherwise what the file system says.
    pub fn push(&mut self, day: &UnderlyingDay, marks: &UnderlyingMarks) -> Result<(), PublishError> {
        match &mut self.tables {
            Some(tables) => tables.push(day, marks),
            None => Ok(()),
        }
    }

    /// Writes what is left, evaluates the gates and publishes the run.
    ///
    /// # Errors
    /// See [`PublishError`]; readers then see what they saw before.
    pub fn finish(
        mut self,
        extra_files: &[ExtraFile<'_>],
        timings_json: Option<&str>,
        observe: &mut dyn FnMut(&'static str) -> Result<(), PublishError>,
    ) -> Result<Published, PublishError> {
        check_names(extra_files)?;
        let manifest = self.write(extra_files, timings_json, observe)?;
        self.date.adopt(&self.temporary, &self.folder)?;
        observe("renamed")?;
        let state = settle(&self.date, &manifest, observe)?;
        Ok(Published {
            run_id: manifest.run_id,
            folder: self.folder.clone(),
            state,
            gates: manifest.gates,
            totals: manifest.totals,
            already_published: false,
        })
    }

    /// Writes every file of the run into the folder that nobody reads yet; the manifest last.
    fn write(
        &mut self,
        extra_files: &[ExtraFile<'_>],
        timings_json: Option<&str>,
        observe: &mut dyn FnMut(&'static str) -> Result<(), PublishError>,
    ) -> Result<Manifest, PublishError> {
        let (day, folder, date) = (self.head.day, &self.temporary, &self.date);
        let (totals, files) = match self.tables.take() {
            Some(tables) => tables.finish(observe)?,
            None => Default::default(),
        };
        let mut provenance = Provenance { audit_head: self.head.audit_head.map(ToOwned::to_owned), files };
        let mut gates = gates(&totals, &day.settings.gates);
        if self.head.partial {
            gates.push(Gate::partial(totals.series));
        }
        for extra in extra_files {
            let path = folder.join(extra.name);
            let mut file = DigestingFile::create(date.files(), &path)?;
            let summary = RunSummary { run_id: &self.run_id, totals: &totals, gates: &gates };
            (extra.render)(&summary, &mut file).map_err(PublishError::io("write", &path))?;
            provenance.files.insert(extra.name.to_owned(), file.finish()?);
        }
        if let Some(timings) = timings_json {
            date.write_durably(&folder.join(TIMINGS), timings.as_bytes())?;
        }
        observe("extras")?;

        let manifest = Manifest {
            format: MANIFEST_FORMAT,
            run_id: self.run_id.clone(),
            market_date: crate::date::to_text_within(day.market_date)
                .ok_or(PublishError::Date { days: day.market_date.0 })?,
            snapshot: day.snapshot_text.clone(),
            method_version: METHOD_VERSION.to_owned(),
            vocabulary_version: VOCABULARY_VERSION,
            base_run: self.head.base_run.map(ToOwned::to_owned),
            previous_run: day.previous_run.clone(),
            overrides: self.head.overrides.to_vec(),
            settings: self.head.settings_text.to_owned(),
            settings_digest: blake3::hash(self.head.settings_text.as_bytes()).to_hex().to_string(),
            input_digest: day.input_digest.clone(),
            input_records: day.record_counts.iter().cloned().collect(),
            totals,
            gates,
            provenance,
        };
        let path = folder.join(MANIFEST);
        let bytes = manifest
            .to_bytes()
            .map_err(|error| PublishError::State { path: path.clone(), detail: error.to_string() })?;
        date.write_durably(&path, &bytes)?;
        observe("manifest")?;
        Ok(manifest)
    }
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
