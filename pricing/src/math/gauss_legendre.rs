//! Gauss-Legendre quadrature on [-1, 1].

use std::f64::consts::PI;

/// A rule: ascending nodes and their weights.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussLegendre {
    /// Zeros of the Legendre polynomial, ascending.
    pub nodes: Vec<f64>,
    /// Positive weights, sum 2.
    pub weights: Vec<f64>,
}

/// The Gauss-Legendre rule of `count` nodes, exact for polynomials of degree `2 count - 1`.
///
/// # Formula
/// Nodes by Newton's iteration on the Legendre polynomial from Tricomi's estimate; weights
/// `2 / ((1 - x^2) P'(x)^2)`.
///
/// ```
/// let rule = closemark_pricing::math::gauss_legendre(5);
/// let sum: f64 = rule.nodes.iter().zip(&rule.weights).map(|(x, w)| w * x * x).sum();
/// assert!((sum - 2.0 / 3.0).abs() < 1e-15);
/// ```
pub fn gauss_legendre(count: usize) -> GaussLegendre {
    let mut nodes = vec![0.0; count];
    let mut weights = vec![0.0; count];
    let n = count as f64;
    for (i, (node, weight)) in nodes.iter_mut().zip(weights.iter_mut()).enumerate() {
        let mut x = -libm::cos(PI * (i as f64 + 0.75) / (n + 0.5));
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut before, mut value) = (1.0, x);
            for k in 2..=count {
                let k = k as f64;
                (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
            }
            slope = n * (x * value - before) / (x * x - 1.0);
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        *node = x;
        *weight = 2.0 / ((1.0 - x * x) * slope * slope);
    }
    GaussLegendre { nodes, weights }
}

#[cfg(test)]
mod tests {
    use super::gauss_legendre;

    #[test]
    fn five_nodes_of_the_tables() {
        // Abramowitz and Stegun 1964, table 25.4.
        let rule = gauss_legendre(5);
        let nodes = [-0.906_179_845_938_664, -0.538_469_310_105_683, 0.0, 0.538_469_310_105_683, 0.906_179_845_938_664];
        let weights = [
            0.236_926_885_056_189,
            0.478_628_670_499_366,
            0.568_888_888_888_889,
            0.478_628_670_499_366,
            0.236_926_885_056_189,
        ];
        for ((x, w), (nx, nw)) in nodes.iter().zip(weights).zip(rule.nodes.iter().zip(&rule.weights)) {
            assert!((x - nx).abs() < 1e-14 && (w - nw).abs() < 1e-14);
        }
    }

    #[test]
    fn integrates_an_exponential() {
        for count in [8, 16, 33, 64] {
            let rule = gauss_legendre(count);
            let sum: f64 = rule.nodes.iter().zip(&rule.weights).map(|(&x, w)| w * libm::exp(x)).sum();
            assert!((sum - (std::f64::consts::E - 1.0 / std::f64::consts::E)).abs() < 1e-13, "{count}");
        }
    }
}
