//! Closes the bundled sample and every real chain that it finds, and prints what the closes are worth.
//!
//! `close-report` does all of it; `close-report --part lean` one part; `close-report FOLDER...` closes input folders.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use closemark_benches::chains::{self, ChainClass};
use closemark_benches::official::{Distances, OfficialMarks};
use closemark_benches::print::Report;
use closemark_benches::whole_close::{self, Closed};
use closemark_benches::{command, real_data};
use closemark_data::import;
use closemark_data::input::Folder;
use closemark_data::sample;

/// Days of Deribit that are closed, for each coin.
const OFFICIAL_DAYS: usize = 5;

/// Threads of the timed command.
const THREADS: u16 = 2;

#[derive(Parser)]
struct Arguments {
    /// Input folders to close instead.
    folders: Vec<PathBuf>,
    /// Parts of the report; all where none is named.
    #[arg(long)]
    part: Vec<Part>,
    /// Underlyings with the most quotes outside to list for each chain of several.
    #[arg(long, default_value_t = 0)]
    weakest: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Sample,
    Chains,
    UsNames,
    Deribit,
    Cost,
}

impl Arguments {
    fn wants(&self, part: Part) -> bool {
        self.folders.is_empty() && (self.part.is_empty() || self.part.contains(&part))
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut report = Report::new(arguments.weakest);
    for folder in &arguments.folders {
        let scratch = tempfile::tempdir()?;
        let closed = whole_close::close(&Folder(folder.clone()), scratch.path())?;
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        report.chain(&name, ChainClass::Sample, &closed);
    }
    if arguments.wants(Part::Sample) {
        let scratch = tempfile::tempdir()?;
        let closed = whole_close::close(&sample::source(), scratch.path())?;
        report.chain("bundled sample", ChainClass::Sample, &closed);
        report.sample(&closed)?;
    }
    if let Some(data) = real_data::folder() {
        if arguments.wants(Part::Chains) {
            let scratch = tempfile::tempdir()?;
            for chain in chains::single_files(&data, scratch.path())? {
                report.chain(&chain.name, chain.class, &whole_close::close_chain(&chain)?);
            }
        }
        if arguments.wants(Part::UsNames)
            && let Some(chain) = chains::us_names(&data)?
        {
            report.us_names(&chain.name, &whole_close::close_chain(&chain)?);
        }
        if arguments.wants(Part::Deribit) {
            deribit(&data, &mut report)?;
        }
        if arguments.wants(Part::Cost) {
            cost(&data, &mut report)?;
        }
    } else if arguments.folders.is_empty() {
        report.remark("No real chains found: set CLOSEMARK_REAL_DATA to their folder.");
    }
    report.finish();
    Ok(())
}

fn deribit(data: &std::path::Path, report: &mut Report) -> Result<()> {
    let file = data.join("crypto_marks/deribit_daily_2026-07.parquet");
    if !file.is_file() {
        return Ok(());
    }
    let official = OfficialMarks::read(&file)?;
    for coin in ["BTC", "ETH"] {
        for day in official.days(OFFICIAL_DAYS) {
            let chain = chains::coin(&file, coin, &day)?;
            let closed: Closed = whole_close::close_chain(&chain)?;
            report.chain(&chain.name, chain.class, &closed);
            let mut distances = Distances::default();
            distances.add(&closed, &official.dollars(coin, &day));
            report.official(&chain.name, distances);
        }
    }
    Ok(())
}

/// The whole command on all US names, from outside.
fn cost(data: &std::path::Path, report: &mut Report) -> Result<()> {
    let Some(mut chain) = chains::us_names(data)? else { return Ok(()) };
    let scratch = tempfile::tempdir()?;
    chain.request.out = scratch.path().join("day");
    let summary = import::run(&chain.request)?;
    match command::close(&chain.request.out, &scratch.path().join("out"), THREADS)? {
        Some(cost) => report.cost(summary.series, THREADS, cost),
        None => report.remark("The command was not timed: build the workspace, so that closemark lies beside this."),
    }
    Ok(())
}
