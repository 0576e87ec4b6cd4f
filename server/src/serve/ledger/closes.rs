//! Closes in the ledger: who asked for what, and what became of it.

use closemark_data::settings::RunChoices;
use closemark_pricing::series::Instant;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::audit::{self, Change};
use super::{Ledger, LedgerError, requests};

/// What a close is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseState {
    /// Waiting or at work.
    Running,
    /// Nothing was published.
    Failed,
    /// Published; what the run is now stands in its date's `state.json`.
    Published,
}

impl CloseState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Failed => "FAILED",
            Self::Published => "PUBLISHED",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "RUNNING" => Self::Running,
            "PUBLISHED" => Self::Published,
            _ => Self::Failed,
        }
    }
}

/// What was asked for; the same text for the same request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CloseRequest {
    /// `YYYY-MM-DD`.
    pub(crate) market_date: String,
    /// The only underlyings closed anew, ascending; empty is all.
    pub(crate) only: Vec<String>,
    /// The run that the others are taken from; empty is none.
    pub(crate) base_run: String,
    /// Settings as TOML over the service's.
    pub(crate) settings_toml: String,
    /// The instant whose quotes count; empty is the exchange's close.
    pub(crate) snapshot: String,
    /// Roots with an instant of their own, ascending.
    pub(crate) root_snapshots: Vec<(String, String)>,
    /// `us` or `always`; empty is the service's.
    pub(crate) calendar: String,
    /// One zero rate for all times.
    pub(crate) flat_rate: Option<f64>,
    /// Whether the previous close is left out of account.
    pub(crate) without_previous: bool,
}

impl CloseRequest {
    /// What enters the run's settings.
    pub(crate) fn choices(&self) -> RunChoices {
        RunChoices { flat_rate: self.flat_rate, only: self.only.clone() }
    }
}

/// A close as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CloseRecord {
    pub(crate) close_id: String,
    pub(crate) market_date: String,
    pub(crate) request: String,
    pub(crate) started_by: String,
    pub(crate) started_at: Instant,
    pub(crate) ended_at: Option<Instant>,
    pub(crate) state: CloseState,
    pub(crate) run_id: Option<String>,
    pub(crate) error: Option<String>,
}

/// Which closes are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct CloseFilter {
    /// Only of this day.
    pub(crate) market_date: Option<String>,
    /// Only those after this one in the list: its time of start and id.
    pub(crate) after: Option<(i64, String)>,
    /// At most this many.
    pub(crate) limit: u32,
}

const COLUMNS: &str = "close_id, market_date, request, started_by, started_at, ended_at, state, run_id, error";

fn record(row: &Row<'_>) -> rusqlite::Result<CloseRecord> {
    let state: String = row.get(6)?;
    Ok(CloseRecord {
        close_id: row.get(0)?,
        market_date: row.get(1)?,
        request: row.get(2)?,
        started_by: row.get(3)?,
        started_at: Instant(row.get(4)?),
        ended_at: row.get::<_, Option<i64>>(5)?.map(Instant),
        state: CloseState::parse(&state),
        run_id: row.get(7)?,
        error: row.get(8)?,
    })
}

fn by_id(connection: &Connection, close_id: &str) -> Result<Option<CloseRecord>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM closes WHERE close_id = ?");
    Ok(connection.query_row(&sql, [close_id], record).optional()?)
}

/// The name of a close from its start on: 16 hex digits that follow from its request id.
pub(crate) fn close_id(request_id: &str) -> String {
    blake3::hash(request_id.as_bytes()).to_hex().chars().take(16).collect()
}

impl Ledger {
    /// Enters a close, or finds the one that this request started before; `true` where it is new.
    ///
    /// # Errors
    /// [`LedgerError::RequestReused`] where the id was used for another close.
    pub(crate) fn start_close(
        &self,
        request_id: &str,
        request: &CloseRequest,
        by: &str,
        at: Instant,
    ) -> Result<(CloseRecord, bool), LedgerError> {
        let text = serde_json::to_string(request).unwrap_or_default();
        let id = close_id(request_id);
        self.change(|connection| {
            if let requests::Repeated::Before(id) = requests::repeated(connection, "StartClose", request_id, &text)? {
                let name = id.clone();
                let found = by_id(connection, &id)?.ok_or(LedgerError::NotFound { kind: "close", name })?;
                return Ok((found, false));
            }
            connection.execute(
                "INSERT INTO closes (close_id, market_date, request_id, request, started_by, started_at, state) \
                 VALUES (?,?,?,?,?,?,?)",
                params![id, request.market_date, request_id, text, by, at.0, CloseState::Running.as_str()],
            )?;
            requests::remember(connection, "StartClose", request_id, &text, &id)?;
            let subject = format!("dates/{}/closes/{id}", request.market_date);
            let change = Change { at, actor: by, action: "close.started", subject: &subject, detail: &text };
            audit::append(connection, &change)?;
            let found = by_id(connection, &id)?.ok_or(LedgerError::NotFound { kind: "close", name: id.clone() })?;
            Ok((found, true))
        })
    }

    /// Enters the end of a close.
    pub(crate) fn end_close(
        &self,
        close_id: &str,
        outcome: Result<(&str, &str), &str>,
        at: Instant,
    ) -> Result<CloseRecord, LedgerError> {
        self.change(|connection| {
            let missing = || LedgerError::NotFound { kind: "close", name: close_id.to_owned() };
            let before = by_id(connection, close_id)?.ok_or_else(missing)?;
            let (state, run_id, error) = match outcome {
                Ok((run_id, _)) => (CloseState::Published, Some(run_id), None),
                Err(error) => (CloseState::Failed, None, Some(error)),
            };
            connection.execute(
                "UPDATE closes SET state = ?, run_id = ?, error = ?, ended_at = ? WHERE close_id = ?",
                params![state.as_str(), run_id, error, at.0, close_id],
            )?;
            let (action, detail) = match outcome {
                Ok((run_id, run_state)) => {
                    ("close.published", serde_json::json!({ "run_id": run_id, "state": run_state }).to_string())
                }
                Err(error) => ("close.failed", serde_json::json!({ "error": error }).to_string()),
            };
            let subject = format!("dates/{}/closes/{close_id}", before.market_date);
            audit::append(connection, &Change { at, actor: "service", action, subject: &subject, detail: &detail })?;
            by_id(connection, close_id)?.ok_or_else(missing)
        })
    }

    /// A close by its own id.
    pub(crate) fn close_by_id(&self, close_id: &str) -> Result<Option<CloseRecord>, LedgerError> {
        self.query(|connection| by_id(connection, close_id))
    }

    /// The first close that published a run.
    pub(crate) fn close_of_run(&self, market_date: &str, run_id: &str) -> Result<Option<CloseRecord>, LedgerError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM closes WHERE market_date = ? AND run_id = ? ORDER BY started_at, close_id LIMIT 1"
        );
        self.query(|connection| Ok(connection.query_row(&sql, [market_date, run_id], record).optional()?))
    }

    /// Closes, latest first.
    pub(crate) fn closes(&self, filter: &CloseFilter) -> Result<Vec<CloseRecord>, LedgerError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM closes WHERE (?1 IS NULL OR market_date = ?1) \
             AND (?2 IS NULL OR started_at < ?2 OR (started_at = ?2 AND close_id < ?3)) \
             ORDER BY started_at DESC, close_id DESC LIMIT ?4"
        );
        let (at, id) = filter.after.clone().map_or((None, String::new()), |(at, id)| (Some(at), id));
        self.query(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map(params![filter.market_date, at, id, filter.limit], record)?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
    }

    /// Closes that were running when the service last ended, in the order of their start.
    pub(crate) fn unfinished(&self) -> Result<Vec<CloseRecord>, LedgerError> {
        let sql = format!("SELECT {COLUMNS} FROM closes WHERE state = 'RUNNING' ORDER BY started_at, close_id");
        self.query(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map([], record)?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
    }
}
