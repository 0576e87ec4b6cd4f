use super::{LANES, sweep};
use crate::models::dividends::plan::Plan;
use crate::models::dividends::schedule::Schedule;
use crate::models::{ModelDividend, ModelInput, black, fallback};
use crate::vocabulary::{ExerciseStyle, OptionType};

fn schedule(t: f64, r: f64, b: f64, dividends: &[(f64, f64)]) -> Schedule {
    Schedule::new(&ModelInput {
        exercise_style: ExerciseStyle::American,
        spot: 100.0,
        time_to_expiry: t,
        discount_factor: libm::exp(-r * t),
        borrow: b,
        forward: 0.0,
        dividends: dividends.iter().map(|&(time, amount)| ModelDividend { time, amount }).collect(),
    })
    .unwrap()
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
                    let forward = 100.0 * (0.03_f64 * t).exp();
                    let exact = black::price(option_type, forward, strike, t, *sigma, (-0.04_f64 * t).exp());
                    let vega = black::vega(forward, strike, t, *sigma, 1.0);
                    let error = (european - exact).abs();
                    assert!(error < 5e-5 * vega + 1e-5, "{t} {strike} {sigma}: {european} {exact} {error:.1e}");
                }
            }
        }
    }
}

#[test]
fn zz_american_with_dividends_matches_the_fine_fallback() {
    for (t, b, dividends) in [
        (0.5, 0.0, vec![(0.05, 0.5), (0.3, 0.5)]),
        (0.5, 0.05, vec![(0.05, 0.5), (0.3, 0.5)]),
        (1.0, 0.0, vec![(0.05, 2.0), (0.55, 2.0)]),
        (2.0, 0.0, (0..8).map(|i| (0.055 + 0.25 * f64::from(i), 0.5)).collect()),
        (0.06, 0.0, vec![(0.0548, 0.5)]),
        (30.0 / 365.0, 0.0, vec![(20.0 / 365.0, 0.5)]),
    ] {
        let schedule = schedule(t, 0.04, b, &dividends);
        let sigmas = octave(0.2);
        let plan = Plan::new(&schedule, 0.4, 1.0, 1.0);
        let (mut worst, mut worst_e, mut worst_d, mut worst_g) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
        for strike in [85.0, 95.0, 100.0, 107.0, 115.0] {
            for option_type in [OptionType::Call, OptionType::Put] {
                let outcome = sweep(&schedule, &plan, option_type, strike, &sigmas).unwrap();
                for l in [0, 3, 7] {
                    let truth = fallback::solve(&schedule, option_type, strike, sigmas[l], 1200, 900).unwrap();
                    let vega = black::vega(100.0, strike, t, sigmas[l], 1.0);
                    println!("{t} {b} {option_type:?} {strike} {:.3}: am {:.6} {:.1e} eu {:.6} {:.1e} vega {vega:.2}", sigmas[l], truth.american, outcome.american[l]-truth.american, truth.european, outcome.european[l]-truth.european);
                    worst = worst.max((outcome.american[l]-truth.american).abs());
                    worst_e = worst_e.max((outcome.european[l]-truth.european).abs());
                    worst_d = worst_d.max((outcome.delta[l]-truth.delta).abs());
                    worst_g = worst_g.max((outcome.gamma[l]-truth.gamma).abs());
                }
            }
        }
        println!("WORST {t} {b}: am {worst:.1e} eu {worst_e:.1e} delta {worst_d:.1e} gamma {worst_g:.1e}");
    }
}
