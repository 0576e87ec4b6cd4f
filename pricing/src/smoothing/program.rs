//! Tier 2's quadratic program: a primal-dual interior point whose every step costs O(n).

mod lines;
mod step;
#[cfg(test)]
mod tests;

use multiversion::multiversion;

use super::banded::Pentadiagonal;
use super::row::Row;
use crate::vocabulary::SolverStatus;
use lines::{Layout, Lines, cut, largest, sum};

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
    layout: Layout,
    lines: Lines,
    matrix: Pentadiagonal,
    /// The iterate, its step and the dual residual; two zeros stand behind each, so that every row has three places.
    x: Vec<f64>,
    step: Vec<f64>,
    dual: Vec<f64>,
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
        self.lines.reset(self.layout.arrange(n, rows));
        let lines = &mut self.lines;
        self.layout.products(&self.x, &mut lines.terms);
        for (row, place) in rows.iter().zip(&self.layout.places) {
            let i = *place as usize;
            let elastic = row.penalty.is_finite();
            let gap = lines.terms[i] - row.bound;
            // Products of the order of one from the start, or far rows dictate the first steps.
            let slack = if elastic {
                lines.violation[i] = (-gap).max(0.0) + START_SLACK;
                gap.max(0.0) + START_SLACK
            } else if start.is_some() && gap > 0.0 {
                // Inside already: the rows hold from the first step to the last.
                gap.max(INNER_SLACK)
            } else {
                // A broken row starts as far inside as it is outside, or the first steps find no room.
                gap.abs().max(START_SLACK)
            };
            let most = if start.is_some() { f64::INFINITY } else { 1.0 };
            lines.slack[i] = slack;
            lines.multiplier[i] = (product / slack).min(most).min(0.5 * row.penalty);
            lines.bound[i] = row.bound;
            lines.scale[i] = 1.0 / (1.0 + row.bound.abs());
            lines.penalty[i] = row.penalty.min(f64::MAX);
            lines.elastic[i] = if elastic { 1.0 } else { 0.0 };
            lines.room[i] = lines.penalty[i] - lines.multiplier[i];
        }
        self.keep(n);
    }

    /// Solves from nothing; the best iterate stays in `e` and `multipliers`.
    pub(super) fn solve(&mut self, curvature: &[f64], rows: &[Row], iterations_max: u32) -> Outcome {
        self.reset(curvature.len(), rows, None);
        iterate(self, curvature, iterations_max)
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
        iterate(self, curvature, iterations_max)
    }

    /// Keeps the iterate as the best one.
    #[inline(always)]
    fn keep(&mut self, n: usize) {
        self.e.clear();
        self.e.extend_from_slice(&self.x[..n]);
        self.multipliers.clear();
        self.multipliers.extend(self.layout.places.iter().map(|place| self.lines.multiplier[*place as usize]));
    }

    /// Primal and dual residuals; returns the sum of complementarity products and the largest scaled primal residual.
    #[inline(always)]
    fn residuals(&mut self, curvature: &[f64]) -> (f64, f64) {
        let Lines { primal, terms, multiplier, slack, violation, room, bound, scale, .. } = &mut self.lines;
        let n = terms.len();
        self.dual.fill(0.0);
        self.layout.gather(multiplier, &mut self.dual);
        for (dual, (c, e)) in self.dual.iter_mut().zip(curvature.iter().zip(&self.x)) {
            *dual = c * e - *dual;
        }
        self.layout.products(&self.x, primal);
        let [slack, violation, bound, scale] = cut([slack, violation, bound, scale], n);
        let (primal, terms) = (&mut primal[..n], &mut terms[..n]);
        for i in 0..n {
            primal[i] = primal[i] + violation[i] - slack[i] - bound[i];
            terms[i] = primal[i].abs() * scale[i];
        }
        let most = largest(terms, 0.0);
        let [multiplier, room] = cut([multiplier, room], n);
        for i in 0..n {
            terms[i] = slack[i] * multiplier[i] + violation[i] * room[i];
        }
        (sum(terms), most)
    }

    #[inline(always)]
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

/// The steps from what [`Program::reset`] prepared.
///
/// The host chooses the width of the instructions; the operations, and with them the bits, are the same.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn iterate(program: &mut Program, curvature: &[f64], iterations_max: u32) -> Outcome {
    let pairs = program.layout.places.len() as f64 + sum(&program.lines.elastic);
    let pairs = f64::max(pairs, 1.0);
    let mut best = f64::INFINITY;
    let (mut since, mut least_gap) = (0, f64::INFINITY);
    let mut status = SolverStatus::MaxIterations;
    let mut iterations = 0;
    for iteration in 0..iterations_max.max(1) {
        iterations = iteration;
        let (sum, primal) = program.residuals(curvature);
        let gap = sum / pairs;
        let merit = program.merit(curvature, primal, gap);
        if merit.is_nan() {
            status = SolverStatus::Breakdown;
            break;
        }
        // A tenth less of either is progress; anything else only delays the end.
        since = if merit < 0.9 * best || gap < 0.9 * least_gap { 0 } else { since + 1 };
        least_gap = least_gap.min(gap);
        if merit < best {
            best = merit;
            program.keep(curvature.len());
        }
        if best <= TOLERANCE || since > STALL {
            break;
        }
        if !program.factor(curvature) {
            status = SolverStatus::Breakdown;
            break;
        }
        let reach = program.affine();
        let ratio = (program.gap_after(reach) / pairs / gap).clamp(0.0, 1.0);
        let mut reach = program.corrected(ratio * ratio * ratio * gap, 1.0);
        if reach < STEP_MIN {
            // Too near a side: back to the middle, and farther in, first.
            reach = program.corrected(CENTER * gap, 0.0);
        }
        let mut step = (0.995 * reach).min(1.0);
        for _ in 0..BACKTRACKS_MAX {
            if program.centred(step, pairs) {
                break;
            }
            step *= 0.8;
        }
        program.advance(step);
    }
    if best <= ACCEPTABLE {
        status = SolverStatus::Converged;
    }
    Outcome { status, iterations, residual: best }
}
