//! `slices.parquet`: one row per (underlying, root, deliverable, expiration, settlement).

use super::ColumnType::{Count, Date, Factor, Flag, Money, Number, Numbers, Word, Words};
use super::{Column, Table, optional, required};

const PER_SHARE: &str = "currency per share";
const VOLATILITY: &str = "per square root of year";

/// The word of `curve_coordinate`.
pub const CURVE_COORDINATE: &str = "log_moneyness";
/// The word of `curve_interpolation`.
pub const CURVE_INTERPOLATION: &str = "linear_total_variance";

const COLUMNS: &[Column] = &[
    required("market_date", Date, "-", "The day that was closed"),
    required("underlying", Word, "-", "The underlying's symbol"),
    required("root", Word, "-", "Option root"),
    required("deliverable", Word, "-", "What one contract delivers"),
    required("expiration", Date, "-", "Expiration date as listed"),
    required("settlement", Word, "-", "`AM` or `PM`"),
    required("exercise_style", Word, "-", "`american` or `european`"),
    required("calendar", Flag, "-", "Whether calendar conditions tie the slice to others"),
    required("series_count", Count, "series", "Listed series"),
    required("quoted_count", Count, "series", "Series with a usable bid or ask"),
    required("time_to_expiry", Number, "years, ACT/365", "Time from the snapshot to settlement, never negative"),
    optional("forward", Number, PER_SHARE, "Forward to settlement"),
    optional("forward_present_value", Money, PER_SHARE, "Discounted forward; exact in European parity"),
    optional("discount_factor", Factor, "1", "Discount factor to settlement; exact in European parity"),
    optional("carry_rate", Number, "per year", "Zero rate less what the forward implies (index classes)"),
    optional("borrow_rate", Number, "per year", "Borrow rate; positive = hard to borrow"),
    optional("dividend_present_value", Number, PER_SHARE, "Present value of the cash dividends up to expiry"),
    required("forward_pairs", Count, "pairs", "Call-put pairs that the forward was estimated from"),
    optional("forward_uncertainty", Number, PER_SHARE, "Half-width of the forward's interval"),
    optional(
        "parity_residual",
        Number,
        "half-spreads in volatility",
        "Call less put volatility at the money, left out",
    ),
    optional("atm_volatility", Number, VOLATILITY, "The curve's volatility at the forward"),
    optional("lambda", Number, "1", "Smoothing parameter of tier 1"),
    optional("degrees_of_freedom", Number, "1", "Effective degrees of freedom of tier 1"),
    optional("chi", Number, "half-spreads squared", "Mean of ((mark - mid) / half-spread)^2"),
    optional("atm_error", Number, VOLATILITY, "Mean |fit - market| over the five strikes at the money"),
    optional("share_inside", Number, "0 to 1", "Share of two-sided out-of-the-money quotes that contain their mark"),
    optional(
        "share_accepted",
        Number,
        "0 to 1",
        "Share of two-sided out-of-the-money quotes that the last fit accepted",
    ),
    optional("left_out_error", Number, VOLATILITY, "Root mean square left-out error of tier 1"),
    required("used_calls", Count, "quotes", "Accepted call quotes"),
    required("used_puts", Count, "quotes", "Accepted put quotes"),
    required("rejected_calls", Count, "quotes", "Rejected call quotes"),
    required("rejected_puts", Count, "quotes", "Rejected put quotes"),
    required("violations_before_vertical", Count, "violations", "Not monotone in strike, in the mids"),
    required("violations_before_butterfly", Count, "violations", "Not convex in strike, in the mids"),
    required("violations_before_calendar", Count, "violations", "Not ordered in time, in the mids"),
    required("violations_before_parity", Count, "violations", "Outside parity's bounds, in the mids"),
    required("violations_after_vertical", Count, "violations", "Not monotone in strike, in the marks"),
    required("violations_after_butterfly", Count, "violations", "Not convex in strike, in the marks"),
    required("violations_after_calendar", Count, "violations", "Not ordered in time, in the marks"),
    required("violations_after_parity", Count, "violations", "Outside parity's bounds, in the marks"),
    required("iterations", Count, "rounds", "Outer iterations of the smoothing"),
    required("solver_status", Word, "-", "How tier 2 ended"),
    optional("solver_residual", Number, "1", "Its scaled residual"),
    optional("largest_move", Money, PER_SHARE, "Largest move that exact publication made"),
    optional(
        "smallest_possible_move",
        Money,
        PER_SHARE,
        "The least that the largest move over its class could have been, by bisection",
    ),
    required("confidence", Number, "0 to 1", "How far the slice should be believed"),
    required("reasons", Words, "-", "Why"),
    required("curve_coordinate", Word, "-", "What `curve_log_moneyness` measures: `log_moneyness`"),
    required("curve_interpolation", Word, "-", "`linear_total_variance` between nodes, flat volatility outside"),
    required("curve_log_moneyness", Numbers, "1", "Nodes of the curve, ascending ln(strike / forward)"),
    required("curve_total_variance", Numbers, "1", "Total variance at the nodes, European-equivalent"),
    optional("parity_upper", Money, PER_SHARE, "S max(1, e^-bT), rounded up (American)"),
    optional("parity_lower", Money, PER_SHARE, "S min(1, e^-bT) less discounted dividends, rounded down (American)"),
    optional("discount_factor_min", Factor, "1", "Least discount factor up to expiry, rounded down (American)"),
    optional("discount_factor_max", Factor, "1", "Largest discount factor up to expiry, rounded up (American)"),
    required("run_id", Word, "-", "The run that published the row"),
];

/// `slices.parquet`.
pub const SLICES: Table = Table {
    file: "slices.parquet",
    columns: COLUMNS,
    sorted_by: &["underlying", "expiration", "settlement", "root", "deliverable"],
    bloom_filters: &[],
};
