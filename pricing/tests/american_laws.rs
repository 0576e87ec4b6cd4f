//! Laws that every American price obeys, whatever its parameters; and corners, which end in a status or a number.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use closemark_pricing::models::{ModelInput, SliceModel};
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType, VolatilityStatus};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use common::american_slice as slice;

mod common;

fn exercise(option_type: OptionType, spot: f64, strike: f64) -> f64 {
    match option_type {
        OptionType::Call => (spot - strike).max(0.0),
        OptionType::Put => (strike - spot).max(0.0),
    }
}

fn either_type() -> impl Strategy<Value = OptionType> {
    prop_oneof![Just(OptionType::Call), Just(OptionType::Put)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: RngSeed::Fixed(1973), ..ProptestConfig::default() })]

    #[test]
    fn bounds_monotony_convexity_homogeneity(
        option_type in either_type(),
        moneyness in -0.6..0.6_f64,
        t in 0.003..3.0_f64,
        sigma in 0.05..1.5_f64,
        rate in 0.0..0.08_f64,
        borrow in 0.0..0.10_f64,
    ) {
        let strike = 100.0 * libm::exp(moneyness);
        let model = slice(100.0, t, rate, borrow);
        let price = model.price(option_type, strike, sigma).unwrap();
        let european = model.european_price(option_type, strike, sigma).unwrap();
        // The standard rules' own error, per 100 of strike.
        let slack = 3e-4;
        prop_assert!(price >= european - 1e-10);
        prop_assert!(price >= exercise(option_type, 100.0, strike) - 1e-10);
        let bound = match option_type { OptionType::Call => 100.0, OptionType::Put => strike };
        prop_assert!(price <= bound);
        prop_assert!(model.price(option_type, strike, 1.02 * sigma).unwrap() >= price - 1e-6);
        prop_assert!(slice(100.0, 1.02 * t, rate, borrow).price(option_type, strike, sigma).unwrap() >= price - slack);
        let (below, above) = (
            model.price(option_type, 0.97 * strike, sigma).unwrap(),
            model.price(option_type, 1.03 * strike, sigma).unwrap(),
        );
        prop_assert!(below + above >= 2.0 * price - 1e-7);
        let scaled = slice(700.0, t, rate, borrow).price(option_type, 7.0 * strike, sigma).unwrap();
        prop_assert!((scaled - 7.0 * price).abs() < 1e-9 * strike);
        // McDonald and Schroder 1998: C(S, K, r, q) = P(K, S, q, r).
        let other = match option_type { OptionType::Call => OptionType::Put, OptionType::Put => OptionType::Call };
        let mirrored = slice(strike, t, borrow, rate).price(other, 100.0, sigma).unwrap();
        prop_assert!((mirrored - price).abs() < 1e-8);
    }

    #[test]
    fn the_price_of_the_solved_volatility_is_the_price(
        option_type in either_type(),
        moneyness in -0.5..0.5_f64,
        t in 0.003..3.0_f64,
        sigma in 0.05..2.0_f64,
        rate in -0.01..0.08_f64,
        borrow in -0.01..0.5_f64,
    ) {
        // Negative rates on both sides go to finite differences: slow, and tested where they are made.
        prop_assume!(rate.max(borrow) > 0.0);
        let strike = 100.0 * libm::exp(moneyness);
        let model = slice(100.0, t, rate, borrow);
        let price = model.price(option_type, strike, sigma).unwrap();
        let implied = model.implied_volatility(option_type, strike, price, 0.0);
        if let Some(volatility) = implied.volatility {
            let back = model.price(option_type, strike, volatility).unwrap();
            prop_assert!((back - price).abs() < 1e-7, "{back} {price} {implied:?}");
        } else {
            prop_assert!(matches!(implied.status, VolatilityStatus::AtIntrinsic | VolatilityStatus::BelowIntrinsic));
            let least = model.price(option_type, strike, 0.0).unwrap();
            prop_assert!(price - least < 1e-6 * strike);
        }
    }
}

#[test]
fn corners_end_in_a_status_or_a_number() {
    let mut answered = 0;
    for style in [ExerciseStyle::American, ExerciseStyle::European] {
        for &t in &[-1.0, 0.0, 1.9e-6, 15.0, f64::NAN] {
            for &(rate, borrow) in
                &[(-0.02, 0.0), (0.15, 1.0), (0.05, -0.02), (0.0, 0.0), (0.15, 0.0), (1e-14, 1.0), (0.05, f64::NAN)]
            {
                let model = SliceModel::new(ModelInput {
                    exercise_style: style,
                    spot: 100.0,
                    time_to_expiry: t,
                    discount_factor: libm::exp(-rate * t),
                    borrow,
                    forward: 100.0 * libm::exp((rate - borrow) * t),
                    dividends: Vec::new(),
                });
                for option_type in [OptionType::Call, OptionType::Put] {
                    for &strike in &[0.0, 1.0, 100.0, 10_000.0, f64::INFINITY] {
                        for &sigma in &[0.0, 1e-5, 0.01, 0.3, 5.0, 100.0, f64::NAN] {
                            // Both rates negative: finite differences, seconds for the whole list; once is enough.
                            if rate < 0.0 && sigma != 0.3 {
                                continue;
                            }
                            if let Some(price) = model.price(option_type, strike, sigma) {
                                assert!(
                                    price.is_finite() && price >= 0.0,
                                    "{price} {t} {rate} {borrow} {strike} {sigma}"
                                );
                                answered += 1;
                                let implied = model.implied_volatility(option_type, strike, price, 0.01);
                                assert_eq!(
                                    implied.volatility.is_some(),
                                    matches!(implied.status, VolatilityStatus::Ok | VolatilityStatus::LowVega)
                                );
                            }
                            let _ = model.greeks(option_type, strike, sigma);
                        }
                        for price in [-1.0, 0.0, 50.0, f64::NAN] {
                            let implied = model.implied_volatility(option_type, strike, price, 0.01);
                            assert!(implied.volatility.is_none_or(|v| v.is_finite() && v > 0.0));
                        }
                    }
                }
            }
        }
    }
    assert!(answered > 400);
}
