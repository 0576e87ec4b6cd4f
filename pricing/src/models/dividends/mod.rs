//! American and European options under discrete cash dividends in the spot (piecewise-lognormal) model.
//!
//! The price is lognormal with drift `r - b` between ex-dates and drops by the cash at each; a dividend larger than
//! the price pays the price. [`CashDividendModel`] reads in this order: `schedule` (the life cut at its ex-dates),
//! `plan` (grids and steps), `sweep` (one backward pass at eight volatilities), `octave` (interpolation in
//! volatility), `market` (tables of one slice), `inversion` (from price to volatility).

mod inversion;
pub(crate) mod kink;
mod market;
mod octave;
mod plan;
pub(crate) mod schedule;
pub(crate) mod sweep;

use std::cell::OnceCell;

use crate::mark::Greeks;
use crate::models::{Implied, ModelInput};
use crate::vocabulary::{OptionType, PricingMethod};

use market::{Grade, Market};
use schedule::Schedule;

/// Shift of the zero curve for rho, per year, either way.
const RATE_SHIFT: f64 = 1e-3;
const DAYS_PER_YEAR: f64 = 365.0;

/// One slice of an underlying that pays cash.
///
/// # Formula
/// `price = european + premium`: the European value by its equivalent Black volatility, the premium of early exercise
/// by interpolation in `ln sigma`, both from the same backward sweeps at fixed volatilities.
///
/// Tables are made when first needed and kept; no result depends on the order of calls. The model stays in its
/// thread.
#[derive(Clone, Debug)]
pub struct CashDividendModel {
    base: Option<Market>,
    /// Under the zero curve shifted down and up, for rho.
    rough: OnceCell<Box<[Market; 2]>>,
}

impl CashDividendModel {
    /// A model of the slice; outside the domain every method gives `None` or a status.
    ///
    /// # Domain
    /// See METHOD section 5: T from a minute to 15 years, up to 40 dividends of any size, rates of any sign.
    pub fn new(input: &ModelInput) -> Self {
        let base = Schedule::new(input).map(|schedule| Market::new(schedule, Grade::Fine));
        Self { base, rough: OnceCell::new() }
    }

    fn market(&self, strike: f64) -> Option<&Market> {
        self.base.as_ref().filter(|_| strike > 0.0 && strike.is_finite())
    }

    fn rough(&self, base: &Market) -> &[Market; 2] {
        self.rough.get_or_init(|| {
            // A shift never turns the rate's sign, and with it the kind of exercise.
            let rate = base.schedule.rate;
            let low = if (0.0..RATE_SHIFT).contains(&rate) { 0.0 } else { -RATE_SHIFT };
            Box::new(
                [low, low + 2.0 * RATE_SHIFT]
                    .map(|shift| Market::new(base.schedule.with_rate_shift(shift), Grade::Rough)),
            )
        })
    }

    /// American price per share.
    ///
    /// # Domain
    /// `sigma` up to 16; below 0.05 % the price of 0.05 %.
    pub fn price(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<f64> {
        self.market(strike)?.american(option_type, strike, sigma).map(|valuation| valuation.price)
    }

    /// European price per share under the same model.
    pub fn european_price(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<f64> {
        self.market(strike)?.european(option_type, strike, sigma)
    }

    /// The volatility whose American price this is, with how the search ended.
    ///
    /// `half_spread` is in price; LOW_VEGA where it is worth more than 1.00 of volatility.
    pub fn implied_volatility(&self, option_type: OptionType, strike: f64, price: f64, half_spread: f64) -> Implied {
        inversion::implied(self.market(strike), option_type, strike, price, half_spread)
    }

    /// Equivalent Black volatility (on the forward) of the European price at model volatility `sigma`.
    ///
    /// Both types share it: it is that of the type out of the money. `None` where dividends leave less than a fifth of
    /// the price as forward.
    pub fn black_from_model(&self, strike: f64, sigma: f64) -> Option<f64> {
        let market = self.market(strike).filter(|market| market.has_black())?;
        market.black(strike, sigma).map(|(black, _)| black).filter(|black| black.is_finite())
    }

    /// The model volatility whose European price has this equivalent Black volatility; inverse of
    /// [`Self::black_from_model`].
    pub fn model_from_black(&self, strike: f64, black: f64) -> Option<f64> {
        let market = self.market(strike).filter(|market| market.has_black())?;
        inversion::model_from_black(market, strike, black)
    }

    /// Sensitivities of the American price at model volatility `sigma`.
    ///
    /// # Formula
    /// `theta = (r V - (r-b) S delta - sigma^2 S^2 gamma / 2) / 365` while the option is held; exercised, only delta is not
    /// zero. Rho shifts the whole zero curve by ten basis points either way.
    pub fn greeks(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<Greeks> {
        let market = self.market(strike)?;
        let at = market.sensitivities(option_type, strike, sigma)?;
        let Schedule { spot, rate, borrow, .. } = market.schedule;
        let exercise = crate::models::black::intrinsic(option_type, spot, strike);
        if exercise > 0.0 && at.price <= exercise {
            return Some(Greeks { delta: at.delta, ..Greeks::default() });
        }
        let yearly = rate * at.price - (rate - borrow) * spot * at.delta - 0.5 * sigma * sigma * spot * spot * at.gamma;
        let greeks = Greeks {
            delta: at.delta,
            gamma: at.gamma,
            vega: at.vega,
            theta: yearly / DAYS_PER_YEAR,
            rho: self.rho(market, option_type, strike, sigma, at.price)?,
        };
        [greeks.gamma, greeks.theta, greeks.rho].iter().all(|x| x.is_finite()).then_some(greeks)
    }

    /// Rho from rough tables, the premium's part scaled by how much the rough premium falls short.
    fn rho(&self, market: &Market, option_type: OptionType, strike: f64, sigma: f64, price: f64) -> Option<f64> {
        let parts = |market: &Market| -> Option<(f64, f64)> {
            let european = market.european(option_type, strike, sigma)?;
            Some((european, market.american(option_type, strike, sigma)?.price - european))
        };
        let [down, up] = self.rough(market);
        let (low, high) = (parts(down)?, parts(up)?);
        let premium = price - market.european(option_type, strike, sigma)?;
        let rough = 0.5 * (low.1 + high.1);
        let share = if rough > 0.0 { (premium / rough).clamp(0.8, 1.25) } else { 1.0 };
        Some(((high.0 - low.0) + (high.1 - low.1) * share) / (2.0 * RATE_SHIFT))
    }

    /// The solver that [`Self::price`] uses for this type.
    pub fn method(&self, option_type: OptionType) -> PricingMethod {
        self.base.as_ref().map_or(PricingMethod::CashDividends, |market| market.method(option_type))
    }
}

#[cfg(test)]
mod tests;
