//! Names and texts that callers give, read strictly: what is kept is the parsed value, so that no text of a caller's
//! becomes a path.

use closemark_data::date;
use closemark_data::publication::is_run_id;
use closemark_pricing::series::Date;
use tonic::Status;

use super::errors;

/// Longest request id, bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// Longest reason that a person gives, bytes.
const REASON_BYTES_MAX: usize = 1000;

/// A date, `2026-11-20`.
///
/// # Errors
/// INVALID_ARGUMENT naming the field.
pub(crate) fn date(field: &str, text: &str) -> Result<Date, Status> {
    let parsed = date::parse(text).filter(|parsed| date::to_text(*parsed) == text);
    parsed.ok_or_else(|| errors::bad_field(field, text, "a date YYYY-MM-DD"))
}

/// A client's own id for a request.
///
/// # Errors
/// INVALID_ARGUMENT where it is empty, too long or not visible ASCII.
pub(crate) fn request_id(text: &str) -> Result<&str, Status> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if visible && (1..=REQUEST_ID_BYTES_MAX).contains(&text.len()) {
        return Ok(text);
    }
    let allowed = format!("1 to {REQUEST_ID_BYTES_MAX} visible ASCII characters");
    Err(errors::bad_field("request_id", text, &allowed))
}

/// A person's reason.
///
/// # Errors
/// INVALID_ARGUMENT where it is empty, too long, or holds control characters.
pub(crate) fn reason(text: &str) -> Result<&str, Status> {
    let plain = !text.chars().any(char::is_control);
    if plain && !text.trim().is_empty() && text.len() <= REASON_BYTES_MAX {
        return Ok(text);
    }
    Err(errors::bad_field("reason", text, &format!("1 to {REASON_BYTES_MAX} bytes on one line")))
}

/// A run id.
///
/// # Errors
/// INVALID_ARGUMENT naming the field.
pub(crate) fn run_id<'a>(field: &str, text: &'a str) -> Result<&'a str, Status> {
    if is_run_id(text) { Ok(text) } else { Err(errors::bad_field(field, text, "16 hex digits")) }
}

/// What a name of CloseService stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseName<'a> {
    /// `dates/*/runs/*`.
    Run(Date, &'a str),
    /// `dates/*/runs/current`.
    Current(Date),
    /// `dates/*/closes/*`: a close from its start on.
    Started(Date, &'a str),
}

/// Reads the name of a close.
///
/// # Errors
/// INVALID_ARGUMENT naming the field.
pub(crate) fn close<'a>(field: &str, name: &'a str) -> Result<CloseName<'a>, Status> {
    let refused = || errors::bad_field(field, name, "dates/*/runs/*, dates/*/runs/current or dates/*/closes/*");
    let mut parts = name.split('/');
    let (Some("dates"), Some(day), Some(kind), Some(id), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(refused());
    };
    let day = date(field, day).map_err(|_| refused())?;
    match kind {
        "runs" if id == "current" => Ok(CloseName::Current(day)),
        "runs" if is_run_id(id) => Ok(CloseName::Run(day, id)),
        "closes" if is_run_id(id) => Ok(CloseName::Started(day, id)),
        _ => Err(refused()),
    }
}

/// Reads `dates/*/overrides/*`.
///
/// # Errors
/// INVALID_ARGUMENT.
pub(crate) fn override_id(name: &str) -> Result<(Date, &str), Status> {
    let parsed = name.strip_prefix("dates/").and_then(|rest| rest.split_once("/overrides/"));
    let parsed = parsed.and_then(|(day, id)| Some((date("name", day).ok()?, id)));
    parsed.filter(|(_, id)| is_run_id(id)).ok_or_else(|| errors::bad_field("name", name, "dates/*/overrides/*"))
}

/// Name of a run.
pub(crate) fn run(date: Date, run_id: &str) -> String {
    format!("dates/{}/runs/{run_id}", date::to_text(date))
}

#[cfg(test)]
mod tests {
    use super::{CloseName, close, override_id, reason, request_id};
    use closemark_data::date;

    #[test]
    fn names_are_read_strictly() {
        let day = date::parse("2026-11-20").unwrap();
        let id = "0123456789abcdef";
        let name = |text: &'static str| close("name", text).ok();
        assert_eq!(name("dates/2026-11-20/runs/current"), Some(CloseName::Current(day)));
        assert_eq!(name("dates/2026-11-20/runs/0123456789abcdef"), Some(CloseName::Run(day, id)));
        assert_eq!(name("dates/2026-11-20/closes/0123456789abcdef"), Some(CloseName::Started(day, id)));
        assert_eq!(override_id("dates/2026-11-20/overrides/0123456789abcdef").unwrap(), (day, id));
        for bad in [
            "",
            "dates/2026-11-20/runs",
            "dates/2026-11-20/runs/../../x",
            "dates/../runs/current",
            "dates/2026-11-20/runs/0123456789abcdef/x",
            "dates/20261120/runs/current",
            "/dates/2026-11-20/runs/current",
            "dates/2026-11-20/closes/current",
        ] {
            assert_eq!(close("name", bad).unwrap_err().code(), tonic::Code::InvalidArgument, "{bad}");
        }
        assert!(override_id("dates/2026-11-20/overrides/../x").is_err());
        assert!(request_id("a b").is_err() && request_id("").is_err() && request_id(&"x".repeat(129)).is_err());
        assert!(reason("a\nb").is_err() && reason(" ").is_err() && reason("wrong dividend").is_ok());
    }
}
