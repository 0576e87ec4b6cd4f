//! Tables that `data/quantlib_tables.py` writes: prices under negative rates, and prices at moved underlyings.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use closemark_pricing::models::{ModelDividend, ModelInput, SliceModel};
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType, VolatilityStatus};

fn table(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().skip(1).map(|line| line.split(',').collect())
}

fn number(fields: &[&str], place: usize) -> f64 {
    fields[place].parse().unwrap()
}

fn model(spot: f64, time: f64, rate: f64, borrow: f64, cash: &str) -> SliceModel {
    let pairs = cash.split(';').filter_map(|pair| pair.split_once(':'));
    let dividends: Vec<ModelDividend> = pairs
        .map(|(day, amount)| ModelDividend {
            time: day.parse::<f64>().unwrap() / 365.0,
            amount: amount.parse().unwrap(),
        })
        .collect();
    let carry = rate - borrow;
    let paid: f64 = dividends.iter().map(|d| d.amount * libm::exp(carry * (time - d.time))).sum();
    SliceModel::new(ModelInput {
        exercise_style: ExerciseStyle::American,
        spot,
        time_to_expiry: time,
        discount_factor: libm::exp(-rate * time),
        borrow,
        forward: spot * libm::exp(carry * time) - paid,
        dividends,
    })
}

#[test]
fn negative_rates_with_one_boundary_or_two() {
    let mut count = 0;
    for row in table(include_str!("data/quantlib_negative_rates.csv")) {
        let kind = OptionType::parse(row[0]).unwrap();
        let (strike, time, sigma) = (number(&row, 1), number(&row, 2) / 365.0, number(&row, 3));
        let model = model(100.0, time, number(&row, 4), number(&row, 5), "");
        let (american, european) = (number(&row, 6), number(&row, 7));
        let price = model.price(kind, strike, sigma).unwrap();
        // Two boundaries go to the fallback's grid of 400 x 150, which is a thousandth off.
        assert!((price - american).abs() < 2e-3, "{row:?} {:?} {price}", model.method(kind));
        assert!((model.european_price(kind, strike, sigma).unwrap() - european).abs() < 1e-6, "{row:?}");
        let implied = model.implied_volatility(kind, strike, price, 0.0);
        match implied.volatility {
            Some(volatility) => {
                assert!((model.price(kind, strike, volatility).unwrap() - price).abs() < 1e-6 * strike, "{row:?}");
            }
            None => {
                let least = model.price(kind, strike, 0.0).unwrap();
                assert_eq!(implied.status, VolatilityStatus::AtIntrinsic, "{row:?} {price} {least}");
                assert!(price - least < 1e-5 * strike, "{row:?} {price} {least}");
            }
        }
        count += 1;
    }
    assert_eq!(count, 48);
}

#[test]
fn prices_at_moved_underlyings() {
    let mut count = 0;
    for row in table(include_str!("data/quantlib_risk_points.csv")) {
        let kind = OptionType::parse(row[0]).unwrap();
        let (strike, time, sigma) = (number(&row, 1), number(&row, 2) / 365.0, number(&row, 3));
        for (point, place) in (-5..=5).zip(7..) {
            let spot = 100.0 * (1.0 + 0.03 * f64::from(point));
            let price = model(spot, time, number(&row, 4), number(&row, 5), row[6]).price(kind, strike, sigma).unwrap();
            let allowed = if row[6].is_empty() { 3e-4 } else { 2e-3 };
            assert!((price - number(&row, place)).abs() < allowed, "{row:?} {spot} {price}");
            count += 1;
        }
    }
    assert_eq!(count, 99);
}
