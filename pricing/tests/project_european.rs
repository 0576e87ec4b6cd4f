//! The European projection against a general conic solver and every chord of any two later points, three expiries
//! at a time: what pairs of expiries do not see.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SolverStatus};
use closemark_pricing::models::black;
use closemark_pricing::publish::european::{PutSlice, project_european};
use closemark_pricing::settings::PublishSettings;
use closemark_pricing::vocabulary::OptionType;
use proptest::prelude::*;

/// `sum of coefficient x <= bound`, `x` in the common picture `K D / A`, `P / A`.
type Row = (Vec<(usize, f64)>, f64);

/// Every chord of any two points of this and later slices, slopes from any of them, bounds: far more rows than needed.
fn all_rows(slices: &[PutSlice]) -> (Vec<Row>, Vec<f64>, Vec<f64>) {
    let (mut y, mut weights, mut points) = (Vec::new(), Vec::new(), Vec::new());
    for (t, s) in slices.iter().enumerate() {
        for ((k, put), w) in s.strikes.iter().zip(&s.put).zip(&s.weight) {
            let Some(put) = put else { continue };
            points.push((t, k * s.discount_factor / s.forward_present_value, y.len()));
            y.push(put / s.forward_present_value);
            weights.push(w * s.forward_present_value * s.forward_present_value);
        }
    }
    let mut rows = Vec::new();
    for &(t, x, node) in &points {
        rows.push((vec![(node, 1.0)], x));
        rows.push((vec![(node, -1.0)], -(x - 1.0).max(0.0)));
        let seen: Vec<(f64, usize)> = points
            .iter()
            .filter(|(u, _, other)| {
                *other != node && (*u == t || (*u > t && slices[t].calendar && slices[*u].calendar))
            })
            .map(|(_, x, n)| (*x, *n))
            .collect();
        for &(r, right) in seen.iter().filter(|(r, _)| *r >= x) {
            rows.push((vec![(node, 1.0), (right, -1.0)], 0.0));
            rows.push((vec![(node, 1.0), (right, -x / r)], 0.0));
            for &(l, left) in seen.iter().filter(|(l, _)| *l < x && r > x) {
                let share = (x - l) / (r - l);
                rows.push((vec![(node, 1.0), (left, share - 1.0), (right, -share)], 0.0));
            }
        }
        for &(l, left) in seen.iter().filter(|(l, _)| *l <= x) {
            rows.push((vec![(node, 1.0), (left, -1.0)], x - l));
        }
    }
    (rows, y, weights)
}

fn solve(rows: &[Row], y: &[f64], weights: &[f64]) -> Vec<f64> {
    let n = y.len();
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let w: Vec<f64> = weights.iter().map(|w| w / largest).collect();
    let p = CscMatrix::new_from_triplets(n, n, (0..n).collect(), (0..n).collect(), w.clone());
    let q: Vec<f64> = y.iter().zip(&w).map(|(y, w)| -y * w).collect();
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
    let settings = DefaultSettings {
        verbose: false,
        tol_gap_abs: 1e-13,
        tol_gap_rel: 1e-13,
        tol_feas: 1e-12,
        ..DefaultSettings::default()
    };
    let mut solver = DefaultSolver::new(&p, &q, &a, &b, &[NonnegativeConeT(rows.len())], settings).unwrap();
    solver.solve();
    assert!(matches!(solver.solution.status, SolverStatus::Solved | SolverStatus::AlmostSolved));
    solver.solution.x.clone()
}

/// Slices of one volatility each, moved by noise; forwards, discounting and strikes differ.
fn classes() -> impl Strategy<Value = Vec<PutSlice>> {
    let slice = (
        prop::collection::btree_set(70_u32..135, 1..7),
        0.95..1.0_f64,
        90.0..110.0_f64,
        prop::collection::vec((-0.3..0.3_f64, 0.5..5.0_f64, prop::bool::weighted(0.9)), 7),
        prop::bool::weighted(0.85),
    );
    prop::collection::vec(slice, 1..5).prop_map(|slices| {
        let mut out = Vec::new();
        for (t, (strikes, discount_factor, forward, noise, calendar)) in slices.into_iter().enumerate() {
            let time = 0.1 * (t + 1) as f64;
            let strikes: Vec<f64> = strikes.into_iter().map(f64::from).collect();
            let price = |k: f64| black::price(OptionType::Put, forward, k, time, 0.2, discount_factor);
            out.push(PutSlice {
                put: strikes.iter().zip(&noise).map(|(k, n)| n.2.then(|| (price(*k) + n.0).max(0.0))).collect(),
                weight: noise.iter().take(strikes.len()).map(|n| n.1).collect(),
                strikes,
                discount_factor,
                forward_present_value: discount_factor * forward,
                calendar,
            });
        }
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_nearest_puts_under_every_chord(slices in classes()) {
        let settings = PublishSettings { projection_tolerance: 1e-9, projection_sweeps_max: 100_000, ..PublishSettings::default() };
        let mut found = slices.clone();
        let report = project_european(&mut found, &settings);
        let (rows, y, weights) = all_rows(&slices);
        let ours: Vec<f64> = found
            .iter()
            .flat_map(|s| s.put.iter().flatten().map(|p| p / s.forward_present_value))
            .collect();
        let violation = rows.iter().fold(0.0_f64, |most, (terms, bound)| {
            most.max(terms.iter().map(|(n, c)| c * ours[*n]).sum::<f64>() - bound)
        });
        // Chords broken by less than two millionths of about a hundred are left to the integers.
        prop_assert!(violation < 4e-8, "violation {violation:e}, {report:?}");
        if !y.is_empty() {
            // Where row-wise descent is cut off, slices are finished one by one: feasible, and near the optimum.
            let cost = |x: &[f64]| x.iter().zip(&y).zip(&weights).map(|((x, y), w)| w * (x - y) * (x - y)).sum::<f64>();
            let (own, best) = (cost(&ours), cost(&solve(&rows, &y, &weights)));
            prop_assert!(own <= best * 1.1 + 1e-6, "cost {own} against {best}");
        }
    }
}

#[test]
fn two_later_expiries_together_bound_an_earlier_one() {
    let slice = |strikes: &[f64], put: &[f64]| PutSlice {
        strikes: strikes.to_vec(),
        put: put.iter().map(|p| Some(*p)).collect(),
        weight: vec![1.0; put.len()],
        discount_factor: 1.0,
        forward_present_value: 100.0,
        calendar: true,
    };
    // The chord from (90, 1.0) of the second to (110, 11.0) of the third is 6.0 at 100; no pair sees it.
    let mut slices = vec![slice(&[100.0], &[6.3]), slice(&[90.0], &[1.0]), slice(&[110.0], &[11.0])];
    let report = project_european(&mut slices, &PublishSettings::default());
    assert!(report.converged);
    let put = |t: usize| slices[t].put[0].unwrap();
    // Equal weights: each moves by its coefficient, -1, 1/2, 1/2, times 0.3 / 1.5.
    assert!((put(0) - 6.1).abs() < 1e-6 && (put(1) - 1.1).abs() < 1e-6 && (put(2) - 11.1).abs() < 1e-6, "{slices:?}");
}
