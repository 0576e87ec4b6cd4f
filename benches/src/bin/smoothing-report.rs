//! Smoothing compared with raw mids, SVI and Fengler's program, on every real chain found and on known truths.
//!
//! `smoothing-report` does all of it; `--part` chooses; `--chain FOLDER` takes any input folder instead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Parser, ValueEnum};
use closemark_benches::chains::{self, Chain, ChainClass};
use closemark_benches::official::OfficialMarks;
use closemark_benches::real_data;
use closemark_benches::smoothing_report::chain::score_day;
use closemark_benches::smoothing_report::print::Report;
use closemark_benches::smoothing_report::{Method, day_move, speed, stability, truth_rows};
use closemark_benches::whole_close::{self, Closed};
use closemark_data::input::Folder;
use closemark_data::sample;

/// Days of Deribit that are closed, for each coin.
const OFFICIAL_DAYS: usize = 5;

#[derive(Parser)]
struct Arguments {
    /// Input folders to take instead.
    #[arg(long)]
    chain: Vec<PathBuf>,
    /// Parts of the report; all where none is named.
    #[arg(long)]
    part: Vec<Part>,
    /// Seeds of each known truth.
    #[arg(long, default_value_t = 60)]
    seeds: u64,
    /// Only our own smoothing, without the baselines.
    #[arg(long)]
    ours: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Truth,
    Speed,
    Sample,
    Chains,
    UsNames,
    Deribit,
}

impl Arguments {
    fn wants(&self, part: Part) -> bool {
        self.chain.is_empty() && (self.part.is_empty() || self.part.contains(&part))
    }

    fn methods(&self) -> &'static [Method] {
        if self.ours { &[Method::Ours] } else { &Method::ALL }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut report = Report::default();
    let methods = arguments.methods();
    for folder in &arguments.chain {
        let scratch = tempfile::tempdir()?;
        let closed = whole_close::close(&Folder(folder.clone()), scratch.path())?;
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        show(&mut report, &name, ChainClass::Sample, &closed, methods);
    }
    if arguments.wants(Part::Sample) {
        let scratch = tempfile::tempdir()?;
        let closed = whole_close::close(&sample::source(), scratch.path())?;
        show(&mut report, "bundled sample", ChainClass::Sample, &closed, methods);
    }
    match real_data::folder() {
        Some(data) => real(&data, &arguments, &mut report)?,
        None if arguments.chain.is_empty() => {
            println!("No real chains found: set CLOSEMARK_REAL_DATA to their folder.");
        }
        None => {}
    }
    if arguments.wants(Part::Truth) {
        report.truth(&truth_rows(arguments.seeds), arguments.seeds);
    }
    if arguments.wants(Part::Speed) {
        report.speed(speed());
    }
    report.finish();
    Ok(())
}

fn show(report: &mut Report, name: &str, class: ChainClass, closed: &Closed, methods: &[Method]) {
    report.chain(name, class, closed, &score_day(&closed.day, methods));
    report.stability(name, &stability(&closed.day, &closed.marks));
}

fn real(data: &Path, arguments: &Arguments, report: &mut Report) -> Result<()> {
    let methods = arguments.methods();
    if arguments.wants(Part::Chains) {
        let scratch = tempfile::tempdir()?;
        let mut days: BTreeMap<String, Closed> = BTreeMap::new();
        for chain in chains::single_files(data, scratch.path())? {
            let closed = whole_close::close_chain(&chain)?;
            show(report, &chain.name, chain.class, &closed, methods);
            days.insert(chain.name, closed);
        }
        println!();
        // AAPL split 7 for 1 between its days.
        for (first, second, split) in
            [("AAPL 2014-06-06", "AAPL 2014-06-09", 7.0), ("GOOG 2015-12-23", "GOOG 2015-12-24", 1.0)]
        {
            if let (Some(before), Some(after)) = (days.get(first), days.get(second))
                && let Some(moves) = day_move(before, after, split)
            {
                report.day_move(&format!("{first} to {second}"), &moves);
            }
        }
        println!();
    }
    if arguments.wants(Part::UsNames)
        && let Some(chain) = chains::us_names(data)?
    {
        show_chain(report, &chain, methods)?;
    }
    let coins = data.join("crypto_marks/deribit_daily_2026-07.parquet");
    if arguments.wants(Part::Deribit) && coins.is_file() {
        let official = OfficialMarks::read(&coins)?;
        for coin in ["BTC", "ETH"] {
            for day in official.days(OFFICIAL_DAYS) {
                show_chain(report, &chains::coin(&coins, coin, &day)?, methods)?;
            }
        }
    }
    Ok(())
}

fn show_chain(report: &mut Report, chain: &Chain, methods: &[Method]) -> Result<()> {
    let closed = whole_close::close_chain(chain)?;
    show(report, &chain.name, chain.class, &closed, methods);
    Ok(())
}
