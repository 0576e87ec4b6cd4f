//! Values just before an ex-date from those just after it.

use super::grid::{Claim, Grid, add_kink, add_spread_kink};
use super::kink;
use super::lanes::Lane;
use super::plan::PeriodPlan;
use super::schedule::Schedule;
use crate::math::{exp, ln, normal_cdf_short};

/// Adding it rounds a small number to an integer, which stands in the last bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// The larger of a number and a bound; the bound where there is no number.
#[inline(always)]
fn above(x: f64, bound: f64) -> f64 {
    if x > bound { x } else { bound }
}

/// What the option is worth just after an ex-date, at any price.
enum After<'a, const N: usize> {
    Grid(Later<'a, N>),
    /// In the last period, where no exercise before expiry pays: Black's formula.
    Closed(Closed<N>),
}

impl<const N: usize> After<'_, N> {
    /// Values at prices `s`, whose logarithms are known too (minus infinity at zero).
    #[inline(always)]
    fn values(&self, claim: &Claim<'_, N>, s: &Lane<N>, log_s: &Lane<N>) -> Lane<N> {
        match self {
            Self::Grid(later) => later.values(claim, s, log_s),
            Self::Closed(closed) => closed.values(claim, s, log_s),
        }
    }

    /// Holding on through the ex-date less exercise just before it, in lane `l` at one price.
    fn gap(&self, claim: &Claim<'_, N>, l: usize, s: f64, dividend: f64) -> f64 {
        let dropped = (s - dividend).max(0.0);
        let log_s = ln(dropped);
        let held = match self {
            Self::Grid(later) => later.values(claim, &[dropped; N], &[log_s; N])[l],
            Self::Closed(closed) => closed.value(claim, l, dropped, log_s),
        };
        held - claim.sign * (s - claim.strikes[l])
    }
}

/// `V(S, t-) = max(g(S), V(max(S - d, 0), t+))`, by interpolation of the later grid, or from Black's formula where there is
/// none.
#[inline(always)]
pub(super) fn drop_dividend<const N: usize>(
    claim: &Claim<'_, N>,
    grid: &mut Grid<N>,
    plan: &PeriodPlan,
    next: Option<&Grid<N>>,
    next_plan: &PeriodPlan,
) {
    let dividend = plan.period.dividend;
    let after = match next {
        Some(next) => After::Grid(Later::new(claim, next, next_plan)),
        None => After::Closed(Closed::new(claim, next_plan.period.length())),
    };
    let Grid { prices, values, log_first, spacing, .. } = grid;
    for (j, (s, values)) in prices.iter().zip(values.iter_mut()).enumerate() {
        let mut dropped = [0.0; N];
        for l in 0..N {
            dropped[l] = above(s[l] - dividend, 0.0);
        }
        let mut logs = log_one_less(s, dividend);
        for l in 0..N {
            let log_s = log_first[l] + spacing[l] * j as f64;
            logs[l] += log_s;
        }
        *values = after.values(claim, &dropped, &logs);
    }
    let kink = if next.is_none() || next_plan.on_strike { kink_left(plan, next_plan) } else { None };
    if let Some(width) = kink {
        spread_payoff_kink(claim, grid, plan, next_plan, width);
    }
    if claim.sign < 0.0 {
        spread_floor_kink(claim, grid, plan);
    }
    // A put waits for the drop: exercised after it, it brings the dividend more.
    if claim.american && claim.sign > 0.0 {
        let sharp = kink.map(|_| &after);
        exercise(claim, grid, sharp, dividend);
    }
}

/// Exercise just before the ex-date, the kinks where it begins or ends spread over the neighbouring nodes.
fn exercise<const N: usize>(claim: &Claim<'_, N>, grid: &mut Grid<N>, sharp: Option<&After<'_, N>>, dividend: f64) {
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
    for (j, window) in gaps.windows(3).enumerate() {
        let [_, b, c] = window else { continue };
        if (0..N).all(|l| (b[l] < 0.0) == (c[l] < 0.0)) {
            continue;
        }
        for (l, h) in spacing.iter().enumerate() {
            if (b[l] < 0.0) == (c[l] < 0.0) {
                continue;
            }
            let kink = match (sharp, prices.get(j + 1)) {
                (Some(after), Some(s)) => sharp_kink(|x| after.gap(claim, l, s[l] * exp(x * h), dividend), b[l], c[l]),
                _ => smooth_kink(window, l),
            };
            spread_one(values, kink, j, l, h.abs());
        }
    }
}

/// The spacings that the payoff's kink has been spread over (a deviation), where a sum over nodes still sees a thousandth of
/// it.
fn kink_left(plan: &PeriodPlan, next_plan: &PeriodPlan) -> Option<f64> {
    let width = next_plan.period.length().sqrt() / plan.eta;
    let share = exp(-2.0 * std::f64::consts::PI * std::f64::consts::PI * width * width);
    (share >= 1e-3).then_some(width)
}

/// A payoff that is still nearly a kink.
fn spread_payoff_kink<const N: usize>(
    claim: &Claim<'_, N>,
    grid: &mut Grid<N>,
    plan: &PeriodPlan,
    next_plan: &PeriodPlan,
    width: f64,
) {
    let left = next_plan.period.length();
    let Schedule { rate, borrow, .. } = *claim.schedule;
    for l in 0..N {
        let centre = claim.strikes[l] * exp((borrow - rate) * left);
        let place = centre + plan.period.dividend;
        // The slope in the logarithm of the price jumps by what the price itself is there, dividend and all.
        let jump = place * exp(-borrow * left);
        let held = centre * exp(-borrow * left) * (claim.sigmas[l] * left.sqrt());
        // Where exercise wins there is no kink of what is held.
        if !claim.american || claim.exercise(l, place) <= held {
            add_spread_kink(claim, grid, l, place, jump, width);
        }
    }
}

/// Where the price falls to nothing a put's value stops rising.
fn spread_floor_kink<const N: usize>(claim: &Claim<'_, N>, grid: &mut Grid<N>, plan: &PeriodPlan) {
    let Schedule { borrow, rate, expiry, .. } = *claim.schedule;
    let left = expiry - plan.period.end;
    let dividend = plan.period.dividend;
    // Exercised at once where cash gains nothing by waiting, else held to expiry.
    let slope = if claim.american && rate >= 0.0 { 1.0 } else { exp(-borrow * left) };
    for l in 0..N {
        add_kink(claim, grid, l, dividend, -dividend * slope);
    }
}

/// A place between two nodes, in spacings from the first, with slope and bend of the gap there per spacing.
struct Crossing {
    theta: f64,
    tangent: f64,
    bend: f64,
    rising: bool,
}

/// From the middle node to the last, by the parabola through all three.
fn smooth_kink<const N: usize>(window: &[Lane<N>], l: usize) -> Crossing {
    let [a, b, c] = window else { return Crossing { theta: 0.0, tangent: 0.0, bend: 0.0, rising: true } };
    let (a, b, c) = (a[l], b[l], c[l]);
    let (slope, bend) = (0.5 * (c - a), c - 2.0 * b + a);
    let mut theta = b / (b - c);
    for _ in 0..3 {
        let tangent = slope + bend * theta;
        theta -= (b + theta * (slope + 0.5 * bend * theta)) / tangent;
    }
    if !(0.0..=1.0).contains(&theta) {
        theta = b / (b - c);
    }
    Crossing { theta, tangent: slope + bend * theta, bend, rising: c > b }
}

/// Steps of the search where the gap is no parabola: a payoff's kink lies in the same cell.
const SHARP_STEPS: usize = 24;
/// For slope and bend beside the crossing, in spacings.
const SHARP_SHIFT: f64 = 1e-3;

fn sharp_kink(gap: impl Fn(f64) -> f64, b: f64, c: f64) -> Crossing {
    let (mut low, mut high, mut theta) = ((0.0, b), (1.0, c), 0.0);
    for _ in 0..SHARP_STEPS {
        let middle = low.0 - low.1 * (high.0 - low.0) / (high.1 - low.1);
        let value = gap(middle);
        // Illinois: the end that stays counts half.
        if (value < 0.0) == (b < 0.0) {
            (low, high.1) = ((middle, value), 0.5 * high.1);
        } else {
            (high, low.1) = ((middle, value), 0.5 * low.1);
        }
        theta = middle;
        if value.abs() <= 1e-9 * (b - c).abs() {
            break;
        }
    }
    let (below, here, above) = (gap(theta - SHARP_SHIFT), gap(theta), gap(theta + SHARP_SHIFT));
    let tangent = 0.5 * (above - below) / SHARP_SHIFT;
    let bend = (above - 2.0 * here + below) / (SHARP_SHIFT * SHARP_SHIFT);
    // A gap that is itself a kink there has no bend worth the name.
    let bend = if bend.abs() < tangent.abs() { bend } else { 0.0 };
    Crossing { theta, tangent, bend, rising: c > b }
}

fn spread_one<const N: usize>(values: &mut [Lane<N>], kink: Crossing, j: usize, l: usize, h: f64) {
    let rise = if kink.rising { 1.0 } else { -1.0 };
    let tangent = rise * kink.tangent / h;
    let (lower, upper) = kink::correction(kink.theta, h, tangent.max(0.0), rise * kink.bend / (h * h));
    if let Some([_, middle, last]) = values.get_mut(j..j + 3) {
        middle[l] += lower;
        last[l] += upper;
    }
}

/// `ln(1 - d/s)`, minus infinity where the dividend is the larger; a short series where it is small beside the price.
#[inline(always)]
fn log_one_less<const N: usize>(s: &Lane<N>, dividend: f64) -> Lane<N> {
    let mut logs = [0.0; N];
    for l in 0..N {
        let y = dividend / (2.0 * s[l] - dividend);
        let z = y * y;
        logs[l] = -2.0 * y * (1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0)))));
    }
    if s.iter().any(|s| *s <= 10.0 * dividend) {
        for l in 0..N {
            if dividend >= s[l] {
                logs[l] = f64::NEG_INFINITY;
            } else if s[l] <= 10.0 * dividend {
                logs[l] = ln(1.0 - dividend / s[l]);
            }
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

    /// Values at prices `s`, whose logarithms are known too, by the polynomial through six nodes.
    #[inline(always)]
    fn values(&self, claim: &Claim<'_, N>, s: &Lane<N>, log_s: &Lane<N>) -> Lane<N> {
        let nodes = self.grid.values.as_flattened();
        let last = self.grid.values.len() as f64 - 1.0;
        let (mut places, mut x, mut below) = ([0.0; N], [0.0; N], [0_u64; N]);
        for l in 0..N {
            places[l] = (log_s[l] - self.log_first[l]) * self.per_spacing[l];
            // The node below, three from either end, found by what rounding to an integer leaves in the last bits.
            let middle = above(places[l] - 0.5, 2.0);
            let middle = if middle < last - 3.0 { middle } else { last - 3.0 } + ROUNDER;
            below[l] = middle.to_bits();
            x[l] = places[l] - (middle - ROUNDER);
        }
        let mut six = [[0.0; N]; 6];
        for l in 0..N {
            let first = ((below[l] & 0xffff) as usize).wrapping_sub(2).wrapping_mul(N).wrapping_add(l);
            let Some(around) = nodes.get(first..first.wrapping_add(5 * N + 1)) else { continue };
            if let (Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)) = (
                around.first(),
                around.get(N),
                around.get(2 * N),
                around.get(3 * N),
                around.get(4 * N),
                around.get(5 * N),
            ) {
                (six[0][l], six[1][l], six[2][l]) = (*a, *b, *c);
                (six[3][l], six[4][l], six[5][l]) = (*d, *e, *f);
            }
        }
        let mut values = [0.0; N];
        for l in 0..N {
            let x = x[l];
            let (x2, x1, y1, y2, y3) = (x + 2.0, x + 1.0, x - 1.0, x - 2.0, x - 3.0);
            let (near, far, ends, beyond) = (x1 * y1, x * y2, x2 * y3, y2 * y1);
            let outermost = near * far * (x2 * six[5][l] - y3 * six[0][l]);
            let outer = ends * x * (beyond * six[1][l] - near * six[4][l]);
            let inner = ends * x1 * (far * six[3][l] - beyond * six[2][l]);
            values[l] = outermost * (1.0 / 120.0) + outer * (1.0 / 24.0) + inner * (1.0 / 12.0);
        }
        let mut inside = true;
        for place in &places {
            inside &= (*place >= 0.0) & (*place <= last);
        }
        if !inside {
            self.extend(claim, s, &places, &mut values);
        }
        for l in 0..N {
            let floor = if claim.american { claim.sign * (s[l] - claim.strikes[l]) } else { 0.0 };
            values[l] = above(values[l], above(floor, 0.0));
        }
        values
    }

    /// Values of the lanes whose place is beyond the grid.
    #[cold]
    #[inline(never)]
    fn extend(&self, claim: &Claim<'_, N>, s: &Lane<N>, places: &Lane<N>, values: &mut Lane<N>) {
        let last = self.grid.values.len() as f64 - 1.0;
        for l in 0..N {
            if !(places[l] >= 0.0 && places[l] <= last) {
                values[l] = self.outside(claim, l, s[l], places[l] < 0.0);
            }
        }
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

/// Black's formula from an ex-date to expiry.
struct Closed<const N: usize> {
    /// What a share and the strike at expiry are worth.
    share: f64,
    cash: Lane<N>,
    /// `ln` of the one over the other.
    log_ratio: Lane<N>,
    stdev: Lane<N>,
    inverse: Lane<N>,
}

impl<const N: usize> Closed<N> {
    fn new(claim: &Claim<'_, N>, left: f64) -> Self {
        let Schedule { rate, borrow, .. } = *claim.schedule;
        let (share, discount) = (exp(-borrow * left), exp(-rate * left));
        let zero = [0.0; N];
        let mut closed = Self { share, cash: zero, log_ratio: zero, stdev: zero, inverse: zero };
        for l in 0..N {
            closed.cash[l] = claim.strikes[l] * discount;
            closed.log_ratio[l] = ln(share / closed.cash[l]);
            closed.stdev[l] = claim.sigmas[l] * left.sqrt();
            closed.inverse[l] = 1.0 / closed.stdev[l];
        }
        closed
    }

    #[inline(always)]
    fn values(&self, claim: &Claim<'_, N>, s: &Lane<N>, log_s: &Lane<N>) -> Lane<N> {
        let mut values = [0.0; N];
        for l in 0..N {
            values[l] = self.value(claim, l, s[l], log_s[l]);
        }
        values
    }

    #[inline(always)]
    fn value(&self, claim: &Claim<'_, N>, l: usize, s: f64, log_s: f64) -> f64 {
        let middle = (log_s + self.log_ratio[l]) * self.inverse[l];
        let half = 0.5 * self.stdev[l];
        let shares = normal_cdf_short(claim.sign * (middle + half));
        let cash = normal_cdf_short(claim.sign * (middle - half));
        let value = claim.sign * (s * self.share * shares - self.cash[l] * cash);
        let floor = if claim.american { claim.sign * (s - claim.strikes[l]) } else { 0.0 };
        value.max(floor.max(0.0))
    }
}
