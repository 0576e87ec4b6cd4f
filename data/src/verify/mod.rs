//! Verification: an independent reading of the published files alone.
//!
//! Nothing here calls what makes marks: the conditions of METHOD's exact publication are written a second time, on the
//! published integers, in exact arithmetic, so that one mistake does not hide in both. What is shared with publication is the
//! contract: column descriptions, vocabularies and the manifest's form.

mod calendar;
mod curve;
mod error;
mod exceptions;
mod layout;
mod legs;
mod report;
mod risk_arrays;
mod risk_points;
mod rows;
mod slices;
mod strikes;
mod wide;

use std::path::{Path, PathBuf};

use closemark_pricing::series::Date;
use closemark_pricing::vocabulary::VOCABULARY_VERSION;
use rayon::prelude::*;

pub use error::VerifyError;
pub use report::{Kind, VerifyReport, Violation};

use self::slices::Slice;
use self::strikes::Findings;
use crate::date;
use crate::publication::read::ReadError;
use crate::publication::schema::{EXCEPTIONS, MARKS, SLICES};
use crate::publication::{MANIFEST, Manifest, current, integrity, run_folder};

/// Reads a published close and says what does not hold.
///
/// `path` is a date's folder (its CURRENT run is read) or a run's folder.
///
/// # Errors
/// [`VerifyError`] where there is no run, or none whose manifest can be read; everything else is a [`Violation`].
pub fn verify(path: &Path) -> Result<VerifyReport, VerifyError> {
    let folder = locate(path)?;
    let unreadable = |detail: String| VerifyError::Unreadable { path: folder.clone(), detail };
    let manifest = integrity::manifest(&folder).map_err(unreadable)?;
    let mut report = VerifyReport {
        run_id: manifest.run_id.clone(),
        market_date: manifest.market_date.clone(),
        ..VerifyReport::default()
    };
    let differences = integrity::differences(&folder, &manifest).map_err(unreadable)?;
    report.add(differences.into_iter().map(|(file, detail)| of_file(&file, detail)).collect());
    report.add(versions(&manifest));
    if let Err(error) = read_tables(&folder, &manifest, &mut report) {
        report.add(vec![Violation::new("run", Kind::Schema, "unreadable", error.to_string())]);
    }
    Ok(report)
}

/// Reads the tables and checks what they hold; an error where one cannot be read on.
fn read_tables(folder: &Path, manifest: &Manifest, report: &mut VerifyReport) -> Result<(), VerifyError> {
    let unreadable = |detail: String| VerifyError::Unreadable { path: folder.to_owned(), detail };
    let (slice_file, found) = layout::open(folder, &SLICES)?;
    report.add(found);
    let (mark_file, found) = layout::open(folder, &MARKS)?;
    report.add(found);
    let (exception_file, found) = layout::open(folder, &EXCEPTIONS)?;
    report.add(found);
    if exception_file.readable {
        let batches = exception_file.map(|batch| Ok(batch.clone()))?;
        report.add(exceptions::check(&batches).map_err(|e| unreadable(e.to_string()))?);
        let rows = batches.iter().map(|b| b.num_rows() as u64).sum();
        report.add(counted(EXCEPTIONS.file, rows, manifest.totals.exceptions));
    }
    if !(slice_file.readable && mark_file.readable) {
        return Ok(());
    }

    let read = |e: ReadError| unreadable(e.to_string());
    let batches = slice_file.map(|batch| Ok(batch.clone()))?;
    let (mut slices, found) = slices::read(&batches, &manifest.run_id).map_err(read)?;
    report.add(found);
    report.slices = slices.len() as u64;
    report.add(counted(SLICES.file, report.slices, manifest.totals.slices));

    let asked = risk_arrays::Asked::of(manifest);
    let arrays = asked.expected(manifest);
    report.add(risk_arrays::unasked(manifest, &asked));
    let market_date = date::parse_dashed(&manifest.market_date).map_or(i32::MIN, |d| d.0);
    let parts = mark_file.map(|batch| {
        let found = rows::check(batch, &manifest.run_id, market_date).map_err(read)?;
        let part = legs::read(batch, &slices).map_err(read)?;
        let marked = if arrays { risk_arrays::marked(batch).map_err(read)? } else { Vec::new() };
        Ok((batch.num_rows() as u64, found, part, marked))
    })?;
    let mut last: Option<legs::RowKey> = None;
    let mut series = Vec::new();
    for (rows, found, part, marked) in parts {
        series.extend(marked);
        report.marks += rows;
        report.add(found);
        report.add(part.found);
        if let Some((first, end)) = part.ends {
            if last.as_ref().is_some_and(|last| *last >= first) {
                let detail = "stands after a later row".to_owned();
                report.add(vec![Violation::new(MARKS.file, Kind::Order, first.osi_symbol.clone(), detail)]);
            }
            last = Some(end);
        }
        report.add(legs::distribute(&part.legs, &mut slices));
    }
    report.add(counted(MARKS.file, report.marks, manifest.totals.series));
    check_integers(&slices, report);
    if arrays { risk_arrays::check(folder, manifest, &asked, series, report) } else { Ok(()) }
}

/// The exact conditions, underlying by underlying.
fn check_integers(slices: &[Slice], report: &mut VerifyReport) {
    let underlyings: Vec<&[Slice]> = slices.chunk_by(|a, b| a.key.underlying == b.key.underlying).collect();
    let checked: Vec<(u64, Vec<Violation>)> = underlyings.into_par_iter().map(check_underlying).collect();
    for (conditions, found) in checked {
        report.conditions += conditions;
        report.add(found);
    }
}

fn check_underlying(slices: &[Slice]) -> (u64, Vec<Violation>) {
    let (mut conditions, mut found) = (0, Vec::new());
    for slice in slices {
        let label = slice.key.label();
        let mut findings = Findings { label: &label, conditions: 0, found: Vec::new() };
        if slice.time_to_expiry > 0.0 {
            strikes::check(slice, &mut findings);
        } else {
            strikes::expired(slice, &mut findings);
        }
        conditions += findings.conditions;
        found.append(&mut findings.found);
    }
    let mut classes: Vec<&Slice> = slices.iter().collect();
    classes.sort_by(|a, b| a.key.deliverable.cmp(&b.key.deliverable));
    for class in classes.chunk_by(|a, b| a.key.deliverable == b.key.deliverable) {
        conditions += calendar::check(class, &mut found);
    }
    (conditions, found)
}

/// A date's current run, or the run itself.
fn locate(path: &Path) -> Result<PathBuf, VerifyError> {
    if path.join(MANIFEST).is_file() {
        return Ok(path.to_owned());
    }
    let run = current(path).ok().flatten().and_then(|id| run_folder(path, &id)).filter(|f| f.is_dir());
    run.ok_or_else(|| VerifyError::NoRun { path: path.to_owned() })
}

fn of_file(file: &str, detail: String) -> Violation {
    let kind = if file == MANIFEST { Kind::Manifest } else { Kind::Digest };
    Violation::new(file, kind, "file", detail)
}

fn versions(manifest: &Manifest) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut wrong = |subject: &str, detail: String| {
        found.push(Violation::new(MANIFEST, Kind::Manifest, subject, detail));
    };
    if manifest.vocabulary_version != VOCABULARY_VERSION {
        let detail = format!("{}, this program knows {VOCABULARY_VERSION}", manifest.vocabulary_version);
        wrong("vocabulary_version", detail);
    }
    if date::parse_dashed(&manifest.market_date).is_none() {
        wrong("market_date", format!("{:?} is no date", manifest.market_date));
    }
    let digest = blake3::hash(manifest.settings.as_bytes()).to_hex();
    if digest.as_str() != manifest.settings_digest {
        wrong("settings_digest", "is not the settings' digest".to_owned());
    }
    found
}

fn counted(file: &str, rows: u64, expected: u64) -> Vec<Violation> {
    if rows == expected {
        return Vec::new();
    }
    vec![Violation::new(file, Kind::Manifest, "rows", format!("{rows}, the manifest counts {expected}"))]
}

/// A date as reports name it.
fn date_label(days: i32) -> String {
    date::to_text(Date(days))
}
