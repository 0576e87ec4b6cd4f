//! Where the nodes of one period stand, and what the claim pays there at expiry.
//!
//! Node `j` of a lane stands at `S_0 e^{j h}` with `h = +-sigma eta`, index 0 on the exercise side (low prices for a
//! put, high ones for a call). The grid moves with the drift, so that the equation between ex-dates is pure
//! diffusion with the same coefficients in every lane.

use super::kink::{self, Spread};
use super::lanes::{self, Lane, Rows, larger};
use super::plan::{PeriodPlan, StepPlan};
use super::schedule::Schedule;
use crate::math::ln;
use crate::vocabulary::OptionType;

/// What is priced, one option per lane.
pub(super) struct Claim<'a, const N: usize> {
    pub(super) schedule: &'a Schedule,
    /// +1 call, -1 put.
    pub(super) sign: f64,
    pub(super) strikes: Lane<N>,
    pub(super) sigmas: Lane<N>,
    /// Whether the right to exercise early is priced.
    pub(super) american: bool,
    /// Whether it is worth anything between ex-dates; see [`Schedule::exercised_any_time`].
    pub(super) any_time: bool,
}

impl<'a, const N: usize> Claim<'a, N> {
    pub(super) fn new(
        schedule: &'a Schedule,
        option_type: OptionType,
        strikes: Lane<N>,
        sigmas: Lane<N>,
        american: bool,
    ) -> Self {
        let call = option_type == OptionType::Call;
        let sign = if call { 1.0 } else { -1.0 };
        let any_time = american && schedule.exercised_any_time(call);
        Self { schedule, sign, strikes, sigmas, american, any_time }
    }

    /// What exercise brings at a price, in lane `l`.
    pub(super) fn exercise(&self, l: usize, price: f64) -> f64 {
        (self.sign * (price - self.strikes[l])).max(0.0)
    }
}

/// Nodes and values of one period.
pub(super) struct Grid<const N: usize> {
    /// Log price of node 0 when the period ends.
    pub(super) log_first: Lane<N>,
    /// Signed spacing.
    pub(super) spacing: Lane<N>,
    /// `e^h`.
    pub(super) ratio: Lane<N>,
    /// `4 sinh^2(h/2)`: the second difference of the price itself.
    pub(super) price_difference: Lane<N>,
    /// Prices of the nodes when the period ends.
    pub(super) prices: Rows<N>,
    /// By how much the nodes have moved since.
    pub(super) moved: Lane<N>,
    pub(super) values: Rows<N>,
}

/// By how much the scheme makes the price grow in one step, before the drift is taken off: close to
/// `e^{sigma^2 dt / 2}`.
#[inline(always)]
pub(super) fn growth(step: &StepPlan, price_difference: f64) -> f64 {
    (1.0 + step.c * price_difference) / larger(1.0 + step.a * price_difference, 0.02)
}

/// Up to this spacing [`squared_widths`]'s series is exact.
const SHORT: f64 = 0.5;

/// `4 sinh^2(h/2)`.
#[inline(always)]
fn squared_widths<const N: usize>(h: &Lane<N>) -> Lane<N> {
    let (mut widths, mut short) = ([0.0; N], true);
    for l in 0..N {
        let x = h[l] * h[l];
        let tail = 1.0 + x * (1.0 / 56.0) * (1.0 + x * (1.0 / 90.0) * (1.0 + x * (1.0 / 132.0) * (1.0 + x / 182.0)));
        widths[l] = x * (1.0 + x * (1.0 / 12.0) * (1.0 + x * (1.0 / 30.0) * tail));
        short &= h[l] <= SHORT;
    }
    if !short {
        for l in 0..N {
            if h[l] > SHORT {
                let half = libm::sinh(0.5 * h[l]);
                widths[l] = 4.0 * half * half;
            }
        }
    }
    widths
}

/// The period's grid, its middle node on the forward or the strike; in the first period on the price of the underlying at
/// the snapshot.
#[inline(always)]
pub(super) fn place<const N: usize>(
    claim: &Claim<'_, N>,
    plan: &PeriodPlan,
    first: bool,
    last: bool,
    (mut prices, mut values): (Rows<N>, Rows<N>),
) -> Grid<N> {
    let zero = [0.0; N];
    let (mut log_first, mut spacing) = (zero, claim.sigmas);
    let drift = claim.schedule.rate - claim.schedule.borrow;
    for h in &mut spacing {
        *h *= plan.eta;
    }
    let price_difference = squared_widths(&spacing);
    let on_strike = if plan.on_strike || last { lanes::ln(&claim.strikes) } else { zero };
    let mut middle = [ln(plan.period.forward); N];
    for h in &mut spacing {
        *h *= -claim.sign;
    }
    if first {
        let mut grown = [1.0; N];
        for step in &plan.steps {
            for l in 0..N {
                grown[l] *= growth(step, price_difference[l]);
            }
        }
        let log_spot = ln(claim.schedule.spot) + drift * plan.period.length();
        let log_grown = lanes::ln(&grown);
        for l in 0..N {
            middle[l] = log_spot - log_grown[l];
        }
    } else if plan.on_strike {
        middle = on_strike;
    } else if last {
        // A kink between nodes, once its correction is in, would be lifted back by the exercise value.
        for l in 0..N {
            let to_strike = (on_strike[l] - middle[l]) / spacing[l];
            middle[l] += spacing[l] * (to_strike - to_strike.round_ties_even());
        }
    }
    for l in 0..N {
        log_first[l] = middle[l] - spacing[l] * (plan.intervals / 2) as f64;
    }
    let (node, ratio) = (lanes::exp(&log_first), lanes::exp(&spacing));
    prices.set_count(plan.intervals + 1);
    values.set_count(plan.intervals + 1);
    set_prices(&mut prices, &node, &ratio);
    Grid { log_first, spacing, ratio, price_difference, prices, moved: [1.0; N], values }
}

/// From the first node on, each price that of the second before it times the ratio squared.
#[inline(always)]
fn set_prices<const N: usize>(prices: &mut [Lane<N>], node: &Lane<N>, ratio: &Lane<N>) {
    let (mut even, mut odd, mut squared) = (*node, [0.0; N], [0.0; N]);
    for l in 0..N {
        (odd[l], squared[l]) = (node[l] * ratio[l], ratio[l] * ratio[l]);
    }
    let (pairs, rest) = prices.as_chunks_mut();
    for pair in pairs {
        *pair = [even, odd];
        for l in 0..N {
            even[l] *= squared[l];
        }
        for l in 0..N {
            odd[l] *= squared[l];
        }
    }
    for price in rest {
        *price = even;
    }
}

/// The payoff, its kinks spread over the neighbouring nodes.
#[inline(always)]
pub(super) fn pay<const N: usize>(claim: &Claim<'_, N>, grid: &mut Grid<N>, dividend: f64) {
    for (s, values) in grid.prices.iter().zip(grid.values.iter_mut()) {
        for l in 0..N {
            let paid = claim.sign * (larger(s[l] - dividend, 0.0) - claim.strikes[l]);
            let early = if claim.american { claim.sign * (s[l] - claim.strikes[l]) } else { 0.0 };
            values[l] = larger(larger(paid, early), 0.0);
        }
    }
    let early = claim.american && claim.sign > 0.0;
    let mut kinks = Kinks { places: claim.strikes, slope_jumps: claim.strikes };
    for l in 0..N {
        kinks.slope_jumps[l] += dividend;
        if !early {
            kinks.places[l] += dividend;
        }
    }
    add_kinks(claim, grid, &kinks, None);
    if dividend > 0.0 && claim.sign < 0.0 {
        add_kinks(claim, grid, &Kinks { places: [dividend; N], slope_jumps: [-dividend; N] }, None);
    }
}

/// Prices at which values have a kink, and by how much their slope in the logarithm of the price jumps there.
pub(super) struct Kinks<const N: usize> {
    pub(super) places: Lane<N>,
    pub(super) slope_jumps: Lane<N>,
}

/// Spreads each lane's kink over the two nodes around it; `spread` of one that is spread already.
#[inline(always)]
pub(super) fn add_kinks<const N: usize>(
    claim: &Claim<'_, N>,
    grid: &mut Grid<N>,
    kinks: &Kinks<N>,
    spread: Option<&Spread>,
) {
    let mut positions = lanes::ln(&kinks.places);
    let end = grid.values.len() as f64 - 1.0;
    let mut met = false;
    for ((position, log_first), spacing) in positions.iter_mut().zip(&grid.log_first).zip(&grid.spacing) {
        *position = (*position - log_first) / spacing;
        met |= (*position >= 0.0) & (*position < end);
    }
    if met {
        add_at(claim, grid, &positions, &kinks.slope_jumps, spread);
    }
}

fn add_at<const N: usize>(
    claim: &Claim<'_, N>,
    grid: &mut Grid<N>,
    positions: &Lane<N>,
    slope_jumps: &Lane<N>,
    spread: Option<&Spread>,
) {
    let end = grid.values.len() as f64 - 1.0;
    for l in 0..N {
        let (position, slope_jump) = (positions[l], slope_jumps[l]);
        if !(position >= 0.0 && position < end) || slope_jump == 0.0 {
            continue;
        }
        let below = position.floor();
        let bend = -claim.sign * slope_jump;
        let (theta, h) = (position - below, grid.spacing[l].abs());
        let (lower, upper) = match spread {
            Some(spread) => spread.correction(theta, h, slope_jump, bend),
            None => kink::correction(theta, h, slope_jump, bend),
        };
        if let Some([a, b]) = grid.values.get_mut(below as usize..below as usize + 2) {
            a[l] += lower;
            b[l] += upper;
        }
    }
}
