//! Tier 2's quadratic program: a primal-dual interior point whose every step costs O(n).

mod step;
#[cfg(test)]
mod tests;

use super::banded::Pentadiagonal;
use super::row::Row;
use crate::vocabulary::SolverStatus;

/// How a solution ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outcome {
    pub status: SolverStatus,
    pub iterations: u32,
    /// The largest of the scaled primal, dual and complementarity residuals.
    pub residual: f64,
}

/// Minimises `sum_i c_i e_i^2 / 2 + penalties` under banded rows.
///
/// # Formula
/// Row r has a slack `s >= 0` with multiplier `l`, and where elastic a violation `v >= 0` with multiplier
/// `penalty - l`. Eliminating both leaves `(C + A^T d A) de = r` with `d = 1 / (s/l + v/(penalty - l))`, pentadiagonal
/// because no row spans more than three neighbours.
///
/// # Source
/// Mehrotra (1992), On the implementation of a primal-dual interior point method.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    /// The best iterate, and each row's multiplier there.
    pub e: Vec<f64>,
    pub multipliers: Vec<f64>,
    rows: Vec<Held>,
    matrix: Pentadiagonal,
    /// The iterate, its step and the dual residual; two zeros stand behind each, so that every row has three places.
    x: Vec<f64>,
    step: Vec<f64>,
    dual: Vec<f64>,
}

/// A row with what holds it.
#[derive(Clone, Copy, Debug)]
struct Held {
    first: usize,
    coefficients: [f64; 3],
    bound: f64,
    penalty: f64,
    elastic: bool,
    slack: f64,
    multiplier: f64,
    violation: f64,
    /// The violation's multiplier, `penalty - multiplier`; of a hard row beyond everything.
    room: f64,
    primal: f64,
    weight: f64,
    center_slack: f64,
    center_violation: f64,
    step_slack: f64,
    step_multiplier: f64,
    step_violation: f64,
}

impl Held {
    fn dot(&self, x: &[f64]) -> f64 {
        let ([a, b, c], x) = (self.coefficients, &x[self.first..self.first + 3]);
        a * x[0] + b * x[1] + c * x[2]
    }

    fn add(&self, factor: f64, x: &mut [f64]) {
        let x = &mut x[self.first..self.first + 3];
        for (x, a) in x.iter_mut().zip(self.coefficients) {
            *x += a * factor;
        }
    }

    fn make_room(&mut self) {
        self.room = (self.penalty - self.multiplier).min(f64::MAX);
    }
}

const TOLERANCE: f64 = 1e-10;
/// A stalled solution this good is still a solution.
const ACCEPTABLE: f64 = 1e-6;
const STALL: u32 = 12;
/// Slack at the start of a row that holds nothing more.
const START_SLACK: f64 = 1.0;
/// Least slack of a start inside the rows: nearer ones would start with multipliers beyond all measure.
const INNER_SLACK: f64 = 1e-3;
/// Largest product of slack and multiplier at the start.
const START_PRODUCT: f64 = 10.0;
/// Steps shorter than this are replaced by centring ones.
const STEP_MIN: f64 = 0.15;
const BACKTRACKS_MAX: u32 = 12;
/// A centring step aims at a larger mean product: steps are short where the products fell faster than the rows' residuals.
const CENTER: f64 = 3.0;

impl Program {
    fn reset(&mut self, n: usize, rows: &[Row], start: Option<&[f64]>) {
        for vector in [&mut self.x, &mut self.step, &mut self.dual] {
            vector.clear();
            vector.resize(n + 2, 0.0);
        }
        let mut product = START_PRODUCT;
        if let Some(start) = start {
            self.x[..n].copy_from_slice(start);
            // As far from the sides as the start is from the aim.
            product = start.iter().fold(0.0, |sum, e| sum + e * e / n as f64).clamp(START_PRODUCT, 1e12);
        }
        self.rows.clear();
        for row in rows {
            let elastic = row.penalty.is_finite();
            let mut held = Held {
                first: row.first,
                coefficients: row.coefficients,
                bound: row.bound,
                penalty: row.penalty,
                elastic,
                slack: 0.0,
                multiplier: 0.0,
                violation: 0.0,
                room: 0.0,
                primal: 0.0,
                weight: 0.0,
                center_slack: 0.0,
                center_violation: 0.0,
                step_slack: 0.0,
                step_multiplier: 0.0,
                step_violation: 0.0,
            };
            let gap = held.dot(&self.x) - row.bound;
            // Products of the order of one from the start, or far rows dictate the first steps.
            if elastic {
                held.slack = gap.max(0.0) + START_SLACK;
                held.violation = (-gap).max(0.0) + START_SLACK;
            } else if start.is_some() && gap > 0.0 {
                // Inside already: the rows hold from the first step to the last.
                held.slack = gap.max(INNER_SLACK);
            } else {
                // A broken row starts as far inside as it is outside, or the first steps find no room.
                held.slack = gap.abs().max(START_SLACK);
            }
            let most = if start.is_some() { f64::INFINITY } else { 1.0 };
            held.multiplier = (product / held.slack).min(most).min(0.5 * row.penalty);
            held.make_room();
            self.rows.push(held);
        }
        self.keep(n);
    }

    /// Solves from nothing; the best iterate stays in `e` and `multipliers`.
    pub(super) fn solve(&mut self, curvature: &[f64], rows: &[Row], iterations_max: u32) -> Outcome {
        self.reset(curvature.len(), rows, None);
        self.iterate(curvature, iterations_max)
    }

    /// Solves from a point inside the hard rows: slower where all goes well, but no row's residual can lag behind the
    /// products of slacks and multipliers, which is what stops [`Program::solve`] short.
    pub(super) fn solve_from(
        &mut self,
        start: &[f64],
        curvature: &[f64],
        rows: &[Row],
        iterations_max: u32,
    ) -> Outcome {
        self.reset(curvature.len(), rows, Some(start));
        self.iterate(curvature, iterations_max)
    }

    fn iterate(&mut self, curvature: &[f64], iterations_max: u32) -> Outcome {
        let pairs = self.rows.iter().fold(0.0, |sum, row| sum + if row.elastic { 2.0 } else { 1.0 });
        let pairs = f64::max(pairs, 1.0);
        let mut best = f64::INFINITY;
        let (mut since, mut least_gap) = (0, f64::INFINITY);
        let mut status = SolverStatus::MaxIterations;
        let mut iterations = 0;
        for iteration in 0..iterations_max.max(1) {
            iterations = iteration;
            let (sum, primal) = self.residuals(curvature);
            let gap = sum / pairs;
            let merit = self.merit(curvature, primal, gap);
            if merit.is_nan() {
                status = SolverStatus::Breakdown;
                break;
            }
            // A tenth less of either is progress; anything else only delays the end.
            since = if merit < 0.9 * best || gap < 0.9 * least_gap { 0 } else { since + 1 };
            least_gap = least_gap.min(gap);
            if merit < best {
                best = merit;
                self.keep(curvature.len());
            }
            if best <= TOLERANCE || since > STALL {
                break;
            }
            if !self.factor(curvature) {
                status = SolverStatus::Breakdown;
                break;
            }
            let reach = self.affine();
            let ratio = (self.gap_after(reach) / pairs / gap).clamp(0.0, 1.0);
            let mut reach = self.corrected(ratio * ratio * ratio * gap, 1.0);
            if reach < STEP_MIN {
                // Too near a side: back to the middle, and farther in, first.
                reach = self.corrected(CENTER * gap, 0.0);
            }
            let mut step = (0.995 * reach).min(1.0);
            for _ in 0..BACKTRACKS_MAX {
                if self.centred(step, pairs) {
                    break;
                }
                step *= 0.8;
            }
            self.advance(step);
        }
        if best <= ACCEPTABLE {
            status = SolverStatus::Converged;
        }
        Outcome { status, iterations, residual: best }
    }

    /// Keeps the iterate as the best one.
    fn keep(&mut self, n: usize) {
        self.e.clear();
        self.e.extend_from_slice(&self.x[..n]);
        self.multipliers.clear();
        self.multipliers.extend(self.rows.iter().map(|row| row.multiplier));
    }

    /// Primal and dual residuals; returns the sum of complementarity products and the largest scaled primal residual.
    fn residuals(&mut self, curvature: &[f64]) -> (f64, f64) {
        for ((dual, c), e) in self.dual.iter_mut().zip(curvature).zip(&self.x) {
            *dual = c * e;
        }
        let (mut sum, mut largest) = (0.0, 0.0_f64);
        for row in &mut self.rows {
            row.add(-row.multiplier, &mut self.dual);
            row.primal = row.dot(&self.x) + row.violation - row.slack - row.bound;
            largest = largest.max(row.primal.abs() / (1.0 + row.bound.abs()));
            sum += row.slack * row.multiplier;
            if row.elastic {
                sum += row.violation * row.room;
            }
        }
        (sum, largest)
    }

    fn merit(&self, curvature: &[f64], primal: f64, gap: f64) -> f64 {
        let mut merit = primal;
        let mut nan = gap.is_nan();
        let mut objective = 0.0;
        for ((dual, c), e) in self.dual.iter().zip(curvature).zip(&self.x) {
            let scaled = dual.abs() / (1.0 + (c * e).abs());
            nan |= scaled.is_nan();
            merit = merit.max(scaled);
            objective += 0.5 * c * e * e;
        }
        let merit = merit.max(gap / (1.0 + objective / f64::max(1.0, curvature.len() as f64)));
        if nan { f64::NAN } else { merit }
    }
}
