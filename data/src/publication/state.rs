//! `state.json`: what each run of a date is, and who said so.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::PublishError;

/// The file's name.
pub const STATE: &str = "state.json";

/// What a run is.
///
/// Exactly one run of a date can be FINAL, and CURRENT names it. A FINAL run that a later version replaces
/// becomes CORRECTED; its files stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunState {
    /// Held by a gate.
    Preliminary,
    /// The run that counts.
    Final,
    /// It counted until a later version replaced it.
    Corrected,
}

impl RunState {
    /// The published word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preliminary => "PRELIMINARY",
            Self::Final => "FINAL",
            Self::Corrected => "CORRECTED",
        }
    }
}

/// One run's entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEntry {
    /// The run.
    pub run_id: String,
    /// What it is.
    pub state: RunState,
    /// Who set that: `gates`, or an operator's name.
    pub set_by: String,
    /// Why, where a person set it or a later run replaced it.
    pub reason: Option<String>,
}

/// All runs of a date in the order of their publication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateState {
    /// The entries.
    pub runs: Vec<RunEntry>,
}

impl DateState {
    /// Reads the file; empty where there is none.
    ///
    /// # Errors
    /// [`PublishError::Io`], or [`PublishError::State`] where it is not of this form.
    pub fn read(date_folder: &Path) -> Result<Self, PublishError> {
        let path = date_folder.join(STATE);
        match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| PublishError::State { path, detail: error.to_string() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(PublishError::io("read", &path)(error)),
        }
    }

    /// The state of a run.
    pub fn of(&self, run_id: &str) -> Option<RunState> {
        self.runs.iter().find(|r| r.run_id == run_id).map(|r| r.state)
    }

    /// Enters a run, or changes its entry; a FINAL run makes the one before it CORRECTED.
    pub(crate) fn set(&mut self, entry: RunEntry) {
        if entry.state == RunState::Final {
            for run in self.runs.iter_mut().filter(|r| r.state == RunState::Final && r.run_id != entry.run_id) {
                run.state = RunState::Corrected;
                run.set_by.clone_from(&entry.set_by);
                run.reason = Some(format!("replaced by run {}", entry.run_id));
            }
        }
        match self.runs.iter_mut().find(|r| r.run_id == entry.run_id) {
            Some(run) => *run = entry,
            None => self.runs.push(entry),
        }
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(run_id: &str, state: RunState) -> RunEntry {
        RunEntry { run_id: run_id.to_owned(), state, set_by: "gates".to_owned(), reason: None }
    }

    #[test]
    fn one_run_is_final() {
        let mut state = DateState::default();
        for (id, s) in [("a", RunState::Final), ("b", RunState::Preliminary), ("c", RunState::Final)] {
            state.set(entry(id, s));
        }
        assert_eq!(state.of("a"), Some(RunState::Corrected));
        assert_eq!(state.of("b"), Some(RunState::Preliminary));
        assert_eq!(state.of("c"), Some(RunState::Final));
        let text = String::from_utf8(state.to_bytes().unwrap()).unwrap();
        assert!(text.contains("\"CORRECTED\"") && text.contains("replaced by run c"));
        assert_eq!(serde_json::from_str::<DateState>(&text).unwrap(), state);
    }
}
