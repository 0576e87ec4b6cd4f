//! A published day and the real server over it, on loopback.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

const PROGRAM: &str = env!("CARGO_BIN_EXE_closemark");

/// The date of every generated day here.
pub(crate) const DATE: &str = "2026-11-20";

/// A generated input day of a few underlyings, made once for all tests of a file.
pub(crate) fn day() -> &'static Path {
    static DAY: OnceLock<tempfile::TempDir> = OnceLock::new();
    DAY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        run(&["generate", "--seed", "7", "--underlyings", "5", "--out", text(folder.path())]);
        folder
    })
    .path()
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // 2 is a close that a gate holds, which is published as well.
    let held = output.status.code() == Some(2);
    assert!(output.status.success() || held, "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Closes the generated day under `out`, under a flat rate that makes it a run of its own; its name.
pub(crate) fn close(out: &Path, rate: &str) -> String {
    let said = run(&["close", "--input", text(day()), "--flat-rate", rate, "--out", text(out)]);
    let line = said.lines().find_map(|line| line.strip_prefix("Run ")).unwrap();
    assert!(line.contains("FINAL"), "{line}");
    line.split(' ').next().unwrap().to_owned()
}

/// Closes the bundled sample day under `out`; its name.
pub(crate) fn close_sample(out: &Path) -> String {
    let said = run(&["close", "--out", text(out)]);
    let line = said.lines().find_map(|line| line.strip_prefix("Run ")).unwrap();
    line.split(' ').next().unwrap().to_owned()
}

/// Generates a day of two underlyings from a seed at `input`, and closes it under `out`; its name.
pub(crate) fn close_seed(seed: u32, input: &Path, out: &Path) -> String {
    let seed = seed.to_string();
    run(&["generate", "--seed", &seed, "--underlyings", "2", "--date", DATE, "--out", text(input)]);
    let said = run(&["close", "--input", text(input), "--out", text(out)]);
    let line = said.lines().find_map(|line| line.strip_prefix("Run ")).unwrap();
    line.split(' ').next().unwrap().to_owned()
}

/// The folder of a run.
pub(crate) fn run_folder(out: &Path, run: &str) -> PathBuf {
    out.join(format!("date={DATE}/run={run}"))
}

/// A running `closemark serve`.
pub(crate) struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub(crate) address: String,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Serves what is published under `out`; `environment` lays over the configuration.
    pub(crate) fn start(out: &Path, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, out, environment)
    }

    fn start_in(folder: tempfile::TempDir, out: &Path, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(PROGRAM)
            .arg("serve")
            .env("CLOSEMARK_SERVER_LISTEN", "127.0.0.1:0")
            .env("CLOSEMARK_SERVER_OPERATIONS_LISTEN", "127.0.0.1:0")
            .env("CLOSEMARK_STORAGE_FOLDER", folder.path())
            .env("CLOSEMARK_STORAGE_OUT", out)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let said = lines.find_map(|line| line.strip_prefix("listening on ").map(ToOwned::to_owned));
        let Some(address) = said else {
            let mut problem = String::new();
            child.stderr.take().unwrap().read_to_string(&mut problem).unwrap();
            panic!("the server did not start: {problem}");
        };
        // Whatever it still says must not fill its pipes.
        let errors = child.stderr.take().unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        std::thread::spawn(move || BufReader::new(errors).lines().map_while(Result::ok).for_each(drop));
        Self { child, address, _folder: folder }
    }

    /// Ends the server and starts another over the same folders.
    pub(crate) fn restart(mut self, out: &Path) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self._folder, tempfile::tempdir().unwrap());
        Self::start_in(folder, out, &[])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a prerequisite's absence may pass: not in CI.
pub(crate) fn absent(what: &str) {
    println!("passed over: {what}");
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{what}");
}
