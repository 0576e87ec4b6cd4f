//! The invariants of `ARCHITECTURE.md` that the sources themselves can show.

#![allow(clippy::expect_used, reason = "helpers of tests may unwrap as tests do")]

use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

fn dependencies(member: &str) -> Vec<String> {
    let text = std::fs::read_to_string(workspace().join(member).join("Cargo.toml")).expect("manifest");
    let manifest: toml::Table = text.parse().expect("TOML");
    manifest.get("dependencies").and_then(|d| d.as_table()).map(|d| d.keys().cloned().collect()).unwrap_or_default()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    // multiversion compiles a function for several instruction sets and chooses when it is called; it brings no other
    // code.
    assert_eq!(dependencies("pricing"), ["libm", "multiversion", "thiserror"]);
    let data = dependencies("data");
    assert!(data.iter().any(|d| d == "closemark-pricing"));
    for foreign in ["closemark", "closemark-proto", "tokio", "tonic", "clap"] {
        assert!(!data.iter().any(|d| d == foreign), "data knows {foreign}");
    }
    // Arrow Flight carries Arrow's batches, and nothing else of the server does.
    let mut files = Vec::new();
    sources(&workspace().join("server/src"), &mut files);
    for file in files.iter().filter(|file| !file.components().any(|part| part.as_os_str() == "reads")) {
        let text = std::fs::read_to_string(file).expect("source");
        for foreign in ["arrow::", "parquet::"] {
            assert!(!text.contains(foreign), "{} uses {foreign}", file.display());
        }
    }
}

#[test]
fn pricing_is_pure() {
    let mut files = Vec::new();
    sources(&workspace().join("pricing/src"), &mut files);
    assert!(files.len() > 20);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("source");
        for foreign in
            ["std::fs", "std::time", "std::env", "std::thread", "std::net", "std::process", "HashMap", "println!"]
        {
            assert!(!text.contains(foreign), "{} uses {foreign}", file.display());
        }
    }
}

/// What `verify` may take from the crates that make the marks: words, units and the shape of files, never a number.
const SHARED_WITH_VERIFICATION: [&str; 13] = [
    "closemark_pricing::price::",
    "closemark_pricing::series::",
    "closemark_pricing::vocabulary::",
    "crate::date",
    "crate::decoder",
    "crate::publication::MANIFEST",
    "crate::publication::Manifest",
    "crate::publication::ROW_GROUP_ROWS",
    "crate::publication::current",
    "crate::publication::integrity",
    "crate::publication::read::",
    "crate::publication::run_folder",
    "crate::publication::schema::",
];

/// The paths that a source names, the braces of a `use` spelt out: `a::{b, c::D}` gives `a::b` and `a::c::D`.
fn paths(text: &str, root: &str) -> Vec<String> {
    let name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    text.match_indices(root)
        .flat_map(|(at, _)| {
            let rest = &text[at..];
            let head = &rest[..rest.find(|c| !name(c)).unwrap_or(rest.len())];
            match rest[head.len()..].strip_prefix('{') {
                Some(group) => {
                    let group = &group[..group.find('}').expect("a closed group")];
                    group.split(',').map(|item| format!("{head}{}", item.trim())).filter(|p| p != head).collect()
                }
                None => vec![head.to_owned()],
            }
        })
        .collect()
}

#[test]
fn verification_shares_nothing_with_what_makes_the_marks() {
    let mut files = Vec::new();
    sources(&workspace().join("data/src/verify"), &mut files);
    assert!(files.len() > 3);
    let mut seen = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).expect("source");
        for path in paths(&text, "closemark_pricing::").into_iter().chain(paths(&text, "crate::")) {
            seen += 1;
            let own = path.starts_with("crate::verify::");
            let shared = SHARED_WITH_VERIFICATION.iter().any(|allowed| path.starts_with(allowed));
            assert!(own || shared, "{} uses {path}", file.display());
        }
    }
    assert!(seen > 20, "{seen} paths: the reading of paths has broken");
}

#[test]
fn paths_are_read_from_groups_too() {
    let text = "use crate::publication::{MANIFEST, publish};\nlet a = crate::date::parse(x);";
    assert_eq!(
        paths(text, "crate::"),
        ["crate::publication::MANIFEST", "crate::publication::publish", "crate::date::parse"]
    );
}
