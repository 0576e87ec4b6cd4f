//! The columns of an input folder's CSV files, in the order in which they are written.

/// `underlyings.csv`.
pub(super) const UNDERLYINGS: &[&str] =
    &["underlying", "price", "price_time", "halted", "margin_group", "leverage", "settlement_price"];

/// `series.csv`.
pub(super) const SERIES: &[&str] = &[
    "osi_symbol",
    "underlying",
    "expiration",
    "expiration_time",
    "strike",
    "option_type",
    "exercise_style",
    "settlement",
    "multiplier",
    "currency",
    "deliverable",
    "expected",
];

/// `dividends.csv`.
pub(super) const DIVIDENDS: &[&str] = &["underlying", "ex_date", "amount", "status"];

/// `rates.csv`.
pub(super) const RATES: &[&str] = &["tenor_days", "zero_rate"];

/// `corporate_actions.csv`.
pub(super) const CORPORATE_ACTIONS: &[&str] = &["underlying", "effective_date", "kind", "ratio", "amount"];
