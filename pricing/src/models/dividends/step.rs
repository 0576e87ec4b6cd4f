//! One time step between ex-dates: tridiagonal elimination, with or without the right to exercise.

use super::grid::{Claim, Grid, growth};
use super::lanes::{Lane, larger};
use super::line::Line;
use super::plan::StepPlan;

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
pub(super) fn steps<const N: usize>(claim: &Claim<'_, N>, grid: &mut Grid<N>, steps: &[StepPlan]) -> Option<()> {
    let last = grid.prices.len().checked_sub(1)?;
    let lines = (edge(grid, 0, 1)?, edge(grid, last, last.checked_sub(1)?)?);
    let mut before = (1.0, 1.0);
    for step in steps {
        let after = (step.shares_left, step.cash_left);
        advance(claim, grid, step, &lines, before, after);
        before = after;
    }
    Some(())
}

/// One backward step. `before` and `after` are what shares and cash have decayed to since the period's end.
#[inline(always)]
fn advance<const N: usize>(
    claim: &Claim<'_, N>,
    grid: &mut Grid<N>,
    step: &StepPlan,
    (near, far): &(Line<N>, Line<N>),
    before: (f64, f64),
    after: (f64, f64),
) {
    let Grid { ratio, price_difference, prices, moved, values, .. } = grid;
    let discount = after.1 / before.1;
    let drift = (after.1 / before.1) / (after.0 / before.0);
    let (Some(first), Some(last)) = (prices.first(), prices.last()) else { return };
    let (mut start, mut end, mut exercise) = ([0.0; N], [0.0; N], [0.0; N]);
    let level_end = before.1 / (1.0 + step.q);
    for l in 0..N {
        let shares = far.slope[l] * last[l] * moved[l] * before.0;
        // The elimination continued to infinity along the line.
        let share_end = (1.0 + step.c * price_difference[l]) / larger(1.0 + step.q * ratio[l], 0.02);
        end[l] = shares * share_end + far.level[l] * level_end;
        moved[l] *= growth(step, price_difference[l]) * drift;
        let s = first[l] * moved[l];
        exercise[l] = claim.sign * s;
        let line = near.slope[l] * s * after.0 + near.level[l] * after.1;
        let worth = if claim.any_time { exercise[l] - claim.sign * claim.strikes[l] } else { 0.0 };
        start[l] = larger(larger(line, worth), 0.0);
    }
    eliminate(values, step, step.p * discount, &end);
    if claim.any_time {
        let mut exercise = Exercise { shares: exercise, strike: [0.0; N], ratio };
        for l in 0..N {
            exercise.strike[l] = claim.sign * claim.strikes[l];
        }
        substitute_above(values, step.q, &start, exercise);
    } else {
        substitute(values, step.q, &start);
    }
}

/// `g_j = p f_j - q g_{j+1}` from the far end, `f` the explicit half of the step; in place of the values.
///
/// Two nodes at once, `g_j = (p f_j - q p f_{j+1}) + q^2 g_{j+2}`: no node waits for its neighbour, only for the one beyond. The
/// number of nodes is odd.
#[inline(always)]
fn eliminate<const N: usize>(values: &mut [Lane<N>], step: &StepPlan, p: f64, end: &Lane<N>) {
    let (middle, beside, q, squared) = (p * (1.0 - 2.0 * step.c), p * step.c, step.q, step.q * step.q);
    let [.., before, inner, last] = values else { return };
    // The value that was at the node above, its explicit half, and the two nodes above.
    let (mut above, mut f, mut far, mut near) = (*inner, [0.0; N], [0.0; N], [0.0; N]);
    for l in 0..N {
        f[l] = middle * inner[l] + beside * (before[l] + last[l]);
        far[l] = p * end[l];
        near[l] = f[l] - q * far[l];
    }
    (*last, *inner) = (far, near);
    for first in (0..values.len().saturating_sub(4)).rev().step_by(2) {
        let Some([a, b, d]) = values.get_mut(first..first + 3) else { break };
        // Short loops: what they share stays in registers.
        let mut half = [0.0; N];
        for l in 0..N {
            half[l] = middle * d[l] + beside * (b[l] + above[l]);
        }
        for l in 0..N {
            far[l] = (half[l] - q * f[l]) + squared * far[l];
        }
        for l in 0..N {
            f[l] = middle * b[l] + beside * (a[l] + d[l]);
        }
        for l in 0..N {
            near[l] = (f[l] - q * half[l]) + squared * near[l];
        }
        above = *b;
        (*d, *b) = (far, near);
    }
}

/// `u_j = g_j - q u_{j-1}`, two nodes at once; in place of `g`.
#[inline(always)]
fn substitute<const N: usize>(values: &mut [Lane<N>], q: f64, start: &Lane<N>) {
    let squared = q * q;
    let [first, second, values @ ..] = values else { return };
    let (mut far, mut near, mut held) = (*start, [0.0; N], *second);
    for l in 0..N {
        near[l] = held[l] - q * far[l];
    }
    (*first, *second) = (far, near);
    let (pairs, rest) = values.as_chunks_mut();
    for [first, second] in pairs {
        let (g, h) = (*first, *second);
        for l in 0..N {
            far[l] = (g[l] - q * held[l]) + squared * far[l];
        }
        for l in 0..N {
            near[l] = (h[l] - q * g[l]) + squared * near[l];
        }
        held = h;
        (*first, *second) = (far, near);
    }
    for value in rest {
        for l in 0..N {
            value[l] -= q * near[l];
        }
    }
}

/// What exercise brings at one node after the other, without its floor at zero; signed for puts.
struct Exercise<'a, const N: usize> {
    shares: Lane<N>,
    strike: Lane<N>,
    ratio: &'a Lane<N>,
}

/// [`substitute`] with the right to exercise: `u_j = max(g_j - q u_{j-1}, x_j)`.
///
/// With `q` not above zero the larger of two is found as well a node later: `u_j = max((g_j - q g_{j-1}) + q^2 u_{j-2},
/// g_j - q x_{j-1}, x_j)`.
#[inline(always)]
fn substitute_above<const N: usize>(
    values: &mut [Lane<N>],
    q: f64,
    start: &Lane<N>,
    Exercise { mut shares, strike, ratio }: Exercise<'_, N>,
) {
    if q > 0.0 {
        return substitute_one_by_one(values, q, start, Exercise { shares, strike, ratio });
    }
    let squared = q * q;
    let [first, second, values @ ..] = values else { return };
    let (mut far, mut near, mut held, mut worth) = (*start, [0.0; N], *second, [0.0; N]);
    for l in 0..N {
        shares[l] *= ratio[l];
        worth[l] = shares[l] - strike[l];
        near[l] = larger(held[l] - q * far[l], worth[l]);
    }
    (*first, *second) = (far, near);
    let (pairs, rest) = values.as_chunks_mut();
    for [first, second] in pairs {
        let (mut worth1, mut least) = ([0.0; N], [0.0; N]);
        for l in 0..N {
            shares[l] *= ratio[l];
            worth1[l] = shares[l] - strike[l];
        }
        let (g, h) = (*first, *second);
        for l in 0..N {
            least[l] = larger(g[l] - q * worth[l], worth1[l]);
        }
        for l in 0..N {
            far[l] = larger((g[l] - q * held[l]) + squared * far[l], least[l]);
        }
        for l in 0..N {
            shares[l] *= ratio[l];
            worth[l] = shares[l] - strike[l];
        }
        for l in 0..N {
            least[l] = larger(h[l] - q * worth1[l], worth[l]);
        }
        for l in 0..N {
            near[l] = larger((h[l] - q * g[l]) + squared * near[l], least[l]);
        }
        held = h;
        (*first, *second) = (far, near);
    }
    for value in rest {
        for l in 0..N {
            shares[l] *= ratio[l];
            value[l] = larger(value[l] - q * near[l], shares[l] - strike[l]);
        }
    }
}

fn substitute_one_by_one<const N: usize>(values: &mut [Lane<N>], q: f64, start: &Lane<N>, exercise: Exercise<'_, N>) {
    let Exercise { mut shares, strike, ratio } = exercise;
    let Some((first, values)) = values.split_first_mut() else { return };
    let mut u = *start;
    *first = u;
    for value in values {
        for l in 0..N {
            shares[l] *= ratio[l];
            u[l] = larger(value[l] - q * u[l], shares[l] - strike[l]);
        }
        *value = u;
    }
}
