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

    /// Enters a request that was done, with its change.
    pub(crate) fn done(
        &self,
        method: &'static str,
        request_id: &str,
        request: &str,
        change: &Change<'_>,
    ) -> Result<(), LedgerError> {
        self.change(|connection| {
            remember(connection, method, request_id, request, "")?;
            Ok(audit::append(connection, change)?)
        })
    }
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
