//! Where the nodes of one period stand, and what the claim pays there at expiry.
//!
//! Node `j` of a lane stands at `S_0 e^{j h}` with `h = +-sigma eta`, index 0 on the exercise side (low prices for a
//! put, high ones for a call). The grid moves with the drift, so that the equation between ex-dates is pure
//! diffusion with the same coefficients in every lane.

use super::kink;
use super::lanes::Lane;
use super::plan::{PeriodPlan, StepPlan};
use super::schedule::Schedule;
use crate::math::{exp, ln};
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
    pub(super) prices: Vec<Lane<N>>,
    /// By how much the nodes have moved since.
    pub(super) moved: Lane<N>,
    pub(super) values: Vec<Lane<N>>,
}

/// By how much the scheme makes the price grow in one step, before the drift is taken off: close to
/// `e^{sigma^2 dt / 2}`.
pub(super) fn growth(step: &StepPlan, price_difference: f64) -> f64 {
    (1.0 + step.c * price_difference) / (1.0 + step.a * price_difference).max(0.02)
}

/// The period's grid, its middle node on the forward or the strike; in the first period on the price of the underlying at
/// the snapshot.
pub(super) fn place<const N: usize>(claim: &Claim<'_, N>, plan: &PeriodPlan, first: bool, last: bool) -> Grid<N> {
    let zero = [0.0; N];
    let (mut log_first, mut spacing, mut price_difference) = (zero, zero, zero);
    let (mut node, mut ratio) = (zero, zero);
    let drift = claim.schedule.rate - claim.schedule.borrow;
    let log_forward = ln(plan.period.forward);
    let log_spot = ln(claim.schedule.spot) + drift * plan.period.length();
    for l in 0..N {
        let h = claim.sigmas[l] * plan.eta;
        let half = libm::sinh(0.5 * h);
        price_difference[l] = 4.0 * half * half;
        spacing[l] = -claim.sign * h;
        let mut middle = log_forward;
        if first {
            let grown = plan.steps.iter().fold(1.0, |product, step| product * growth(step, price_difference[l]));
            middle = log_spot - ln(grown);
        } else if plan.on_strike {
            middle = ln(claim.strikes[l]);
        } else if last {
            // A kink between nodes, once its correction is in, would be lifted back by the exercise value.
            let to_strike = (ln(claim.strikes[l]) - middle) / spacing[l];
            middle += spacing[l] * (to_strike - to_strike.round_ties_even());
        }
        log_first[l] = middle - spacing[l] * (plan.intervals / 2) as f64;
        node[l] = exp(log_first[l]);
        ratio[l] = exp(spacing[l]);
    }
    let mut prices = Vec::with_capacity(plan.intervals + 1);
    for _ in 0..=plan.intervals {
        prices.push(node);
        for l in 0..N {
            node[l] *= ratio[l];
        }
    }
    let count = prices.len();
    Grid { log_first, spacing, ratio, price_difference, prices, moved: [1.0; N], values: vec![zero; count] }
}

/// The payoff, its kinks spread over the neighbouring nodes.
pub(super) fn pay<const N: usize>(claim: &Claim<'_, N>, grid: &mut Grid<N>, dividend: f64) {
    for (s, values) in grid.prices.iter().zip(grid.values.iter_mut()) {
        for l in 0..N {
            values[l] = claim.exercise(l, (s[l] - dividend).max(0.0));
            if claim.american {
                values[l] = values[l].max(claim.exercise(l, s[l]));
            }
        }
    }
    for l in 0..N {
        let paid = claim.strikes[l] + dividend;
        let early = claim.american && claim.sign > 0.0;
        add_kink(claim, grid, l, if early { claim.strikes[l] } else { paid }, paid);
        if dividend > 0.0 && claim.sign < 0.0 {
            add_kink(claim, grid, l, dividend, -dividend);
        }
    }
}

/// Spreads a kink at a price over the two nodes around it.
pub(super) fn add_kink<const N: usize>(
    claim: &Claim<'_, N>,
    grid: &mut Grid<N>,
    l: usize,
    place: f64,
    slope_jump: f64,
) {
    add_spread_kink(claim, grid, l, place, slope_jump, 0.0);
}

/// [`add_kink`] of one that is spread over `width` spacings already.
pub(super) fn add_spread_kink<const N: usize>(
    claim: &Claim<'_, N>,
    grid: &mut Grid<N>,
    l: usize,
    place: f64,
    slope_jump: f64,
    width: f64,
) {
    let values = &mut grid.values;
    let position = (ln(place) - grid.log_first[l]) / grid.spacing[l];
    if !(position >= 0.0 && position < values.len() as f64 - 1.0) {
        return;
    }
    let below = position.floor();
    let bend = -claim.sign * slope_jump;
    let (theta, h) = (position - below, grid.spacing[l].abs());
    let (lower, upper) = if width > 0.0 {
        kink::correction_of_spread(theta, h, slope_jump, bend, width)
    } else {
        kink::correction(theta, h, slope_jump, bend)
    };
    if let Some([a, b]) = values.get_mut(below as usize..below as usize + 2) {
        a[l] += lower;
        b[l] += upper;
    }
}
