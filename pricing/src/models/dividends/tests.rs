use super::CashDividendModel;
use crate::models::{ModelDividend, ModelInput, PricedOption, fallback};
use crate::vocabulary::{ExerciseStyle, OptionType, VolatilityStatus};

pub(super) fn input(t: f64, r: f64, b: f64, dividends: &[(f64, f64)]) -> ModelInput {
    ModelInput {
        exercise_style: ExerciseStyle::American,
        spot: 100.0,
        time_to_expiry: t,
        discount_factor: libm::exp(-r * t),
        borrow: b,
        forward: 0.0,
        dividends: dividends.iter().map(|&(time, amount)| ModelDividend { time, amount }).collect(),
    }
}

const TYPES: [OptionType; 2] = [OptionType::Call, OptionType::Put];

fn quarterly(t: f64) -> Vec<(f64, f64)> {
    (0..8).map(|i| ((20.0 + 91.25 * f64::from(i)) / 365.0, 0.5)).filter(|d| d.0 <= t).collect()
}

#[test]
fn the_volatility_of_a_price_gives_the_price() {
    let model = CashDividendModel::new(&input(0.7, 0.04, 0.01, &quarterly(0.7)));
    for option_type in TYPES {
        for strike in [70.0, 90.0, 100.0, 110.0, 130.0] {
            for sigma in [0.12, 0.3, 0.77] {
                let price = model.price(option_type, strike, sigma).unwrap();
                let implied = model.implied_volatility(option_type, strike, price, 0.01);
                if implied.status == VolatilityStatus::Ok {
                    let again = model.price(option_type, strike, implied.volatility.unwrap()).unwrap();
                    assert!(
                        (again - price).abs() < 5e-5 * implied.vega + 1e-6,
                        "{option_type} {strike} {sigma} {implied:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn greeks_are_the_differences_of_fine_prices() {
    let base = input(0.7, 0.04, 0.01, &quarterly(0.7));
    let model = CashDividendModel::new(&base);
    for option_type in TYPES {
        for strike in [85.0, 100.0, 112.0] {
            let greeks = model.greeks(option_type, strike, 0.3).unwrap();
            let fine = |input: &ModelInput, sigma: f64| {
                fallback::price_on_grid(input, option_type, strike, sigma, 1000, 600).unwrap()
            };
            let at = fine(&base, 0.3);
            let vega = (fine(&base, 0.303).american - fine(&base, 0.297).american) / 0.006;
            let curve = |shift: f64| ModelInput {
                discount_factor: base.discount_factor * libm::exp(-shift * base.time_to_expiry),
                ..base.clone()
            };
            let rho = (fine(&curve(0.002), 0.3).american - fine(&curve(-0.002), 0.3).american) / 0.004;
            let text = format!("{option_type} {strike} {greeks:?} {at:?} vega {vega} rho {rho}");
            assert!((greeks.delta - at.delta).abs() < 3e-4, "{text}");
            assert!((greeks.gamma - at.gamma).abs() < 1e-4, "{text}");
            assert!((greeks.theta - at.theta).abs() < 2e-4, "{text}");
            assert!((greeks.vega - vega).abs() < 6e-2, "{text}");
            assert!((greeks.rho - rho).abs() < 0.006 * rho.abs() + 0.05, "{text}");
        }
    }
}

#[test]
fn prices_rise_smoothly_with_volatility_across_the_exercise_boundary() {
    let model = CashDividendModel::new(&input(0.7, 0.04, 0.01, &quarterly(0.7)));
    for (option_type, strike) in
        [(OptionType::Put, 105.0), (OptionType::Put, 112.0), (OptionType::Put, 130.0), (OptionType::Call, 80.0)]
    {
        let sigmas: Vec<f64> = (0..260).map(|i| 0.03 * libm::pow(1.01, f64::from(i))).collect();
        let prices = model.prices(option_type, &vec![strike; sigmas.len()], &sigmas);
        for (pair, sigma) in prices.windows(2).zip(sigmas.windows(2)) {
            let rise = pair[1].unwrap() - pair[0].unwrap();
            // No vega exceeds that of the European option at the money, phi(0) S sqrt(T).
            let most = 0.4 * 100.0 * 0.7_f64.sqrt() * (sigma[1] - sigma[0]);
            let text = format!("{option_type} {strike} {sigma:?} {pair:?}");
            assert!(rise > -2e-5 * strike && rise < most + 2e-5 * strike, "{text}");
        }
    }
}

#[test]
fn premiums_are_those_of_fine_finite_differences() {
    let cases = [
        (input(0.08, 0.045, 0.005, &[(0.03, 0.6)]), 0.35),
        (input(0.7, 0.04, 0.01, &quarterly(0.7)), 0.3),
        (input(2.1, 0.04, -0.01, &quarterly(2.1)), 0.25),
        (input(0.5, 0.04, 0.2, &[(0.2, 1.5)]), 0.6),
    ];
    for (terms, sigma) in cases {
        let model = CashDividendModel::new(&terms);
        let deviation = sigma * terms.time_to_expiry.sqrt();
        let strikes: Vec<f64> = (-3..=3).map(|i| 100.0 * libm::exp(0.25 * f64::from(i) * deviation)).collect();
        for option_type in TYPES {
            for (&strike, premium) in strikes.iter().zip(model.premiums(option_type, &strikes, sigma)) {
                let fine = fallback::price_on_grid(&terms, option_type, strike, sigma, 1000, 600).unwrap();
                let off = premium.unwrap() - (fine.american - fine.european);
                assert!(off.abs() < 1e-4 * strike, "{option_type} {strike} {sigma}: {premium:?}, off by {off}");
            }
        }
    }
}

#[test]
fn black_volatility_and_model_volatility_are_inverse() {
    let model = CashDividendModel::new(&input(1.3, 0.04, 0.01, &quarterly(1.3)));
    for strike in [50.0, 80.0, 100.0, 140.0] {
        for sigma in [0.05, 0.2, 0.5, 1.4] {
            let black = model.black_from_model(strike, sigma).unwrap();
            let back = model.model_from_black(strike, black).unwrap();
            // Two octaves meet at their common end but for the grids' error.
            assert!((back - sigma).abs() < 5e-6, "{strike} {sigma} {black} {back}");
        }
    }
}

#[test]
fn no_result_depends_on_what_was_asked_before_or_beside_it() {
    let terms = input(0.7, 0.04, 0.01, &quarterly(0.7));
    let together = CashDividendModel::new(&terms);
    // Three classes of deviation, and more options than lanes.
    let strikes: Vec<f64> = (0..21).map(|i| 60.0 + 4.0 * f64::from(i)).collect();
    let sigmas: Vec<f64> = (0..21).map(|i| [0.05, 0.2, 0.45, 0.9, 1.7][i % 5]).collect();
    for option_type in TYPES {
        let prices = together.prices(option_type, &strikes, &sigmas);
        let greeks = together.greeks_many(option_type, &strikes, &sigmas);
        let quotes: Vec<PricedOption> = strikes
            .iter()
            .zip(&prices)
            .map(|(&strike, price)| PricedOption { strike, price: price.unwrap() + 0.05, half_spread: 0.01 })
            .collect();
        let implied = together.implied_volatilities(option_type, &quotes);
        for i in (0..strikes.len()).rev() {
            let (strike, sigma) = (strikes[i], sigmas[i]);
            let alone = CashDividendModel::new(&terms);
            let quote = quotes[i];
            assert_eq!(alone.implied_volatility(option_type, strike, quote.price, 0.01), implied[i]);
            assert_eq!(alone.greeks(option_type, strike, sigma), greeks[i]);
            assert_eq!(alone.price(option_type, strike, sigma), prices[i]);
        }
    }
}

#[test]
fn corners_give_a_value_or_a_status() {
    for t in [1.0 / 525_600.0, 0.1, 15.0] {
        for (r, b) in [(-0.02, -0.02), (-0.02, 1.0), (0.0, 0.0), (0.15, -0.02), (0.15, 1.0)] {
            let many: Vec<(f64, f64)> = (1..=40).map(|i| (t * f64::from(i) / 40.0, 1.5)).collect();
            for dividends in [vec![], vec![(t, 1.0)], vec![(1e-9, 1.0)], vec![(0.5 * t, 250.0)], many] {
                let model = CashDividendModel::new(&input(t, r, b, &dividends));
                // The largest volatilities need thousands of steps over 15 years: one strike says enough there.
                let strikes: &[f64] = if t > 1.0 { &[100.0] } else { &[1.0, 100.0, 10_000.0] };
                for strike in strikes {
                    for option_type in TYPES {
                        check(&model, option_type, *strike, 0.01);
                        check(&model, option_type, *strike, if t > 1.0 { 1.5 } else { 5.0 });
                    }
                }
            }
        }
    }
    let long = CashDividendModel::new(&input(15.0, 0.05, 0.0, &[(7.0, 1.0)]));
    let put = long.price(OptionType::Put, 100.0, 5.0).unwrap();
    let call = long.price(OptionType::Call, 100.0, 5.0).unwrap();
    // A call is worth nearly the share; a put nearly what the perpetual put is (Merton 1973), 97.43.
    assert!((put - 97.43).abs() < 0.15 && call > 98.0 && call <= 100.0 + 1e-9, "{put} {call}");
}

fn check(model: &CashDividendModel, option_type: OptionType, strike: f64, sigma: f64) {
    let price = model.price(option_type, strike, sigma);
    let text = || format!("{option_type} {strike} {sigma} {price:?} {model:?}");
    if let Some(price) = price {
        let exercise = if option_type == OptionType::Call { 100.0 - strike } else { strike - 100.0 };
        assert!(price.is_finite() && price >= exercise.max(0.0), "{}", text());
    }
    if let Some(european) = model.european_price(option_type, strike, sigma) {
        assert!(european.is_finite() && european >= 0.0, "{}", text());
    }
    for value in [model.black_from_model(strike, sigma), model.model_from_black(strike, sigma)].into_iter().flatten() {
        assert!(value.is_finite() && value > 0.0);
    }
    for odd in [f64::NAN, -1.0, 0.0, f64::INFINITY] {
        assert!(model.price(option_type, strike, odd).is_none() && model.price(option_type, odd, sigma).is_none());
        assert!(model.implied_volatility(option_type, odd, 1.0, 0.1).volatility.is_none());
    }
    let implied = model.implied_volatility(option_type, strike, 3.0, 0.01);
    assert!(implied.vega.is_finite() && implied.volatility.is_none_or(f64::is_finite));
    assert!(model.implied_volatility(option_type, strike, f64::NAN, 0.01).volatility.is_none());
}

/// Prices of real failing slices against far finer differences, within so much volatility.
fn check_slice(terms: &ModelInput, option_type: OptionType, quotes: &[(f64, f64)], within: f64) {
    let model = CashDividendModel::new(terms);
    for &(strike, sigma) in quotes {
        let price = |sigma: f64| model.price(option_type, strike, sigma).unwrap();
        let fine = fallback::price_on_grid(terms, option_type, strike, sigma, 2000, 1500).unwrap().american;
        let vega = (price(sigma + 0.01) - price(sigma)) / 0.01;
        let off = (price(sigma) - fine) / vega;
        assert!(off.abs() < within, "{option_type} {strike} {sigma}: {off:e} of volatility at borrow {}", terms.borrow);
    }
}

#[test]
fn an_ex_date_shortly_before_expiry_leaves_a_kink_that_is_priced() {
    let expiry = 0.4027;
    for days in [1.0, 2.0, 3.0, 5.0] {
        for borrow in [-0.004, 0.004] {
            let dividends = [(0.1507, 1.47), (expiry - days / 365.0, 1.48)];
            let terms = ModelInput { spot: 200.9, ..input(expiry, 0.0368, borrow, &dividends) };
            check_slice(&terms, OptionType::Call, &[(150.0, 0.52), (170.0, 0.507), (190.0, 0.5)], 5e-5);
            check_slice(&terms, OptionType::Put, &[(170.0, 0.507), (190.0, 0.5), (240.0, 0.47)], 5e-5);
        }
    }
}

#[test]
fn long_puts_in_the_money_are_priced() {
    let dividends: Vec<(f64, f64)> = (0..5).map(|i| (0.04 + 0.5 * f64::from(i), 1.16)).collect();
    let terms = ModelInput { spot: 128.92, ..input(2.17, 0.0346, 0.0085, &dividends) };
    let quotes = [(100.0, 0.45), (140.0, 0.43), (160.0, 0.42), (180.0, 0.416), (200.0, 0.41)];
    check_slice(&terms, OptionType::Put, &quotes, 5e-5);
}

/// Where the upper nodes' prices are beyond every number there is no price, or one between its bounds.
#[test]
fn a_price_beyond_all_numbers_is_none() {
    let model = CashDividendModel::new(&input(15.0, 0.05, 0.0, &[(7.0, 1.0), (14.0, 1.0)]));
    for sigma in [6.0, 8.0, 9.0, 12.0, 16.0] {
        for strike in [50.0, 100.0, 200.0] {
            let put = model.price(OptionType::Put, strike, sigma);
            assert!(put.is_none_or(|put| put > 0.9 * strike * libm::exp(-0.75)), "{sigma} {strike} {put:?}");
            let call = model.price(OptionType::Call, strike, sigma);
            assert!(call.is_none_or(|call| call > 90.0), "{sigma} {strike} {call:?}");
        }
    }
}
