//! One slice's projection by a primal-dual interior point with a banded factor, for what row-wise descent would
//! take thousands of sweeps: convexity over long, nearly straight stretches of strikes.
//!
//! # Source
//! Mehrotra (1992), "On the implementation of a primal-dual interior point method": predictor and corrector with one
//! factor. Letters as there: slack `s`, multiplier `lambda`, complementarity `mu`.

use super::hildreth::largest_excess;
use super::rows::Row;

/// Iterations are few where the method works at all.
const ITERATIONS_MAX: u32 = 60;
/// Share of the way to the boundary.
const STEP_SHARE: f64 = 0.995;

/// The nearest point of one slice.
pub(crate) struct Nearest {
    pub(crate) x: Vec<f64>,
    /// One per row, non-negative.
    pub(crate) multipliers: Vec<f64>,
}

/// The point nearest to `target` in `sum (dx)^2 / inverse_weight` with every row met to `tolerance`, from `start`;
/// `None` where no such point is reached. Rows speak of places in `target`; the fewer places lie between those of one row,
/// the faster.
pub(crate) fn nearest(
    rows: &[Row],
    inverse_weights: &[f64],
    target: &[f64],
    start: &[f64],
    tolerance: f64,
) -> Option<Nearest> {
    // A quarter of the tolerance gives an interior to sets that have none, where premiums stand at exercise.
    let relaxed = |row: &Row, x: &[f64]| row.excess(x) - 0.25 * tolerance;
    let mut x = start.to_vec();
    let scale = rows.iter().map(|r| relaxed(r, &x)).fold(1e-6, f64::max);
    let mut s: Vec<f64> = rows.iter().map(|r| (-relaxed(r, &x)).max(scale)).collect();
    let mut lambda: Vec<f64> = s.iter().map(|s| scale * scale / s).collect();
    let mut band = Band::new(rows, target.len());
    let count = rows.len().max(1) as f64;
    for _ in 0..ITERATIONS_MAX {
        let infeasible: Vec<f64> = rows.iter().zip(&s).map(|(r, s)| relaxed(r, &x) + s).collect();
        let mu = s.iter().zip(&lambda).map(|(s, l)| s * l).sum::<f64>() / count;
        let worst = infeasible.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        let gradient = gradient(rows, inverse_weights, target, &x, &lambda);
        let stationary = gradient.iter().zip(inverse_weights).fold(0.0, |a: f64, (g, v)| a.max((g * v).abs()));
        if !(mu.is_finite() && worst.is_finite() && stationary.is_finite()) {
            return None;
        }
        if worst <= 0.05 * tolerance && mu <= 0.1 * tolerance * tolerance && stationary <= tolerance {
            break;
        }
        let ratio: Vec<f64> = lambda.iter().zip(&s).map(|(l, s)| l / s).collect();
        if band.factor(rows, inverse_weights, &ratio).is_none() {
            break;
        }
        let newton = |complementarity: &[f64]| {
            let mut dx: Vec<f64> = gradient.iter().map(|g| -g).collect();
            for (((row, c), (s, l)), p) in rows.iter().zip(complementarity).zip(s.iter().zip(&lambda)).zip(&infeasible)
            {
                let push = (c - l * p) / s;
                for (n, a) in row.terms() {
                    if let Some(d) = dx.get_mut(n) {
                        *d += a * push;
                    }
                }
            }
            band.solve(&mut dx);
            let ds: Vec<f64> = rows.iter().zip(&infeasible).map(|(r, p)| -p - r.product(&dx)).collect();
            let dl: Vec<f64> = (complementarity.iter().zip(&ds).zip(s.iter().zip(&lambda)))
                .map(|((c, ds), (s, l))| (-c - l * ds) / s)
                .collect();
            (dx, ds, dl)
        };
        let plain: Vec<f64> = s.iter().zip(&lambda).map(|(s, l)| s * l).collect();
        let (_, ds, dl) = newton(&plain);
        let step = longest(&s, &ds).min(longest(&lambda, &dl));
        let reached =
            s.iter().zip(&ds).zip(lambda.iter().zip(&dl)).map(|((s, ds), (l, dl))| (s + step * ds) * (l + step * dl));
        let share = reached.sum::<f64>() / count / mu;
        let centre = share * share * share * mu;
        let corrected: Vec<f64> =
            plain.iter().zip(ds.iter().zip(&dl)).map(|(c, (ds, dl))| c + ds * dl - centre).collect();
        let (dx, ds, dl) = newton(&corrected);
        let step = (STEP_SHARE * longest(&s, &ds).min(longest(&lambda, &dl))).min(1.0);
        advance(&mut x, &dx, step);
        advance(&mut s, &ds, step);
        advance(&mut lambda, &dl, step);
    }
    // A point that meets every row serves, even where the last digits of its distance were out of reach.
    (largest_excess(rows, &x) <= tolerance).then_some(Nearest { x, multipliers: lambda })
}

/// `W (x - target) + A' lambda`.
fn gradient(rows: &[Row], inverse_weights: &[f64], target: &[f64], x: &[f64], lambda: &[f64]) -> Vec<f64> {
    let mut out: Vec<f64> = x.iter().zip(target).zip(inverse_weights).map(|((x, t), v)| (x - t) / v).collect();
    for (row, l) in rows.iter().zip(lambda) {
        for (n, a) in row.terms() {
            if let Some(g) = out.get_mut(n) {
                *g += a * l;
            }
        }
    }
    out
}

/// The step at which the first value reaches zero; at most just above 1, so that a share of it may still be whole.
fn longest(values: &[f64], steps: &[f64]) -> f64 {
    values.iter().zip(steps).filter(|&(_, d)| *d < 0.0).map(|(v, d)| -v / d).fold(1.0 / STEP_SHARE, f64::min)
}

fn advance(values: &mut [f64], steps: &[f64], step: f64) {
    for (v, d) in values.iter_mut().zip(steps) {
        *v += step * d;
    }
}

/// `W + A' diag(ratio) A` and its Cholesky factor: row `i` holds columns `i - width ..= i`.
struct Band {
    width: usize,
    size: usize,
    cells: Vec<f64>,
}

impl Band {
    fn new(rows: &[Row], size: usize) -> Self {
        let width = rows
            .iter()
            .filter_map(|r| Some(r.terms().map(|t| t.0).max()? - r.terms().map(|t| t.0).min()?))
            .max()
            .unwrap_or(0);
        Self { width, size, cells: vec![0.0; size * (width + 1)] }
    }

    /// The place of column `j <= i` in row `i`; `j >= i - width`.
    fn place(&self, i: usize, j: usize) -> usize {
        i * (self.width + 1) + self.width + j - i
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        self.cells.get(self.place(i, j)).copied().unwrap_or(0.0)
    }

    fn add(&mut self, i: usize, j: usize, value: f64) {
        let place = self.place(i, j);
        if let Some(cell) = self.cells.get_mut(place) {
            *cell += value;
        }
    }

    /// `None` where the matrix is not positive definite in floating point.
    fn factor(&mut self, rows: &[Row], inverse_weights: &[f64], ratio: &[f64]) -> Option<()> {
        self.cells.fill(0.0);
        for (i, v) in inverse_weights.iter().enumerate().take(self.size) {
            self.add(i, i, 1.0 / v);
        }
        for (row, ratio) in rows.iter().zip(ratio) {
            for (i, a) in row.terms() {
                for (j, b) in row.terms().filter(|&(j, _)| j <= i) {
                    self.add(i, j, a * b * ratio);
                }
            }
        }
        for i in 0..self.size {
            let first = i.saturating_sub(self.width);
            for j in first..=i {
                let from = first.max(j.saturating_sub(self.width));
                let mut sum = self.at(i, j);
                for k in from..j {
                    sum -= self.at(i, k) * self.at(j, k);
                }
                let value = if i == j { sum.sqrt() } else { sum / self.at(j, j) };
                if !value.is_finite() || (i == j && value <= 0.0) {
                    return None;
                }
                let place = self.place(i, j);
                *self.cells.get_mut(place)? = value;
            }
        }
        Some(())
    }

    /// The first column of row `i`, its cells before the diagonal, and the diagonal.
    fn row(&self, i: usize) -> Option<(usize, &[f64], f64)> {
        let first = i.saturating_sub(self.width);
        let cells = self.cells.get(self.place(i, first)..=self.place(i, i))?;
        let (diagonal, before) = cells.split_last()?;
        Some((first, before, *diagonal))
    }

    /// Solves in place with the factor.
    fn solve(&self, b: &mut [f64]) {
        for i in 0..self.size {
            let Some((first, before, diagonal)) = self.row(i) else { return };
            let (known, rest) = b.split_at_mut(i);
            let sum: f64 = before.iter().zip(known.get(first..).unwrap_or(&[])).map(|(l, x)| l * x).sum();
            if let Some(x) = rest.first_mut() {
                *x = (*x - sum) / diagonal;
            }
        }
        for i in (0..self.size).rev() {
            let Some((first, before, diagonal)) = self.row(i) else { return };
            let (open, rest) = b.split_at_mut(i);
            let Some(x) = rest.first_mut() else { return };
            *x /= diagonal;
            for (l, y) in before.iter().zip(open.get_mut(first..).unwrap_or(&mut [])) {
                *y -= l * *x;
            }
        }
    }
}
