//! Batches give the bits of one quote at a time, whatever their length and whatever stands in them.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use closemark_pricing::models::{Implied, ModelInput, PricedOption, SliceModel, black};
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Numbers as they come, and as they should not.
fn any_number(usual: std::ops::Range<f64>) -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => usual,
        1 => prop_oneof![Just(0.0), Just(-1.0), Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
        1 => prop_oneof![Just(5e-324), Just(1e-300), Just(1e300), Just(1e-12)],
    ]
}

fn option_type() -> impl Strategy<Value = OptionType> {
    prop_oneof![Just(OptionType::Call), Just(OptionType::Put)]
}

fn quotes() -> impl Strategy<Value = Vec<PricedOption>> {
    let quote = (any_number(40.0..250.0), any_number(0.001..60.0), any_number(0.0..0.5))
        .prop_map(|(strike, price, half_spread)| PricedOption { strike, price, half_spread });
    prop::collection::vec(quote, 0..30)
}

fn slice(style: ExerciseStyle, t: f64, rate: f64, borrow: f64) -> SliceModel {
    SliceModel::new(ModelInput {
        exercise_style: style,
        spot: 100.0,
        time_to_expiry: t,
        discount_factor: libm::exp(-rate * t),
        borrow,
        forward: 100.0 * libm::exp((rate - borrow) * t),
        dividends: Vec::new(),
    })
}

/// Every bit, NaN included.
fn bits(implied: &Implied) -> (Option<u64>, u64, Option<u64>, String) {
    let rest = format!("{:?} {:?} {}", implied.status, implied.method, implied.iterations);
    (implied.volatility.map(f64::to_bits), implied.vega.to_bits(), implied.critical_volatility.map(f64::to_bits), rest)
}

fn price_bits(model: &SliceModel, option_type: OptionType, rows: &[(f64, f64)]) -> (Vec<u64>, Vec<u64>) {
    let nothing = f64::from_bits(0x7ff8_0000_0000_1234);
    let (strikes, sigmas): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
    let mut out = vec![nothing; rows.len()];
    let written = model.prices(option_type, &strikes, &sigmas, &mut out);
    assert_eq!(written, out.iter().filter(|p| p.to_bits() != nothing.to_bits()).count());
    let single = rows.iter().map(|(k, v)| model.price(option_type, *k, *v).unwrap_or(nothing).to_bits()).collect();
    (out.into_iter().map(f64::to_bits).collect(), single)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, rng_seed: RngSeed::Fixed(8), ..ProptestConfig::default() })]

    #[test]
    fn total_deviations(
        forward in any_number(50.0..200.0),
        rows in prop::collection::vec((any_number(1.0..1000.0), any_number(1e-6..40.0)), 0..30),
    ) {
        let (strikes, prices): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
        let mut out = vec![None; strikes.len()];
        prop_assert_eq!(black::implied_stdevs_otm(forward, &strikes, &prices, &mut out), strikes.len());
        for ((k, p), batch) in strikes.iter().zip(&prices).zip(out) {
            let single = black::implied_stdev_otm(forward, *k, *p);
            prop_assert_eq!(single.map(f64::to_bits), batch.map(f64::to_bits), "{} {} {}", forward, k, p);
            prop_assert!(single.is_none_or(|s| s > 0.0 && s.is_finite()));
        }
    }

    #[test]
    fn european_volatilities_and_prices(
        quotes in quotes(),
        t in any_number(0.001..5.0),
        rate in -0.02..0.15_f64,
        rows in prop::collection::vec((any_number(20.0..400.0), any_number(0.01..5.0)), 0..30),
        option_type in option_type(),
    ) {
        let model = slice(ExerciseStyle::European, t, rate, 0.01);
        let out = model.implied_volatilities(option_type, &quotes);
        prop_assert_eq!(out.len(), quotes.len());
        for (q, batch) in quotes.iter().zip(&out) {
            let single = model.implied_volatility(option_type, q.strike, q.price, q.half_spread);
            prop_assert_eq!(bits(&single), bits(batch), "{:?}", q);
        }
        let (batch, single) = price_bits(&model, option_type, &rows);
        prop_assert_eq!(batch, single);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, rng_seed: RngSeed::Fixed(9), ..ProptestConfig::default() })]

    #[test]
    fn american_volatilities_and_prices(
        quotes in quotes(),
        t in 0.003..2.0_f64,
        rate in -0.02..0.15_f64,
        borrow in prop_oneof![Just(0.0), -0.02..0.3_f64],
        rows in prop::collection::vec((any_number(20.0..400.0), any_number(0.05..2.0)), 0..12),
        option_type in option_type(),
    ) {
        let model = slice(ExerciseStyle::American, t, rate, borrow);
        let out = model.implied_volatilities(option_type, &quotes);
        prop_assert_eq!(out.len(), quotes.len());
        for (q, batch) in quotes.iter().zip(&out) {
            let single = model.implied_volatility(option_type, q.strike, q.price, q.half_spread);
            prop_assert_eq!(bits(&single), bits(batch), "{:?}", q);
        }
        let (batch, single) = price_bits(&model, option_type, &rows);
        prop_assert_eq!(batch, single);
    }
}
