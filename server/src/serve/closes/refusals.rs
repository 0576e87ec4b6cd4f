//! The ledger's and publication's refusals as callers see them.

use std::time::Duration;

use closemark_data::publication::PublishError;
use tonic::{Code, Status};

use crate::serve::errors;
use crate::serve::ledger::LedgerError;

/// After this time a date that is being published may be free.
pub(super) const RETRY: Duration = Duration::from_secs(2);

/// What the ledger refused before anything else was done.
pub(super) fn refused(error: LedgerError) -> Status {
    match error {
        LedgerError::Sqlite(error) => {
            tracing::error!(%error, "the ledger is in trouble");
            let full = matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
            if full {
                errors::exhausted("storage", "the ledger's disk is full; nothing was changed", RETRY)
            } else {
                errors::unavailable("LEDGER_UNAVAILABLE", "the ledger cannot be written; nothing was changed", RETRY)
            }
        }
        LedgerError::RequestReused { .. } => {
            errors::error(Code::AlreadyExists, "REQUEST_ID_REUSED", error.to_string(), &[])
        }
        LedgerError::NotFound { kind, name } => errors::not_found(kind, &name),
        LedgerError::State { reason, detail } => errors::precondition(reason, "override", detail),
    }
}

/// Publication's refusals of a finalization.
pub(super) fn unpublishable(name: &str, error: PublishError) -> Status {
    match error {
        PublishError::Locked { .. } => {
            errors::unavailable("DATE_LOCKED", "another close of the day is being published", RETRY)
        }
        PublishError::State { detail, .. } => errors::precondition("NOT_FINALIZABLE", name, detail),
        PublishError::Damaged { detail, .. } => {
            tracing::error!(name, detail, "a published run is damaged");
            errors::error(Code::DataLoss, "RUN_DAMAGED", "the run's files are not what was published", &[])
        }
        other => errors::internal("finalizing", &other),
    }
}
