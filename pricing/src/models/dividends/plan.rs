//! The grids and time steps of one slice, shared by all strikes, both types and all volatilities of a class.

use super::schedule::{Period, Schedule};
use crate::math::exp;

/// How finely a plan resolves space and time: so many nodes and steps for each of the roughest.
///
/// Two levels' nodes and steps are in the exact ratio of the levels, so that errors of second order in both can be
/// extrapolated away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Searches begin here; the other end of the first extrapolation.
    Rough = 1,
    /// Differences, and most prices.
    Coarse = 2,
    /// Prices which the first two levels do not agree on.
    Fine = 3,
    /// Prices near the exercise boundary where the deviation is above a half.
    Finest = 5,
}

impl Level {
    /// `w` in `finer + w (finer - coarser)`, which takes errors of second order away: `1 / (ratio^2 - 1)`.
    pub(crate) fn extrapolation(finer: Self, coarser: Self) -> f64 {
        let ratio = f64::from(finer as u8) / f64::from(coarser as u8);
        1.0 / (ratio * ratio - 1.0)
    }
}

/// Distance of two nodes in deviations of the log price at the period's end, on the roughest level.
const SPACING: f64 = 0.36;
/// The largest distance in the logarithm of the price where the deviation is above one: exercise begins on a node there, which
/// costs a share of the strike that goes with the square of their distance.
const LOG_SPACING: f64 = 0.22;
/// Time steps of the period that ends at expiry, were it the whole life, on the roughest level.
const LAST_STEPS: f64 = 16.0;
/// The same for earlier periods, whose values are smooth but where exercise for the dividend begins.
const STEPS: f64 = 12.0;

/// Steps at least, on the roughest level, per unit of the log price's deviation in the period.
const STEPS_PER_DEVIATION: f64 = 5.0;

/// Deviations of the log price that a grid covers on either side.
const DEVIATIONS: f64 = 4.5;
/// A last period's grid reaches this many of its own deviations beyond the strike, where that is nearer.
const LAST_DEVIATIONS: f64 = 5.2;
const STEPS_MIN: usize = 3;
const STEPS_MAX: usize = 700;
const HALF_MIN: usize = 5;
const HALF_MAX: usize = 320;

/// Spacings over which the payoff's kink has spread by the last ex-date, a deviation of the last period in spacings of the
/// roughest level; infinite where it never meets an ex-date. What is below [`RESOLVED`] on a level is still a kink there.
pub(crate) fn kink_width(schedule: &Schedule) -> f64 {
    match schedule.periods.as_slice() {
        [.., before, last] if last.dividend == 0.0 => (last.length() / before.variance.max(1e-14)).sqrt() / SPACING,
        _ => f64::INFINITY,
    }
}

/// A kink spread over so many spacings is none to its neighbours: below, a call's prices are off by up to 3e-4 of volatility.
pub(crate) const RESOLVED: f64 = 0.95;

/// The lowest class holds every deviation up to `2^CLASS_MIN`.
pub(crate) const CLASS_MIN: i32 = -1;
const CLASS_MAX: i32 = 8;

/// The class of a deviation `sigma sqrt(T)`: the least power of two that is not below it, by its exponent.
pub(crate) fn class(deviation: f64) -> i32 {
    (CLASS_MIN..CLASS_MAX).find(|&c| deviation <= libm::ldexp(1.0, c)).unwrap_or(CLASS_MAX)
}

/// One Crank-Nicolson step with Crandall's weights; the coefficients hold for every lane.
///
/// # Formula
/// `(1 + a delta^2) u' = (1 + c delta^2) u`, `a = 1/12 - lambda/2`, `c = 1/12 + lambda/2`,
/// `lambda = dt / (2 eta^2)`, of fourth order in space. The constant-coefficient elimination `g_j = p f_j - q g_{j+1}`,
/// `u'_j = g_j - q u'_{j-1}` has `q = a p` and `p` the small root of `a^2 p^2 - (1 - 2a) p + 1 = 0`.
///
/// # Source
/// Crandall 1955.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepPlan {
    /// Years.
    pub(crate) length: f64,
    /// What a share and a unit of cash at the period's end are worth at the step's beginning.
    pub(crate) shares_left: f64,
    pub(crate) cash_left: f64,
    pub(crate) a: f64,
    pub(crate) c: f64,
    pub(crate) p: f64,
    pub(crate) q: f64,
}

/// One period's grid.
#[derive(Clone, Debug)]
pub(crate) struct PeriodPlan {
    pub(crate) period: Period,
    /// Spacing of the log price per unit of volatility.
    pub(crate) eta: f64,
    /// Number of intervals, even.
    pub(crate) intervals: usize,
    pub(crate) steps: Vec<StepPlan>,
    /// Whether the grid stands around the strike and not around the forward.
    pub(crate) on_strike: bool,
    /// Whether the exercise boundary stands between nodes, and not on one; see [`super::boundary`].
    pub(crate) between_nodes: bool,
}

/// All periods of a slice, first to last.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) periods: Vec<PeriodPlan>,
}

impl Plan {
    /// A plan good for the deviations of a class, as many times finer than the roughest as `level` says.
    pub(crate) fn new(schedule: &Schedule, class: i32, level: usize) -> Self {
        let sigma_max = libm::ldexp(1.0, class) / schedule.expiry.sqrt();
        let last = schedule.periods.len().saturating_sub(1);
        let periods = schedule
            .periods
            .iter()
            .enumerate()
            .map(|(index, period)| {
                let unit = period.variance.max(1e-14).sqrt();
                // Half a deviation squared covers the price measured in shares as well as in money.
                let wide = DEVIATIONS * unit + (0.5 * sigma_max * unit * unit).min(40.0 * unit);
                let own = period.length();
                let narrow = LAST_DEVIATIONS * own.sqrt() + sigma_max * own;
                let on_strike = index == last && index > 0 && period.dividend == 0.0 && narrow < 0.6 * wide;
                let half_width = if on_strike { narrow } else { wide };
                let spacing = SPACING * if on_strike { own.sqrt().max(0.35 * unit) } else { unit };
                let spacing = if class > 0 { spacing.min(LOG_SPACING / sigma_max) } else { spacing };
                let half = ((half_width / spacing).ceil() as usize).clamp(HALF_MIN, HALF_MAX) * level;
                let eta = half_width / half as f64;
                // A period that nearly all of the life falls into is as much as the last one.
                let nearly = own / (own + 4.0 * (schedule.expiry - period.end));
                let share = STEPS + (LAST_STEPS - STEPS) * nearly * nearly;
                let steps = steps(schedule, own, sigma_max, eta, share, level);
                PeriodPlan { period: *period, eta, intervals: 2 * half, steps, on_strike, between_nodes: class <= 0 }
            })
            .collect();
        Self { periods }
    }
}

/// Steps that grow: small where the payoff or a dividend has just left a kink, which they damp, and then more and more alike,
/// because an error of second order is least where all steps are.
///
/// # Formula
/// The share `s` of the steps covers `2 s^2 / (1 + s)` of the period.
fn steps(schedule: &Schedule, length: f64, sigma_max: f64, eta: f64, share: f64, level: usize) -> Vec<StepPlan> {
    if length <= 0.0 {
        return Vec::new();
    }
    let share = share * (length / schedule.expiry).sqrt();
    // A step's growth in the share measure, sigma^2 dt, stays well below one.
    let growth = 1.4 * sigma_max * sigma_max * length;
    // Nor may a step be long beside the deviation, however few the period's share of them.
    let wide = STEPS_PER_DEVIATION * sigma_max * length.sqrt();
    let count = (share.max(growth).max(wide).min(STEPS_MAX as f64).round() as usize).max(STEPS_MIN) * level;
    let elapsed = |k: usize| {
        let share = k as f64 / count as f64;
        length * 2.0 * share * share / (1.0 + share)
    };
    (1..=count)
        .map(|k| {
            let (begun, elapsed) = (elapsed(k - 1), elapsed(k));
            let lambda = (elapsed - begun) / (2.0 * eta * eta);
            let a = 1.0 / 12.0 - 0.5 * lambda;
            let c = 1.0 / 12.0 + 0.5 * lambda;
            let diagonal = 1.0 - 2.0 * a;
            let p = 2.0 / (diagonal + (diagonal * diagonal - 4.0 * a * a).max(0.0).sqrt());
            StepPlan {
                length: elapsed - begun,
                shares_left: exp(-schedule.borrow * elapsed),
                cash_left: exp(-schedule.rate * elapsed),
                a,
                c,
                p,
                q: a * p,
            }
        })
        .collect()
}
