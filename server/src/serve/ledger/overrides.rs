//! Overrides in the ledger: proposed by one person, answered by another.

use closemark_pricing::series::Instant;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::audit::{self, Change};
use super::requests::{self, Repeated};
use super::{Ledger, LedgerError};

/// What an override is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OverrideState {
    /// Waiting for a second person.
    Proposed,
    /// Takes effect in the next run of its date.
    Approved,
    /// Takes no effect.
    Rejected,
    /// Was approved, and takes no effect any more.
    Withdrawn,
}

impl OverrideState {
    /// The published word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "PROPOSED",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
            Self::Withdrawn => "WITHDRAWN",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "PROPOSED" => Self::Proposed,
            "APPROVED" => Self::Approved,
            "WITHDRAWN" => Self::Withdrawn,
            _ => Self::Rejected,
        }
    }
}

/// What is proposed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OverrideProposal<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) market_date: &'a str,
    pub(crate) run_id: &'a str,
    pub(crate) osi_symbol: &'a str,
    pub(crate) mark_micros: i64,
    pub(crate) multiplier: u32,
    pub(crate) currency: &'a str,
    pub(crate) author: &'a str,
    pub(crate) reason: &'a str,
}

/// The second person's word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OverrideAnswer<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) market_date: &'a str,
    pub(crate) override_id: &'a str,
    pub(crate) approve: bool,
    pub(crate) approver: &'a str,
    pub(crate) answer: &'a str,
}

/// Another person than the author takes an approved override back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OverrideWithdrawal<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) market_date: &'a str,
    pub(crate) override_id: &'a str,
    pub(crate) withdrawer: &'a str,
    pub(crate) reason: &'a str,
}

/// An override as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OverrideRow {
    pub(crate) override_id: String,
    pub(crate) market_date: String,
    pub(crate) run_id: String,
    pub(crate) osi_symbol: String,
    pub(crate) mark_micros: i64,
    pub(crate) multiplier: u32,
    pub(crate) currency: String,
    pub(crate) state: OverrideState,
    pub(crate) author: String,
    pub(crate) reason: String,
    pub(crate) approver: Option<String>,
    pub(crate) answer: Option<String>,
    pub(crate) withdrawer: Option<String>,
    pub(crate) withdrawal: Option<String>,
}

const COLUMNS: &str = "override_id, market_date, run_id, osi_symbol, mark_micros, multiplier, currency, state, author, \
                       reason, approver, answer, withdrawer, withdrawal";

fn record(row: &Row<'_>) -> rusqlite::Result<OverrideRow> {
    let state: String = row.get(7)?;
    Ok(OverrideRow {
        override_id: row.get(0)?,
        market_date: row.get(1)?,
        run_id: row.get(2)?,
        osi_symbol: row.get(3)?,
        mark_micros: row.get(4)?,
        multiplier: row.get(5)?,
        currency: row.get(6)?,
        state: OverrideState::parse(&state),
        author: row.get(8)?,
        reason: row.get(9)?,
        approver: row.get(10)?,
        answer: row.get(11)?,
        withdrawer: row.get(12)?,
        withdrawal: row.get(13)?,
    })
}

fn by_id(connection: &Connection, id: &str) -> Result<OverrideRow, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM overrides WHERE override_id = ?");
    let found = connection.query_row(&sql, [id], record).optional()?;
    found.ok_or_else(|| LedgerError::NotFound { kind: "override", name: id.to_owned() })
}

/// An override of a date that somebody else than its author has to do with.
fn of_another(connection: &Connection, id: &str, market_date: &str, person: &str) -> Result<OverrideRow, LedgerError> {
    let found = by_id(connection, id)?;
    if found.market_date != market_date {
        return Err(LedgerError::NotFound { kind: "override", name: id.to_owned() });
    }
    if found.author == person {
        let detail = format!("{} proposed it; another person answers", found.author);
        return Err(LedgerError::State { reason: "SECOND_PERSON_NEEDED", detail });
    }
    Ok(found)
}

/// Ends the effect of what was approved for the series before.
fn replace_approved(
    connection: &Connection,
    next: &OverrideRow,
    answer: &OverrideAnswer<'_>,
    at: Instant,
) -> Result<(), LedgerError> {
    let sql = "SELECT override_id FROM overrides WHERE market_date = ? AND osi_symbol = ? AND state = 'APPROVED'";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([&next.market_date, &next.osi_symbol], |row| row.get::<_, String>(0))?;
    for id in rows.collect::<Result<Vec<_>, _>>()? {
        connection.execute(
            "UPDATE overrides SET state = 'REJECTED', answer = ? WHERE override_id = ?",
            params![format!("replaced by {}", next.override_id), id],
        )?;
        let detail = serde_json::json!({ "replaced_by": next.override_id }).to_string();
        let subject = format!("dates/{}/overrides/{id}", next.market_date);
        let action = "override.replaced";
        audit::append(connection, &Change { at, actor: answer.approver, action, subject: &subject, detail: &detail })?;
    }
    Ok(())
}

impl Ledger {
    /// Enters a proposal, or finds the one that this request made before.
    ///
    /// # Errors
    /// [`LedgerError::RequestReused`] where the id was used for another proposal.
    pub(crate) fn propose(&self, proposal: &OverrideProposal<'_>, at: Instant) -> Result<OverrideRow, LedgerError> {
        let p = proposal;
        let text = serde_json::json!({
            "market_date": p.market_date, "run_id": p.run_id, "osi_symbol": p.osi_symbol,
            "mark_micros": p.mark_micros, "multiplier": p.multiplier, "currency": p.currency,
            "author": p.author, "reason": p.reason,
        })
        .to_string();
        self.change(|connection| {
            if let Repeated::Before(id) = requests::repeated(connection, "OverrideMark", p.request_id, &text)? {
                return by_id(connection, &id);
            }
            let id: String = blake3::hash(p.request_id.as_bytes()).to_hex().chars().take(16).collect();
            connection.execute(
                "INSERT INTO overrides (override_id, market_date, run_id, osi_symbol, mark_micros, multiplier, \
                 currency, state, author, reason, proposed_at) VALUES (?,?,?,?,?,?,?,'PROPOSED',?,?,?)",
                params![
                    id,
                    p.market_date,
                    p.run_id,
                    p.osi_symbol,
                    p.mark_micros,
                    p.multiplier,
                    p.currency,
                    p.author,
                    p.reason,
                    at.0
                ],
            )?;
            requests::remember(connection, "OverrideMark", p.request_id, &text, &id)?;
            let subject = format!("dates/{}/overrides/{id}", p.market_date);
            let change = Change { at, actor: p.author, action: "override.proposed", subject: &subject, detail: &text };
            audit::append(connection, &change)?;
            by_id(connection, &id)
        })
    }

    /// Enters the second person's answer. An approval replaces an earlier approved override of the same series.
    ///
    /// # Errors
    /// [`LedgerError::State`] where the author answers, or it was answered otherwise before.
    pub(crate) fn answer(&self, answer: &OverrideAnswer<'_>, at: Instant) -> Result<OverrideRow, LedgerError> {
        let a = answer;
        let text = serde_json::json!({
            "override_id": a.override_id, "approve": a.approve, "approver": a.approver, "reason": a.answer,
        })
        .to_string();
        self.change(|connection| {
            if let Repeated::Before(id) = requests::repeated(connection, "ApproveOverride", a.request_id, &text)? {
                return by_id(connection, &id);
            }
            let before = of_another(connection, a.override_id, a.market_date, a.approver)?;
            if before.state != OverrideState::Proposed {
                let detail = format!("the override is {} already", before.state.as_str());
                return Err(LedgerError::State { reason: "OVERRIDE_ANSWERED", detail });
            }
            let (state, action) = if a.approve {
                (OverrideState::Approved, "override.approved")
            } else {
                (OverrideState::Rejected, "override.rejected")
            };
            if a.approve {
                replace_approved(connection, &before, a, at)?;
            }
            connection.execute(
                "UPDATE overrides SET state = ?, approver = ?, answer = ?, answered_at = ? WHERE override_id = ?",
                params![state.as_str(), a.approver, a.answer, at.0, a.override_id],
            )?;
            requests::remember(connection, "ApproveOverride", a.request_id, &text, a.override_id)?;
            let subject = format!("dates/{}/overrides/{}", before.market_date, a.override_id);
            audit::append(connection, &Change { at, actor: a.approver, action, subject: &subject, detail: &text })?;
            by_id(connection, a.override_id)
        })
    }

    /// Takes an approved override back: it has no effect on any later run. Another person than the author does.
    ///
    /// # Errors
    /// [`LedgerError::State`] where the author does, or it is not approved.
    pub(crate) fn withdraw(&self, given: &OverrideWithdrawal<'_>, at: Instant) -> Result<OverrideRow, LedgerError> {
        let g = given;
        let text = serde_json::json!({
            "override_id": g.override_id, "withdrawer": g.withdrawer, "reason": g.reason,
        })
        .to_string();
        self.change(|connection| {
            if let Repeated::Before(id) = requests::repeated(connection, "WithdrawOverride", g.request_id, &text)? {
                return by_id(connection, &id);
            }
            let before = of_another(connection, g.override_id, g.market_date, g.withdrawer)?;
            if before.state != OverrideState::Approved {
                let detail = format!("the override is {}; only an approved one is withdrawn", before.state.as_str());
                return Err(LedgerError::State { reason: "OVERRIDE_NOT_APPROVED", detail });
            }
            connection.execute(
                "UPDATE overrides SET state = ?, withdrawer = ?, withdrawal = ?, withdrawn_at = ? WHERE override_id = ?",
                params![OverrideState::Withdrawn.as_str(), g.withdrawer, g.reason, at.0, g.override_id],
            )?;
            requests::remember(connection, "WithdrawOverride", g.request_id, &text, g.override_id)?;
            let subject = format!("dates/{}/overrides/{}", before.market_date, g.override_id);
            let change =
                Change { at, actor: g.withdrawer, action: "override.withdrawn", subject: &subject, detail: &text };
            audit::append(connection, &change)?;
            by_id(connection, g.override_id)
        })
    }

    /// The approved overrides of a date, ascending symbol.
    pub(crate) fn approved(&self, market_date: &str) -> Result<Vec<OverrideRow>, LedgerError> {
        let sql =
            format!("SELECT {COLUMNS} FROM overrides WHERE market_date = ? AND state = 'APPROVED' ORDER BY osi_symbol");
        self.query(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map([market_date], record)?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
    }

    /// The overrides of a date after one of them, in the order of their ids.
    pub(crate) fn overrides(
        &self,
        market_date: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<OverrideRow>, LedgerError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM overrides WHERE market_date = ? AND override_id > ? ORDER BY override_id LIMIT ?"
        );
        self.query(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map(params![market_date, after, limit], record)?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
    }
}
