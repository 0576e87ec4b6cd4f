//! Prices, volatilities and sensitivities of one slice under its own model.
//!
//! [`SliceModel`] is the dispatcher: European on the implied forward, American without cash dividends (exercise
//! boundary), American with cash dividends (one ex-date, or finite differences). It says in every result which
//! method ran and how it ended.

mod american;
pub mod black;
pub mod boundary;
pub mod dividends;
pub mod fallback;
mod greeks;
mod implied;
pub mod single_dividend;
mod spots;

use crate::mark::Greeks;
use crate::math::ln;
use crate::vocabulary::{ExerciseStyle, OptionType, PricingMethod, VolatilityStatus};
use american::American;
use dividends::CashDividendModel;

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

/// An option with its price: what an inversion needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PricedOption {
    /// Strike, per share of the deliverable.
    pub strike: f64,
    /// Price per share.
    pub price: f64,
    /// Half of the quote's spread, in price; decides LOW_VEGA.
    pub half_spread: f64,
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

/// How a slice's options are priced.
#[derive(Clone, Debug)]
enum Kind {
    European,
    American(Box<American>),
    CashDividends(Box<CashDividendModel>),
    /// The input is no slice: no time, no discount factor, no spot.
    Unusable,
}

/// The model of one slice.
///
/// Boundaries and grids are solved when first needed and kept, so a model belongs to one thread; no result depends on
/// what was asked before.
#[derive(Clone, Debug)]
pub struct SliceModel {
    input: ModelInput,
    kind: Kind,
}

impl SliceModel {
    /// A model from its input; values outside the domain give results with status, never a panic.
    pub fn new(input: ModelInput) -> Self {
        let kind = kind(&input);
        Self { input, kind }
    }

    /// The input.
    pub fn input(&self) -> &ModelInput {
        &self.input
    }

    /// Price per share with the slice's exercise style; NaN never: `None` where no number can be given.
    pub fn price(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<f64> {
        if !(strike > 0.0 && strike.is_finite() && sigma >= 0.0) {
            return None;
        }
        let price = match &self.kind {
            Kind::European => self.black_price(option_type, strike, sigma),
            Kind::American(american) if american.boundary(option_type).is_european() => {
                self.black_price(option_type, strike, sigma)
            }
            Kind::American(american) => {
                let form = american.normal_form(&self.input, option_type, strike);
                american.value(&self.input, option_type, strike, sigma)?.price * form.scale
            }
            Kind::CashDividends(model) => model.price(option_type, strike, sigma)?,
            Kind::Unusable => return None,
        };
        price.is_finite().then_some(price)
    }

    /// [`SliceModel::price`] of many strikes, with the same bits; returns how many were written.
    ///
    /// Works on the common length of the three slices. Where no number can be given, `out` keeps what it had.
    pub fn prices(&self, option_type: OptionType, strikes: &[f64], sigmas: &[f64], out: &mut [f64]) -> usize {
        let mut written = 0;
        if let Kind::CashDividends(model) = &self.kind {
            for (price, place) in model.prices(option_type, strikes, sigmas).into_iter().zip(out) {
                if let Some(price) = price {
                    *place = price;
                    written += 1;
                }
            }
            return written;
        }
        for ((&strike, &sigma), place) in strikes.iter().zip(sigmas).zip(out) {
            if let Some(price) = self.price(option_type, strike, sigma) {
                *place = price;
                written += 1;
            }
        }
        written
    }

    /// Price of the European option under the same model (without cash dividends: Black on the forward).
    pub fn european_price(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<f64> {
        if !(strike > 0.0 && strike.is_finite() && sigma >= 0.0) {
            return None;
        }
        let price = match &self.kind {
            Kind::European | Kind::American(_) => self.black_price(option_type, strike, sigma),
            Kind::CashDividends(model) => model.european_price(option_type, strike, sigma)?,
            Kind::Unusable => return None,
        };
        price.is_finite().then_some(price)
    }

    /// The model's volatility of a price. `half_spread` (price) decides LOW_VEGA: half_spread/vega above 1.0 of volatility.
    pub fn implied_volatility(&self, option_type: OptionType, strike: f64, price: f64, half_spread: f64) -> Implied {
        let input = &self.input;
        if !(strike > 0.0 && strike.is_finite() && price.is_finite()) {
            return not_converged(self.method(option_type));
        }
        match &self.kind {
            Kind::European => self.black_implied(option_type, strike, price, half_spread),
            Kind::American(american) if american.boundary(option_type).is_european() => {
                self.black_implied(option_type, strike, price, half_spread)
            }
            Kind::American(american) => implied::implied(american, input, option_type, strike, price, half_spread),
            Kind::CashDividends(model) => model.implied_volatility(option_type, strike, price, half_spread),
            Kind::Unusable if input.time_to_expiry <= 0.0 => {
                Implied { status: VolatilityStatus::Expired, ..not_converged(PricingMethod::Black) }
            }
            Kind::Unusable => not_converged(PricingMethod::Black),
        }
    }

    /// [`SliceModel::implied_volatility`] of many quotes of one type, with the same bits.
    pub fn implied_volatilities(&self, option_type: OptionType, quotes: &[PricedOption]) -> Vec<Implied> {
        if let Kind::CashDividends(model) = &self.kind {
            return model.implied_volatilities(option_type, quotes);
        }
        let one = |q: &PricedOption| self.implied_volatility(option_type, q.strike, q.price, q.half_spread);
        quotes.iter().map(one).collect()
    }

    /// Equivalent Black volatility (on the forward) of the model's European price at model volatility `sigma`. Identity without cash dividends.
    pub fn black_from_model(&self, strike: f64, sigma: f64) -> Option<f64> {
        match &self.kind {
            Kind::European | Kind::American(_) => sigma.is_finite().then_some(sigma),
            Kind::CashDividends(model) => model.black_from_model(strike, sigma),
            Kind::Unusable => None,
        }
    }

    /// The model volatility whose European price has this equivalent Black volatility. Identity without cash dividends.
    pub fn model_from_black(&self, strike: f64, black: f64) -> Option<f64> {
        match &self.kind {
            Kind::European | Kind::American(_) => black.is_finite().then_some(black),
            Kind::CashDividends(model) => model.model_from_black(strike, black),
            Kind::Unusable => None,
        }
    }

    /// Sensitivities at model volatility `sigma` (see [`Greeks`] for units and what is held).
    pub fn greeks(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<Greeks> {
        if !(strike > 0.0 && strike.is_finite() && sigma > 0.0 && sigma.is_finite()) {
            return None;
        }
        let greeks = match &self.kind {
            Kind::European => greeks::european(&self.input, option_type, strike, sigma)?,
            Kind::American(american) if american.boundary(option_type).is_european() => {
                greeks::european(&self.input, option_type, strike, sigma)?
            }
            Kind::American(american) => american.greeks(&self.input, option_type, strike, sigma)?,
            Kind::CashDividends(model) => model.greeks(option_type, strike, sigma)?,
            Kind::Unusable => return None,
        };
        let Greeks { delta, gamma, vega, theta, rho } = greeks;
        [delta, gamma, vega, theta, rho].iter().all(|g| g.is_finite()).then_some(greeks)
    }

    /// [`SliceModel::greeks`] of many strikes, each at its own volatility, with the same bits.
    ///
    /// Works on the common length of the two slices.
    pub fn greeks_many(&self, option_type: OptionType, strikes: &[f64], sigmas: &[f64]) -> Vec<Option<Greeks>> {
        if let Kind::CashDividends(model) = &self.kind {
            return model.greeks_many(option_type, strikes, sigmas);
        }
        strikes.iter().zip(sigmas).map(|(&strike, &sigma)| self.greeks(option_type, strike, sigma)).collect()
    }

    /// The solver that `price` uses for this type.
    pub fn method(&self, option_type: OptionType) -> PricingMethod {
        match &self.kind {
            Kind::European | Kind::Unusable => PricingMethod::Black,
            Kind::American(american) if american.boundary(option_type).is_european() => PricingMethod::Black,
            Kind::American(_) => PricingMethod::Boundary,
            Kind::CashDividends(model) => model.method(option_type),
        }
    }

    fn black_price(&self, option_type: OptionType, strike: f64, sigma: f64) -> f64 {
        let input = &self.input;
        black::price(option_type, input.forward, strike, input.time_to_expiry, sigma, input.discount_factor)
    }

    fn black_implied(&self, option_type: OptionType, strike: f64, price: f64, half_spread: f64) -> Implied {
        let input = &self.input;
        black::implied_volatility(
            option_type,
            input.forward,
            strike,
            input.time_to_expiry,
            price,
            input.discount_factor,
            half_spread,
        )
    }
}

fn not_converged(method: PricingMethod) -> Implied {
    Implied {
        volatility: None,
        status: VolatilityStatus::NotConverged,
        method,
        iterations: 0,
        vega: 0.0,
        critical_volatility: None,
    }
}

fn kind(input: &ModelInput) -> Kind {
    let positive = |x: f64| x > 0.0 && x.is_finite();
    if !(positive(input.time_to_expiry) && positive(input.discount_factor)) {
        return Kind::Unusable;
    }
    // Dividends larger than the price leave no forward; the option has a price all the same.
    let cash = input.exercise_style == ExerciseStyle::American && !input.dividends.is_empty();
    if !(positive(input.forward) || cash && input.forward.is_finite()) {
        return Kind::Unusable;
    }
    match input.exercise_style {
        ExerciseStyle::European => Kind::European,
        ExerciseStyle::American if !(positive(input.spot) && input.borrow.is_finite()) => Kind::Unusable,
        ExerciseStyle::American if input.dividends.is_empty() => {
            let rate = -ln(input.discount_factor) / input.time_to_expiry;
            Kind::American(Box::new(American::new(input, rate)))
        }
        ExerciseStyle::American => Kind::CashDividends(Box::new(CashDividendModel::new(input))),
    }
}
