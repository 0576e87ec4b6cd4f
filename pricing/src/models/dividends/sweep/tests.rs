use super::super::lanes::{LANES, Point, load};
use super::super::plan::{Level, Plan, class};
use super::{sweep, sweep_in_lanes};
use crate::models::dividends::schedule::Schedule;
use crate::models::dividends::tests::input;
use crate::models::{black, fallback};
use crate::vocabulary::OptionType;

fn schedule(t: f64, r: f64, b: f64, dividends: &[(f64, f64)]) -> Schedule {
    Schedule::new(&input(t, r, b, dividends)).unwrap()
}

/// Volatilities from `low` to twice that, and once more.
fn octave(low: f64) -> [f64; LANES] {
    let mut sigmas = [0.0; LANES];
    for (l, sigma) in sigmas.iter_mut().enumerate() {
        *sigma = low * (1.0 + (l % 8) as f64 / 7.0);
    }
    sigmas
}

#[test]
fn european_without_dividends_is_black() {
    for t in [0.02, 0.3, 2.0_f64] {
        let schedule = schedule(t, 0.04, 0.01, &[]);
        let sigmas = octave(0.25);
        let plan = Plan::new(&schedule, class(0.5 * t.sqrt()), Level::Fine as usize);
        for strike in [60.0, 85.0, 100.0, 104.0, 150.0] {
            for option_type in [OptionType::Call, OptionType::Put] {
                let outcome = sweep(&schedule, &plan, option_type, &[strike; LANES], &sigmas, false).unwrap();
                for (sigma, european) in sigmas.iter().zip(outcome.value) {
                    let forward = 100.0 * libm::exp(0.03 * t);
                    let exact = black::price(option_type, forward, strike, t, *sigma, libm::exp(-0.04 * t));
                    let vega = black::vega(forward, strike, t, *sigma, 1.0);
                    let error = (european - exact).abs();
                    assert!(error < 8e-5 * vega + 8e-5, "{t} {strike} {sigma}: {european} {exact} {error:.1e}");
                }
            }
        }
    }
}

#[test]
fn american_with_dividends_matches_the_fine_fallback() {
    for (t, b, dividends) in [
        (0.5_f64, 0.0, vec![(0.05, 0.5), (0.3, 0.5)]),
        (0.5, 0.05, vec![(0.05, 0.5), (0.3, 0.5)]),
        (1.0, 0.0, vec![(0.05, 2.0), (0.55, 2.0)]),
        (2.0, 0.0, (0..8).map(|i| (0.055 + 0.25 * f64::from(i), 0.5)).collect()),
        (0.06, 0.0, vec![(0.0548, 0.5)]),
        (0.06, 0.02, vec![(0.0599, 0.5)]),
    ] {
        let schedule = schedule(t, 0.04, b, &dividends);
        let sigmas = octave(0.2);
        let plan = Plan::new(&schedule, class(0.4 * t.sqrt()), Level::Fine as usize);
        for (option_type, strike, l) in [
            (OptionType::Put, 115.0, 0),
            (OptionType::Put, 100.0, 7),
            (OptionType::Call, 85.0, 3),
            (OptionType::Call, 107.0, 5),
        ] {
            let outcome = sweep(&schedule, &plan, option_type, &[strike; LANES], &sigmas, true).unwrap();
            let european = sweep(&schedule, &plan, option_type, &[strike; LANES], &sigmas, false).unwrap();
            let truth = fallback::solve(&schedule, option_type, strike, sigmas[l], 1000, 600).unwrap();
            let text = format!("{t} {b} {option_type} {strike} {}: {truth:?} {outcome:?}", sigmas[l]);
            assert!((outcome.value[l] - truth.american).abs() < 5e-3, "{text}");
            assert!((european.value[l] - truth.european).abs() < 1e-3, "{text}");
            assert!((outcome.delta[l] - truth.delta).abs() < 4e-4, "{text}");
            assert!((outcome.gamma[l] - truth.gamma).abs() < 6e-4, "{text}");
        }
    }
}

#[test]
fn a_lane_knows_nothing_of_its_neighbours() {
    let dividends = [(0.05, 0.5), (0.3, 0.5), (0.68, 0.5)];
    // Without interest holding on is worth as much as exercise, but for rounding; with a lending fee below zero exercise may begin
    // at low prices only.
    for (rate, borrow) in [(0.04, 0.01), (0.0, 0.0), (0.03, -0.02), (0.01, 0.06)] {
        let schedule = schedule(0.7, rate, borrow, &dividends);
        for level in [Level::Rough, Level::Fine] {
            let plan = Plan::new(&schedule, class(0.4), level as usize);
            let points: Vec<Point> =
                (0..LANES).map(|l| Point { strike: 80.0 + 6.0 * l as f64, sigma: 0.2 + 0.03 * l as f64 }).collect();
            for option_type in [OptionType::Call, OptionType::Put] {
                let (strikes, sigmas) = load::<LANES>(&points);
                let together = sweep(&schedule, &plan, option_type, &strikes, &sigmas, true).unwrap();
                for (l, point) in points.iter().enumerate() {
                    let (strike, sigma) = load::<1>(&[*point]);
                    let alone = sweep(&schedule, &plan, option_type, &strike, &sigma, true).unwrap();
                    for (one, all) in [
                        (alone.value[0], together.value[l]),
                        (alone.delta[0], together.delta[l]),
                        (alone.gamma[0], together.gamma[l]),
                    ] {
                        assert_eq!(one.to_bits(), all.to_bits(), "{option_type} {point:?} {rate} {borrow}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_width_of_the_instructions_changes_no_bit() {
    // On a host without the wide ones both are the same code.
    for (borrow, american) in [(0.0, true), (0.0, false), (0.05, true)] {
        let schedule = schedule(1.4, 0.04, borrow, &[(0.05, 0.5), (0.3, 0.5), (0.68, 2.0), (1.39, 0.5)]);
        let sigmas = octave(0.2);
        for level in [Level::Coarse, Level::Fine] {
            let plan = Plan::new(&schedule, class(0.3 * 1.4_f64.sqrt()), level as usize);
            for option_type in [OptionType::Call, OptionType::Put] {
                for strike in [60.0, 97.0, 103.0, 140.0] {
                    let strikes = [strike; LANES];
                    let wide = sweep(&schedule, &plan, option_type, &strikes, &sigmas, american).unwrap();
                    let plain = sweep_in_lanes(&schedule, &plan, option_type, &strikes, &sigmas, american).unwrap();
                    for (wide, plain) in [wide.value, wide.delta, wide.gamma]
                        .iter()
                        .flatten()
                        .zip([plain.value, plain.delta, plain.gamma].iter().flatten())
                    {
                        assert_eq!(wide.to_bits(), plain.to_bits(), "{option_type} {strike} {borrow} {american}");
                    }
                }
            }
        }
    }
}
