//! The lock file against deny.toml: licences, sources, and one major each of the crates whose types cross crates.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Crates of which two majors in one build would be two incompatible sets of types.
const ONE_MAJOR: [&str; 7] = ["arrow", "arrow-array", "arrow-schema", "parquet", "prost", "tonic", "tonic-prost"];

/// Crates that name a licence file and no expression: the file's first line, and what it says.
const CLARIFIED: [(&str, &str, &str); 1] = [("implied-vol", "MIT License", "MIT")];

/// The licence of a crate: its expression, else what its file was found to say.
fn licence(package: &Value) -> String {
    if let Some(expression) = package["license"].as_str() {
        return expression.to_owned();
    }
    let known = CLARIFIED.iter().find(|(name, _, _)| package["name"] == *name);
    let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
    let file = package["license_file"].as_str().and_then(|file| std::fs::read_to_string(folder.join(file)).ok());
    match (known, file) {
        (Some((_, first, expression)), Some(text)) if text.lines().next() == Some(first) => (*expression).to_owned(),
        _ => "none".to_owned(),
    }
}

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn used(metadata: &Value) -> Vec<&Value> {
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let ids: BTreeSet<&str> = nodes.iter().map(|node| node["id"].as_str().unwrap()).collect();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().filter(|package| ids.contains(package["id"].as_str().unwrap())).collect()
}

/// Whether an SPDX expression can be met by the allowed licences: `OR` (or the old `/`) by either side, `AND` by both.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = either(&words, &mut at, allowed);
    met && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = both(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= both(words, at, allowed);
    }
    met
}

fn both(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let met = either(words, at, allowed);
        *at += 1;
        return met && words.get(*at - 1) == Some(&")");
    }
    let mut name = (*word).to_owned();
    if words.get(*at) == Some(&"WITH") {
        name = format!("{name} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    allowed.contains(&name)
}

fn allowed_licences() -> BTreeSet<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../deny.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    table["licenses"]["allow"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_licence_is_allowed_and_every_crate_comes_from_the_registry() {
    let metadata = metadata();
    let allowed = allowed_licences();
    let mut refused = Vec::new();
    for package in used(&metadata) {
        let name = package["name"].as_str().unwrap();
        let licence = licence(package);
        if !is_allowed(&licence, &allowed) {
            refused.push(format!("{name}: licence {licence}"));
        }
        let source = package["source"].as_str();
        if source.is_some_and(|source| !source.starts_with("registry+https://github.com/rust-lang/crates.io-index")) {
            refused.push(format!("{name}: source {source:?}"));
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn there_is_one_major_of_each_crate_whose_types_cross_crates() {
    let metadata = metadata();
    let mut majors: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for package in used(&metadata) {
        let version = package["version"].as_str().unwrap();
        let parts: Vec<&str> = version.split('.').collect();
        // Before 1.0 the second number is the one that breaks.
        let major = if parts[0] == "0" { format!("0.{}", parts[1]) } else { parts[0].to_owned() };
        majors.entry(package["name"].as_str().unwrap()).or_default().insert(major);
    }
    for name in ONE_MAJOR {
        assert!(majors.get(name).is_none_or(|found| found.len() == 1), "{name}: {:?}", majors.get(name));
    }
    assert!(majors.contains_key("arrow") && majors.contains_key("parquet"));
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed: BTreeSet<String> = ["MIT", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("MIT/Apache-2.0", true),
        ("(MIT OR GPL-3.0) AND Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("(MIT", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), met, "{expression}");
    }
}
