//! Approved overrides, as a run takes them.

use closemark_data::publication::OverrideRecord;

use crate::serve::ledger::{Ledger, LedgerError};

/// The overrides of a date that two people agreed on, ascending symbol.
pub(super) fn in_effect(ledger: &Ledger, market_date: &str) -> Result<Vec<OverrideRecord>, LedgerError> {
    let rows = ledger.approved(market_date)?;
    Ok(rows
        .into_iter()
        .map(|row| OverrideRecord {
            author: match &row.approver {
                Some(approver) => format!("{}, approved by {approver}", row.author),
                None => row.author.clone(),
            },
            osi_symbol: row.osi_symbol,
            mark_micros: row.mark_micros,
            reason: row.reason,
        })
        .collect())
}
