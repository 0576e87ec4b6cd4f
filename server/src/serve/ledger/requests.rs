//! Request ids: a repeated request is the same request, and gets the same answer.

use rusqlite::{Connection, OptionalExtension, params};

use super::audit::{self, Change};
use super::{Ledger, LedgerError};

/// Whether a request was seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Repeated {
    /// Never.
    New,
    /// With this result.
    Before(String),
}

impl Ledger {
    /// Whether a request was done before.
    ///
    /// # Errors
    /// [`LedgerError::RequestReused`] where the id was used for another request of the method.
    pub(crate) fn was_done(&self, method: &'static str, request_id: &str, request: &str) -> Result<bool, LedgerError> {
        self.query(|connection| Ok(repeated(connection, method, request_id, request)? != Repeated::New))
    }

    /// Enters what is about to be done outside of the ledger, before it is done: false where it was done before. The
    /// change is that it begins.
    ///
    /// # Errors
    /// [`LedgerError::RequestReused`] where the id was used for another request of the method.
    pub(crate) fn begin(
        &self,
        method: &'static str,
        request_id: &str,
        request: &str,
        change: &Change<'_>,
    ) -> Result<bool, LedgerError> {
        self.change(|connection| {
            if repeated(connection, method, request_id, request)? != Repeated::New {
                return Ok(false);
            }
            let sql = "SELECT request FROM intents WHERE method = ? AND request_id = ?";
            let before = connection.query_row(sql, [method, request_id], |row| row.get::<_, String>(0)).optional()?;
            match before {
                Some(before) if before == request => {}
                Some(_) => return Err(LedgerError::RequestReused { method, request_id: request_id.to_owned() }),
                None => {
                    let sql = "INSERT INTO intents (method, request_id, request) VALUES (?,?,?)";
                    connection.execute(sql, params![method, request_id, request])?;
                    audit::append(connection, change)?;
                }
            }
            Ok(true)
        })
    }

    /// Enters that a request which was begun is done, with its change.
    pub(crate) fn done(
        &self,
        method: &'static str,
        request_id: &str,
        request: &str,
        change: &Change<'_>,
    ) -> Result<(), LedgerError> {
        self.change(|connection| {
            forget(connection, method, request_id)?;
            remember(connection, method, request_id, request, "")?;
            Ok(audit::append(connection, change)?)
        })
    }

    /// Enters that a request which was begun changed nothing.
    pub(crate) fn abandon(
        &self,
        method: &'static str,
        request_id: &str,
        change: &Change<'_>,
    ) -> Result<(), LedgerError> {
        self.change(|connection| {
            forget(connection, method, request_id)?;
            Ok(audit::append(connection, change)?)
        })
    }

    /// What was begun and neither done nor abandoned: request ids and requests.
    pub(crate) fn begun(&self, method: &'static str) -> Result<Vec<(String, String)>, LedgerError> {
        self.query(|connection| {
            let sql = "SELECT request_id, request FROM intents WHERE method = ? ORDER BY request_id";
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([method], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
    }
}

fn forget(connection: &Connection, method: &'static str, request_id: &str) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM intents WHERE method = ? AND request_id = ?", [method, request_id]).map(drop)
}

pub(super) fn repeated(
    connection: &Connection,
    method: &'static str,
    request_id: &str,
    request: &str,
) -> Result<Repeated, LedgerError> {
    let sql = "SELECT request, result FROM requests WHERE method = ? AND request_id = ?";
    let row: Option<(String, String)> =
        connection.query_row(sql, [method, request_id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    match row {
        None => Ok(Repeated::New),
        Some((before, result)) if before == request => Ok(Repeated::Before(result)),
        Some(_) => Err(LedgerError::RequestReused { method, request_id: request_id.to_owned() }),
    }
}

pub(super) fn remember(
    connection: &Connection,
    method: &'static str,
    request_id: &str,
    request: &str,
    result: &str,
) -> Result<(), LedgerError> {
    let sql = "INSERT INTO requests (method, request_id, request, result) VALUES (?,?,?,?)";
    connection.execute(sql, params![method, request_id, request, result])?;
    Ok(())
}
