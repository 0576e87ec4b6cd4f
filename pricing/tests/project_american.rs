//! The American projection against a general conic solver and against every chord of any two points.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SolverStatus};
use closemark_pricing::publish::projection::{PremiumSlice, project_american};
use closemark_pricing::settings::PublishSettings;
use proptest::prelude::*;

/// `sum of coefficient x <= bound`.
type Row = (Vec<(usize, f64)>, f64);

/// A point: strike, and a premium's place or a known value.
#[derive(Clone, Copy)]
enum At {
    Free(usize),
    Known(f64),
}

fn row(terms: &[(f64, At)], bound: f64) -> Row {
    let mut out = (Vec::new(), bound);
    for &(c, at) in terms {
        match at {
            At::Free(n) => out.0.push((n, c)),
            At::Known(v) => out.1 -= c * v,
        }
    }
    out
}

/// Every chord of any two points of one or two slices, every slope, every bound: far more rows than needed.
fn all_rows(slices: &[PremiumSlice]) -> (Vec<Row>, Vec<f64>, Vec<f64>) {
    let (mut x, mut weights, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for s in slices {
        for (marks, w) in [(&s.call, &s.call_weight), (&s.put, &s.put_weight)] {
            let mut list = Vec::new();
            for (j, mark) in marks.iter().enumerate() {
                list.push(mark.map(|p| {
                    x.push(p);
                    weights.push(w[j]);
                    x.len() - 1
                }));
            }
            places.push(list);
        }
    }
    let mut rows = Vec::new();
    for (t, s) in slices.iter().enumerate() {
        for side in 0..2 {
            let call = side == 0;
            let zero = |s: &PremiumSlice| At::Known(if call { s.parity_upper } else { 0.0 });
            let own = |t: usize| {
                slices[t].strikes.iter().zip(&places[2 * t + side]).filter_map(|(&k, n)| Some((k, At::Free((*n)?))))
            };
            let mut others: Vec<(f64, At)> = vec![(0.0, zero(s))];
            others.extend(own(t));
            for (u, later) in slices.iter().enumerate().skip(t + 1) {
                if s.calendar && later.calendar {
                    others.push((0.0, zero(later)));
                    others.extend(own(u));
                }
            }
            for (k, node) in own(t) {
                let (least, most) = if call { (s.spot - k, s.parity_upper) } else { (k - s.spot, k) };
                rows.push(row(&[(-1.0, node)], -least.max(0.0)));
                rows.push(row(&[(1.0, node)], most));
                for &(l, left) in &others {
                    let same = matches!((left, node), (At::Free(a), At::Free(b)) if a == b);
                    if l == k && !same {
                        rows.push(row(&[(1.0, node), (-1.0, left)], 0.0));
                    }
                    if l < k && l > 0.0 {
                        rows.push(row(&[(1.0, node), (-1.0, left)], if call { 0.0 } else { k - l }));
                    }
                    if l > k {
                        rows.push(row(&[(1.0, node), (-1.0, left)], if call { l - k } else { 0.0 }));
                    }
                    for &(r, right) in others.iter().filter(|o| l < k && o.0 > k) {
                        let share = (k - l) / (r - l);
                        rows.push(row(&[(1.0, node), (share - 1.0, left), (-share, right)], 0.0));
                    }
                }
            }
        }
        for (j, &k) in s.strikes.iter().enumerate() {
            if let (Some(c), Some(p)) = (places[2 * t][j], places[2 * t + 1][j]) {
                rows.push((vec![(c, 1.0), (p, -1.0)], s.parity_upper - k * s.discount_factor_min));
                rows.push((vec![(c, -1.0), (p, 1.0)], k * s.discount_factor_max - s.parity_lower));
            }
        }
    }
    (rows, x, weights)
}

fn solve(rows: &[Row], x: &[f64], weights: &[f64]) -> Option<Vec<f64>> {
    let n = x.len();
    if n == 0 {
        return Some(Vec::new());
    }
    let p = CscMatrix::new_from_triplets(n, n, (0..n).collect(), (0..n).collect(), weights.to_vec());
    let q: Vec<f64> = x.iter().zip(weights).map(|(x, w)| -x * w).collect();
    let (mut i, mut j, mut v) = (Vec::new(), Vec::new(), Vec::new());
    for (r, (terms, _)) in rows.iter().enumerate() {
        for &(n, c) in terms {
            i.push(r);
            j.push(n);
            v.push(c);
        }
    }
    let a = CscMatrix::new_from_triplets(rows.len(), n, i, j, v);
    let b: Vec<f64> = rows.iter().map(|r| r.1).collect();
    let settings = DefaultSettings { verbose: false, ..DefaultSettings::default() };
    let mut solver = DefaultSolver::new(&p, &q, &a, &b, &[NonnegativeConeT(rows.len())], settings).ok()?;
    solver.solve();
    matches!(solver.solution.status, SolverStatus::Solved | SolverStatus::AlmostSolved)
        .then(|| solver.solution.x.clone())
}

fn flatten(slices: &[PremiumSlice]) -> Vec<f64> {
    slices.iter().flat_map(|s| s.call.iter().chain(&s.put)).flatten().copied().collect()
}

fn worst(rows: &[Row], x: &[f64]) -> f64 {
    rows.iter().map(|(t, b)| t.iter().map(|&(n, c)| c * x[n]).sum::<f64>() - b).fold(0.0, f64::max)
}

fn distance(from: &[f64], to: &[f64], weights: &[f64]) -> f64 {
    from.iter().zip(to).zip(weights).map(|((a, b), w)| w * (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// One or two slices of a Bachelier-like hump over exercise value, with noise and holes.
fn class(slice_count: std::ops::Range<usize>, noise: f64) -> impl Strategy<Value = Vec<PremiumSlice>> {
    let strike = (60_i32..140, prop::bool::weighted(0.85), prop::bool::weighted(0.85), -1.0..1.0_f64, -1.0..1.0_f64);
    let slice = (prop::collection::vec(strike, 1..12), 0.0..1.0_f64, 0.5..2.0_f64);
    prop::collection::vec(slice, slice_count).prop_map(move |list| {
        list.into_iter()
            .enumerate()
            .map(|(t, (mut raw, carry, w))| {
                raw.sort_by_key(|r| r.0);
                raw.dedup_by_key(|r| r.0);
                let strikes: Vec<f64> = raw.iter().map(|r| f64::from(r.0)).collect();
                let width = 5.0 + 4.0 * t as f64;
                let value = |k: f64, sign: f64| {
                    let d: f64 = sign * (100.0 - k);
                    0.5 * (d + (d * d + width * width).sqrt())
                };
                PremiumSlice {
                    call: raw.iter().map(|r| r.1.then(|| value(f64::from(r.0), 1.0) + noise * r.3)).collect(),
                    put: raw.iter().map(|r| r.2.then(|| value(f64::from(r.0), -1.0) + noise * r.4)).collect(),
                    call_weight: raw.iter().map(|r| 1.0 + w * r.3.abs()).collect(),
                    put_weight: raw.iter().map(|r| 1.0 + w * r.4.abs()).collect(),
                    strikes,
                    spot: 100.0,
                    parity_upper: 100.0 + 0.1 * carry,
                    parity_lower: 100.0 - carry,
                    discount_factor_min: 0.98,
                    discount_factor_max: 1.0,
                    calendar: true,
                }
            })
            .collect()
    })
}

/// The projection meets every row, at most `slack` times as far from its start as the general solver's optimum.
fn lies_near_the_oracle(slices: &[PremiumSlice], slack: f64) -> Result<(), TestCaseError> {
    let (rows, start, weights) = all_rows(slices);
    let mut projected = slices.to_vec();
    let report = project_american(&mut projected, &PublishSettings::default());
    prop_assert!(report.converged);
    let x = flatten(&projected);
    prop_assert!(worst(&rows, &x) < 2e-5, "{}", worst(&rows, &x));
    let oracle = solve(&rows, &start, &weights).unwrap();
    let (ours, best) = (distance(&start, &x, &weights), distance(&start, &oracle, &weights));
    prop_assert!(ours <= slack * best + 1e-5, "{ours} {best}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn one_slice_is_projected_onto_its_nearest_point(slices in class(1..2, 0.05)) {
        lies_near_the_oracle(&slices, 1.02)?;
    }

    #[test]
    fn two_slices_are_projected_close_to_the_nearest_point(slices in class(2..3, 0.02)) {
        lies_near_the_oracle(&slices, 1.1)?;
    }

    #[test]
    fn garbage_ends_within_every_condition(
        slices in class(1..4, 100.0),
        bad in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(1e300), Just(-1e9), Just(0.0)],
        at in 0_usize..99,
    ) {
        let mut slices = slices;
        let t = at % slices.len();
        if let Some(Some(p)) = slices[t].call.first_mut() {
            *p = bad;
        }
        slices[t].put_weight[0] = bad;
        let report = project_american(&mut slices, &PublishSettings::default());
        let x = flatten(&slices);
        prop_assert!(x.iter().all(|p| p.is_finite()));
        if report.converged && slices.len() < 3 {
            let (rows, _, _) = all_rows(&slices);
            prop_assert!(worst(&rows, &x) < 1e-3);
        }
    }
}

#[test]
fn what_satisfies_everything_stays_and_a_single_bump_goes() {
    let clean = PremiumSlice {
        strikes: vec![90.0, 95.0, 100.0, 105.0, 110.0],
        call: vec![Some(11.0), Some(7.2), Some(4.1), Some(2.0), Some(0.9)],
        put: vec![Some(0.9), Some(2.1), Some(4.0), Some(6.9), Some(10.8)],
        call_weight: vec![1.0; 5],
        put_weight: vec![1.0; 5],
        spot: 100.0,
        parity_upper: 100.0,
        parity_lower: 99.5,
        discount_factor_min: 0.99,
        discount_factor_max: 1.0,
        calendar: true,
    };
    let mut slices = vec![clean.clone()];
    let report = project_american(&mut slices, &PublishSettings::default());
    assert!(report.converged && report.largest_move == 0.0);
    assert_eq!(slices[0], clean);

    let mut slices = vec![clean.clone()];
    slices[0].put[2] = Some(4.61);
    let report = project_american(&mut slices, &PublishSettings::default());
    // Above the chord (2.1 + 6.9)/2 by 0.11; equal weights share it as 1 : -1/2 : -1/2 over 1.5.
    assert!((slices[0].put[2].unwrap() - (4.61 - 0.11 / 1.5)).abs() < 1e-6);
    assert!((slices[0].put[1].unwrap() - (2.1 + 0.055 / 1.5)).abs() < 1e-6);
    assert_eq!(slices[0].call, clean.call);
    assert!(report.put_reasons[0][2].contains(closemark_pricing::vocabulary::Reason::ButterflyEdit));
    assert!(report.put_reasons[0][4].is_empty());
}

/// Two later expiries that list one strike each, on either side of an earlier one: neither alone is broken.
#[test]
fn a_chord_between_two_later_expiries_binds_an_earlier_one() {
    let slice = |strike: f64, call: f64| PremiumSlice {
        strikes: vec![strike],
        call: vec![Some(call)],
        put: vec![None],
        call_weight: vec![1.0],
        put_weight: vec![1.0],
        spot: 100.0,
        parity_upper: 100.0,
        parity_lower: 100.0,
        discount_factor_min: 1.0,
        discount_factor_max: 1.0,
        calendar: true,
    };
    let mut slices = vec![slice(100.0, 10.0), slice(90.0, 16.0), slice(110.0, 2.0)];
    let report = project_american(&mut slices, &PublishSettings::default());
    assert!(report.converged);
    let [near, middle, far] = [0, 1, 2].map(|t: usize| slices[t].call[0].unwrap());
    assert!(near <= 0.5 * (middle + far) + 1e-5, "{near} {middle} {far}");
    // The nearest point of the half-space `near - middle / 2 - far / 2 <= 0`, one unit outside, by hand.
    for (moved, expected) in [(near, 10.0 - 2.0 / 3.0), (middle, 16.0 + 1.0 / 3.0), (far, 2.0 + 1.0 / 3.0)] {
        assert!((moved - expected).abs() < 1e-5, "{moved} {expected}");
    }
}
