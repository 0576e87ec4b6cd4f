//! The rules of `exceptions.parquet`.

use arrow::array::{Array, RecordBatch};
use closemark_pricing::vocabulary::{Settlement, Stage};

use super::report::{Kind, Violation};
use crate::publication::read::ReadError;
use crate::publication::read::columns::{Columns, TextColumn};
use crate::publication::schema::EXCEPTIONS;

/// The scopes a row may have.
const SCOPES: [&str; 5] = ["series", "slice", "underlying", "venue_quote", "row"];

/// Whether a word belongs to its vocabulary.
type Known = fn(&str) -> bool;

type Key = (Option<String>, Option<i32>, Option<String>, Option<String>, Option<String>);

/// Checks words and order.
pub(super) fn check(batches: &[RecordBatch]) -> Result<Vec<Violation>, ReadError> {
    let mut found = Vec::new();
    let mut last: Option<Key> = None;
    for batch in batches {
        let columns = Columns::new(EXCEPTIONS.file, batch);
        let known: [(&str, Known); 4] = [
            ("scope", |w| SCOPES.contains(&w)),
            ("stage", |w| Stage::parse(w).is_some()),
            ("settlement", |w| Settlement::parse(w).is_some()),
            // The input's reasons are an open list of words.
            ("reason", |w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')),
        ];
        for (column, known) in known {
            for word in columns.text(column)?.words().into_iter().filter(|w| !known(w)) {
                found.push(Violation::new(EXCEPTIONS.file, Kind::Vocabulary, column, format!("{word:?}")));
            }
        }
        let (underlying, settlement) = (columns.text("underlying")?, columns.text("settlement")?);
        let (root, symbol) = (columns.text("root")?, columns.text("osi_symbol")?);
        let expiration = columns.dates("expiration")?;
        let owned = |column: &TextColumn<'_>, row| column.get(row).map(ToOwned::to_owned);
        for row in 0..batch.num_rows() {
            let key = (
                owned(&underlying, row),
                expiration.is_valid(row).then(|| expiration.value(row)),
                owned(&settlement, row),
                owned(&root, row),
                owned(&symbol, row),
            );
            if last.as_ref().is_some_and(|last| *last > key) {
                let subject = key.4.clone().or(key.0.clone()).unwrap_or_default();
                let detail = format!("row {row} stands after a later one");
                found.push(Violation::new(EXCEPTIONS.file, Kind::Order, subject, detail));
            }
            last = Some(key);
        }
    }
    Ok(found)
}
