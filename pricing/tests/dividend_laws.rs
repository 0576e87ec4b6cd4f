//! Laws that prices under cash dividends obey, and the two that tie them to prices without.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use closemark_pricing::models::{ModelDividend, ModelInput, SliceModel};
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType, VolatilityStatus};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

mod common;

/// A slice that pays `amount` every `every` years from `first` on.
#[derive(Clone, Copy, Debug)]
struct Slice {
    spot: f64,
    time: f64,
    rate: f64,
    borrow: f64,
    first: f64,
    every: f64,
    amount: f64,
}

impl Slice {
    fn model(&self) -> SliceModel {
        let mut dividends = Vec::new();
        let mut at = self.first;
        while at < self.time {
            dividends.push(ModelDividend { time: at, amount: self.amount });
            at += self.every;
        }
        let carry = self.rate - self.borrow;
        let paid: f64 = dividends.iter().map(|d| d.amount * libm::exp(carry * (self.time - d.time))).sum();
        SliceModel::new(ModelInput {
            exercise_style: ExerciseStyle::American,
            spot: self.spot,
            time_to_expiry: self.time,
            discount_factor: libm::exp(-self.rate * self.time),
            borrow: self.borrow,
            forward: self.spot * libm::exp(carry * self.time) - paid,
            dividends,
        })
    }
}

fn slices() -> impl Strategy<Value = Slice> {
    (0.02..2.0_f64, 0.0..0.08_f64, 0.0..0.10_f64, any::<bool>(), 0.01..0.5_f64, 0.1..3.0_f64).prop_map(
        |(time, rate, borrow, easy, first, amount)| Slice {
            spot: 100.0,
            time,
            rate,
            borrow: if easy { 0.0 } else { borrow },
            first: first * time,
            every: 0.25,
            amount,
        },
    )
}

fn either_type() -> impl Strategy<Value = OptionType> {
    prop_oneof![Just(OptionType::Call), Just(OptionType::Put)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, rng_seed: RngSeed::Fixed(1987), ..ProptestConfig::default() })]

    #[test]
    fn bounds_monotony_convexity_homogeneity(
        slice in slices(),
        option_type in either_type(),
        moneyness in -0.4..0.4_f64,
        sigma in 0.10..1.2_f64,
    ) {
        let strike = 100.0 * libm::exp(moneyness);
        let model = slice.model();
        let price = |strike: f64, sigma: f64| model.price(option_type, strike, sigma).unwrap();
        let value = price(strike, sigma);
        let exercise = match option_type {
            OptionType::Call => (100.0 - strike).max(0.0),
            OptionType::Put => (strike - 100.0).max(0.0),
        };
        let bound = if option_type == OptionType::Call { 100.0 } else { strike };
        let european = model.european_price(option_type, strike, sigma).unwrap();
        prop_assert!(value >= exercise - 1e-9 && value <= bound + 1e-9);
        // Of the grid's own accuracy: a call's is not extrapolated, and 1e-3 off where volatility is above 100 %.
        prop_assert!(value >= european - 2e-4 - 1e-3 * sigma * sigma, "{value} {european}");
        prop_assert!(price(strike, 1.03 * sigma) >= value - 1e-4);
        prop_assert!(price(0.96 * strike, sigma) + price(1.04 * strike, sigma) >= 2.0 * value - 5e-4);
        let higher = price(1.04 * strike, sigma) - value;
        let (least, most) = if option_type == OptionType::Call { (-0.04 * strike, 0.0) } else { (0.0, 0.04 * strike) };
        prop_assert!(higher >= least - 2e-4 && higher <= most + 2e-4);
        let scaled = Slice { spot: 700.0, amount: 7.0 * slice.amount, ..slice }.model();
        let larger = scaled.price(option_type, 7.0 * strike, sigma).unwrap();
        prop_assert!((larger - 7.0 * value).abs() < 1e-8 * strike, "{larger} {value}");
    }

    #[test]
    fn the_price_of_the_solved_volatility_is_the_price(
        slice in slices(),
        option_type in either_type(),
        moneyness in -0.4..0.4_f64,
        sigma in 0.10..1.2_f64,
    ) {
        let strike = 100.0 * libm::exp(moneyness);
        let model = slice.model();
        let price = model.price(option_type, strike, sigma).unwrap();
        let implied = model.implied_volatility(option_type, strike, price, 0.0);
        match implied.volatility {
            Some(volatility) => {
                // A search ends where it leaves 2e-5 of the volatility or less.
                let back = model.price(option_type, strike, volatility).unwrap();
                let left = 3e-5 * volatility * implied.vega + 1e-6 * strike;
                prop_assert!((back - price).abs() < left, "{back} {price} {implied:?}");
            }
            None => {
                prop_assert!(matches!(implied.status, VolatilityStatus::AtIntrinsic | VolatilityStatus::BelowIntrinsic));
                let least = model.price(option_type, strike, 0.0005).unwrap();
                prop_assert!(price - least < 1e-5 * strike, "{price} {least} {implied:?}");
            }
        }
    }

    #[test]
    fn a_dividend_of_nothing_changes_nothing(
        slice in slices(),
        option_type in either_type(),
        moneyness in -0.4..0.4_f64,
        sigma in 0.10..1.2_f64,
    ) {
        let strike = 100.0 * libm::exp(moneyness);
        let with = Slice { amount: 1e-7, ..slice }.model().price(option_type, strike, sigma).unwrap();
        let without = Slice { amount: 0.0, first: 1e9, ..slice }.model().price(option_type, strike, sigma).unwrap();
        // One solver's grid against the other's boundary: up to 2e-4 of volatility where it is above 100 %.
        let vega = closemark_pricing::models::black::vega(100.0, strike, slice.time, sigma, 1.0);
        prop_assert!((with - without).abs() < 2.5e-4 * vega + 5e-4, "{with} {without} {vega}");
    }

    #[test]
    fn a_call_without_dividend_and_borrow_is_european(
        time in 0.003..3.0_f64,
        rate in 0.0..0.08_f64,
        moneyness in -0.6..0.6_f64,
        sigma in 0.05..1.5_f64,
    ) {
        let model = common::american_slice(100.0, time, rate, 0.0);
        let strike = 100.0 * libm::exp(moneyness);
        let american = model.price(OptionType::Call, strike, sigma).unwrap();
        let european = model.european_price(OptionType::Call, strike, sigma).unwrap();
        prop_assert!((american - european).abs() < 1e-10);
    }
}
