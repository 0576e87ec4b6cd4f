//! The ledger: closes, request ids, overrides and the audit, in one small SQLite file.
//!
//! Every change of state and its audit entry are one transaction. The file is opened by this process alone; calls take
//! turns at one connection and are short, so that handlers may wait for it on a blocking thread.

mod audit;
mod closes;
mod overrides;
mod requests;
mod schema;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, TransactionBehavior};

pub(crate) use audit::Change;
pub(crate) use closes::{CloseFilter, CloseRecord, CloseRequest, CloseState, close_id};
pub(crate) use overrides::{OverrideAnswer, OverrideProposal, OverrideRow};

/// Why the ledger refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// SQLite refused: a full or read-only disk, a damaged file.
    #[error("ledger: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A request id was used before, for something else.
    #[error("request id {request_id:?} was used before for another {method}")]
    RequestReused {
        /// The method.
        method: &'static str,
        /// The id.
        request_id: String,
    },
    /// A thing that is not there.
    #[error("there is no {kind} {name:?}")]
    NotFound {
        /// Of what kind.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The thing is in a state in which this cannot be done to it.
    #[error("{detail}")]
    State {
        /// A word for programs.
        reason: &'static str,
        /// What is the matter.
        detail: String,
    },
}

/// The ledger.
pub(crate) struct Ledger {
    connection: Mutex<Connection>,
}

impl Ledger {
    /// Opens the file, creates its tables where there are none, and follows the audit's chain.
    ///
    /// # Errors
    /// Where the file cannot be opened or written, or the audit does not hold.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        Self::with(Connection::open(path)?)
    }

    fn with(mut connection: Connection) -> anyhow::Result<Self> {
        schema::prepare(&mut connection)?;
        if let Some(sequence) = audit::broken_at(&connection)? {
            anyhow::bail!("the ledger's audit does not hold at entry {sequence}: it was changed by other means");
        }
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Runs a change in one transaction: all of it and its audit entries, or nothing.
    fn change<T>(&self, change: impl FnOnce(&Connection) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = change(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Runs a query.
    fn query<T>(&self, query: impl FnOnce(&Connection) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        query(&self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The head of the audit's chain, hex.
    pub(crate) fn audit_head(&self) -> Result<String, LedgerError> {
        self.query(|connection| Ok(audit::head(connection)?))
    }

    /// Enters a change that no other table shows.
    #[cfg(test)]
    fn note(&self, change: &Change<'_>) -> Result<(), LedgerError> {
        self.change(|connection| Ok(audit::append(connection, change)?))
    }
}

#[cfg(test)]
mod tests {
    use closemark_pricing::series::Instant;

    use super::{Change, CloseRequest, CloseState, Ledger, LedgerError, OverrideAnswer, OverrideProposal};

    fn note(ledger: &Ledger, action: &str) {
        ledger.note(&Change { at: Instant(7), actor: "a", action, subject: "s", detail: "{}" }).unwrap();
    }

    #[test]
    fn the_audit_can_be_neither_changed_nor_shortened_unseen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let ledger = Ledger::open(&path).unwrap();
        let empty = ledger.audit_head().unwrap();
        for action in ["one", "two", "three"] {
            note(&ledger, action);
        }
        let head = ledger.audit_head().unwrap();
        assert_ne!(head, empty);
        drop(ledger);
        assert_eq!(Ledger::open(&path).unwrap().audit_head().unwrap(), head);

        let other = rusqlite::Connection::open(&path).unwrap();
        assert!(other.execute("UPDATE audit SET actor = 'b' WHERE sequence = 2", []).is_err());
        assert!(other.execute("DELETE FROM audit WHERE sequence = 2", []).is_err());
        // Whoever takes the triggers away is found out at the next start.
        other.execute_batch("DROP TRIGGER audit_is_not_changed").unwrap();
        other.execute("UPDATE audit SET actor = 'b' WHERE sequence = 2", []).unwrap();
        drop(other);
        let error = Ledger::open(&path).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("entry 2"), "{error}");
    }

    fn request(market_date: &str) -> CloseRequest {
        CloseRequest { market_date: market_date.to_owned(), ..CloseRequest::default() }
    }

    #[test]
    fn a_request_id_stands_for_one_close() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.sqlite")).unwrap();
        let at = Instant(1);
        let (first, new) = ledger.start_close("r", &request("2026-11-20"), "otto", at).unwrap();
        assert!(new && first.state == CloseState::Running);
        let head = ledger.audit_head().unwrap();
        let (again, new) = ledger.start_close("r", &request("2026-11-20"), "otto", Instant(2)).unwrap();
        assert!(!new && again == first);
        assert_eq!(ledger.audit_head().unwrap(), head);
        let other = ledger.start_close("r", &request("2026-11-23"), "otto", at).unwrap_err();
        assert!(matches!(other, LedgerError::RequestReused { .. }));
        assert_eq!(ledger.unfinished().unwrap(), std::slice::from_ref(&first));
        ledger.end_close(&first.close_id, Ok(("0123456789abcdef", "FINAL")), Instant(3)).unwrap();
        assert!(ledger.unfinished().unwrap().is_empty());
        let found = ledger.close_of_run("2026-11-20", "0123456789abcdef").unwrap().unwrap();
        assert_eq!((found.close_id, found.state), (first.close_id, CloseState::Published));
    }

    #[test]
    fn an_override_takes_another_person() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.sqlite")).unwrap();
        let propose = |request_id, mark_micros| {
            let proposal = OverrideProposal {
                request_id,
                market_date: "2026-11-20",
                run_id: "0123456789abcdef",
                osi_symbol: "X",
                mark_micros,
                multiplier: 100,
                currency: "USD",
                author: "alice",
                reason: "why",
            };
            ledger.propose(&proposal, Instant(1))
        };
        let answer = |request_id, id: &str, approver, approve| {
            let answer = OverrideAnswer {
                request_id,
                market_date: "2026-11-20",
                override_id: id,
                approve,
                approver,
                answer: "seen",
            };
            ledger.answer(&answer, Instant(2))
        };
        let first = propose("p1", 5).unwrap();
        assert_eq!(propose("p1", 5).unwrap(), first);
        assert!(propose("p1", 6).is_err());
        assert!(matches!(answer("a1", &first.override_id, "alice", true), Err(LedgerError::State { .. })));
        assert!(ledger.approved("2026-11-20").unwrap().is_empty());
        let approved = answer("a2", &first.override_id, "bob", true).unwrap();
        assert_eq!(ledger.approved("2026-11-20").unwrap(), [approved]);
        assert!(matches!(answer("a3", &first.override_id, "carol", false), Err(LedgerError::State { .. })));
        // A later approved mark of the series takes the place of the earlier.
        let second = propose("p2", 7).unwrap();
        let approved = answer("a4", &second.override_id, "bob", true).unwrap();
        assert_eq!(ledger.approved("2026-11-20").unwrap(), [approved]);
        assert_eq!(ledger.overrides("2026-11-20", "", 10).unwrap().len(), 2);
        assert!(ledger.approved("2026-11-23").unwrap().is_empty());
    }
}
