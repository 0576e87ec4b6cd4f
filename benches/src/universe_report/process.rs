//! Commands timed from outside, by a small Python program that waits for them, and DuckDB beside them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::venv;

/// Runs of the peer; the median counts.
const ROUNDS: u32 = 3;

/// What a command took.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    /// Wall time, seconds.
    pub seconds: f64,
    /// Processor time of all threads, seconds.
    pub processor_seconds: f64,
    /// Largest resident memory, MiB.
    pub peak_mib: f64,
    /// What it printed.
    pub output: String,
}

/// What the peer's consolidation took.
#[derive(Clone, Debug, Default)]
pub struct Consolidation {
    /// The peer's version.
    pub version: String,
    /// Wall time of the median run, seconds.
    pub seconds: f64,
    /// Rows consolidated.
    pub quotes: u64,
    /// Distinct symbols.
    pub series: u64,
}

/// The programs that are run.
#[derive(Clone, Debug)]
pub struct Programs {
    closemark: PathBuf,
    python: PathBuf,
    /// Whether that interpreter has DuckDB.
    pub has_duckdb: bool,
    scratch: PathBuf,
}

impl Programs {
    /// Finds `closemark` beside this program, and makes an interpreter with DuckDB in the target folder.
    ///
    /// # Errors
    /// Where there is no `closemark`, or no `python3`.
    pub fn find(scratch: &Path, without_duckdb: bool) -> Result<Self> {
        let own = std::env::current_exe()?;
        let folder = own.parent().context("this program stands in no folder")?;
        let closemark = folder.join("closemark");
        ensure!(closemark.is_file(), "{} is missing: build the workspace", closemark.display());
        let made =
            if without_duckdb { Err(anyhow::anyhow!("it was not asked for")) } else { venv::interpreter(venv::DUCKDB) };
        let (python, has_duckdb) = match made {
            Ok(python) => (python, true),
            Err(error) => {
                println!("DuckDB is passed over: {error:#}");
                ensure!(without_duckdb || std::env::var("CI").as_deref() != Ok("true"), "the report needs DuckDB");
                (PathBuf::from("python3"), false)
            }
        };
        Ok(Self { closemark, python, has_duckdb, scratch: scratch.to_owned() })
    }

    /// Runs `closemark` with these arguments; a close held by a gate is no fault.
    ///
    /// # Errors
    /// Where it cannot be started, or ends with a fault.
    pub fn closemark(&self, arguments: &[&str]) -> Result<Cost> {
        let said = self.scratch.join("said.txt");
        let output = Command::new(&self.python)
            .args(["-c", include_str!("../../universe/measure.py")])
            .arg(&said)
            .arg(&self.closemark)
            .args(arguments)
            .output()
            .context("measure.py")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let value: Value = serde_json::from_slice(&output.stdout)?;
        let text = std::fs::read_to_string(&said)?;
        let code = value["code"].as_i64();
        ensure!(matches!(code, Some(0 | 2)), "closemark {} ended with {code:?}: {text}", arguments.join(" "));
        let number = |key: &str| value[key].as_f64().with_context(|| key.to_owned());
        Ok(Cost {
            seconds: number("seconds")?,
            processor_seconds: number("processor_seconds")?,
            peak_mib: number("peak_mib")?,
            output: text,
        })
    }

    /// The bare consolidation of a folder's quotes; `None` without DuckDB.
    ///
    /// # Errors
    /// Where the interpreter fails.
    pub fn consolidate(&self, day: &Path, threads: u16) -> Result<Option<Consolidation>> {
        if !self.has_duckdb {
            return Ok(None);
        }
        let output = Command::new(&self.python)
            .args(["-c", include_str!("../../universe/consolidate.py")])
            .arg(day.join("quotes*.parquet"))
            .arg(self.scratch.join("consolidated.parquet"))
            .args([threads.to_string(), ROUNDS.to_string()])
            .output()
            .context("consolidate.py")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let value: Value = serde_json::from_slice(&output.stdout)?;
        Ok(Some(Consolidation {
            version: value["version"].as_str().unwrap_or_default().to_owned(),
            seconds: value["seconds"].as_f64().context("seconds")?,
            quotes: value["quotes"].as_u64().context("quotes")?,
            series: value["series"].as_u64().context("series")?,
        }))
    }
}
