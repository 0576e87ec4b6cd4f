//! American options without cash dividends: published values, and tables made with QuantLib's high-precision engine.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use closemark_pricing::models::Accuracy;
use closemark_pricing::models::boundary::BoundaryModel;
use closemark_pricing::vocabulary::{OptionType, PricingMethod, VolatilityStatus};

use common::american_slice as slice;

mod common;

struct Row {
    option_type: OptionType,
    strike: f64,
    t: f64,
    sigma: f64,
    rate: f64,
    dividend_yield: f64,
    price: f64,
}

fn rows(table: &str) -> Vec<Row> {
    table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("type"))
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let number = |i: usize| fields[i].parse::<f64>().unwrap();
            Row {
                option_type: OptionType::parse(fields[0]).unwrap(),
                strike: number(1),
                t: number(2) / 365.0,
                sigma: number(3),
                rate: number(4),
                dividend_yield: number(5),
                price: number(6),
            }
        })
        .collect()
}

fn root_mean_square_and_worst(table: &str) -> (f64, f64) {
    let rows = rows(table);
    let (mut sum, mut worst) = (0.0, 0.0_f64);
    for row in &rows {
        let model = slice(100.0, row.t, row.rate, row.dividend_yield);
        let error = model.price(row.option_type, row.strike, row.sigma).unwrap() - row.price;
        sum += error * error;
        worst = worst.max(error.abs());
    }
    ((sum / rows.len() as f64).sqrt(), worst)
}

/// Andersen, Lake and Offengenden 2016, section 6: K = S = 100, r = q = 5 %, sigma = 25 %, one year; the early
/// exercise premium is 0.106952702747.
#[test]
fn premium_of_the_paper() {
    let model = BoundaryModel::fine(0.05, 0.05, 1.0);
    let american = model.put(1.0, 0.25).unwrap();
    let european = closemark_pricing::models::black::price(OptionType::Put, 1.0, 1.0, 1.0, 0.25, libm::exp(-0.05));
    assert!((100.0 * (american - european) - 0.106_952_702_747).abs() < 1e-9);
    let standard = BoundaryModel::new(0.05, 0.05, 1.0).put(1.0, 0.25).unwrap();
    assert!((standard - american).abs() < 3e-7);
}

/// Broadie and Detemple 1996, table 1: calls at K = 100, r = 3 %, q = 7 %, sigma = 20 %, half a year.
#[test]
fn calls_of_broadie_and_detemple_1996() {
    for (spot, value) in [(80.0, 0.219), (90.0, 1.386), (100.0, 4.783), (110.0, 11.098), (120.0, 20.000)] {
        let price = slice(spot, 0.5, 0.03, 0.07).price(OptionType::Call, 100.0, 0.2).unwrap();
        assert!((price - value).abs() < 6e-4, "{spot} {price}");
    }
}

/// An option by itself: the targets are those that its two settings are named for.
#[test]
fn lone_prices_of_ordinary_options() {
    let rows = rows(include_str!("data/american_quantlib.csv"));
    for (accuracy, mean, worst) in [(Accuracy::Standard, 5e-5, 1e-3), (Accuracy::Fine, 5e-6, 1e-4)] {
        let errors: Vec<f64> = rows
            .iter()
            .map(|row| {
                let model = slice(100.0, row.t, row.rate, row.dividend_yield);
                let priced = model.priced_alone(row.option_type, row.strike, row.sigma, accuracy);
                priced.price.unwrap() - row.price
            })
            .collect();
        let square = errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64;
        assert!(square.sqrt() < mean, "{accuracy:?} {:e}", square.sqrt());
        assert!(errors.iter().all(|e| e.abs() < worst), "{accuracy:?}");
    }
}

#[test]
fn prices_of_ordinary_options() {
    let (mean, worst) = root_mean_square_and_worst(include_str!("data/american_quantlib.csv"));
    assert!(mean < 2e-5 && worst < 2e-4, "{mean:e} {worst:e}");
}

#[test]
fn prices_under_stress() {
    let (mean, worst) = root_mean_square_and_worst(include_str!("data/american_quantlib_stress.csv"));
    assert!(mean < 8e-5 && worst < 7e-4, "{mean:e} {worst:e}");
}

#[test]
fn fine_rules_agree_with_the_oracle_to_a_millionth() {
    for row in rows(include_str!("data/american_quantlib_stress.csv")).iter().step_by(4) {
        let (model, spot, scale) = match row.option_type {
            OptionType::Put => {
                (BoundaryModel::fine(row.rate, row.dividend_yield, row.t), 100.0 / row.strike, row.strike)
            }
            OptionType::Call => (BoundaryModel::fine(row.dividend_yield, row.rate, row.t), row.strike / 100.0, 100.0),
        };
        assert!((scale * model.put(spot, row.sigma).unwrap() - row.price).abs() < 6e-6);
    }
}

#[test]
fn volatilities_of_defined_quotes() {
    let mut defined = 0;
    for table in [include_str!("data/american_quantlib.csv"), include_str!("data/american_quantlib_stress.csv")] {
        for row in rows(table) {
            let model = slice(100.0, row.t, row.rate, row.dividend_yield);
            let price = |sigma: f64| model.price(row.option_type, row.strike, sigma).unwrap();
            let vega = (price(1.001 * row.sigma) - price(0.999 * row.sigma)) / (0.002 * row.sigma);
            let exercise = match row.option_type {
                OptionType::Call => 100.0 - row.strike,
                OptionType::Put => row.strike - 100.0,
            };
            let implied = model.implied_volatility(row.option_type, row.strike, row.price, 0.0);
            if row.price - exercise.max(0.0) > 1e-4 * row.strike && vega > 0.01 * row.strike {
                defined += 1;
                assert_eq!(implied.status, VolatilityStatus::Ok);
                assert!((implied.volatility.unwrap() - row.sigma).abs() < 2e-4);
                assert!((implied.vega / vega - 1.0).abs() < 5e-3, "{} {vega}", implied.vega);
                assert!(implied.iterations <= 15);
            }
        }
    }
    assert!(defined > 300);
}

#[test]
fn at_intrinsic_names_the_critical_volatility() {
    // S = 80 lies in the exercise region of the put K = 100 at low volatility.
    let model = slice(80.0, 0.5, 0.05, 0.0);
    let implied = model.implied_volatility(OptionType::Put, 100.0, 20.0, 0.05);
    assert_eq!(implied.status, VolatilityStatus::AtIntrinsic);
    assert_eq!(implied.volatility, None);
    let critical = implied.critical_volatility.unwrap();
    let fine = BoundaryModel::fine(0.05, 0.0, 0.5);
    assert!(fine.put(0.8, critical * 0.999).unwrap() - 0.2 < 1e-9);
    assert!(fine.put(0.8, critical * 1.02).unwrap() - 0.2 > 1e-8);
    for (price, status) in [
        (19.99, VolatilityStatus::BelowIntrinsic),
        (100.0, VolatilityStatus::AboveBound),
        (20.000_001, VolatilityStatus::LowVega),
        (20.5, VolatilityStatus::Ok),
    ] {
        let half_spread = if status == VolatilityStatus::LowVega { 1.0 } else { 0.05 };
        assert_eq!(model.implied_volatility(OptionType::Put, 100.0, price, half_spread).status, status);
    }
}

#[test]
fn sensitivities_are_the_derivatives_of_the_fine_price() {
    for (option_type, spot, strike, t, sigma, r, b) in [
        (OptionType::Put, 100.0, 100.0, 0.5, 0.3, 0.04, 0.0),
        (OptionType::Put, 100.0, 120.0, 1.5, 0.4, 0.05, 0.01),
        (OptionType::Put, 95.0, 80.0, 0.08, 0.5, 0.04, 0.06),
        (OptionType::Call, 100.0, 90.0, 0.75, 0.25, 0.03, 0.07),
        (OptionType::Call, 100.0, 140.0, 2.0, 0.6, 0.02, 0.4),
    ] {
        let price = |s: f64, vol: f64, t: f64, r: f64| match option_type {
            OptionType::Put => strike * BoundaryModel::fine(r, b, t).put(s / strike, vol).unwrap(),
            OptionType::Call => s * BoundaryModel::fine(b, r, t).put(strike / s, vol).unwrap(),
        };
        let greeks = slice(spot, t, r, b).greeks(option_type, strike, sigma).unwrap();
        let h = 0.01 * spot * sigma * t.sqrt();
        let (up, mid, down) = (price(spot + h, sigma, t, r), price(spot, sigma, t, r), price(spot - h, sigma, t, r));
        let close = |name: &str, got: f64, want: f64, scale: f64| {
            assert!((got - want).abs() < scale, "{name} {option_type} {strike}: {got} against {want}");
        };
        close("delta", greeks.delta, (up - down) / (2.0 * h), 2e-5);
        close("gamma", greeks.gamma, (up - 2.0 * mid + down) / (h * h), 2e-3 * greeks.gamma + 1e-6);
        let vega = (price(spot, sigma + 1e-3, t, r) - price(spot, sigma - 1e-3, t, r)) / 2e-3;
        close("vega", greeks.vega, vega, 1e-3 * vega);
        let theta = -(price(spot, sigma, t + 1e-4, r) - price(spot, sigma, t - 1e-4, r)) / 2e-4 / 365.0;
        close("theta", greeks.theta, theta, 2e-3 * theta.abs() + 1e-6);
        let rho = (price(spot, sigma, t, r + 1e-4) - price(spot, sigma, t, r - 1e-4)) / 2e-4;
        close("rho", greeks.rho, rho, 4e-3 * rho.abs() + 1e-3 * strike * t);
    }
}

#[test]
fn the_order_of_questions_does_not_change_an_answer() {
    let sigmas = [0.21, 0.9, 0.05, 0.37, 2.0, 0.11];
    let forward = slice(100.0, 0.4, 0.05, 0.02);
    let backward = slice(100.0, 0.4, 0.05, 0.02);
    let a: Vec<_> = sigmas.iter().map(|&s| forward.price(OptionType::Put, 105.0, s).unwrap().to_bits()).collect();
    let mut b: Vec<_> =
        sigmas.iter().rev().map(|&s| backward.price(OptionType::Put, 105.0, s).unwrap().to_bits()).collect();
    b.reverse();
    assert_eq!(a, b);
}

#[test]
fn the_dispatcher_says_which_solver_runs() {
    let model = slice(100.0, 0.5, 0.04, 0.0);
    assert_eq!(model.method(OptionType::Call), PricingMethod::Black);
    assert_eq!(model.method(OptionType::Put), PricingMethod::Boundary);
    let european = model.european_price(OptionType::Call, 90.0, 0.3);
    assert_eq!(model.price(OptionType::Call, 90.0, 0.3), european);
}
