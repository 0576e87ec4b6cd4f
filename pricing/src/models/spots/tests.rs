//! Prices at other spots against models that were made there, and against QuantLib's table in
//! `pricing/tests/quantlib_spot_dividends.rs`.

use super::plan::{Plan, refinement};
use super::sweep::{self, LANES};
use crate::models::dividends::schedule::Schedule;
use crate::models::{ModelDividend, ModelInput, SliceModel};
use crate::vocabulary::{ExerciseStyle, OptionType};

const SPOTS: [f64; 6] = [0.0, 70.0, 92.0, 100.0, 106.0, 145.0];

fn input(style: ExerciseStyle, spot: f64, rate: f64, borrow: f64, dividends: &[(f64, f64)]) -> ModelInput {
    let t = 0.75;
    let growth = rate - borrow;
    let paid: f64 = dividends.iter().map(|(time, amount)| amount * libm::exp(growth * (t - time))).sum();
    ModelInput {
        exercise_style: style,
        spot,
        time_to_expiry: t,
        discount_factor: libm::exp(-rate * t),
        borrow,
        forward: spot * libm::exp(growth * t) - paid,
        dividends: dividends.iter().map(|&(time, amount)| ModelDividend { time, amount }).collect(),
    }
}

fn agree(style: ExerciseStyle, rate: f64, borrow: f64, dividends: &[(f64, f64)], tolerance: f64) {
    let model = SliceModel::new(input(style, 100.0, rate, borrow, dividends));
    let strikes = [60.0, 85.0, 95.0, 100.0, 104.0, 120.0, 180.0, 99.0, 101.0];
    for option_type in [OptionType::Call, OptionType::Put] {
        for sigma in [0.08, 0.25, 0.9] {
            let sigmas = [sigma; 9];
            let rows = model.prices_at_spots(option_type, &strikes, &sigmas, &SPOTS);
            for (row, strike) in rows.chunks(SPOTS.len()).zip(strikes) {
                for (got, spot) in row.iter().zip(SPOTS).skip(1) {
                    let there = SliceModel::new(input(style, spot, rate, borrow, dividends));
                    let wanted = there.price(option_type, strike, sigma).unwrap();
                    let error = (got.unwrap() - wanted).abs() / strike;
                    assert!(error < tolerance, "{option_type} {strike} {sigma} at {spot}: {got:?} {wanted}");
                }
            }
        }
    }
}

#[test]
fn european_prices_scale_the_forward() {
    agree(ExerciseStyle::European, 0.04, 0.01, &[], 1e-12);
}

#[test]
fn american_prices_without_dividends_are_those_of_a_model_made_there() {
    for (rate, borrow) in [(0.05, 0.0), (0.03, 0.08), (0.0, 0.5), (-0.01, 0.0)] {
        agree(ExerciseStyle::American, rate, borrow, &[], 1e-12);
    }
}

#[test]
fn one_sweep_gives_what_a_model_at_each_spot_gives() {
    // A dividend just before expiry, or of an eighth of the price, is held to QuantLib instead: there a model made at
    // the spot is itself off by as much as 8e-4 of the strike for calls that are hard to borrow (85.150 for 85.100).
    let schedules: [&[(f64, f64)]; 2] = [&[(0.1, 0.8)], &[(0.05, 1.0), (0.3, 1.0), (0.55, 1.0)]];
    for dividends in schedules {
        for (rate, borrow) in [(0.05, 0.0), (0.02, 0.15), (0.0, 0.0)] {
            // Where a call may be exercised any time the models' own tables are coarser than a sweep.
            agree(ExerciseStyle::American, rate, borrow, dividends, if borrow > 0.0 { 6e-4 } else { 2e-4 });
        }
    }
}

#[test]
fn a_series_price_does_not_depend_on_its_company() {
    let model = SliceModel::new(input(ExerciseStyle::American, 100.0, 0.05, 0.0, &[(0.2, 1.0)]));
    let strikes: Vec<f64> = (0..21).map(|i| 80.0 + 2.0 * f64::from(i)).collect();
    let sigmas: Vec<f64> = (0..21).map(|i| if i % 5 == 0 { 4.0 } else { 0.2 + 0.01 * f64::from(i) }).collect();
    let together = model.prices_at_spots(OptionType::Put, &strikes, &sigmas, &SPOTS);
    for (i, row) in together.chunks(SPOTS.len()).enumerate() {
        let alone = model.prices_at_spots(OptionType::Put, &strikes[i..=i], &sigmas[i..=i], &SPOTS);
        assert_eq!(row, alone.as_slice());
    }
}

#[test]
fn at_zero_and_outside_the_domain() {
    let model = SliceModel::new(input(ExerciseStyle::American, 100.0, 0.05, 0.0, &[(0.2, 1.0)]));
    let at_zero = |kind| model.prices_at_spots(kind, &[90.0], &[0.2], &[0.0]);
    assert_eq!((at_zero(OptionType::Call), at_zero(OptionType::Put)), (vec![Some(0.0)], vec![Some(90.0)]));
    for (strike, sigma) in [(f64::NAN, 0.2), (0.0, 0.2), (90.0, f64::NAN), (90.0, -1.0)] {
        assert_eq!(model.prices_at_spots(OptionType::Call, &[strike], &[sigma], &[100.0]), vec![None]);
    }
    assert_eq!(model.prices_at_spots(OptionType::Call, &[90.0], &[0.2], &[f64::NAN, -1.0]), vec![None, None]);
    let unusable = SliceModel::new(ModelInput { time_to_expiry: 0.0, ..model.input().clone() });
    assert_eq!(unusable.prices_at_spots(OptionType::Call, &[90.0], &[0.2], &[100.0, 0.0]), vec![None, None]);
}

#[test]
fn the_width_of_the_instructions_changes_no_bit() {
    // On a host without the wide ones both are the same code.
    for borrow in [0.0, 0.08] {
        let dividends = [(0.1, 0.7), (0.35, 0.7), (0.74, 2.0)];
        let schedule = Schedule::new(&input(ExerciseStyle::American, 100.0, 0.04, borrow, &dividends)).unwrap();
        for option_type in [OptionType::Call, OptionType::Put] {
            let mut strikes = [0.0; LANES];
            strikes.iter_mut().enumerate().for_each(|(l, strike)| *strike = 70.0 + 8.0 * l as f64);
            let sigmas = [0.31; LANES];
            let any_time = schedule.exercised_any_time(option_type == OptionType::Call);
            let plan = Plan::new(&schedule, refinement(0.31, schedule.expiry), any_time);
            let wide = sweep::sweep(&schedule, &plan, option_type, &strikes, &sigmas);
            let plain = sweep::sweep_in_lanes(&schedule, &plan, option_type, &strikes, &sigmas);
            for lane in 0..LANES {
                for spot in [40.0, 85.0, 100.0, 131.0, 300.0] {
                    let [wide, plain] = [&wide, &plain].map(|swept| swept.price(lane, spot).unwrap().to_bits());
                    assert_eq!(wide, plain, "{option_type} {lane} {spot}");
                }
            }
        }
    }
}
