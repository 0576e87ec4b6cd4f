//! One time step between ex-dates: tridiagonal elimination, with or without the right to exercise.

use super::grid::{Claim, Grid, growth};
use super::lanes::Lane;
use super::plan::StepPlan;

/// A line in the price, per lane: what the claim is beyond the grid.
#[derive(Clone, Copy)]
pub(super) struct Line<const N: usize> {
    slope: Lane<N>,
    level: Lane<N>,
}

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
pub(super) fn steps<const N: usize>(
    claim: &Claim<'_, N>,
    grid: &mut Grid<N>,
    steps: &[StepPlan],
    scratch: &mut Vec<Lane<N>>,
) -> Option<()> {
    let last = grid.prices.len().checked_sub(1)?;
    let lines = (edge(grid, 0, 1)?, edge(grid, last, last.checked_sub(1)?)?);
    scratch.resize(grid.prices.len(), [0.0; N]);
    let mut before = (1.0, 1.0);
    for step in steps {
        let after = (step.shares_left, step.cash_left);
        advance(claim, grid, step, &lines, before, after, scratch);
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
    scratch: &mut [Lane<N>],
) {
    let Grid { ratio, price_difference, prices, moved, values, .. } = grid;
    let discount = after.1 / before.1;
    let drift = (after.1 / before.1) / (after.0 / before.0);
    let (Some(first), Some(last)) = (prices.first(), prices.last()) else { return };
    let (mut start, mut end) = ([0.0; N], [0.0; N]);
    let level_end = before.1 / (1.0 + step.q);
    for l in 0..N {
        let shares = far.slope[l] * last[l] * moved[l] * before.0;
        // The elimination continued to infinity along the line.
        let share_end = (1.0 + step.c * price_difference[l]) / (1.0 + step.q * ratio[l]).max(0.02);
        end[l] = shares * share_end + far.level[l] * level_end;
        moved[l] *= growth(step, price_difference[l]) * drift;
        let s = first[l] * moved[l];
        let line = near.slope[l] * s * after.0 + near.level[l] * after.1;
        start[l] = line.max(if claim.any_time { claim.exercise(l, s) } else { 0.0 });
    }
    eliminate(values, step, end, scratch);
    if claim.any_time {
        substitute_above(values, scratch, prices, moved, step, discount, start, claim);
    } else {
        substitute(values, scratch, step, discount, start);
    }
}

/// `g_j = f_j - q g_{j+1}` from the far end, `f` the explicit half of the step.
#[inline(always)]
fn eliminate<const N: usize>(values: &[Lane<N>], step: &StepPlan, end: Lane<N>, scratch: &mut [Lane<N>]) {
    let (c, q, middle) = (step.c, step.q, 1.0 - 2.0 * step.c);
    let mut g = end;
    if let Some(target) = scratch.last_mut() {
        *target = end;
    }
    let inner = scratch.len().saturating_sub(1);
    for (window, target) in values.windows(3).rev().zip(scratch[..inner].iter_mut().rev()) {
        let [a, b, d] = window else { continue };
        for l in 0..N {
            g[l] = (middle * b[l] + c * (a[l] + d[l])) - q * g[l];
        }
        *target = g;
    }
}

#[inline(always)]
fn substitute<const N: usize>(
    values: &mut [Lane<N>],
    scratch: &[Lane<N>],
    step: &StepPlan,
    discount: f64,
    start: Lane<N>,
) {
    let (p, q) = (step.p * discount, step.q);
    let mut u = start;
    if let Some(value) = values.first_mut() {
        *value = start;
    }
    for (value, g) in values.iter_mut().zip(scratch).skip(1) {
        for l in 0..N {
            u[l] = p * g[l] - q * u[l];
        }
        *value = u;
    }
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn substitute_above<const N: usize>(
    values: &mut [Lane<N>],
    scratch: &[Lane<N>],
    prices: &[Lane<N>],
    moved: &Lane<N>,
    step: &StepPlan,
    discount: f64,
    start: Lane<N>,
    claim: &Claim<'_, N>,
) {
    let (p, q) = (step.p * discount, step.q);
    let (mut slope, mut level) = ([0.0; N], [0.0; N]);
    for l in 0..N {
        slope[l] = claim.sign * moved[l];
        level[l] = -claim.sign * claim.strikes[l];
    }
    let mut u = start;
    if let Some(value) = values.first_mut() {
        *value = start;
    }
    for ((value, g), s) in values.iter_mut().zip(scratch).zip(prices).skip(1) {
        for l in 0..N {
            let held = p * g[l] - q * u[l];
            let exercise = slope[l] * s[l] + level[l];
            u[l] = if held > exercise { held } else { exercise };
        }
        *value = u;
    }
}
