//! One time step between ex-dates: tridiagonal elimination, with or without the right to exercise.

use super::boundary::{Boundary, StepEnds};
use super::grid::{Claim, Grid, growth};
use super::lanes::{Lane, fused, larger};
use super::line::Line;
use super::plan::{PeriodPlan, StepPlan};

/// The line through an edge node and its neighbour.
fn edge<const N: usize>(grid: &Grid<N>, edge: usize, inner: usize) -> Option<Line<N>> {
    let (v0, v1) = (grid.values.get(edge)?, grid.values.get(inner)?);
    let (s0, s1) = (grid.prices.get(edge)?, grid.prices.get(inner)?);
    let mut line = Line { slope: [0.0; N], level: [0.0; N] };
    for l in 0..N {
        let slope = (v0[l] - v1[l]) / (s0[l] - s1[l]);
        line.slope[l] = slope;
        line.level[l] = v0[l] - slope * s0[l];
    }
    Some(line)
}

/// The steps of one period, from its end to its beginning.
#[inline(always)]
pub(super) fn steps<const N: usize>(claim: &Claim<'_, N>, grid: &mut Grid<N>, plan: &PeriodPlan) -> Option<()> {
    let last = grid.prices.len().checked_sub(1)?;
    let lines = (edge(grid, 0, 1)?, edge(grid, last, last.checked_sub(1)?)?);
    let mut before = (1.0, 1.0);
    let mut boundary = Boundary::new(grid, plan.eta);
    for step in &plan.steps {
        let after = (step.shares_left, step.cash_left);
        advance(claim, grid, &mut boundary, (plan, step), &lines, before, after);
        before = after;
    }
    Some(())
}

/// One backward step. `before` and `after` are what shares and cash have decayed to since the period's end.
#[inline(always)]
fn advance<const N: usize>(
    claim: &Claim<'_, N>,
    grid: &mut Grid<N>,
    boundary: &mut Boundary<N>,
    (plan, step): (&PeriodPlan, &StepPlan),
    (near, far): &(Line<N>, Line<N>),
    before: (f64, f64),
    after: (f64, f64),
) {
    let Grid { ratio, price_difference, prices, moved, values, .. } = &mut *grid;
    let moved_before = *moved;
    let discount = after.1 / before.1;
    let drift = (after.1 / before.1) / (after.0 / before.0);
    let (Some(first), Some(last)) = (prices.first(), prices.last()) else { return };
    let (mut start, mut end) = ([0.0; N], [0.0; N]);
    let mut exercise = Exercise { shares: [0.0; N], strike: [0.0; N] };
    let level_end = before.1 / (1.0 + step.q);
    for l in 0..N {
        let shares = far.slope[l] * last[l] * moved[l] * before.0;
        // The elimination continued to infinity along the line.
        let share_end = (1.0 + step.c * price_difference[l]) / larger(1.0 + step.q * ratio[l], 0.02);
        end[l] = shares * share_end + far.level[l] * level_end;
        moved[l] *= growth(step, price_difference[l]) * drift;
        (exercise.shares[l], exercise.strike[l]) = (claim.sign * moved[l], claim.sign * claim.strikes[l]);
        let s = first[l] * moved[l];
        let line = near.slope[l] * s * after.0 + near.level[l] * after.1;
        let worth = if claim.any_time { claim.sign * (s - claim.strikes[l]) } else { 0.0 };
        start[l] = larger(larger(line, worth), 0.0);
    }
    eliminate(values, step, step.p * discount, &end);
    if claim.any_time {
        let ends = StepEnds { step, discount, before: moved_before, after: *moved };
        boundary.earn(claim, grid, &ends);
        substitute_above(&mut grid.values, &grid.prices, step.q, &start, exercise);
        if plan.between_nodes {
            boundary.find(claim, grid);
        }
    } else {
        substitute(values, step.q, &start);
    }
}

/// `g_j = p f_j - q g_{j+1}` from the far end, `f` the explicit half of the step; in place of the values.
///
/// Every second node by `g_j = (p f_j - q p f_{j+1}) + q^2 g_{j+2}`: the next pair waits for one operation. The number of nodes is
/// odd.
#[inline(always)]
fn eliminate<const N: usize>(values: &mut [Lane<N>], step: &StepPlan, p: f64, end: &Lane<N>) {
    let (middle, beside, q, squared) = (p * (1.0 - 2.0 * step.c), p * step.c, step.q, step.q * step.q);
    let [.., before, inner, last] = values else { return };
    // The value that was at the node above, and the node above.
    let (mut above, mut near) = (*inner, [0.0; N]);
    for l in 0..N {
        let half = fused(middle, inner[l], beside * (before[l] + last[l]));
        last[l] = p * end[l];
        near[l] = fused(-q, last[l], half);
    }
    *inner = near;
    for first in (0..values.len().saturating_sub(4)).rev().step_by(2) {
        let Some([a, b, d]) = values.get_mut(first..first + 3) else { break };
        // Short loops: what they share stays in registers.
        let (mut half, mut f, mut far) = ([0.0; N], [0.0; N], [0.0; N]);
        for l in 0..N {
            half[l] = fused(middle, d[l], beside * (b[l] + above[l]));
        }
        for l in 0..N {
            f[l] = fused(middle, b[l], beside * (a[l] + d[l]));
        }
        for l in 0..N {
            far[l] = fused(-q, near[l], half[l]);
        }
        for l in 0..N {
            near[l] = fused(squared, near[l], fused(-q, half[l], f[l]));
        }
        above = *b;
        (*d, *b) = (far, near);
    }
}

/// `u_j = g_j - q u_{j-1}`, two nodes at once as in [`eliminate`]; in place of `g`.
#[inline(always)]
fn substitute<const N: usize>(values: &mut [Lane<N>], q: f64, start: &Lane<N>) {
    let Some((first, values)) = values.split_first_mut() else { return };
    *first = *start;
    let (pairs, _) = values.as_chunks_mut();
    substitute_pairs(pairs, q, *start);
}

/// [`substitute`] after a node.
#[inline(always)]
fn substitute_pairs<const N: usize>(pairs: &mut [[Lane<N>; 2]], q: f64, mut near: Lane<N>) {
    let squared = q * q;
    for [first, second] in pairs {
        let mut far = [0.0; N];
        for l in 0..N {
            far[l] = fused(-q, near[l], first[l]);
        }
        for l in 0..N {
            near[l] = fused(squared, near[l], fused(-q, first[l], second[l]));
        }
        (*first, *second) = (far, near);
    }
}

/// What exercise brings at a price of its grid's, without its floor at zero; signed for puts.
struct Exercise<const N: usize> {
    shares: Lane<N>,
    strike: Lane<N>,
}

/// Pairs of nodes of a block.
const PAIRS: usize = 4;
/// The strike of what is not exercised any more.
const BEYOND: f64 = 1e300;

/// [`substitute`] with the right to exercise: `u_j = max(g_j - q u_{j-1}, x_j)`.
///
/// With `q` not above zero the larger of two is found as well a node later: `u_j = max((g_j - q g_{j-1}) + q^2 u_{j-2},
/// g_j - q x_{j-1}, x_j)`. Exercise begins at the first node and ends at the one boundary: a lane that is held at the last node of a
/// block is held from there on.
#[inline(always)]
fn substitute_above<const N: usize>(
    values: &mut [Lane<N>],
    prices: &[Lane<N>],
    q: f64,
    start: &Lane<N>,
    exercise: Exercise<N>,
) {
    if q > 0.0 {
        return substitute_one_by_one(values, prices, q, start, exercise);
    }
    let Exercise { shares, mut strike } = exercise;
    let squared = q * q;
    let (Some((first, values)), Some((_, prices))) = (values.split_first_mut(), prices.split_first()) else { return };
    *first = *start;
    let mut near = *start;
    let (mut pairs, _) = values.as_chunks_mut();
    let (mut of_pairs, _) = prices.as_chunks();
    while !pairs.is_empty() {
        let (block, after) = pairs.split_at_mut(pairs.len().min(PAIRS));
        let (of_block, of_after) = of_pairs.split_at(of_pairs.len().min(PAIRS));
        (pairs, of_pairs) = (after, of_after);
        let mut worth = [0.0; N];
        for ([first, second], [s, t]) in block.iter_mut().zip(of_block) {
            let (mut far, mut least) = ([0.0; N], [0.0; N]);
            for l in 0..N {
                worth[l] = fused(s[l], shares[l], -strike[l]);
            }
            for l in 0..N {
                far[l] = larger(fused(-q, near[l], first[l]), worth[l]);
            }
            for l in 0..N {
                least[l] = fused(-q, worth[l], second[l]);
            }
            for l in 0..N {
                worth[l] = fused(t[l], shares[l], -strike[l]);
            }
            for l in 0..N {
                least[l] = larger(least[l], worth[l]);
            }
            for l in 0..N {
                near[l] = larger(fused(squared, near[l], fused(-q, first[l], second[l])), least[l]);
            }
            (*first, *second) = (far, near);
        }
        let mut exercised = false;
        for l in 0..N {
            let own = near[l] <= worth[l];
            exercised |= own;
            strike[l] = if own { strike[l] } else { BEYOND };
        }
        if !exercised {
            break;
        }
    }
    substitute_pairs(pairs, q, near);
}

#[inline(always)]
fn substitute_one_by_one<const N: usize>(
    values: &mut [Lane<N>],
    prices: &[Lane<N>],
    q: f64,
    start: &Lane<N>,
    exercise: Exercise<N>,
) {
    let Exercise { shares, strike } = exercise;
    let (Some((first, values)), Some((_, prices))) = (values.split_first_mut(), prices.split_first()) else { return };
    let mut u = *start;
    *first = u;
    for (value, s) in values.iter_mut().zip(prices) {
        for l in 0..N {
            u[l] = larger(fused(-q, u[l], value[l]), fused(s[l], shares[l], -strike[l]));
        }
        *value = u;
    }
}
