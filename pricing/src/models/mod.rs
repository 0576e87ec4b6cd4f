//! Prices, volatilities and sensitivities of one slice under its own model.
//!
//! [`SliceModel`] is the dispatcher: European on the implied forward, American without cash dividends (exercise
//! boundary), American with cash dividends (one ex-date, or finite differences). It says in every result which
//! method ran and how it ended.

pub mod black;
pub mod dividends;
pub mod fallback;
pub mod single_dividend;

use crate::mark::Greeks;
use crate::vocabulary::{ExerciseStyle, OptionType, PricingMethod, VolatilityStatus};

/// A cash dividend inside one slice's life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelDividend {
    /// Years from the snapshot, 0 < time <= T.
    pub time: f64,
    /// Cash per share (of the deliverable).
    pub amount: f64,
}

/// What a slice's model is made from. The forward follows for American slices:
/// `F = S e^{(r-b)T} - sum d_i e^{(r-b)(T-t_i)}` with `r = -ln D(T) / T`.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInput {
    /// American or European.
    pub exercise_style: ExerciseStyle,
    /// Spot, per share of the deliverable. For European slices only the greeks use it.
    pub spot: f64,
    /// Years, positive.
    pub time_to_expiry: f64,
    /// Discount factor to expiry.
    pub discount_factor: f64,
    /// Borrow (American) or carry (European: `r - ln(F/S)/T`) rate.
    pub borrow: f64,
    /// Forward. European slices price on it as given; for American slices it is the formula above.
    pub forward: f64,
    /// Cash dividends up to expiry, ascending; empty for European slices.
    pub dividends: Vec<ModelDividend>,
}

/// How an inversion ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Implied {
    /// The model's volatility; present for OK and LOW_VEGA only.
    pub volatility: Option<f64>,
    /// How it ended.
    pub status: VolatilityStatus,
    /// Which solver ran.
    pub method: PricingMethod,
    /// Steps taken.
    pub iterations: u32,
    /// dPrice/dsigma at the solution (0 where there is none), for local expansions.
    pub vega: f64,
    /// AT_INTRINSIC: every volatility up to this one gives the same price.
    pub critical_volatility: Option<f64>,
}

/// The model of one slice.
#[derive(Clone, Debug)]
pub struct SliceModel {
    input: ModelInput,
}

impl SliceModel {
    /// A model from its input; values outside the domain give results with status, never a panic.
    pub fn new(input: ModelInput) -> Self {
        Self { input }
    }
    /// The input.
    pub fn input(&self) -> &ModelInput {
        &self.input
    }
    /// Price per share with the slice's exercise style; NaN never: `None` where no number can be given.
    pub fn price(&self, _option_type: OptionType, _strike: f64, _sigma: f64) -> Option<f64> {
        None
    }
    /// Price of the European option under the same model (without cash dividends: Black on the forward).
    pub fn european_price(&self, _option_type: OptionType, _strike: f64, _sigma: f64) -> Option<f64> {
        None
    }
    /// The model's volatility of a price. `half_spread` (price) decides LOW_VEGA: half_spread/vega above 1.0 of volatility.
    pub fn implied_volatility(
        &self,
        _option_type: OptionType,
        _strike: f64,
        _price: f64,
        _half_spread: f64,
    ) -> Implied {
        Implied {
            volatility: None,
            status: VolatilityStatus::NotConverged,
            method: PricingMethod::Black,
            iterations: 0,
            vega: 0.0,
            critical_volatility: None,
        }
    }
    /// Equivalent Black volatility (on the forward) of the model's European price at model volatility `sigma`. Identity without cash dividends.
    pub fn black_from_model(&self, _strike: f64, _sigma: f64) -> Option<f64> {
        None
    }
    /// The model volatility whose European price has this equivalent Black volatility. Identity without cash dividends.
    pub fn model_from_black(&self, _strike: f64, _black: f64) -> Option<f64> {
        None
    }
    /// Sensitivities at model volatility `sigma` (see [`Greeks`] for units and what is held).
    pub fn greeks(&self, _option_type: OptionType, _strike: f64, _sigma: f64) -> Option<Greeks> {
        None
    }
    /// The solver that `price` uses for this type.
    pub fn method(&self, _option_type: OptionType) -> PricingMethod {
        PricingMethod::Black
    }
}
