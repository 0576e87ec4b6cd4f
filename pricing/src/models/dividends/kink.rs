//! What a kink between two grid nodes costs a sum over nodes, put back on those nodes.

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
    let b2 = theta * theta - theta + 1.0 / 6.0;
    let b3 = theta * (theta * (theta - 1.5) + 0.5);
    let total = spacing * slope_jump * b2 / 2.0 - spacing * spacing * curvature_jump * b3 / 6.0;
    let moment = -spacing * slope_jump * b3 / 3.0;
    let upper = moment + theta * total;
    (total - upper, upper)
}

#[cfg(test)]
mod tests {
    use super::correction;

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
}
