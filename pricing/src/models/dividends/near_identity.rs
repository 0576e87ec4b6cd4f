//! A scale on which prices under cash dividends are nearly proportional to volatility.

use super::market::Market;
use crate::math::exp;
use crate::models::black;
use crate::vocabulary::OptionType;

/// Where price and volatility are nearly proportional: Black's deviation of the time value, on the forward out of the
/// money and as if nothing but time separated price from exercise in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NearIdentity {
    base: f64,
    strike: f64,
    floor: f64,
    discount: f64,
}

/// Share of its bound up to which a price is measured on the forward: an American option may be worth more than any
/// European one, and near the bound hardly moves.
const BOUND_SHARE: f64 = 0.9;

impl NearIdentity {
    pub(crate) fn new(market: &Market, option_type: OptionType, strike: f64, price: f64) -> Self {
        let schedule = &market.schedule;
        let forward = if market.has_black() { market.forward() } else { schedule.spot };
        let out_of_the_money = match option_type {
            OptionType::Call => strike > forward,
            OptionType::Put => strike < forward,
        };
        let discount = schedule.discount_factor;
        if out_of_the_money && price < BOUND_SHARE * discount * forward.min(strike) {
            return Self { base: forward, strike, floor: 0.0, discount };
        }
        let floor = market.exercise(option_type, strike);
        // What no price exceeds stays the bound of the scale where holding a share, or cash, gains more than time.
        let (base, strike) = match option_type {
            OptionType::Call => {
                let more = schedule.spot * (exp(-schedule.borrow * schedule.expiry).max(1.0) - 1.0);
                (schedule.spot + more, strike + more)
            }
            OptionType::Put => {
                let more = strike * (discount.max(1.0) - 1.0);
                (schedule.spot + more, strike + more)
            }
        };
        Self { base, strike, floor, discount: 1.0 }
    }

    /// The deviation that belongs to a price: none at the exercise value, infinite beyond every bound.
    pub(crate) fn deviation(&self, price: f64) -> f64 {
        let value = (price - self.floor) / self.discount;
        if value <= 0.0 {
            return 0.0;
        }
        black::implied_stdev_otm(self.base, self.strike, value).filter(|u| u.is_finite()).unwrap_or(f64::INFINITY)
    }

    /// dPrice / dDeviation.
    pub(crate) fn slope(&self, deviation: f64) -> f64 {
        black::vega(self.base, self.strike, 1.0, deviation, self.discount)
    }
}
