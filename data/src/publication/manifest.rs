//! `manifest.json`: what a run is made of and what it amounts to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest::FileDigest;
use super::gates::Gate;
use super::run_id::OverrideRecord;
use super::totals::Totals;

/// The file's name.
pub const MANIFEST: &str = "manifest.json";
/// The form of the manifest itself.
pub const MANIFEST_FORMAT: u32 = 1;

/// The manifest of a run. Everything but `provenance` follows from the canonical inputs alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this file's form.
    pub format: u32,
    /// The run.
    pub run_id: String,
    /// The day that was closed, `YYYY-MM-DD`.
    pub market_date: String,
    /// The default snapshot as the input gave it.
    pub snapshot: String,
    /// Version of the numerical method.
    pub method_version: String,
    /// Version of the closed vocabularies.
    pub vocabulary_version: u32,
    /// The run this one is built on.
    pub base_run: Option<String>,
    /// The previous close that surfaces and jumps were taken from.
    pub previous_run: Option<String>,
    /// Marks that people fixed.
    pub overrides: Vec<OverrideRecord>,
    /// Canonical text of the settings.
    pub settings: String,
    /// blake3 of that text, hex.
    pub settings_digest: String,
    /// Digest of the canonical inputs, hex.
    pub input_digest: String,
    /// Canonical input records by kind.
    pub input_records: BTreeMap<String, u64>,
    /// What the close amounts to.
    pub totals: Totals,
    /// The gates; all pass where the run was published FINAL.
    pub gates: Vec<Gate>,
    /// What may differ between two publications of the same run.
    pub provenance: Provenance,
}

/// What may differ between two publications of the same run (by folder and by service).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Every other file of the run by name.
    pub files: BTreeMap<String, FileDigest>,
    /// Head of the audit chain, where a service published.
    pub audit_head: Option<String>,
}

impl Manifest {
    /// The file's bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
