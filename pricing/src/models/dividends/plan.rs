//! The grids and time steps of one slice, shared by all strikes, both types and all volatilities of an octave.

use super::schedule::{Period, Schedule};
use crate::math::exp;

/// Deviations of the log price that a grid covers on either side.
const DEVIATIONS: f64 = 5.6;
/// Distance of two nodes in deviations of the log price at the period's end.
const SPACING: f64 = 0.12;
/// Time steps for a life without dividends; a period has its share by the square root of its length.
const STEPS: f64 = 44.0;
const STEPS_MIN: usize = 6;
const STEPS_MAX: usize = 2000;
const INTERVALS_MAX: usize = 480;
/// A last period shorter than this many spacings (as a deviation) takes its European values from the closed form.
const CLOSED_FORM_SPACINGS: f64 = 3.5;

/// One Crank-Nicolson step with Crandall's weights; the coefficients hold for every lane.
///
/// # Formula
/// `(1 + a delta^2) u' = (1 + c delta^2) u`, `a = 1/12 - lambda/2`, `c = 1/12 + lambda/2`,
/// `lambda = dt / (2 eta^2)`, of fourth order in space. The constant-coefficient elimination `g_j = f_j - q g_{j+1}`,
/// `u'_j = p g_j - q u'_{j-1}` has `q = a p` and `p` the small root of `a^2 p^2 - (1 - 2a) p + 1 = 0`.
///
/// # Source
/// Crandall 1955.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepPlan {
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
    /// Whether European values at the period's beginning come from the closed form.
    pub(crate) closed_form: bool,
}

/// All periods of a slice, first to last.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) periods: Vec<PeriodPlan>,
}

impl Plan {
    /// A plan good for volatilities up to `sigma_max`, its nodes `coarseness` times farther apart than usual and its steps
    /// `step_share` times as many.
    pub(crate) fn new(schedule: &Schedule, sigma_max: f64, coarseness: f64, step_share: f64) -> Self {
        let last = schedule.periods.len().saturating_sub(1);
        let periods = schedule
            .periods
            .iter()
            .enumerate()
            .map(|(index, period)| {
                let unit = period.variance.max(1e-14).sqrt();
                // Half a deviation squared covers the price measured in shares as well as in money.
                let half_width = DEVIATIONS + (0.5 * sigma_max * unit).min(40.0);
                let half = ((half_width / (SPACING * coarseness)).min(INTERVALS_MAX as f64 / 2.0)) as usize + 1;
                let eta = half_width * unit / half as f64;
                let short = period.length().sqrt() < CLOSED_FORM_SPACINGS * eta;
                PeriodPlan {
                    period: *period,
                    eta,
                    intervals: 2 * half,
                    steps: steps(schedule, period.length(), sigma_max, eta, step_share),
                    closed_form: index == last && index > 0 && short && period.dividend == 0.0,
                }
            })
            .collect();
        Self { periods }
    }
}

/// Steps that grow linearly: small where the payoff or a dividend has just left a kink, which they damp.
fn steps(schedule: &Schedule, length: f64, sigma_max: f64, eta: f64, step_share: f64) -> Vec<StepPlan> {
    if length <= 0.0 {
        return Vec::new();
    }
    let share = step_share * STEPS * (length / schedule.expiry).sqrt();
    // A step's growth in the share measure, sigma^2 dt, stays well below one.
    let growth = 4.0 * sigma_max * sigma_max * length;
    let count = (share.max(growth).min(STEPS_MAX as f64) as usize + 1).max(STEPS_MIN);
    let unit = length / (count as f64 * count as f64);
    (1..=count)
        .map(|k| {
            let length = (2 * k - 1) as f64 * unit;
            let lambda = length / (2.0 * eta * eta);
            let a = 1.0 / 12.0 - 0.5 * lambda;
            let c = 1.0 / 12.0 + 0.5 * lambda;
            let diagonal = 1.0 - 2.0 * a;
            let p = 2.0 / (diagonal + (diagonal * diagonal - 4.0 * a * a).max(0.0).sqrt());
            let elapsed = (k * k) as f64 * unit;
            StepPlan {
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
