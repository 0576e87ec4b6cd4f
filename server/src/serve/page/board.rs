//! `/api/v1/dates` and `/api/v1/dates/D/runs/R`: what there is, and the board of one run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use closemark_data::date;
use closemark_data::report::figures::{EDIT_CLASSES, Figures};
use closemark_data::store::{BoardEntry, Close, RowView, RunId, Store, StoreError, mark};
use closemark_pricing::mark::ViolationCounts;
use closemark_pricing::series::Date;
use closemark_pricing::vocabulary::MarkSource;
use serde_json::{Value, json};

use super::values::{micros, money, number, words};

/// Dates of a listing, latest first.
const DATES_MAX: usize = 400;

/// The dates with their runs, latest first.
pub(super) fn dates(store: &Store) -> Result<Value, StoreError> {
    let mut found = Vec::new();
    for day in store.dates()?.into_iter().rev().take(DATES_MAX) {
        let current = match store.current(day) {
            Ok(run) => Some(run.to_string()),
            Err(StoreError::NoClose { .. }) => None,
            Err(error) => return Err(error),
        };
        let runs = match store.runs(day) {
            Ok(runs) => runs,
            Err(StoreError::NoClose { .. }) => continue,
            Err(error) => return Err(error),
        };
        let runs: Vec<Value> = runs
            .into_iter()
            .map(|entry| {
                json!({
                    "run": entry.run_id, "state": entry.state.as_str(), "set_by": entry.set_by, "reason": entry.reason,
                })
            })
            .collect();
        found.push(json!({"date": date::to_text(day), "current": current, "runs": runs}));
    }
    Ok(json!({"dates": found}))
}

/// Runs whose rows are kept as text.
const KEPT_MAX: usize = 8;

/// The rows of runs, written once: six thousand of them are megabytes.
#[derive(Default)]
pub(super) struct Rows(Mutex<Vec<Written>>);

/// A run, and its rows.
type Written = ((Date, RunId), Arc<str>);

impl Rows {
    /// One row for each underlying, least believable first, as a JSON array.
    fn of(&self, close: &Close) -> Arc<str> {
        let key = (close.date(), close.run());
        // Whoever asks meanwhile would write the same rows; nothing is left half done under this lock.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, text)) = kept.iter().find(|(own, _)| *own == key) {
            return Arc::clone(text);
        }
        let text: Arc<str> = rows(close).to_string().into();
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push((key, Arc::clone(&text)));
        text
    }
}

fn rows(close: &Close) -> Value {
    let seconds = seconds(close);
    let overridden: BTreeMap<&str, u64> = overridden(close);
    let one = |entry: &BoardEntry| {
        row(close, entry, &seconds, overridden.get(entry.underlying.as_str()).copied().unwrap_or(0))
    };
    close.board().iter().map(one).collect()
}

/// One run: its figures, its gates, and one row for each underlying, least believable first; as text.
pub(super) fn board(close: &Close, state: Option<&str>, current: bool, rows: &Rows) -> String {
    let manifest = close.manifest();
    let mut edits = [0_u64; EDIT_CLASSES.len()];
    for entry in close.board() {
        for (sum, count) in edits.iter_mut().zip(entry.figures.edit_classes) {
            *sum += count;
        }
    }
    let classes: Vec<Value> = EDIT_CLASSES
        .iter()
        .zip(edits)
        .map(|(end, count)| json!({"up_to": end.is_finite().then_some(*end), "series": count}))
        .collect();
    let mut text = json!({
        "date": date::to_text(close.date()),
        "run": close.run().to_string(),
        "state": state,
        "current": current,
        "snapshot": manifest.snapshot,
        "method_version": manifest.method_version,
        "previous_run": manifest.previous_run,
        "base_run": manifest.base_run,
        "input_digest": manifest.input_digest,
        "settings_digest": manifest.settings_digest,
        "totals": manifest.totals,
        "gates": manifest.gates,
        "edits": classes,
    })
    .to_string();
    // The rows come last, into the object that has just been closed.
    text.pop();
    text.push_str(",\"rows\":");
    text.push_str(&rows.of(close));
    text.push('}');
    text
}

fn row(close: &Close, entry: &BoardEntry, seconds: &BTreeMap<String, f64>, overridden: u64) -> Value {
    let Figures { series, slices, marked, inside, accepted, before, after, non_converged, .. } = &entry.figures;
    let all = close.slices_of(&entry.underlying);
    let worst = entry.worst_slice.or(if all.is_empty() { None } else { Some(0) });
    let slice = worst.and_then(|at| all.get(at)).map(|(id, _)| id.to_string());
    json!({
        "underlying": entry.underlying,
        "price": entry.price_micros.map(micros),
        "series": series,
        "slices": slices,
        "worst_edit": number(entry.figures.worst_edit, 4),
        "inside": number(inside.fraction(), 6),
        "accepted": number(accepted.fraction(), 6),
        "before": violations(before),
        "after": violations(after),
        "capped": entry.figures.capped(),
        "carried": entry.figures.from_source(MarkSource::Carried),
        "overridden": overridden,
        "not_converged": non_converged,
        "unmarked": series - marked,
        "confidence": number(entry.confidence, 4),
        "doubt": number(Some(entry.doubt), 4),
        "seconds": seconds.get(&entry.underlying),
        "slice": slice,
        "worst": entry.worst_row.and_then(|row| close.marks().row(row)).map(worst_mark),
    })
}

/// The mark that is farthest from its mid in half-spreads, and why.
fn worst_mark(row: RowView<'_>) -> Value {
    json!({
        "osi_symbol": row.text(mark::OSI_SYMBOL),
        "bid": money(row, mark::BID), "ask": money(row, mark::ASK), "mark": money(row, mark::MARK),
        "mark_source": row.text(mark::MARK_SOURCE),
        "accepted": row.flag(mark::ACCEPTED),
        "reasons": words(row, mark::REASONS),
    })
}

/// The four kinds of violations.
pub(super) fn violations(counts: &ViolationCounts) -> Value {
    json!({
        "vertical": counts.vertical, "butterfly": counts.butterfly, "calendar": counts.calendar,
        "parity": counts.parity,
    })
}

/// Series with an override, by underlying.
fn overridden(close: &Close) -> BTreeMap<&str, u64> {
    let count = |entry: &BoardEntry| entry.figures.from_source(MarkSource::Override);
    close.board().iter().filter(|entry| count(entry) > 0).map(|e| (e.underlying.as_str(), count(e))).collect()
}

/// The time that each underlying took, from `timings.json`, which no digest covers.
fn seconds(close: &Close) -> BTreeMap<String, f64> {
    let document = close.timings().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let underlyings = document.as_ref().and_then(|d| d.get("underlyings")).and_then(Value::as_object);
    let pairs = underlyings.into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect()
}
