//! The options that both sides are given.

use closemark_pricing::models::{ModelDividend, ModelInput, SliceModel};
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType};
use serde_json::{Value, json};

use super::draw::Draw;

/// The underlying's price in every part.
pub const SPOT: f64 = 100.0;
/// A quote is defined where its time value is above this share of the strike,
pub const TIME_VALUE_MIN: f64 = 1e-4;
/// and its vega, per 1.00 of volatility, above this one.
pub const VEGA_MIN: f64 = 1e-2;

/// One expiry of an underlying.
#[derive(Clone, Debug, PartialEq)]
pub struct Market {
    /// Calendar days to expiry; whole, because QuantLib counts in dates.
    pub days: u32,
    /// Zero rate, continuous, ACT/365.
    pub rate: f64,
    /// Yield, or borrow.
    pub dividend_yield: f64,
    /// Cash dividends: day and amount.
    pub dividends: Vec<(u32, f64)>,
}

/// One option of a market.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// Call or put.
    pub option_type: OptionType,
    /// Strike.
    pub strike: f64,
    /// The volatility that makes the price.
    pub sigma: f64,
}

impl Market {
    /// Years to expiry.
    pub fn time(&self) -> f64 {
        f64::from(self.days) / 365.0
    }

    /// The input of our models.
    pub fn input(&self) -> ModelInput {
        let time = self.time();
        let carry = self.rate - self.dividend_yield;
        let dividends: Vec<ModelDividend> = self
            .dividends
            .iter()
            .map(|&(day, amount)| ModelDividend { time: f64::from(day) / 365.0, amount })
            .collect();
        let paid: f64 = dividends.iter().map(|d| d.amount * libm::exp(carry * (time - d.time))).sum();
        ModelInput {
            exercise_style: ExerciseStyle::American,
            spot: SPOT,
            time_to_expiry: time,
            discount_factor: libm::exp(-self.rate * time),
            borrow: self.dividend_yield,
            forward: SPOT * libm::exp(carry * time) - paid,
            dividends,
        }
    }

    /// Our model of this expiry.
    pub fn model(&self) -> SliceModel {
        SliceModel::new(self.input())
    }

    /// The option in the words of the peers' script.
    pub fn json(&self, claim: &Claim) -> Value {
        let sign = if claim.option_type == OptionType::Call { 1.0 } else { -1.0 };
        json!([sign, claim.strike, self.days, claim.sigma, self.rate, self.dividend_yield])
    }

    /// The dividends in the words of the peers' script.
    pub fn dividends_json(&self) -> Value {
        json!(self.dividends)
    }
}

impl Claim {
    /// What exercise at once brings.
    pub fn exercise(&self) -> f64 {
        match self.option_type {
            OptionType::Call => (SPOT - self.strike).max(0.0),
            OptionType::Put => (self.strike - SPOT).max(0.0),
        }
    }

    /// Whether an oracle's price and vega define this quote's volatility.
    pub fn is_defined(&self, price: f64, vega: f64) -> bool {
        price - self.exercise() > TIME_VALUE_MIN * self.strike && vega > VEGA_MIN * self.strike
    }
}

/// The ranges of the issue: K 60 to 150, 1 day to 3 years, volatility 5 % to 150 %, r -1 % to 6 %, q 0 to 8 %.
pub fn ordinary(draw: &mut Draw, count: usize) -> Vec<(Market, Claim)> {
    (0..count)
        .map(|_| {
            let market = market(draw, (-0.01, 0.06), (0.0, 0.08));
            let claim =
                Claim { option_type: either(draw), strike: draw.between(60.0, 150.0), sigma: draw.between(0.05, 1.5) };
            (market, claim)
        })
        .collect()
}

/// Volatility 3 % to 300 % (uniform in the logarithm), r 0 to 10 %, q -2 % to 12 %, strikes and times as before.
pub fn stressed(draw: &mut Draw, count: usize) -> Vec<(Market, Claim)> {
    (0..count)
        .map(|_| {
            let market = market(draw, (0.0, 0.10), (-0.02, 0.12));
            let (option_type, strike) = (either(draw), draw.between(60.0, 150.0));
            (market, Claim { option_type, strike, sigma: draw.log_between(0.03, 3.0) })
        })
        .collect()
}

/// A market without cash dividends.
pub fn market(draw: &mut Draw, rate: (f64, f64), dividend_yield: (f64, f64)) -> Market {
    Market {
        days: draw.whole(1, 1095),
        rate: draw.between(rate.0, rate.1),
        dividend_yield: draw.between(dividend_yield.0, dividend_yield.1),
        dividends: Vec::new(),
    }
}

/// Call or put.
pub fn either(draw: &mut Draw) -> OptionType {
    if draw.coin() { OptionType::Call } else { OptionType::Put }
}

/// Strikes of one expiry: the 10 %, 25 %, 50 %, 75 % and 90 % quantiles over the 3,165 expiries of 318 US names on
/// 2026-08-21.
const STRIKES_PER_EXPIRY: [u32; 5] = [12, 21, 34, 56, 98];

/// Both types at every strike of one expiry, strikes evenly spaced in log-moneyness over 2.5 deviations either way
/// (at most a factor of 2.5 from the price), volatilities on a random smile around `level`.
pub fn chain(draw: &mut Draw, market: &Market, level: f64) -> Vec<Claim> {
    let count = STRIKES_PER_EXPIRY.get(draw.whole(0, 4) as usize).copied().unwrap_or(34);
    let forward = market.input().forward;
    let width = (2.5 * level * market.time().sqrt()).min(libm::log(2.5));
    let (skew, curvature) = (draw.between(-0.15, 0.05), draw.between(0.0, 0.06));
    let mut claims = Vec::new();
    for i in 0..count {
        let place = 2.0 * (f64::from(i) + 0.5) / f64::from(count) - 1.0;
        let strike = forward * libm::exp(place * width);
        let deviations = 2.5 * place;
        let sigma = level * (1.0 + skew * deviations + curvature * deviations * deviations).max(0.4);
        for option_type in [OptionType::Call, OptionType::Put] {
            claims.push(Claim { option_type, strike, sigma });
        }
    }
    claims
}
