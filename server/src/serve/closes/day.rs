//! From a request to a day: the header that a folder would have as `day.toml`, the log's content, the previous close.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use closemark_data::calendar::{Calendar, CalendarKind};
use closemark_data::date;
use closemark_data::day::Day;
use closemark_data::input::{Folder, InputSource, SourceFile};
use closemark_data::log::DaySnapshot;
use closemark_data::publication::read;
use closemark_data::settings::merge_settings_text;
use closemark_data::time;
use closemark_pricing::series::{Date, Instant};
use toml::{Table, Value};

use crate::pipeline;
use crate::serve::config::CloseSection;
use crate::serve::ledger::CloseRequest;

/// Nanoseconds of a minute.
const MINUTE: i64 = 60_000_000_000;

/// The header of a day, in the form of `day.toml`.
///
/// # Errors
/// Where the exchange is closed on the day and the request names no snapshot of its own.
fn header(section: &CloseSection, market_date: Date, request: &CloseRequest) -> anyhow::Result<String> {
    let calendar = if request.calendar.is_empty() { &section.calendar } else { &request.calendar };
    let text = |value: &str| Value::String(value.to_owned());
    let mut header = Table::new();
    let mut roots = Table::new();
    header.insert("market_date".to_owned(), text(&date::to_text(market_date)));
    header.insert("calendar".to_owned(), text(calendar));
    if request.snapshot.is_empty() {
        let kind = CalendarKind::parse(calendar).context("the calendar is us or always")?;
        let close = Calendar::new(kind)?.close(market_date);
        let close = close.with_context(|| format!("the exchange is closed on {}", date::to_text(market_date)))?;
        let late = Instant(close.0 + i64::from(section.late_minutes) * MINUTE);
        header.insert("snapshot".to_owned(), text(&time::to_new_york_text(close)));
        for root in &section.late_roots {
            roots.insert(root.clone(), text(&time::to_new_york_text(late)));
        }
    } else {
        header.insert("snapshot".to_owned(), text(&request.snapshot));
        for (root, at) in &request.root_snapshots {
            roots.insert(root.clone(), text(at));
        }
    }
    header.insert("snapshots".to_owned(), Value::Table(roots));
    Ok(header.to_string())
}

/// Reads the day from the log, as a folder with the same content would be read.
///
/// # Errors
/// What makes no day, in one line.
pub(crate) fn read(
    section: &CloseSection,
    out: &Path,
    snapshot: &DaySnapshot,
    request: &CloseRequest,
) -> anyhow::Result<Day> {
    let market_date = snapshot.market_date();
    let header = header(section, market_date, request)?;
    let previous = if request.without_previous { None } else { Previous::before(out, market_date)? };
    let base_run = (!request.base_run.is_empty()).then_some(request.base_run.as_str());
    let options = pipeline::read_options(&request.choices(), base_run);
    let mut day = snapshot.read_day(&header, previous.as_ref().map(|p| p as &dyn InputSource), &options)?;
    if !section.settings_file.as_os_str().is_empty() {
        let text = std::fs::read_to_string(&section.settings_file).context("close.settings_file cannot be read")?;
        merge_settings_text(&mut day.settings, &text).context("close.settings_file")?;
    }
    merge_settings_text(&mut day.settings, &request.settings_toml).context("settings_toml")?;
    Ok(day)
}

/// The last close before a day that counts, as an input folder has it under `previous/`.
struct Previous(PathBuf);

impl Previous {
    fn before(out: &Path, market_date: Date) -> anyhow::Result<Option<Self>> {
        if !out.is_dir() {
            return Ok(None);
        }
        for date in read::dates(out)?.into_iter().rev().filter(|date| *date < market_date) {
            match read::open_current(out, Some(date)) {
                Ok(run) => return Ok(Some(Self(run.folder))),
                Err(read::ReadError::Nothing { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

impl InputSource for Previous {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn open(&self, name: &str) -> io::Result<Option<SourceFile>> {
        match name.strip_prefix("previous/") {
            Some(own) if !own.contains(['/', '\\']) => Folder(self.0.clone()).open(own),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use closemark_data::date;

    use super::header;
    use crate::serve::config::{CloseSection, DEFAULTS};
    use crate::serve::ledger::CloseRequest;

    fn text(day: &str, request: &CloseRequest) -> Result<String, String> {
        let section: CloseSection = DEFAULTS.parse::<toml::Table>().unwrap()["close"].clone().try_into().unwrap();
        header(&section, date::parse(day).unwrap(), request).map_err(|error| error.to_string())
    }

    #[test]
    fn snapshots_follow_the_calendar_on_half_days_too() {
        let request = CloseRequest::default();
        let whole: toml::Table = text("2026-11-20", &request).unwrap().parse().unwrap();
        assert_eq!(whole["snapshot"].as_str(), Some("2026-11-20T16:00:00-05:00"));
        assert_eq!(whole["snapshots"]["SPXW"].as_str(), Some("2026-11-20T16:15:00-05:00"));
        let half: toml::Table = text("2026-11-27", &request).unwrap().parse().unwrap();
        assert_eq!(half["snapshot"].as_str(), Some("2026-11-27T13:00:00-05:00"));
        assert_eq!(half["snapshots"]["SPX"].as_str(), Some("2026-11-27T13:15:00-05:00"));
        assert!(text("2026-11-26", &request).unwrap_err().contains("closed on 2026-11-26"));
    }

    #[test]
    fn what_callers_name_cannot_break_out_of_its_text() {
        let evil = "x\"\n[settings.gates]\ncoverage_min = 0.0 #";
        let request = CloseRequest {
            snapshot: evil.to_owned(),
            root_snapshots: vec![(evil.to_owned(), evil.to_owned())],
            ..CloseRequest::default()
        };
        let table: toml::Table = text("2026-11-20", &request).unwrap().parse().unwrap();
        assert!(!table.contains_key("settings"));
        assert_eq!(table["snapshots"][evil].as_str(), Some(evil));
    }
}
