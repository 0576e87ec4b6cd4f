//! The linear prior `a + b y + c sqrt(1 + y^2)` that the spline's residuals are taken from.

/// Coefficients of level, skew and curvature.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Prior(pub [f64; 3]);

impl Prior {
    /// Its value.
    pub(super) fn value(self, y: f64) -> f64 {
        let [a, b, c] = self.0;
        a + b * y + c * (1.0 + y * y).sqrt()
    }

    /// Weighted least squares with a ridge on skew and curvature, in multiples of the mean weight.
    ///
    /// With few or narrow data the ridge decides what they cannot; with many it is lost in them.
    pub(super) fn fit(points: impl Iterator<Item = (f64, f64, f64)>, ridge: [f64; 2]) -> Option<Self> {
        // Basis (1, y, sqrt(1 + y^2) - 1): the curvature's column does not lean on the level's.
        let mut normal = [[0.0_f64; 3]; 3];
        let mut right = [0.0_f64; 3];
        let (mut total, mut count) = (0.0, 0.0);
        for (y, value, weight) in points {
            let basis = [1.0, y, (1.0 + y * y).sqrt() - 1.0];
            for (i, row) in normal.iter_mut().enumerate() {
                for (j, cell) in row.iter_mut().enumerate() {
                    *cell += weight * basis[i] * basis[j];
                }
                right[i] += weight * basis[i] * value;
            }
            total += weight;
            count += 1.0;
        }
        if !(total > 0.0 && total.is_finite()) {
            return None;
        }
        let mean = total / count;
        normal[1][1] += ridge[0] * mean;
        normal[2][2] += ridge[1] * mean;
        let [level, skew, bend] = solve(normal, right)?;
        Some(Self([level - bend, skew, bend]))
    }
}

/// Cholesky for three unknowns.
fn solve(a: [[f64; 3]; 3], b: [f64; 3]) -> Option<[f64; 3]> {
    let d0 = a[0][0];
    let (l10, l20) = (a[1][0] / d0, a[2][0] / d0);
    let d1 = a[1][1] - l10 * l10 * d0;
    let l21 = (a[2][1] - l20 * l10 * d0) / d1;
    let d2 = a[2][2] - l20 * l20 * d0 - l21 * l21 * d1;
    if !(d0 > 0.0 && d1 > 0.0 && d2 > 0.0) {
        return None;
    }
    let y0 = b[0];
    let y1 = b[1] - l10 * y0;
    let y2 = b[2] - l20 * y0 - l21 * y1;
    let x2 = y2 / d2;
    let x1 = y1 / d1 - l21 * x2;
    let x0 = y0 / d0 - l10 * x1 - l20 * x2;
    (x0.is_finite() && x1.is_finite() && x2.is_finite()).then_some([x0, x1, x2])
}

#[cfg(test)]
mod tests {
    use super::Prior;

    #[test]
    fn recovers_its_own_coefficients() {
        let truth = Prior([0.2, -0.03, 0.05]);
        let points = (-5..6).map(|i| {
            let y = f64::from(i) * 0.5;
            (y, truth.value(y), 1.0 + y * y)
        });
        let fitted = Prior::fit(points, [0.0, 0.0]).unwrap();
        for (fitted, truth) in fitted.0.iter().zip(truth.0) {
            assert!((fitted - truth).abs() < 1e-12);
        }
    }
}
