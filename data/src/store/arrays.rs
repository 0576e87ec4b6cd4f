//! Looking a series up in `risk_arrays`.

use super::columns::risk_array;
use super::table::StoredTable;
use super::view::RowView;
use crate::osi;

/// The array of a series, in a table of `risk_arrays`, which is sorted by symbol. Both forms of an option symbol are
/// understood.
pub fn find_array<'a>(arrays: &'a StoredTable, symbol: &str) -> Option<RowView<'a>> {
    at(arrays, symbol).or_else(|| at(arrays, &osi::decode(symbol.as_bytes()).ok()?.canonical()?))
}

fn at<'a>(arrays: &'a StoredTable, symbol: &str) -> Option<RowView<'a>> {
    let row = arrays.partition(0..arrays.rows(), |view| view.text(risk_array::OSI_SYMBOL) < symbol);
    arrays.row(row).filter(|view| view.text(risk_array::OSI_SYMBOL) == symbol)
}
