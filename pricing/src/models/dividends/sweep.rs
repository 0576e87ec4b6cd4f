//! One backward sweep: American or European values of several options of one slice, in lanes.

use multiversion::multiversion;

use super::exdate::drop_dividend;
use super::grid::{Claim, Grid, pay, place};
use super::lanes::{Lane, Rows, larger};
use super::plan::{PeriodPlan, Plan};
use super::schedule::Schedule;
use super::step::steps;
use crate::vocabulary::OptionType;

/// Values at the snapshot, one per lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome<const N: usize> {
    pub(crate) value: Lane<N>,
    /// First derivative in the price of the underlying.
    pub(crate) delta: Lane<N>,
    /// Second derivative.
    pub(crate) gamma: Lane<N>,
    /// Whether exercise wins here and not at the next node: a boundary between two nodes.
    pub(crate) edge: [bool; N],
}

/// Values of several options; not finite where a lane has no number.
///
/// # Formula
/// Backward from the payoff: diffusion in the moving frame by [`super::plan::StepPlan`], exercise by
/// Brennan-Schwartz's ordered elimination with a boundary between two nodes ([`super::boundary`]), and at each ex-date
/// `V(S, t-) = max(g(S), V(max(S - d, 0), t+))` by interpolation through six nodes. After the last ex-date Black's formula, where
/// no exercise before expiry pays.
///
/// # Domain
/// Exercise on one side of a boundary (not [`Schedule::double_boundary`]), positive finite strikes and volatilities, of
/// the class that the plan is for.
///
/// # Source
/// Brennan and Schwartz 1977; Vellekoop and Nieuwenhuis 2006.
///
/// The host chooses the width of the instructions; every lane's operations, and with them the bits, are the same.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
pub(crate) fn sweep<const N: usize>(
    schedule: &Schedule,
    plan: &Plan,
    option_type: OptionType,
    strikes: &Lane<N>,
    sigmas: &Lane<N>,
    american: bool,
) -> Option<Outcome<N>> {
    sweep_in_lanes(schedule, plan, option_type, strikes, sigmas, american)
}

/// [`sweep`], in the instructions of whoever calls it.
#[inline(always)]
fn sweep_in_lanes<const N: usize>(
    schedule: &Schedule,
    plan: &Plan,
    option_type: OptionType,
    strikes: &Lane<N>,
    sigmas: &Lane<N>,
    american: bool,
) -> Option<Outcome<N>> {
    let claim = Claim::new(schedule, option_type, *strikes, *sigmas, american);
    let mut scratch = Rows::default();
    let mut spare = None;
    let mut later: Option<(Option<Grid<N>>, &PeriodPlan)> = None;
    for (index, plan) in plan.periods.iter().enumerate().rev() {
        if later.is_none() && index > 0 && plan.period.dividend == 0.0 && !claim.any_time {
            // Held to expiry after the last ex-date: no grid is needed.
            later = Some((None, plan));
            continue;
        }
        let mut grid = place(&claim, plan, index == 0, later.is_none(), spare.take().unwrap_or_default());
        match &later {
            None => pay(&claim, &mut grid, plan.period.dividend),
            Some((next, next_plan)) => {
                drop_dividend(&claim, &mut grid, plan, next.as_ref(), next_plan, &mut scratch);
            }
        }
        steps(&claim, &mut grid, plan)?;
        let done = later.replace((Some(grid), plan));
        spare = done.and_then(|(grid, _)| grid).map(|grid: Grid<N>| (grid.prices, grid.values));
    }
    let (grid, plan) = later?;
    let grid = grid?;
    read(&claim, &grid, plan.intervals / 2)
}

/// A node that is exercised may differ from the exercise value by this share of price and strike.
const ROUNDING: f64 = 1e-13;

fn read<const N: usize>(claim: &Claim<'_, N>, grid: &Grid<N>, middle: usize) -> Option<Outcome<N>> {
    let mut outcome = Outcome { value: [0.0; N], delta: [0.0; N], gamma: [0.0; N], edge: [false; N] };
    let [a, b, c, d, e] = grid.values.get(middle.checked_sub(2)?..middle + 3)? else { return None };
    let spot = claim.schedule.spot;
    for l in 0..N {
        let h = grid.spacing[l];
        let exercise = if claim.american { claim.exercise(l, spot) } else { 0.0 };
        let first = (a[l] - 8.0 * b[l] + 8.0 * d[l] - e[l]) / (12.0 * h);
        let second = (-a[l] + 16.0 * b[l] - 30.0 * c[l] + 16.0 * d[l] - e[l]) / (12.0 * h * h);
        let exercised = exercise > 0.0 && c[l] <= exercise + ROUNDING * (spot + claim.strikes[l]);
        outcome.value[l] = if exercised { exercise } else { larger(c[l], exercise) };
        outcome.edge[l] = exercised && d[l] > claim.exercise(l, spot * grid.ratio[l]);
        outcome.delta[l] = if exercised { claim.sign } else { first / spot };
        outcome.gamma[l] = if exercised { 0.0 } else { (second - first) / (spot * spot) };
    }
    Some(outcome)
}

#[cfg(test)]
mod tests;
