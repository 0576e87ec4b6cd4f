//! What StartClose is asked for, read strictly.

use closemark_data::date;
use closemark_proto::v1;
use tonic::Status;

use super::schedule::SCHEDULED;
use crate::serve::errors;
use crate::serve::ledger::CloseRequest;
use crate::serve::names;

/// Underlyings that one request may name.
const ONLY_MAX: usize = 10_000;
/// Roots with a snapshot of their own.
const ROOTS_MAX: usize = 1_000;
/// Longest settings text, bytes.
const SETTINGS_BYTES_MAX: usize = 1 << 16;
/// Longest symbol, bytes.
pub(super) const SYMBOL_BYTES_MAX: usize = 64;

/// Reads a request: its id and what it asks for, in a form that is the same for the same request.
///
/// # Errors
/// INVALID_ARGUMENT naming the field.
pub(super) fn read_request(given: v1::StartCloseRequest) -> Result<(String, CloseRequest), Status> {
    names::request_id(&given.request_id)?;
    if given.request_id.starts_with(SCHEDULED) {
        let allowed = format!("an id that does not begin with {SCHEDULED}: the calendar's closes have those");
        return Err(errors::bad_field("request_id", &given.request_id, &allowed));
    }
    let day = names::date("market_date", &given.market_date)?;
    let only = given.only;
    let plain =
        |text: &String| !text.is_empty() && text.len() <= SYMBOL_BYTES_MAX && !text.chars().any(char::is_control);
    if let Some(odd) = only.iter().find(|text| !plain(text)) {
        return Err(errors::bad_field("only", odd, "symbols of underlyings"));
    }
    for (field, count, limit) in
        [("only", only.len(), ONLY_MAX), ("root_snapshots", given.root_snapshots.len(), ROOTS_MAX)]
    {
        if count > limit {
            return Err(errors::bad_field(field, &count.to_string(), &format!("at most {limit} entries")));
        }
    }
    if !given.base_run.is_empty() {
        names::run_id("base_run", &given.base_run)?;
    }
    if given.settings_toml.len() > SETTINGS_BYTES_MAX {
        let allowed = format!("at most {SETTINGS_BYTES_MAX} bytes");
        return Err(errors::bad_field("settings_toml", &given.settings_toml, &allowed));
    }
    let mut settings = closemark_pricing::Settings::default();
    closemark_data::settings::merge_settings_text(&mut settings, &given.settings_toml)
        .map_err(|error| errors::bad_field("settings_toml", &error.to_string(), "settings of the method"))?;
    let instant = |field: &str, text: &str| match closemark_data::time::parse(text) {
        Some(_) => Ok(()),
        None => Err(errors::bad_field(field, text, "a time with its offset, 2026-11-20T16:00:00-05:00")),
    };
    if !given.snapshot.is_empty() {
        instant("snapshot", &given.snapshot)?;
    } else if !given.root_snapshots.is_empty() {
        return Err(errors::bad_field("root_snapshots", "", "only beside snapshot"));
    }
    let mut root_snapshots = Vec::new();
    for one in given.root_snapshots {
        instant("root_snapshots.snapshot", &one.snapshot)?;
        if !plain(&one.root) {
            return Err(errors::bad_field("root_snapshots.root", &one.root, "an option root"));
        }
        root_snapshots.push((one.root, one.snapshot));
    }
    root_snapshots.sort();
    if let Some([(root, _), _]) = root_snapshots.array_windows::<2>().find(|[a, b]| a.0 == b.0) {
        return Err(errors::bad_field("root_snapshots.root", root, "each root once"));
    }
    if !["", "us", "always"].contains(&given.calendar.as_str()) {
        return Err(errors::bad_field("calendar", &given.calendar, "us or always"));
    }
    if let Some(rate) = given.flat_rate.filter(|rate| !(-1.0..=1.0).contains(rate)) {
        return Err(errors::bad_field("flat_rate", &rate.to_string(), "a fraction from -1 to 1"));
    }
    let mut only = only;
    only.sort();
    only.dedup();
    let request = CloseRequest {
        market_date: date::to_text(day),
        only,
        base_run: given.base_run,
        settings_toml: given.settings_toml,
        snapshot: given.snapshot,
        root_snapshots,
        calendar: given.calendar,
        flat_rate: given.flat_rate,
        without_previous: given.without_previous,
    };
    Ok((given.request_id, request))
}
