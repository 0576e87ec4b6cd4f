//! `marks.parquet`: one row per listed series.

use super::ColumnType::{Count, Date, Factor, Flag, Money, Number, Text, Word, Words};
use super::{Column, Table, optional, required};

const PER_SHARE: &str = "currency per share";
const VOLATILITY: &str = "per square root of year";

const COLUMNS: &[Column] = &[
    required("market_date", Date, "-", "The day that was closed"),
    required("osi_symbol", Text, "-", "The 21-character OSI symbol, or the opaque symbol that the input described"),
    required("underlying", Word, "-", "The underlying's symbol"),
    required("root", Word, "-", "Option root"),
    required("expiration", Date, "-", "Expiration date as listed"),
    required("strike", Money, PER_SHARE, "Strike"),
    required("option_type", Word, "-", "`C` or `P`"),
    required("exercise_style", Word, "-", "`american` or `european`"),
    required("settlement", Word, "-", "`AM` or `PM`"),
    required("multiplier", Count, "currency per contract and price unit", "Contract multiplier"),
    required("currency", Word, "-", "ISO 4217 code of every price in the row"),
    required("deliverable", Word, "-", "What one contract delivers"),
    optional("bid", Money, PER_SHARE, "Best bid after uncrossing"),
    optional("ask", Money, PER_SHARE, "Best offer after uncrossing"),
    optional("bid_size", Count, "contracts", "Size at the best bid over all venues; null = none or unknown"),
    optional("ask_size", Count, "contracts", "Size at the best offer over all venues; null = none or unknown"),
    required("venue_count", Count, "venues", "Venues with a usable quote"),
    required("quote_status", Word, "-", "`NONE`, `NO_ASK`, `CROSSED`, `LOCKED`, `ZERO_BID` or `TWO_SIDED`"),
    required("quote_flags", Words, "-", "Remarks beside the status"),
    optional("accepted", Flag, "-", "Whether the quote entered the last fit"),
    optional("mid", Money, PER_SHARE, "Midpoint of bid and offer, for `TWO_SIDED` and `LOCKED`"),
    optional("mark", Money, PER_SHARE, "The published mark"),
    required("mark_source", Word, "-", "What decided the mark; `NONE` where it is null"),
    required("reasons", Words, "-", "Why the mark is what it is, or why its quote was not believed"),
    optional("implied_volatility", Number, VOLATILITY, "Volatility of the mid"),
    optional("bid_implied_volatility", Number, VOLATILITY, "Volatility of the bid"),
    optional("ask_implied_volatility", Number, VOLATILITY, "Volatility of the ask"),
    required("volatility_status", Word, "-", "How the inversion of the mid ended"),
    optional("smoothed_volatility", Number, VOLATILITY, "Volatility whose model price is the unrounded mark"),
    optional("edit", Money, PER_SHARE, "Mark less mid"),
    optional("edit_half_spreads", Number, "half-spreads", "Mark less mid"),
    optional("edit_volatility", Number, VOLATILITY, "Smoothed less implied volatility"),
    optional("delta", Number, "per 1.00 of the underlying", "First derivative in the underlying's price"),
    optional("gamma", Number, "per 1.00 of the underlying, squared", "Second derivative in the underlying's price"),
    optional("vega", Number, "per 1.00 of volatility", "Derivative in volatility"),
    optional("theta", Number, "per calendar day", "Derivative in time, the underlying's price held"),
    optional("rho", Number, "per 1.00 of rate", "Derivative in a parallel shift of the zero curve"),
    optional("underlying_price", Money, PER_SHARE, "The price of the underlying that served everything"),
    optional("forward", Number, PER_SHARE, "Forward to settlement"),
    optional("forward_present_value", Money, PER_SHARE, "Discounted forward; exact in European parity"),
    optional("discount_factor", Factor, "1", "Discount factor to settlement; exact in European parity"),
    optional("carry_rate", Number, "per year", "Zero rate less what the forward implies (index classes)"),
    optional("borrow_rate", Number, "per year", "Borrow rate; positive = hard to borrow"),
    optional("dividend_present_value", Number, PER_SHARE, "Present value of the cash dividends up to expiry"),
    required("time_to_expiry", Number, "years, ACT/365", "Time from the snapshot to settlement, never negative"),
    optional("log_moneyness", Number, "1", "ln(strike / forward)"),
    optional("total_variance", Number, "1", "The curve's total variance, in the European-equivalent coordinate"),
    optional("confidence", Number, "0 to 1", "How far the mark should be believed"),
    required("run_id", Word, "-", "The run that published the row"),
];

/// `marks.parquet`.
pub const MARKS: Table = Table {
    file: "marks.parquet",
    columns: COLUMNS,
    sorted_by: &["underlying", "expiration", "settlement", "root", "strike", "option_type", "osi_symbol"],
    bloom_filters: &["osi_symbol"],
};
