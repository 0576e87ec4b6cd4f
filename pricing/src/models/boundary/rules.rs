//! Nodes, weights and interpolation matrices that no parameter of an option enters.

use std::f64::consts::FRAC_PI_4;
use std::sync::LazyLock;

use crate::math::{
    chebyshev_nodes, gauss_legendre, normal_cdf_each, normal_cdf_short_each, normal_each, normal_short_each,
};

/// No [`Order`] has more price points.
pub(super) const PRICE_POINTS_MAX: usize = 64;
/// No [`Order`] has more unknowns.
pub(super) const BOUNDARY_NODES_MAX: usize = 20;

/// Times at which an iteration's first guess is made; every node's own where the last digit counts.
const SEED_NODES: usize = 4;

/// How finely a boundary is solved and a price is integrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// Unknown boundary values; one more node, at expiry, is known.
    pub boundary: usize,
    /// Quadrature points of each boundary equation.
    pub equation: usize,
    /// Quadrature points of a price.
    pub price: usize,
    /// Whether the normal distribution is taken to its last digit, or to 3e-10.
    pub exact: bool,
}

/// A quadrature over `theta` in `[0, pi/2]` with elapsed share `sin^2 theta` and remaining share `cos^2 theta` of a
/// period: in this variable boundary and kernels are smooth at both ends.
#[derive(Clone, Debug)]
pub(super) struct AngleRule {
    pub sine: Vec<f64>,
    pub cosine: Vec<f64>,
    /// Weights of the integral over the elapsed share: `2 sin cos dtheta`.
    pub weight: Vec<f64>,
}

impl AngleRule {
    fn new(count: usize) -> Self {
        let rule = gauss_legendre(count);
        let angle: Vec<f64> = rule.nodes.iter().map(|x| FRAC_PI_4 * (1.0 + x)).collect();
        let sine: Vec<f64> = angle.iter().map(|&a| libm::sin(a)).collect();
        let cosine: Vec<f64> = angle.iter().map(|&a| libm::cos(a)).collect();
        let weight =
            rule.weights.iter().zip(sine.iter().zip(&cosine)).map(|(w, (s, c))| FRAC_PI_4 * w * 2.0 * s * c).collect();
        Self { sine, cosine, weight }
    }
}

/// Everything that depends on an [`Order`] only.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub order: Order,
    /// `sqrt(tau_i / T)` of the unknowns, from 1 down.
    pub root_share: Vec<f64>,
    pub equation: AngleRule,
    pub price: AngleRule,
    /// Column `k`, entry `i * order.equation + j`: the share of unknown `k` in the squared boundary at remaining time
    /// `tau_i cos^2 theta_j`.
    pub equation_columns: Vec<f64>,
    /// `sqrt(tau / T)` of the times at which an iteration's first guess is made, from 1 down.
    pub seed_share: Vec<f64>,
    /// Row `i`: the shares of the squared guesses there in that of unknown `i`.
    pub seed_matrix: Vec<f64>,
    /// Row `j` gives it at `T cos^2 theta_j` of the price rule.
    pub price_matrix: Vec<f64>,
}

impl Rules {
    fn new(order: Order) -> Self {
        let nodes = chebyshev_nodes(order.boundary + 1);
        let equation = AngleRule::new(order.equation);
        let price = AngleRule::new(order.price);
        let root_share: Vec<f64> = nodes.iter().take(order.boundary).map(|x| 0.5 * (1.0 + x)).collect();
        let mut equation_matrix: Vec<f64> = Vec::with_capacity(order.boundary * order.equation * order.boundary);
        for share in &root_share {
            for cosine in &equation.cosine {
                equation_matrix.extend(lagrange_row(&nodes, 2.0 * share * cosine - 1.0).take(order.boundary));
            }
        }
        let equation_columns =
            (0..order.boundary).flat_map(|k| equation_matrix.iter().skip(k).step_by(order.boundary).copied()).collect();
        let mut price_matrix = Vec::with_capacity(order.price * order.boundary);
        for cosine in &price.cosine {
            price_matrix.extend(lagrange_row(&nodes, 2.0 * cosine - 1.0).take(order.boundary));
        }
        let seed_count = if order.exact { order.boundary } else { SEED_NODES };
        let seed_nodes = chebyshev_nodes(seed_count + 1);
        let seed_share = seed_nodes.iter().take(seed_count).map(|x| 0.5 * (1.0 + x)).collect();
        let at_unknown = |share: &f64| lagrange_row(&seed_nodes, 2.0 * share - 1.0).take(seed_count);
        let seed_matrix = root_share.iter().flat_map(at_unknown).collect();
        Self { order, root_share, equation, price, equation_columns, seed_share, seed_matrix, price_matrix }
    }

    /// The rules of the close.
    pub(super) fn standard() -> &'static Self {
        static RULES: LazyLock<Rules> =
            LazyLock::new(|| Rules::new(Order { boundary: 8, equation: 8, price: 20, exact: false }));
        &RULES
    }

    /// One option by itself to 5e-7 of the strike.
    pub(super) fn light() -> &'static Self {
        static RULES: LazyLock<Rules> =
            LazyLock::new(|| Rules::new(Order { boundary: 7, equation: 6, price: 16, exact: false }));
        &RULES
    }

    /// One option by itself to 5e-8 of the strike.
    pub(super) fn careful() -> &'static Self {
        static RULES: LazyLock<Rules> =
            LazyLock::new(|| Rules::new(Order { boundary: 10, equation: 8, price: 24, exact: false }));
        &RULES
    }

    /// Rules beyond any need of the close, for tests and reports.
    pub(super) fn fine() -> &'static Self {
        static RULES: LazyLock<Rules> =
            LazyLock::new(|| Rules::new(Order { boundary: 20, equation: 32, price: 64, exact: true }));
        &RULES
    }

    /// The distribution function of each element, as exactly as the order asks.
    #[inline(always)]
    pub(super) fn normal_cdf_each(&self, values: &mut [f64]) {
        if self.order.exact { normal_cdf_each(values) } else { normal_cdf_short_each(values) }
    }

    /// [`Rules::normal_cdf_each`], with the densities beside it.
    #[inline(always)]
    pub(super) fn normal_each(&self, values: &mut [f64], densities: &mut [f64]) {
        if self.order.exact { normal_each(values, densities) } else { normal_short_each(values, densities) }
    }
}

/// Values at `x` of the Lagrange polynomials of the extremal Chebyshev nodes, by the barycentric formula
/// (Berrut and Trefethen 2004).
fn lagrange_row(nodes: &[f64], x: f64) -> impl Iterator<Item = f64> {
    let last = nodes.len().saturating_sub(1);
    let exact = nodes.iter().position(|&n| (x - n).abs() < 1e-15);
    let terms: Vec<f64> = nodes
        .iter()
        .enumerate()
        .map(|(i, &n)| {
            let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
            let end = if i == 0 || i == last { 0.5 } else { 1.0 };
            match exact {
                Some(hit) => f64::from(u8::from(hit == i)),
                None => sign * end / (x - n),
            }
        })
        .collect();
    let sum: f64 = terms.iter().sum();
    terms.into_iter().map(move |t| t / sum)
}

#[cfg(test)]
mod tests {
    use super::Rules;

    #[test]
    fn a_square_root_integrates_exactly_and_polynomials_interpolate() {
        let rules = Rules::standard();
        let area: f64 = rules.price.weight.iter().zip(&rules.price.cosine).map(|(w, c)| w * c).sum();
        assert!((area - 2.0 / 3.0).abs() < 1e-14);
        // H = z^3 with z = sqrt(tau/T) vanishes at expiry as the squared boundary does.
        let n = rules.order.boundary;
        let values: Vec<f64> = rules.root_share.iter().map(|z| z * z * z).collect();
        for (row, c) in rules.price_matrix.chunks(n).zip(&rules.price.cosine) {
            let got: f64 = row.iter().zip(&values).map(|(m, v)| m * v).sum();
            assert!((got - c * c * c).abs() < 1e-13);
        }
    }
}
