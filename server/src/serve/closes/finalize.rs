//! Finalization: a change of the published folder that the ledger tells of.
//!
//! The two cannot change in one step. So the intention enters the ledger first, with its audit entry; then the pointer
//! moves; then the ledger says that it is done. What stood in between when the service ended is completed at its start.

use std::path::PathBuf;

use closemark_data::publication::{self, PublishError};
use closemark_data::store::{RunId, Store};
use serde::Deserialize;
use tonic::Status;

use super::refusals::{RETRY, refused, unpublishable};
use crate::serve::clock;
use crate::serve::errors;
use crate::serve::ledger::{Change, Ledger};
use crate::serve::names::{self, CloseName};
use crate::serve::state::Service;

/// The method, as request ids are kept for it.
pub(super) const METHOD: &str = "FinalizeClose";

/// What is to be made final, by whom and why.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Intent {
    pub(super) run: String,
    pub(super) by: String,
    pub(super) reason: String,
}

impl Intent {
    /// The same text for the same request.
    pub(super) fn text(&self) -> String {
        serde_json::json!({ "run": self.run, "by": self.by, "reason": self.reason }).to_string()
    }

    fn change<'a>(&'a self, action: &'a str, detail: &'a str) -> Change<'a> {
        Change { at: clock::now(), actor: &self.by, action, subject: &self.run, detail }
    }
}

/// What finalization works with.
pub(crate) struct FinalizeParts<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) store: &'a Store,
    pub(crate) out: PathBuf,
}

impl<'a> FinalizeParts<'a> {
    pub(super) fn of(service: &'a Service) -> Self {
        Self { ledger: &service.ledger, store: &service.store, out: service.config.out_folder() }
    }
}

/// Makes a run final.
///
/// # Errors
/// As publication says; then nothing was changed, and the audit says so. UNAVAILABLE where the run counts and the ledger
/// could not be told: the same request again tells it, and so does the next start.
pub(super) fn finalize(parts: &FinalizeParts<'_>, request_id: &str, intent: &Intent) -> Result<(), Status> {
    let text = intent.text();
    let begins = intent.change("close.finalizing", &text);
    if parts.ledger.begin(METHOD, request_id, &text, &begins).map_err(refused)? {
        act(parts, request_id, intent)?;
    }
    Ok(())
}

/// Completes what was begun before the service ended.
pub(crate) fn complete(parts: &FinalizeParts<'_>) -> anyhow::Result<()> {
    for (request_id, text) in parts.ledger.begun(METHOD)? {
        let intent: Intent = serde_json::from_str(&text)?;
        match act(parts, &request_id, &intent) {
            Ok(()) => tracing::info!(run = intent.run, by = intent.by, "a finalization was completed"),
            Err(status) => tracing::error!(run = intent.run, message = status.message(), "a finalization did not end"),
        }
    }
    Ok(())
}

/// Moves the pointer, and says so.
fn act(parts: &FinalizeParts<'_>, request_id: &str, intent: &Intent) -> Result<(), Status> {
    let CloseName::Run(day, run_id) = names::close("name", &intent.run)? else {
        return Err(errors::internal("finalizing", &"the intention names no run"));
    };
    // Readers are to find it in memory when the pointer moves.
    if let Some(run) = RunId::parse(run_id)
        && let Err(error) = parts.store.close(day, run)
    {
        tracing::warn!(run = intent.run, %error, "the run is not in memory");
    }
    match publication::finalize(&parts.out, day, run_id, &intent.by, &intent.reason) {
        Ok(_) => {
            let text = intent.text();
            let done = intent.change("close.finalized", &text);
            parts.ledger.done(METHOD, request_id, &text, &done).map_err(|error| {
                tracing::error!(%error, run = intent.run, "the ledger could not be told of a finalization");
                let message = "the close counts now, but the ledger could not be told; send the same request again";
                errors::unavailable("LEDGER_BEHIND", message, RETRY)
            })
        }
        Err(error @ (PublishError::Locked { .. } | PublishError::State { .. } | PublishError::Damaged { .. })) => {
            // Nothing was written yet.
            let detail = serde_json::json!({ "error": error_word(&error) }).to_string();
            parts
                .ledger
                .abandon(METHOD, request_id, &intent.change("close.not_finalized", &detail))
                .map_err(refused)?;
            Err(unpublishable(&intent.run, error))
        }
        // How far it came is not known; it is completed later.
        Err(error) => Err(unpublishable(&intent.run, error)),
    }
}

fn error_word(error: &PublishError) -> &'static str {
    match error {
        PublishError::Locked { .. } => "another close of the day is being published",
        PublishError::State { .. } => "the run's state does not allow it",
        _ => "the run's files are not what was published",
    }
}

#[cfg(test)]
mod tests {
    use closemark_data::store::Store;
    use closemark_pricing::series::Instant;

    use super::{FinalizeParts, Intent, METHOD, complete, finalize};
    use crate::serve::ledger::{Change, Ledger};

    #[test]
    fn an_intention_that_changed_nothing_says_so_and_one_that_was_cut_off_is_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.sqlite")).unwrap();
        let out = folder.path().join("out");
        let store = Store::new(&out, 1 << 20);
        let parts = FinalizeParts { ledger: &ledger, store: &store, out };
        let run = "dates/2026-11-20/runs/0123456789abcdef".to_owned();
        let intent = Intent { run, by: "otto".to_owned(), reason: "reviewed".to_owned() };
        // There is no such run: refused, and nothing is left to complete.
        let empty = ledger.audit_head().unwrap();
        let status = finalize(&parts, "r", &intent).unwrap_err();
        assert_eq!(status.code(), tonic::Code::FailedPrecondition, "{status:?}");
        assert!(ledger.begun(METHOD).unwrap().is_empty());
        let refused = ledger.audit_head().unwrap();
        assert_ne!(refused, empty);
        // The service ended after the intention: its start takes it up.
        let text = intent.text();
        let change = Change { at: Instant(1), actor: "otto", action: "close.finalizing", subject: "s", detail: "{}" };
        assert!(ledger.begin(METHOD, "q", &text, &change).unwrap());
        complete(&parts).unwrap();
        assert!(ledger.begun(METHOD).unwrap().is_empty());
    }
}
