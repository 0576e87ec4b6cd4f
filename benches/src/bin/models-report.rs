//! Prices and implied volatilities against oracles and peers: errors, ratios of speed, and one line of JSON.
//!
//! `models-report --seed 7` does all of it in about ten minutes; `--part american` one part.

use std::process::Command;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use closemark_benches::models_report::figures::Figures;
use closemark_benches::models_report::peers::Peers;
use closemark_benches::models_report::{Sitting, american, american_iv, dividends, european, stress};

#[derive(Parser)]
struct Arguments {
    /// The options are drawn from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Parts of the report; all where none is named.
    #[arg(long)]
    part: Vec<Part>,
    /// A twentieth of the options, for development; its figures are never quoted.
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    American,
    Stress,
    AmericanIv,
    Dividends,
    European,
}

type Run = fn(&mut Sitting, &mut Figures) -> Result<()>;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut peers = Peers::start()?;
    let (python, quantlib) = peers.versions()?;
    println!("seed {}; QuantLib {quantlib}, Python {python}, {}", arguments.seed, versions());
    let mut sitting = Sitting { peers, seed: arguments.seed, thinning: if arguments.quick { 20 } else { 1 } };
    let mut figures = Figures::default();
    let parts: [(Part, Run); 5] = [
        (Part::American, american::run),
        (Part::AmericanIv, american_iv::run),
        (Part::European, european::run),
        (Part::Stress, stress::run),
        (Part::Dividends, dividends::run),
    ];
    for (part, run) in parts {
        if arguments.part.is_empty() || arguments.part.contains(&part) {
            run(&mut sitting, &mut figures)?;
        }
    }
    println!("\n{}", figures.table());
    println!("{}", figures.json());
    Ok(())
}

/// Of what this program was built from, and the machine.
fn versions() -> String {
    let lock = include_str!("../../../Cargo.lock");
    let peer = lock.split("name = \"implied-vol\"").nth(1).and_then(|rest| rest.split('"').nth(1)).unwrap_or("?");
    let compiler = Command::new("rustc").arg("--version").output().ok();
    let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("?");
    let cpu = cpu.trim_start_matches(['\t', ' ', ':']);
    format!("implied-vol {peer}, {}; {cpu}", compiler.as_deref().unwrap_or("rustc ?"))
}
