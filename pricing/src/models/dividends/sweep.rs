//! One backward sweep: American and European values of one strike at eight volatilities, in lanes.
//!
//! Node `j` of a lane stands at `S_0 e^{j h}` with `h = +-sigma eta`, index 0 on the exercise side (low prices for a
//! put, high ones for a call). The grid moves with the drift, so that the equation between ex-dates is pure
//! diffusion with the same coefficients in every lane.

use super::kink;
use super::plan::{PeriodPlan, Plan, StepPlan};
use super::schedule::Schedule;
use crate::math::{exp, ln};
use crate::models::black;
use crate::vocabulary::OptionType;

/// Volatilities per sweep.
pub(crate) const LANES: usize = 8;
/// One number per volatility.
pub(crate) type Lane = [f64; LANES];

const ZERO: Lane = [0.0; LANES];

/// Values at the snapshot, one per lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) american: Lane,
    pub(crate) european: Lane,
    /// First derivative of the American value in the price of the underlying.
    pub(crate) delta: Lane,
    /// Second derivative.
    pub(crate) gamma: Lane,
}

/// What is priced.
struct Claim<'a> {
    schedule: &'a Schedule,
    option_type: OptionType,
    /// +1 call, -1 put.
    sign: f64,
    strike: f64,
    sigmas: &'a Lane,
    /// Whether exercise can be optimal between ex-dates; a call's cannot where `r >= 0` and `b <= 0`.
    any_time: bool,
}

impl Claim<'_> {
    fn exercise(&self, price: f64) -> f64 {
        (self.sign * (price - self.strike)).max(0.0)
    }
}

/// A line in the price, per lane: what the claim is beyond the grid.
#[derive(Clone, Copy)]
struct Line {
    slope: Lane,
    level: Lane,
}

struct Grid {
    /// Log price of node 0 when the period ends.
    log_first: Lane,
    /// Signed spacing.
    spacing: Lane,
    /// `4 sinh^2(h/2)`: the second difference of the price itself.
    price_difference: Lane,
    /// Prices of the nodes when the period ends.
    prices: Vec<Lane>,
    /// By how much the nodes have moved since.
    moved: Lane,
    american: Vec<Lane>,
    european: Vec<Lane>,
}

/// Values of one strike at eight volatilities; `None` where something is not finite.
///
/// # Formula
/// Backward from the payoff: diffusion in the moving frame by [`StepPlan`], exercise by Brennan-Schwartz's ordered
/// elimination, and at each ex-date `V(S, t-) = max(g(S), V(max(S - d, 0), t+))` by cubic interpolation.
///
/// # Domain
/// Exercise on one side of a boundary (not [`Schedule::double_boundary`]), positive finite strike and volatilities.
///
/// # Source
/// Brennan and Schwartz 1977; Vellekoop and Nieuwenhuis 2006.
pub(crate) fn sweep(
    schedule: &Schedule,
    plan: &Plan,
    option_type: OptionType,
    strike: f64,
    sigmas: &Lane,
) -> Option<Outcome> {
    let sign = match option_type {
        OptionType::Call => 1.0,
        OptionType::Put => -1.0,
    };
    let any_time = sign < 0.0 || schedule.rate < 0.0 || schedule.borrow > 0.0;
    let claim = Claim { schedule, option_type, sign, strike, sigmas, any_time };
    let mut scratch = Vec::new();
    let mut later: Option<(Grid, &PeriodPlan)> = None;
    for (index, plan) in plan.periods.iter().enumerate().rev() {
        let mut grid = place(&claim, plan, index == 0, later.is_none());
        match &later {
            None => pay(&claim, &mut grid, plan.period.dividend),
            Some((next, next_plan)) => drop_dividend(&claim, &mut grid, plan, next, next_plan),
        }
        let near = [edge(&grid, &grid.american, 0, 1), edge(&grid, &grid.european, 0, 1)];
        let last = plan.intervals;
        let far = [edge(&grid, &grid.american, last, last - 1), edge(&grid, &grid.european, last, last - 1)];
        let mut elapsed = 0.0;
        for step in &plan.steps {
            let before = (exp(-schedule.borrow * elapsed), exp(-schedule.rate * elapsed));
            elapsed += step.length;
            let after = (exp(-schedule.borrow * elapsed), exp(-schedule.rate * elapsed));
            advance(&claim, &mut grid, step, &near, &far, before, after, &mut scratch);
        }
        later = Some((grid, plan));
    }
    let (grid, plan) = later?;
    read(&claim, &grid, plan.intervals / 2)
}

/// The period's grid, its middle node on the forward; in the first period on the price of the underlying at the end.
fn place(claim: &Claim<'_>, plan: &PeriodPlan, first: bool, last: bool) -> Grid {
    let (mut log_first, mut spacing, mut price_difference) = (ZERO, ZERO, ZERO);
    let (mut node, mut ratio) = (ZERO, ZERO);
    let drift = claim.schedule.rate - claim.schedule.borrow;
    for l in 0..LANES {
        let h = claim.sigmas[l] * plan.eta;
        let half = libm::sinh(0.5 * h);
        price_difference[l] = 4.0 * half * half;
        spacing[l] = -claim.sign * h;
        let mut middle = ln(plan.period.forward);
        if first {
            middle = ln(claim.schedule.spot) + drift * plan.period.length();
            for step in &plan.steps {
                middle -= ln(growth(step, price_difference[l]));
            }
        }
        if last && !first {
            // A kink between nodes, once its correction is in, would be lifted back by the exercise value.
            let to_strike = (ln(claim.strike) - middle) / spacing[l];
            middle += spacing[l] * (to_strike - to_strike.round_ties_even());
        }
        log_first[l] = middle - spacing[l] * (plan.intervals / 2) as f64;
        node[l] = exp(log_first[l]);
        ratio[l] = exp(spacing[l]);
    }
    let mut prices = Vec::with_capacity(plan.intervals + 1);
    for _ in 0..=plan.intervals {
        prices.push(node);
        for l in 0..LANES {
            node[l] *= ratio[l];
        }
    }
    let count = prices.len();
    Grid {
        log_first,
        spacing,
        price_difference,
        prices,
        moved: [1.0; LANES],
        american: vec![ZERO; count],
        european: vec![ZERO; count],
    }
}

/// By how much the scheme makes the price grow in one step, before the drift is taken off: close to
/// `e^{sigma^2 dt / 2}`.
fn growth(step: &StepPlan, price_difference: f64) -> f64 {
    (1.0 + step.c * price_difference) / (1.0 + step.a * price_difference).max(0.02)
}

/// The payoff, its kinks spread over the neighbouring nodes.
fn pay(claim: &Claim<'_>, grid: &mut Grid, dividend: f64) {
    let Grid { prices, american, european, .. } = grid;
    for ((s, am), eu) in prices.iter().zip(american.iter_mut()).zip(european.iter_mut()) {
        for l in 0..LANES {
            eu[l] = claim.exercise((s[l] - dividend).max(0.0));
            am[l] = eu[l].max(claim.exercise(s[l]));
        }
    }
    let paid = claim.strike + dividend;
    add_kink(claim, grid, paid, paid, false);
    add_kink(claim, grid, if claim.sign > 0.0 { claim.strike } else { paid }, paid, true);
    if dividend > 0.0 && claim.sign < 0.0 {
        add_kink(claim, grid, dividend, -dividend, false);
        add_kink(claim, grid, dividend, -dividend, true);
    }
}

fn add_kink(claim: &Claim<'_>, grid: &mut Grid, place: f64, slope_jump: f64, american: bool) {
    let log_place = ln(place);
    let values = if american { &mut grid.american } else { &mut grid.european };
    for l in 0..LANES {
        let position = (log_place - grid.log_first[l]) / grid.spacing[l];
        if !(position >= 0.0 && position < values.len() as f64 - 1.0) {
            continue;
        }
        let below = position.floor();
        let theta = position - below;
        let (lower, upper) =
            kink::correction(theta, grid.spacing[l].abs(), slope_jump, -claim.sign * slope_jump);
        if let Some([a, b]) = values.get_mut(below as usize..below as usize + 2) {
            a[l] += lower;
            b[l] += upper;
        }
    }
}

/// Values just before an ex-date from those just after it.
fn drop_dividend(claim: &Claim<'_>, grid: &mut Grid, plan: &PeriodPlan, next: &Grid, next_plan: &PeriodPlan) {
    let dividend = plan.period.dividend;
    let time_left = claim.schedule.expiry - plan.period.end;
    let worthless = if claim.sign > 0.0 { 0.0 } else { claim.strike * exp(-claim.schedule.rate * time_left) };
    let held_at_zero = if claim.sign > 0.0 { 0.0 } else { worthless.max(claim.strike) };
    let frame = Frame::new(next);
    let tail = Tail::new(claim, next_plan);
    let Grid { prices, american, european, spacing, .. } = grid;
    // Continuation less exercise at the node before, for the kink between the two.
    let mut gap_before = ZERO;
    for j in 0..prices.len() {
        let s = prices[j];
        for l in 0..LANES {
            let dropped = (s[l] - dividend).max(0.0);
            let (mut am, mut eu) = (held_at_zero, worthless);
            if dropped > 0.0 {
                (am, eu) = frame.values(next, l, dropped, held_at_zero, worthless);
                if next_plan.closed_form {
                    let exact = tail.european(claim, l, dropped);
                    am += exact - eu;
                    eu = exact;
                }
            }
            let exercise = claim.exercise(s[l]);
            let gap = am.max(claim.exercise(dropped)) - exercise;
            american[j][l] = exercise + gap.max(0.0);
            european[j][l] = eu.max(0.0);
            if j > 0 && gap_before[l] < 0.0 && gap > 0.0 {
                let theta = gap_before[l] / (gap_before[l] - gap);
                let h = spacing[l].abs();
                let (lower, upper) = kink::correction(theta, h, (gap - gap_before[l]) / h, 0.0);
                american[j - 1][l] += lower;
                american[j][l] += upper;
            }
            gap_before[l] = gap;
        }
    }
}

/// European values at the beginning of a dividend-free last period.
struct Tail {
    length: f64,
    growth: f64,
    discount: f64,
}

impl Tail {
    fn new(claim: &Claim<'_>, plan: &PeriodPlan) -> Self {
        let length = plan.period.length();
        let Schedule { rate, borrow, .. } = claim.schedule;
        Self { length, growth: exp((rate - borrow) * length), discount: exp(-rate * length) }
    }

    fn european(&self, claim: &Claim<'_>, l: usize, s: f64) -> f64 {
        black::price(claim.option_type, s * self.growth, claim.strike, self.length, claim.sigmas[l], self.discount)
    }
}

/// Where a later grid's nodes stand when its period begins.
struct Frame {
    log_first: Lane,
    lowest: Lane,
    highest: Lane,
}

impl Frame {
    fn new(grid: &Grid) -> Self {
        let mut frame = Self { log_first: ZERO, lowest: ZERO, highest: ZERO };
        for l in 0..LANES {
            frame.log_first[l] = grid.log_first[l] + ln(grid.moved[l]);
            let a = grid.prices.first().map_or(0.0, |s| s[l]) * grid.moved[l];
            let b = grid.prices.last().map_or(0.0, |s| s[l]) * grid.moved[l];
            frame.lowest[l] = a.min(b);
            frame.highest[l] = a.max(b);
        }
        frame
    }

    /// American and European value at price `s`: cubic in the log price inside the grid, linear in the price outside.
    fn values(&self, grid: &Grid, l: usize, s: f64, held_at_zero: f64, worthless: f64) -> (f64, f64) {
        let last = grid.prices.len() - 1;
        let rising = grid.spacing[l] > 0.0;
        if s <= self.lowest[l] {
            let edge = if rising { 0 } else { last };
            let share = s / self.lowest[l];
            let (am, eu) = (grid.american[edge][l], grid.european[edge][l]);
            return (held_at_zero + share * (am - held_at_zero), worthless + share * (eu - worthless));
        }
        if s >= self.highest[l] {
            let (edge, inner) = if rising { (last, last - 1) } else { (0, 1) };
            let (s0, s1) = (grid.prices[edge][l] * grid.moved[l], grid.prices[inner][l] * grid.moved[l]);
            let line = |v: &[Lane]| v[edge][l] + (v[edge][l] - v[inner][l]) / (s0 - s1) * (s - s0);
            return (line(&grid.american), line(&grid.european));
        }
        let position = (ln(s) - self.log_first[l]) / grid.spacing[l];
        let base = (position.max(1.0) as usize).min(last - 2);
        let x = position - base as f64;
        let (p, q, o) = (x + 1.0, x - 1.0, x - 2.0);
        let (w0, w1, w2, w3) = (-x * q * o / 6.0, p * q * o / 2.0, -p * x * o / 2.0, p * x * q / 6.0);
        let cubic =
            |v: &[Lane]| v[base - 1][l] * w0 + v[base][l] * w1 + v[base + 1][l] * w2 + v[base + 2][l] * w3;
        (cubic(&grid.american), cubic(&grid.european))
    }
}

fn edge(grid: &Grid, values: &[Lane], edge: usize, inner: usize) -> Line {
    let mut line = Line { slope: ZERO, level: ZERO };
    for l in 0..LANES {
        let slope = (values[edge][l] - values[inner][l]) / (grid.prices[edge][l] - grid.prices[inner][l]);
        line.slope[l] = slope;
        line.level[l] = values[edge][l] - slope * grid.prices[edge][l];
    }
    line
}

/// One backward step of both values. `before` and `after` are what shares and cash have decayed to since the period's end.
#[allow(clippy::too_many_arguments)]
fn advance(
    claim: &Claim<'_>,
    grid: &mut Grid,
    step: &StepPlan,
    near: &[Line; 2],
    far: &[Line; 2],
    before: (f64, f64),
    after: (f64, f64),
    scratch: &mut Vec<Lane>,
) {
    let Grid { spacing, price_difference, prices, moved, american, european, .. } = grid;
    let discount = after.1 / before.1;
    let drift = (after.1 / before.1) / (after.0 / before.0);
    let old = *moved;
    for l in 0..LANES {
        moved[l] *= growth(step, price_difference[l]) * drift;
    }
    let (Some(first), Some(last)) = (prices.first(), prices.last()) else { return };
    for (values, (near, far), obstacle) in
        [(american, (&near[0], &far[0]), claim.any_time), (european, (&near[1], &far[1]), false)]
    {
        let (mut start, mut end) = (ZERO, ZERO);
        for l in 0..LANES {
            let s = first[l] * moved[l];
            let line = near.slope[l] * s * after.0 + near.level[l] * after.1;
            start[l] = line.max(if obstacle { claim.exercise(s) } else { 0.0 });
            let shares = far.slope[l] * last[l] * old[l] * before.0;
            // The elimination continued to infinity along the line.
            end[l] = shares * (1.0 + step.c * price_difference[l]) / (1.0 + step.q * exp(spacing[l])).max(0.02)
                + far.level[l] * before.1 / (1.0 + step.q);
        }
        eliminate(values, step, end, scratch);
        if obstacle {
            substitute_above(values, scratch, prices, moved, step, discount, start, claim);
        } else {
            substitute(values, scratch, step, discount, start);
        }
    }
}

/// `g_j = f_j - q g_{j+1}` from the far end, `f` the explicit half of the step.
fn eliminate(values: &[Lane], step: &StepPlan, end: Lane, scratch: &mut Vec<Lane>) {
    let (c, q, middle) = (step.c, step.q, 1.0 - 2.0 * step.c);
    scratch.clear();
    scratch.resize(values.len(), ZERO);
    let mut g = end;
    if let Some(target) = scratch.last_mut() {
        *target = end;
    }
    let inner = scratch.len().saturating_sub(1);
    for (window, target) in values.windows(3).rev().zip(scratch[..inner].iter_mut().rev()) {
        let [a, b, d] = window else { continue };
        for l in 0..LANES {
            g[l] = (middle * b[l] + c * (a[l] + d[l])) - q * g[l];
        }
        *target = g;
    }
}

fn substitute(values: &mut [Lane], scratch: &[Lane], step: &StepPlan, discount: f64, start: Lane) {
    let (p, q) = (step.p * discount, step.q);
    let mut u = start;
    if let Some(value) = values.first_mut() {
        *value = start;
    }
    for (value, g) in values.iter_mut().zip(scratch).skip(1) {
        for l in 0..LANES {
            u[l] = p * g[l] - q * u[l];
        }
        *value = u;
    }
}

#[allow(clippy::too_many_arguments)]
fn substitute_above(
    values: &mut [Lane],
    scratch: &[Lane],
    prices: &[Lane],
    moved: &Lane,
    step: &StepPlan,
    discount: f64,
    start: Lane,
    claim: &Claim<'_>,
) {
    let (p, q) = (step.p * discount, step.q);
    let level = -claim.sign * claim.strike;
    let mut slope = ZERO;
    for l in 0..LANES {
        slope[l] = claim.sign * moved[l];
    }
    let mut u = start;
    if let Some(value) = values.first_mut() {
        *value = start;
    }
    for ((value, g), s) in values.iter_mut().zip(scratch).zip(prices).skip(1) {
        for l in 0..LANES {
            let held = p * g[l] - q * u[l];
            let exercise = slope[l] * s[l] + level;
            u[l] = if held > exercise { held } else { exercise };
        }
        *value = u;
    }
}

fn read(claim: &Claim<'_>, grid: &Grid, middle: usize) -> Option<Outcome> {
    let [a, b, c, d, e] = grid.american.get(middle.checked_sub(2)?..middle + 3)? else { return None };
    let eu = grid.european.get(middle)?;
    let spot = claim.schedule.spot;
    let exercise = claim.exercise(spot);
    let mut outcome = Outcome { american: ZERO, european: ZERO, delta: ZERO, gamma: ZERO };
    for l in 0..LANES {
        let h = grid.spacing[l];
        let first = (a[l] - 8.0 * b[l] + 8.0 * d[l] - e[l]) / (12.0 * h);
        let second = (-a[l] + 16.0 * b[l] - 30.0 * c[l] + 16.0 * d[l] - e[l]) / (12.0 * h * h);
        outcome.american[l] = c[l].max(exercise);
        outcome.european[l] = eu[l].max(0.0);
        let exercised = exercise > 0.0 && c[l] <= exercise;
        outcome.delta[l] = if exercised { claim.sign } else { first / spot };
        outcome.gamma[l] = if exercised { 0.0 } else { (second - first) / (spot * spot) };
    }
    let parts = [&outcome.american, &outcome.european, &outcome.delta, &outcome.gamma];
    parts.iter().all(|part| part.iter().all(|x| x.is_finite())).then_some(outcome)
}

#[cfg(test)]
mod tests;
