//! The equations of the exercise boundary at one volatility, and what they say of a boundary at hand.

use super::solver::dot;
use super::terms::{Outline, Terms};
use crate::math::{exp_normal, ln_normal};

/// The equations of a put with strike 1: `N` unknowns, `L` points in each equation, as the terms' rules have.
///
/// # Formula
/// Andersen, Lake and Offengenden 2016, equation FP-B: with `v` the time from the node, `B(tau)` is the ratio of
/// `e^{-r tau} Phi(d-(tau, B)) + r int e^{-r v} Phi(d-(v, B/B(tau-v))) dv` to
/// `e^{-q tau} Phi(d+(tau, B)) + q int e^{-q v} Phi(d+) dv`. The squared depth `ln(B(0+)/B)^2` is a polynomial in
/// `sqrt tau`.
pub(super) struct Equations<'a, const N: usize, const L: usize> {
    terms: &'a Terms,
    sigma: f64,
    nodes: [NodeTerms; N],
    at: At<N, L>,
}

/// The equations' parts at a boundary: of every point of every equation, and of each node's own argument.
struct At<const N: usize, const L: usize> {
    /// `Phi(d-)` and `Phi(d+)`, then their densities.
    lower: [[f64; L]; N],
    upper: [[f64; L]; N],
    lower_density: [[f64; L]; N],
    upper_density: [[f64; L]; N],
    /// The boundary's depth at every point.
    depth: [[f64; L]; N],
    own_lower: [f64; N],
    own_upper: [f64; N],
    own_lower_density: [f64; N],
    own_upper_density: [f64; N],
    numerator: [f64; N],
    denominator: [f64; N],
}

/// What an equation has of its own node's time.
#[derive(Clone, Copy, Default)]
struct NodeTerms {
    half_stdev: f64,
    inverse_stdev: f64,
    /// `(r - q) sqrt(tau) / sigma`.
    drift: f64,
    /// `e^{-r tau}` and `e^{-q tau}`.
    rate_factor: f64,
    yield_factor: f64,
}

impl NodeTerms {
    #[inline(always)]
    fn new(outline: &Outline, sigma: f64, share: f64) -> Self {
        let root_tau = share * outline.root_time;
        let tau = root_tau * root_tau;
        let stdev = sigma * root_tau;
        Self {
            half_stdev: 0.5 * stdev,
            inverse_stdev: 1.0 / stdev,
            drift: (outline.rate - outline.dividend_yield) / sigma * root_tau,
            // Rates and times are bounded, see `Regime::SingleBoundary`.
            rate_factor: exp_normal(-outline.rate * tau),
            yield_factor: exp_normal(-outline.dividend_yield * tau),
        }
    }

    /// `d-` and `d+` at the boundary itself, whose strike is the payoff's.
    #[inline(always)]
    fn edges(&self, outline: &Outline, depth: f64) -> (f64, f64) {
        let base = (outline.log_limit - depth) * self.inverse_stdev + self.drift;
        (base - self.half_stdev, base + self.half_stdev)
    }

    /// Derivative of the ratio's logarithm in the arguments outside the integrals.
    #[inline(always)]
    fn own_slope(&self, (lower, upper): (f64, f64), (numerator, denominator): (f64, f64)) -> f64 {
        (self.rate_factor * lower / numerator - self.yield_factor * upper / denominator) * self.inverse_stdev
    }
}

impl<'a, const N: usize, const L: usize> Equations<'a, N, L> {
    #[inline(always)]
    pub(super) fn new(terms: &'a Terms, sigma: f64) -> Self {
        let mut nodes = [NodeTerms::default(); N];
        for (node, share) in nodes.iter_mut().zip(&terms.rules.root_share) {
            *node = NodeTerms::new(&terms.outline, sigma, *share);
        }
        let (points, node) = ([[0.0; L]; N], [0.0; N]);
        let at = At {
            lower: points,
            upper: points,
            lower_density: points,
            upper_density: points,
            depth: points,
            own_lower: node,
            own_upper: node,
            own_lower_density: node,
            own_upper_density: node,
            numerator: node,
            denominator: node,
        };
        Self { terms, sigma, nodes, at }
    }

    /// By how much each equation's own boundary is deeper than the one at hand, `ln(B/B_equation)`; `None` where it is
    /// no number.
    #[inline(always)]
    pub(super) fn gaps(&mut self, depth: &[f64; N]) -> Option<[f64; N]> {
        let Self { terms, ref nodes, ref mut at, .. } = *self;
        let outline = &terms.outline;
        at.arguments(terms, self.sigma, depth);
        for (((lower, upper), node), w) in at.own_lower.iter_mut().zip(&mut at.own_upper).zip(nodes).zip(depth) {
            (*lower, *upper) = node.edges(outline, *w);
        }
        terms.rules.normal_each(&mut at.own_lower, &mut at.own_lower_density);
        terms.rules.normal_each(&mut at.own_upper, &mut at.own_upper_density);
        let mut gaps = [1.0; N];
        let kernels = chunks::<L>(terms.equation.rate_kernel()).zip(chunks::<L>(terms.equation.yield_kernel()));
        let inner = at.lower.iter().zip(&at.upper);
        let own = at.own_lower.iter().zip(&at.own_upper);
        let sides = at.numerator.iter_mut().zip(&mut at.denominator);
        for ((((gap, (numerator, denominator)), node), (own_lower, own_upper)), ((lower, upper), kernels)) in
            gaps.iter_mut().zip(sides).zip(nodes).zip(own).zip(inner.zip(kernels))
        {
            *numerator = node.rate_factor * own_lower + dot(kernels.0, lower);
            *denominator = node.yield_factor * own_upper + dot(kernels.1, upper);
            *gap = *numerator / *denominator;
            if !(*gap >= f64::MIN_POSITIVE && *gap <= f64::MAX) {
                return None;
            }
        }
        for (gap, w) in gaps.iter_mut().zip(depth) {
            *gap = (outline.log_limit - w) - ln_normal(*gap);
        }
        gaps.iter().all(|gap| gap.is_finite()).then_some(gaps)
    }

    /// By what the gap of each node shrinks when that node alone is made deeper by one: the terms outside the
    /// integrals, as in a Jacobi-Newton step.
    #[inline(always)]
    pub(super) fn own_slopes(&self) -> [f64; N] {
        let at = &self.at;
        let densities = at.own_lower_density.iter().zip(&at.own_upper_density);
        let sides = at.numerator.iter().zip(&at.denominator);
        let mut slopes = [1.0; N];
        for (((slope, node), (lower, upper)), (numerator, denominator)) in
            slopes.iter_mut().zip(&self.nodes).zip(densities).zip(sides)
        {
            *slope = 1.0 - node.own_slope((*lower, *upper), (*numerator, *denominator));
        }
        slopes
    }

    /// By what each gap (row) shrinks when a node (column) is made deeper by one, at the boundary of the last
    /// [`Equations::gaps`].
    #[inline(always)]
    pub(super) fn slopes(&self, depth: &[f64; N]) -> [[f64; N]; N] {
        let Self { terms, at, .. } = self;
        let inverse = 1.0 / self.sigma;
        let (mut weights, mut sums) = ([[0.0; L]; N], [0.0; N]);
        let kernels = chunks::<L>(terms.equation.rate_kernel()).zip(chunks::<L>(terms.equation.yield_kernel()));
        let densities = at.lower_density.iter().zip(&at.upper_density);
        let places = chunks::<L>(terms.equation.inverse_root()).zip(&at.depth);
        let points = weights.iter_mut().zip(kernels).zip(densities).zip(places);
        let sides = at.numerator.iter().zip(&at.denominator);
        for ((sum, (numerator, denominator)), (((weights, kernels), densities), places)) in
            sums.iter_mut().zip(sides).zip(points)
        {
            let (more, less) = (inverse / numerator, inverse / denominator);
            for (j, weight) in weights.iter_mut().enumerate() {
                let received = kernels.0[j] * more * densities.0[j];
                *weight = places.0[j] * (received - kernels.1[j] * less * densities.1[j]);
            }
            *sum = dot(weights, &[1.0; L]);
            for (weight, depth) in weights.iter_mut().zip(places.1) {
                // Where the polynomial was cut off at nothing, it moves nothing.
                *weight = if *depth > 0.0 { *weight / depth } else { 0.0 };
            }
        }
        let mut slopes = [[0.0; N]; N];
        for ((k, column), w) in terms.rules.equation_columns.chunks_exact(N * L).enumerate().take(N).zip(depth) {
            for ((row, column), weights) in slopes.iter_mut().zip(chunks::<L>(column)).zip(&weights) {
                row[k] = w * dot(column, weights);
            }
        }
        for ((k, row), (own, sum)) in slopes.iter_mut().enumerate().zip(self.own_slopes().iter().zip(&sums)) {
            row[k] += own - sum;
        }
        slopes
    }
}

impl<const N: usize, const L: usize> At<N, L> {
    /// `Phi(d-)` and `Phi(d+)` at every point of every equation.
    #[inline(always)]
    fn arguments(&mut self, terms: &Terms, sigma: f64, depth: &[f64; N]) {
        let rules = terms.rules;
        // Column by column: the sum runs over the boundary's nodes in one order at every point.
        let sums = self.depth.as_flattened_mut();
        sums.fill(0.0);
        for (column, w) in rules.equation_columns.chunks_exact(N * L).zip(depth) {
            let squared = w * w;
            for (sum, m) in sums.iter_mut().zip(column) {
                *sum += m * squared;
            }
        }
        let inverse = 1.0 / sigma;
        let half = 0.5 * sigma;
        let drift = (terms.outline.rate - terms.outline.dividend_yield) / sigma;
        let rows = self.lower.iter_mut().zip(&mut self.upper).zip(&mut self.depth);
        let roots = chunks::<L>(terms.equation.root()).zip(chunks::<L>(terms.equation.inverse_root()));
        for (((lower, upper), depths), ((root, inverse_root), w)) in rows.zip(roots.zip(depth)) {
            for j in 0..L {
                depths[j] = if depths[j] > 0.0 { depths[j] } else { 0.0 }.sqrt();
                let base = (depths[j] - w) * inverse * inverse_root[j] + drift * root[j];
                lower[j] = base - half * root[j];
                upper[j] = base + half * root[j];
            }
        }
        rules.normal_each(self.lower.as_flattened_mut(), self.lower_density.as_flattened_mut());
        if terms.outline.dividend_yield != 0.0 {
            rules.normal_each(self.upper.as_flattened_mut(), self.upper_density.as_flattened_mut());
        }
    }
}

/// A list in pieces of one length.
#[inline(always)]
fn chunks<const L: usize>(values: &[f64]) -> impl Iterator<Item = &[f64; L]> {
    values.as_chunks().0.iter()
}
