//! The binary as a scheduler and a person meet it: exit codes, one-line errors, widths, the sample day end to end.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

fn closemark(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_closemark")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The bundled sample, closed once for all tests.
struct Sample {
    out: TempDir,
    exit: Option<i32>,
    said: String,
}

fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let out = TempDir::new().unwrap();
        let done = closemark(&["close", "--threads", "2", "--profile", "--out", out.path().to_str().unwrap()]);
        Sample { exit: done.status.code(), said: text(&done.stdout) + &text(&done.stderr), out }
    })
}

fn only_entry(folder: &Path, prefix: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn usage_errors_exit_64_and_help_exits_0() {
    assert_eq!(closemark(&["close", "--threads", "none"]).status.code(), Some(64));
    assert_eq!(closemark(&["clsoe"]).status.code(), Some(64));
    assert_eq!(closemark(&[]).status.code(), Some(64));
    assert_eq!(closemark(&["--help"]).status.code(), Some(0));
    assert_eq!(closemark(&["close", "--help"]).status.code(), Some(0));
}

#[test]
fn a_fatal_fault_is_one_line_and_exit_1_and_publishes_nothing() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let settings = folder.path().join("settings.toml");
    fs::write(&settings, "[smoothing]\nlambda = 3\n").unwrap();
    let (input, out, settings) = (folder.path().to_str().unwrap(), out.to_str().unwrap(), settings.to_str().unwrap());
    for (arguments, says) in [
        (vec!["close", "--input", input, "--out", out], "day.toml"),
        (vec!["close", "--settings", settings, "--out", out], "unknown setting smoothing.lambda"),
        (vec!["close", "--settings", "/nowhere/s.toml", "--out", out], "/nowhere/s.toml"),
        (vec!["verify", input], "neither"),
        (vec!["show", "SPX", "--out", input], "no close"),
    ] {
        let done = closemark(&arguments);
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(says), "{said}");
        assert!(!Path::new(out).exists());
    }
}

#[test]
fn the_sample_closes_and_what_it_published_holds() {
    let sample = sample();
    assert!(matches!(sample.exit, Some(0 | 2)), "{:?}: {}", sample.exit, sample.said);
    assert!(sample.said.lines().all(|line| line.chars().count() <= 100), "{}", sample.said);
    for part in ["Marks by source", "inside the quote", "Violations", "Gates", "Time by step"] {
        assert!(sample.said.contains(part), "{part} in {}", sample.said);
    }
    let date = only_entry(sample.out.path(), "date=");
    let run = only_entry(&date, "run=");
    let verified = closemark(&["verify", run.to_str().unwrap()]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stdout));
    let report = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(!report.contains(env!("CARGO_MANIFEST_DIR")) && report.contains("The least believable, drawn"));
}

#[test]
fn one_thread_publishes_the_same_bytes() {
    let sample = sample();
    let again = TempDir::new().unwrap();
    let done = closemark(&["close", "--threads", "1", "--out", again.path().to_str().unwrap()]);
    assert_eq!(done.status.code(), sample.exit);
    let run = only_entry(&only_entry(sample.out.path(), "date="), "run=");
    let other = only_entry(&only_entry(again.path(), "date="), "run=");
    assert_eq!(run.file_name(), other.file_name());
    for entry in fs::read_dir(&run).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        // Timings stand outside every digest.
        if name != "timings.json" {
            assert!(fs::read(&path).unwrap() == fs::read(other.join(name)).unwrap(), "{name:?} differs");
        }
    }
}

#[test]
fn show_fits_the_terminal_and_names_the_nearest() {
    let sample = sample();
    let out = sample.out.path().to_str().unwrap();
    let run = only_entry(&only_entry(sample.out.path(), "date="), "run=");
    let run_id = run.file_name().unwrap().to_str().unwrap().strip_prefix("run=").unwrap().to_owned();
    let rows = closemark_data::publication::read::read_slices(&run, None).unwrap();
    let slice = rows.iter().max_by_key(|slice| slice.quoted_count).unwrap();
    let name = slice.underlying.as_str();
    let expiration = closemark_data::date::to_text(slice.expiration);
    for arguments in [
        vec!["show", name, "--out", out, "--run", &run_id],
        vec!["show", name, &expiration, "--out", out, "--run", &run_id],
        vec!["show", name, &expiration, "--all", "--out", out, "--run", &run_id],
    ] {
        let done = closemark(&arguments);
        let said = text(&done.stdout);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        assert!(said.contains(name) && said.lines().count() > 3);
        for line in said.lines() {
            assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
        }
    }
    let wrong = format!("{name}ZZ");
    let done = closemark(&["show", &wrong, "--out", out, "--run", &run_id]);
    assert_eq!(done.status.code(), Some(1));
    let said = text(&done.stderr);
    assert!(said.lines().count() == 1 && said.contains("nearest: ") && said.contains(name), "{said}");
    let done = closemark(&["show", name, "1999-01-04", "--out", out, "--run", &run_id]);
    assert_eq!(done.status.code(), Some(1));
}
