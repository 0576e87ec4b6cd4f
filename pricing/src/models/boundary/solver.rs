//! The exercise boundary at one volatility: a first guess, then Newton's method.

use super::equations::Equations;
use super::seed::{deepest, seed};
use super::terms::{Outline, Terms};
use super::{Depth, elimination};
use crate::math::exp_short;

/// When a boundary is settled, by what a step moves prices by, about, as a share of the strike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    /// The first step.
    pub first: f64,
    /// What later ones leave, by how they shrink.
    pub left: f64,
}

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
pub(super) struct Solved<const N: usize> {
    pub depth: [f64; N],
    pub ending: Ending,
}

/// Steps of Newton's method; where they do not settle, plain iteration goes on.
const NEWTON_MAX: u32 = 8;
const ITERATIONS_MAX: u32 = 100;

/// Solves the boundary of a put with strike 1; `None` where the iteration did not settle.
///
/// # Formula
/// The gaps of [`Equations`] by Newton's method with all of their derivatives, which are kept as long as they serve. Two
/// or three steps do where plain iteration takes five to ten. A few boundaries near the end of what the rules resolve do
/// not settle so, because the polynomial is cut off at zero; plain iteration ends those, after a Jacobi-Newton step on
/// the terms outside the integrals.
fn solve<const N: usize, const L: usize>(terms: &Terms, sigma: f64, tolerance: Tolerance) -> Option<Solved<N>> {
    let outline = &terms.outline;
    let deepest = deepest(outline, sigma);
    let mut depth = seed(terms, sigma, deepest);
    let mut equations = Equations::<N, L>::new(terms, sigma);
    let mut ending = Ending { iterations: 0, residual: f64::INFINITY };
    while ending.iterations < ITERATIONS_MAX {
        let mut changes = equations.gaps(&depth)?;
        ending.iterations += 1;
        let newton = ending.iterations <= NEWTON_MAX;
        if newton {
            changes = elimination::solve(&mut equations.slopes(&depth), changes);
        } else if ending.iterations == NEWTON_MAX + 1 {
            changes.iter_mut().zip(equations.own_slopes()).for_each(|(change, slope)| *change /= slope);
        }
        let mut residual = 0.0_f64;
        for (depth, change) in depth.iter_mut().zip(&changes) {
            if !change.is_finite() {
                return None;
            }
            let next = (*depth + change).max(0.5 * *depth).min(deepest);
            residual = residual.max((next - *depth).abs() * price_weight(outline, *depth));
            *depth = next;
        }
        residual /= sigma * outline.root_time;
        let shrunk = residual / ending.residual;
        ending.residual = residual;
        let settled = if ending.iterations == 1 {
            residual <= tolerance.first
        } else {
            residual * if newton { shrunk * shrunk } else { 1.0 } <= tolerance.left
        };
        if settled {
            return Some(Solved { depth, ending });
        }
    }
    None
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

/// `ln(limit/B)` at the remaining times of the price's points, then at the whole time.
pub(super) fn depth_at_price_points(terms: &Terms, sigma: f64, tolerance: Tolerance) -> Option<Depth> {
    // The orders that the rules have, known when the loops are compiled.
    match (terms.rules.order.boundary, terms.rules.order.equation) {
        (7, 6) => depth_by::<7, 6>(terms, sigma, tolerance),
        (8, 8) => depth_by::<8, 8>(terms, sigma, tolerance),
        (10, 8) => depth_by::<10, 8>(terms, sigma, tolerance),
        (20, 32) => depth_by::<20, 32>(terms, sigma, tolerance),
        _ => None,
    }
}

fn depth_by<const N: usize, const L: usize>(terms: &Terms, sigma: f64, tolerance: Tolerance) -> Option<Depth> {
    let Solved { depth, .. } = solve::<N, L>(terms, sigma, tolerance)?;
    let rules = terms.rules;
    let squared = depth.map(|w| w * w);
    let mut out = Depth::new(rules.order.price + 1);
    for (point, row) in out.values_mut().iter_mut().zip(rules.price_matrix.chunks_exact(N)) {
        *point = dot(row, &squared).max(0.0).sqrt();
    }
    if let (Some(last), Some(now)) = (out.values_mut().last_mut(), depth.first()) {
        *last = *now;
    }
    out.values().iter().all(|w| w.is_finite()).then_some(out)
}
