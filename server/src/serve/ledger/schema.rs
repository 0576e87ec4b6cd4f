//! The ledger's tables, and how an older file is brought to them.

use rusqlite::Connection;

/// The form of the tables; a ledger of a later form is refused.
const VERSION: i64 = 2;

const TABLES: &str = "
CREATE TABLE closes (
    close_id     TEXT PRIMARY KEY,
    market_date  TEXT NOT NULL,
    request_id   TEXT NOT NULL,
    request      TEXT NOT NULL,
    started_by   TEXT NOT NULL,
    started_at   INTEGER NOT NULL,
    ended_at     INTEGER,
    state        TEXT NOT NULL,
    run_id       TEXT,
    error        TEXT
) STRICT;
CREATE INDEX closes_by_date ON closes (market_date, started_at);
CREATE INDEX closes_by_run ON closes (market_date, run_id);
CREATE TABLE requests (
    method       TEXT NOT NULL,
    request_id   TEXT NOT NULL,
    request      TEXT NOT NULL,
    result       TEXT NOT NULL,
    PRIMARY KEY (method, request_id)
) STRICT;
CREATE TABLE overrides (
    override_id  TEXT PRIMARY KEY,
    market_date  TEXT NOT NULL,
    run_id       TEXT NOT NULL,
    osi_symbol   TEXT NOT NULL,
    mark_micros  INTEGER NOT NULL,
    multiplier   INTEGER NOT NULL,
    currency     TEXT NOT NULL,
    state        TEXT NOT NULL,
    author       TEXT NOT NULL,
    reason       TEXT NOT NULL,
    approver     TEXT,
    answer       TEXT,
    proposed_at  INTEGER NOT NULL,
    answered_at  INTEGER
) STRICT;
CREATE INDEX overrides_by_date ON overrides (market_date, state, osi_symbol);
CREATE TABLE audit (
    sequence     INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    actor        TEXT NOT NULL,
    action       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    detail       TEXT NOT NULL,
    previous     TEXT NOT NULL,
    hash         TEXT NOT NULL
) STRICT;
-- What happened is never changed by what comes later.
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
";

/// What the second form has beyond the first: withdrawn overrides, what was begun outside of the ledger, and where the
/// audit ends.
const SECOND: &str = "
ALTER TABLE overrides ADD COLUMN withdrawer TEXT;
ALTER TABLE overrides ADD COLUMN withdrawal TEXT;
ALTER TABLE overrides ADD COLUMN withdrawn_at INTEGER;
CREATE TABLE intents (
    method       TEXT NOT NULL,
    request_id   TEXT NOT NULL,
    request      TEXT NOT NULL,
    PRIMARY KEY (method, request_id)
) STRICT;
CREATE TABLE audit_end (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    sequence     INTEGER NOT NULL,
    hash         TEXT NOT NULL
) STRICT;
INSERT INTO audit_end SELECT 1, sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1;
";

/// Sets a connection up and creates the tables where there are none.
pub(super) fn prepare(connection: &mut Connection) -> anyhow::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a committed transaction survives the loss of power, as an acknowledged quote does.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    anyhow::ensure!(version <= VERSION, "the ledger has form {version}; this program knows {VERSION}");
    if version < VERSION {
        let transaction = connection.transaction()?;
        if version < 1 {
            transaction.execute_batch(TABLES)?;
        }
        transaction.execute_batch(SECOND)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    Ok(())
}

/// A ledger of the first form.
#[cfg(test)]
pub(super) fn prepare_first_form(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    connection.pragma_update(None, "user_version", 1)
}
