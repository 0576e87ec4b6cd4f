//! Whether a run's files are still what its manifest says.

use std::fs;
use std::path::Path;

use rayon::prelude::*;

use super::digest::FileDigest;
use super::manifest::{MANIFEST, Manifest};
use super::publish::{TIMINGS, file_names};
use super::run_id::{RunInputs, run_id};

/// Reads the manifest of a run folder and compares every file with it; the first difference, in words.
pub(crate) fn check(folder: &Path) -> Result<Manifest, String> {
    let manifest = manifest(folder)?;
    match differences(folder, &manifest)?.into_iter().next() {
        Some((file, detail)) => Err(format!("{file}: {detail}")),
        None => Ok(manifest),
    }
}

/// Reads the manifest of a run folder.
pub(crate) fn manifest(folder: &Path) -> Result<Manifest, String> {
    let bytes = fs::read(folder.join(MANIFEST)).map_err(|error| format!("{MANIFEST}: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{MANIFEST}: {error}"))
}

/// Every way in which a run folder differs from its manifest, as (file, what).
pub(crate) fn differences(folder: &Path, manifest: &Manifest) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let mut differs = |file: &str, detail: String| found.push((file.to_owned(), detail));
    let named = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if named.strip_prefix("run=").is_some_and(|id| id != manifest.run_id) {
        differs(MANIFEST, format!("names run {} in folder {named}", manifest.run_id));
    }
    let expected = run_id(&RunInputs {
        input_digest: &manifest.input_digest,
        settings_text: &manifest.settings,
        method_version: &manifest.method_version,
        base_run: manifest.base_run.as_deref(),
        overrides: &manifest.overrides,
    });
    if expected != manifest.run_id {
        differs(MANIFEST, format!("its inputs make run {expected}, it names {}", manifest.run_id));
    }
    let names = file_names(folder).map_err(|error| error.to_string())?;
    for name in &names {
        if !manifest.provenance.files.contains_key(name) && name != MANIFEST && name != TIMINGS {
            differs(name, "is not in the manifest".to_owned());
        }
    }
    let files: Vec<(&String, &FileDigest)> = manifest.provenance.files.iter().collect();
    let different: Vec<Option<(String, String)>> = files
        .into_par_iter()
        .map(|(name, digest)| {
            if !names.contains(name) {
                return Some((name.clone(), "is missing".to_owned()));
            }
            match FileDigest::of_file(&folder.join(name)) {
                Ok(actual) if actual == *digest => None,
                Ok(actual) => Some((
                    name.clone(),
                    format!(
                        "{} bytes with digest {}, the manifest says {} with {}",
                        actual.size, actual.blake3, digest.size, digest.blake3
                    ),
                )),
                Err(error) => Some((name.clone(), error.to_string())),
            }
        })
        .collect();
    found.extend(different.into_iter().flatten());
    Ok(found)
}
