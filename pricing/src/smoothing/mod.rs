//! Smoothing: two convex tiers and an iteration, over all slices of one class at once.
//!
//! A class is what calendar conditions may tie: one underlying and one deliverable. The coordinate is European
//! prices under the name's own model, as equivalent Black volatility on the slice's forward.

mod aim;
mod banded;
mod black;
mod calendar;
mod ceilings;
mod compromise;
mod event;
mod executable;
mod few_quotes;
mod frame;
mod optima;
mod outcome;
mod outliers;
mod prior;
mod program;
mod repair;
mod robust;
mod row;
mod rows;
mod slice;
mod smile;
mod spline;
mod surface;
mod targets;
mod tier2;
mod wings;

use crate::settings::SmoothingSettings;
use crate::vocabulary::{MarkSource, OptionType, Reasons, SolverStatus};

/// One quote of a slice, in equivalent Black volatility.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VolatilityQuote {
    /// Place of its strike in [`SliceInput::strikes`].
    pub strike: usize,
    /// Call or put.
    pub option_type: OptionType,
    /// Volatility of the mid.
    pub mid: f64,
    /// Volatility of the bid; `None` where the bid is zero or at most the exercise value.
    pub bid: Option<f64>,
    /// Volatility of the ask; `None` where it has none.
    pub ask: Option<f64>,
    /// Half-spread in volatility, positive, never below half a tick over vega.
    pub half_spread: f64,
    /// Multiplies the weight 1/half_spread^2: 1 out of the money, 0.1 in the money, less where stale, 0 where only bounds are wanted.
    pub weight: f64,
    /// False for a zero bid: `ask` is then one inequality, and `mid` is not a quote.
    pub two_sided: bool,
    /// Half-spread in price (discounted, per share), as quoted: what 'inside' is measured in.
    pub half_spread_price: f64,
    /// Whether both sides are old while the slice moved on: the first to go where a spread could be executed.
    pub old: bool,
}

impl VolatilityQuote {
    /// Whether the quote is out of the money on a forward (at the forward both are).
    pub fn is_out_of_the_money(&self, strike: f64, forward: f64) -> bool {
        match self.option_type {
            OptionType::Call => strike >= forward,
            OptionType::Put => strike <= forward,
        }
    }
}

/// A curve from elsewhere: the previous close's, or a neighbour's.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Ascending log-moneyness.
    pub log_moneyness: Vec<f64>,
    /// Volatility at the nodes, linear in total variance between them and flat outside.
    pub volatility: Vec<f64>,
}

/// What the smoother sees of one slice. Slices of a class come ascending in time to expiry (ties: AM first, then root).
#[derive(Clone, Debug, PartialEq)]
pub struct SliceInput {
    /// Forward.
    pub forward: f64,
    /// Discount factor.
    pub discount_factor: f64,
    /// Time to expiry, years, positive.
    pub time_to_expiry: f64,
    /// Value at expiry of the cash dividends with ex-dates after it; 0 without. Calendars compare at equal
    /// `(K - R)/(F - R)`, in prices divided by `D (F - R)`.
    pub dividend_shift: f64,
    /// Whether calendar conditions tie this slice to others.
    pub calendar: bool,
    /// Whether the exercise style is American.
    pub american: bool,
    /// All listed strikes, ascending, positive, distinct.
    pub strikes: Vec<f64>,
    /// Quotes, ascending strike, call before put at equal strikes; at most one per strike and type.
    pub quotes: Vec<VolatilityQuote>,
    /// The previous close's curve at this expiry, used only where the slice has no quotes of its own and no neighbour.
    pub previous: Option<Curve>,
}

/// What became of a quote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuoteOutcome {
    /// Whether the last fit used it.
    pub accepted: bool,
    /// Why not.
    pub reasons: Reasons,
    /// Its last robust weight, 0 to 1.
    pub robust_weight: f64,
}

/// The smoothed curve of one slice.
#[derive(Clone, Debug, PartialEq)]
pub struct SmoothedSlice {
    /// Equivalent Black volatility of the final curve at each strike; `None` only where there is no curve at all.
    pub volatility: Vec<Option<f64>>,
    /// The final discounted out-of-the-money European price at each strike (put below the forward, call at and above).
    pub price: Vec<Option<f64>>,
    /// Tier 1's volatility at each strike, after wings and caps: the target of tier 2.
    pub target_volatility: Vec<Option<f64>>,
    /// What decided the curve at each strike.
    pub source: Vec<MarkSource>,
    /// Reasons at each strike (edits by kind, caps).
    pub strike_reasons: Vec<Reasons>,
    /// One per quote, in order.
    pub outcomes: Vec<QuoteOutcome>,
    /// Reasons of the whole slice.
    pub reasons: Reasons,
    /// The chosen smoothing parameter.
    pub lambda: Option<f64>,
    /// Effective degrees of freedom of tier 1.
    pub degrees_of_freedom: Option<f64>,
    /// Root mean square leave-one-out error of tier 1 in volatility, from the smoother's own diagonal.
    pub left_out_error: Option<f64>,
    /// At-the-money volatility.
    pub atm_volatility: Option<f64>,
    /// Outer rounds.
    pub iterations: u32,
    /// How tier 2 ended.
    pub solver_status: SolverStatus,
    /// Its scaled residual.
    pub solver_residual: Option<f64>,
}

/// One round of the iteration, of one slice: how the curve came to be what it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Round {
    /// Tier 1's volatility at each strike, after wings and caps: what tier 2 aimed at; empty without a curve.
    pub target: Vec<f64>,
    /// The curve's volatility at each strike at the end of the round. After the last round it is what
    /// [`SmoothedSlice::volatility`] says.
    pub volatility: Vec<f64>,
    /// The least and the largest volatility that the gradual caps leave at each strike; `None` where none applies, that
    /// is between the outermost accepted quotes, and where the curve is not the slice's own fit.
    pub caps: Vec<Option<[f64; 2]>>,
    /// Whether the round's fit used each quote, in order.
    pub used: Vec<bool>,
}

/// Smooths all slices of one class.
pub fn smooth_class(slices: &[SliceInput], settings: &SmoothingSettings) -> Vec<SmoothedSlice> {
    surface::smooth(slices, settings, None)
}

/// [`smooth_class`], and each slice's rounds in order: the same curves by the same steps.
pub fn smooth_class_by_rounds(
    slices: &[SliceInput],
    settings: &SmoothingSettings,
) -> (Vec<SmoothedSlice>, Vec<Vec<Round>>) {
    let mut rounds = vec![Vec::new(); slices.len()];
    let smoothed = surface::smooth(slices, settings, Some(&mut rounds));
    (smoothed, rounds)
}
