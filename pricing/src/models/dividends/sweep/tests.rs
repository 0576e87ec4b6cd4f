use super::{LANES, sweep};
use crate::models::dividends::plan::Plan;
use crate::models::dividends::schedule::Schedule;
use crate::models::dividends::tests::input;
use crate::models::{black, fallback};
use crate::vocabulary::OptionType;

fn schedule(t: f64, r: f64, b: f64, dividends: &[(f64, f64)]) -> Schedule {
    Schedule::new(&input(t, r, b, dividends)).unwrap()
}

fn octave(low: f64) -> [f64; LANES] {
    let mut sigmas = [0.0; LANES];
    for (l, sigma) in sigmas.iter_mut().enumerate() {
        *sigma = low * (1.0 + l as f64 / 7.0);
    }
    sigmas
}

#[test]
fn european_without_dividends_is_black() {
    for t in [0.02, 0.3, 2.0] {
        let schedule = schedule(t, 0.04, 0.01, &[]);
        let sigmas = octave(0.25);
        let plan = Plan::new(&schedule, 0.5, 1.0, 1.0);
        for strike in [60.0, 85.0, 100.0, 104.0, 150.0] {
            for option_type in [OptionType::Call, OptionType::Put] {
                let outcome = sweep(&schedule, &plan, option_type, strike, &sigmas).unwrap();
                for (sigma, european) in sigmas.iter().zip(outcome.european) {
                    let forward = 100.0 * libm::exp(0.03 * t);
                    let exact = black::price(option_type, forward, strike, t, *sigma, libm::exp(-0.04 * t));
                    let vega = black::vega(forward, strike, t, *sigma, 1.0);
                    let error = (european - exact).abs();
                    assert!(error < 5e-5 * vega + 1e-5, "{t} {strike} {sigma}: {european} {exact} {error:.1e}");
                }
            }
        }
    }
}

#[test]
fn american_with_dividends_matches_the_fine_fallback() {
    for (t, b, dividends) in [
        (0.5, 0.0, vec![(0.05, 0.5), (0.3, 0.5)]),
        (0.5, 0.05, vec![(0.05, 0.5), (0.3, 0.5)]),
        (1.0, 0.0, vec![(0.05, 2.0), (0.55, 2.0)]),
        (2.0, 0.0, (0..8).map(|i| (0.055 + 0.25 * f64::from(i), 0.5)).collect()),
        (0.06, 0.0, vec![(0.0548, 0.5)]),
    ] {
        let schedule = schedule(t, 0.04, b, &dividends);
        let sigmas = octave(0.2);
        let plan = Plan::new(&schedule, 0.4, 1.0, 1.0);
        for (option_type, strike, l) in [
            (OptionType::Put, 115.0, 0),
            (OptionType::Put, 100.0, 7),
            (OptionType::Call, 85.0, 3),
            (OptionType::Call, 107.0, 5),
        ] {
            let outcome = sweep(&schedule, &plan, option_type, strike, &sigmas).unwrap();
            let truth = fallback::solve(&schedule, option_type, strike, sigmas[l], 1000, 600).unwrap();
            let text = format!("{t} {b} {option_type} {strike} {}: {truth:?} {outcome:?}", sigmas[l]);
            assert!((outcome.american[l] - truth.american).abs() < 5e-3, "{text}");
            assert!((outcome.european[l] - truth.european).abs() < 1e-3, "{text}");
            assert!((outcome.delta[l] - truth.delta).abs() < 3e-4, "{text}");
            assert!((outcome.gamma[l] - truth.gamma).abs() < 5e-4, "{text}");
        }
    }
}
