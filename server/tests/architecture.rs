//! The invariants of `ARCHITECTURE.md` that the sources themselves can show.

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
    assert_eq!(dependencies("pricing"), ["libm", "thiserror"]);
    let data = dependencies("data");
    assert!(data.iter().any(|d| d == "closemark-pricing"));
    for foreign in ["closemark", "closemark-proto", "tokio", "tonic", "clap"] {
        assert!(!data.iter().any(|d| d == foreign), "data knows {foreign}");
    }
    for foreign in ["arrow", "parquet"] {
        assert!(!dependencies("server").iter().any(|d| d == foreign), "server knows {foreign}");
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

#[test]
fn verification_shares_nothing_with_what_makes_the_marks() {
    let mut files = Vec::new();
    sources(&workspace().join("data/src/verify"), &mut files);
    assert!(files.len() > 3);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("source");
        for maker in [
            "closemark_pricing::publish",
            "closemark_pricing::arbitrage",
            "closemark_pricing::smoothing",
            "closemark_pricing::models",
            "crate::publication",
        ] {
            let tests_only = file.to_string_lossy().contains("test");
            assert!(tests_only || !text.contains(maker), "{} uses {maker}", file.display());
        }
    }
}
