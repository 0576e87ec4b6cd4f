//! What people decide about a published run.

use std::path::Path;

use closemark_pricing::series::Date;

use super::error::PublishError;
use super::folder::{CURRENT, LockedDate, current, date_folder, run_folder};
use super::integrity;
use super::state::{DateState, RunEntry, RunState, STATE};

/// Makes a preliminary run FINAL: the run that counts. The run that counted before becomes CORRECTED. A run that is
/// FINAL already stays what it is, so that asking twice does no harm.
///
/// # Errors
/// [`PublishError::State`] where there is no such run, it closed some underlyings alone, or a later run replaced it;
/// [`PublishError::Damaged`] where its files are not what was published; otherwise as for publication. Readers then see
/// what they saw before.
pub fn finalize(out: &Path, date: Date, run_id: &str, by: &str, reason: &str) -> Result<RunState, PublishError> {
    let path = date_folder(out, date)?;
    let refused = |detail: String| PublishError::State { path: path.join(STATE), detail };
    let folder = run_folder(&path, run_id).filter(|folder| folder.is_dir());
    let folder = folder.ok_or_else(|| refused(format!("there is no run {run_id:?}")))?;
    let locked = LockedDate::lock(&path)?;
    let manifest =
        integrity::check(&folder).map_err(|detail| PublishError::Damaged { path: folder.clone(), detail })?;
    let mut states = DateState::read(&path)?;
    match states.of(run_id) {
        Some(RunState::Final) => {}
        Some(RunState::Corrected) => return Err(refused(format!("run {run_id} was replaced by a later one"))),
        Some(RunState::Preliminary) | None => {
            if manifest.gates.iter().any(|gate| gate.name == "whole") {
                return Err(refused(format!("run {run_id} closed some underlyings alone; it is no close of the day")));
            }
            let entry = RunEntry {
                run_id: run_id.to_owned(),
                state: RunState::Final,
                set_by: by.to_owned(),
                reason: Some(reason.to_owned()),
            };
            states.set(entry);
            let bytes = states.to_bytes().map_err(|error| refused(error.to_string()))?;
            locked.replace(STATE, &bytes)?;
        }
    }
    if current(&path)?.as_deref() != Some(run_id) {
        locked.replace(CURRENT, format!("{run_id}\n").as_bytes())?;
    }
    Ok(RunState::Final)
}
