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
    pub e: Vec<f64>,
    pub multipliers: Vec<f64>,
    slack: Vec<f64>,
    violation: Vec<f64>,
    matrix: Pentadiagonal,
    step_e: Vec<f64>,
    step_multiplier: Vec<f64>,
    step_slack: Vec<f64>,
    step_violation: Vec<f64>,
    primal: Vec<f64>,
    dual: Vec<f64>,
    weight: Vec<f64>,
    center_slack: Vec<f64>,
    center_violation: Vec<f64>,
    best_e: Vec<f64>,
    best_multipliers: Vec<f64>,
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
        for vector in [&mut self.e, &mut self.step_e, &mut self.dual] {
            vector.clear();
            vector.resize(n, 0.0);
        }
        for vector in [
            &mut self.multipliers,
            &mut self.slack,
            &mut self.violation,
            &mut self.step_multiplier,
            &mut self.step_slack,
            &mut self.step_violation,
            &mut self.primal,
            &mut self.weight,
            &mut self.center_slack,
            &mut self.center_violation,
        ] {
            vector.clear();
            vector.resize(rows.len(), 0.0);
        }
        let mut product = START_PRODUCT;
        if let Some(start) = start {
            self.e.copy_from_slice(start);
            // As far from the sides as the start is from the aim.
            product = start.iter().fold(0.0, |sum, e| sum + e * e / n as f64).clamp(START_PRODUCT, 1e12);
        }
        for (r, row) in rows.iter().enumerate() {
            let gap = row.dot(&self.e) - row.bound;
            // Products of the order of one from the start, or far rows dictate the first steps.
            if row.penalty.is_finite() {
                self.slack[r] = gap.max(0.0) + START_SLACK;
                self.violation[r] = (-gap).max(0.0) + START_SLACK;
            } else if start.is_some() && gap > 0.0 {
                // Inside already: the rows hold from the first step to the last.
                self.slack[r] = gap.max(INNER_SLACK);
            } else {
                // A broken row starts as far inside as it is outside, or the first steps find no room.
                self.slack[r] = gap.abs().max(START_SLACK);
            }
            let most = if start.is_some() { f64::INFINITY } else { 1.0 };
            self.multipliers[r] = (product / self.slack[r]).min(most).min(0.5 * row.penalty);
        }
        self.best_e.clear();
        self.best_e.extend_from_slice(&self.e);
        self.best_multipliers.clear();
        self.best_multipliers.extend_from_slice(&self.multipliers);
    }

    /// Solves from nothing; the best iterate stays in `e` and `multipliers`.
    pub(super) fn solve(&mut self, curvature: &[f64], rows: &[Row], iterations_max: u32) -> Outcome {
        self.reset(curvature.len(), rows, None);
        self.iterate(curvature, rows, iterations_max)
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
        self.iterate(curvature, rows, iterations_max)
    }

    fn iterate(&mut self, curvature: &[f64], rows: &[Row], iterations_max: u32) -> Outcome {
        let pairs = rows.iter().fold(0.0, |sum, row| sum + if row.penalty.is_finite() { 2.0 } else { 1.0 });
        let mut best = f64::INFINITY;
        let (mut since, mut least_gap) = (0, f64::INFINITY);
        let mut status = SolverStatus::MaxIterations;
        let mut iterations = 0;
        for iteration in 0..iterations_max.max(1) {
            iterations = iteration;
            let gap = self.residuals(curvature, rows) / f64::max(pairs, 1.0);
            let merit = self.merit(curvature, rows, gap);
            if merit.is_nan() {
                status = SolverStatus::Breakdown;
                break;
            }
            // A tenth less of either is progress; anything else only delays the end.
            since = if merit < 0.9 * best || gap < 0.9 * least_gap { 0 } else { since + 1 };
            least_gap = least_gap.min(gap);
            if merit < best {
                best = merit;
                self.best_e.copy_from_slice(&self.e);
                self.best_multipliers.copy_from_slice(&self.multipliers);
            }
            if best <= TOLERANCE || since > STALL {
                break;
            }
            if !self.factor(curvature, rows) {
                status = SolverStatus::Breakdown;
                break;
            }
            self.center_affine(rows);
            self.direction(rows);
            let reach = self.reach(rows);
            let mu = self.gap_after(rows, reach) / f64::max(pairs, 1.0);
            let ratio = (mu / gap).clamp(0.0, 1.0);
            self.center_corrected(rows, ratio * ratio * ratio * gap, 1.0);
            self.direction(rows);
            let mut reach = self.reach(rows);
            if reach < STEP_MIN {
                // Too near a side: back to the middle, and farther in, first.
                self.center_corrected(rows, CENTER * gap, 0.0);
                self.direction(rows);
                reach = self.reach(rows);
            }
            let mut step = (0.995 * reach).min(1.0);
            for _ in 0..BACKTRACKS_MAX {
                if self.centred(rows, step, pairs) {
                    break;
                }
                step *= 0.8;
            }
            self.advance(step);
        }
        self.e.copy_from_slice(&self.best_e);
        self.multipliers.copy_from_slice(&self.best_multipliers);
        if best <= ACCEPTABLE {
            status = SolverStatus::Converged;
        }
        Outcome { status, iterations, residual: best }
    }

    /// Primal and dual residuals; returns the sum of complementarity products.
    fn residuals(&mut self, curvature: &[f64], rows: &[Row]) -> f64 {
        for ((dual, c), e) in self.dual.iter_mut().zip(curvature).zip(&self.e) {
            *dual = c * e;
        }
        let mut sum = 0.0;
        for (r, row) in rows.iter().enumerate() {
            row.add(-self.multipliers[r], &mut self.dual);
            self.primal[r] = row.dot(&self.e) + self.violation[r] - self.slack[r] - row.bound;
            sum += self.slack[r] * self.multipliers[r];
            if row.penalty.is_finite() {
                sum += self.violation[r] * (row.penalty - self.multipliers[r]);
            }
        }
        sum
    }

    fn merit(&self, curvature: &[f64], rows: &[Row], gap: f64) -> f64 {
        let mut merit = 0.0_f64;
        let mut nan = gap.is_nan();
        let mut objective = 0.0;
        for ((dual, c), e) in self.dual.iter().zip(curvature).zip(&self.e) {
            let scaled = dual.abs() / (1.0 + (c * e).abs());
            nan |= scaled.is_nan();
            merit = merit.max(scaled);
            objective += 0.5 * c * e * e;
        }
        for (primal, row) in self.primal.iter().zip(rows) {
            merit = merit.max(primal.abs() / (1.0 + row.bound.abs()));
        }
        let merit = merit.max(gap / (1.0 + objective / f64::max(1.0, self.e.len() as f64)));
        if nan { f64::NAN } else { merit }
    }
}
