//! One slice's projection by a primal-dual interior point with a banded factor, for what row-wise descent would
//! take thousands of sweeps: convexity over long, nearly straight stretches of strikes.
//!
//! # Source
//! Mehrotra (1992), "On the implementation of a primal-dual interior point method": predictor and corrector with one
//! factor. Letters as there: slack `s`, multiplier `lambda`, complementarity `mu`.

use super::band::Band;
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
    if target.is_empty() {
        let nothing = Nearest { x: Vec::new(), multipliers: vec![0.0; rows.len()] };
        return (largest_excess(rows, &[]) <= tolerance).then_some(nothing);
    }
    // A quarter of the tolerance gives an interior to sets that have none, where premiums stand at exercise.
    let terms: Vec<Terms> = rows.iter().map(|row| Terms::of(row, target.len(), 0.25 * tolerance)).collect();
    let mut point = Point::new(&terms, start);
    let mut newton = Newton { dx: vec![0.0; target.len()], ds: vec![0.0; rows.len()], dl: vec![0.0; rows.len()] };
    let mut gradient = vec![0.0; target.len()];
    let [mut infeasible, mut ratio, mut products] = [(); 3].map(|()| vec![0.0; rows.len()]);
    let mut band = Band::new(&terms, target.len());
    let count = rows.len().max(1) as f64;
    for _ in 0..ITERATIONS_MAX {
        let Point { x, s, lambda } = &point;
        for (((g, x), t), v) in gradient.iter_mut().zip(x).zip(target).zip(inverse_weights) {
            *g = (x - t) / v;
        }
        let (mut sum, mut worst) = (0.0, 0.0_f64);
        for (((row, s), l), infeasible) in terms.iter().zip(s).zip(lambda).zip(&mut infeasible) {
            *infeasible = row.excess(x) + s;
            worst = worst.max(infeasible.abs());
            sum += s * l;
            row.add(*l, &mut gradient);
        }
        let mu = sum / count;
        let stationary = gradient.iter().zip(inverse_weights).fold(0.0, |a: f64, (g, v)| a.max((g * v).abs()));
        if !(mu.is_finite() && worst.is_finite() && stationary.is_finite()) {
            return None;
        }
        if worst <= 0.05 * tolerance && mu <= 0.1 * tolerance * tolerance && stationary <= tolerance {
            break;
        }
        for ((ratio, l), s) in ratio.iter_mut().zip(lambda).zip(s) {
            *ratio = l / s;
        }
        if band.factor(inverse_weights, &ratio).is_none() {
            break;
        }
        for ((product, s), l) in products.iter_mut().zip(s).zip(lambda) {
            *product = s * l;
        }
        newton.solve(&terms, &band, &gradient, &infeasible, &products, &point);
        let step = newton.longest(&point);
        let reached = newton.products_after(&point, step);
        let share = reached / count / mu;
        let centre = share * share * share * mu;
        for ((product, ds), dl) in products.iter_mut().zip(&newton.ds).zip(&newton.dl) {
            *product = *product + ds * dl - centre;
        }
        newton.solve(&terms, &band, &gradient, &infeasible, &products, &point);
        let step = (STEP_SHARE * newton.longest(&point)).min(1.0);
        point.advance(&newton, step);
    }
    // A point that meets every row serves, even where the last digits of its distance were out of reach.
    let Point { x, lambda, .. } = point;
    (largest_excess(rows, &x) <= tolerance).then_some(Nearest { x, multipliers: lambda })
}

/// A row in a form without gaps: terms that are not there multiply the first place by zero.
pub(super) struct Terms {
    places: [usize; 3],
    coefficients: [f64; 3],
    bound: f64,
    /// How much the row may be exceeded.
    slack: f64,
}

impl Terms {
    fn of(row: &Row, size: usize, slack: f64) -> Self {
        let mut out = Self { places: [0; 3], coefficients: [0.0; 3], bound: row.bound, slack };
        let known = row.terms().filter(|(node, _)| *node < size);
        for ((place, coefficient), (node, a)) in out.places.iter_mut().zip(&mut out.coefficients).zip(known) {
            (*place, *coefficient) = (node, a);
        }
        out
    }

    /// Places with their coefficients.
    pub(super) fn known(&self) -> impl Iterator<Item = (usize, f64)> {
        self.places.into_iter().zip(self.coefficients).filter(|(_, c)| *c != 0.0)
    }

    /// How far its places lie apart.
    pub(super) fn span(&self) -> usize {
        let (low, high) =
            self.known().fold((usize::MAX, 0), |(low, high), (place, _)| (low.min(place), high.max(place)));
        high.saturating_sub(low)
    }

    fn product(&self, x: &[f64]) -> f64 {
        let ([i, j, k], [a, b, c]) = (self.places, self.coefficients);
        a * x[i] + b * x[j] + c * x[k]
    }

    fn excess(&self, x: &[f64]) -> f64 {
        self.product(x) - self.bound - self.slack
    }

    fn add(&self, factor: f64, out: &mut [f64]) {
        for (place, a) in self.places.into_iter().zip(self.coefficients) {
            out[place] += a * factor;
        }
    }
}

/// Where the iteration stands.
struct Point {
    x: Vec<f64>,
    s: Vec<f64>,
    lambda: Vec<f64>,
}

impl Point {
    fn new(terms: &[Terms], start: &[f64]) -> Self {
        let x = start.to_vec();
        let scale = terms.iter().map(|row| row.excess(&x)).fold(1e-6, f64::max);
        let s: Vec<f64> = terms.iter().map(|row| (-row.excess(&x)).max(scale)).collect();
        let lambda = s.iter().map(|s| scale * scale / s).collect();
        Self { x, s, lambda }
    }

    fn advance(&mut self, newton: &Newton, step: f64) {
        let pairs = [(&mut self.x, &newton.dx), (&mut self.s, &newton.ds), (&mut self.lambda, &newton.dl)];
        for (values, steps) in pairs {
            for (v, d) in values.iter_mut().zip(steps) {
                *v += step * d;
            }
        }
    }
}

/// One direction.
struct Newton {
    dx: Vec<f64>,
    ds: Vec<f64>,
    dl: Vec<f64>,
}

impl Newton {
    fn solve(
        &mut self,
        terms: &[Terms],
        band: &Band,
        gradient: &[f64],
        infeasible: &[f64],
        complementarity: &[f64],
        point: &Point,
    ) {
        for (d, g) in self.dx.iter_mut().zip(gradient) {
            *d = -g;
        }
        let pairs = || point.s.iter().zip(&point.lambda).zip(complementarity.iter().zip(infeasible));
        // All divisions first, then what they are added to.
        for (push, ((s, l), (c, p))) in self.dl.iter_mut().zip(pairs()) {
            *push = (c - l * p) / s;
        }
        for (row, push) in terms.iter().zip(&self.dl) {
            row.add(*push, &mut self.dx);
        }
        band.solve(&mut self.dx);
        for ((ds, row), p) in self.ds.iter_mut().zip(terms).zip(infeasible) {
            *ds = -p - row.product(&self.dx);
        }
        for ((dl, ds), ((s, l), (c, _))) in self.dl.iter_mut().zip(&self.ds).zip(pairs()) {
            *dl = (-c - l * ds) / s;
        }
    }

    /// The step at which the first slack or multiplier reaches zero; at most just above 1, so that a share of it may
    /// still be whole.
    fn longest(&self, point: &Point) -> f64 {
        longest(&point.s, &self.ds).min(longest(&point.lambda, &self.dl))
    }

    /// Sum of the products of slacks and multipliers after a step.
    fn products_after(&self, point: &Point, step: f64) -> f64 {
        let slacks = point.s.iter().zip(&self.ds);
        let multipliers = point.lambda.iter().zip(&self.dl);
        slacks.zip(multipliers).fold(0.0, |sum, ((s, ds), (l, dl))| sum + (s + step * ds) * (l + step * dl))
    }
}

fn longest(values: &[f64], steps: &[f64]) -> f64 {
    let mut least = 1.0 / STEP_SHARE;
    for (v, d) in values.iter().zip(steps) {
        // Only what would pass zero within a hair more is worth the division.
        if v + least * (1.0 + 1e-9) * d < 0.0 {
            least = least.min(-v / d);
        }
    }
    least
}
