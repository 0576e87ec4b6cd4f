//! The first guess of the exercise boundary: Barone-Adesi and Whaley's.

use super::rules::BOUNDARY_NODES_MAX;
use super::solver::dot;
use super::terms::{Outline, Terms};
use crate::math::{INV_SQRT_2PI, exp_short, ln, normal_cdf_short};

fn density(x: f64) -> f64 {
    INV_SQRT_2PI * exp_short((-0.5 * x * x).max(-700.0))
}

/// The perpetual put's depth, which no boundary of finite time exceeds.
///
/// # Formula
/// Merton 1973: `B = lambda / (lambda - 1)`, `lambda` the negative root of `sigma^2 lambda (lambda-1)/2 + (r-q) lambda = r`.
pub(super) fn deepest(outline: &Outline, sigma: f64) -> f64 {
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
// Nothing in it stands side by side: one copy serves all instructions.
#[inline(never)]
pub(super) fn seed<const N: usize>(terms: &Terms, sigma: f64, deepest: f64) -> [f64; N] {
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
    let mut depth = [0.0; N];
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
