//! Closes for the service to read: the bundled sample, and a million marks made of its copies.

use std::path::Path;

use anyhow::Result;
use closemark_data::publication::{PublicationRequest, Published, publish};
use closemark_data::sample;
use closemark_data::settings::{RunChoices, run_text};

use super::feed::MARKET_DATE;
use crate::whole_close;

/// A published close and what of it can be asked for.
#[derive(Clone, Debug)]
pub struct Close {
    /// Its date.
    pub date: &'static str,
    /// `current` where it counts, else its run.
    pub run: String,
    /// The run itself.
    pub run_id: String,
    /// Its marks.
    pub rows: u64,
    /// Some of its symbols, evenly over the whole.
    pub symbols: Vec<String>,
    /// Its `marks.parquet`.
    pub file: std::path::PathBuf,
}

/// Publishes so many copies of the sample under `out`, each with underlyings and symbols of its own.
///
/// # Errors
/// Where the sample cannot be closed or published.
pub fn copies(out: &Path, count: usize) -> Result<Close> {
    let scratch = tempfile::tempdir()?;
    let closed = whole_close::close(&sample::source(), scratch.path())?;
    let mut day = closed.day.clone();
    let (mut underlyings, mut marks) = (Vec::new(), Vec::new());
    for copy in 0..count {
        for (one, own) in closed.day.underlyings.iter().zip(&closed.marks) {
            let (mut one, mut own) = (one.clone(), own.clone());
            if copy > 0 {
                one.underlying = format!("{}.{copy:03}", one.underlying);
                own.underlying.clone_from(&one.underlying);
                for series in &mut one.series {
                    series.osi_symbol = format!("{}.{copy:03}", series.osi_symbol);
                }
            }
            one.quotes = Vec::new();
            one.quote_offsets = vec![0; one.series.len() + 1];
            underlyings.push(one);
            marks.push(own);
        }
    }
    let mut pairs: Vec<_> = underlyings.into_iter().zip(marks).collect();
    pairs.sort_by(|a, b| a.0.underlying.cmp(&b.0.underlying));
    let (underlyings, marks): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let all: Vec<&String> = underlyings.iter().flat_map(|one| one.series.iter().map(|s| &s.osi_symbol)).collect();
    let (rows, step) = (all.len() as u64, (all.len() / 997).max(1));
    let symbols = all.into_iter().step_by(step).cloned().collect();
    day.underlyings = underlyings;
    day.input_digest = blake3_of(&format!("{} x {count}", closed.day.input_digest));
    let settings_text = run_text(&day.settings, &RunChoices { flat_rate: None, only: Vec::new() });
    let request = PublicationRequest {
        partial: false,
        day: &day,
        marks: &marks,
        settings_text: &settings_text,
        base_run: None,
        overrides: &[],
        extra_files: &[],
        timings_json: None,
        audit_head: None,
    };
    std::fs::create_dir_all(out)?;
    let Published { run_id, folder, state, .. } = publish(&request, out)?;
    let counts = state == closemark_data::publication::RunState::Final;
    let run = if counts { "current".to_owned() } else { run_id.clone() };
    Ok(Close { date: MARKET_DATE, run, run_id, rows, symbols, file: folder.join("marks.parquet") })
}

/// 64 hex digits that differ where the text does; what a digest looks like.
fn blake3_of(text: &str) -> String {
    closemark_data::publication::FileDigest::of_bytes(text.as_bytes()).blake3
}
