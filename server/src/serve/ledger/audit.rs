//! The audit: every change of state, each entry sealed with the hash of the one before it.

use closemark_pricing::series::Instant;
use rusqlite::{Connection, OptionalExtension, params};

/// What the first entry follows.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One change of state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    /// When.
    pub(crate) at: Instant,
    /// Who: a caller's name, or `service`.
    pub(crate) actor: &'a str,
    /// What was done, `close.started`.
    pub(crate) action: &'a str,
    /// To what, by its resource name.
    pub(crate) subject: &'a str,
    /// Facts, as JSON text.
    pub(crate) detail: &'a str,
}

/// The hash of an entry.
///
/// # Formula
/// blake3 of `closemark audit`, the previous hash, sequence, time, actor, action, subject and detail, each preceded by
/// its length as 8 little-endian bytes.
fn hash(previous: &str, sequence: i64, change: &Change<'_>) -> String {
    let mut hasher = blake3::Hasher::new();
    let (sequence, at) = (sequence.to_string(), change.at.0.to_string());
    for field in
        ["closemark audit", previous, &sequence, &at, change.actor, change.action, change.subject, change.detail]
    {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// The last entry: its sequence and hash.
fn last(connection: &Connection) -> rusqlite::Result<(i64, String)> {
    let sql = "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1";
    let row = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(row.unwrap_or((0, GENESIS.to_owned())))
}

/// The hash of the last entry.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<String> {
    Ok(last(connection)?.1)
}

/// Appends an entry, inside the transaction of the change it tells of.
pub(super) fn append(connection: &Connection, change: &Change<'_>) -> rusqlite::Result<()> {
    let (sequence, previous) = last(connection)?;
    let sequence = sequence + 1;
    let hash = hash(&previous, sequence, change);
    connection.execute(
        "INSERT INTO audit (sequence, at, actor, action, subject, detail, previous, hash) VALUES (?,?,?,?,?,?,?,?)",
        params![sequence, change.at.0, change.actor, change.action, change.subject, change.detail, previous, hash],
    )?;
    // Where it ends stands beside it as well: a chain that lost its last links is a chain.
    connection.execute(
        "INSERT INTO audit_end (one, sequence, hash) VALUES (1, ?, ?) \
         ON CONFLICT (one) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash",
        params![sequence, hash],
    )?;
    Ok(())
}

/// Follows the chain from its beginning to where it must end; the first entry that does not fit or is missing, if any.
pub(super) fn broken_at(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection
        .prepare("SELECT sequence, at, actor, action, subject, detail, previous, hash FROM audit ORDER BY sequence")?;
    let mut rows = statement.query([])?;
    let (mut expected, mut previous) = (1_i64, GENESIS.to_owned());
    while let Some(row) = rows.next()? {
        let sequence: i64 = row.get(0)?;
        let [actor, action, subject, detail, before, own]: [String; 6] =
            [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?];
        let change =
            Change { at: Instant(row.get(1)?), actor: &actor, action: &action, subject: &subject, detail: &detail };
        if sequence != expected || before != previous || own != hash(&previous, sequence, &change) {
            return Ok(Some(sequence));
        }
        (expected, previous) = (expected + 1, own);
    }
    let sql = "SELECT sequence, hash FROM audit_end";
    let end = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let end: (i64, String) = end.unwrap_or((0, GENESIS.to_owned()));
    Ok((end != (expected - 1, previous)).then_some(expected))
}
