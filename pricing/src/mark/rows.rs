//! What a close says: the rows of `marks`, `slices` and `exceptions`.

use crate::price::Price;
use crate::risk::RiskArray;
use crate::series::{Date, Series};
use crate::vocabulary::{
    ExerciseStyle, MarkSource, PricingMethod, QuoteFlags, QuoteStatus, Reason, Reasons, Settlement, SolverStatus,
    Stage, VolatilityStatus,
};

/// Sensitivities per share.
///
/// # Units
/// `delta` and `gamma` per 1.00 of the underlying's price, `vega` per 1.00 of volatility, `theta` per calendar day,
/// `rho` per 1.00 of rate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Greeks {
    /// First derivative in the underlying's price, with rate, borrow and cash dividends held.
    pub delta: f64,
    /// Second derivative in the underlying's price.
    pub gamma: f64,
    /// Derivative in volatility.
    pub vega: f64,
    /// Derivative per calendar day with the underlying's price held.
    pub theta: f64,
    /// Derivative in a parallel shift of the zero curve, with price, borrow, dividends and volatility held.
    pub rho: f64,
}

/// One row of `marks`, in the order of [`UnderlyingDay::series`](crate::day::UnderlyingDay::series).
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesMark {
    /// Best bid after uncrossing.
    pub bid: Option<Price>,
    /// Best offer after uncrossing.
    pub ask: Option<Price>,
    /// Contracts at the best bid, summed over venues; null where a venue at the best did not say.
    pub bid_size: Option<u64>,
    /// Contracts at the best offer.
    pub ask_size: Option<u64>,
    /// Venues with a usable quote.
    pub venue_count: u32,
    /// Status after uncrossing.
    pub quote_status: QuoteStatus,
    /// Remarks.
    pub quote_flags: QuoteFlags,
    /// Whether the quote entered the last fit; null where there is no mid.
    pub accepted: Option<bool>,
    /// Midpoint of bid and offer, for TWO_SIDED and LOCKED.
    pub mid: Option<Price>,
    /// The published mark.
    pub mark: Option<Price>,
    /// What decided it.
    pub mark_source: MarkSource,
    /// Why.
    pub reasons: Reasons,
    /// Volatility of the mid.
    pub implied_volatility: Option<f64>,
    /// Volatility of the bid, by the solver's local expansion.
    pub bid_implied_volatility: Option<f64>,
    /// Volatility of the ask.
    pub ask_implied_volatility: Option<f64>,
    /// How the inversion of the mid ended.
    pub volatility_status: VolatilityStatus,
    /// The volatility whose model price is the unrounded mark.
    pub smoothed_volatility: Option<f64>,
    /// Mark less mid, per share.
    pub edit: Option<Price>,
    /// The same in half-spreads.
    pub edit_half_spreads: Option<f64>,
    /// Smoothed less implied volatility.
    pub edit_volatility: Option<f64>,
    /// Sensitivities at the smoothed volatility.
    pub greeks: Option<Greeks>,
    /// The price of the underlying that served everything.
    pub underlying_price: Option<Price>,
    /// Forward to settlement.
    pub forward: Option<f64>,
    /// `D F`, in whole millionths for European classes.
    pub forward_present_value: Option<Price>,
    /// Discount factor, rounded to 12 decimals as published.
    pub discount_factor: Option<f64>,
    /// Zero rate less what the forward implies (index classes).
    pub carry_rate: Option<f64>,
    /// Borrow rate (American names).
    pub borrow_rate: Option<f64>,
    /// Present value of the cash dividends up to expiry.
    pub dividend_present_value: Option<f64>,
    /// ACT/365 years.
    pub time_to_expiry: f64,
    /// `ln(K/F)`.
    pub log_moneyness: Option<f64>,
    /// The curve's total variance in the European-equivalent coordinate.
    pub total_variance: Option<f64>,
    /// How far the mark should be believed, 0 to 1.
    pub confidence: Option<f64>,
    /// The slice the series belongs to, in [`UnderlyingMarks::slices`].
    pub slice: usize,
    /// The solver that priced the mark.
    pub method: Option<PricingMethod>,
}

/// Violations by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViolationCounts {
    /// Prices not monotone in strike.
    pub vertical: u32,
    /// Prices not convex in strike.
    pub butterfly: u32,
    /// Prices not ordered in time.
    pub calendar: u32,
    /// Calls and puts outside parity's bounds.
    pub parity: u32,
}

impl ViolationCounts {
    /// All kinds together.
    pub fn total(&self) -> u32 {
        self.vertical + self.butterfly + self.calendar + self.parity
    }
}

/// One row of `slices`.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceMark {
    /// Option root.
    pub root: String,
    /// Canonical deliverable text.
    pub deliverable: String,
    /// Expiration date as listed.
    pub expiration: Date,
    /// AM or PM.
    pub settlement: Settlement,
    /// American or European.
    pub exercise_style: ExerciseStyle,
    /// Whether calendar conditions tie it to other slices.
    pub calendar: bool,
    /// Listed series.
    pub series_count: u32,
    /// Series with a usable bid or ask.
    pub quoted_count: u32,
    /// ACT/365 years.
    pub time_to_expiry: f64,
    /// Forward to settlement.
    pub forward: Option<f64>,
    /// `D F` in millionths.
    pub forward_present_value: Option<Price>,
    /// Discount factor.
    pub discount_factor: Option<f64>,
    /// Carry rate (index classes).
    pub carry_rate: Option<f64>,
    /// Borrow rate (American names).
    pub borrow_rate: Option<f64>,
    /// Present value of the cash dividends up to expiry.
    pub dividend_present_value: Option<f64>,
    /// Call-put pairs used for the forward.
    pub forward_pairs: u32,
    /// Half-width of the forward's interval, per share.
    pub forward_uncertainty: Option<f64>,
    /// |sigma_call - sigma_put| at the money on pairs left out of the estimate, over the half-spread in volatility.
    pub parity_residual: Option<f64>,
    /// At-the-money volatility of the curve.
    pub atm_volatility: Option<f64>,
    /// Smoothing parameter.
    pub lambda: Option<f64>,
    /// Effective degrees of freedom of tier 1.
    pub degrees_of_freedom: Option<f64>,
    /// Mean of ((mark - mid)/half-spread)^2.
    pub chi: Option<f64>,
    /// Mean |fit - market| over the five strikes at the money, in volatility.
    pub atm_error: Option<f64>,
    /// Share of two-sided out-of-the-money quotes that contain their mark.
    pub share_inside: Option<f64>,
    /// Share of two-sided out-of-the-money quotes that the last fit accepted.
    pub share_accepted: Option<f64>,
    /// Root mean square left-out error of tier 1, in volatility.
    pub left_out_error: Option<f64>,
    /// Accepted call quotes.
    pub used_calls: u32,
    /// Accepted put quotes.
    pub used_puts: u32,
    /// Rejected call quotes.
    pub rejected_calls: u32,
    /// Rejected put quotes.
    pub rejected_puts: u32,
    /// Violations in the mids.
    pub violations_before: ViolationCounts,
    /// Violations in the published integers.
    pub violations_after: ViolationCounts,
    /// Outer iterations.
    pub iterations: u32,
    /// How tier 2 ended.
    pub solver_status: SolverStatus,
    /// Its residual.
    pub solver_residual: Option<f64>,
    /// Largest move of exact publication, per share.
    pub largest_move: Option<Price>,
    /// The smallest that the largest move over all slices of its class could have been, by bisection, per share.
    pub smallest_possible_move: Option<Price>,
    /// 0 to 1.
    pub confidence: f64,
    /// Why.
    pub reasons: Reasons,
    /// The curve's nodes.
    pub curve_log_moneyness: Vec<f64>,
    /// Total variance at the nodes; linear in log-moneyness between them, flat volatility outside.
    pub curve_total_variance: Vec<f64>,
    /// `U = S max(1, e^{-bT})`, rounded up (American).
    pub parity_upper: Option<Price>,
    /// `L = S min(1, e^{-bT}) - PV(dividends)`, rounded down (American).
    pub parity_lower: Option<Price>,
    /// Least `D(t)` over [0, T] in 10^-12, rounded down.
    pub discount_factor_min: Option<i64>,
    /// Largest `D(t)` over [0, T] in 10^-12, rounded up.
    pub discount_factor_max: Option<i64>,
}

/// One row of `exceptions`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExceptionRow {
    /// `series`, `slice`, `underlying`, `venue_quote` or `row`.
    pub scope: &'static str,
    /// The underlying, where known.
    pub underlying: Option<String>,
    /// The root, where known.
    pub root: Option<String>,
    /// The expiration, where known.
    pub expiration: Option<Date>,
    /// The settlement, where known.
    pub settlement: Option<Settlement>,
    /// The series, where known.
    pub osi_symbol: Option<String>,
    /// The stage's word.
    pub stage: &'static str,
    /// The reason's word ([`Reason`], or one of the input reasons).
    pub reason: &'static str,
    /// What was changed or refused.
    pub field: Option<String>,
    /// Its value before.
    pub before: Option<String>,
    /// Its value after.
    pub after: Option<String>,
    /// Who: null for the method, a name for a person.
    pub author: Option<String>,
}

impl ExceptionRow {
    /// A row about a series.
    pub fn series(series: &Series, underlying: &str, stage: Stage, reason: Reason) -> Self {
        Self {
            scope: "series",
            underlying: Some(underlying.to_owned()),
            root: Some(series.root.clone()),
            expiration: Some(series.expiration),
            settlement: Some(series.settlement),
            osi_symbol: Some(series.osi_symbol.clone()),
            stage: stage.as_str(),
            reason: reason.as_str(),
            ..Self::default()
        }
    }
}

/// The rows of one underlying.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnderlyingMarks {
    /// The underlying's symbol.
    pub underlying: String,
    /// One row per series, in the day's order.
    pub series: Vec<SeriesMark>,
    /// One row per slice, ascending (expiration, settlement, root, deliverable).
    pub slices: Vec<SliceMark>,
    /// What was excluded, capped, carried, replaced.
    pub exceptions: Vec<ExceptionRow>,
    /// One entry per series, `None` where it has no mark; empty where arrays were not asked for.
    pub risk_arrays: Vec<Option<RiskArray>>,
}
