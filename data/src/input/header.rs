//! `day.toml`: which day, which instant, which calendar, which settings.

use std::collections::BTreeMap;
use std::io::Read;

use closemark_pricing::Settings;
use closemark_pricing::series::{Date, Instant};

use super::error::InputError;
use super::source::InputSource;
use crate::calendar::{Calendar, CalendarKind};
use crate::settings::merge_settings;
use crate::{date, time};

const FILE: &str = "day.toml";
/// A longer `day.toml` is refused before it is parsed.
const BYTES_MAX: u64 = 1 << 20;

/// What `day.toml` says.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) market_date: Date,
    pub(crate) snapshot: Instant,
    /// Roots with a snapshot of their own.
    pub(crate) snapshots: BTreeMap<String, Instant>,
    pub(crate) calendar: Calendar,
    pub(crate) settings: Settings,
}

impl Header {
    /// Reads and checks `day.toml`.
    pub(crate) fn read(source: &dyn InputSource) -> Result<Self, InputError> {
        let file = source
            .open(FILE)
            .map_err(|error| InputError::file(FILE, format!("cannot be read: {error}")))?
            .ok_or_else(|| InputError::file(FILE, "is missing; every input folder has one"))?;
        let mut text = String::new();
        file.into_read()
            .take(BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(|error| InputError::file(FILE, format!("cannot be read: {error}")))?;
        Self::parse(&text)
    }

    /// Checks the text of `day.toml`.
    pub(crate) fn parse(text: &str) -> Result<Self, InputError> {
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| InputError::file(FILE, format!("no TOML: {error}")))?;
        let known = ["market_date", "snapshot", "snapshots", "calendar", "settings"];
        if let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(InputError::file(FILE, format!("allowed are {}", known.join(", "))).at_column(key));
        }
        let market_date = market_date(&table)?;
        let calendar = calendar(&table)?;
        let snapshot = match table.get("snapshot") {
            Some(value) => instant("snapshot", value)?,
            None => return Err(snapshot_fault("snapshot").with_value("")),
        };
        let mut snapshots = BTreeMap::new();
        match table.get("snapshots") {
            None => {}
            Some(toml::Value::Table(roots)) => {
                for (root, value) in roots {
                    snapshots.insert(root.clone(), instant(&format!("snapshots.{root}"), value)?);
                }
            }
            Some(other) => {
                return Err(InputError::file(FILE, "a table of root = \"RFC 3339 time\"")
                    .at_column("snapshots")
                    .with_value(other));
            }
        }
        for (name, at) in snapshots.iter().map(|(root, at)| (root.as_str(), *at)).chain([("snapshot", snapshot)]) {
            check_day(name, at, market_date, &calendar)?;
        }
        let mut settings = Settings::default();
        match table.get("settings") {
            None => {}
            Some(toml::Value::Table(values)) => {
                merge_settings(&mut settings, values)
                    .map_err(|error| InputError::file(FILE, error).at_column("settings"))?;
            }
            Some(other) => {
                return Err(InputError::file(FILE, "a table of settings").at_column("settings").with_value(other));
            }
        }
        Ok(Self { market_date, snapshot, snapshots, calendar, settings })
    }

    /// The instant whose quotes count for a root.
    pub(crate) fn snapshot_of(&self, root: &str) -> Instant {
        self.snapshots.get(root).copied().unwrap_or(self.snapshot)
    }
}

fn market_date(table: &toml::Table) -> Result<Date, InputError> {
    let value = table.get("market_date");
    let text = match value {
        Some(toml::Value::String(text)) => text.clone(),
        Some(toml::Value::Datetime(written)) => written.to_string(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    date::parse(&text)
        .ok_or_else(|| InputError::file(FILE, "a date YYYY-MM-DD").at_column("market_date").with_value(text))
}

fn calendar(table: &toml::Table) -> Result<Calendar, InputError> {
    let kind = match table.get("calendar") {
        None => CalendarKind::Us,
        Some(value) => value.as_str().and_then(CalendarKind::parse).ok_or_else(|| {
            InputError::file(FILE, "allowed are \"us\" and \"always\"").at_column("calendar").with_value(value)
        })?,
    };
    Ok(Calendar::new(kind)?)
}

fn snapshot_fault(key: &str) -> InputError {
    InputError::file(FILE, "a time with its offset, as \"2026-11-20T16:00:00-05:00\"").at_column(key)
}

fn instant(key: &str, value: &toml::Value) -> Result<Instant, InputError> {
    let text = match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Datetime(written) => written.to_string(),
        other => other.to_string(),
    };
    time::parse(&text).ok_or_else(|| snapshot_fault(key).with_value(text))
}

/// A snapshot lies on the market date, which is open, at or before midnight of New York after it.
fn check_day(name: &str, at: Instant, market_date: Date, calendar: &Calendar) -> Result<(), InputError> {
    let fault =
        |allowed: String| Err(InputError::file(FILE, allowed).at_column(name).with_value(time::to_new_york_text(at)));
    if !calendar.is_open(market_date) {
        let last = calendar.trading_day_on_or_before(market_date);
        return fault(format!(
            "the market is closed on {}; the trading day before is {}",
            date::to_text(market_date),
            date::to_text(last)
        ));
    }
    // A market that never closes may be dated by the clock of Greenwich or of New York.
    let utc_date = i32::try_from(at.0.div_euclid(time::DAY_NANOSECONDS)).ok().map(Date);
    let greenwich = calendar.kind() == CalendarKind::Always && utc_date == Some(market_date);
    if time::new_york_date(at) != Some(market_date) && !greenwich {
        return fault(format!("a time on the market date {}", date::to_text(market_date)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Header;
    use proptest::prelude::*;

    const GOOD: &str = "market_date = \"2026-11-20\"\nsnapshot = \"2026-11-20T16:00:00-05:00\"\n";

    #[test]
    fn a_whole_header() {
        let text =
            format!("{GOOD}[snapshots]\nSPX = \"2026-11-20T16:15:00-05:00\"\n[settings.gates]\ncoverage_min = 0.5\n");
        let header = Header::parse(&text).unwrap();
        assert_eq!(header.snapshot_of("SPX").0 - header.snapshot_of("AAPL").0, 900 * 1_000_000_000);
        assert_eq!(header.settings.gates.coverage_min, 0.5);
        let dated = "market_date = 2026-11-20\nsnapshot = 2026-11-20T16:00:00-05:00\n";
        assert_eq!(Header::parse(dated).unwrap().snapshot, header.snapshot);
    }

    #[test]
    fn faults_name_key_value_and_what_is_allowed() {
        for (text, said) in [
            ("snapshot = \"2026-11-20T16:00:00-05:00\"", "column `market_date`: `` is not allowed: a date"),
            ("market_date = \"2026-11-20\"", "column `snapshot`"),
            ("market_date = \"2026-11-20\"\nsnapshot = \"2026-11-20T16:00:00\"", "a time with its offset"),
            ("market_date = \"2026-11-20\"\nsnapshot = \"2026-11-19T16:00:00-05:00\"", "a time on the market date"),
            (
                "market_date = \"2026-11-21\"\nsnapshot = \"2026-11-21T16:00:00-05:00\"",
                "closed on 2026-11-21; the trading day before is 2026-11-20",
            ),
            ("market_date = \"2026-11-26\"\nsnapshot = \"2026-11-26T16:00:00-05:00\"", "closed on 2026-11-26"),
            (&format!("{GOOD}calendar = \"mars\""), "allowed are \"us\" and \"always\""),
            (&format!("{GOOD}colour = 1"), "column `colour`"),
            (&format!("{GOOD}[settings.gates]\nx = 1"), "gates.x"),
            ("market_date = ", "no TOML"),
        ] {
            let error = Header::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("day.toml") && error.contains(said) && !error.contains('\n'), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(market_date|snapshot|calendar|\\[settings\\]| = |\"2026-11-20|T16:00:00|-05:00|\"|\n|.){0,20}") {
            let _ = Header::parse(&text);
        }
    }
}
