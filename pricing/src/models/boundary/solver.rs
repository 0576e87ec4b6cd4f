//! The exercise boundary at one volatility: seed, then fixed-point iteration.

use super::Depth;
use super::terms::{Outline, Terms};
use crate::math::{INV_SQRT_2PI, exp, exp_short, ln, normal_cdf_short};

/// How an iteration ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ending {
    /// Steps taken.
    pub iterations: u32,
    /// About what the last step moved prices by, as a share of the strike.
    pub residual: f64,
}

/// A solved boundary: `w = ln(limit / B)` at the unknown nodes, from expiry's far end down.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Solved {
    pub depth: Vec<f64>,
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
    let mut depth = seed(terms, sigma);
    let mut squared: Vec<f64> = depth.iter().map(|w| w * w).collect();
    let mut lower = vec![0.0; n * l];
    let mut upper = vec![0.0; n * l];
    let deepest = deepest(outline, sigma);
    let drift = (outline.rate - outline.dividend_yield) / sigma;
    let mut ending = Ending { iterations: 0, residual: f64::INFINITY };
    while ending.iterations < ITERATIONS_MAX {
        arguments(terms, sigma, drift, &depth, &squared, &mut lower, &mut upper);
        ending.iterations += 1;
        let first = ending.iterations == 1;
        let mut residual = 0.0_f64;
        for (i, (depth, share)) in depth.iter_mut().zip(&rules.root_share).enumerate() {
            let root_tau = share * outline.root_time;
            let tau = root_tau * root_tau;
            let row = i * l..(i + 1) * l;
            let stdev = sigma * root_tau;
            let base = (outline.log_limit - *depth) / stdev + drift * root_tau;
            let (lower_edge, upper_edge) = (base - 0.5 * stdev, base + 0.5 * stdev);
            let (rate_factor, yield_factor) = (exp(-outline.rate * tau), exp(-outline.dividend_yield * tau));
            let numerator = rate_factor * rules.normal_cdf(lower_edge)
                + dot(&terms.equation.rate_kernel[row.clone()], &lower[row.clone()]);
            let denominator = yield_factor * rules.normal_cdf(upper_edge)
                + dot(&terms.equation.yield_kernel[row.clone()], &upper[row]);
            let mut change = ln(numerator / denominator) - (outline.log_limit - *depth);
            if first {
                let slope = (rate_factor * density(lower_edge) / numerator
                    - yield_factor * density(upper_edge) / denominator)
                    / stdev;
                change /= 1.0 - slope;
            }
            if !change.is_finite() {
                return None;
            }
            let next = (*depth - change).max(0.5 * *depth).min(deepest);
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
    let income = outline.rate - outline.dividend_yield * exp(outline.log_limit - depth);
    (0.4 * income.abs() * outline.time).max(1e-4)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn density(x: f64) -> f64 {
    INV_SQRT_2PI * exp(-0.5 * x * x)
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

/// Barone-Adesi and Whaley's 1987 boundary at each node by Newton's method, each from its neighbour.
fn seed(terms: &Terms, sigma: f64) -> Vec<f64> {
    let Terms { rules, outline, .. } = terms;
    let (r, q) = (outline.rate, outline.dividend_yield);
    let half_variance = 0.5 * sigma * sigma;
    let deepest = deepest(outline, sigma);
    let mut depth = vec![0.0; rules.order.boundary];
    let mut w = 0.0_f64;
    for (value, share) in depth.iter_mut().zip(&rules.root_share).rev() {
        let root_tau = share * outline.root_time;
        let tau = root_tau * root_tau;
        let stdev = sigma * root_tau;
        let inverse = 1.0 / stdev;
        let (rate_factor, yield_factor) = (exp(-r * tau), exp(-q * tau));
        // (1 - e^{-r tau})/r without cancellation.
        let annuity =
            if r * tau < 1e-3 { tau * (1.0 - r * tau * (0.5 - r * tau / 6.0)) } else { (1.0 - rate_factor) / r };
        let lambda = negative_root((r - q) / half_variance - 1.0, 1.0 / (half_variance * annuity));
        // Asymptotics near expiry: a few deviations, slowly fewer as time goes on.
        w = if w == 0.0 { (3.0 * stdev).min(deepest) } else { w.max((0.5 * stdev).min(deepest)) };
        for _ in 0..12 {
            let b = exp_short(outline.log_limit - w);
            let d1 = ((outline.log_limit - w) + (r - q) * tau) * inverse + 0.5 * stdev;
            let upper = normal_cdf_short(-d1);
            let lower = normal_cdf_short(stdev - d1);
            let put = rate_factor * lower - b * yield_factor * upper;
            let f = b * (1.0 - yield_factor * upper) + lambda * (1.0 - b - put);
            let density = INV_SQRT_2PI * exp(-0.5 * d1 * d1);
            let slope = (1.0 - yield_factor * upper) * (1.0 - lambda) + yield_factor * density * inverse;
            let step = f / (slope * b);
            let next = (w + step).max(0.3 * w).min(3.0 * w).min(deepest);
            let moved = (next - w).abs();
            w = next;
            // The formula itself is off by more.
            if moved < 0.03 * stdev {
                break;
            }
        }
        if !w.is_finite() {
            w = 0.5 * stdev;
        }
        *value = w;
    }
    depth
}

/// `ln(limit/B)` at the remaining times of the price's points, then at the whole time.
pub(super) fn depth_at_price_points(terms: &Terms, sigma: f64, tolerance: f64) -> Option<Depth> {
    let Solved { depth, .. } = solve(terms, sigma, tolerance)?;
    let rules = terms.rules;
    let squared: Vec<f64> = depth.iter().map(|w| w * w).collect();
    let mut out = Depth::new(rules.order.price + 1);
    let rows = rules.price_matrix.chunks_exact(rules.order.boundary);
    for (point, row) in out.values_mut().iter_mut().zip(rows) {
        *point = dot(row, &squared).max(0.0).sqrt();
    }
    if let (Some(last), Some(now)) = (out.values_mut().last_mut(), depth.first()) {
        *last = *now;
    }
    out.values().iter().all(|w| w.is_finite()).then_some(out)
}
