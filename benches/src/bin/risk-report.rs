//! Risk arrays against QuantLib, and what they add to a close.
//!
//! QuantLib comes from PyPI into an environment that the report makes itself; `--no-quantlib` leaves that part out.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use closemark_benches::chains::{self, Chain};
use closemark_benches::real_data;
use closemark_benches::risk_rows::{self, RiskRow};
use closemark_benches::share::{self, Share};
use closemark_benches::{venv, whole_close};
use closemark_data::sample;

/// Series that are priced again.
const SERIES: usize = 300;
/// Largest error allowed, of the strike.
const ERROR_MAX: f64 = 1e-4;
/// Largest share of the close's own time that arrays may add.
const SHARE_MAX: f64 = 0.5;

#[derive(Parser)]
struct Arguments {
    /// Write the sample's rows for `benches/quantlib/risk_points.py` to this file, and nothing else.
    #[arg(long)]
    dump_sample: Option<PathBuf>,
    /// Rows that are dumped.
    #[arg(long, default_value_t = 60)]
    rows: usize,
    /// Leave QuantLib out.
    #[arg(long)]
    no_quantlib: bool,
    /// Leave the times out.
    #[arg(long)]
    no_times: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(path) = &arguments.dump_sample {
        return dump_sample(path, arguments.rows);
    }
    let mut json = serde_json::Map::new();
    let data = real_data::folder();
    if data.is_none() {
        println!("No real chains found: set CLOSEMARK_REAL_DATA to their folder.");
        ensure!(std::env::var("CI").as_deref() != Ok("true"), "the report needs the real chains");
    }
    if let (Some(data), false) = (&data, arguments.no_quantlib) {
        quantlib(data, &mut json)?;
    }
    if !arguments.no_times {
        times(data.as_deref(), &mut json)?;
    }
    println!("{}", serde_json::Value::Object(json));
    Ok(())
}

fn dump_sample(path: &Path, count: usize) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let closed = whole_close::close(&sample::source(), scratch.path())?;
    let rows = risk_rows::rows(&closed.day, &closed.marks);
    let (paying, plain): (Vec<RiskRow>, Vec<RiskRow>) = rows.into_iter().partition(|r| !r.dividends.is_empty());
    let mut chosen = risk_rows::spread(&paying, count / 2);
    chosen.extend(risk_rows::spread(&plain, count - count / 2));
    risk_rows::write(&chosen, &mut File::create(path)?)
}

/// AAPL on 2014-06-06, 300 series of all expiries, every point.
fn quantlib(data: &Path, json: &mut serde_json::Map<String, serde_json::Value>) -> Result<()> {
    let python = venv::interpreter(venv::QUANTLIB)?;
    let scratch = tempfile::tempdir()?;
    let all = chains::single_files(data, scratch.path())?;
    let chain = all.iter().find(|c| c.name == "AAPL 2014-06-06").context("the chain of AAPL 2014-06-06 is absent")?;
    let closed = whole_close::close_chain(chain)?;
    let rows = risk_rows::spread(&risk_rows::rows(&closed.day, &closed.marks), SERIES);
    let other = priced_again(&python, &rows, scratch.path())?;
    let mut by_expiry: BTreeMap<u64, (usize, f64, f64)> = BTreeMap::new();
    let (mut worst, mut sum, mut points) = (0.0_f64, 0.0, 0_usize);
    for (row, other) in rows.iter().zip(&other) {
        for (ours, theirs) in row.prices.iter().zip(other) {
            let error = (ours - theirs).abs() / row.strike;
            worst = worst.max(error);
            sum += error;
            points += 1;
            let days = (row.units / 144.0).round() as u64;
            let entry = by_expiry.entry(days).or_default();
            *entry = (entry.0 + 1, entry.1.max(error), entry.2 + error);
        }
    }
    println!("Risk points of {} series of AAPL 2014-06-06 against QuantLib, errors in 1e-4 of the strike", rows.len());
    println!("{:>6} {:>8} {:>9} {:>9}", "days", "points", "mean", "largest");
    for (days, (count, largest, total)) in &by_expiry {
        println!("{days:>6} {count:>8} {:>9.4} {:>9.4}", total / *count as f64 * 1e4, largest * 1e4);
    }
    let holds = if worst <= ERROR_MAX { "met" } else { "MISSED" };
    println!("largest {:.4}, target 1: {holds}\n", worst * 1e4);
    json.insert("quantlib_series".to_owned(), rows.len().into());
    json.insert("quantlib_points".to_owned(), points.into());
    json.insert("quantlib_largest_error_of_strike".to_owned(), worst.into());
    json.insert("quantlib_mean_error_of_strike".to_owned(), (sum / points.max(1) as f64).into());
    Ok(())
}

fn priced_again(python: &Path, rows: &[RiskRow], scratch: &Path) -> Result<Vec<Vec<f64>>> {
    let (input, output) = (scratch.join("rows.csv"), scratch.join("priced.csv"));
    risk_rows::write(rows, &mut File::create(&input)?)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("quantlib/risk_points.py");
    let status = Command::new(python)
        .arg(script)
        .stdin(File::open(&input)?)
        .stdout(File::create(&output)?)
        .status()
        .with_context(|| python.display().to_string())?;
    if !status.success() {
        bail!("QuantLib could not price the rows again");
    }
    let mut reader = csv::Reader::from_path(&output)?;
    let first = reader.headers()?.iter().position(|name| name == "other_1").context("no column other_1")?;
    let mut priced = Vec::new();
    for record in reader.records() {
        let record = record?;
        priced.push(record.iter().skip(first).map(|text| Ok(text.parse::<f64>()?)).collect::<Result<Vec<f64>>>()?);
    }
    ensure!(priced.len() == rows.len(), "{} rows came back of {}", priced.len(), rows.len());
    Ok(priced)
}

/// Core seconds of marking with and without arrays.
fn times(data: Option<&Path>, json: &mut serde_json::Map<String, serde_json::Value>) -> Result<()> {
    println!("What arrays add to a close, core seconds of marking on one thread");
    println!("{:<22} {:>8} {:>10} {:>10} {:>8} {:>12}", "chain", "series", "without", "with", "adds", "us a series");
    let mut largest = 0.0_f64;
    let mut show = |name: &str, share: Share| {
        let each = (share.with - share.without) * 1e6 / share.series.max(1) as f64;
        println!(
            "{name:<22} {:>8} {:>10.2} {:>10.2} {:>6.1} % {each:>12.1}",
            share.series,
            share.without,
            share.with,
            100.0 * share.added()
        );
        largest = largest.max(share.added());
        json.insert(format!("added_share {name}"), share.added().into());
    };
    show("bundled sample", share::of_source(&sample::source())?);
    if let Some(data) = data {
        let scratch = tempfile::tempdir()?;
        let singles = chains::single_files(data, scratch.path())?;
        let wanted = ["AAPL 2014-06-06", "GOOG 2015-12-23", "SPX 2023-09-14", "SPY 2023-09-14"];
        let chosen = singles.into_iter().filter(|c| wanted.contains(&c.name.as_str()));
        let chosen: Vec<Chain> = chosen.chain(chains::us_names(data)?).collect();
        for chain in &chosen {
            show(&chain.name, share::of_chain(chain)?);
        }
    }
    let holds = if largest <= SHARE_MAX { "met" } else { "MISSED" };
    println!("largest {:.1} %, target at most {:.0} %: {holds}\n", 100.0 * largest, 100.0 * SHARE_MAX);
    json.insert("largest_added_share".to_owned(), largest.into());
    Ok(())
}
