//! Two payers' chains against QuantLib's `FdBlackScholesVanillaEngine` in its spot model, 2000 x 2000:
//! `data/quantlib_dividend_chains.csv`, made by the script of that name. S = 100, dividends as `day:amount`.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use closemark_pricing::models::{ModelDividend, ModelInput, PricedOption, SliceModel, black};
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType};

struct Row {
    option_type: OptionType,
    strike: f64,
    sigma: f64,
    model: SliceModel,
    american: f64,
    delta: f64,
    gamma: f64,
}

fn rows() -> Vec<Row> {
    include_str!("data/quantlib_dividend_chains.csv").lines().skip(2).map(parse).collect()
}

fn parse(line: &str) -> Row {
    let fields: Vec<&str> = line.trim().split(',').collect();
    let number = |i: usize| fields[i].parse::<f64>().unwrap();
    let (time, rate, borrow) = (number(2) / 365.0, number(4), number(5));
    let dividend = |text: &str| {
        let (day, amount) = text.split_once(':').unwrap();
        ModelDividend { time: day.parse::<f64>().unwrap() / 365.0, amount: amount.parse().unwrap() }
    };
    let dividends: Vec<ModelDividend> = fields[6].split(';').filter(|s| !s.is_empty()).map(dividend).collect();
    let paid: f64 = dividends.iter().map(|d| d.amount * libm::exp((rate - borrow) * (time - d.time))).sum();
    let input = ModelInput {
        exercise_style: ExerciseStyle::American,
        spot: 100.0,
        time_to_expiry: time,
        discount_factor: libm::exp(-rate * time),
        borrow,
        forward: 100.0 * libm::exp((rate - borrow) * time) - paid,
        dividends,
    };
    Row {
        option_type: if fields[0] == "C" { OptionType::Call } else { OptionType::Put },
        strike: number(1),
        sigma: number(3),
        model: SliceModel::new(input),
        american: number(7),
        delta: number(8),
        gamma: number(9),
    }
}

/// Sorted errors' value below which a share of them lies.
fn quantile(errors: &mut [f64], share: f64) -> f64 {
    errors.sort_by(f64::total_cmp);
    errors[((errors.len() - 1) as f64 * share) as usize]
}

#[test]
fn prices_agree() {
    let (mut prices, mut deltas, mut gammas) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows() {
        let price = row.model.price(row.option_type, row.strike, row.sigma).unwrap();
        let greeks = row.model.greeks(row.option_type, row.strike, row.sigma).unwrap();
        prices.push((price - row.american).abs());
        // Where exercise is optimal now the grid's gamma is a jump's.
        if row.american > black::intrinsic(row.option_type, 100.0, row.strike) + 0.01 {
            deltas.push((greeks.delta - row.delta).abs());
            gammas.push((greeks.gamma - row.gamma).abs());
        }
    }
    let text = format!(
        "price {:.1e} {:.1e} delta {:.1e} gamma {:.1e}",
        quantile(&mut prices, 0.9),
        quantile(&mut prices, 1.0),
        quantile(&mut deltas, 1.0),
        quantile(&mut gammas, 1.0)
    );
    // The engine exercises explicitly and is low by first order in time.
    assert!(quantile(&mut prices, 0.9) < 2e-3 && quantile(&mut prices, 1.0) < 6e-3, "{text}");
    assert!(quantile(&mut deltas, 1.0) < 2e-3 && quantile(&mut gammas, 1.0) < 2e-3, "{text}");
}

#[test]
fn volatilities_come_back() {
    let (mut near, mut close, mut defined) = (0_u32, 0_u32, 0_u32);
    let mut far = Vec::new();
    for row in rows() {
        // What is defined the oracle says: time value and vega, by its price and Black's vega.
        let time_value = row.american - black::intrinsic(row.option_type, 100.0, row.strike);
        let vega = row.model.greeks(row.option_type, row.strike, row.sigma).unwrap().vega;
        if time_value < 1e-4 * row.strike || vega < 0.01 * row.strike {
            continue;
        }
        defined += 1;
        let quote = PricedOption { strike: row.strike, price: row.american, half_spread: 0.01 };
        let implied = row.model.implied_volatilities(row.option_type, &[quote])[0];
        let error = (implied.volatility.unwrap() - row.sigma).abs();
        near += u32::from(error <= 1e-4);
        close += u32::from(error <= 1e-3);
        if error > 1e-4 {
            far.push(format!("{} {} {} {error:.1e} vega {vega:.2}", row.option_type, row.strike, row.sigma));
        }
    }
    let share = |n: u32| f64::from(n) / f64::from(defined);
    // The models report holds the shares on hundreds; here one row is two percent.
    assert!(defined > 25, "{defined}");
    assert!(share(near) >= 0.93 && share(close) >= 0.997, "{near} {close} {defined} {far:#?}");
}
