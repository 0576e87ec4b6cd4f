//! A whole close in one process: read, curve, mark, publish, verify; with the time of each.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use closemark_data::day::Day;
use closemark_data::import;
use closemark_data::input::{Folder, InputSource, ReadOptions, read_day};
use closemark_data::publication::{ExtraFile, PublicationRequest, Published, publish};
use closemark_data::report::{self, ReportHead};
use closemark_data::settings::{RunChoices, run_text};
use closemark_data::verify::{VerifyReport, verify};
use closemark_pricing::mark::UnderlyingMarks;
use closemark_pricing::mark_underlying;
use closemark_pricing::parity::implied_curve;

use crate::chains::Chain;

/// A closed, published and verified day.
pub struct Closed {
    /// The input as read, with its curve.
    pub day: Day,
    /// The marks.
    pub marks: Vec<UnderlyingMarks>,
    /// What publication says.
    pub published: Published,
    /// What an independent reading of the published files says.
    pub verified: VerifyReport,
    /// Seconds of marking alone.
    pub marking_seconds: f64,
    /// Seconds of the whole close: read, curve, mark, publish.
    pub close_seconds: f64,
}

/// Imports a chain into a temporary folder and closes it there.
///
/// # Errors
/// Where the files cannot be imported, or as [`close`].
pub fn close_chain(chain: &Chain) -> Result<Closed> {
    let scratch = tempfile::tempdir()?;
    let mut request = chain.request.clone();
    request.out = scratch.path().join("day");
    import::run(&request).with_context(|| chain.name.clone())?;
    let closed = close(&Folder(request.out), &scratch.path().join("out"));
    closed.with_context(|| chain.name.clone())
}

/// Closes a day, publishes it under `out` and verifies what was published.
///
/// # Errors
/// Where the day cannot be read, brings no rates and implies none, or cannot be published or verified.
pub fn close(source: &dyn InputSource, out: &Path) -> Result<Closed> {
    let start = now();
    let day = read(source)?;
    let marking = now();
    let marks = mark(&day);
    let marking_seconds = marking.elapsed().as_secs_f64();

    let report = ExtraFile {
        name: "report.html",
        render: &|run, file| {
            let head = ReportHead { run_id: run.run_id, gates: run.gates };
            file.write_all(report::render(&day, &marks, &head).as_bytes())
        },
    };
    let published = publish(
        &PublicationRequest {
            partial: false,
            day: &day,
            marks: &marks,
            settings_text: &run_text(&day.settings, &RunChoices { flat_rate: None, only: Vec::new() }),
            base_run: None,
            overrides: &[],
            extra_files: &[report],
            timings_json: None,
            audit_head: None,
        },
        out,
    )?;
    let close_seconds = start.elapsed().as_secs_f64();
    let verified = verify(&published.folder)?;
    Ok(Closed { day, marks, published, verified, marking_seconds, close_seconds })
}

/// Reads a day and gives it its curve.
///
/// # Errors
/// Where it cannot be read, or brings no rates and implies none.
pub fn read(source: &dyn InputSource) -> Result<Day> {
    let mut day = read_day(source, &ReadOptions::default())?;
    settle_curve(&mut day)?;
    Ok(day)
}

fn settle_curve(day: &mut Day) -> Result<()> {
    if day.curve.is_none() {
        let implied = implied_curve(&day.underlyings, &day.settings).context("no rates, and none can be implied")?;
        let curve = Arc::new(implied);
        day.underlyings.iter_mut().for_each(|underlying| underlying.curve = Arc::clone(&curve));
        day.curve = Some(curve);
    }
    Ok(())
}

/// Marks in parallel, the largest underlyings first, in the day's order afterwards.
fn mark(day: &Day) -> Vec<UnderlyingMarks> {
    let mut order: Vec<usize> = (0..day.underlyings.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(day.underlyings.get(i).map_or(0, |u| u.series.len())));
    let next = AtomicUsize::new(0);
    let parts = rayon::broadcast(|_| {
        let mut done = Vec::new();
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(underlying) = day.underlyings.get(index) {
                done.push((index, mark_underlying(underlying, &day.settings)));
            }
        }
        done
    });
    let mut all: Vec<(usize, UnderlyingMarks)> = parts.into_iter().flatten().collect();
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, marks)| marks).collect()
}

#[expect(clippy::disallowed_methods, reason = "a report measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
