//! What callers are told when a call fails: `google.rpc.Status` with details, after AIP-193.
//!
//! Every error that the service itself makes carries an `ErrorInfo` whose reason is a word for programs; the message is
//! for people and may change. Nothing here repeats a secret or a path of the host.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, ErrorInfo, StatusExt};

/// The domain of every `ErrorInfo`.
pub(crate) const DOMAIN: &str = "closemark";
/// Longest piece of a caller's text that is said back.
const SHOWN_CHARACTERS: usize = 64;

fn details(reason: &str, metadata: &[(&str, &str)]) -> ErrorDetails {
    let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), shown(value))).collect();
    let info = ErrorInfo { reason: reason.to_owned(), domain: DOMAIN.to_owned(), metadata };
    let mut details = ErrorDetails::new();
    details.set_error_info(info.reason, info.domain, info.metadata);
    details
}

/// An error of a code, with a reason for programs and facts beside it.
pub(crate) fn error(code: Code, reason: &str, message: impl Into<String>, metadata: &[(&str, &str)]) -> Status {
    Status::with_error_details(code, message, details(reason, metadata))
}

/// A field whose value is not allowed.
pub(crate) fn bad_field(field: &str, value: &str, allowed: &str) -> Status {
    let message = format!("{field} is {:?}; allowed is {allowed}", shown(value));
    let mut details = details("INVALID_FIELD", &[("field", field)]);
    details.add_bad_request_violation(field, message.clone());
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// A thing that is not there.
pub(crate) fn not_found(kind: &str, name: &str) -> Status {
    let mut details = details("NOT_FOUND", &[("kind", kind)]);
    details.set_resource_info(kind, shown(name), "", "there is none of this name");
    Status::with_error_details(Code::NotFound, format!("there is no {kind} {:?}", shown(name)), details)
}

/// More than a limit allows; trying again after `retry` may succeed.
pub(crate) fn exhausted(limit: &str, message: impl Into<String>, retry: Duration) -> Status {
    let mut details = details("LIMIT_REACHED", &[("limit", limit)]);
    details.set_retry_info(Some(retry));
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// Larger than a limit allows; trying again cannot succeed.
pub(crate) fn too_large(limit: &str, message: impl Into<String>) -> Status {
    let message = message.into();
    let mut details = details("TOO_LARGE", &[("limit", limit)]);
    details.add_quota_failure_violation(limit, message.clone());
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// The service cannot do it now, through no fault of the caller.
pub(crate) fn unavailable(reason: &str, message: impl Into<String>, retry: Duration) -> Status {
    let mut details = details(reason, &[]);
    details.set_retry_info(Some(retry));
    Status::with_error_details(Code::Unavailable, message, details)
}

/// A call that took longer than the service lets it.
pub(crate) fn overdue(limit: Duration) -> Status {
    too_long("limits.call_seconds_max", limit)
}

/// A call without credentials that lasted longer than the service lets it.
pub(crate) fn open_overdue(limit: Duration) -> Status {
    too_long("limits.open_call_seconds_max", limit)
}

fn too_long(key: &str, limit: Duration) -> Status {
    let seconds = limit.as_secs().to_string();
    let facts = [("limit", key), ("seconds", seconds.as_str())];
    let mut details = details("CALL_TOO_LONG", &facts);
    details.set_retry_info(Some(Duration::from_secs(1)));
    let message = format!("the call took longer than the {seconds} s of {key}");
    Status::with_error_details(Code::DeadlineExceeded, message, details)
}

/// A call that took longer than its caller waits for it.
pub(crate) fn deadline_exceeded() -> Status {
    error(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "the call took longer than its grpc-timeout", &[])
}

/// What the state of a thing does not allow.
pub(crate) fn precondition(reason: &str, subject: &str, message: impl Into<String>) -> Status {
    let message = message.into();
    let mut details = details(reason, &[]);
    details.add_precondition_failure_violation(reason, shown(subject), message.clone());
    Status::with_error_details(Code::FailedPrecondition, message, details)
}

/// A fault of the service; the cause goes to the log, not to the caller.
pub(crate) fn internal(doing: &str, cause: &dyn std::fmt::Display) -> Status {
    tracing::error!(doing, %cause, "internal error");
    error(Code::Internal, "INTERNAL", format!("{doing} failed; the service's log says why"), &[])
}

/// A caller's text as it may be said back: control characters escaped, long text cut.
pub(crate) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_CHARACTERS).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Code;
    use tonic_types::StatusExt;

    #[test]
    fn details_travel_with_the_status() {
        let status = super::exhausted("calls_max", "too many calls", Duration::from_millis(500));
        assert_eq!(status.code(), Code::ResourceExhausted);
        let details = status.get_error_details();
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_millis(500)));
        assert_eq!(details.error_info().unwrap().domain, super::DOMAIN);
        let status = super::bad_field("market_date", "../../etc\n", "a date");
        assert_eq!(status.get_error_details().bad_request().unwrap().field_violations[0].field, "market_date");
        assert!(!status.message().contains('\n'));
    }
}
