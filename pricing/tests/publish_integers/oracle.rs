//! The conditions of exact publication read row by row in plain 128-bit integers, and the greatest solution by the
//! dullest means: independent of the code under test.

use closemark_pricing::publish::integers::IntegerSlice;
use closemark_pricing::vocabulary::ExerciseStyle::{American, European};

pub(crate) const UNIT: i128 = 1_000_000_000_000;

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
pub(crate) fn violations(slices: &[IntegerSlice]) -> Vec<String> {
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

/// Marks between exercise value and bound: where publication starts.
pub(crate) fn bounded(slices: &[IntegerSlice]) -> Vec<IntegerSlice> {
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

/// The greatest solution by the dullest means: prices fall by one while any chord of any two other points of this or
/// later slices, a slope limit or parity says so. `backwards` changes the order of the visits.
pub(crate) fn naive(slices: &mut [IntegerSlice], backwards: bool) {
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
