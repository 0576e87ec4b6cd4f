//! American slices without cash dividends: both types as puts in normal form, with the fallback behind.

use std::cell::OnceCell;

use crate::mark::Greeks;
use crate::math::{exp, ln};
use crate::models::boundary::{Accuracy, BoundaryModel, VOLATILITY_MAX, VOLATILITY_MIN};
use crate::models::{ModelInput, black, fallback};
use crate::vocabulary::{OptionType, PricingMethod};

// Shift of the zero rate for rho; small beside any rate's meaning, large beside the boundary's tolerance.
const RATE_SHIFT: f64 = 5e-4;
// Relative shifts for the differences of the sensitivities.
const VOLATILITY_SHIFT: f64 = 1e-2;
const SPOT_SHIFT: f64 = 2e-3;
/// Largest `sigma sqrt(T)` for which the fallback's European value serves as a control.
const FALLBACK_CONTROL_MAX: f64 = 2.0;
const DAYS_PER_YEAR: f64 = 365.0;

/// A price with the solver that made it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Valued {
    pub price: f64,
    pub method: PricingMethod,
}

/// The two boundary models of a slice, and those at a shifted rate for rho.
#[derive(Clone, Debug)]
pub(super) struct American {
    rate: f64,
    put: BoundaryModel,
    call: BoundaryModel,
    /// Only rho needs them, and only the close's last pass needs rho.
    put_shifted: OnceCell<Box<BoundaryModel>>,
    call_shifted: OnceCell<Box<BoundaryModel>>,
}

/// A series as a put of strike 1: `price = scale * put(spot)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NormalForm {
    pub spot: f64,
    pub scale: f64,
    /// Rate and yield of the normal form.
    pub rate: f64,
    pub dividend_yield: f64,
}

impl American {
    pub(super) fn new(input: &ModelInput, rate: f64) -> Self {
        let (t, b) = (input.time_to_expiry, input.borrow);
        Self {
            rate,
            put: BoundaryModel::new(rate, b, t),
            call: BoundaryModel::new(b, rate, t),
            put_shifted: OnceCell::new(),
            call_shifted: OnceCell::new(),
        }
    }

    pub(super) fn boundary(&self, option_type: OptionType) -> &BoundaryModel {
        match option_type {
            OptionType::Call => &self.call,
            OptionType::Put => &self.put,
        }
    }

    pub(super) fn normal_form(&self, input: &ModelInput, option_type: OptionType, strike: f64) -> NormalForm {
        normal_form(input.spot, self.rate, input.borrow, option_type, strike)
    }

    /// The price at `sigma`, in the normal form's unit.
    pub(super) fn value(&self, input: &ModelInput, option_type: OptionType, strike: f64, sigma: f64) -> Option<Valued> {
        let form = self.normal_form(input, option_type, strike);
        if !(sigma >= 0.0 && form.spot > 0.0 && form.spot.is_finite()) {
            return None;
        }
        let model = self.boundary(option_type);
        if model.is_european() {
            let price = european(input, option_type, strike, sigma) / form.scale;
            return Some(Valued { price, method: PricingMethod::Black });
        }
        if sigma < VOLATILITY_MIN {
            let price =
                certain(&form, input.time_to_expiry).max(european(input, option_type, strike, sigma) / form.scale);
            return Some(Valued { price, method: PricingMethod::Boundary });
        }
        if let Some(price) = model.put(form.spot, sigma).filter(|p| p.is_finite()) {
            return Some(Valued { price, method: PricingMethod::Boundary });
        }
        let sigma = sigma.min(VOLATILITY_MAX);
        let result = fallback::price(input, option_type, strike, sigma)?;
        // The European value is known: what the grid does to it is taken off, as long as the grid holds it.
        let price = if sigma * input.time_to_expiry.sqrt() <= FALLBACK_CONTROL_MAX {
            european(input, option_type, strike, sigma) + (result.american - result.european).max(0.0)
        } else {
            result.american
        };
        Some(Valued { price: (price / form.scale).max(1.0 - form.spot), method: PricingMethod::Fallback })
    }

    /// [`American::value`], with the same bits, and its derivative in volatility where the solver has one.
    pub(super) fn value_with_vega(
        &self,
        input: &ModelInput,
        option_type: OptionType,
        strike: f64,
        sigma: f64,
    ) -> Option<(Valued, Option<f64>)> {
        let form = self.normal_form(input, option_type, strike);
        let model = self.boundary(option_type);
        if !model.is_european()
            && sigma >= VOLATILITY_MIN
            && let Some((price, vega)) = model.put_with_vega(form.spot, sigma)
            && price.is_finite()
        {
            return Some((Valued { price, method: PricingMethod::Boundary }, vega));
        }
        Some((self.value(input, option_type, strike, sigma)?, None))
    }

    /// [`American::value`] of an option by itself.
    pub(super) fn value_alone(
        &self,
        input: &ModelInput,
        option_type: OptionType,
        strike: f64,
        sigma: f64,
        accuracy: Accuracy,
    ) -> Option<Valued> {
        let form = self.normal_form(input, option_type, strike);
        match self.boundary(option_type).put_alone(form.spot, sigma, accuracy).filter(|p| p.is_finite()) {
            Some(price) => Some(Valued { price, method: PricingMethod::Boundary }),
            None => self.value(input, option_type, strike, sigma),
        }
    }

    /// Sensitivities: price and delta from the integral, the rest from differences of the same integral; theta from
    /// the equation `V_t + (r-b) S V_S + sigma^2 S^2 V_SS / 2 = r V`.
    pub(super) fn greeks(
        &self,
        input: &ModelInput,
        option_type: OptionType,
        strike: f64,
        sigma: f64,
    ) -> Option<Greeks> {
        let form = self.normal_form(input, option_type, strike);
        let model = self.boundary(option_type);
        let value = |volatility: f64| self.value(input, option_type, strike, volatility).map(|v| v.price);
        let price = value(sigma)?;
        let up = value(sigma * (1.0 + VOLATILITY_SHIFT))?;
        let down = value(sigma * (1.0 - VOLATILITY_SHIFT))?;
        let vega = form.scale * (up - down) / (2.0 * VOLATILITY_SHIFT * sigma);
        let Some(boundary) = model.at(sigma) else {
            let centre = fallback::price(input, option_type, strike, sigma)?;
            let moved = ModelInput {
                discount_factor: input.discount_factor * exp(-RATE_SHIFT * input.time_to_expiry),
                forward: input.forward * exp(RATE_SHIFT * input.time_to_expiry),
                ..input.clone()
            };
            let rho = (fallback::price(&moved, option_type, strike, sigma)?.american - centre.american) / RATE_SHIFT;
            return Some(Greeks { delta: centre.delta, gamma: centre.gamma, vega, theta: centre.theta, rho });
        };
        let exercised = form.spot < 1.0 && price <= 1.0 - form.spot;
        // In the normal form's spot.
        let (delta, gamma) = if exercised {
            (-1.0, 0.0)
        } else {
            // The step must see the curvature of short-dated options, and not the exercise region.
            let stdev = sigma * input.time_to_expiry.sqrt();
            let h = form.spot * SPOT_SHIFT.min(0.02 * stdev);
            let (_, delta) = boundary.put_with_delta(form.spot)?;
            let (_, above) = boundary.put_with_delta(form.spot + h)?;
            let (_, further) = boundary.put_with_delta(form.spot + 2.0 * h)?;
            let (_, below) = boundary.put_with_delta(form.spot - h)?;
            let below_exercised = boundary.is_exercised(form.spot - h);
            let gamma = if below_exercised {
                (4.0 * above - 3.0 * delta - further) / (2.0 * h)
            } else {
                (above - below) / (2.0 * h)
            };
            (delta, gamma.max(0.0))
        };
        let spot = input.spot;
        let (delta, gamma) = match option_type {
            OptionType::Put => (delta, gamma / strike),
            // C(S) = S p(K/S): C' = p - x p', C'' = x^2 p'' / S with x = K/S.
            OptionType::Call => (price - form.spot * delta, form.spot * form.spot * gamma / spot),
        };
        let price = price * form.scale;
        let theta = if exercised {
            0.0
        } else {
            self.rate * price - (self.rate - input.borrow) * spot * delta - 0.5 * sigma * sigma * spot * spot * gamma
        };
        let shifted = normal_form(spot, self.rate + RATE_SHIFT, input.borrow, option_type, strike);
        let shifted_model = match option_type {
            OptionType::Call => &self.call_shifted,
            OptionType::Put => &self.put_shifted,
        }
        .get_or_init(|| Box::new(BoundaryModel::new(shifted.rate, shifted.dividend_yield, input.time_to_expiry)));
        let rho = match shifted_model.put(shifted.spot, sigma) {
            Some(p) => (p * shifted.scale - price) / RATE_SHIFT,
            None => 0.0,
        };
        Some(Greeks { delta, gamma, vega, theta: theta / DAYS_PER_YEAR, rho })
    }
}

fn normal_form(spot: f64, rate: f64, borrow: f64, option_type: OptionType, strike: f64) -> NormalForm {
    match option_type {
        OptionType::Put => NormalForm { spot: spot / strike, scale: strike, rate, dividend_yield: borrow },
        OptionType::Call => NormalForm { spot: strike / spot, scale: spot, rate: borrow, dividend_yield: rate },
    }
}

fn european(input: &ModelInput, option_type: OptionType, strike: f64, sigma: f64) -> f64 {
    black::price(option_type, input.forward, strike, input.time_to_expiry, sigma, input.discount_factor)
}

/// The put's value without volatility: the best of all exercise times.
///
/// # Formula
/// `max_t e^{-rt} - x e^{-qt}` over `[0, T]`; stationary where `r e^{-rt} = q x e^{-qt}`.
pub(super) fn certain(form: &NormalForm, time: f64) -> f64 {
    let (r, q, x) = (form.rate, form.dividend_yield, form.spot);
    let at = |t: f64| exp(-r * t) - x * exp(-q * t);
    let mut best = at(0.0).max(at(time)).max(0.0);
    let stationary = ln(q * x / r) / (q - r);
    if stationary > 0.0 && stationary < time {
        best = best.max(at(stationary));
    }
    best
}
