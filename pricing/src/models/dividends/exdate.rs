//! Values just before an ex-date from those just after it.

use super::grid::{Claim, Grid, add_kink};
use super::kink;
use super::lanes::Lane;
use super::plan::PeriodPlan;
use super::schedule::Schedule;
use crate::math::{exp, ln};

/// Adding it rounds a small number to an integer, which stands in the last bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// `V(S, t-) = max(g(S), V(max(S - d, 0), t+))`, by cubic interpolation of the later grid.
pub(super) fn drop_dividend<const N: usize>(
    claim: &Claim<'_, N>,
    grid: &mut Grid<N>,
    plan: &PeriodPlan,
    next: &Grid<N>,
    next_plan: &PeriodPlan,
) {
    let dividend = plan.period.dividend;
    let later = Later::new(claim, next, next_plan);
    let Grid { prices, values, log_first, spacing, .. } = grid;
    for (j, (s, values)) in prices.iter().zip(values.iter_mut()).enumerate() {
        let mut dropped = [0.0; N];
        for l in 0..N {
            dropped[l] = (s[l] - dividend).max(0.0);
        }
        let mut places = log_one_less(s, dividend);
        for l in 0..N {
            let log_s = log_first[l] + spacing[l] * j as f64;
            places[l] = (log_s + places[l] - later.log_first[l]) * later.per_spacing[l];
        }
        *values = later.values(claim, &dropped, &places);
    }
    if next_plan.on_strike {
        spread_payoff_kink(claim, grid, plan, next_plan);
    }
    // A put waits for the drop: exercised after it, it brings the dividend more.
    if claim.american && claim.sign > 0.0 {
        exercise(claim, grid);
    }
}

/// Exercise just before the ex-date, the kinks where it begins or ends spread over the neighbouring nodes.
fn exercise<const N: usize>(claim: &Claim<'_, N>, grid: &mut Grid<N>) {
    let Grid { prices, values, spacing, .. } = grid;
    let mut gaps: Vec<Lane<N>> = Vec::with_capacity(values.len());
    for (s, values) in prices.iter().zip(values.iter_mut()) {
        let mut gap = [0.0; N];
        for l in 0..N {
            // Holding on less exercise, without its floor at zero: smooth where the payoff is not.
            gap[l] = values[l] - claim.sign * (s[l] - claim.strikes[l]);
            values[l] = values[l].max(claim.exercise(l, s[l]));
        }
        gaps.push(gap);
    }
    spread_exercise_kinks(values, &gaps, spacing);
}

/// A payoff that is still nearly a kink: nodes see it as one, the less the more deviations it has been spread over.
fn spread_payoff_kink<const N: usize>(
    claim: &Claim<'_, N>,
    grid: &mut Grid<N>,
    plan: &PeriodPlan,
    next_plan: &PeriodPlan,
) {
    let left = next_plan.period.length();
    let Schedule { rate, borrow, .. } = *claim.schedule;
    let turns = left.sqrt() / plan.eta;
    let share = exp(-2.0 * std::f64::consts::PI * std::f64::consts::PI * turns * turns);
    if share < 1e-3 {
        return;
    }
    for l in 0..N {
        let place = claim.strikes[l] * exp((borrow - rate) * left) + plan.period.dividend;
        let jump = share * place * exp(-borrow * left);
        let held = jump * (claim.sigmas[l] * left.sqrt());
        // Where exercise wins there is no kink of what is held.
        if !claim.american || claim.exercise(l, place) <= held {
            add_kink(claim, grid, l, place, jump);
        }
    }
}

fn spread_exercise_kinks<const N: usize>(values: &mut [Lane<N>], gaps: &[Lane<N>], spacing: &Lane<N>) {
    for (j, window) in gaps.windows(3).enumerate() {
        let [_, b, c] = window else { continue };
        if (0..N).all(|l| (b[l] < 0.0) == (c[l] < 0.0)) {
            continue;
        }
        for (l, h) in spacing.iter().enumerate() {
            spread_one(values, window, j, l, h.abs());
        }
    }
}

fn spread_one<const N: usize>(values: &mut [Lane<N>], window: &[Lane<N>], j: usize, l: usize, h: f64) {
    let [a, b, c] = window else { return };
    let (a, b, c) = (a[l], b[l], c[l]);
    if (b < 0.0) == (c < 0.0) {
        return;
    }
    // From the middle node to the last, by the parabola through all three.
    let (slope, bend) = (0.5 * (c - a), c - 2.0 * b + a);
    let mut theta = b / (b - c);
    for _ in 0..3 {
        let tangent = slope + bend * theta;
        theta -= (b + theta * (slope + 0.5 * bend * theta)) / tangent;
    }
    if !(0.0..=1.0).contains(&theta) {
        theta = b / (b - c);
    }
    let rise = if c > b { 1.0 } else { -1.0 };
    let tangent = rise * (slope + bend * theta) / h;
    let (lower, upper) = kink::correction(theta, h, tangent.max(0.0), rise * bend / (h * h));
    if let Some([_, middle, last]) = values.get_mut(j..j + 3) {
        middle[l] += lower;
        last[l] += upper;
    }
}

/// `ln(1 - d/s)`, minus infinity where the dividend is the larger; a short series where it is small beside the price.
fn log_one_less<const N: usize>(s: &Lane<N>, dividend: f64) -> Lane<N> {
    let mut logs = [0.0; N];
    for l in 0..N {
        let x = dividend / s[l];
        let y = x / (2.0 - x);
        let z = y * y;
        logs[l] = -2.0 * y * (1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0)))));
    }
    for l in 0..N {
        let x = dividend / s[l];
        if x >= 1.0 {
            logs[l] = f64::NEG_INFINITY;
        } else if x >= 0.1 {
            logs[l] = ln(1.0 - x);
        }
    }
    logs
}

/// A later grid when its period begins, read at any price.
struct Later<'a, const N: usize> {
    grid: &'a Grid<N>,
    log_first: Lane<N>,
    per_spacing: Lane<N>,
    /// The lowest node's price.
    lowest: Lane<N>,
    /// Worth at a price of zero.
    at_zero: Lane<N>,
    /// What a share and a unit of cash at expiry are worth, where the grid stands around the strike.
    certain: Option<(f64, f64)>,
}

impl<'a, const N: usize> Later<'a, N> {
    fn new(claim: &Claim<'_, N>, grid: &'a Grid<N>, plan: &PeriodPlan) -> Self {
        let Schedule { rate, borrow, expiry, .. } = *claim.schedule;
        let discount = exp(-rate * (expiry - plan.period.start));
        let edge = if claim.sign > 0.0 { grid.prices.last() } else { grid.prices.first() };
        let zero = [0.0; N];
        let certain = plan.on_strike.then(|| (exp(-borrow * plan.period.length()), discount));
        let mut later = Self { grid, log_first: zero, per_spacing: zero, lowest: zero, at_zero: zero, certain };
        for l in 0..N {
            later.log_first[l] = grid.log_first[l] + ln(grid.moved[l]);
            later.per_spacing[l] = 1.0 / grid.spacing[l];
            later.lowest[l] = edge.map_or(0.0, |s| s[l] * grid.moved[l]);
            if claim.sign < 0.0 {
                let held = claim.strikes[l] * discount;
                later.at_zero[l] = if claim.american { held.max(claim.strikes[l]) } else { held };
            }
        }
        later
    }

    /// Values at prices `s`, whose places between the nodes are known.
    fn values(&self, claim: &Claim<'_, N>, s: &Lane<N>, places: &Lane<N>) -> Lane<N> {
        let nodes = &self.grid.values;
        let last = nodes.len() as f64 - 1.0;
        let (mut x, mut rounded) = ([0.0; N], [0_u64; N]);
        for l in 0..N {
            // The node below, found by what rounding to an integer leaves in the last bits.
            let base = (places[l] - 0.5).clamp(1.0, last - 2.0) + ROUNDER;
            rounded[l] = base.to_bits();
            x[l] = places[l] - (base - ROUNDER);
        }
        let (mut a, mut b, mut c, mut d) = ([0.0; N], [0.0; N], [0.0; N], [0.0; N]);
        for l in 0..N {
            let base = (rounded[l] & 0xffff) as usize;
            if let Some([p, q, r, s]) = nodes.get(base.wrapping_sub(1)..base + 3) {
                (a[l], b[l], c[l], d[l]) = (p[l], q[l], r[l], s[l]);
            }
        }
        let mut values = [0.0; N];
        for l in 0..N {
            let x = x[l];
            let (p, q, o) = (x + 1.0, x - 1.0, x - 2.0);
            let (xo, pq) = (x * o, p * q);
            let outer = pq * x * d[l] - xo * q * a[l];
            let inner = pq * o * b[l] - p * xo * c[l];
            values[l] = outer * (1.0 / 6.0) + inner * 0.5;
        }
        for l in 0..N {
            if !(places[l] >= 0.0 && places[l] <= last) {
                values[l] = self.outside(claim, l, s[l], places[l] < 0.0);
            }
        }
        for l in 0..N {
            let floor = if claim.american { claim.sign * (s[l] - claim.strikes[l]) } else { 0.0 };
            values[l] = values[l].max(floor.max(0.0));
        }
        values
    }

    /// A line in the price: to the worth at zero below the grid, along the grid's end above it.
    fn outside(&self, claim: &Claim<'_, N>, l: usize, s: f64, before_first: bool) -> f64 {
        if let Some((share, cash)) = self.certain {
            return (claim.sign * (s * share - claim.strikes[l] * cash)).max(0.0);
        }
        let zero = self.at_zero[l];
        if s <= 0.0 {
            return zero;
        }
        let Grid { prices, moved, spacing, values, .. } = self.grid;
        let last = prices.len() - 1;
        let (edge, inner) = if before_first { (0, 1) } else { (last, last - 1) };
        let (v0, v1) = (values[edge][l], values[inner][l]);
        if before_first == (spacing[l] > 0.0) {
            return zero + s / self.lowest[l] * (v0 - zero);
        }
        let (s0, s1) = (prices[edge][l] * moved[l], prices[inner][l] * moved[l]);
        v0 + (v0 - v1) / (s0 - s1) * (s - s0)
    }
}
