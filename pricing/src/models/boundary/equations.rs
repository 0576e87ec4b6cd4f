//! The equations of the exercise boundary at one volatility, and what they say of a boundary at hand.

use super::elimination::Matrix;
use super::rules::BOUNDARY_NODES_MAX;
use super::solver::{NodeValues, dot};
use super::terms::{Outline, Terms};
use crate::math::{exp_normal, ln_normal};

/// The equations of a put with strike 1.
///
/// # Formula
/// Andersen, Lake and Offengenden 2016, equation FP-B: with `v` the time from the node, `B(tau)` is the ratio of
/// `e^{-r tau} Phi(d-(tau, B)) + r int e^{-r v} Phi(d-(v, B/B(tau-v))) dv` to
/// `e^{-q tau} Phi(d+(tau, B)) + q int e^{-q v} Phi(d+) dv`. The squared depth `ln(B(0+)/B)^2` is a polynomial in
/// `sqrt tau`.
pub(super) struct Equations<'a> {
    terms: &'a Terms,
    sigma: f64,
    nodes: [NodeTerms; BOUNDARY_NODES_MAX],
    at: At,
    /// Of every point in its equation's derivatives.
    weights: Vec<f64>,
}

/// The equations' parts at a boundary. Of the lists the first part has every point of every equation, the second each
/// node's own argument.
struct At {
    /// `Phi(d-)` and `Phi(d+)`, then their densities.
    lower: Vec<f64>,
    upper: Vec<f64>,
    lower_density: Vec<f64>,
    upper_density: Vec<f64>,
    /// The boundary's depth at every point.
    depth: Vec<f64>,
    numerator: NodeValues,
    denominator: NodeValues,
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
}

impl<'a> Equations<'a> {
    pub(super) fn new(terms: &'a Terms, sigma: f64) -> Self {
        let order = terms.rules.order;
        let points = order.boundary * order.equation;
        let zeros = || vec![0.0; points + order.boundary];
        let mut nodes = [NodeTerms::default(); BOUNDARY_NODES_MAX];
        for (node, share) in nodes.iter_mut().zip(&terms.rules.root_share) {
            *node = NodeTerms::new(&terms.outline, sigma, *share);
        }
        let at = At {
            lower: zeros(),
            upper: zeros(),
            lower_density: zeros(),
            upper_density: zeros(),
            depth: vec![0.0; points],
            numerator: [0.0; BOUNDARY_NODES_MAX],
            denominator: [1.0; BOUNDARY_NODES_MAX],
        };
        Self { terms, sigma, nodes, at, weights: vec![0.0; points] }
    }

    /// By how much each equation's own boundary is deeper than the one at hand, `ln(B/B_equation)`; `None` where it is
    /// no number.
    pub(super) fn gaps(&mut self, depth: &NodeValues) -> Option<NodeValues> {
        // The numbers of points that the rules have, known when the loops are compiled.
        match self.terms.rules.order.equation {
            6 => self.gaps_of::<6>(depth),
            8 => self.gaps_of::<8>(depth),
            32 => self.gaps_of::<32>(depth),
            _ => None,
        }
    }

    /// See [`Equations::gaps`]; `L` points in each equation.
    fn gaps_of<const L: usize>(&mut self, depth: &NodeValues) -> Option<NodeValues> {
        let Self { terms, ref nodes, ref mut at, .. } = *self;
        let outline = &terms.outline;
        let n = terms.rules.order.boundary;
        at.arguments::<L>(terms, self.sigma, depth);
        let (lower, own_lower) = at.lower.split_at_mut(n * L);
        let (upper, own_upper) = at.upper.split_at_mut(n * L);
        for (((lower, upper), node), w) in own_lower.iter_mut().zip(own_upper.iter_mut()).zip(nodes).zip(depth) {
            (*lower, *upper) = node.edges(outline, *w);
        }
        let (_, own_lower_density) = at.lower_density.split_at_mut(n * L);
        let (_, own_upper_density) = at.upper_density.split_at_mut(n * L);
        terms.rules.normal_each(own_lower, own_lower_density);
        terms.rules.normal_each(own_upper, own_upper_density);
        let mut gaps = [1.0; BOUNDARY_NODES_MAX];
        let kernels = chunks::<L>(&terms.equation.rate_kernel).zip(chunks::<L>(&terms.equation.yield_kernel));
        let inner = chunks::<L>(lower).zip(chunks::<L>(upper));
        let own = own_lower.iter().zip(own_upper.iter());
        let sides = at.numerator.iter_mut().zip(&mut at.denominator);
        for ((((gap, (numerator, denominator)), node), (own_lower, own_upper)), ((lower, upper), kernels)) in
            gaps.iter_mut().zip(sides).zip(nodes).zip(own).zip(inner.zip(kernels))
        {
            let (rate_kernel, yield_kernel) = kernels;
            *numerator = node.rate_factor * own_lower + dot(rate_kernel, lower);
            *denominator = node.yield_factor * own_upper + dot(yield_kernel, upper);
            *gap = *numerator / *denominator;
            if !(*gap >= f64::MIN_POSITIVE && *gap <= f64::MAX) {
                return None;
            }
        }
        for (gap, w) in gaps.iter_mut().zip(depth).take(n) {
            *gap = (outline.log_limit - w) - ln_normal(*gap);
        }
        gaps.iter().all(|gap| gap.is_finite()).then_some(gaps)
    }

    /// By what the gap of each node shrinks when that node alone is made deeper by one: the terms outside the
    /// integrals, as in a Jacobi-Newton step.
    pub(super) fn own_slopes(&self) -> NodeValues {
        let points = self.terms.rules.order.boundary * self.terms.rules.order.equation;
        let densities = self.at.lower_density.iter().skip(points).zip(self.at.upper_density.iter().skip(points));
        let sides = self.at.numerator.iter().zip(&self.at.denominator);
        let mut slopes = [1.0; BOUNDARY_NODES_MAX];
        for (((slope, node), (lower, upper)), (numerator, denominator)) in
            slopes.iter_mut().zip(&self.nodes).zip(densities).zip(sides)
        {
            *slope = 1.0 - node.own_slope((*lower, *upper), (*numerator, *denominator));
        }
        slopes
    }

    /// By what each gap (row) shrinks when a node (column) is made deeper by one.
    /// At the boundary of the last [`Equations::gaps`].
    pub(super) fn slopes(&mut self, depth: &NodeValues, slopes: &mut Matrix) {
        match self.terms.rules.order.equation {
            6 => self.slopes_of::<6>(depth, slopes),
            8 => self.slopes_of::<8>(depth, slopes),
            _ => self.slopes_of::<32>(depth, slopes),
        }
    }

    fn slopes_of<const L: usize>(&mut self, depth: &NodeValues, slopes: &mut Matrix) {
        let own = self.own_slopes();
        let Self { terms, ref at, ref mut weights, .. } = *self;
        let n = terms.rules.order.boundary;
        let inverse = 1.0 / self.sigma;
        let kernels = chunks::<L>(&terms.equation.rate_kernel).zip(chunks::<L>(&terms.equation.yield_kernel));
        let densities = chunks::<L>(&at.lower_density).zip(chunks::<L>(&at.upper_density));
        let places = chunks::<L>(&terms.equation.inverse_root).zip(chunks::<L>(&at.depth));
        let points = weights.as_chunks_mut::<L>().0.iter_mut().zip(kernels).zip(densities).zip(places);
        let mut sums = [0.0; BOUNDARY_NODES_MAX];
        let sides = at.numerator.iter().zip(&at.denominator);
        for ((sum, (numerator, denominator)), (((weights, kernels), densities), places)) in
            sums.iter_mut().zip(sides).zip(points)
        {
            let (more, less) = (inverse / numerator, inverse / denominator);
            let kernels = kernels.0.iter().zip(kernels.1);
            let densities = densities.0.iter().zip(densities.1);
            for (((weight, (rate, yielding)), (lower, upper)), inverse_root) in
                weights.iter_mut().zip(kernels).zip(densities).zip(places.0)
            {
                *weight = inverse_root * (rate * more * lower - yielding * less * upper);
            }
            *sum = weights.iter().sum();
            for (weight, depth) in weights.iter_mut().zip(places.1) {
                // Where the polynomial was cut off at nothing, it moves nothing.
                *weight = if *depth > 0.0 { *weight / depth } else { 0.0 };
            }
        }
        for ((k, column), w) in terms.rules.equation_columns.chunks_exact(n * L).enumerate().zip(depth) {
            let parts = chunks::<L>(column).zip(chunks::<L>(weights));
            for (slope, (column, weights)) in slopes.rows.iter_mut().skip(k).step_by(n).zip(parts) {
                *slope = w * dot(column, weights);
            }
        }
        for (diagonal, (own, sum)) in slopes.rows.iter_mut().step_by(n + 1).zip(own.iter().zip(&sums)) {
            *diagonal += own - sum;
        }
    }
}

impl NodeTerms {
    /// Derivative of the ratio's logarithm in the arguments outside the integrals.
    fn own_slope(&self, (lower, upper): (f64, f64), (numerator, denominator): (f64, f64)) -> f64 {
        (self.rate_factor * lower / numerator - self.yield_factor * upper / denominator) * self.inverse_stdev
    }
}

impl At {
    /// `Phi(d-)` and `Phi(d+)` at every point of every equation.
    fn arguments<const L: usize>(&mut self, terms: &Terms, sigma: f64, depth: &NodeValues) {
        let rules = terms.rules;
        let count = L * rules.order.boundary;
        let (Some(lower), Some(upper)) = (self.lower.get_mut(..count), self.upper.get_mut(..count)) else { return };
        // Column by column: the sum runs over the boundary's nodes in one order at every point.
        self.depth.fill(0.0);
        for (column, w) in rules.equation_columns.chunks_exact(count).zip(depth) {
            let squared = w * w;
            for (sum, m) in self.depth.iter_mut().zip(column) {
                *sum += m * squared;
            }
        }
        let inverse = 1.0 / sigma;
        let half = 0.5 * sigma;
        let drift = (terms.outline.rate - terms.outline.dividend_yield) / sigma;
        let rows = lower.as_chunks_mut::<L>().0.iter_mut().zip(upper.as_chunks_mut::<L>().0.iter_mut());
        let roots = chunks::<L>(&terms.equation.root).zip(chunks::<L>(&terms.equation.inverse_root));
        let depths = self.depth.as_chunks_mut::<L>().0.iter_mut();
        for (((lower, upper), depths), ((roots, inverse_roots), w)) in rows.zip(depths).zip(roots.zip(depth)) {
            let points = roots.iter().zip(inverse_roots);
            for (((lower, upper), depth), (root, inverse_root)) in lower.iter_mut().zip(upper).zip(depths).zip(points) {
                *depth = if *depth > 0.0 { *depth } else { 0.0 }.sqrt();
                let base = (*depth - w) * inverse * inverse_root + drift * root;
                *lower = base - half * root;
                *upper = base + half * root;
            }
        }
        rules.normal_each(lower, &mut self.lower_density);
        if terms.outline.dividend_yield != 0.0 {
            rules.normal_each(upper, &mut self.upper_density);
        }
    }
}

/// A list in pieces of one length.
#[inline(always)]
fn chunks<const L: usize>(values: &[f64]) -> impl Iterator<Item = &[f64; L]> {
    values.as_chunks().0.iter()
}
