//! The market dates that quotes and reference records are taken in for.

use closemark_data::time;
use closemark_pricing::series::{Date, Instant};
use tonic::Status;

use super::refusals;
use crate::serve::config::Limits;
use crate::serve::names;

/// Reads a market date, and refuses one that is further from today, in New York, than the limits allow: each date has a
/// folder of its own, and opening one reads it.
///
/// # Errors
/// INVALID_ARGUMENT naming the dates that are allowed.
pub(super) fn market_date(limits: &Limits, given: &str, now: Instant) -> Result<Date, Status> {
    let date = names::date("market_date", given)?;
    let days = |days: u32| i32::try_from(days).unwrap_or(i32::MAX);
    let Some(today) = time::new_york_date(now) else { return Ok(date) };
    let first = Date(today.0.saturating_sub(days(limits.ingest_days_back_max)));
    let last = Date(today.0.saturating_add(days(limits.ingest_days_ahead_max)));
    if (first..=last).contains(&date) { Ok(date) } else { Err(refusals::outside(given, first, last)) }
}

#[cfg(test)]
mod tests {
    use closemark_data::time;
    use tonic::Code;

    use super::market_date;
    use crate::serve::config::ServeConfig;

    #[test]
    fn dates_far_from_today_are_refused() {
        let (mut config, _) = ServeConfig::read(None).unwrap();
        (config.limits.ingest_days_back_max, config.limits.ingest_days_ahead_max) = (3, 1);
        // In New York it is still the 20th.
        let now = time::parse("2026-11-21T04:30:00Z").unwrap();
        for (given, allowed) in [
            ("2026-11-16", false),
            ("2026-11-17", true),
            ("2026-11-20", true),
            ("2026-11-21", true),
            ("2026-11-22", false),
            ("1900-01-02", false),
            ("2199-12-31", false),
        ] {
            let read = market_date(&config.limits, given, now);
            assert_eq!(read.is_ok(), allowed, "{given}");
            if let Err(status) = read {
                assert_eq!(status.code(), Code::InvalidArgument);
                assert!(status.message().contains("2026-11-17 to 2026-11-21"), "{}", status.message());
            }
        }
    }
}
