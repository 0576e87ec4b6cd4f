//! From price to volatility, octave by octave.

use super::market::Market;
use super::octave::{OCTAVE_MAX, OCTAVE_MIN, lower_end, place};
use crate::math::exp;
use crate::models::{Implied, black};
use crate::vocabulary::{OptionType, PricingMethod, VolatilityStatus};

/// Prices closer than this share of the strike are the same price.
const SAME_PRICE: f64 = 2e-8;
/// Uncertainty in volatility above which an inversion is LOW_VEGA.
const LOW_VEGA_UNCERTAINTY: f64 = 1.0;
const ITERATIONS_MAX: u32 = 60;
/// Points per period at which exercise on the deterministic path is tried.
const PATH_POINTS: u32 = 8;

pub(crate) fn implied(
    market: Option<&Market>,
    option_type: OptionType,
    strike: f64,
    price: f64,
    half_spread: f64,
) -> Implied {
    let ended = |status, method| Implied {
        volatility: None,
        status,
        method,
        iterations: 0,
        vega: 0.0,
        critical_volatility: None,
    };
    let Some(market) = market.filter(|_| price.is_finite()) else {
        return ended(VolatilityStatus::NotConverged, PricingMethod::CashDividends);
    };
    let method = market.method(option_type);
    let least = least_price(market, option_type, strike);
    let tolerance = SAME_PRICE * strike;
    if price < least - tolerance {
        return ended(VolatilityStatus::BelowIntrinsic, method);
    }
    if price >= upper_bound(market, option_type, strike) {
        return ended(VolatilityStatus::AboveBound, method);
    }
    let mut search = Search { market, option_type, strike, iterations: 0 };
    if price <= least + tolerance {
        let critical_volatility = search.critical(least + tolerance);
        let iterations = search.iterations;
        return Implied { critical_volatility, iterations, ..ended(VolatilityStatus::AtIntrinsic, method) };
    }
    let Some((volatility, vega)) = search.solve(price, tolerance) else {
        return Implied { iterations: search.iterations, ..ended(VolatilityStatus::NotConverged, method) };
    };
    let low = half_spread > LOW_VEGA_UNCERTAINTY * vega;
    Implied {
        volatility: Some(volatility),
        status: if low { VolatilityStatus::LowVega } else { VolatilityStatus::Ok },
        method,
        iterations: search.iterations,
        vega,
        critical_volatility: None,
    }
}

/// The price as volatility vanishes: the best exercise along the deterministic path, no path doing worse than now.
fn least_price(market: &Market, option_type: OptionType, strike: f64) -> f64 {
    let schedule = &market.schedule;
    let mut s = schedule.spot;
    let mut least = black::intrinsic(option_type, s, strike);
    for period in &schedule.periods {
        let step = period.length() / f64::from(PATH_POINTS);
        let growth = exp((schedule.rate - schedule.borrow) * step);
        for k in 1..=PATH_POINTS {
            s *= growth;
            let time = period.start + step * f64::from(k);
            least = least.max(exp(-schedule.rate * time) * black::intrinsic(option_type, s, strike));
        }
        s = (s - period.dividend).max(0.0);
        least = least.max(exp(-schedule.rate * period.end) * black::intrinsic(option_type, s, strike));
    }
    least
}

/// What no volatility exceeds.
fn upper_bound(market: &Market, option_type: OptionType, strike: f64) -> f64 {
    let schedule = &market.schedule;
    match option_type {
        OptionType::Call => schedule.spot * exp(-schedule.borrow * schedule.expiry).max(1.0),
        OptionType::Put => strike * schedule.discount_factor.max(1.0),
    }
}

struct Search<'a> {
    market: &'a Market,
    option_type: OptionType,
    strike: f64,
    iterations: u32,
}

impl Search<'_> {
    fn at(&mut self, sigma: f64) -> Option<(f64, f64)> {
        self.iterations += 1;
        self.market.american(self.option_type, self.strike, sigma).map(|v| (v.price, v.vega))
    }

    /// Inside an octave from its own side, so that no neighbour is tabulated for an end.
    fn ends(octave: i32) -> (f64, f64) {
        (lower_end(octave) * (1.0 + 1e-12), lower_end(octave + 1) * (1.0 - 1e-12))
    }

    /// Black's volatility of the time value as if nothing but time separated price from exercise.
    fn seed(&self, price: f64) -> f64 {
        let schedule = &self.market.schedule;
        let spot = schedule.spot;
        let value = price - black::intrinsic(self.option_type, spot, self.strike);
        let fallback = 0.3;
        let forward = if self.market.forward > 0.0 { self.market.forward } else { spot };
        let out_of_the_money = match self.option_type {
            OptionType::Call => self.strike > forward,
            OptionType::Put => self.strike < forward,
        };
        let stdev = if out_of_the_money {
            black::implied_stdev_otm(forward, self.strike, price / schedule.discount_factor)
        } else {
            black::implied_stdev_otm(spot, self.strike, value)
        };
        let sigma = stdev.unwrap_or(fallback * schedule.expiry.sqrt()) / schedule.expiry.sqrt();
        if sigma.is_finite() { sigma.clamp(0.01, 8.0) } else { fallback }
    }

    fn solve(&mut self, price: f64, tolerance: f64) -> Option<(f64, f64)> {
        let seed = self.seed(price);
        let mut octave = place(seed)?.octave;
        let mut direction = 0;
        loop {
            let (low, high) = Self::ends(octave);
            if direction <= 0 && self.at(low)?.0 > price {
                if octave == OCTAVE_MIN {
                    return None;
                }
                (octave, direction) = (octave - 1, -1);
                continue;
            }
            if direction >= 0 && self.at(high)?.0 < price {
                if octave == OCTAVE_MAX {
                    return None;
                }
                (octave, direction) = (octave + 1, 1);
                continue;
            }
            return self.inside(price, low, high, seed, 1e-3 * tolerance);
        }
    }

    /// Newton in volatility, kept between two that enclose the price.
    fn inside(&mut self, price: f64, low: f64, high: f64, seed: f64, tolerance: f64) -> Option<(f64, f64)> {
        let (mut low, mut high) = (low, high);
        let mut sigma = if seed > low && seed < high { seed } else { 0.5 * (low + high) };
        for _ in 0..ITERATIONS_MAX {
            let (value, vega) = self.at(sigma)?;
            let gap = value - price;
            if gap > 0.0 {
                high = sigma;
            } else {
                low = sigma;
            }
            let newton = sigma - gap / vega;
            let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
            if gap.abs() <= tolerance || (next - sigma).abs() <= 1e-10 * sigma || high - low <= 1e-12 * high {
                return Some((sigma, vega));
            }
            sigma = next;
        }
        None
    }

    /// The largest volatility whose price is not above `price`.
    fn critical(&mut self, price: f64) -> Option<f64> {
        let mut octave = -3;
        let mut direction = 0;
        loop {
            let (low, high) = Self::ends(octave);
            if direction <= 0 && self.at(low)?.0 > price {
                if octave == OCTAVE_MIN {
                    return Some(0.0);
                }
                (octave, direction) = (octave - 1, -1);
                continue;
            }
            if direction >= 0 && self.at(high)?.0 <= price {
                if octave == OCTAVE_MAX {
                    return Some(high);
                }
                (octave, direction) = (octave + 1, 1);
                continue;
            }
            return self.bisect(price, low, high);
        }
    }

    fn bisect(&mut self, price: f64, low: f64, high: f64) -> Option<f64> {
        let (mut low, mut high) = (low, high);
        for _ in 0..20 {
            let middle = 0.5 * (low + high);
            if self.at(middle)?.0 > price {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(low)
    }
}

/// See [`super::CashDividendModel::model_from_black`].
pub(crate) fn model_from_black(market: &Market, strike: f64, target: f64) -> Option<f64> {
    if !(target > 0.0 && target.is_finite()) {
        return None;
    }
    // The two differ by a slowly varying factor: Newton from that factor at the target itself.
    let mut sigma = target;
    for _ in 0..ITERATIONS_MAX {
        let (black, slope) = market.black(strike, sigma)?;
        let newton = sigma - (black - target) / slope;
        let next = if newton > 0.5 * sigma && newton < 2.0 * sigma { newton } else { sigma * target / black };
        if !(next.is_finite() && next > 0.0) {
            return None;
        }
        if (next - sigma).abs() <= 1e-13 * sigma {
            return Some(next);
        }
        sigma = next;
    }
    // At the border of two octaves the last digits may alternate.
    let (black, _) = market.black(strike, sigma)?;
    ((black - target).abs() <= 1e-6 * target).then_some(sigma)
}
