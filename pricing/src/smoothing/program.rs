//! Tier 2's quadratic program: a primal-dual interior point whose every step costs O(n).

use super::banded::Pentadiagonal;
use crate::vocabulary::SolverStatus;

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKind {
    /// Convexity at a node.
    Convex,
    /// Slope at the upper end, or a price not negative.
    Slope,
    /// An earlier expiry.
    Calendar,
    /// A bid.
    Bid,
    /// An ask.
    Ask,
}

/// `coefficients . e[first..] >= bound`; elastic where `penalty` is finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    pub first: usize,
    pub coefficients: [f64; 3],
    pub bound: f64,
    /// Price of a unit of violation.
    pub penalty: f64,
    pub kind: RowKind,
    /// The node it is about.
    pub node: usize,
}

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
/// Pivots cancelled below this share of their diagonal are rounding.
const PIVOT_SHARE: f64 = 1e-15;
/// Least slack of a start inside the rows: nearer ones would start with multipliers beyond all measure.
const INNER_SLACK: f64 = 1e-3;
/// Largest product of slack and multiplier at the start.
const START_PRODUCT: f64 = 10.0;
/// Steps shorter than this are replaced by centring ones.
const STEP_MIN: f64 = 0.15;
/// Least product against the mean: nearer to a side the next steps would be short.
const NEIGHBOURHOOD: f64 = 1e-3;
const BACKTRACKS_MAX: u32 = 12;
/// A centring step aims at a larger mean product: steps are short where the products fell faster than the rows' residuals.
const CENTER: f64 = 3.0;

fn dot(row: &Row, x: &[f64]) -> f64 {
    let window = x.get(row.first..).unwrap_or(&[]);
    row.coefficients.iter().zip(window).fold(0.0, |sum, (a, x)| sum + a * x)
}

fn add(row: &Row, factor: f64, x: &mut [f64]) {
    let window = x.get_mut(row.first..).unwrap_or(&mut []);
    for (a, x) in row.coefficients.iter().zip(window) {
        *x += a * factor;
    }
}

impl Program {
    /// The rows in larger units: `ratio` of new to old for each variable, each row scaled to a largest coefficient of 1.
    pub(super) fn rescaled(rows: &[Row], ratio: &[f64]) -> Vec<Row> {
        let scaled = |row: &Row| {
            let mut out = *row;
            let window = ratio.get(row.first..).unwrap_or(&[]);
            for (coefficient, ratio) in out.coefficients.iter_mut().zip(window) {
                *coefficient *= ratio;
            }
            let largest = out.coefficients.iter().fold(1e-300_f64, |most, c| most.max(c.abs()));
            out.coefficients.iter_mut().for_each(|c| *c /= largest);
            out.bound /= largest;
            out
        };
        rows.iter().map(scaled).collect()
    }

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
            let gap = dot(row, &self.e) - row.bound;
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
            add(row, -self.multipliers[r], &mut self.dual);
            self.primal[r] = dot(row, &self.e) + self.violation[r] - self.slack[r] - row.bound;
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

    fn factor(&mut self, curvature: &[f64], rows: &[Row]) -> bool {
        self.matrix.reset(curvature.len());
        for (bands, c) in self.matrix.bands.iter_mut().zip(curvature) {
            bands[0] = *c;
        }
        for (r, row) in rows.iter().enumerate() {
            let mut inverse = self.slack[r] / self.multipliers[r];
            if row.penalty.is_finite() {
                inverse += self.violation[r] / (row.penalty - self.multipliers[r]);
            }
            let d = 1.0 / inverse;
            self.weight[r] = d;
            let [a, b, c] = row.coefficients;
            let window = self.matrix.bands.get_mut(row.first..).unwrap_or(&mut []);
            for (bands, add) in window.iter_mut().zip([[a * a, a * b, a * c], [b * b, b * c, 0.0], [c * c, 0.0, 0.0]]) {
                for (band, add) in bands.iter_mut().zip(add) {
                    *band += d * add;
                }
            }
        }
        self.matrix.factor_above(PIVOT_SHARE)
    }

    fn center_affine(&mut self, rows: &[Row]) {
        for (r, row) in rows.iter().enumerate() {
            self.center_slack[r] = -self.slack[r] * self.multipliers[r];
            self.center_violation[r] =
                if row.penalty.is_finite() { -self.violation[r] * (row.penalty - self.multipliers[r]) } else { 0.0 };
        }
    }

    fn center_corrected(&mut self, rows: &[Row], mu: f64, second_order: f64) {
        for (r, row) in rows.iter().enumerate() {
            let step = second_order * self.step_multiplier[r];
            self.center_slack[r] = mu - self.slack[r] * self.multipliers[r] - self.step_slack[r] * step;
            if row.penalty.is_finite() {
                self.center_violation[r] =
                    mu - self.violation[r] * (row.penalty - self.multipliers[r]) + self.step_violation[r] * step;
            }
        }
    }

    fn direction(&mut self, rows: &[Row]) {
        for (step, dual) in self.step_e.iter_mut().zip(&self.dual) {
            *step = -dual;
        }
        for (r, row) in rows.iter().enumerate() {
            let mut right = -self.primal[r] + self.center_slack[r] / self.multipliers[r];
            if row.penalty.is_finite() {
                right -= self.center_violation[r] / (row.penalty - self.multipliers[r]);
            }
            self.step_multiplier[r] = right;
            add(row, self.weight[r] * right, &mut self.step_e);
        }
        self.matrix.solve(&mut self.step_e);
        for (r, row) in rows.iter().enumerate() {
            let step = self.weight[r] * (self.step_multiplier[r] - dot(row, &self.step_e));
            self.step_multiplier[r] = step;
            self.step_slack[r] = (self.center_slack[r] - self.slack[r] * step) / self.multipliers[r];
            self.step_violation[r] = if row.penalty.is_finite() {
                (self.center_violation[r] + self.violation[r] * step) / (row.penalty - self.multipliers[r])
            } else {
                0.0
            };
        }
    }

    /// Largest step at which slacks and multipliers stay non-negative.
    fn reach(&self, rows: &[Row]) -> f64 {
        let mut reach = 1.0 / 0.995;
        let mut limit = |value: f64, step: f64| {
            if step < 0.0 && value + reach * step < 0.0 {
                reach = -value / step;
            }
        };
        for (r, row) in rows.iter().enumerate() {
            limit(self.slack[r], self.step_slack[r]);
            limit(self.multipliers[r], self.step_multiplier[r]);
            if row.penalty.is_finite() {
                limit(self.violation[r], self.step_violation[r]);
                limit(row.penalty - self.multipliers[r], -self.step_multiplier[r]);
            }
        }
        reach
    }

    /// Whether no product of slack and multiplier falls far below their mean after a step.
    fn centred(&self, rows: &[Row], step: f64, pairs: f64) -> bool {
        let least = NEIGHBOURHOOD * self.gap_after(rows, step) / f64::max(pairs, 1.0);
        rows.iter().enumerate().all(|(r, row)| {
            let multiplier = self.multipliers[r] + step * self.step_multiplier[r];
            let held = (self.slack[r] + step * self.step_slack[r]) * multiplier >= least;
            let violation = self.violation[r] + step * self.step_violation[r];
            held && (row.penalty.is_infinite() || violation * (row.penalty - multiplier) >= least)
        })
    }

    fn gap_after(&self, rows: &[Row], step: f64) -> f64 {
        let step = step.min(1.0);
        let mut sum = 0.0;
        for (r, row) in rows.iter().enumerate() {
            let multiplier = self.multipliers[r] + step * self.step_multiplier[r];
            sum += (self.slack[r] + step * self.step_slack[r]) * multiplier;
            if row.penalty.is_finite() {
                sum += (self.violation[r] + step * self.step_violation[r]) * (row.penalty - multiplier);
            }
        }
        sum
    }

    fn advance(&mut self, step: f64) {
        let pairs = [
            (&mut self.e, &self.step_e),
            (&mut self.multipliers, &self.step_multiplier),
            (&mut self.slack, &self.step_slack),
            (&mut self.violation, &self.step_violation),
        ];
        for (values, steps) in pairs {
            for (value, change) in values.iter_mut().zip(steps) {
                *value += step * change;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Program, Row, RowKind};
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
            let outcome = program.solve(&scaled, &Program::rescaled(&rows, &ratio), 60);
            assert_eq!(outcome.status, SolverStatus::Converged, "{n}: {outcome:?}");
            for ((ours, ratio), theirs) in program.e.iter().zip(&ratio).zip(&theirs) {
                assert!((ours * ratio - theirs).abs() < 5e-4, "{n}: {ours} against {theirs}");
            }
        }
    }
}
