//! The smoothing parameter, by generalised cross-validation, and the spline it makes.

use super::{Fit, Robust, median};
use crate::settings::SmoothingSettings;
use crate::smoothing::frame::Frame;
use crate::smoothing::prior::Prior;
use crate::smoothing::spline::{LANES, SmoothingSpline};

impl Robust {
    /// The residuals from a prior as a spline; `lambda` is sought where it is not given.
    pub(super) fn splined(
        &mut self,
        frame: &Frame,
        prior: Prior,
        stdev: f64,
        lambda: Option<f64>,
        settings: &SmoothingSettings,
    ) -> Option<Fit> {
        let knots = &self.knots;
        let n = knots.y.len();
        self.residuals.clear();
        self.residuals.extend(knots.y.iter().zip(&knots.value).map(|(y, value)| value - prior.value(*y)));
        self.spline.prepare(&knots.y, &self.residuals, &knots.weight);
        let span = knots.y[n - 1] - knots.y[0];
        let gap = span / (n - 1) as f64;
        self.to_order.clear();
        self.to_order.extend_from_slice(&knots.weight);
        let weight = median(&mut self.to_order);
        let trials = settings.lambda_trials.clamp(1, 60);
        let (first, last) = (crate::math::ln(0.4 * gap), libm::log(1.2 * span.max(gap)));
        let mut best: Option<(f64, f64)> = None;
        if lambda.is_none() {
            let lambda_of = |trial: usize| {
                let place = trial as f64 / f64::from(trials.max(2) - 1);
                let bandwidth = crate::math::exp(first + (last - first) * place);
                SmoothingSpline::lambda_of_bandwidth(bandwidth, weight, gap)
            };
            for start in (0..trials as usize).step_by(LANES) {
                // A last batch that is not full repeats its last trial, which then cannot win again.
                let lambdas = std::array::from_fn(|l| lambda_of((start + l).min(trials as usize - 1)));
                for (fit, lambda) in self.spline.figures(&knots.weight, lambdas).into_iter().zip(lambdas) {
                    let Some(fit) = fit else { continue };
                    let left = n as f64 - settings.gcv_gamma * fit.degrees_of_freedom;
                    if left <= 0.0 {
                        continue;
                    }
                    let score = n as f64 * fit.residual / (left * left);
                    if best.is_none_or(|(least, _)| score < least) {
                        best = Some((score, lambda));
                    }
                }
            }
        }
        let lambda = lambda.or(best.map(|(_, lambda)| lambda))?;
        let figures = self.spline.fit(&self.residuals, &knots.weight, lambda)?;
        let curve = self.spline.curve(&knots.y);
        let smile = self.smile(frame, prior, curve, stdev);
        Some(Fit {
            smile,
            lambda: Some(lambda),
            degrees_of_freedom: (figures.degrees_of_freedom + 1.0).min(n as f64),
            left_out_error: 0.0,
            scale: 0.0,
        })
    }
}
