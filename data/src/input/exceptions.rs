//! Rows of `exceptions` that reading the input leaves behind, and their words.
//!
//! No file name, row number or form of file enters a row, so that the same content leaves the same exceptions
//! whether it came as CSV or Parquet, in one part or in many.

use closemark_pricing::mark::ExceptionRow;
use closemark_pricing::series::Series;
use closemark_pricing::vocabulary::Stage;

use super::error::shown;

/// A symbol that is neither an OSI symbol nor described by `series.csv`.
pub const MALFORMED_SYMBOL: &str = "MALFORMED_SYMBOL";
/// A row with a field missing or unreadable.
pub const MALFORMED_ROW: &str = "MALFORMED_ROW";
/// A venue that the venue table does not know on that day.
pub const UNKNOWN_VENUE: &str = "UNKNOWN_VENUE";
/// A root that neither the root table nor `series.csv` explains.
pub const UNKNOWN_ROOT: &str = "UNKNOWN_ROOT";
/// A price that is no number, negative or above 10,000,000.
pub const BAD_PRICE: &str = "BAD_PRICE";
/// A quote whose producer says another currency than the series has.
pub const WRONG_CURRENCY: &str = "WRONG_CURRENCY";
/// A quote whose producer says another multiplier than the series has.
pub const WRONG_MULTIPLIER: &str = "WRONG_MULTIPLIER";
/// A second quote of one venue for one series at the same time and sequence.
pub const DUPLICATE_QUOTE: &str = "DUPLICATE_QUOTE";
/// A second row about the same thing in a reference file.
pub const DUPLICATE_ROW: &str = "DUPLICATE_ROW";
/// A series whose terms contradict those of the slice that it names.
pub const CONTRADICTING_TERMS: &str = "CONTRADICTING_TERMS";
/// A series whose expiration's trading day lies before the market date.
pub const EXPIRED_SERIES: &str = "EXPIRED_SERIES";
/// A series of an underlying without a price.
pub const NO_UNDERLYING_PRICE: &str = "NO_UNDERLYING_PRICE";

/// A row about one row of a file.
pub(crate) fn row(reason: &'static str, symbol: Option<&str>, field: &str, before: &str) -> ExceptionRow {
    ExceptionRow {
        scope: "row",
        osi_symbol: symbol.map(shown),
        stage: Stage::Input.as_str(),
        reason,
        field: Some(shown(field)),
        before: Some(shown(before)),
        ..ExceptionRow::default()
    }
}

/// A row about all `rows` quotes of a symbol, which no series was made of.
pub(crate) fn symbol(reason: &'static str, symbol: &str, rows: u64) -> ExceptionRow {
    row(reason, Some(symbol), "rows", &rows.to_string())
}

/// A row about a series that is known.
pub(crate) fn series(reason: &'static str, underlying: &str, series: &Series, rows: u64) -> ExceptionRow {
    ExceptionRow {
        scope: "series",
        underlying: Some(underlying.to_owned()),
        root: Some(series.root.clone()),
        expiration: Some(series.expiration),
        settlement: Some(series.settlement),
        ..symbol(reason, &series.osi_symbol, rows)
    }
}

/// The order in which exceptions are kept: by content, so that it does not depend on the order of reading.
pub(crate) fn canonical_order(rows: &mut [ExceptionRow]) {
    rows.sort_by(|a, b| key(a).cmp(&key(b)));
}

type Key<'a> =
    (Option<&'a str>, Option<&'a str>, &'static str, &'static str, Option<&'a str>, Option<&'a str>, Option<&'a str>);

fn key(row: &ExceptionRow) -> Key<'_> {
    (
        row.underlying.as_deref(),
        row.osi_symbol.as_deref(),
        row.scope,
        row.reason,
        row.field.as_deref(),
        row.before.as_deref(),
        row.after.as_deref(),
    )
}
