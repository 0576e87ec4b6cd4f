//! The exercise boundary at one volatility: seed, then fixed-point iteration.

use super::Depth;
use super::rules::BOUNDARY_NODES_MAX;
use super::terms::{Outline, Terms};
use crate::math::{INV_SQRT_2PI, exp_normal, exp_short, ln, ln_normal, normal_cdf_short};

/// How an iteration ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ending {
    /// Steps taken.
    pub iterations: u32,
    /// About what the last step moved prices by, as a share of the strike.
    pub residual: f64,
}

/// One number per unknown; those beyond the order's are zero.
pub(super) type NodeValues = [f64; BOUNDARY_NODES_MAX];

/// A solved boundary: `w = ln(limit / B)` at the unknown nodes, from expiry's far end down.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Solved {
    pub depth: NodeValues,
    pub ending: Ending,
}

const ITERATIONS_MAX: u32 = 100;

/// Solves the boundary of a put with strike 1; `None` where the iteration did not settle.
///
/// # Formula
/// Andersen, Lake and Offengenden 2016, equation FP-B: with `v` the time from the node,
/// `B(tau) = (e^{-r tau} Phi(d-(tau, B)) + r int e^{-r v} Phi(d-(v, B/B(tau-v))) dv) / (e^{-q tau} Phi(d+(tau, B)) + q int e^{-q v} Phi(d+) dv)`.
/// The first step is a Jacobi-Newton step on the terms outside the integrals, the rest plain iteration. The squared
/// depth `ln(B(0+)/B)^2` is a polynomial in `sqrt tau`.
pub(super) fn solve(terms: &Terms, sigma: f64, tolerance: f64) -> Option<Solved> {
    let Terms { rules, outline, .. } = terms;
    let n = rules.order.boundary;
    let l = rules.order.equation;
    let deepest = deepest(outline, sigma);
    let mut depth = seed(terms, sigma, deepest);
    let mut squared = depth.map(|w| w * w);
    // The points of every equation, then each node's own argument.
    let mut lower = vec![0.0; n * l + n];
    let mut upper = lower.clone();
    let mut ratios = [1.0; BOUNDARY_NODES_MAX];
    let mut nodes = [NodeTerms::default(); BOUNDARY_NODES_MAX];
    for (node, share) in nodes.iter_mut().zip(&rules.root_share) {
        *node = NodeTerms::new(outline, sigma, *share);
    }
    let drift = (outline.rate - outline.dividend_yield) / sigma;
    let mut ending = Ending { iterations: 0, residual: f64::INFINITY };
    while ending.iterations < ITERATIONS_MAX {
        arguments(terms, sigma, drift, &depth, &squared, &mut lower, &mut upper);
        let (lower_inner, lower_own) = lower.split_at_mut(n * l);
        let (upper_inner, upper_own) = upper.split_at_mut(n * l);
        for (((lower, upper), node), w) in lower_own.iter_mut().zip(upper_own.iter_mut()).zip(&nodes).zip(&depth) {
            (*lower, *upper) = node.edges(outline, *w);
        }
        rules.normal_cdf_each(lower_own);
        rules.normal_cdf_each(upper_own);
        ending.iterations += 1;
        let first = ending.iterations == 1;
        // What a Jacobi-Newton step divides the change by.
        let mut shares = [1.0; BOUNDARY_NODES_MAX];
        let kernels = terms.equation.rate_kernel.chunks_exact(l).zip(terms.equation.yield_kernel.chunks_exact(l));
        let inner = lower_inner.chunks_exact(l).zip(upper_inner.chunks_exact(l));
        let own = lower_own.iter().zip(upper_own.iter());
        for ((((ratio, share), (node, w)), (own_lower, own_upper)), ((lower, upper), (rate_kernel, yield_kernel))) in
            ratios.iter_mut().zip(&mut shares).zip(nodes.iter().zip(&depth)).zip(own).zip(inner.zip(kernels))
        {
            let numerator = node.rate_factor * own_lower + dot(rate_kernel, lower);
            let denominator = node.yield_factor * own_upper + dot(yield_kernel, upper);
            *ratio = numerator / denominator;
            if !(*ratio >= f64::MIN_POSITIVE && *ratio <= f64::MAX) {
                return None;
            }
            if first {
                let (lower_edge, upper_edge) = node.edges(outline, *w);
                let slope = (node.rate_factor * density(lower_edge) / numerator
                    - node.yield_factor * density(upper_edge) / denominator)
                    * node.inverse_stdev;
                *share = 1.0 - slope;
            }
        }
        for ratio in ratios.iter_mut().take(n) {
            *ratio = ln_normal(*ratio);
        }
        let mut residual = 0.0_f64;
        for ((depth, log_ratio), share) in depth.iter_mut().zip(&ratios).zip(&shares).take(n) {
            let change = ((outline.log_limit - *depth) - log_ratio) / share;
            if !change.is_finite() {
                return None;
            }
            let next = (*depth + change).max(0.5 * *depth).min(deepest);
            residual = residual.max((next - *depth).abs() * price_weight(outline, *depth));
            *depth = next;
        }
        for (h, w) in squared.iter_mut().zip(&depth) {
            *h = w * w;
        }
        ending.residual = residual / (sigma * outline.root_time);
        if ending.residual <= tolerance {
            return Some(Solved { depth, ending });
        }
    }
    None
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

/// `Phi(d-)` and `Phi(d+)` at every point of every equation.
fn arguments(
    terms: &Terms,
    sigma: f64,
    drift: f64,
    depth: &[f64],
    squared: &[f64],
    lower: &mut [f64],
    upper: &mut [f64],
) {
    let rules = terms.rules;
    let points = rules.order.equation;
    let count = points * rules.order.boundary;
    let (Some(lower), Some(upper)) = (lower.get_mut(..count), upper.get_mut(..count)) else { return };
    // Column by column: the sum runs over the boundary's nodes in one order at every point.
    lower.fill(0.0);
    for (column, h) in rules.equation_columns.chunks_exact(lower.len()).zip(squared) {
        for (sum, m) in lower.iter_mut().zip(column) {
            *sum += m * h;
        }
    }
    let inverse = 1.0 / sigma;
    let half = 0.5 * sigma;
    let rows = lower.chunks_exact_mut(points).zip(upper.chunks_exact_mut(points));
    let roots = terms.equation.root.chunks_exact(points).zip(terms.equation.inverse_root.chunks_exact(points));
    for ((lower, upper), ((roots, inverse_roots), w)) in rows.zip(roots.zip(depth)) {
        let points = roots.iter().zip(inverse_roots);
        for ((lower, upper), (root, inverse_root)) in lower.iter_mut().zip(upper).zip(points) {
            let squared = if *lower > 0.0 { *lower } else { 0.0 };
            let base = (squared.sqrt() - w) * inverse * inverse_root + drift * root;
            *lower = base - half * root;
            *upper = base + half * root;
        }
    }
    rules.normal_cdf_each(lower);
    if terms.outline.dividend_yield != 0.0 {
        rules.normal_cdf_each(upper);
    }
}

/// What a move of `ln B` by `sigma sqrt(T)` is worth, about: the premium's integrand at the boundary is `r - q B`. At least
/// 1e-4, so that the boundary itself is settled where hardly any price depends on it.
fn price_weight(outline: &Outline, depth: f64) -> f64 {
    let income = outline.rate - outline.dividend_yield * exp_short(outline.log_limit - depth);
    (0.4 * income.abs() * outline.time).max(1e-4)
}

/// Four sums side by side, in one fixed order.
#[inline(always)]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| x * y).sum();
    let mut sums = [0.0; 4];
    for (a, b) in a.zip(b) {
        for (sum, (x, y)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += x * y;
        }
    }
    let [p, q, r, s] = sums;
    ((p + r) + (q + s)) + rest
}

fn density(x: f64) -> f64 {
    INV_SQRT_2PI * exp_short((-0.5 * x * x).max(-700.0))
}

/// The perpetual put's depth, which no boundary of finite time exceeds.
///
/// # Formula
/// Merton 1973: `B = lambda / (lambda - 1)`, `lambda` the negative root of `sigma^2 lambda (lambda-1)/2 + (r-q) lambda = r`.
fn deepest(outline: &Outline, sigma: f64) -> f64 {
    let half_variance = 0.5 * sigma * sigma;
    let b = (outline.rate - outline.dividend_yield) / half_variance - 1.0;
    let lambda = negative_root(b, outline.rate / half_variance);
    outline.log_limit - ln(lambda / (lambda - 1.0))
}

/// The negative root of `x^2 + b x - c`, `c > 0`, without cancellation.
fn negative_root(b: f64, c: f64) -> f64 {
    let root = (b * b + 4.0 * c).sqrt();
    if b > 0.0 { -0.5 * (b + root) } else { -2.0 * c / (root - b) }
}

/// Barone-Adesi and Whaley's 1987 boundary by Newton's method at a few times, each from the next shorter one; between them
/// the polynomial in `sqrt tau` through the squared depths, which vanishes at expiry.
fn seed(terms: &Terms, sigma: f64, deepest: f64) -> NodeValues {
    let Terms { rules, outline, .. } = terms;
    let mut at_nodes = [0.0; BOUNDARY_NODES_MAX];
    let count = rules.seed_share.len().min(BOUNDARY_NODES_MAX);
    let mut w = 0.0_f64;
    for (value, share) in at_nodes.iter_mut().zip(&rules.seed_share).rev() {
        w = seed_at(outline, sigma, share * outline.root_time, w, deepest);
        *value = w * w;
    }
    let at_nodes = at_nodes.get(..count).unwrap_or_default();
    let rows = rules.seed_matrix.chunks_exact(count).zip(&rules.root_share);
    let least = 0.25 * sigma * outline.root_time;
    let mut depth = [0.0; BOUNDARY_NODES_MAX];
    for (depth, (row, share)) in depth.iter_mut().zip(rows) {
        *depth = dot(row, at_nodes).max(0.0).sqrt().max(least * share).min(deepest);
    }
    depth
}

/// One node of [`seed`], `near` the depth of the next shorter time.
fn seed_at(outline: &Outline, sigma: f64, root_tau: f64, near: f64, deepest: f64) -> f64 {
    let (r, q) = (outline.rate, outline.dividend_yield);
    let half_variance = 0.5 * sigma * sigma;
    let tau = root_tau * root_tau;
    let stdev = sigma * root_tau;
    let inverse = 1.0 / stdev;
    let (rate_factor, yield_factor) = (exp_short(-r * tau), exp_short(-q * tau));
    // (1 - e^{-r tau})/r without cancellation.
    let annuity = if r * tau < 1e-3 { tau * (1.0 - r * tau * (0.5 - r * tau / 6.0)) } else { (1.0 - rate_factor) / r };
    let lambda = negative_root((r - q) / half_variance - 1.0, 1.0 / (half_variance * annuity));
    // Asymptotics near expiry: a few deviations, slowly fewer as time goes on.
    let mut w = if near == 0.0 { (3.0 * stdev).min(deepest) } else { near.max((0.5 * stdev).min(deepest)) };
    for _ in 0..12 {
        let b = exp_short(outline.log_limit - w);
        let d1 = ((outline.log_limit - w) + (r - q) * tau) * inverse + 0.5 * stdev;
        let upper = yield_factor * normal_cdf_short(-d1);
        let put = rate_factor * normal_cdf_short(stdev - d1) - b * upper;
        let f = b * (1.0 - upper) + lambda * (1.0 - b - put);
        let slope = (1.0 - upper) * (1.0 - lambda) + yield_factor * density(d1) * inverse;
        let step = f / (slope * b);
        let next = (w + step).max(0.3 * w).min(3.0 * w).min(deepest);
        let moved = (next - w).abs();
        w = next;
        // The formula itself is off by more.
        if moved < 0.03 * stdev {
            break;
        }
    }
    if w.is_finite() { w } else { 0.5 * stdev }
}

/// `ln(limit/B)` at the remaining times of the price's points, then at the whole time.
pub(super) fn depth_at_price_points(terms: &Terms, sigma: f64, tolerance: f64) -> Option<Depth> {
    let Solved { depth, .. } = solve(terms, sigma, tolerance)?;
    let rules = terms.rules;
    let squared = depth.map(|w| w * w);
    let squared = squared.get(..rules.order.boundary)?;
    let mut out = Depth::new(rules.order.price + 1);
    let rows = rules.price_matrix.chunks_exact(rules.order.boundary);
    for (point, row) in out.values_mut().iter_mut().zip(rows) {
        *point = dot(row, squared).max(0.0).sqrt();
    }
    if let (Some(last), Some(now)) = (out.values_mut().last_mut(), depth.first()) {
        *last = *now;
    }
    out.values().iter().all(|w| w.is_finite()).then_some(out)
}
