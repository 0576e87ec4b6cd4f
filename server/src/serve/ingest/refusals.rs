//! The log's refusals as callers see them.

use std::io::ErrorKind;
use std::time::Duration;

use closemark_data::date;
use closemark_data::log::{AppendError, EncodeError, LogError};
use closemark_pricing::series::Date;
use tonic::{Code, Status};

use super::wire::WireError;
use crate::serve::errors;

/// After this time a log that could not write may be tried again.
const RETRY: Duration = Duration::from_secs(5);

/// The service ends.
pub(super) fn ended() -> Status {
    errors::unavailable("DRAINING", "the service is ending; connect again and send what was not acknowledged", RETRY)
}

/// The log is in trouble; nothing acknowledged is lost.
pub(super) fn log(error: &LogError) -> Status {
    tracing::error!(%error, "the log is in trouble");
    metrics::counter!("closemark_log_errors_total").increment(1);
    let kind = match error {
        LogError::Io { source, .. } => Some(source.kind()),
        _ => None,
    };
    match kind {
        Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            let message = "the log's disk is full; nothing acknowledged is lost";
            errors::exhausted("storage", message, RETRY)
        }
        Some(ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) => errors::unavailable(
            "STORAGE_READ_ONLY",
            "the log's disk cannot be written; nothing acknowledged is lost",
            RETRY,
        ),
        _ if matches!(error, LogError::Damaged { .. }) => errors::error(
            Code::DataLoss,
            "LOG_DAMAGED",
            "the log was changed since it was written and refuses; its own log says where",
            &[],
        ),
        _ => errors::unavailable("LOG_UNAVAILABLE", "the log cannot be written; nothing acknowledged is lost", RETRY),
    }
}

/// Bytes that are no message of this method.
pub(super) fn malformed(error: &WireError) -> Status {
    errors::error(Code::InvalidArgument, "MALFORMED_MESSAGE", error.to_string(), &[])
}

/// A batch or an update was not taken.
pub(super) fn append(error: &AppendError) -> Status {
    match error {
        AppendError::Gap { producer_id, expected, given } => errors::error(
            Code::FailedPrecondition,
            "SEQUENCE_GAP",
            format!("sequence {given} of {} where {expected} is expected", errors::shown(producer_id)),
            &[("expected_sequence", &expected.to_string()), ("given_sequence", &given.to_string())],
        ),
        AppendError::SequenceReused { producer_id, sequence } => errors::error(
            Code::AlreadyExists,
            "SEQUENCE_REUSED",
            format!("sequence {sequence} of {} was taken before, with other quotes", errors::shown(producer_id)),
            &[("sequence", &sequence.to_string())],
        ),
        AppendError::TooMany { what, limit } => {
            errors::exhausted("limits", format!("the market date has {limit} {what} already"), RETRY)
        }
        AppendError::RequestConflict { request_id, version } => errors::error(
            Code::AlreadyExists,
            "REQUEST_ID_REUSED",
            format!("request id {} was used before, for other records", errors::shown(request_id)),
            &[("version", &version.to_string())],
        ),
        AppendError::Log(error) => log(error),
        other => errors::unavailable("LOG_BUSY", other.to_string(), RETRY),
    }
}

/// A market date that nothing is taken in for.
pub(super) fn outside(given: &str, first: Date, last: Date) -> Status {
    let (first, last) = (date::to_text(first), date::to_text(last));
    let allowed = format!("{first} to {last}, by limits.ingest_days_back_max and limits.ingest_days_ahead_max");
    errors::bad_field("market_date", given, &allowed)
}

/// A batch or an update that cannot be put into the log's form at all.
pub(super) fn encode(error: &EncodeError) -> Status {
    match error {
        EncodeError::Id { what, given, limit } => {
            errors::bad_field(what, given, &format!("1 to {limit} visible ASCII characters"))
        }
        EncodeError::Sequence => errors::bad_field("sequence", "0", "1 and ascending by one"),
        EncodeError::Quotes { limit } => errors::too_large("quotes", format!("a batch has at most {limit} quotes")),
        EncodeError::Bytes { limit, .. } => {
            errors::too_large("reference_bytes", format!("an update has at most {limit} bytes in its stored form"))
        }
        EncodeError::Reference(fault) => {
            let field = format!("{}.{}", fault.file.trim_end_matches(".csv"), fault.column.as_deref().unwrap_or("row"));
            errors::bad_field(&field, fault.value.as_deref().unwrap_or_default(), &fault.allowed)
        }
        other => errors::bad_field("market_date", &other.to_string(), "a date YYYY-MM-DD"),
    }
}
