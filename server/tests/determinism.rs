//! The same day gives the same bytes: for any number of threads, from any folder, whatever the C library's choice of
//! instructions and our own.

#![allow(clippy::expect_used, reason = "helpers of tests may unwrap as tests do")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Closes the bundled sample into `out` and returns the run folder.
fn close(out: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> PathBuf {
    close_by(&mut Command::new(env!("CARGO_BIN_EXE_closemark")), out, arguments, environment)
}

fn close_by(command: &mut Command, out: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> PathBuf {
    let output = command
        .arg("close")
        .arg("--out")
        .arg(out)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(out)
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let date = only_folder(out, "date=");
    only_folder(&date, "run=")
}

fn only_folder(parent: &Path, prefix: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir(parent)
        .expect("readable")
        .map(|e| e.expect("entry").path())
        .filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(prefix)))
        .collect();
    assert_eq!(found.len(), 1, "{prefix} in {}", parent.display());
    found.remove(0)
}

/// Digest of every file of a run but `timings.json`; the manifest without its `provenance`.
fn bytes(run: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(run)
        .expect("readable")
        .map(|e| e.expect("entry").path())
        .filter(|p| !p.ends_with("timings.json"))
        .map(|p| {
            let name = p.file_name().expect("name").to_string_lossy().into_owned();
            let content = std::fs::read(&p).expect("readable");
            if name == "manifest.json" {
                let mut manifest: serde_json::Value = serde_json::from_slice(&content).expect("JSON");
                manifest.as_object_mut().expect("object").remove("provenance");
                (name, manifest.to_string().into_bytes())
            } else {
                (name, content)
            }
        })
        .collect()
}

fn assert_same(left: &BTreeMap<String, Vec<u8>>, right: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
    for (name, content) in left {
        assert!(content == &right[name], "{name} differs");
    }
    for name in ["marks.parquet", "slices.parquet", "exceptions.parquet", "report.html", "manifest.json"] {
        assert!(left.contains_key(name), "{name} is missing");
    }
}

#[test]
fn one_thread_and_two_and_another_folder_publish_the_same_bytes() {
    let (a, b) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let one = close(a.path(), &["--threads", "1"], &[]);
    let two = close(b.path(), &["--threads", "2"], &[]);
    assert_eq!(one.file_name(), two.file_name());
    assert_same(&bytes(&one), &bytes(&two));
}

#[test]
fn the_c_librarys_cpu_variants_do_not_matter() {
    let (a, b) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let usual = close(a.path(), &[], &[]);
    let plain = close(
        b.path(),
        &[],
        &[("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-FMA,-FMA4,-ERMS,-BMI2")],
    );
    assert_same(&bytes(&usual), &bytes(&plain));
}

/// A processor of 2008, emulated: our sweeps then run in plain instructions.
#[test]
fn a_processor_without_wide_vectors_publishes_the_same_bytes() {
    if Command::new("qemu-x86_64").arg("-version").output().is_err() {
        eprintln!("passed over: no qemu-x86_64");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "CI installs qemu-user");
        return;
    }
    let (a, b) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let usual = close(a.path(), &[], &[]);
    let mut emulated = Command::new("qemu-x86_64");
    emulated.args(["-cpu", "Nehalem", env!("CARGO_BIN_EXE_closemark")]);
    let old = close_by(&mut emulated, b.path(), &[], &[]);
    assert_same(&bytes(&usual), &bytes(&old));
}

#[test]
fn closing_again_finds_it_published_and_succeeds() {
    let out = tempfile::tempdir().expect("folder");
    let first = bytes(&close(out.path(), &[], &[]));
    let second = bytes(&close(out.path(), &[], &[]));
    assert_same(&first, &second);
}
