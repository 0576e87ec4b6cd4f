//! One step of the interior point: factor, directions, and how far they may be followed.

use super::Program;
use super::lines::{cut, largest, sum};

/// Pivots cancelled below this share of their diagonal are rounding.
const PIVOT_SHARE: f64 = 1e-15;
/// Least product against the mean: nearer to a side the next steps would be short.
const NEIGHBOURHOOD: f64 = 1e-3;

impl Program {
    #[inline(always)]
    pub(super) fn factor(&mut self, curvature: &[f64]) -> bool {
        let lines = &mut self.lines;
        let n = lines.terms.len();
        let [slack, multiplier, violation, room] =
            cut([&lines.slack, &lines.multiplier, &lines.violation, &lines.room], n);
        let (inverse_slack, inverse_multiplier) = (&mut lines.inverse_slack[..n], &mut lines.inverse_multiplier[..n]);
        let (inverse_violation, inverse_room) = (&mut lines.inverse_violation[..n], &mut lines.inverse_room[..n]);
        let weight = &mut lines.weight[..n];
        for i in 0..n {
            // One division for two inverses.
            let product = slack[i] * multiplier[i];
            let inverse = if product > 0.0 { 1.0 / product } else { 0.0 };
            inverse_slack[i] = multiplier[i] * inverse;
            inverse_multiplier[i] = slack[i] * inverse;
            let product = violation[i] * room[i];
            let inverse = if product > 0.0 { 1.0 / product } else { 0.0 };
            inverse_violation[i] = room[i] * inverse;
            inverse_room[i] = violation[i] * inverse;
            let all = slack[i] * inverse_multiplier[i] + violation[i] * inverse_room[i];
            weight[i] = if all > 0.0 { 1.0 / all } else { 0.0 };
        }
        self.matrix.reset(curvature.len());
        self.layout.squares(curvature, weight, &mut self.matrix.bands);
        self.matrix.factor_above(PIVOT_SHARE)
    }

    /// The direction toward products of zero; returns its reach.
    #[inline(always)]
    pub(super) fn affine(&mut self) -> f64 {
        let lines = &mut self.lines;
        let n = lines.terms.len();
        let [slack, multiplier, violation, room, primal, weight] =
            cut([&lines.slack, &lines.multiplier, &lines.violation, &lines.room, &lines.primal, &lines.weight], n);
        let (center_slack, center_violation) = (&mut lines.center_slack[..n], &mut lines.center_violation[..n]);
        let (right, terms) = (&mut lines.step_multiplier[..n], &mut lines.terms[..n]);
        for i in 0..n {
            center_slack[i] = -slack[i] * multiplier[i];
            center_violation[i] = -violation[i] * room[i];
            right[i] = violation[i] - slack[i] - primal[i];
            terms[i] = weight[i] * right[i];
        }
        self.follow()
    }

    /// The direction toward products of `mu`, less `second_order` times what the last direction leaves; returns its reach.
    #[inline(always)]
    pub(super) fn corrected(&mut self, mu: f64, second_order: f64) -> f64 {
        let lines = &mut self.lines;
        let n = lines.terms.len();
        let [slack, multiplier, violation, room, primal, weight] =
            cut([&lines.slack, &lines.multiplier, &lines.violation, &lines.room, &lines.primal, &lines.weight], n);
        let [inverse_multiplier, inverse_room, elastic, step_slack, step_violation] = cut(
            [&lines.inverse_multiplier, &lines.inverse_room, &lines.elastic, &lines.step_slack, &lines.step_violation],
            n,
        );
        let (center_slack, center_violation) = (&mut lines.center_slack[..n], &mut lines.center_violation[..n]);
        let (right, terms) = (&mut lines.step_multiplier[..n], &mut lines.terms[..n]);
        for i in 0..n {
            let bend = second_order * right[i];
            center_slack[i] = mu - slack[i] * multiplier[i] - step_slack[i] * bend;
            center_violation[i] = elastic[i] * (mu - violation[i] * room[i] + step_violation[i] * bend);
            right[i] = center_slack[i] * inverse_multiplier[i] - primal[i] - center_violation[i] * inverse_room[i];
            terms[i] = weight[i] * right[i];
        }
        self.follow()
    }

    /// Solves for the direction that the rows ask for, by weight in `terms`; returns the largest step at which slacks and
    /// multipliers stay non-negative.
    #[inline(always)]
    fn follow(&mut self) -> f64 {
        let lines = &mut self.lines;
        for (step, dual) in self.step.iter_mut().zip(&self.dual) {
            *step = -dual;
        }
        self.layout.gather(&lines.terms, &mut self.step);
        let n = self.step.len() - 2;
        self.step[n..].fill(0.0);
        self.matrix.solve(&mut self.step[..n]);
        self.layout.products(&self.step, &mut lines.terms);
        let n = lines.terms.len();
        let [slack, violation, weight, center_slack, center_violation] =
            cut([&lines.slack, &lines.violation, &lines.weight, &lines.center_slack, &lines.center_violation], n);
        let [inverse_slack, inverse_multiplier, inverse_violation, inverse_room] =
            cut([&lines.inverse_slack, &lines.inverse_multiplier, &lines.inverse_violation, &lines.inverse_room], n);
        let (step_slack, step_violation) = (&mut lines.step_slack[..n], &mut lines.step_violation[..n]);
        let (step_multiplier, terms) = (&mut lines.step_multiplier[..n], &mut lines.terms[..n]);
        let more = |a: f64, b: f64| if b > a { b } else { a };
        for i in 0..n {
            let step = weight[i] * (step_multiplier[i] - terms[i]);
            step_multiplier[i] = step;
            step_slack[i] = (center_slack[i] - slack[i] * step) * inverse_multiplier[i];
            step_violation[i] = (center_violation[i] + violation[i] * step) * inverse_room[i];
            // The inverse of the longest step, of each of the four.
            let held = more(-step_slack[i] * inverse_slack[i], -step * inverse_multiplier[i]);
            terms[i] = more(held, more(-step_violation[i] * inverse_violation[i], step * inverse_room[i]));
        }
        1.0 / largest(terms, 0.995)
    }

    /// Whether no product of slack and multiplier falls far below their mean after a step.
    #[inline(always)]
    pub(super) fn centred(&mut self, step: f64, pairs: f64) -> bool {
        let least = NEIGHBOURHOOD * self.gap_after(step) / pairs;
        let lines = &mut self.lines;
        let n = lines.terms.len();
        let [slack, multiplier, violation, penalty, elastic, weight] =
            cut([&lines.slack, &lines.multiplier, &lines.violation, &lines.penalty, &lines.elastic, &lines.weight], n);
        let [step_slack, step_multiplier, step_violation] =
            cut([&lines.step_slack, &lines.step_multiplier, &lines.step_violation], n);
        let terms = &mut lines.terms[..n];
        for i in 0..n {
            let moved = multiplier[i] + step * step_multiplier[i];
            let held = (slack[i] + step * step_slack[i]) * moved;
            let violation = (violation[i] + step * step_violation[i]) * (penalty[i] - moved);
            let lower = if violation < held { violation } else { held };
            let lower = if elastic[i] > 0.0 { lower } else { held };
            terms[i] = if weight[i] > 0.0 { least - lower } else { 0.0 };
        }
        largest(terms, 0.0) <= 0.0
    }

    /// The sum of all products after a step.
    #[inline(always)]
    pub(super) fn gap_after(&mut self, step: f64) -> f64 {
        let step = step.min(1.0);
        let lines = &mut self.lines;
        let n = lines.terms.len();
        let [slack, multiplier, violation, penalty] =
            cut([&lines.slack, &lines.multiplier, &lines.violation, &lines.penalty], n);
        let [step_slack, step_multiplier, step_violation] =
            cut([&lines.step_slack, &lines.step_multiplier, &lines.step_violation], n);
        let terms = &mut lines.terms[..n];
        for i in 0..n {
            let moved = multiplier[i] + step * step_multiplier[i];
            let violation = violation[i] + step * step_violation[i];
            terms[i] = (slack[i] + step * step_slack[i]) * moved + violation * (penalty[i] - moved);
        }
        sum(terms)
    }

    #[inline(always)]
    pub(super) fn advance(&mut self, step: f64) {
        for (value, change) in self.x.iter_mut().zip(&self.step) {
            *value += step * change;
        }
        let lines = &mut self.lines;
        let n = lines.terms.len();
        let [step_slack, step_multiplier, step_violation, penalty] =
            cut([&lines.step_slack, &lines.step_multiplier, &lines.step_violation, &lines.penalty], n);
        let (slack, multiplier) = (&mut lines.slack[..n], &mut lines.multiplier[..n]);
        let (violation, room) = (&mut lines.violation[..n], &mut lines.room[..n]);
        for i in 0..n {
            multiplier[i] += step * step_multiplier[i];
            slack[i] += step * step_slack[i];
            violation[i] += step * step_violation[i];
            room[i] = penalty[i] - multiplier[i];
        }
    }
}
