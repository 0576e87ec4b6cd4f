//! Closes whole days and prints one row each: what is marked, how much lies inside, what was violated, how long it took.
//!
//! `close-report` closes every real chain that it finds; `close-report FOLDER...` closes the given input folders.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use closemark_benches::figures::DayFigures;
use closemark_data::day::Day;
use closemark_data::input::{Folder, ReadOptions, read_day};
use closemark_pricing::mark::UnderlyingMarks;
use closemark_pricing::parity::implied_curve;
use closemark_pricing::{Settings, mark_underlying};
use rayon::prelude::*;

#[derive(Parser)]
struct Arguments {
    /// Input folders.
    folders: Vec<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    println!(
        "{:<12} {:>7} {:>6} {:>7} {:>7} {:>7} {:>20} {:>12} {:>5} {:>6} {:>7}",
        "chain", "series", "null", "quotes", "inside", "accept", "before v/b/c/p", "after", "nc", "move", "s"
    );
    for folder in &arguments.folders {
        let mut day = read_day(&Folder(folder.clone()), &ReadOptions::default())?;
        let settings = day.settings.clone();
        if day.curve.is_none() {
            let curve = Arc::new(implied_curve(&day.underlyings, &settings).context("no rates")?);
            day.underlyings.iter_mut().for_each(|u| u.curve = curve.clone());
            day.curve = Some(curve);
        }
        let start = now();
        let marks = close(&day, &settings);
        let seconds = start.elapsed().as_secs_f64();
        row(
            &folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
            &DayFigures::of(&day, &marks, |_| true),
            seconds,
        );
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a report measures time")]
fn now() -> Instant {
    Instant::now()
}

fn close(day: &Day, settings: &Settings) -> Vec<UnderlyingMarks> {
    day.underlyings.par_iter().map(|u| mark_underlying(u, settings)).collect()
}

fn row(name: &str, f: &DayFigures, seconds: f64) {
    let four = |v: closemark_pricing::mark::ViolationCounts| {
        format!("{}/{}/{}/{}", v.vertical, v.butterfly, v.calendar, v.parity)
    };
    println!(
        "{:<12} {:>7} {:>6} {:>7} {:>7} {:>7} {:>20} {:>12} {:>5} {:>6} {:>7.2}",
        name,
        f.series,
        f.null_marks,
        f.quotes,
        DayFigures::percent(f.inside, f.quotes),
        DayFigures::percent(f.accepted, f.quotes),
        four(f.before),
        four(f.after),
        format!("{}/{}", f.non_converged, f.slices),
        f.largest_move,
        seconds
    );
}
