//! A whole close of a million marks by Arrow Flight, against `pyarrow.flight` serving the same table from memory; both
//! read by the same `pyarrow` client.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::published::Close;
use super::service::Service;
use super::table::Table;
use crate::models_report::timing::median;
use crate::venv;

const SERVER: &str = include_str!("flight_server.py");
const CLIENT: &str = include_str!("flight_client.py");
/// Fetches of one round; their median counts.
const TIMES: &str = "3";
const ROUNDS: usize = 3;

/// What a client measured.
#[derive(Debug)]
struct Fetched {
    rows: u64,
    bytes: u64,
    marks: String,
    seconds: f64,
}

struct Peer(Child, String);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn peer(python: &Path, scripts: &Path, file: &Path) -> Result<Peer> {
    let mut child = Command::new(python).arg(scripts.join("server.py")).arg(file).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
    let port = line.trim().strip_prefix("listening on ").context("pyarrow.flight did not start")?.to_owned();
    Ok(Peer(child, format!("grpc://127.0.0.1:{port}")))
}

fn fetch(python: &Path, scripts: &Path, address: &str, ticket: &str) -> Result<Fetched> {
    let output = Command::new(python).arg(scripts.join("client.py")).args([address, ticket, TIMES]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [rows, bytes, marks, seconds] = fields.as_slice() else { anyhow::bail!("the client said {text:?}") };
    Ok(Fetched { rows: rows.parse()?, bytes: bytes.parse()?, marks: (*marks).to_owned(), seconds: seconds.parse()? })
}

/// Measures, and adds the rows.
///
/// # Errors
/// Where either cannot be fetched, or they are not the same.
pub fn measure(table: &mut Table, service: &Service, close: &Close) -> Result<()> {
    let python = venv::interpreter(venv::PYARROW)?;
    let scripts = tempfile::tempdir()?;
    std::fs::write(scripts.path().join("server.py"), SERVER)?;
    std::fs::write(scripts.path().join("client.py"), CLIENT)?;
    let peer = peer(&python, scripts.path(), &close.file)?;
    let ticket = serde_json::json!({"dataset": "marks", "date": close.date, "run": close.run_id}).to_string();
    let own_address = service.address.replace("http://", "grpc://");
    let (mut bare, mut own) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let theirs = fetch(&python, scripts.path(), &peer.1, "marks")?;
        let ours = fetch(&python, scripts.path(), &own_address, &ticket)?;
        ensure!(theirs.rows == close.rows && ours.rows == close.rows, "{theirs:?} {ours:?}");
        ensure!(theirs.marks == ours.marks, "the sums of the marks differ: {theirs:?} {ours:?}");
        bare.push(theirs.seconds);
        own.push(ours.seconds);
        bytes = ours.bytes;
    }
    let (bare, own) = (median(&bare), median(&own));
    table.note("flight_rows", "Flight: marks of the close", close.rows);
    table.note("flight_mib", "Flight: MiB of its table in the client", bytes as f64 / f64::from(1 << 20));
    table.note("flight_peer_seconds", "Flight: seconds from pyarrow.flight's memory", bare);
    table.note("flight_seconds", "Flight: seconds from the service", own);
    let share = bare / own;
    table.target("flight_share", "Flight: share of pyarrow.flight's speed", share, ">= 0.50", share >= 0.5);
    Ok(())
}
