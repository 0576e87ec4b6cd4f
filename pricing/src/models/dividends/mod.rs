//! American and European options under discrete cash dividends in the spot (piecewise-lognormal) model.
//!
//! The price is lognormal with drift `r - b` between ex-dates and drops by the cash at each; a dividend larger than
//! the price pays the price. [`CashDividendModel`] reads in this order: `schedule` (the life cut at its ex-dates),
//! `plan` (grids and steps), `lanes` (several options side by side), `grid`, `line`, `boundary`, `step`, `later`, `exdate`, `sweep`
//! (one backward pass), `valuation` (what two grids say together), `octave`, `european` (European values of every strike from a few),
//! `near_identity` (a scale for prices), `market` (which solver, on which grids, in which batches), `inversion` (from prices
//! to volatilities).

mod boundary;
mod european;
mod exdate;
mod grid;
mod inversion;
pub(crate) mod kink;
pub(crate) mod lanes;
mod later;
mod line;
mod market;
mod near_identity;
mod octave;
pub(crate) mod plan;
pub(crate) mod schedule;
mod step;
pub(crate) mod sweep;
mod valuation;

use std::cell::OnceCell;

use crate::mark::Greeks;
use crate::models::{Implied, ModelInput, PricedOption};
use crate::vocabulary::{OptionType, PricingMethod};

use lanes::Point;
use market::Market;
use plan::Level;
use schedule::Schedule;
use valuation::Valuation;

/// Shift of the zero curve for rho, per year, either way.
const RATE_SHIFT: f64 = 2e-3;
/// Shift of the volatility for vega, as a share of it, either way.
const VOLATILITY_SHIFT: f64 = 0.025;
const DAYS_PER_YEAR: f64 = 365.0;

/// One slice of an underlying that pays cash.
///
/// # Formula
/// American values from backward sweeps at the option's own strike and volatility, sixteen options at a time, on two grids and
/// extrapolated, on a third where these do not agree; European ones by their equivalent Black volatility, which few such sweeps give for all strikes.
///
/// A result depends on its own option alone: neither on what was asked before nor on what is asked with it. Grids and
/// European values are kept when first made, and the model stays in its thread.
#[derive(Clone, Debug)]
pub struct CashDividendModel {
    base: Option<Market>,
    /// Under the zero curve shifted down and up, for rho.
    shifted: OnceCell<Box<[Market; 2]>>,
}

impl CashDividendModel {
    /// A model of the slice; outside the domain every method gives `None` or a status.
    ///
    /// # Domain
    /// See METHOD section 5: T from a minute to 15 years, up to 40 dividends of any size, rates of any sign.
    pub fn new(input: &ModelInput) -> Self {
        Self { base: Schedule::new(input).map(Market::new), shifted: OnceCell::new() }
    }

    fn market(&self, strike: f64) -> Option<&Market> {
        self.base.as_ref().filter(|_| strike > 0.0 && strike.is_finite())
    }

    fn shifted(&self, base: &Market) -> &[Market; 2] {
        self.shifted.get_or_init(|| {
            // A shift never turns the rate's sign, and with it the kind of exercise.
            let rate = base.schedule.rate;
            let low = match rate {
                rate if (0.0..RATE_SHIFT).contains(&rate) => 0.0,
                rate if (-RATE_SHIFT..0.0).contains(&rate) => -2.0 * RATE_SHIFT,
                _ => -RATE_SHIFT,
            };
            Box::new([low, low + 2.0 * RATE_SHIFT].map(|shift| Market::new(base.schedule.with_rate_shift(shift))))
        })
    }

    /// American price per share.
    ///
    /// # Domain
    /// `sigma` from 0.05 % to 1,600 %; below it the price of 0.05 %. None where nodes' prices are beyond every number, from about
    /// `sigma sqrt(T) = 30` on.
    pub fn price(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<f64> {
        self.prices(option_type, &[strike], &[sigma]).pop().flatten()
    }

    /// [`Self::price`] of many strikes, each at its own volatility, with the same bits.
    pub fn prices(&self, option_type: OptionType, strikes: &[f64], sigmas: &[f64]) -> Vec<Option<f64>> {
        let (places, points) = points(strikes, sigmas);
        let mut prices = vec![None; strikes.len().min(sigmas.len())];
        let Some(market) = &self.base else { return prices };
        for (place, value) in places.into_iter().zip(market.values(option_type, &points, Level::Fine)) {
            if let Some(slot) = prices.get_mut(place) {
                *slot = Some(value).filter(|price| price.is_finite());
            }
        }
        prices
    }

    /// American less European price per share of many strikes at one volatility, within 1e-4 of the strike.
    pub fn premiums(&self, option_type: OptionType, strikes: &[f64], sigma: f64) -> Vec<Option<f64>> {
        let (places, points) = points(strikes, &vec![sigma; strikes.len()]);
        let mut premiums = vec![None; strikes.len()];
        let Some(market) = &self.base else { return premiums };
        for (place, value) in places.into_iter().zip(market.premiums(option_type, &points)) {
            if let Some(slot) = premiums.get_mut(place) {
                *slot = Some(value).filter(|premium| premium.is_finite());
            }
        }
        premiums
    }

    /// European price per share under the same model.
    pub fn european_price(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<f64> {
        self.market(strike)?.european(option_type, point(strike, sigma)?)
    }

    /// The volatility whose American price this is, with how the search ended.
    ///
    /// `half_spread` is in price; LOW_VEGA where it is worth more than 1.00 of volatility.
    pub fn implied_volatility(&self, option_type: OptionType, strike: f64, price: f64, half_spread: f64) -> Implied {
        let quote = PricedOption { strike, price, half_spread };
        let found = self.implied_volatilities(option_type, &[quote]).pop();
        found.unwrap_or_else(|| crate::models::not_converged(PricingMethod::CashDividends))
    }

    /// [`Self::implied_volatility`] of many quotes, with the same bits.
    pub fn implied_volatilities(&self, option_type: OptionType, quotes: &[PricedOption]) -> Vec<Implied> {
        inversion::implied(self.base.as_ref(), option_type, quotes)
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
    /// zero. Vega is the difference between volatilities a fortieth either side, rho between zero curves shifted by twenty
    /// basis points either way.
    pub fn greeks(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<Greeks> {
        self.greeks_many(option_type, &[strike], &[sigma]).pop().flatten()
    }

    /// [`Self::greeks`] of many strikes, each at its own volatility, with the same bits.
    pub fn greeks_many(&self, option_type: OptionType, strikes: &[f64], sigmas: &[f64]) -> Vec<Option<Greeks>> {
        let (places, points) = points(strikes, sigmas);
        let mut results = vec![None; strikes.len().min(sigmas.len())];
        let Some(market) = &self.base else { return results };
        let values = market.sensitivities(option_type, &points);
        let at = |share: f64| points.iter().map(move |p| Point { sigma: p.sigma * share, ..*p });
        // Both volatilities side by side: fuller batches, and a lane's bits do not depend on its neighbours.
        let shifted: Vec<Point> = at(1.0 - VOLATILITY_SHIFT).chain(at(1.0 + VOLATILITY_SHIFT)).collect();
        let mut low = market.first_levels(option_type, &shifted);
        let high = low.split_off(points.len());
        let [down, up] = self.shifted(market).each_ref().map(|market| market.first_levels(option_type, &points));
        let w = market.first_extrapolation(option_type);
        let bumped = low.into_iter().zip(high).zip(down.into_iter().zip(up));
        for (((place, point), value), ((low, high), (down, up))) in
            places.into_iter().zip(&points).zip(values).zip(bumped)
        {
            let exercise = market.exercise(option_type, point.strike);
            let vega = low.difference(&high, w, exercise) / (2.0 * VOLATILITY_SHIFT * point.sigma);
            let vega = if vega < 0.0 { 0.0 } else { vega };
            let rho = down.difference(&up, w, exercise) / (2.0 * RATE_SHIFT);
            if let Some(slot) = results.get_mut(place) {
                *slot = assemble(market, option_type, *point, value, vega, rho);
            }
        }
        results
    }

    /// The solver that [`Self::price`] uses for this type.
    pub fn method(&self, option_type: OptionType) -> PricingMethod {
        self.base.as_ref().map_or(PricingMethod::CashDividends, |market| market.method(option_type))
    }
}

/// Puts one option's sensitivities together; `None` where one is not finite.
fn assemble(
    market: &Market,
    option_type: OptionType,
    point: Point,
    value: Valuation,
    vega: f64,
    rho: f64,
) -> Option<Greeks> {
    let Schedule { spot, rate, borrow, .. } = market.schedule;
    let exercise = market.exercise(option_type, point.strike);
    if exercise > 0.0 && value.american <= exercise {
        let delta = if option_type == OptionType::Call { 1.0 } else { -1.0 };
        return Some(Greeks { delta, ..Greeks::default() });
    }
    let Point { sigma, .. } = point;
    let (delta, gamma) = (value.delta, value.gamma.max(0.0));
    let yearly = rate * value.american - (rate - borrow) * spot * delta - 0.5 * sigma * sigma * spot * spot * gamma;
    let greeks = Greeks { delta, gamma, vega, theta: yearly / DAYS_PER_YEAR, rho };
    [delta, gamma, vega, greeks.theta, rho].iter().all(|x| x.is_finite()).then_some(greeks)
}

/// A point inside the domain, its volatility not below the lowest.
fn point(strike: f64, sigma: f64) -> Option<Point> {
    let sound = strike > 0.0 && strike.is_finite() && sigma > 0.0 && sigma <= octave::lower_end(octave::OCTAVE_MAX + 1);
    sound.then(|| Point { strike, sigma: sigma.max(octave::lower_end(octave::OCTAVE_MIN)) })
}

/// The points inside the domain, with their places.
fn points(strikes: &[f64], sigmas: &[f64]) -> (Vec<usize>, Vec<Point>) {
    let all = strikes.iter().zip(sigmas).enumerate();
    all.filter_map(|(place, (&strike, &sigma))| Some((place, point(strike, sigma)?))).unzip()
}

#[cfg(test)]
mod tests;
