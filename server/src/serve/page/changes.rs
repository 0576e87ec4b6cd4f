//! `.../changes`: the marks that differ between two runs of a date, the largest differences first.

use closemark_data::store::{Change, Changes, Close, mark};
use serde_json::{Value, json};

use super::values::{money, words};

/// Changes that are given; all are counted.
const GIVEN_MAX: usize = 1_000;

pub(super) fn changes(older: &Close, newer: &Close) -> Value {
    let mut found: Vec<(i64, Change<'_>)> = Vec::new();
    let mut total = 0_u64;
    for change in Changes::from(older, newer, (0, 0)) {
        total += 1;
        found.push((size(&change), change));
        // Keeps the list short on a whole market without changing its end.
        if found.len() >= 16 * GIVEN_MAX {
            largest(&mut found);
        }
    }
    largest(&mut found);
    let given: Vec<Value> = found.iter().map(|(_, change)| one(newer, older, change)).collect();
    json!({
        "date": closemark_data::date::to_text(newer.date()),
        "run": newer.run().to_string(),
        "base": older.run().to_string(),
        "total": total,
        "changes": given,
    })
}

/// Millionths between the marks; a mark that came or went is more than any.
fn size(change: &Change<'_>) -> i64 {
    let price = |row: Option<closemark_data::store::RowView<'_>>| row.and_then(|row| row.decimal(mark::MARK));
    match (price(change.before), price(change.after)) {
        (Some(before), Some(after)) => before.saturating_sub(after).saturating_abs(),
        _ => i64::MAX,
    }
}

fn largest(found: &mut Vec<(i64, Change<'_>)>) {
    // Stable: changes of one size stay in published order.
    found.sort_by_key(|entry| std::cmp::Reverse(entry.0));
    found.truncate(GIVEN_MAX);
}

fn one(newer: &Close, older: &Close, change: &Change<'_>) -> Value {
    let Some(row) = change.after.or(change.before) else { return Value::Null };
    let close = if change.after.is_some() { newer } else { older };
    let underlying = row.text(mark::UNDERLYING);
    let slice = close.slice_of(row).map(|(id, _)| id.to_string());
    let price = |row: Option<closemark_data::store::RowView<'_>>| row.map_or(Value::Null, |row| money(row, mark::MARK));
    json!({
        "osi_symbol": row.text(mark::OSI_SYMBOL),
        "underlying": underlying,
        "slice": slice,
        "before": price(change.before),
        "after": price(change.after),
        "multiplier": super::values::count(row, mark::MULTIPLIER),
        "currency": row.text(mark::CURRENCY),
        "reasons": change.after.map_or_else(|| Value::from(Vec::<String>::new()), |row| words(row, mark::REASONS)),
    })
}
