//! One step of the interior point: factor, directions, and how far they may be followed.

use super::super::row::Row;
use super::Program;

/// Pivots cancelled below this share of their diagonal are rounding.
const PIVOT_SHARE: f64 = 1e-15;
/// Least product against the mean: nearer to a side the next steps would be short.
const NEIGHBOURHOOD: f64 = 1e-3;

impl Program {
    pub(super) fn factor(&mut self, curvature: &[f64], rows: &[Row]) -> bool {
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

    pub(super) fn center_affine(&mut self, rows: &[Row]) {
        for (r, row) in rows.iter().enumerate() {
            self.center_slack[r] = -self.slack[r] * self.multipliers[r];
            self.center_violation[r] =
                if row.penalty.is_finite() { -self.violation[r] * (row.penalty - self.multipliers[r]) } else { 0.0 };
        }
    }

    pub(super) fn center_corrected(&mut self, rows: &[Row], mu: f64, second_order: f64) {
        for (r, row) in rows.iter().enumerate() {
            let step = second_order * self.step_multiplier[r];
            self.center_slack[r] = mu - self.slack[r] * self.multipliers[r] - self.step_slack[r] * step;
            if row.penalty.is_finite() {
                self.center_violation[r] =
                    mu - self.violation[r] * (row.penalty - self.multipliers[r]) + self.step_violation[r] * step;
            }
        }
    }

    pub(super) fn direction(&mut self, rows: &[Row]) {
        for (step, dual) in self.step_e.iter_mut().zip(&self.dual) {
            *step = -dual;
        }
        for (r, row) in rows.iter().enumerate() {
            let mut right = -self.primal[r] + self.center_slack[r] / self.multipliers[r];
            if row.penalty.is_finite() {
                right -= self.center_violation[r] / (row.penalty - self.multipliers[r]);
            }
            self.step_multiplier[r] = right;
            row.add(self.weight[r] * right, &mut self.step_e);
        }
        self.matrix.solve(&mut self.step_e);
        for (r, row) in rows.iter().enumerate() {
            let step = self.weight[r] * (self.step_multiplier[r] - row.dot(&self.step_e));
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
    pub(super) fn reach(&self, rows: &[Row]) -> f64 {
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
    pub(super) fn centred(&self, rows: &[Row], step: f64, pairs: f64) -> bool {
        let least = NEIGHBOURHOOD * self.gap_after(rows, step) / f64::max(pairs, 1.0);
        rows.iter().enumerate().all(|(r, row)| {
            let multiplier = self.multipliers[r] + step * self.step_multiplier[r];
            let held = (self.slack[r] + step * self.step_slack[r]) * multiplier >= least;
            let violation = self.violation[r] + step * self.step_violation[r];
            held && (row.penalty.is_infinite() || violation * (row.penalty - multiplier) >= least)
        })
    }

    pub(super) fn gap_after(&self, rows: &[Row], step: f64) -> f64 {
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

    pub(super) fn advance(&mut self, step: f64) {
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
