//! One step of the interior point: factor, directions, and how far they may be followed.

use super::Program;

/// Pivots cancelled below this share of their diagonal are rounding.
const PIVOT_SHARE: f64 = 1e-15;
/// Least product against the mean: nearer to a side the next steps would be short.
const NEIGHBOURHOOD: f64 = 1e-3;

impl Program {
    pub(super) fn factor(&mut self, curvature: &[f64]) -> bool {
        self.matrix.reset(curvature.len());
        for (bands, c) in self.matrix.bands.iter_mut().zip(curvature) {
            bands[0] = *c;
        }
        for row in &mut self.rows {
            let mut inverse = row.slack / row.multiplier;
            if row.elastic {
                inverse += row.violation / row.room;
            }
            row.weight = 1.0 / inverse;
            let [a, b, c] = row.coefficients;
            let window = self.matrix.bands.get_mut(row.first..).unwrap_or(&mut []);
            match window {
                [bands, ..] if b == 0.0 && c == 0.0 => bands[0] += row.weight * (a * a),
                _ => {
                    let products = [[a * a, a * b, a * c], [b * b, b * c, 0.0], [c * c, 0.0, 0.0]];
                    for (bands, add) in window.iter_mut().zip(products) {
                        for (band, add) in bands.iter_mut().zip(add) {
                            *band += row.weight * add;
                        }
                    }
                }
            }
        }
        self.matrix.factor_above(PIVOT_SHARE)
    }

    /// The direction toward products of zero; returns its reach.
    pub(super) fn affine(&mut self) -> f64 {
        for (step, dual) in self.step.iter_mut().zip(&self.dual) {
            *step = -dual;
        }
        for row in &mut self.rows {
            row.center_slack = -row.slack * row.multiplier;
            row.center_violation = if row.elastic { -row.violation * row.room } else { 0.0 };
            row.push(&mut self.step);
        }
        self.follow()
    }

    /// The direction toward products of `mu`, less `second_order` times what the last direction leaves; returns its reach.
    pub(super) fn corrected(&mut self, mu: f64, second_order: f64) -> f64 {
        for (step, dual) in self.step.iter_mut().zip(&self.dual) {
            *step = -dual;
        }
        for row in &mut self.rows {
            let step = second_order * row.step_multiplier;
            row.center_slack = mu - row.slack * row.multiplier - row.step_slack * step;
            if row.elastic {
                row.center_violation = mu - row.violation * row.room + row.step_violation * step;
            }
            row.push(&mut self.step);
        }
        self.follow()
    }

    /// Solves for the direction whose right side is in `step`; returns the largest step at which slacks and multipliers
    /// stay non-negative.
    fn follow(&mut self) -> f64 {
        let n = self.step.len() - 2;
        self.step[n..].fill(0.0);
        self.matrix.solve(&mut self.step[..n]);
        let mut reach = 1.0 / 0.995;
        let mut limit = |value: f64, step: f64| {
            if step < 0.0 && value + reach * step < 0.0 {
                reach = -value / step;
            }
        };
        for row in &mut self.rows {
            let step = row.weight * (row.step_multiplier - row.dot(&self.step));
            row.step_multiplier = step;
            row.step_slack = (row.center_slack - row.slack * step) / row.multiplier;
            limit(row.slack, row.step_slack);
            limit(row.multiplier, step);
            if row.elastic {
                row.step_violation = (row.center_violation + row.violation * step) / row.room;
                limit(row.violation, row.step_violation);
                limit(row.room, -step);
            }
        }
        reach
    }

    /// Whether no product of slack and multiplier falls far below their mean after a step.
    pub(super) fn centred(&self, step: f64, pairs: f64) -> bool {
        let least = NEIGHBOURHOOD * self.gap_after(step) / pairs;
        self.rows.iter().all(|row| {
            let multiplier = row.multiplier + step * row.step_multiplier;
            let held = (row.slack + step * row.step_slack) * multiplier >= least;
            let violation = row.violation + step * row.step_violation;
            held && (!row.elastic || violation * (row.penalty - multiplier) >= least)
        })
    }

    pub(super) fn gap_after(&self, step: f64) -> f64 {
        let step = step.min(1.0);
        let mut sum = 0.0;
        for row in &self.rows {
            let multiplier = row.multiplier + step * row.step_multiplier;
            sum += (row.slack + step * row.step_slack) * multiplier;
            if row.elastic {
                sum += (row.violation + step * row.step_violation) * (row.penalty - multiplier);
            }
        }
        sum
    }

    pub(super) fn advance(&mut self, step: f64) {
        for (value, change) in self.x.iter_mut().zip(&self.step) {
            *value += step * change;
        }
        for row in &mut self.rows {
            row.multiplier += step * row.step_multiplier;
            row.slack += step * row.step_slack;
            row.violation += step * row.step_violation;
            row.make_room();
        }
    }
}

impl super::Held {
    /// Adds what the row asks of a direction; the bare right side stays in `step_multiplier`.
    fn push(&mut self, direction: &mut [f64]) {
        let mut right = -self.primal + self.center_slack / self.multiplier;
        if self.elastic {
            right -= self.center_violation / self.room;
        }
        self.step_multiplier = right;
        self.add(self.weight * right, direction);
    }
}
