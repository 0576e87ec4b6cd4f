//! Surfaces that are free of arbitrage before they are rounded, and noisy ones.

use closemark_pricing::publish::integers::{IntegerSlice, quantise_discount_factor};
use closemark_pricing::vocabulary::ExerciseStyle::{self, American, European};
use proptest::prelude::*;

fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// Undiscounted put on a forward of 1 as a mixture of two lognormals: a smile, free of arbitrage in strike and time.
pub(crate) fn unit_put(x: f64, t: f64, low: f64, high: f64) -> f64 {
    let black = |sigma: f64| {
        let s = sigma * t.sqrt();
        let d1 = -libm::log(x) / s + s / 2.0;
        x * normal(s - d1) - normal(-d1)
    };
    (0.8 * black(low) + 0.2 * black(high)).max(x - 1.0).max(0.0)
}

pub(crate) fn micros(x: f64) -> i64 {
    (x * 1e6).round_ties_even() as i64
}

pub(crate) fn empty(style: ExerciseStyle, strikes: Vec<i64>) -> IntegerSlice {
    let n = strikes.len();
    IntegerSlice {
        exercise_style: style,
        strikes,
        call: vec![None; n],
        put: vec![None; n],
        call_fixed: vec![false; n],
        put_fixed: vec![false; n],
        discount_factor: 0,
        forward_present_value: 0,
        exact_parity: true,
        spot: 0,
        parity_upper: 0,
        parity_lower: 0,
        discount_factor_min: 0,
        discount_factor_max: 0,
        calendar: true,
    }
}

pub(crate) fn european(strikes: Vec<i64>, spot: f64, t: f64, rate: f64, low: f64, high: f64) -> IntegerSlice {
    let mut s = empty(European, strikes);
    s.discount_factor = quantise_discount_factor(libm::exp(-rate * t), &s.strikes, t, 1.0).unwrap();
    let d = s.discount_factor as f64 / 1e12;
    s.forward_present_value = micros(spot * libm::exp(-0.013 * t));
    let a = s.forward_present_value as f64 / 1e6;
    for (j, &k) in s.strikes.iter().enumerate() {
        let dk = d * k as f64 / 1e6;
        let p = micros(a * unit_put(dk / a, t, low, high));
        s.put[j] = Some(p);
        s.call[j] = Some(p + s.forward_present_value - micros(dk));
    }
    s
}

/// European values at zero rate are American ones: a surface that meets every American condition.
pub(crate) fn american(strikes: Vec<i64>, spot: f64, t: f64, low: f64, high: f64) -> IntegerSlice {
    let mut s = empty(American, strikes);
    s.spot = micros(spot);
    s.parity_upper = s.spot;
    s.parity_lower = s.spot;
    s.discount_factor_min = 1_000_000_000_000;
    s.discount_factor_max = 1_000_000_000_000;
    for (j, &k) in s.strikes.iter().enumerate() {
        let k = k as f64 / 1e6;
        let p = spot * unit_put(k / spot, t, low, high);
        s.put[j] = Some(micros(p));
        s.call[j] = Some(micros(p + spot - k));
    }
    s
}

pub(crate) fn spx_like() -> Vec<IntegerSlice> {
    (0..40)
        .map(|i| {
            let t = 0.004 + 0.0025 * f64::from(i * i);
            let first = 2500 + 5 * i64::from(i % 7);
            let strikes = (0..200).map(|j| (first + 5 * j * (2 + i64::from(i % 3))) * 1_000_000).collect();
            european(strikes, 4500.0, t, 0.05, 0.13, 0.28)
        })
        .collect()
}

pub(crate) fn name_like(odd: bool) -> Vec<IntegerSlice> {
    (0..14)
        .map(|i| {
            let t = 0.006 + 0.012 * f64::from(i * i);
            let mut strikes: Vec<i64> = (0..100).map(|j| 50_000_000 + 500_000 * j * (1 + i64::from(i % 2))).collect();
            if odd {
                // Seventh parts, as after a 7-for-1 split.
                strikes.extend((0..60).map(|j| (370 + 10 * j) * 1_000_000 / 7 / 10_000 * 10_000));
                strikes.sort_unstable();
                strikes.dedup();
            }
            american(strikes, 93.70, t, 0.22, 0.45)
        })
        .collect()
}

/// A surface of a few short slices with irregular strikes, holes and noise of some millionths.
pub(crate) fn noisy(style: ExerciseStyle) -> impl Strategy<Value = Vec<IntegerSlice>> {
    let slice = prop::collection::vec((20_i64..180, prop::bool::weighted(0.9), -9_i64..9, -9_i64..9), 1..9);
    (prop::collection::vec((slice, prop::bool::weighted(0.9)), 1..4), 0_i64..3, 0_i64..40).prop_map(
        move |(list, coarse, borrow)| {
            list.into_iter()
                .enumerate()
                .map(|(t, (mut raw, calendar))| {
                    raw.sort_by_key(|r| r.0);
                    raw.dedup_by_key(|r| r.0);
                    let strikes = raw.iter().map(|r| r.0 * [10_000, 50_000, 1_000_000][coarse as usize]).collect();
                    let spot = 100.0 * [0.01, 0.05, 1.0][coarse as usize];
                    let years = 0.05 + 0.1 * t as f64;
                    let mut s = match style {
                        American => american(strikes, spot, years, 0.2, 0.6),
                        European => european(strikes, spot, years, 0.04, 0.2, 0.6),
                    };
                    s.calendar = calendar;
                    s.parity_upper += borrow;
                    s.parity_lower -= borrow;
                    for (j, r) in raw.iter().enumerate() {
                        if style == American {
                            s.call[j] = s.call[j].filter(|_| r.1).map(|c| c.max(0) + r.2);
                        }
                        s.put[j] = s.put[j].filter(|_| r.1 || r.2 > 0 || style == European).map(|p| p + r.3);
                    }
                    s
                })
                .collect()
        },
    )
}
