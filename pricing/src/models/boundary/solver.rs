//! The exercise boundary at one volatility: a first guess, then Newton's method.

use multiversion::multiversion;

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

/// Steps of Newton's method; where they do not settle, plain iteration begins anew.
const NEWTON_MAX: u32 = 8;
const ITERATIONS_MAX: u32 = 100;
/// No step of Newton's method that moves prices by more is the last, however steps shrink.
const LAST_STEP_MAX: f64 = 2e-4;

/// Solves the boundary of a put with strike 1: `w = ln(limit / B)` at the unknown nodes, from expiry's far end down, and the
/// steps that it took. `None` where the iteration did not settle.
///
/// # Formula
/// The gaps of [`Equations`] by Newton's method with all of their derivatives: two or three steps do where plain
/// iteration takes five to ten. A few boundaries near the end of what the rules resolve do not settle so, because the
/// polynomial is cut off at zero or a node is held at the perpetual depth; plain iteration solves those from the first
/// guess, after a Jacobi-Newton step on the terms outside the integrals.
#[inline(always)]
fn solve<const N: usize, const L: usize>(terms: &Terms, sigma: f64, tolerance: Tolerance) -> Option<([f64; N], u32)> {
    let outline = &terms.outline;
    let deepest = deepest(outline, sigma);
    let guess = seed(terms, sigma, deepest);
    let mut depth = guess;
    let mut equations = Equations::<N, L>::new(terms, sigma);
    let mut newton_max = NEWTON_MAX;
    let mut before = f64::INFINITY;
    for iteration in 1..=ITERATIONS_MAX {
        let newton = iteration <= newton_max;
        if iteration == newton_max + 1 {
            depth = guess;
        }
        let step = equations.gaps(&depth).map(|mut gaps| {
            if newton {
                elimination::solve(&mut equations.slopes(&depth), gaps)
            } else {
                if iteration == newton_max + 1 {
                    gaps.iter_mut().zip(equations.own_slopes()).for_each(|(gap, slope)| *gap /= slope);
                }
                gaps
            }
        });
        let Some(changes) = step.filter(|changes| changes.iter().all(|change| change.is_finite())) else {
            if !newton {
                return None;
            }
            newton_max = iteration;
            continue;
        };
        let (mut residual, mut held) = (0.0_f64, false);
        for (depth, change) in depth.iter_mut().zip(&changes) {
            let free = *depth + change;
            let next = free.max(0.5 * *depth).min(deepest);
            held |= next != free;
            residual = residual.max((next - *depth).abs() * price_weight(outline, *depth));
            *depth = next;
        }
        residual /= sigma * outline.root_time;
        let shrunk = residual / before;
        let settled = if !newton {
            residual <= tolerance.left
        } else if iteration == 1 {
            !held && residual <= tolerance.first
        } else {
            // Errors square themselves: the next step would be shorter by the square of what this one was.
            !held && residual <= LAST_STEP_MAX && residual * shrunk * shrunk <= tolerance.left
        };
        if settled {
            return Some((depth, iteration));
        }
        before = residual;
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

/// [`depth_at_price_points`] with `N` unknowns and `L` points in each equation.
///
/// The host chooses the width of the instructions; the operations, and with them the bits, are the same.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn depth_by<const N: usize, const L: usize>(terms: &Terms, sigma: f64, tolerance: Tolerance) -> Option<Depth> {
    let (depth, _) = solve::<N, L>(terms, sigma, tolerance)?;
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

#[cfg(test)]
mod tests {
    use super::{NEWTON_MAX, Tolerance, solve};
    use crate::models::boundary::rules::Rules;
    use crate::models::boundary::terms::{Outline, Regime, Terms};

    /// Markets as they are listed: rate, yield, time, volatility.
    fn markets() -> Vec<[f64; 4]> {
        let mut markets = Vec::new();
        for time in [2.0 / 365.0, 0.05, 0.25, 1.0, 2.0] {
            for sigma in [0.1, 0.2, 0.4, 0.9] {
                for (rate, dividend_yield) in [(0.04, 0.0), (0.04, 0.015), (0.05, 0.07), (0.015, 0.045), (0.04, -0.01)]
                {
                    markets.push([rate, dividend_yield, time, sigma]);
                }
            }
        }
        markets
    }

    #[test]
    fn newtons_method_alone_settles_listed_options_in_a_few_steps() {
        let tolerance = Tolerance { first: 1e-5, left: 2e-7 };
        let finest = Tolerance { first: 0.0, left: 1e-11 };
        let (mut count, mut steps, mut steps_finest) = (0, 0, 0);
        for [rate, dividend_yield, time, sigma] in markets() {
            let outline = Outline::new(rate, dividend_yield, time);
            assert_eq!(outline.regime, Regime::SingleBoundary);
            let of = |rules| Terms::new(outline, rules);
            let (own, taken) = solve::<8, 8>(&of(Rules::standard()), sigma, tolerance).unwrap();
            let (fine, taken_finest) = solve::<20, 32>(&of(Rules::fine()), sigma, finest).unwrap();
            // Depths now, of different nodes and points.
            let (own, wanted) = (own[0], fine[0]);
            assert!((own - wanted).abs() < 2e-3 * wanted, "{own} {wanted}: {rate} {dividend_yield} {time} {sigma}");
            assert!(taken <= NEWTON_MAX && taken_finest <= NEWTON_MAX);
            count += 1;
            steps += taken;
            steps_finest += taken_finest;
        }
        assert!(steps <= 3 * count, "{steps} steps for {count} boundaries");
        assert!(steps_finest <= 4 * count, "{steps_finest} at the finest");
    }
}
