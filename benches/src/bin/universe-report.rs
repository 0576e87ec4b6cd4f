//! Closes the whole US market, and says what that takes and what it is worth.
//!
//! `universe-report` generates 10, 30 and 100 % of the universe and closes each; `--percent 10` one of them; `--day DIR`
//! closes a generated folder. DuckDB comes from PyPI, into an environment that the report makes in the target folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use closemark_benches::universe_report::print::{self, Row};
use closemark_benches::universe_report::process::{Consolidation, Programs};
use closemark_benches::universe_report::{shuffle, worth};
use closemark_data::publication::read::{dates, open_run};
use closemark_data::publication::{Manifest, RunState, date_folder};
use serde_json::{Map, Value, json};

/// Threads of a close, and of the peer.
const THREADS: u16 = 2;

#[derive(Parser)]
struct Arguments {
    /// Shares of the universe, in percent; 10, 30 and 100 where none is named.
    #[arg(long)]
    percent: Vec<u8>,
    /// A generated folder instead.
    #[arg(long)]
    day: Option<PathBuf>,
    /// The generator's seed.
    #[arg(long, default_value_t = 20_261_120)]
    seed: u64,
    /// Folder for days and closes; a temporary one where absent. Days that are there already are taken as they are.
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// Leave DuckDB out.
    #[arg(long)]
    no_duckdb: bool,
    /// Leave the close on one thread and the one of unsorted quotes out.
    #[arg(long)]
    brief: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let temporary = tempfile::tempdir()?;
    let scratch = arguments.scratch.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&scratch)?;
    let programs = Programs::find(&scratch, arguments.no_duckdb)?;
    let shares = match (&arguments.day, arguments.percent.is_empty()) {
        (Some(_), _) => vec![0],
        (None, true) => vec![10, 30, 100],
        (None, false) => arguments.percent.clone(),
    };
    let mut report = Report { programs, scratch, rows: Vec::new(), peers: Vec::new(), json: Map::new() };
    let last = shares.last().copied();
    for percent in shares {
        let day = match &arguments.day {
            Some(day) => day.clone(),
            None => report.generate(arguments.seed, percent)?,
        };
        report.share(percent, &day, Some(percent) == last, arguments.brief)?;
    }
    report.finish();
    Ok(())
}

struct Report {
    programs: Programs,
    scratch: PathBuf,
    rows: Vec<Row>,
    peers: Vec<(u8, Consolidation)>,
    json: Map<String, Value>,
}

impl Report {
    fn generate(&mut self, seed: u64, percent: u8) -> Result<PathBuf> {
        let day = self.scratch.join(format!("universe-{percent}"));
        if day.join("day.toml").is_file() {
            return Ok(day);
        }
        let (seed, share) = (seed.to_string(), percent.to_string());
        let arguments = ["generate", "--universe", "--seed", &seed, "--percent", &share, "--out", text(&day)?];
        let cost = self.programs.closemark(&arguments)?;
        println!("{percent} % generated in {:.0} s, {:.0} MiB: {}", cost.seconds, cost.peak_mib, cost.output.trim());
        self.json.insert(format!("generate_seconds_{percent}"), json!(cost.seconds));
        Ok(day)
    }

    /// Everything about one share of the universe.
    fn share(&mut self, percent: u8, day: &Path, last: bool, brief: bool) -> Result<()> {
        if let Some(peer) = self.programs.consolidate(day, THREADS)? {
            self.peers.push((percent, peer));
        }
        self.close(percent, "without risk arrays, 2 threads", day, 2, true)?;
        if !brief {
            self.close(percent, "without risk arrays, 1 thread", day, 1, true)?;
        }
        if last && !brief {
            let unsorted = self.scratch.join("unsorted");
            shuffle::shuffle(day, &unsorted)?;
            self.close(percent, "the same, quotes in no order", &unsorted, 2, true)?;
            std::fs::remove_dir_all(&unsorted)?;
            let own = self.rows.iter().filter(|row| row.percent == percent);
            let runs: BTreeSet<&str> = own.map(|row| row.run_id.as_str()).collect();
            let same = runs.len() == 1;
            println!("quotes in no order make {} run", if same { "the same" } else { "ANOTHER" });
            self.json.insert("unsorted_is_the_same_run".to_owned(), json!(same));
        }
        let run = self.close(percent, "with risk arrays, 2 threads", day, 2, false)?;
        let row = self.rows.last().context("no close")?.clone();
        print::stages(&row);
        let cost = self.programs.closemark(&["verify", text(&run.folder)?]);
        match cost {
            Ok(cost) => {
                println!("\nverify, {percent} %: {:.2} s, {:.0} MiB", cost.seconds, cost.peak_mib);
                println!("{}", cost.output.trim());
                self.json.insert(format!("verify_seconds_{percent}"), json!(cost.seconds));
            }
            Err(error) => println!("\nverify, {percent} %: DOES NOT HOLD: {error:#}"),
        }
        self.totals(percent, &run.manifest);
        if day.join("truth.parquet").is_file() {
            let worth = worth::judge(day, &run.folder)?;
            print::worth(&worth, &mut self.json);
        }
        std::fs::remove_dir_all(&run.out)?;
        Ok(())
    }

    /// Closes a day as a process of its own; the run is kept where `arrays` are in it.
    fn close(&mut self, percent: u8, name: &str, day: &Path, threads: u16, without_arrays: bool) -> Result<Run> {
        let out = self.scratch.join("out");
        if out.exists() {
            std::fs::remove_dir_all(&out)?;
        }
        let threads = threads.to_string();
        let mut arguments = vec!["close", "--threads", &threads, "--input", text(day)?, "--out", text(&out)?];
        if without_arrays {
            arguments.push("--no-risk-arrays");
        }
        let cost = self.programs.closemark(&arguments)?;
        let run = Run::only(&out)?;
        let timings = std::fs::read_to_string(run.folder.join("timings.json"))?;
        self.rows.push(Row {
            percent,
            name: name.to_owned(),
            series: run.manifest.totals.series,
            cost,
            run_id: run.manifest.run_id.clone(),
            timings: serde_json::from_str(&timings)?,
        });
        Ok(run)
    }

    fn totals(&mut self, percent: u8, manifest: &Manifest) {
        let totals = &manifest.totals;
        let share = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
        println!(
            "{percent} %: {} series of {} underlyings; violations {} in the mids, {} published; inside {:.2} %, accepted {:.2} %; \
             {} of {} slices not converged; largest move {} millionths; {} of {} rows dropped",
            totals.series,
            totals.underlyings,
            totals.violations_before.total(),
            totals.violations_after.total(),
            share(totals.inside, totals.out_of_the_money_quotes),
            share(totals.accepted, totals.out_of_the_money_quotes),
            totals.slices_not_converged,
            totals.slices,
            totals.largest_move_micros,
            totals.rows_dropped,
            totals.rows_read
        );
        for gate in manifest.gates.iter().filter(|gate| !gate.pass) {
            println!("  held by {}: {:?}, limit {}", gate.name, gate.value, gate.limit);
        }
        self.json.insert(format!("violations_{percent}"), json!(totals.violations_after.total()));
    }

    fn finish(mut self) {
        print::closes(&self.rows, &self.peers, &mut self.json);
        for percent in self.rows.iter().map(|row| row.percent).collect::<BTreeSet<u8>>() {
            let of = |name: &str| {
                self.rows
                    .iter()
                    .find(|row| row.percent == percent && row.name.contains(name))
                    .map(|row| row.cost.seconds)
            };
            if let (Some(one), Some(two)) = (of("without risk arrays, 1 thread"), of("without risk arrays, 2 threads"))
            {
                println!("{percent} %: 1 to 2 threads {:.2} times", one / two);
                self.json.insert(format!("threads_{percent}"), json!(one / two));
            }
        }
        println!("{}", Value::Object(self.json));
    }
}

/// A published run in a folder that has one.
struct Run {
    out: PathBuf,
    folder: PathBuf,
    manifest: Manifest,
}

impl Run {
    fn only(out: &Path) -> Result<Self> {
        let date = dates(out)?.last().copied().context("nothing was published")?;
        let date_folder = date_folder(out, date)?;
        let states = closemark_data::publication::DateState::read(&date_folder)?;
        let entry = states.runs.last().context("no run")?;
        let run = open_run(&date_folder, &entry.run_id, date)?;
        if entry.state == RunState::Preliminary {
            eprintln!("run {} is held by a gate", run.run_id);
        }
        Ok(Self { out: out.to_owned(), folder: run.folder, manifest: run.manifest })
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a folder whose name is no text")
}
