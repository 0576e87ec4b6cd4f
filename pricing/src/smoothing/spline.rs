//! The penalised cubic smoothing spline, in O(n).

mod lanes;

use super::banded::Pentadiagonal;
pub(super) use lanes::LANES;

/// A natural cubic spline through values at ascending knots; straight outside.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct NaturalCubic {
    /// Knots, strictly ascending.
    pub knots: Vec<f64>,
    /// Values at the knots.
    pub values: Vec<f64>,
    /// Second derivatives at the knots, 0 at both ends.
    pub second: Vec<f64>,
}

impl NaturalCubic {
    /// The value at `y`; 0 without knots.
    pub(super) fn value(&self, y: f64) -> f64 {
        let n = self.knots.len();
        if n < 2 {
            return self.values.first().copied().unwrap_or(0.0);
        }
        let right = self.knots.partition_point(|knot| *knot <= y).clamp(1, n - 1);
        let left = right - 1;
        let h = self.knots[right] - self.knots[left];
        if y < self.knots[0] {
            let slope = (self.values[1] - self.values[0]) / h - h * self.second[1] / 6.0;
            return self.values[0] + slope * (y - self.knots[0]);
        }
        if y > self.knots[n - 1] {
            let slope = (self.values[right] - self.values[left]) / h + h * self.second[left] / 6.0;
            return self.values[right] + slope * (y - self.knots[right]);
        }
        let b = (y - self.knots[left]) / h;
        let a = 1.0 - b;
        let bend = (a * a * a - a) * self.second[left] + (b * b * b - b) * self.second[right];
        a * self.values[left] + b * self.values[right] + bend * h * h / 6.0
    }
}

/// Least squares with a penalty on the square of the second derivative.
///
/// # Formula
/// Minimises `sum w_i (r_i - f(y_i))^2 + lambda * integral f''(y)^2 dy`. With Reinsch's `Q` and `R`:
/// `(R + lambda Q^T W^-1 Q) gamma = Q^T r`, `f = r - lambda W^-1 Q gamma`; the hat matrix is
/// `H = I - lambda W^-1 Q (R + lambda Q^T W^-1 Q)^-1 Q^T`.
///
/// # Source
/// Reinsch (1967), Smoothing by spline functions; Craven and Wahba (1978) for cross-validation.
#[derive(Clone, Debug, Default)]
pub(super) struct SmoothingSpline {
    gaps: Vec<f64>,
    /// Bands of `Q^T W^-1 Q`.
    rough: Vec<[f64; 3]>,
    /// `Q^T r`.
    target: Vec<f64>,
    matrix: Pentadiagonal,
    inverse: Vec<[f64; 3]>,
    gamma: Vec<f64>,
    lanes: lanes::Lanes,
    /// `1 - H_ii` at the last fit.
    pub leave: Vec<f64>,
    /// Fitted values of the last fit.
    pub fitted: Vec<f64>,
}

/// A fit's figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SplineFit {
    /// Weighted sum of squared residuals.
    pub residual: f64,
    /// Trace of the hat matrix.
    pub degrees_of_freedom: f64,
}

impl SmoothingSpline {
    /// Takes at least 3 strictly ascending knots with values and positive weights.
    pub(super) fn prepare(&mut self, knots: &[f64], values: &[f64], weights: &[f64]) {
        let inner = knots.len().saturating_sub(2);
        self.gaps.clear();
        self.gaps.extend(knots.windows(2).map(|pair| pair[1] - pair[0]));
        self.rough.clear();
        self.target.clear();
        for j in 0..inner {
            let (h0, h1) = (self.gaps[j], self.gaps[j + 1]);
            self.target.push((values[j + 2] - values[j + 1]) / h1 - (values[j + 1] - values[j]) / h0);
            let (left, right) = (1.0 / h0, 1.0 / h1);
            let middle = -left - right;
            let diagonal = left * left / weights[j] + middle * middle / weights[j + 1] + right * right / weights[j + 2];
            let (mut first, mut second) = (0.0, 0.0);
            if j + 1 < inner {
                let after = 1.0 / self.gaps[j + 2];
                first = middle * right / weights[j + 1] + right * (-right - after) / weights[j + 2];
            }
            if j + 2 < inner {
                second = right / self.gaps[j + 2] / weights[j + 2];
            }
            self.rough.push([diagonal, first, second]);
        }
    }

    /// Fits with one lambda; `None` where the system breaks down.
    pub(super) fn fit(&mut self, values: &[f64], weights: &[f64], lambda: f64) -> Option<SplineFit> {
        let inner = self.rough.len();
        self.matrix.reset(inner);
        for (j, (bands, rough)) in self.matrix.bands.iter_mut().zip(&self.rough).enumerate() {
            let (h0, h1) = (self.gaps[j], self.gaps[j + 1]);
            *bands = [(h0 + h1) / 3.0 + lambda * rough[0], h1 / 6.0 + lambda * rough[1], lambda * rough[2]];
        }
        if inner > 0 {
            self.matrix.bands[inner - 1][1] = 0.0;
        }
        if !self.matrix.factor() {
            return None;
        }
        self.gamma.clear();
        self.gamma.extend_from_slice(&self.target);
        self.matrix.solve(&mut self.gamma);
        self.matrix.inverse_bands(&mut self.inverse);
        self.fitted.clear();
        self.leave.clear();
        let (mut residual, mut freedom) = (0.0, 0.0);
        for i in 0..values.len() {
            let before = if i >= 2 { 1.0 / self.gaps[i - 1] } else { 0.0 };
            let middle = if i >= 1 && i <= inner { -1.0 / self.gaps[i - 1] - 1.0 / self.gaps[i] } else { 0.0 };
            let after = if i < inner { 1.0 / self.gaps[i] } else { 0.0 };
            let (mut bend, mut form) = (0.0, 0.0);
            if i >= 2 {
                let [diagonal, first, second] = self.inverse[i - 2];
                bend += before * self.gamma[i - 2];
                form += before * before * diagonal + 2.0 * before * (middle * first + after * second);
            }
            if i >= 1 && i <= inner {
                let [diagonal, first, _] = self.inverse[i - 1];
                bend += middle * self.gamma[i - 1];
                form += middle * middle * diagonal + 2.0 * middle * after * first;
            }
            if i < inner {
                bend += after * self.gamma[i];
                form += after * after * self.inverse[i][0];
            }
            let inverse_weight = 1.0 / weights[i];
            let miss = lambda * bend * inverse_weight;
            let leave = (lambda * form * inverse_weight).clamp(1e-9, 1.0);
            self.fitted.push(values[i] - miss);
            self.leave.push(leave);
            residual += weights[i] * miss * miss;
            freedom += 1.0 - leave;
        }
        let fit = SplineFit { residual, degrees_of_freedom: freedom };
        (residual.is_finite() && freedom.is_finite()).then_some(fit)
    }

    /// The curve of the last fit.
    pub(super) fn curve(&self, knots: &[f64]) -> NaturalCubic {
        let mut second = Vec::with_capacity(knots.len());
        second.push(0.0);
        second.extend_from_slice(&self.gamma);
        second.push(0.0);
        NaturalCubic { knots: knots.to_vec(), values: self.fitted.clone(), second }
    }

    /// Lambda whose bandwidth (in knots' units) is `bandwidth` where the weight is `weight` and the mean gap `gap`.
    pub(super) fn lambda_of_bandwidth(bandwidth: f64, weight: f64, gap: f64) -> f64 {
        weight * bandwidth * bandwidth * bandwidth * bandwidth / gap
    }
}

#[cfg(test)]
mod tests {
    use super::SmoothingSpline;

    fn data() -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let knots: Vec<f64> = (0..14).map(|i| f64::from(i) + 0.02 * f64::from(i * i)).collect();
        let values = knots.iter().enumerate().map(|(i, y)| 0.1 * y * y - y + ((i * 7 % 5) as f64)).collect();
        let weights = (0..14).map(|i| 1.0 + f64::from(i % 3)).collect();
        (knots, values, weights)
    }

    #[test]
    fn the_fit_is_the_minimum_of_its_objective() {
        let (knots, values, weights) = data();
        let lambda = 3.0;
        let mut spline = SmoothingSpline::default();
        spline.prepare(&knots, &values, &weights);
        spline.fit(&values, &weights, lambda).unwrap();
        let curve = spline.curve(&knots);
        // Derivative of the objective in each fitted value, by the jump of the third derivative: w (f - r) = -lambda jump.
        let n = knots.len();
        let third = |i: usize| (curve.second[i + 1] - curve.second[i]) / (knots[i + 1] - knots[i]);
        for i in 0..n {
            let left = if i > 0 { third(i - 1) } else { 0.0 };
            let right = if i + 1 < n { third(i) } else { 0.0 };
            let gradient = weights[i] * (curve.values[i] - values[i]) + lambda * (right - left);
            assert!(gradient.abs() < 1e-9, "{i}: {gradient}");
        }
        // First derivatives are continuous, so the second derivatives belong to these values.
        for knot in &knots[1..n - 1] {
            let slope = |y: f64| (curve.value(y + 1e-6) - curve.value(y)) / 1e-6;
            assert!((slope(knot - 1e-6) - slope(*knot)).abs() < 1e-5);
        }
    }

    #[test]
    fn lambdas_side_by_side_are_fitted_like_each_alone() {
        let (knots, values, weights) = data();
        for n in [3, 4, 5, 14] {
            let mut spline = SmoothingSpline::default();
            spline.prepare(&knots[..n], &values[..n], &weights[..n]);
            // The last matrix is not positive definite.
            let lambdas = std::array::from_fn(|l| [1e-3, 0.7, 50.0, -1e3][l % 4] * (1.0 + l as f64));
            let together = spline.figures(&weights[..n], lambdas);
            for (one, lambda) in together.into_iter().zip(lambdas) {
                assert_eq!(one, spline.fit(&values[..n], &weights[..n], lambda), "{n} {lambda}");
            }
            assert!(together[0].is_some() && together[3].is_none());
        }
    }

    #[test]
    fn the_leverage_is_the_derivative_of_the_fit() {
        let (knots, values, weights) = data();
        let mut spline = SmoothingSpline::default();
        spline.prepare(&knots, &values, &weights);
        spline.fit(&values, &weights, 0.7).unwrap();
        let (fitted, leave) = (spline.fitted.clone(), spline.leave.clone());
        for i in 0..knots.len() {
            let mut moved = values.clone();
            moved[i] += 1.0;
            spline.prepare(&knots, &moved, &weights);
            spline.fit(&moved, &weights, 0.7).unwrap();
            assert!((spline.fitted[i] - fitted[i] - (1.0 - leave[i])).abs() < 1e-10);
        }
    }
}
