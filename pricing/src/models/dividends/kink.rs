//! What a kink between two grid nodes costs a sum over nodes, put back on those nodes.

use std::f64::consts::PI;

use crate::math::exp;

/// What to add to the values at the two nodes around a kink, so that sums over the grid against a smooth function
/// equal integrals to fourth order in the spacing.
///
/// # Formula
/// Euler-Maclaurin from the kink at `x_i + theta h`, with jumps `J1` of the first and `J2` of the second derivative:
/// `sum - integral = -h^2 J1 B2(theta)/2 phi + h^3 B3(theta) (2 J1 phi' + J2 phi)/6 + O(h^4)`, `B2`, `B3` the
/// Bernoulli polynomials; at `theta = 0` the first term is the well-known `h J1 / 12` at the strike's node.
///
/// # Units
/// `slope_jump` per unit of the grid's coordinate, `curvature_jump` per its square.
///
/// # Source
/// Kreiss, Thomee, Widlund 1970 (smoothing of initial data); the Bernoulli form is classical Euler-Maclaurin.
pub(crate) fn correction(theta: f64, spacing: f64, slope_jump: f64, curvature_jump: f64) -> (f64, f64) {
    of_bernoulli(bernoulli(theta), theta, spacing, slope_jump, curvature_jump)
}

/// A kink that is spread over some spacings already: nodes see the less of it, the finer the ripple.
///
/// # Formula
/// `B2 = sum_k cos(2 pi k theta) / (pi k)^2` and `B3 = 3/(2 pi^3) sum_k sin(2 pi k theta) / k^3` with each term times
/// `e^{-2 (pi k width)^2}`.
pub(crate) struct Spread {
    /// What each ripple's cosine and sine count.
    ripples: [(f64, f64); RIPPLES],
    /// Those that are told apart.
    count: usize,
    /// Whether they are what is lost of the polynomials, and not what is left.
    lost: bool,
}

/// Ripples of a spread kink that are told apart; finer ones are a hundredth of it.
const RIPPLES: usize = 24;
/// Ripples of which less is left are none.
const LEFT_MIN: f64 = 1e-9;

impl Spread {
    /// Over `width` spacings, a deviation.
    pub(crate) fn new(width: f64) -> Self {
        let turn = |k: usize| PI * (k + 1) as f64;
        let left = |k: usize| exp(-2.0 * (turn(k) * width) * (turn(k) * width));
        let lost = left(RIPPLES - 1) > 0.5;
        let count = if lost { RIPPLES } else { (0..RIPPLES).find(|&k| left(k) < LEFT_MIN).unwrap_or(RIPPLES) };
        let ripples = std::array::from_fn(|k| {
            let share = if lost { 1.0 - left(k) } else { left(k) };
            let squared = turn(k) * turn(k);
            (share / squared, 1.5 * share / (squared * turn(k)))
        });
        Self { ripples, count, lost }
    }

    /// [`correction`] of such a kink.
    pub(crate) fn correction(&self, theta: f64, spacing: f64, slope_jump: f64, curvature_jump: f64) -> (f64, f64) {
        let (cos, sin) = (libm::cos(2.0 * PI * theta), libm::sin(2.0 * PI * theta));
        let (mut c, mut s) = (cos, sin);
        let (mut even, mut odd) = (0.0, 0.0);
        for (of_cosine, of_sine) in self.ripples.iter().take(self.count) {
            even += of_cosine * c;
            odd += of_sine * s;
            (c, s) = (c * cos - s * sin, s * cos + c * sin);
        }
        let (b2, b3) = bernoulli(theta);
        let of_spread = if self.lost { (b2 - even, b3 - odd) } else { (even, odd) };
        of_bernoulli(of_spread, theta, spacing, slope_jump, curvature_jump)
    }
}

/// `B2` and `B3`.
fn bernoulli(theta: f64) -> (f64, f64) {
    (theta * theta - theta + 1.0 / 6.0, theta * (theta * (theta - 1.5) + 0.5))
}

fn of_bernoulli((b2, b3): (f64, f64), theta: f64, spacing: f64, slope_jump: f64, curvature_jump: f64) -> (f64, f64) {
    let total = spacing * slope_jump * b2 / 2.0 - spacing * spacing * curvature_jump * b3 / 6.0;
    let moment = -spacing * slope_jump * b3 / 3.0;
    let upper = moment + theta * total;
    (total - upper, upper)
}

#[cfg(test)]
mod tests {
    use super::{Spread, correction};
    use crate::math::{normal_cdf, normal_pdf};

    /// A ramp of an exponential against a Gaussian: the corrected sum over nodes converges with the fourth power.
    #[test]
    fn corrected_sums_match_integrals_to_fourth_order() {
        let kernel = |x: f64| libm::exp(-0.5 * x * x);
        let payoff = |x: f64, kink: f64| if x > kink { libm::exp(x - kink) - 1.0 } else { 0.0 };
        for kink in [0.0, 0.013, 0.31, 0.499, 0.77] {
            let fine = 1e-4;
            let offset = kink;
            let integral: f64 = (-200_000..200_000)
                .map(|j| offset + (f64::from(j) + 0.5) * fine)
                .map(|x| payoff(x, kink) * kernel(x) * fine)
                .sum();
            let error = |h: f64| {
                let mut sum = 0.0;
                let count = (14.0 / h) as i32;
                let below = (kink / h).floor() as i32;
                let (lower, upper) = correction(kink / h - f64::from(below), h, 1.0, 1.0);
                for j in -count..=count {
                    let x = f64::from(j) * h;
                    let more = if j == below {
                        lower
                    } else if j == below + 1 {
                        upper
                    } else {
                        0.0
                    };
                    sum += (payoff(x, kink) + more) * kernel(x) * h;
                }
                (sum - integral).abs()
            };
            assert!(error(0.25) < 2e-4 && error(0.125) < 1.3e-5, "{kink}: {} {}", error(0.25), error(0.125));
        }
    }

    /// A ramp convolved with a Gaussian of up to a spacing: what the nodes still see of its bend is put back.
    #[test]
    fn a_spread_kink_is_corrected_by_what_is_left_of_it() {
        let kernel = |x: f64| libm::exp(-0.5 * x * x);
        let h = 0.2;
        for width in [0.03, 0.1, 0.25, 0.6] {
            let s = width * h;
            let ramp = |x: f64| x * normal_cdf(x / s) + s * normal_pdf(x / s);
            for place in [0.0, 0.03, 0.1, 0.17] {
                let over = |step: f64| -> f64 {
                    let count = (10.0 / step) as i32;
                    (-count..=count).map(|j| f64::from(j) * step).map(|x| ramp(x - place) * kernel(x) * step).sum()
                };
                let (lower, upper) = Spread::new(width).correction(place / h, h, 1.0, 0.0);
                let corrected = over(h) + (lower * kernel(0.0) + upper * kernel(h)) * h;
                let (bare, exact) = (over(h), over(h / 256.0));
                let (before, after) = ((bare - exact).abs(), (corrected - exact).abs());
                assert!(
                    after < 1.5e-4 && (before < 1e-3 || after < 0.1 * before),
                    "{width} {place}: {before:e} {after:e}"
                );
            }
        }
    }
}
