//! How long a call may take to begin its answer: what the service lets it, and no longer than the caller waits.

use std::time::Duration;

use http::HeaderMap;
use tonic::Status;

use crate::serve::errors;

/// The header in which a caller says how long it waits.
const TIMEOUT: &str = "grpc-timeout";
/// Digits of such a time, by gRPC's rules.
const DIGITS_MAX: usize = 8;

/// The time that a call has, and who set it.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// The time.
    pub(super) length: Duration,
    of_caller: bool,
}

impl Patience {
    /// The shorter of the service's limit and the caller's own; what is no time by gRPC's rules says nothing.
    pub(super) fn of(headers: &HeaderMap, most: Duration) -> Self {
        let asked = headers.get(TIMEOUT).and_then(|value| parse(value.as_bytes()));
        match asked {
            Some(length) if length < most => Self { length, of_caller: true },
            _ => Self { length: most, of_caller: false },
        }
    }

    /// What the call is told when the time is over.
    pub(super) fn over(self) -> Status {
        if self.of_caller { errors::deadline_exceeded() } else { errors::overdue(self.length) }
    }
}

/// At most eight digits and a unit: `H`ours, `M`inutes, `S`econds, `m`illi-, `u` micro-, `n`anoseconds.
fn parse(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count = digits.iter().fold(0, |count, digit| 10 * count + u64::from(digit - b'0'));
    match unit {
        b'H' => Some(Duration::from_secs(3600 * count)),
        b'M' => Some(Duration::from_secs(60 * count)),
        b'S' => Some(Duration::from_secs(count)),
        b'm' => Some(Duration::from_millis(count)),
        b'u' => Some(Duration::from_micros(count)),
        b'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;
    use tonic_types::StatusExt;

    use super::{Patience, TIMEOUT, parse};

    #[test]
    fn reads_times_as_grpc_writes_them_and_nothing_else() {
        assert_eq!(parse(b"3H"), Some(Duration::from_secs(10_800)));
        assert_eq!(parse(b"2M"), Some(Duration::from_secs(120)));
        assert_eq!(parse(b"99999999S"), Some(Duration::from_secs(99_999_999)));
        assert_eq!(parse(b"250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse(b"7u"), Some(Duration::from_micros(7)));
        assert_eq!(parse(b"007n"), Some(Duration::from_nanos(7)));
        for text in [&b""[..], b"S", b"5", b"5s", b"-5S", b"+5S", b"1.5S", b"100000000S", b"5 S", b"\xff"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_shorter_time_counts_and_says_whose_it_was() {
        let most = Duration::from_secs(30);
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(TIMEOUT, text.parse().unwrap());
            Patience::of(&headers, most)
        };
        let reason = |patience: Patience| patience.over().get_error_details().error_info().unwrap().reason.clone();
        assert_eq!((of("20m").length, reason(of("20m"))), (Duration::from_millis(20), "DEADLINE_EXCEEDED".to_owned()));
        assert_eq!((of("1H").length, reason(of("1H"))), (most, "CALL_TOO_LONG".to_owned()));
        assert_eq!(of("soon").length, most);
    }
}
