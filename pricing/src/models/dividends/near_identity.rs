//! A scale on which prices under cash dividends are nearly proportional to volatility.

use super::market::Market;
use super::schedule::Instant;
use crate::math::exp;
use crate::models::black;
use crate::vocabulary::OptionType;

/// Where price and volatility are nearly proportional: the deviation of a European option that ends when exercise is most
/// likely.
///
/// # Formula
/// An American option is worth at least every European one with the same strike that ends before it; of those that end with an
/// ex-date (for a call just before the drop, for a put just after it) or at expiry, the one that needs the least volatility
/// for the price.
///
/// # Source
/// Black 1975 (fact and fantasy in the use of options), for one call's price; here also for puts, and for volatilities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NearIdentity {
    base: f64,
    strike: f64,
    floor: f64,
    discount: f64,
    /// Root of the option's time over that of the European option's variance.
    scale: f64,
}

/// Share of its bound up to which a price is measured by a European option: an American one may be worth more than any, and
/// near the bound hardly moves.
const BOUND_SHARE: f64 = 0.9;

impl NearIdentity {
    pub(crate) fn new(market: &Market, option_type: OptionType, strike: f64, price: f64) -> Self {
        let schedule = &market.schedule;
        let mut best: Option<(f64, Self)> = None;
        for Instant { forward, discount, variance } in market.instants(option_type).iter().rev() {
            let floor = discount * black::intrinsic(option_type, *forward, strike);
            if !(price > floor && price - floor < BOUND_SHARE * discount * forward.min(strike)) {
                continue;
            }
            let scale = (schedule.expiry / variance).sqrt();
            let map = Self { base: *forward, strike, floor, discount: *discount, scale };
            // What is worth no more than the price with the least volatility so far needs more.
            if best.as_ref().is_none_or(|(least, _)| map.price(*least) > price) {
                best = Some((map.deviation(price), map));
            }
        }
        best.map_or_else(|| Self::from_now(market, option_type, strike), |(_, map)| map)
    }

    /// As if nothing but time separated price from exercise. What no price exceeds stays the bound of the scale where holding a
    /// share, or cash, gains more than time.
    pub(crate) fn from_now(market: &Market, option_type: OptionType, strike: f64) -> Self {
        let schedule = &market.schedule;
        let floor = market.exercise(option_type, strike);
        let (base, strike) = match option_type {
            OptionType::Call => {
                let more = schedule.spot * (exp(-schedule.borrow * schedule.expiry).max(1.0) - 1.0);
                (schedule.spot + more, strike + more)
            }
            OptionType::Put => {
                let more = strike * (schedule.discount_factor.max(1.0) - 1.0);
                (schedule.spot + more, strike + more)
            }
        };
        Self { base, strike, floor, discount: 1.0, scale: 1.0 }
    }

    /// The deviation that belongs to a price, were its variance that of the option's whole time: none at the exercise value,
    /// infinite beyond every bound.
    pub(crate) fn deviation(&self, price: f64) -> f64 {
        let value = (price - self.floor) / self.discount;
        if value <= 0.0 {
            return 0.0;
        }
        let own = black::implied_stdev_otm(self.base, self.strike, value).filter(|u| u.is_finite());
        own.map_or(f64::INFINITY, |own| own * self.scale)
    }

    /// The price that belongs to a deviation.
    fn price(&self, deviation: f64) -> f64 {
        self.floor + self.discount * black::out_of_the_money_price(self.base, self.strike, deviation / self.scale)
    }

    /// dPrice / dDeviation.
    pub(crate) fn slope(&self, deviation: f64) -> f64 {
        black::vega(self.base, self.strike, 1.0, deviation / self.scale, self.discount) / self.scale
    }
}
