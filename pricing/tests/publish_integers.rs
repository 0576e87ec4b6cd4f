//! Exact publication against an independent reading of its conditions, row by row, in plain 128-bit integers.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

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
        let mut bad = later.windows(2).any(|w| left_of(w[0], node) && left_of(node, w[1]) && above(w[0], node, w[1]));
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

/// The greatest solution by the dullest means: prices fall by one while any chord of any two other points of this or
/// later slices, a slope limit or parity says so. `backwards` changes the order of the visits.
fn naive(slices: &mut [IntegerSlice], backwards: bool) {
    let mut changed = true;
    while changed {
        changed = false;
        let mut visits: Vec<(usize, bool, usize)> = Vec::new();
        for (t, s) in slices.iter().enumerate() {
            for call in [true, false] {
                visits.extend((0..s.strikes.len()).map(|j| (t, call, j)));
            }
        }
        if backwards {
            visits.reverse();
        }
        for (t, call, j) in visits {
            let european = slices[t].exercise_style == European;
            let marks = if call { &slices[t].call } else { &slices[t].put };
            let Some(p) = marks[j].filter(|_| !(european && call)) else { continue };
            if too_high(slices, t, call, j) {
                let marks = if call { &mut slices[t].call } else { &mut slices[t].put };
                marks[j] = Some(p - 1);
                changed = true;
            }
        }
    }
    for s in slices.iter_mut().filter(|s| s.exercise_style == European) {
        for j in 0..s.strikes.len() {
            let dk = i128::from(s.discount_factor) * i128::from(s.strikes[j]) / UNIT;
            s.call[j] = s.put[j].map(|p| p + s.forward_present_value - i64::try_from(dk).unwrap());
        }
    }
}

fn too_high(slices: &[IntegerSlice], t: usize, call: bool, j: usize) -> bool {
    let s = &slices[t];
    let single = |s: &IntegerSlice, j: usize| {
        let mut one = s.clone();
        for i in (0..s.strikes.len()).filter(|&i| i != j) {
            one.call[i] = None;
            one.put[i] = None;
        }
        points(&one, call)[0]
    };
    let node = single(s, j);
    let mut others = vec![zero_node(s, call)];
    others.extend(points(s, call).into_iter().filter(|p| p.0 != node.0));
    for later in slices[t + 1..].iter().filter(|l| s.calendar && l.calendar) {
        others.push(zero_node(later, call));
        others.extend(points(later, call));
    }
    for &l in &others {
        if !left_of(node, l) && !left_of(l, node) && node.1 * l.2 > l.1 * node.2 {
            return true;
        }
        let (rise, run) = (node.1 * l.2 - l.1 * node.2, node.0 * l.2 - l.0 * node.2);
        // Slopes to every other point: at most the limit away from it, monotone.
        let broken = match (call, run > 0) {
            (true, true) => rise > 0,
            (true, false) => l.0 > 0 && rise > -run,
            (false, true) => rise > run,
            (false, false) => rise > 0,
        };
        if run != 0 && broken {
            return true;
        }
        if others.iter().any(|&r| left_of(l, node) && left_of(node, r) && above(l, node, r)) {
            return true;
        }
    }
    if let (American, Some(c), Some(p)) = (s.exercise_style, s.call[j], s.put[j]) {
        let k = i128::from(s.strikes[j]);
        let gap = i128::from(c - p) * UNIT;
        return if call {
            gap > i128::from(s.parity_upper) * UNIT - k * i128::from(s.discount_factor_min)
        } else {
            gap < i128::from(s.parity_lower) * UNIT - k * i128::from(s.discount_factor_max)
        };
    }
    false
}

/// A surface of a few short slices with irregular strikes, holes and noise of some millionths.
fn noisy(style: closemark_pricing::vocabulary::ExerciseStyle) -> impl Strategy<Value = Vec<IntegerSlice>> {
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

/// Marks between exercise value and bound: where publication starts.
fn bounded(slices: &[IntegerSlice]) -> Vec<IntegerSlice> {
    let mut out = slices.to_vec();
    for s in &mut out {
        for j in 0..s.strikes.len() {
            let k = s.strikes[j];
            let (exercise, most) = match s.exercise_style {
                American => (k - s.spot, k),
                European => {
                    let dk = i64::try_from(i128::from(s.discount_factor) * i128::from(k) / UNIT).unwrap();
                    (dk - s.forward_present_value, dk)
                }
            };
            s.put[j] = s.put[j].map(|p| p.max(exercise).max(0).min(most));
            s.call[j] = s.call[j].map(|c| c.max(s.spot - k).max(0).min(s.parity_upper));
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn american_result_is_the_greatest_whatever_the_order(slices in noisy(American)) {
        let mut published = slices.clone();
        prop_assert!(publish_integers(&mut published).feasible);
        prop_assert_eq!(violations(&published), Vec::<String>::new());
        for backwards in [false, true] {
            let mut expected = bounded(&slices);
            naive(&mut expected, backwards);
            prop_assert_eq!(&published, &expected);
        }
        let again = published.clone();
        publish_integers(&mut published);
        prop_assert_eq!(published, again);
    }

    #[test]
    fn european_result_is_the_greatest_whatever_the_order(slices in noisy(European)) {
        let mut published = slices.clone();
        prop_assert!(publish_integers(&mut published).feasible);
        prop_assert_eq!(violations(&published), Vec::<String>::new());
        for backwards in [false, true] {
            let mut expected = bounded(&slices);
            naive(&mut expected, backwards);
            prop_assert_eq!(&published, &expected);
        }
    }

    #[test]
    fn fixed_marks_stand_or_nothing_changes(
        slices in noisy(American), at in 0_usize..64, call: bool, share in -0.2..0.6_f64,
    ) {
        let mut slices = bounded(&slices);
        publish_integers(&mut slices);
        let t = at % slices.len();
        let j = at / 4 % slices[t].strikes.len();
        let s = &mut slices[t];
        let (marks, fixed) = if call { (&mut s.call, &mut s.call_fixed) } else { (&mut s.put, &mut s.put_fixed) };
        let wanted = marks[j].map(|p| p + (share * p as f64) as i64);
        marks[j] = wanted;
        fixed[j] = true;
        let before = slices.clone();
        let report = publish_integers(&mut slices);
        if report.feasible {
            prop_assert_eq!(violations(&slices), Vec::<String>::new());
            prop_assert_eq!(if call { slices[t].call[j] } else { slices[t].put[j] }, wanted);
        } else {
            prop_assert_eq!(slices, before);
        }
    }

    #[test]
    fn garbage_never_panics(
        numbers in prop::collection::vec(prop_oneof![any::<i64>(), 0_i64..2_000_000_000_000, 1_i64..50], 24),
        american: bool, exact: bool,
    ) {
        let style = if american { American } else { European };
        let n = &numbers;
        let mut slices: Vec<IntegerSlice> = (0..2).map(|t| {
            let mut strikes = vec![n[12 * t], n[12 * t + 1], n[12 * t + 2]];
            strikes.sort_unstable();
            let mut s = empty(style, strikes);
            s.call = vec![Some(n[12 * t + 3]), None, Some(n[12 * t + 4])];
            s.put = vec![Some(n[12 * t + 5]), Some(n[12 * t + 6]), None];
            s.put_fixed[1] = exact;
            s.exact_parity = exact;
            s.discount_factor = n[12 * t + 7];
            s.forward_present_value = n[12 * t + 8];
            s.spot = n[9];
            s.parity_upper = n[9].saturating_add(n[12 * t + 10].saturating_abs());
            s.parity_lower = n[9].saturating_sub(n[12 * t + 11].saturating_abs());
            s.discount_factor_min = 990_000_000_000;
            s.discount_factor_max = 1_010_000_000_000;
            s
        }).collect();
        publish_integers(&mut slices);
        quantise_discount_factor(numbers[0] as f64, &numbers, 1.0, 0.1);
    }
}

#[test]
fn a_call_alone_is_published_through_the_put_it_implies() {
    let mut slices = vec![european(vec![90_000_000, 100_000_000, 110_000_000], 100.0, 0.5, 0.04, 0.2, 0.3)];
    let full = {
        let mut copy = slices.clone();
        publish_integers(&mut copy);
        copy
    };
    slices[0].put[1] = None;
    slices[0].call[2] = None;
    assert!(publish_integers(&mut slices).feasible);
    assert_eq!(slices[0].call, [full[0].call[0], full[0].call[1], None]);
    assert_eq!(slices[0].put, [full[0].put[0], None, full[0].put[2]]);
}

#[test]
fn strikes_in_thousandths_keep_puts_exact_and_calls_to_one() {
    // D K is no whole number of millionths: products beyond 128 bits.
    let strikes: Vec<i64> = (0..60).map(|j| 3_900_000_000 + 20_357_000 * j).collect();
    let mut slices: Vec<IntegerSlice> = (1..5)
        .map(|t| {
            let years = 0.1 * f64::from(t);
            let mut s =
                european(strikes.iter().map(|k| k / 5_000_000 * 5_000_000).collect(), 4500.0, years, 0.05, 0.1, 0.3);
            s.strikes = strikes.clone();
            s.discount_factor = 987_654_321_987 - 4_000_000_000 * i64::from(t);
            s.exact_parity = false;
            let (d, a) = (s.discount_factor as f64 / 1e12, s.forward_present_value as f64 / 1e6);
            for (j, &k) in s.strikes.iter().enumerate() {
                s.put[j] = Some(micros(a * unit_put(d * k as f64 / 1e6 / a, years, 0.1, 0.3)));
            }
            s
        })
        .collect();
    let report = publish_integers(&mut slices);
    assert!(report.feasible && report.largest_move.iter().all(|&m| m <= 10), "{:?}", report.largest_move);
    for s in &slices {
        for w in 0..s.strikes.len() - 2 {
            let k = &s.strikes[w..w + 3];
            let second = |m: &[Option<i64>]| {
                let p = |i: usize| i128::from(m[w + i].unwrap());
                p(0) * i128::from(k[2] - k[1]) + p(2) * i128::from(k[1] - k[0]) - p(1) * i128::from(k[2] - k[0])
            };
            assert!(second(&s.put) >= 0);
            assert!(second(&s.call) >= -i128::from(k[2] - k[0]));
        }
        for (j, &k) in s.strikes.iter().enumerate() {
            let fair = i128::from(s.forward_present_value) * UNIT - i128::from(s.discount_factor) * i128::from(k);
            let gap = i128::from(s.call[j].unwrap() - s.put[j].unwrap()) * UNIT - fair;
            assert!(gap.abs() * 2 <= UNIT || s.call[j] == Some(0));
        }
    }
}

#[test]
fn fixed_marks_against_each_other_are_infeasible() {
    let base = american(vec![90_000_000, 100_000_000, 110_000_000], 100.0, 0.3, 0.2, 0.3);
    // A call at a lower strike may not be cheaper than one at a higher.
    let mut slices = vec![base.clone()];
    slices[0].call[0] = Some(11_000_000);
    slices[0].call[1] = Some(11_500_000);
    slices[0].call_fixed = vec![true, true, false];
    let before = slices.clone();
    assert!(!publish_integers(&mut slices).feasible);
    assert_eq!(slices, before);
    // Below the exercise value.
    let mut slices = vec![base.clone()];
    slices[0].call[0] = Some(9_999_999);
    slices[0].call_fixed[0] = true;
    assert!(!publish_integers(&mut slices).feasible);
    // An earlier option fixed above a later one that is fixed too.
    let mut slices = vec![base.clone(), base];
    slices[0].put[1] = Some(6_000_001);
    slices[0].put_fixed[1] = true;
    slices[1].put[1] = Some(6_000_000);
    slices[1].put_fixed[1] = true;
    assert!(!publish_integers(&mut slices).feasible);
}

#[test]
fn an_override_upward_lifts_its_neighbours_and_leaves_the_rest() {
    let mut slices = name_like(false);
    publish_integers(&mut slices);
    let before = slices.clone();
    let at = slices[3].strikes.iter().position(|&k| k >= 100_000_000).unwrap();
    let wanted = slices[3].put[at].unwrap() + 20_000;
    slices[3].put[at] = Some(wanted);
    slices[3].put_fixed[at] = true;
    assert!(publish_integers(&mut slices).feasible);
    assert_eq!(violations(&slices), Vec::<String>::new());
    assert_eq!(slices[3].put[at], Some(wanted));
    let moved = |t: usize| (0..slices[t].put.len()).filter(|&j| slices[t].put[j] != before[t].put[j]).count();
    assert!(moved(3) < slices[3].put.len() / 3, "{}", moved(3));
    assert_eq!(slices[0..3], before[0..3]);
    let largest = slices[3].put.iter().zip(&before[3].put).map(|(a, b)| (a.unwrap() - b.unwrap()).abs()).max();
    assert!(largest.unwrap() <= 20_000 + 64, "{largest:?}");
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
