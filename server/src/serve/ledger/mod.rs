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
pub(crate) use overrides::{OverrideAnswer, OverrideProposal, OverrideRow, OverrideWithdrawal};

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

    use super::{
        Change, CloseRequest, CloseState, Ledger, LedgerError, OverrideAnswer, OverrideProposal, OverrideWithdrawal,
    };

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
        // So is whoever cuts the end off: the last entry, or all of them.
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute("UPDATE audit SET actor = 'a' WHERE sequence = 2", []).unwrap();
        assert_eq!(Ledger::open(&path).unwrap().audit_head().unwrap(), head);
        other.execute_batch("DROP TRIGGER audit_is_not_shortened").unwrap();
        for (cut, missing) in [("sequence = 3", "entry 3"), ("true", "entry 1")] {
            other.execute(&format!("DELETE FROM audit WHERE {cut}"), []).unwrap();
            let error = Ledger::open(&path).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(missing), "{error}");
        }
    }

    /// What the audit says was done, in its order.
    fn actions(ledger: &Ledger) -> Vec<String> {
        let read = ledger.query(|connection| {
            let mut statement = connection.prepare("SELECT action FROM audit ORDER BY sequence")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<Vec<String>, _>>()?)
        });
        read.unwrap()
    }

    #[test]
    fn a_ledger_of_the_first_form_is_brought_to_the_second() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        super::schema::prepare_first_form(&rusqlite::Connection::open(&path).unwrap()).unwrap();
        note(&Ledger::open(&path).unwrap(), "one");
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!((actions(&ledger), ledger.begun("M").unwrap().len()), (vec!["one".to_owned()], 0));
    }

    #[test]
    fn what_is_begun_stays_until_it_is_done_or_abandoned() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.sqlite")).unwrap();
        let change = |action| Change { at: Instant(7), actor: "a", action, subject: "s", detail: "{}" };
        assert!(ledger.begin("M", "r", "text", &change("begun")).unwrap());
        assert!(ledger.begin("M", "r", "text", &change("begun")).unwrap(), "again, it was not done");
        assert!(matches!(ledger.begin("M", "r", "other", &change("x")), Err(LedgerError::RequestReused { .. })));
        assert_eq!(ledger.begun("M").unwrap(), [("r".to_owned(), "text".to_owned())]);
        ledger.done("M", "r", "text", &change("done")).unwrap();
        assert!(!ledger.begin("M", "r", "text", &change("x")).unwrap(), "done before");
        assert!(ledger.begin("M", "q", "text", &change("begun")).unwrap());
        ledger.abandon("M", "q", &change("refused")).unwrap();
        assert!(ledger.begun("M").unwrap().is_empty());
        assert_eq!(actions(&ledger), ["begun", "done", "begun", "refused"]);
    }

    #[test]
    fn a_full_or_read_only_disk_under_the_ledger_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let ledger = Ledger::open(&path).unwrap();
        let start = |id: &str| ledger.start_close(id, &request("2026-11-20"), "otto", Instant(1));
        start("before").unwrap();
        let head = ledger.audit_head().unwrap();
        let pragma = |name: &str, value: i64| {
            ledger.query(|connection| Ok(connection.pragma_update(None, name, value)?)).unwrap();
        };
        let code = |error: LedgerError| match error {
            LedgerError::Sqlite(error) => error.sqlite_error_code(),
            other => panic!("{other}"),
        };
        // As many pages as there are: SQLite says what it says when the disk is full.
        pragma("max_page_count", 1);
        let full = (0..1000).find_map(|number| start(&format!("full-{number}")).err()).unwrap();
        assert_eq!(code(full), Some(rusqlite::ErrorCode::DiskFull));
        pragma("max_page_count", 1 << 30);
        pragma("query_only", 1);
        let rows = ledger.closes(&super::CloseFilter { limit: 10_000, ..Default::default() }).unwrap().len();
        let held = ledger.audit_head().unwrap();
        assert_ne!(held, head);
        assert_eq!(code(start("read-only").unwrap_err()), Some(rusqlite::ErrorCode::ReadOnly));
        assert_eq!(ledger.audit_head().unwrap(), held);
        assert_eq!(ledger.closes(&super::CloseFilter { limit: 10_000, ..Default::default() }).unwrap().len(), rows);
        pragma("query_only", 0);
        start("after").unwrap();
        drop(ledger);
        // All or nothing: the chain and what it tells of still agree.
        Ledger::open(&path).unwrap();
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
        // Everything that ended an effect is in the audit.
        let answered = ["override.proposed", "override.approved", "override.proposed", "override.replaced"];
        assert_eq!(actions(&ledger)[..4], answered);
        // An approved one is taken back by another person than its author, once.
        let withdraw = |request_id, id: &str, withdrawer| {
            let market_date = "2026-11-20";
            let given = OverrideWithdrawal { request_id, market_date, override_id: id, withdrawer, reason: "wrong" };
            ledger.withdraw(&given, Instant(3))
        };
        let reason = |got: Result<_, LedgerError>| match got {
            Err(LedgerError::State { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(withdraw("w1", &second.override_id, "alice")), "SECOND_PERSON_NEEDED");
        assert_eq!(reason(withdraw("w1", &first.override_id, "bob")), "OVERRIDE_NOT_APPROVED");
        let withdrawn = withdraw("w1", &second.override_id, "bob").unwrap();
        assert_eq!((withdrawn.state.as_str(), withdrawn.withdrawer.as_deref()), ("WITHDRAWN", Some("bob")));
        assert_eq!(withdraw("w1", &second.override_id, "bob").unwrap(), withdrawn);
        assert_eq!(reason(withdraw("w2", &second.override_id, "carol")), "OVERRIDE_NOT_APPROVED");
        assert!(ledger.approved("2026-11-20").unwrap().is_empty());
        assert_eq!(actions(&ledger).last().unwrap(), "override.withdrawn");
    }
}
