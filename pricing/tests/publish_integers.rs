//! Exact publication against an independent reading of its conditions, row by row, in plain 128-bit integers.

use closemark_pricing::publish::integers::{
    IntegerReport, IntegerSlice, publish_integers, quantise_discount_factor, smallest_possible_move,
};
use closemark_pricing::vocabulary::ExerciseStyle::{American, European};
use proptest::prelude::*;

const UNIT: i128 = 1_000_000_000_000;

/// A price curve's point as a fraction: `x = m/a`, `y = p/a`.
type Fraction = (i128, i128, i128);

/// `y` of `i` lies above the chord of `l` and `r`; all by cross-multiplication of fractions with `a > 0`.
fn above(l: Fraction, i: Fraction, r: Fraction) -> bool {
    // y_i (x_r - x_l) > y_l (x_r - x_i) + y_r (x_i - x_l), times a_l a_i a_r.
    let d = |u: Fraction, v: Fraction| u.0 * v.2 - v.0 * u.2;
    i.1 * d(r, l) > l.1 * d(r, i) + r.1 * d(i, l)
}

fn left_of(u: Fraction, v: Fraction) -> bool {
    u.0 * v.2 < v.0 * u.2
}

/// Listed points of one type, without the node at zero.
fn points(s: &IntegerSlice, call: bool) -> Vec<Fraction> {
    let marks = if call { &s.call } else { &s.put };
    s.strikes
        .iter()
        .zip(marks)
        .filter_map(|(&k, p)| {
            let p = i128::from((*p)?);
            Some(match s.exercise_style {
                American => (i128::from(k), p, 1),
                European => {
                    assert_eq!(i128::from(s.discount_factor) * i128::from(k) % UNIT, 0);
                    let a = i128::from(s.forward_present_value);
                    (i128::from(s.discount_factor) * i128::from(k) / UNIT, p, a)
                }
            })
        })
        .collect()
}

fn zero_node(s: &IntegerSlice, call: bool) -> Fraction {
    match (s.exercise_style, call) {
        (American, true) => (0, i128::from(s.parity_upper), 1),
        (American, false) => (0, 0, 1),
        (European, true) => (0, i128::from(s.forward_present_value), i128::from(s.forward_present_value)),
        (European, false) => (0, 0, i128::from(s.forward_present_value)),
    }
}

/// Violations within and between slices, as sentences.
fn violations(slices: &[IntegerSlice]) -> Vec<String> {
    let mut found = Vec::new();
    for call in [true, false] {
        for (t, s) in slices.iter().enumerate() {
            let own = points(s, call);
            let zero = zero_node(s, call);
            within(&own, zero, call, t, &mut found);
            for (u, later) in slices.iter().enumerate().skip(t + 1) {
                if s.calendar && later.calendar {
                    let mut nodes = vec![zero_node(later, call)];
                    nodes.extend(points(later, call));
                    between(&own, zero, &nodes, call, (t, u), &mut found);
                }
            }
        }
    }
    for (t, s) in slices.iter().enumerate() {
        for ((&k, c), p) in s.strikes.iter().zip(&s.call).zip(&s.put) {
            let (Some(c), Some(p)) = (c, p) else { continue };
            let (c, p, k) = (i128::from(*c), i128::from(*p), i128::from(k));
            let fair = match s.exercise_style {
                European => {
                    (c - p) * UNIT == i128::from(s.forward_present_value) * UNIT - i128::from(s.discount_factor) * k
                }
                American => {
                    let upper = i128::from(s.parity_upper) * UNIT - k * i128::from(s.discount_factor_min);
                    let lower = i128::from(s.parity_lower) * UNIT - k * i128::from(s.discount_factor_max);
                    (lower..=upper).contains(&((c - p) * UNIT))
                }
            };
            if !fair {
                found.push(format!("parity {t} {k}"));
            }
        }
    }
    found
}

fn within(own: &[Fraction], zero: Fraction, call: bool, t: usize, found: &mut Vec<String>) {
    let mut nodes = vec![zero];
    nodes.extend(own);
    for w in nodes.windows(3) {
        if above(w[0], w[1], w[2]) {
            found.push(format!("butterfly {t} {}", w[1].0));
        }
    }
    for w in own.windows(2) {
        let (rise, run) = (w[1].1 - w[0].1, w[1].0 - w[0].0);
        if (call && !(-run..=0).contains(&rise)) || (!call && !(0..=run).contains(&rise)) {
            found.push(format!("vertical {t} {}", w[1].0));
        }
    }
    for &(m, p, a) in own {
        let exercise = match (call, a) {
            (_, 1) => 0,
            (true, _) => (a - m).max(0),
            (false, _) => (m - a).max(0),
        };
        let most = if call { zero.1 } else { m };
        if p < exercise || p > most {
            found.push(format!("bounds {t} {m}"));
        }
    }
}

/// METHOD's calendar rows of one pair: the chord of the later slice, and the mixed chords.
fn between(
    own: &[Fraction],
    zero: Fraction,
    later: &[Fraction],
    call: bool,
    names: (usize, usize),
    found: &mut Vec<String>,
) {
    for (i, &node) in own.iter().enumerate() {
        let before = if i == 0 { zero } else { own[i - 1] };
        let after = own.get(i + 1).copied();
        let mut bad = later.windows(2).any(|w| {
            left_of(w[0], node) && left_of(node, w[1]) && above(w[0], node, w[1])
        });
        for &b in later {
            let same = !left_of(b, node) && !left_of(node, b);
            bad |= same && node.1 * b.2 > b.1 * node.2;
            if left_of(node, b) && after.is_none_or(|n| left_of(b, n)) {
                bad |= above(before, node, b);
            }
            if left_of(b, node) && left_of(before, b) {
                // Beyond the last strike the slope limit stands for the next one.
                bad |= match after {
                    Some(n) => above(b, node, n),
                    None if call => node.1 * b.2 > b.1 * node.2,
                    None => node.1 * b.2 - b.1 * node.2 > node.0 * b.2 - b.0 * node.2,
                };
            }
        }
        if bad {
            found.push(format!("calendar {names:?} {}", node.0));
        }
    }
}

fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// Undiscounted put on a forward of 1 as a mixture of two lognormals: a smile, free of arbitrage in strike and time.
fn unit_put(x: f64, t: f64, low: f64, high: f64) -> f64 {
    let black = |sigma: f64| {
        let s = sigma * t.sqrt();
        let d1 = -libm::log(x) / s + s / 2.0;
        x * normal(s - d1) - normal(-d1)
    };
    (0.8 * black(low) + 0.2 * black(high)).max(x - 1.0).max(0.0)
}

fn micros(x: f64) -> i64 {
    (x * 1e6).round_ties_even() as i64
}

fn empty(style: closemark_pricing::vocabulary::ExerciseStyle, strikes: Vec<i64>) -> IntegerSlice {
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

fn european(strikes: Vec<i64>, spot: f64, t: f64, rate: f64, low: f64, high: f64) -> IntegerSlice {
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
fn american(strikes: Vec<i64>, spot: f64, t: f64, low: f64, high: f64) -> IntegerSlice {
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

fn spx_like() -> Vec<IntegerSlice> {
    (0..40)
        .map(|i| {
            let t = 0.004 + 0.0025 * f64::from(i * i);
            let first = 2500 + 5 * i64::from(i % 7);
            let strikes = (0..200).map(|j| (first + 5 * j * (2 + i64::from(i % 3))) * 1_000_000).collect();
            european(strikes, 4500.0, t, 0.05, 0.13, 0.28)
        })
        .collect()
}

fn name_like(odd: bool) -> Vec<IntegerSlice> {
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

fn mean_move(before: &[IntegerSlice], after: &[IntegerSlice]) -> f64 {
    let puts = |s: &[IntegerSlice]| s.iter().flat_map(|s| s.put.clone()).flatten().collect::<Vec<_>>();
    let (b, a) = (puts(before), puts(after));
    b.iter().zip(&a).map(|(x, y)| (x - y).abs() as f64).sum::<f64>() / b.len() as f64
}

fn check(name: &str, mut slices: Vec<IntegerSlice>, limit: i64) -> IntegerReport {
    let before = slices.clone();
    let broken = violations(&slices).len();
    let report = publish_integers(&mut slices);
    assert!(report.feasible);
    assert_eq!(violations(&slices), Vec::<String>::new());
    let largest = report.largest_move.iter().copied().max().unwrap_or(0);
    let least = smallest_possible_move(&before);
    println!(
        "{name}: {} prices, {broken} violations before; moves mean {:.3} max {largest}, smallest possible {least:?}; {} updates",
        before.iter().map(|s| s.put.len()).sum::<usize>(),
        mean_move(&before, &slices),
        report.updates
    );
    assert!(largest <= limit && least.is_some_and(|l| l <= largest));
    let published = slices.clone();
    let again = publish_integers(&mut slices);
    assert_eq!(slices, published);
    assert_eq!(again.updates, 0);
    report
}

#[test]
fn rounded_index_surface_moves_by_a_few_millionths() {
    check("index", spx_like(), 10);
}

#[test]
fn rounded_american_surface_moves_by_a_few_millionths() {
    check("american", name_like(false), 10);
}

#[test]
fn odd_strikes_move_by_tens_of_millionths() {
    check("american, odd strikes", name_like(true), 60);
}
