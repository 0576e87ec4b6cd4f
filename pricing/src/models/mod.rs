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
use american::{American, Valued};
use black::LANES;
pub use boundary::Accuracy;
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

impl Implied {
    /// What half a spread is worth in volatility, `half_spread / vega`; `None` without a vega.
    pub fn uncertainty(&self, half_spread: f64) -> Option<f64> {
        let uncertainty = half_spread / self.vega;
        (self.vega > 0.0 && uncertainty.is_finite()).then_some(uncertainty)
    }
}

/// A price, the solver that made it, and how it ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Priced {
    /// Currency per share; absent where it FAILED, never NaN.
    pub price: Option<f64>,
    /// Which solver ran.
    pub method: PricingMethod,
    /// How it ended.
    pub ending: PriceEnding,
}

/// How a pricing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceEnding {
    /// The solver of the slice's class settled.
    Converged,
    /// The option is exercised at once: the price is the exercise value.
    AtIntrinsic,
    /// Finite differences on a wide grid stepped in.
    Fallback,
    /// No number can be given.
    Failed,
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
        self.priced(option_type, strike, sigma).price
    }

    /// [`SliceModel::price`] with the solver that made it and how it ended.
    ///
    /// American boundaries come from the slice's grid of volatilities, which its other strikes share.
    pub fn priced(&self, option_type: OptionType, strike: f64, sigma: f64) -> Priced {
        let american = |american: &American| american.value(&self.input, option_type, strike, sigma);
        self.priced_by(option_type, strike, sigma, &american)
    }

    /// The price of one option by itself: an American boundary is solved at its own volatility, and at nothing else.
    ///
    /// # Domain
    /// That of [`SliceModel::priced`], with which it agrees to the accuracy of either, not to the bit.
    pub fn priced_alone(&self, option_type: OptionType, strike: f64, sigma: f64, accuracy: Accuracy) -> Priced {
        let american = |american: &American| american.value_alone(&self.input, option_type, strike, sigma, accuracy);
        self.priced_by(option_type, strike, sigma, &american)
    }

    fn priced_by(
        &self,
        option_type: OptionType,
        strike: f64,
        sigma: f64,
        american_value: &dyn Fn(&American) -> Option<Valued>,
    ) -> Priced {
        let method = self.method(option_type);
        let failed = Priced { price: None, method, ending: PriceEnding::Failed };
        if !(strike > 0.0 && strike.is_finite() && sigma >= 0.0) {
            return failed;
        }
        let (price, method) = match &self.kind {
            Kind::European => (Some(self.black_price(option_type, strike, sigma)), method),
            Kind::American(american) if american.boundary(option_type).is_european() => {
                (Some(self.black_price(option_type, strike, sigma)), method)
            }
            Kind::American(american) => match american_value(american) {
                Some(valued) => {
                    let form = american.normal_form(&self.input, option_type, strike);
                    (Some(valued.price * form.scale), valued.method)
                }
                None => (None, method),
            },
            Kind::CashDividends(model) => (model.price(option_type, strike, sigma), method),
            Kind::Unusable => (None, method),
        };
        let Some(price) = price.filter(|p| p.is_finite()) else { return failed };
        let exercise = match (self.input.exercise_style, option_type) {
            (ExerciseStyle::European, _) => f64::NEG_INFINITY,
            (ExerciseStyle::American, OptionType::Call) => self.input.spot - strike,
            (ExerciseStyle::American, OptionType::Put) => strike - self.input.spot,
        };
        let ending = if method == PricingMethod::Fallback {
            PriceEnding::Fallback
        } else if exercise > 0.0 && price <= exercise {
            PriceEnding::AtIntrinsic
        } else {
            PriceEnding::Converged
        };
        Priced { price: Some(price), method, ending }
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
        let european = self.is_black(option_type);
        for ((strikes, sigmas), out) in strikes.chunks(LANES).zip(sigmas.chunks(LANES)).zip(out.chunks_mut(LANES)) {
            let lanes = european.then(|| self.black_prices(option_type, strikes, sigmas));
            for (i, ((&strike, &sigma), place)) in strikes.iter().zip(sigmas).zip(out).enumerate() {
                let price = match lanes.and_then(|lanes| lanes.get(i).copied()) {
                    Some(price) if strike > 0.0 && strike.is_finite() && sigma >= 0.0 && price.is_finite() => {
                        Some(price)
                    }
                    Some(_) => None,
                    None => self.price(option_type, strike, sigma),
                };
                if let Some(price) = price {
                    *place = price;
                    written += 1;
                }
            }
        }
        written
    }

    /// Whether a type's price is Black's on the forward.
    fn is_black(&self, option_type: OptionType) -> bool {
        match &self.kind {
            Kind::European => true,
            Kind::American(american) => american.boundary(option_type).is_european(),
            Kind::CashDividends(_) | Kind::Unusable => false,
        }
    }

    fn black_prices(&self, option_type: OptionType, strikes: &[f64], sigmas: &[f64]) -> [f64; LANES] {
        let input = &self.input;
        let mut out = [f64::NAN; LANES];
        let (t, discount) = (input.time_to_expiry, input.discount_factor);
        black::prices(option_type, input.forward, t, discount, strikes, sigmas, &mut out);
        out
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

    /// What early exercise is worth at many strikes and one volatility: American less European price per share, `None`
    /// where no number can be given; nothing for European slices.
    pub fn premiums(&self, option_type: OptionType, strikes: &[f64], sigma: f64) -> Vec<Option<f64>> {
        if let Kind::CashDividends(model) = &self.kind {
            return model.premiums(option_type, strikes, sigma);
        }
        let mut american = vec![f64::NAN; strikes.len()];
        self.prices(option_type, strikes, &vec![sigma; strikes.len()], &mut american);
        let less_european = |(&strike, american): (&f64, f64)| {
            let premium = american - self.european_price(option_type, strike, sigma)?;
            premium.is_finite().then_some(premium)
        };
        strikes.iter().zip(american).map(less_european).collect()
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
        let input = &self.input;
        if let Kind::CashDividends(model) = &self.kind {
            return model.implied_volatilities(option_type, quotes);
        }
        if self.is_black(option_type) {
            let (forward, t, discount) = (input.forward, input.time_to_expiry, input.discount_factor);
            return black::implied_volatilities(option_type, forward, t, discount, quotes);
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

/// Whether an American quote holds what exercise at once is worth: the market then says no more about the option than
/// that, at every volatility below some bound and whatever the forward.
///
/// # Units
/// Prices per share; `half_spread` is half of the quote's width around `mid`.
pub(crate) fn holds_exercise(option_type: OptionType, spot: f64, strike: f64, mid: f64, half_spread: f64) -> bool {
    let exercise = black::intrinsic(option_type, spot, strike);
    exercise > 0.0 && (mid - exercise).abs() <= half_spread + PRICE_UNIT
}

/// Published prices are whole multiples of it; what a sum of two of them is off by is far less.
const PRICE_UNIT: f64 = 1e-6;

const fn not_converged(method: PricingMethod) -> Implied {
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
