//! Closes and overrides as messages.

use std::path::Path;

use closemark_data::date;
use closemark_data::publication::read::{self, OpenRun, ReadError};
use closemark_data::publication::{Bound, DateState, Gate, Violations, current, date_folder};
use closemark_pricing::series::Date;
use closemark_proto::v1;
use tonic::Status;

use crate::serve::errors;
use crate::serve::ledger::{CloseRecord, CloseRequest, CloseState, OverrideRow};
use crate::serve::names;

/// A close that published nothing: it runs, or failed.
pub(super) fn unpublished(record: &CloseRecord) -> v1::Close {
    let state = if record.state == CloseState::Running { "RUNNING" } else { "FAILED" };
    let mut close =
        v1::Close { market_date: record.market_date.clone(), state: state.to_owned(), ..Default::default() };
    started(&mut close, record);
    close.name.clone_from(&close.operation);
    close
}

/// A published close whose run cannot be read, as far as the ledger knows it.
pub(super) fn unreadable(record: &CloseRecord) -> v1::Close {
    let mut close = v1::Close { market_date: record.market_date.clone(), ..Default::default() };
    started(&mut close, record);
    close.name.clone_from(&close.operation);
    close.run_id = record.run_id.clone().unwrap_or_default();
    close.state = "UNREADABLE".to_owned();
    close.error = "the published run is missing or damaged".to_owned();
    close
}

/// What the ledger says of a close.
fn started(close: &mut v1::Close, record: &CloseRecord) {
    close.operation = format!("dates/{}/closes/{}", record.market_date, record.close_id);
    close.error = record.error.clone().unwrap_or_default();
    close.started_by.clone_from(&record.started_by);
    close.start_time_unix_nanos = Some(record.started_at.0);
    close.end_time_unix_nanos = record.ended_at.map(|at| at.0);
    if let Ok(request) = serde_json::from_str::<CloseRequest>(&record.request) {
        close.base_run = request.base_run;
    }
}

/// A published run, from its folder; with what the ledger says, where it says anything.
///
/// # Errors
/// NOT_FOUND where there is no such run.
pub(super) fn published(
    out: &Path,
    market_date: Date,
    run_id: &str,
    record: Option<&CloseRecord>,
) -> Result<v1::Close, Status> {
    let name = names::run(market_date, run_id);
    let folder = date_folder(out, market_date).map_err(|error| errors::internal("finding the date", &error))?;
    let run = read::open_run(&folder, run_id, market_date).map_err(|error| read_failed(&name, &error))?;
    let states = DateState::read(&folder).map_err(|error| errors::internal("reading the states", &error))?;
    let counts = current(&folder).map_err(|error| errors::internal("reading the pointer", &error))?;
    let entry = states.runs.iter().find(|entry| entry.run_id == run_id);
    let mut close = of_run(name, &run);
    close.current = counts.as_deref() == Some(run_id);
    if let Some(entry) = entry {
        close.state = entry.state.as_str().to_owned();
        close.state_set_by.clone_from(&entry.set_by);
        close.state_reason = entry.reason.clone().unwrap_or_default();
    }
    if let Some(record) = record {
        started(&mut close, record);
        close.base_run = run.manifest.base_run.clone().unwrap_or_default();
    }
    Ok(close)
}

/// The run that counts.
///
/// # Errors
/// NOT_FOUND where none does.
pub(super) fn current_run(out: &Path, market_date: Date) -> Result<String, Status> {
    let name = names::run(market_date, "current");
    let folder = date_folder(out, market_date).map_err(|error| errors::internal("finding the date", &error))?;
    let found = current(&folder).map_err(|error| errors::internal("reading the pointer", &error))?;
    found.ok_or_else(|| errors::not_found("close", &name))
}

fn read_failed(name: &str, error: &ReadError) -> Status {
    match error {
        ReadError::Nothing { .. } => errors::not_found("close", name),
        other => errors::internal("reading the close", other),
    }
}

fn of_run(name: String, run: &OpenRun) -> v1::Close {
    let manifest = &run.manifest;
    let totals = &manifest.totals;
    v1::Close {
        name,
        run_id: run.run_id.clone(),
        market_date: date::to_text(run.market_date),
        input_digest: manifest.input_digest.clone(),
        settings_digest: manifest.settings_digest.clone(),
        method_version: manifest.method_version.clone(),
        series_count: totals.series,
        marked_count: totals.series - totals.by_mark_source.get("NONE").copied().unwrap_or_default().min(totals.series),
        violations_before: Some(violations(&totals.violations_before)),
        violations_after: Some(violations(&totals.violations_after)),
        gates: manifest.gates.iter().map(gate).collect(),
        base_run: manifest.base_run.clone().unwrap_or_default(),
        audit_head: manifest.provenance.audit_head.clone().unwrap_or_default(),
        override_count: u32::try_from(manifest.overrides.len()).unwrap_or(u32::MAX),
        ..v1::Close::default()
    }
}

fn violations(counts: &Violations) -> v1::ViolationCounts {
    let count = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    v1::ViolationCounts {
        vertical: count(counts.vertical),
        butterfly: count(counts.butterfly),
        calendar: count(counts.calendar),
        parity: count(counts.parity),
    }
}

fn gate(gate: &Gate) -> v1::Gate {
    v1::Gate {
        gate: gate.name.clone(),
        value: gate.value,
        limit: gate.limit,
        at_least: gate.bound == Bound::AtLeast,
        passed: gate.pass,
    }
}

/// An override as a message.
pub(super) fn override_message(row: OverrideRow) -> v1::Override {
    v1::Override {
        name: format!("dates/{}/overrides/{}", row.market_date, row.override_id),
        osi_symbol: row.osi_symbol,
        mark: Some(v1::Decimal { micros: row.mark_micros }),
        multiplier: row.multiplier,
        currency: row.currency,
        state: row.state.as_str().to_owned(),
        author: row.author,
        approver: row.approver.unwrap_or_default(),
        reason: row.reason,
        answer: row.answer.unwrap_or_default(),
        run_id: row.run_id,
        withdrawn_by: row.withdrawer.unwrap_or_default(),
        withdrawal_reason: row.withdrawal.unwrap_or_default(),
    }
}
