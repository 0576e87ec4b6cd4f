//! Black's formula and its inverse against an independent implementation of both (Jaeckel 2017, crate `implied-vol`).

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use closemark_pricing::models::black;
use closemark_pricing::vocabulary::{OptionType, VolatilityStatus};
use implied_vol::{DefaultSpecialFn, ImpliedBlackVolatility, PriceBlackScholes};

fn reference_price(forward: f64, strike: f64, t: f64, sigma: f64, is_call: bool) -> f64 {
    PriceBlackScholes::builder()
        .forward(forward)
        .strike(strike)
        .volatility(sigma)
        .expiry(t)
        .is_call(is_call)
        .build()
        .unwrap()
        .calculate::<DefaultSpecialFn>()
}

#[test]
fn prices_agree_with_jaeckel_2017() {
    let mut worst = 0.0_f64;
    for &sigma in &[0.01, 0.05, 0.2, 0.6, 1.5, 5.0] {
        for &t in &[2e-6, 0.003, 0.1, 1.0, 15.0] {
            for i in -40..=40 {
                let strike = 100.0 * libm::exp(0.1 * f64::from(i) * sigma * libm::sqrt(t));
                for (option_type, is_call) in [(OptionType::Call, true), (OptionType::Put, false)] {
                    let got = black::price(option_type, 100.0, strike, t, sigma, 1.0);
                    let want = reference_price(100.0, strike, t, sigma, is_call);
                    worst = worst.max((got - want).abs() / 100.0);
                }
            }
        }
    }
    assert!(worst < 2e-15, "{worst:e}");
}

#[test]
fn volatilities_agree_with_jaeckel_2017_where_the_price_says_anything() {
    let mut worst = 0.0_f64;
    let mut count = 0;
    for &sigma in &[0.01, 0.03, 0.1, 0.25, 0.6, 1.5, 5.0] {
        for &t in &[2e-6, 1e-4, 0.003, 0.1, 1.0, 15.0] {
            for i in -60..=60 {
                let strike = 100.0 * libm::exp(0.1 * f64::from(i) * sigma * libm::sqrt(t));
                let is_call = strike >= 100.0;
                let price = reference_price(100.0, strike, t, sigma, is_call);
                if price < 1e-8 * 100.0 || price > 0.999_99 * strike.min(100.0) {
                    continue;
                }
                let option_type = if is_call { OptionType::Call } else { OptionType::Put };
                let got = black::implied_volatility(option_type, 100.0, strike, t, price, 1.0, 0.0);
                assert_eq!(got.status, VolatilityStatus::Ok);
                let want = ImpliedBlackVolatility::builder()
                    .option_price(price)
                    .forward(100.0)
                    .strike(strike)
                    .expiry(t)
                    .is_call(is_call)
                    .build()
                    .unwrap()
                    .calculate::<DefaultSpecialFn>()
                    .unwrap();
                worst = worst.max((got.volatility.unwrap() - want).abs().min((got.volatility.unwrap() - sigma).abs()));
                count += 1;
                let vega = black::vega(100.0, strike, t, sigma, 1.0);
                assert!((got.vega / vega - 1.0).abs() < 1e-6);
            }
        }
    }
    assert!(worst < 1e-10 && count > 3_000, "{worst:e} {count}");
}

#[test]
fn vega_is_the_derivative_of_the_price() {
    for strike in [60.0, 95.0, 100.0, 130.0] {
        let h = 1e-5;
        let price = |sigma: f64| black::price(OptionType::Call, 100.0, strike, 0.7, sigma, 0.97);
        let difference = (price(0.3 + h) - price(0.3 - h)) / (2.0 * h);
        assert!((black::vega(100.0, strike, 0.7, 0.3, 0.97) - difference).abs() < 1e-7);
    }
}
