//! Fengler's arbitrage-free smoothing of call prices: one quadratic program a slice, from the last expiry backward.
//!
//! # Source
//! Fengler (2009), "Arbitrage-free smoothing of the implied volatility surface", Quantitative Finance 9(4): natural cubic
//! spline `(g, gamma)` of the calls, `gamma >= 0`, slopes and bounds, and not above the later expiry at equal forward
//! moneyness. The smoothing parameter is chosen by cross-validation of the unconstrained spline.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver, SolverStatus, SupportedConeT};
use closemark_pricing::math::exp;
use closemark_pricing::smoothing::SliceInput;

use super::banded;
use super::points::{Curve, points};

/// Trial values of the smoothing parameter.
const TRIALS: u32 = 9;
const FOLDS: usize = 5;

/// A natural cubic spline of calls over `F - R`, at `m = (K - R)/(F - R)`.
struct Spline {
    m: Vec<f64>,
    g: Vec<f64>,
    gamma: Vec<f64>,
}

impl Spline {
    fn value(&self, x: f64) -> f64 {
        let n = self.m.len();
        if n < 2 {
            return self.g.first().copied().unwrap_or(0.0).max((1.0 - x).max(0.0));
        }
        let right = self.m.partition_point(|m| *m <= x).clamp(1, n - 1);
        let left = right - 1;
        let h = self.m[right] - self.m[left];
        let chord = (self.g[right] - self.g[left]) / h;
        let value = if x < self.m[0] {
            self.g[0] + (chord - h * self.gamma[1] / 6.0).max(-1.0) * (x - self.m[0])
        } else if x > self.m[n - 1] {
            self.g[right] + (chord + h * self.gamma[left] / 6.0).min(0.0) * (x - self.m[right])
        } else {
            let b = (x - self.m[left]) / h;
            let a = 1.0 - b;
            let bend = (a * a * a - a) * self.gamma[left] + (b * b * b - b) * self.gamma[right];
            a * self.g[left] + b * self.g[right] + bend * h * h / 6.0
        };
        value.max((1.0 - x).max(0.0))
    }
}

/// Fits all slices of a class.
pub(super) fn fit(inputs: &[SliceInput]) -> Vec<Curve> {
    let mut curves = vec![Curve::default(); inputs.len()];
    let mut later: Option<Spline> = None;
    for (input, curve) in inputs.iter().zip(&mut curves).rev() {
        let bound = later.as_ref().filter(|_| input.calendar);
        let Some(spline) = slice(input, bound) else {
            *curve = Curve { price: vec![None; input.strikes.len()], volatility: vec![None; input.strikes.len()] };
            continue;
        };
        let scale = input.forward - input.dividend_shift;
        let prices = input.strikes.iter().map(|strike| {
            let m = (strike - input.dividend_shift) / scale;
            let call = spline.value(m) * scale / input.forward;
            let price = if *strike < input.forward { call - 1.0 + strike / input.forward } else { call };
            Some(price.max(0.0))
        });
        *curve = Curve::of_price(input, prices.collect());
        if input.calendar {
            later = Some(spline);
        }
    }
    curves
}

fn slice(input: &SliceInput, later: Option<&Spline>) -> Option<Spline> {
    let points = points(input);
    let scale = input.forward - input.dividend_shift;
    let unit = input.forward / scale;
    let place = |node: usize| input.strikes.get(node).map(|strike| (strike - input.dividend_shift) / scale);
    let m: Vec<f64> = points.iter().filter_map(|p| place(p.node)).collect();
    // A call over the scale: the price out of the money, plus exercise value below the forward.
    let y: Vec<f64> = points.iter().zip(&m).map(|(p, m)| p.price * unit + (1.0 - m).max(0.0)).collect();
    let half: Vec<f64> = points.iter().map(|p| (p.half_price * unit).max(1e-12)).collect();
    if m.is_empty() || m.len() != points.len() {
        return None;
    }
    if m.len() < 4 {
        return Some(Spline { gamma: vec![0.0; m.len()], m, g: y });
    }
    let lambda = cross_validated(&m, &y, &half)?;
    constrained(&m, &y, &half, lambda, later)
}

/// The trial value with the least squared left-out error in half-spreads.
fn cross_validated(m: &[f64], y: &[f64], half: &[f64]) -> Option<f64> {
    let span = m.last()? - m.first()?;
    let gap = span / (m.len() - 1) as f64;
    let mut halves = half.to_vec();
    halves.sort_by(f64::total_cmp);
    let weight = 1.0 / (halves[halves.len() / 2] * halves[halves.len() / 2]);
    let mut best: Option<(f64, f64)> = None;
    for trial in 0..TRIALS {
        // Bandwidths from under one gap to the whole width.
        let share = f64::from(trial) / f64::from(TRIALS - 1);
        let bandwidth = 0.3 * gap * exp(share * closemark_pricing::math::ln(span / (0.3 * gap)));
        let lambda = weight * bandwidth * bandwidth * bandwidth * bandwidth / gap;
        let mut cost = 0.0;
        for fold in 0..FOLDS {
            let left = |i: usize| i > 0 && i + 1 < m.len() && i % FOLDS == fold;
            let take = |v: &[f64]| v.iter().enumerate().filter(|(i, _)| !left(*i)).map(|(_, v)| *v).collect::<Vec<_>>();
            let Some(spline) = unconstrained(&take(m), &take(y), &take(half), lambda) else { continue };
            for i in (0..m.len()).filter(|i| left(*i)) {
                let miss = (spline.value(m[i]) - y[i]) / half[i];
                // One stale quote must not choose for all.
                cost += (miss * miss).min(25.0);
            }
        }
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, lambda));
        }
    }
    best.map(|(_, lambda)| lambda)
}

/// Reinsch's system for the unconstrained spline.
fn unconstrained(m: &[f64], y: &[f64], half: &[f64], lambda: f64) -> Option<Spline> {
    let inner = m.len().checked_sub(2)?;
    let h: Vec<f64> = m.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Column j of Q has 1/h_j, -(1/h_j + 1/h_{j+1}), 1/h_{j+1}.
    let q = |j: usize| [1.0 / h[j], -1.0 / h[j] - 1.0 / h[j + 1], 1.0 / h[j + 1]];
    let v: Vec<f64> = half.iter().map(|h| h * h).collect();
    let product = |j: usize, l: usize| -> f64 {
        (0..3).filter(|i| j + i >= l && j + i - l < 3).map(|i| q(j)[i] * q(l)[j + i - l] * v[j + i]).sum()
    };
    let bands = (0..inner)
        .map(|j| {
            let first = if j + 1 < inner { h[j + 1] / 6.0 + lambda * product(j, j + 1) } else { 0.0 };
            let second = if j + 2 < inner { lambda * product(j, j + 2) } else { 0.0 };
            [(h[j] + h[j + 1]) / 3.0 + lambda * product(j, j), first, second]
        })
        .collect();
    let right = (0..inner).map(|j| (0..3).map(|i| q(j)[i] * y[j + i]).sum()).collect();
    let bend = banded::solve(bands, right)?;
    let mut g = y.to_vec();
    for (j, bend) in bend.iter().enumerate() {
        for i in 0..3 {
            g[j + i] -= lambda * v[j + i] * q(j)[i] * bend;
        }
    }
    let gamma = [0.0].into_iter().chain(bend).chain([0.0]).collect();
    Some(Spline { m: m.to_vec(), g, gamma })
}

/// A sparse row under construction.
type Sparse = Vec<(usize, f64)>;

/// Fengler's program. Variables: `u_i = (g_i - y_i)/h_i` and inner second derivatives in units of the mean one.
fn constrained(m: &[f64], y: &[f64], half: &[f64], lambda: f64, later: Option<&Spline>) -> Option<Spline> {
    let n = m.len();
    let inner = n - 2;
    let h: Vec<f64> = m.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let span = m[n - 1] - m[0];
    let unit = 1.0 / span;
    let mut equal: Vec<(Sparse, f64)> = Vec::new();
    let mut less: Vec<(Sparse, f64)> = Vec::new();
    for j in 0..inner {
        let q = [1.0 / h[j], -1.0 / h[j] - 1.0 / h[j + 1], 1.0 / h[j + 1]];
        let mut row: Sparse = (0..3).map(|i| (j + i, q[i] * half[j + i])).collect();
        row.push((n + j, -unit * (h[j] + h[j + 1]) / 3.0));
        if j > 0 {
            row.push((n + j - 1, -unit * h[j] / 6.0));
        }
        if j + 1 < inner {
            row.push((n + j + 1, -unit * h[j + 1] / 6.0));
        }
        let known: f64 = (0..3).map(|i| q[i] * y[j + i]).sum();
        equal.push((row, -known));
        less.push((vec![(n + j, -1.0)], 0.0));
    }
    // First slope at least -1, last at most 0.
    let (a, b) = (h[0], h[n - 2]);
    less.push((vec![(0, half[0] / a), (1, -half[1] / a), (n, unit * a / 6.0)], 1.0 + (y[1] - y[0]) / a));
    less.push((
        vec![(n - 1, half[n - 1] / b), (n - 2, -half[n - 2] / b), (n + inner - 1, unit * b / 6.0)],
        -(y[n - 1] - y[n - 2]) / b,
    ));
    for i in 0..n {
        let floor = (1.0 - m[i]).max(0.0);
        less.push((vec![(i, -half[i])], y[i] - floor));
        let within =
            later.filter(|s| s.m.first().is_some_and(|a| *a <= m[i]) && s.m.last().is_some_and(|b| *b >= m[i]));
        if let Some(later) = within {
            less.push((vec![(i, half[i])], later.value(m[i]) - y[i]));
        }
    }
    let columns = n + inner;
    let mut p: Vec<Sparse> = vec![Vec::new(); columns];
    for (i, column) in p.iter_mut().enumerate().take(n) {
        column.push((i, 2.0));
    }
    for j in 0..inner {
        let scale = 2.0 * lambda * unit * unit;
        p[n + j].push((n + j, scale * (h[j] + h[j + 1]) / 3.0));
        if j > 0 {
            // Upper triangle only.
            p[n + j].insert(0, (n + j - 1, scale * h[j] / 6.0));
        }
    }
    let mut a: Vec<Sparse> = vec![Vec::new(); columns];
    let mut right = Vec::new();
    let (equalities, inequalities) = (equal.len(), less.len());
    for (r, (mut row, bound)) in equal.into_iter().chain(less).enumerate() {
        let largest = row.iter().fold(1e-300_f64, |most, (_, value)| most.max(value.abs()));
        row.sort_by_key(|(column, _)| *column);
        for (column, value) in row {
            a[column].push((r, value / largest));
        }
        right.push(bound / largest);
    }
    let rows = right.len();
    let settings = DefaultSettingsBuilder::default().verbose(false).max_iter(100).build().ok()?;
    let cones = [SupportedConeT::ZeroConeT(equalities), SupportedConeT::NonnegativeConeT(inequalities)];
    let linear = vec![0.0; columns];
    let mut solver = DefaultSolver::new(
        &sparse(columns, columns, &p),
        &linear,
        &sparse(rows, columns, &a),
        &right,
        &cones,
        settings,
    )
    .ok()?;
    solver.solve();
    let sound = matches!(solver.solution.status, SolverStatus::Solved | SolverStatus::AlmostSolved);
    let x = &solver.solution.x;
    if !sound || x.iter().any(|x| !x.is_finite()) {
        return unconstrained(m, y, half, lambda);
    }
    let g = (0..n).map(|i| y[i] + half[i] * x[i]).collect();
    let bends = x.iter().skip(n).map(|bend| bend * unit);
    Some(Spline { m: m.to_vec(), g, gamma: [0.0].into_iter().chain(bends).chain([0.0]).collect() })
}

fn sparse(rows: usize, columns: usize, entries: &[Sparse]) -> CscMatrix<f64> {
    let (mut starts, mut places, mut values) = (vec![0], Vec::new(), Vec::new());
    for column in entries {
        places.extend(column.iter().map(|(row, _)| *row));
        values.extend(column.iter().map(|(_, value)| *value));
        starts.push(values.len());
    }
    CscMatrix::new(rows, columns, starts, places, values)
}

#[cfg(test)]
mod tests {
    use super::{constrained, unconstrained};

    /// Calls under one volatility, with the third of them too dear.
    fn bumped() -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let m: Vec<f64> = (0..12).map(|i| 0.8 + 0.04 * f64::from(i)).collect();
        let call = |m: f64| {
            let price = super::super::points::price(m, 0.2, 0.25);
            if m < 1.0 { price + 1.0 - m } else { price }
        };
        let mut y: Vec<f64> = m.iter().map(|m| call(*m)).collect();
        y[6] += 0.01;
        let half = vec![0.002; 12];
        (m, y, half)
    }

    #[test]
    fn the_constrained_spline_is_convex_where_the_free_one_is_not() {
        let (m, y, half) = bumped();
        let free = unconstrained(&m, &y, &half, 1.0).unwrap();
        assert!(free.gamma.iter().any(|bend| *bend < -1e-3));
        let held = constrained(&m, &y, &half, 1.0, None).unwrap();
        assert!(held.gamma.iter().all(|bend| *bend > -1e-6), "{:?}", held.gamma);
        // Where nothing is broken both are one.
        let calm: Vec<f64> = y.iter().enumerate().map(|(i, y)| if i == 6 { y - 0.01 } else { *y }).collect();
        let (free, held) =
            (unconstrained(&m, &calm, &half, 1.0).unwrap(), constrained(&m, &calm, &half, 1.0, None).unwrap());
        for (a, b) in free.g.iter().zip(&held.g) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}
