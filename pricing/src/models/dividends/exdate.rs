//! Values just before an ex-date from those just after it.

use super::grid::{Claim, Grid, Kinks, add_kinks};
use super::kink::{self, Spread};
use super::lanes::{self, Lane, Rows, any_minus, fused, larger};
use super::later::{After, Dropping};
use super::plan::PeriodPlan;
use super::schedule::Schedule;
use crate::math::exp;

/// `V(S, t-) = max(g(S), V(max(S - d, 0), t+))`, by interpolation of the later grid, or from Black's formula where there is
/// none.
#[inline(always)]
pub(super) fn drop_dividend<const N: usize>(
    claim: &Claim<'_, N>,
    grid: &mut Grid<N>,
    plan: &PeriodPlan,
    next: Option<&Grid<N>>,
    next_plan: &PeriodPlan,
    scratch: &mut Rows<N>,
) {
    let dividend = plan.period.dividend;
    let after = After::new(claim, next, next_plan);
    scratch.set_count(grid.values.len());
    set_logs(grid, dividend, scratch);
    after.set(claim, &Dropping { prices: &grid.prices, dividend }, scratch, &mut grid.values);
    let kink = if next.is_none() || next_plan.on_strike { kink_left(plan, next_plan) } else { None };
    if let Some(width) = kink {
        add_kinks(claim, grid, &payoff_kinks(claim, plan, next_plan), Some(&Spread::new(width)));
    }
    if claim.sign < 0.0 {
        add_kinks(claim, grid, &floor_kinks(claim, plan), None);
    }
    // A put waits for the drop: exercised after it, it brings the dividend more.
    if claim.american && claim.sign > 0.0 {
        let sharp = kink.map(|_| &after);
        exercise(claim, grid, sharp, dividend);
    }
}

/// Exercise just before the ex-date, the kinks where it begins or ends spread over the neighbouring nodes.
#[inline(always)]
fn exercise<const N: usize>(claim: &Claim<'_, N>, grid: &mut Grid<N>, sharp: Option<&After<'_, N>>, dividend: f64) {
    // Holding on less exercise, without its floor at zero, smooth where the payoff is not: in the last two rows and in this one.
    let (mut before, mut last) = ([0.0; N], [0.0; N]);
    for j in 0..grid.values.len() {
        let (Some(s), Some(values)) = (grid.prices.get(j), grid.values.get_mut(j)) else { break };
        let (mut gap, mut product) = ([0.0; N], [0.0; N]);
        for l in 0..N {
            let exercise = claim.sign * (s[l] - claim.strikes[l]);
            gap[l] = values[l] - exercise;
            product[l] = last[l] * gap[l];
            values[l] = larger(values[l], larger(exercise, 0.0));
        }
        if j >= 2 && any_minus(&product) {
            spread_crossings(claim, grid, sharp, dividend, j - 2, &[before, last, gap]);
        }
        (before, last) = (last, gap);
    }
}

/// Spreads the kinks of the lanes whose gap changes its sign from a window's middle row to its last.
#[inline(always)]
fn spread_crossings<const N: usize>(
    claim: &Claim<'_, N>,
    grid: &mut Grid<N>,
    sharp: Option<&After<'_, N>>,
    dividend: f64,
    j: usize,
    window: &[Lane<N>; 3],
) {
    let [_, b, c] = window;
    for (l, h) in grid.spacing.iter().enumerate() {
        if (b[l] < 0.0) == (c[l] < 0.0) {
            continue;
        }
        let kink = match (sharp, grid.prices.get(j + 1)) {
            (Some(after), Some(s)) => sharp_kink(|x| after.gap(claim, l, s[l] * exp(x * h), dividend), b[l], c[l]),
            _ => smooth_kink(window, l),
        };
        spread_one(&mut grid.values, &kink, j, l, h.abs());
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
#[inline(always)]
fn payoff_kinks<const N: usize>(claim: &Claim<'_, N>, plan: &PeriodPlan, next_plan: &PeriodPlan) -> Kinks<N> {
    let left = next_plan.period.length();
    let Schedule { rate, borrow, .. } = *claim.schedule;
    let (growth, held) = (exp((borrow - rate) * left), exp(-borrow * left));
    let mut kinks = Kinks { places: [0.0; N], slope_jumps: [0.0; N] };
    for l in 0..N {
        let centre = claim.strikes[l] * growth;
        let place = centre + plan.period.dividend;
        let waiting = centre * held * (claim.sigmas[l] * left.sqrt());
        // Where exercise wins there is no kink of what is held.
        let exercised = claim.american && claim.exercise(l, place) > waiting;
        kinks.places[l] = place;
        // The slope in the logarithm of the price jumps by what the price itself is there, dividend and all.
        kinks.slope_jumps[l] = if exercised { 0.0 } else { place * held };
    }
    kinks
}

/// Where the price falls to nothing a put's value stops rising.
#[inline(always)]
fn floor_kinks<const N: usize>(claim: &Claim<'_, N>, plan: &PeriodPlan) -> Kinks<N> {
    let Schedule { borrow, rate, expiry, .. } = *claim.schedule;
    let left = expiry - plan.period.end;
    let dividend = plan.period.dividend;
    // Exercised at once where cash gains nothing by waiting, else held to expiry.
    let slope = if claim.american && rate >= 0.0 { 1.0 } else { exp(-borrow * left) };
    Kinks { places: [dividend; N], slope_jumps: [-dividend * slope; N] }
}

/// A place between two nodes, in spacings from the first, with slope and bend of the gap there per spacing.
struct Crossing {
    theta: f64,
    tangent: f64,
    bend: f64,
    rising: bool,
}

/// From the middle node to the last, by the parabola through all three.
fn smooth_kink<const N: usize>([a, b, c]: &[Lane<N>; 3], l: usize) -> Crossing {
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

#[inline(always)]
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

fn spread_one<const N: usize>(values: &mut [Lane<N>], kink: &Crossing, j: usize, l: usize, h: f64) {
    let rise = if kink.rising { 1.0 } else { -1.0 };
    let tangent = rise * kink.tangent / h;
    let (lower, upper) = kink::correction(kink.theta, h, tangent.max(0.0), rise * kink.bend / (h * h));
    if let Some([_, middle, last]) = values.get_mut(j..j + 3) {
        middle[l] += lower;
        last[l] += upper;
    }
}

/// Up to these shares the short and the long series of [`set_logs`] are good to 1e-12.
const SMALL: f64 = 0.012;
const MODERATE: f64 = 0.1;

/// Logarithms of the nodes' prices less the dividend; minus infinity where that is the larger. `ln(1 - z)` of its share `z` in
/// the price by a series where it is small.
#[inline(always)]
fn set_logs<const N: usize>(grid: &Grid<N>, dividend: f64, logs: &mut [Lane<N>]) {
    let Grid { prices, log_first, spacing, ratio, .. } = grid;
    let (mut share, mut per_ratio) = ([0.0; N], [0.0; N]);
    let first = prices.first().copied().unwrap_or([1.0; N]);
    for l in 0..N {
        (share[l], per_ratio[l]) = (dividend / first[l], 1.0 / ratio[l]);
    }
    for (j, logs) in logs.iter_mut().enumerate() {
        let (j, mut undropped, mut to_small, mut to_moderate) = (j as f64, [0.0; N], [0.0; N], [0.0; N]);
        for l in 0..N {
            undropped[l] = fused(spacing[l], j, log_first[l]);
        }
        for l in 0..N {
            to_small[l] = SMALL - share[l];
        }
        for l in 0..N {
            to_moderate[l] = MODERATE - share[l];
        }
        let mut own = less_series(&undropped, &share, &SHORT);
        if any_minus(&to_small) {
            let long = less_series(&undropped, &share, &LONG);
            for l in 0..N {
                own[l] = if share[l] > SMALL { long[l] } else { own[l] };
            }
        }
        if any_minus(&to_moderate) {
            let mut left = [0.0; N];
            for l in 0..N {
                left[l] = larger(1.0 - share[l], f64::MIN_POSITIVE);
            }
            let log = lanes::ln(&left);
            for l in 0..N {
                let whole = if share[l] < 1.0 { undropped[l] + log[l] } else { f64::NEG_INFINITY };
                own[l] = if share[l] > MODERATE { whole } else { own[l] };
            }
        }
        *logs = own;
        for l in 0..N {
            share[l] *= per_ratio[l];
        }
    }
}

/// Coefficients of `-ln(1 - z) / z`, the last first.
const SHORT: [f64; 5] = [1.0 / 5.0, 1.0 / 4.0, 1.0 / 3.0, 1.0 / 2.0, 1.0];
const LONG: [f64; 10] =
    [1.0 / 10.0, 1.0 / 9.0, 1.0 / 8.0, 1.0 / 7.0, 1.0 / 6.0, 1.0 / 5.0, 1.0 / 4.0, 1.0 / 3.0, 1.0 / 2.0, 1.0];

/// `log + ln(1 - z)`, by so many terms.
#[inline(always)]
fn less_series<const N: usize>(log: &Lane<N>, z: &Lane<N>, coefficients: &[f64]) -> Lane<N> {
    let (mut sum, mut less) = ([0.0; N], [0.0; N]);
    for coefficient in coefficients {
        for l in 0..N {
            sum[l] = fused(z[l], sum[l], *coefficient);
        }
    }
    for l in 0..N {
        less[l] = fused(-z[l], sum[l], log[l]);
    }
    less
}
