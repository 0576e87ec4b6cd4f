//! A close in three processes, one of them killed and run again, is byte for byte the close of one process.

#![allow(clippy::expect_used, reason = "helpers of tests may unwrap as tests do")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn closemark(arguments: &[&str], out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_closemark"));
    command.args(arguments).arg("--out").arg(out).current_dir(out);
    command
}

fn run(arguments: &[&str], out: &Path) -> Output {
    closemark(arguments, out).output().expect("the binary starts")
}

fn succeeds(arguments: &[&str], out: &Path) {
    let output = run(arguments, out);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Every file below a folder, by its place in it; the lock and the times are nobody's content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("readable") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("timings.json") && !path.ends_with(".lock") {
                let content = std::fs::read(&path).expect("readable");
                found.insert(path.strip_prefix(folder).expect("below").to_owned(), content);
            }
        }
    }
    found
}

#[test]
fn three_processes_publish_what_one_does_though_one_was_killed() {
    let (alone, shared) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    succeeds(&["close"], alone.path());
    let date = alone.path().join("date=2026-11-20");
    assert!(date.is_dir());

    succeeds(&["close", "--shard", "3/3", "--threads", "1"], shared.path());
    let mut killed = closemark(&["close", "--shard", "2/3"], shared.path()).spawn().expect("the binary starts");
    let part = shared.path().join("date=2026-11-20/.shard-2-of-3.part");
    // As soon as it writes; should it be done before it is looked at, its work is undone by hand.
    while !part.exists() && killed.try_wait().expect("waited for").is_none() {
        std::thread::yield_now();
    }
    let _ = killed.kill();
    killed.wait().expect("waited for");
    let whole = shared.path().join("date=2026-11-20/.shard-2-of-3");
    if whole.exists() {
        std::fs::rename(&whole, &part).expect("renamed");
    }
    assert!(part.exists());
    succeeds(&["close", "--shard", "1/3"], shared.path());

    let missing = run(&["assemble"], shared.path());
    assert_eq!(missing.status.code(), Some(1));
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(said.contains("the shard is missing") && said.contains("--shard 2/3"), "{said}");

    succeeds(&["close", "--shard", "2/3"], shared.path());
    let other = run(&["assemble", "--no-risk-arrays"], shared.path());
    assert!(String::from_utf8_lossy(&other.stderr).contains("the shards are of run"), "{other:?}");
    succeeds(&["assemble"], shared.path());
    let (one, three) = (files(alone.path()), files(shared.path()));
    assert_eq!(one.keys().collect::<Vec<_>>(), three.keys().collect::<Vec<_>>());
    for (path, content) in &one {
        assert!(*content == three[path], "{} differs", path.display());
    }
    // Asked again, it finds the run published.
    succeeds(&["assemble"], shared.path());
}

#[test]
fn a_shard_that_there_cannot_be_is_refused() {
    let out = tempfile::tempdir().expect("folder");
    for shard in ["0/3", "4/3", "1", "a/b", "1/0", "1/100000"] {
        let output = run(&["close", "--shard", shard], out.path());
        assert_eq!(output.status.code(), Some(64), "{shard}");
    }
}
