//! Measures the service on loopback, and prints a table and a last line of JSON.
//!
//! `service-report` does all of it; `service-report --part kill` one part. Build the workspace with `--release` first;
//! with `--features failpoints` for the crate `closemark`, the kill part ends the process at failpoints too.

use anyhow::Result;
use clap::{Parser, ValueEnum};
use closemark_benches::service_report::service::Service;
use closemark_benches::service_report::table::Table;
use closemark_benches::service_report::{
    codec, flight, greedy, ingest, kill, lookups, power, published, publishing, raw, readers,
};

/// Copies of the sample that make a million marks.
const COPIES: usize = 80;

#[derive(Parser)]
struct Arguments {
    /// Part of the report; all where none is named.
    #[arg(long)]
    part: Vec<Part>,
    /// Runs of the service that end with `kill -9`.
    #[arg(long, default_value_t = 200)]
    kills: u64,
    /// Serve the bare echo that `GetMark` is compared with (the report starts it itself).
    #[arg(long, hide = true)]
    echo: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Power,
    Kill,
    Ingest,
    Lookups,
    Flight,
    Readers,
    Greedy,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if arguments.echo {
        return runtime.block_on(raw::serve_echo());
    }
    let wants = |part: Part| arguments.part.is_empty() || arguments.part.contains(&part);
    let mut table = Table::default();
    if wants(Part::Power) {
        power::measure(&mut table)?;
    }
    if wants(Part::Kill) {
        runtime.block_on(kill::measure(&mut table, arguments.kills))?;
        publishing::measure(&mut table)?;
    }
    if wants(Part::Ingest) {
        codec::measure(&mut table)?;
        runtime.block_on(ingest::measure(&mut table))?;
    }
    if [Part::Lookups, Part::Flight, Part::Greedy].into_iter().any(wants) {
        let scratch = tempfile::tempdir()?;
        let close = published::copies(&scratch.path().join("state/out"), COPIES)?;
        let service = Service::start(scratch.path(), "connections_per_address_max = 1024", &[])?;
        if wants(Part::Lookups) {
            runtime.block_on(lookups::measure(&mut table, &service, &close))?;
        }
        if wants(Part::Flight) {
            flight::measure(&mut table, &service, &close)?;
        }
        if wants(Part::Greedy) {
            runtime.block_on(greedy::measure(&mut table, &service, &close))?;
        }
    }
    if wants(Part::Readers) {
        runtime.block_on(readers::measure(&mut table))?;
    }
    println!("{}", table.json());
    Ok(())
}
