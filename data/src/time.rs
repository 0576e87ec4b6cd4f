//! Instants as text and as wall-clock times in New York, from the bundled time-zone table (never the host's).

use closemark_pricing::series::{Date, Instant};
use jiff::civil;
use jiff::tz::TimeZone;

use crate::date;

/// Nanoseconds of a day.
pub const DAY_NANOSECONDS: i64 = 86_400 * 1_000_000_000;

/// The instant of a wall-clock time in a named zone; `None` for an unknown zone or no such time.
///
/// A time that a change of clocks skips or repeats is read with the offset before the change.
pub fn local(zone: &str, on: Date, hour: u32, minute: u32, second: u32, nanosecond: u32) -> Option<Instant> {
    let zone = TimeZone::get(zone).ok()?;
    in_zone(&zone, on, [hour, minute, second, nanosecond])
}

/// The instant of a wall-clock time in New York.
pub fn new_york(on: Date, hour: u32, minute: u32) -> Option<Instant> {
    local("America/New_York", on, hour, minute, 0, 0)
}

fn in_zone(zone: &TimeZone, on: Date, [hour, minute, second, nanosecond]: [u32; 4]) -> Option<Instant> {
    let (year, month, day) = date::to_ymd(on);
    let day = civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()?;
    let time = civil::Time::new(
        hour.try_into().ok()?,
        minute.try_into().ok()?,
        second.try_into().ok()?,
        nanosecond.try_into().ok()?,
    )
    .ok()?;
    let zoned = zone.to_ambiguous_zoned(civil::DateTime::from_parts(day, time)).compatible().ok()?;
    i64::try_from(zoned.timestamp().as_nanosecond()).ok().map(Instant)
}

/// Reads an RFC 3339 time with an offset, `2026-11-20T16:00:00-05:00` or `...Z`; a space may stand for the `T`.
pub fn parse(text: &str) -> Option<Instant> {
    let timestamp: jiff::Timestamp = text.trim().parse().ok()?;
    i64::try_from(timestamp.as_nanosecond()).ok().map(Instant)
}

/// Reads a time of day `HH:MM`, `HH:MM:SS` or with fractional seconds: hour, minute, second, nanosecond.
pub fn parse_clock(text: &str) -> Option<[u32; 4]> {
    let time: civil::Time = text.trim().parse().ok()?;
    Some([
        time.hour().unsigned_abs().into(),
        time.minute().unsigned_abs().into(),
        time.second().unsigned_abs().into(),
        time.subsec_nanosecond().unsigned_abs(),
    ])
}

/// Writes an instant in UTC, `2026-11-20T21:00:00Z`.
pub fn to_utc_text(instant: Instant) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(instant.0)) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => instant.0.to_string(),
    }
}

/// Writes an instant with New York's offset of that moment, `2026-11-20T16:00:00-05:00`.
pub fn to_new_york_text(instant: Instant) -> String {
    let zoned = TimeZone::get("America/New_York")
        .and_then(|zone| jiff::Timestamp::from_nanosecond(i128::from(instant.0)).map(|t| t.to_zoned(zone)));
    match zoned {
        Ok(zoned) => zoned.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string(),
        Err(_) => to_utc_text(instant),
    }
}

/// The date in New York at an instant.
pub fn new_york_date(instant: Instant) -> Option<Date> {
    let zone = TimeZone::get("America/New_York").ok()?;
    let day = jiff::Timestamp::from_nanosecond(i128::from(instant.0)).ok()?.to_zoned(zone).date();
    date::from_ymd(day.year().into(), day.month().unsigned_abs().into(), day.day().unsigned_abs().into())
}

#[cfg(test)]
mod tests {
    use super::{local, new_york, new_york_date, parse, parse_clock, to_new_york_text, to_utc_text};
    use crate::date;

    #[test]
    fn new_york_knows_summer_and_winter() {
        let winter = new_york(date::parse("2026-11-20").unwrap(), 16, 0).unwrap();
        let summer = new_york(date::parse("2023-09-14").unwrap(), 16, 15).unwrap();
        assert_eq!(to_utc_text(winter), "2026-11-20T21:00:00Z");
        assert_eq!(to_utc_text(summer), "2023-09-14T20:15:00Z");
        assert_eq!(to_new_york_text(winter), "2026-11-20T16:00:00-05:00");
        assert_eq!(parse("2026-11-20T16:00:00-05:00"), Some(winter));
        assert_eq!(parse("2026-11-20 21:00:00Z"), Some(winter));
        assert_eq!(new_york_date(winter), date::parse("2026-11-20"));
    }

    #[test]
    fn refuses_times_without_an_offset_and_unknown_zones() {
        assert_eq!(parse("2026-11-20T16:00:00"), None);
        assert_eq!(parse("yesterday"), None);
        let day = date::parse("2026-11-20").unwrap();
        assert_eq!(local("Atlantis/Center", day, 1, 0, 0, 0), None);
        assert_eq!(local("UTC", day, 24, 0, 0, 0), None);
        assert_eq!(parse_clock("08:00"), Some([8, 0, 0, 0]));
        assert_eq!(parse_clock("8 pm"), None);
    }
}
