//! Prices at ten points against QuantLib (1.44): `data/risk_points_quantlib.csv`, made-up series with quarterly cash
//! dividends, without, and European ones, then hard-to-borrow names and dividends just before expiry or of an eighth of the
//! price, priced by `benches/quantlib/risk_points.py 800`.

#![allow(clippy::unwrap_used, reason = "a test helper outside of a test function")]

use closemark_pricing::models::{ModelDividend, ModelInput, SliceModel};
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType};

const UNITS_PER_YEAR: f64 = 365.0 * 144.0;

struct Row {
    model: SliceModel,
    option_type: OptionType,
    strike: f64,
    sigma: f64,
    spots: Vec<f64>,
    quantlib: Vec<f64>,
}

fn parse(line: &str) -> Row {
    let fields: Vec<&str> = line.trim().split(',').collect();
    let number = |i: usize| fields[i].parse::<f64>().unwrap();
    let (t, rate, borrow) = (number(3) / UNITS_PER_YEAR, number(5), number(6));
    let dividends: Vec<ModelDividend> = fields[7]
        .split(';')
        .filter(|s| !s.is_empty())
        .map(|s| s.split_once(':').unwrap())
        .map(|(at, cash)| ModelDividend {
            time: at.parse::<f64>().unwrap() / UNITS_PER_YEAR,
            amount: cash.parse().unwrap(),
        })
        .collect();
    let spots: Vec<f64> = (8..18).map(number).collect();
    // The middle of the points' ranges is the price; any would do.
    let spot = spots[4];
    let paid: f64 = dividends.iter().map(|d| d.amount * libm::exp((rate - borrow) * (t - d.time))).sum();
    Row {
        model: SliceModel::new(ModelInput {
            exercise_style: ExerciseStyle::parse(fields[0]).unwrap(),
            spot,
            time_to_expiry: t,
            discount_factor: libm::exp(-rate * t),
            borrow,
            forward: spot * libm::exp((rate - borrow) * t) - paid,
            dividends,
        }),
        option_type: OptionType::parse(fields[1]).unwrap(),
        strike: number(2),
        sigma: number(4),
        spots,
        quantlib: (18..28).map(number).collect(),
    }
}

#[test]
fn every_point_is_quantlibs_to_a_ten_thousandth_of_the_strike() {
    let rows: Vec<Row> = include_str!("data/risk_points_quantlib.csv").lines().skip(1).map(parse).collect();
    assert!(rows.len() >= 250);
    let mut worst = 0.0_f64;
    for row in &rows {
        let points = row.model.prices_at_spots(row.option_type, &[row.strike], &[row.sigma], &row.spots);
        for (point, quantlib) in points.iter().zip(&row.quantlib) {
            let error = (point.unwrap() - quantlib).abs() / row.strike;
            assert!(error < 1e-4, "{} {} {}: {point:?} {quantlib}", row.option_type, row.strike, row.sigma);
            worst = worst.max(error);
        }
    }
    println!("largest error {worst:.2e} of the strike over {} series", rows.len());
}
