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
    /// See [`Schedule::exercised_any_time`].
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
    /// `e^h`.
    ratio: Lane,
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
    let any_time = schedule.exercised_any_time(sign > 0.0);
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
        let mut before = (1.0, 1.0);
        for step in &plan.steps {
            let after = (step.shares_left, step.cash_left);
            advance(&claim, &mut grid, step, &near, &far, before, after, &mut scratch);
            before = after;
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
            let grown = plan.steps.iter().fold(1.0, |product, step| product * growth(step, price_difference[l]));
            middle = ln(claim.schedule.spot) + drift * plan.period.length() - ln(grown);
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
        ratio,
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
        let (lower, upper) = kink::correction(theta, grid.spacing[l].abs(), slope_jump, -claim.sign * slope_jump);
        if let Some([a, b]) = values.get_mut(below as usize..below as usize + 2) {
            a[l] += lower;
            b[l] += upper;
        }
    }
}

/// Values just before an ex-date from those just after it.
fn drop_dividend(claim: &Claim<'_>, grid: &mut Grid, plan: &PeriodPlan, next: &Grid, next_plan: &PeriodPlan) {
    let dividend = plan.period.dividend;
    let later = Later::new(claim, next, next_plan);
    let Grid { log_first, prices, american, european, spacing, .. } = grid;
    // Holding on less exercise, without its floor at zero: smooth where the payoff is not.
    let mut gaps = vec![ZERO; prices.len()];
    let nodes = prices.iter().zip(american.iter_mut()).zip(european.iter_mut()).zip(gaps.iter_mut()).enumerate();
    for (j, (((s, american), european), gap)) in nodes {
        let mut log_dropped = ZERO;
        for l in 0..LANES {
            log_dropped[l] = log_first[l] + spacing[l] * j as f64 + log_one_less(dividend / s[l]);
        }
        for l in 0..LANES {
            let dropped = (s[l] - dividend).max(0.0);
            let (held, worth) = later.values(claim, l, dropped, log_dropped[l]);
            let held = held.max(claim.exercise(dropped));
            european[l] = worth.max(0.0);
            american[l] = held.max(claim.exercise(s[l]));
            gap[l] = held - claim.sign * (s[l] - claim.strike);
        }
    }
    spread_exercise_kinks(american, &gaps, spacing);
}

/// The kinks where exercise just before an ex-date begins (or ends), spread over the neighbouring nodes.
fn spread_exercise_kinks(american: &mut [Lane], gaps: &[Lane], spacing: &Lane) {
    for (j, window) in gaps.windows(3).enumerate() {
        let [a, b, c] = window else { continue };
        for l in 0..LANES {
            // From the middle node to the last, by the parabola through all three.
            if (b[l] < 0.0) == (c[l] < 0.0) {
                continue;
            }
            let (slope, bend) = (0.5 * (c[l] - a[l]), c[l] - 2.0 * b[l] + a[l]);
            let mut theta = b[l] / (b[l] - c[l]);
            for _ in 0..3 {
                let tangent = slope + bend * theta;
                theta -= (b[l] + theta * (slope + 0.5 * bend * theta)) / tangent;
            }
            if !(0.0..=1.0).contains(&theta) {
                theta = b[l] / (b[l] - c[l]);
            }
            let h = spacing[l].abs();
            let rise = if c[l] > b[l] { 1.0 } else { -1.0 };
            let tangent = rise * (slope + bend * theta) / h;
            let (lower, upper) = kink::correction(theta, h, tangent.max(0.0), rise * bend / (h * h));
            if let Some([_, middle, last]) = american.get_mut(j..j + 3) {
                middle[l] += lower;
                last[l] += upper;
            }
        }
    }
}

/// `ln(1 - x)`, minus infinity from one on; a short series where a dividend is small beside the price.
fn log_one_less(x: f64) -> f64 {
    if x < 0.1 {
        let y = x / (2.0 - x);
        let z = y * y;
        -2.0 * y * (1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0)))))
    } else if x < 1.0 {
        ln(1.0 - x)
    } else {
        f64::NEG_INFINITY
    }
}

/// A later grid when its period begins, read at any price.
struct Later<'a> {
    grid: &'a Grid,
    log_first: Lane,
    lowest: Lane,
    /// Values at a price of zero.
    held_at_zero: f64,
    worthless: f64,
    /// Years, growth of the forward, its logarithm and the discount factor, where the closed form serves.
    tail: Option<(f64, f64, f64, f64)>,
    log_strike: f64,
    reach: Lane,
}

impl<'a> Later<'a> {
    fn new(claim: &Claim<'_>, grid: &'a Grid, plan: &PeriodPlan) -> Self {
        let Schedule { rate, borrow, expiry, .. } = *claim.schedule;
        let worthless = if claim.sign > 0.0 { 0.0 } else { claim.strike * exp(-rate * (expiry - plan.period.start)) };
        let length = plan.period.length();
        let tail = (length, exp((rate - borrow) * length), (rate - borrow) * length, exp(-rate * length));
        let mut later = Self {
            grid,
            log_first: ZERO,
            lowest: ZERO,
            held_at_zero: if claim.sign > 0.0 { 0.0 } else { worthless.max(claim.strike) },
            worthless,
            tail: plan.closed_form.then_some(tail),
            log_strike: ln(claim.strike),
            reach: ZERO,
        };
        let edge = if claim.sign > 0.0 { grid.prices.last() } else { grid.prices.first() };
        for l in 0..LANES {
            later.log_first[l] = grid.log_first[l] + ln(grid.moved[l]);
            later.lowest[l] = edge.map_or(0.0, |s| s[l] * grid.moved[l]);
            let deviation = claim.sigmas[l] * length.sqrt();
            later.reach[l] = 7.0 * deviation + 0.5 * deviation * deviation;
        }
        later
    }

    /// American and European value at price `s`.
    fn values(&self, claim: &Claim<'_>, l: usize, s: f64, log_s: f64) -> (f64, f64) {
        if s <= 0.0 {
            return (self.held_at_zero, self.worthless);
        }
        let position = (log_s - self.log_first[l]) / self.grid.spacing[l];
        let (american, european) = self.read(l, s, position);
        let Some((length, growth, log_growth, discount)) = self.tail else { return (american, european) };
        let exact = if (log_s + log_growth - self.log_strike).abs() < self.reach[l] {
            black::price(claim.option_type, s * growth, claim.strike, length, claim.sigmas[l], discount)
        } else {
            discount * claim.exercise(s * growth)
        };
        (american + (exact - european), exact)
    }

    /// Cubic in the log price inside the grid, linear in the price outside.
    fn read(&self, l: usize, s: f64, position: f64) -> (f64, f64) {
        let Grid { american, european, .. } = self.grid;
        let last = american.len() - 1;
        if !(position >= 0.0 && position <= last as f64) {
            return self.outside(l, s, position < 0.0);
        }
        let base = (position.max(1.0) as usize).min(last - 2);
        let x = position - base as f64;
        let (p, q, o) = (x + 1.0, x - 1.0, x - 2.0);
        let (xo, pq) = (x * o, p * q);
        let (w0, w1, w2, w3) = (-xo * q * (1.0 / 6.0), pq * o * 0.5, -p * xo * 0.5, pq * x * (1.0 / 6.0));
        match (american.get(base - 1..base + 3), european.get(base - 1..base + 3)) {
            (Some([a, b, c, d]), Some([e, f, g, h])) => {
                (a[l] * w0 + b[l] * w1 + c[l] * w2 + d[l] * w3, e[l] * w0 + f[l] * w1 + g[l] * w2 + h[l] * w3)
            }
            _ => (self.held_at_zero, self.worthless),
        }
    }

    fn outside(&self, l: usize, s: f64, before_first: bool) -> (f64, f64) {
        let Grid { american, european, prices, moved, spacing, .. } = self.grid;
        let last = prices.len() - 1;
        let (edge, inner) = if before_first { (0, 1) } else { (last, last - 1) };
        if before_first == (spacing[l] > 0.0) {
            let share = s / self.lowest[l];
            let (am, eu) = (american[edge][l], european[edge][l]);
            let (at_zero, worthless) = (self.held_at_zero, self.worthless);
            return (at_zero + share * (am - at_zero), worthless + share * (eu - worthless));
        }
        let (s0, s1) = (prices[edge][l] * moved[l], prices[inner][l] * moved[l]);
        let line = |v: &[Lane]| v[edge][l] + (v[edge][l] - v[inner][l]) / (s0 - s1) * (s - s0);
        (line(american), line(european))
    }
}

#[allow(clippy::needless_range_loop, reason = "a lane indexes nodes and line alike")]
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
    let Grid { ratio, price_difference, prices, moved, american, european, .. } = grid;
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
            end[l] = shares * (1.0 + step.c * price_difference[l]) / (1.0 + step.q * ratio[l]).max(0.02)
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
    if scratch.len() != values.len() {
        scratch.resize(values.len(), ZERO);
    }
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
