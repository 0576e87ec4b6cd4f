//! The program against Clarabel.

use super::Program;
use crate::smoothing::row::{Row, RowKind, rescaled};
use crate::vocabulary::SolverStatus;
use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver, SupportedConeT};

/// The same program with elastic variables written out, by Clarabel.
fn oracle(curvature: &[f64], rows: &[Row]) -> Vec<f64> {
    let n = curvature.len();
    let elastic: Vec<usize> = (0..rows.len()).filter(|r| rows[*r].penalty.is_finite()).collect();
    let columns = n + elastic.len();
    let mut p = vec![vec![0.0; columns]; columns];
    let mut q = vec![0.0; columns];
    for (i, c) in curvature.iter().enumerate() {
        p[i][i] = *c;
    }
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for (r, row) in rows.iter().enumerate() {
        let mut line = vec![0.0; columns];
        for (j, coefficient) in row.coefficients.iter().enumerate().filter(|(j, _)| row.first + j < n) {
            line[row.first + j] = -coefficient;
        }
        if let Some(v) = elastic.iter().position(|e| *e == r) {
            line[n + v] = -1.0;
            q[n + v] = row.penalty;
        }
        a.push(line);
        b.push(-row.bound);
    }
    for v in 0..elastic.len() {
        let mut line = vec![0.0; columns];
        line[n + v] = -1.0;
        a.push(line);
        b.push(0.0);
    }
    let settings = DefaultSettingsBuilder::default()
        .verbose(false)
        .tol_gap_abs(1e-13)
        .tol_gap_rel(1e-13)
        .tol_feas(1e-12)
        .build()
        .unwrap();
    let cones = [SupportedConeT::NonnegativeConeT(b.len())];
    let (p, a) = (CscMatrix::from(p.iter()), CscMatrix::from(a.iter()));
    let mut solver = DefaultSolver::new(&p, &q, &a, &b, &cones, settings).unwrap();
    solver.solve();
    solver.solution.x[..n].to_vec()
}

#[test]
fn agrees_with_clarabel_on_noisy_curves() {
    let mut state = 7_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    for case in 0..40 {
        let n = 3 + case;
        // Second differences of a smooth convex curve less noise: about half of the rows are broken at the aim.
        let curvature: Vec<f64> = (0..n).map(|_| 0.25 + uniform()).collect();
        let mut rows = Vec::new();
        for i in 1..n - 1 {
            let coefficients = [0.5, -1.0, 0.5];
            let bound = 2.0 * uniform() - 1.0;
            rows.push(Row {
                first: i - 1,
                coefficients,
                bound,
                penalty: f64::INFINITY,
                kind: RowKind::Convex,
                node: i,
            });
        }
        for i in 0..n {
            let coefficients = [if uniform() < 0.5 { 1.0 } else { -1.0 }, 0.0, 0.0];
            let bound = uniform() - 0.8;
            rows.push(Row { first: i, coefficients, bound, penalty: 5.0, kind: RowKind::Bid, node: i });
        }
        let mut program = Program::default();
        let outcome = program.solve(&curvature, &rows, 60);
        assert_eq!(outcome.status, SolverStatus::Converged, "{case}: {outcome:?}");
        for (ours, theirs) in program.e.iter().zip(oracle(&curvature, &rows)) {
            // In half-spreads, of the order of 1e-4 of the forward: 1e-7 of it even where a row is degenerate.
            assert!((ours - theirs).abs() < 5e-4, "{case}: {ours} against {theirs}");
        }
    }
}

#[test]
fn other_starts_and_other_units_find_the_same_point() {
    let mut state = 11_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    for n in 3..30 {
        let curvature: Vec<f64> = (0..n).map(|_| 0.25 + uniform()).collect();
        let rows: Vec<Row> = (1..n - 1)
            .map(|i| Row {
                first: i - 1,
                coefficients: [0.5, -1.0, 0.5],
                bound: 2.0 * uniform() - 1.0,
                penalty: f64::INFINITY,
                kind: RowKind::Convex,
                node: i,
            })
            .collect();
        let theirs = oracle(&curvature, &rows);
        let mut program = Program::default();
        // A parabola that is convex by more than any bound.
        let start: Vec<f64> = (0..n).map(|i| 2.5 * (i * i) as f64).collect();
        let outcome = program.solve_from(&start, &curvature, &rows, 200);
        assert_eq!(outcome.status, SolverStatus::Converged, "{n}: {outcome:?}");
        for (ours, theirs) in program.e.iter().zip(&theirs) {
            assert!((ours - theirs).abs() < 5e-4, "{n}: {ours} against {theirs}");
        }
        let ratio: Vec<f64> = (0..n).map(|_| 1.0 + 9.0 * uniform()).collect();
        let scaled: Vec<f64> = curvature.iter().zip(&ratio).map(|(c, r)| c * r * r).collect();
        let outcome = program.solve(&scaled, &rescaled(&rows, &ratio), 60);
        assert_eq!(outcome.status, SolverStatus::Converged, "{n}: {outcome:?}");
        for ((ours, ratio), theirs) in program.e.iter().zip(&ratio).zip(&theirs) {
            assert!((ours * ratio - theirs).abs() < 5e-4, "{n}: {ours} against {theirs}");
        }
    }
}
