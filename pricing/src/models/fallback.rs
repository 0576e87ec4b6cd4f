//! The fine finite-difference price for where the fast methods are not reliable; slow and hard to upset.

use crate::math::{exp, ln};
use crate::models::ModelInput;
use crate::models::dividends::kink;
use crate::models::dividends::schedule::{Period, Schedule};
use crate::vocabulary::OptionType;

/// Space intervals that [`price`] uses.
pub const SPACE_INTERVALS: usize = 400;
/// Time steps that [`price`] uses over the option's life; more where the variance is enormous.
pub const TIME_STEPS: usize = 150;
/// Deviations of the log price that the grid covers on either side.
const DEVIATIONS: f64 = 6.5;
/// `ln` of a price over another beside which it is nothing.
const NEARLY_NOTHING: f64 = 6.0;
/// Rounds of the exercise region's iteration per step; two or three are usual.
const POLICY_ROUNDS_MAX: usize = 40;
/// Time steps never exceed this, whatever the variance.
const TIME_STEPS_MAX: usize = 4000;

/// Price and sensitivities from finite differences.
///
/// # Units
/// As [`crate::mark::Greeks`]: `theta` is per calendar day, `delta` and `gamma` per 1.00 of the underlying's price;
/// all three are the American option's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FdResult {
    /// American price per share.
    pub american: f64,
    /// European price per share under the same model and grid.
    pub european: f64,
    /// First derivative of the American price in the underlying's.
    pub delta: f64,
    /// Second derivative.
    pub gamma: f64,
    /// Derivative per calendar day, price of the underlying held.
    pub theta: f64,
}

/// American and European price with or without cash dividends, rates of any sign.
///
/// # Formula
/// `V_t + (r-b) S V_S + sigma^2 S^2 V_SS / 2 = r V` between ex-dates, `V(S, t-) = max(g(S), V(max(S - d, 0), t+))` at them.
/// Log-price grid that moves with the drift, so that the equation is one of pure diffusion whatever the rates; the
/// frame's speed makes the discrete forward exact. Crank-Nicolson with four implicit half-steps after expiry and
/// each ex-date, with Crandall's weights in space; kinks spread over their neighbours; the obstacle problem of every step is solved to the end by
/// policy iteration, which needs no assumption on the exercise region's shape.
///
/// # Domain
/// `0 < sigma <= 50`, positive strike, the slice as in METHOD section 2; outside: `None`.
///
/// # Source
/// Spot model: Vellekoop and Nieuwenhuis 2006; weights: Crandall 1955; half-steps: Rannacher 1984; policy iteration: Reisinger and
/// Witte 2012; negative rates: Healy 2021.
pub fn price(input: &ModelInput, option_type: OptionType, strike: f64, sigma: f64) -> Option<FdResult> {
    price_on_grid(input, option_type, strike, sigma, SPACE_INTERVALS, TIME_STEPS)
}

/// [`price`] on a grid of the caller's choice: at least 16 intervals and 8 steps, at most 20,000 of each.
pub fn price_on_grid(
    input: &ModelInput,
    option_type: OptionType,
    strike: f64,
    sigma: f64,
    space_intervals: usize,
    time_steps: usize,
) -> Option<FdResult> {
    let schedule = Schedule::new(input)?;
    solve(&schedule, option_type, strike, sigma, space_intervals.clamp(16, 20_000), time_steps.clamp(8, 20_000))
}

/// The claim and the volatility of one solve.
#[derive(Clone, Copy)]
struct Claim {
    /// +1 call, -1 put.
    sign: f64,
    strike: f64,
    rate: f64,
    borrow: f64,
    /// Half the variance per year.
    diffusion: f64,
}

impl Claim {
    fn exercise(&self, price: f64) -> f64 {
        (self.sign * (price - self.strike)).max(0.0)
    }
}

/// Values on a log-price grid: node `j` stands at `first e^{j spacing}`.
struct Layer {
    first: f64,
    spacing: f64,
    american: Vec<f64>,
    european: Vec<f64>,
}

impl Layer {
    fn node(&self, j: usize) -> f64 {
        self.first * exp(self.spacing * j as f64)
    }
}

pub(crate) fn solve(
    schedule: &Schedule,
    option_type: OptionType,
    strike: f64,
    sigma: f64,
    space_intervals: usize,
    time_steps: usize,
) -> Option<FdResult> {
    if !(strike > 0.0 && strike.is_finite() && sigma > 0.0 && sigma <= 50.0) {
        return None;
    }
    let sign = match option_type {
        OptionType::Call => 1.0,
        OptionType::Put => -1.0,
    };
    let claim = Claim { sign, strike, rate: schedule.rate, borrow: schedule.borrow, diffusion: 0.5 * sigma * sigma };
    let mut later: Option<(Layer, Period)> = None;
    for (index, period) in schedule.periods.iter().enumerate().rev() {
        let half_width = half_width(schedule, period, sigma);
        let spacing = 2.0 * half_width / space_intervals as f64;
        let steps = time_grid(period, schedule.expiry, time_steps, claim.diffusion);
        let growth = frame_growth(&steps, &claim, spacing);
        let middle = space_intervals / 2;
        let to_first = exp(-spacing * middle as f64);
        let centre = if index == 0 { schedule.spot / growth.iter().product::<f64>() } else { period.forward };
        let first = centre * to_first;
        let mut layer = Layer { first, spacing, american: Vec::new(), european: Vec::new() };
        for j in 0..=space_intervals {
            let s = layer.node(j);
            let (american, european) = match &later {
                None => terminal(&claim, s, period.dividend),
                Some((next, _)) => after_ex_date(&claim, next, schedule.expiry - period.end, s, period.dividend),
            };
            layer.american.push(american);
            layer.european.push(european);
        }
        if later.is_none() {
            spread_payoff_kinks(&claim, &mut layer, period.dividend);
        }
        for (step, growth) in steps.iter().zip(&growth) {
            advance(&mut layer, &claim, *step, *growth)?;
        }
        later = Some((layer, *period));
    }
    let (layer, _) = later?;
    read(&layer, &claim, schedule, space_intervals / 2)
}

/// How far a period's grid reaches on either side of its middle, in the logarithm of the price.
///
/// Dividends as large as the price spread its logarithm without end, but upward no further than a price without dividends
/// goes, and downward to nothing, where the value is a line in the price.
fn half_width(schedule: &Schedule, period: &Period, sigma: f64) -> f64 {
    // Half a variance more on either side covers the price measured in shares as well as in money.
    let width = |deviation: f64| deviation * DEVIATIONS + 0.5 * deviation * deviation;
    let spread = width(sigma * period.variance.max(1e-12).sqrt());
    let undiminished = (schedule.rate - schedule.borrow) * period.end + ln(schedule.spot / period.forward);
    let needed = width(sigma * period.end.max(1e-12).sqrt()) + undiminished.max(0.0) + NEARLY_NOTHING;
    spread.min(needed)
}

/// One time step: its length, and whether it is fully implicit.
#[derive(Clone, Copy)]
struct Step {
    length: f64,
    implicit: bool,
}

/// Uniform steps, the first two replaced by four implicit half-steps.
fn time_grid(period: &Period, expiry: f64, time_steps: usize, diffusion: f64) -> Vec<Step> {
    let length = period.length();
    if length <= 0.0 {
        return Vec::new();
    }
    let share = time_steps as f64 * length / expiry;
    // Where a step's variance is not small the exponential growth of the share measure is lost.
    let fine = 8.0 * diffusion * length;
    let count = (share.max(fine).min(TIME_STEPS_MAX as f64) as usize + 1).max(4);
    let uniform = length / count as f64;
    let half = Step { length: 0.5 * uniform, implicit: true };
    let mut steps = vec![half; 4];
    steps.extend(std::iter::repeat_n(Step { length: uniform, implicit: false }, count - 2));
    steps
}

/// What the second difference is multiplied with on the old and on the new side of a step.
///
/// Crandall's weight, a twelfth on either side, makes the step of fourth order in space; it is less where it would turn
/// the sign beside the diagonal, on which the exercise region's iteration relies.
#[derive(Clone, Copy)]
struct Weights {
    explicit: f64,
    implicit: f64,
}

impl Weights {
    fn new(step: Step, claim: &Claim, spacing: f64) -> Self {
        let theta = if step.implicit { 1.0 } else { 0.5 };
        let lambda = claim.diffusion * step.length / (spacing * spacing);
        let weight = (1.0 / 12.0_f64).min(theta * lambda);
        Self { explicit: weight + (1.0 - theta) * lambda, implicit: theta * lambda - weight }
    }
}

/// By which factor each step moves the nodes, so that the grid's forward is exact.
fn frame_growth(steps: &[Step], claim: &Claim, spacing: f64) -> Vec<f64> {
    let half = libm::sinh(0.5 * spacing);
    let eigenvalue = 4.0 * half * half;
    steps
        .iter()
        .map(|step| {
            let Weights { explicit, implicit } = Weights::new(*step, claim, spacing);
            let amplification = (1.0 + explicit * eigenvalue) / (1.0 - implicit * eigenvalue).max(0.05);
            amplification * exp(-(claim.rate - claim.borrow) * step.length)
        })
        .collect()
}

fn terminal(claim: &Claim, s: f64, dividend: f64) -> (f64, f64) {
    let european = claim.exercise((s - dividend).max(0.0));
    (european.max(claim.exercise(s)), european)
}

/// Cell-averages, in effect, the payoff's kinks.
fn spread_payoff_kinks(claim: &Claim, layer: &mut Layer, dividend: f64) {
    let euro = claim.strike + dividend;
    add_kink(&mut layer.european, layer.first, layer.spacing, euro, euro);
    let american = if claim.sign > 0.0 { claim.strike } else { euro };
    add_kink(&mut layer.american, layer.first, layer.spacing, american, american);
    if dividend > 0.0 && claim.sign < 0.0 {
        add_kink(&mut layer.european, layer.first, layer.spacing, dividend, -dividend);
        add_kink(&mut layer.american, layer.first, layer.spacing, dividend, -dividend);
    }
}

fn add_kink(values: &mut [f64], first: f64, spacing: f64, place: f64, slope_jump: f64) {
    let position = ln(place / first) / spacing;
    if !(position >= 0.0 && position < values.len() as f64 - 1.0) {
        return;
    }
    let below = position.floor();
    let (lower, upper) = kink::correction(position - below, spacing, slope_jump, slope_jump);
    if let Some([a, b]) = values.get_mut(below as usize..below as usize + 2) {
        *a += lower;
        *b += upper;
    }
}

/// Values just before an ex-date from those just after it.
fn after_ex_date(claim: &Claim, next: &Layer, time_left: f64, s: f64, dividend: f64) -> (f64, f64) {
    let dropped = (s - dividend).max(0.0);
    let worthless = if claim.sign > 0.0 { 0.0 } else { claim.strike * exp(-claim.rate * time_left) };
    let held = if claim.sign > 0.0 { 0.0 } else { worthless.max(claim.strike) };
    let american = interpolate(next, &next.american, dropped, held).max(claim.exercise(dropped));
    let european = interpolate(next, &next.european, dropped, worthless).max(0.0);
    (american.max(claim.exercise(s)), european)
}

/// Cubic in the log price inside the grid, linear in the price outside, `at_zero` at a price of zero.
fn interpolate(layer: &Layer, values: &[f64], s: f64, at_zero: f64) -> f64 {
    let last = values.len() - 1;
    if s <= layer.first {
        let edge = values.first().copied().unwrap_or(0.0);
        return at_zero + (edge - at_zero) * (s / layer.first);
    }
    let position = ln(s / layer.first) / layer.spacing;
    if position >= last as f64 {
        let (a, b) = edge_line(layer, values, last, last - 1);
        return a * s + b;
    }
    let base = (position.floor() as usize).clamp(1, last - 2);
    let x = position - base as f64;
    match values.get(base - 1..base + 3) {
        Some([a, b, c, d]) => {
            let (p, q, o) = (x + 1.0, x - 1.0, x - 2.0);
            -a * (x * q * o / 6.0) + b * (p * q * o / 2.0) - c * (p * x * o / 2.0) + d * (p * x * q / 6.0)
        }
        _ => at_zero,
    }
}

/// The line in the price through an edge node and its neighbour: slope and intercept.
fn edge_line(layer: &Layer, values: &[f64], edge: usize, inner: usize) -> (f64, f64) {
    let (s0, s1) = (layer.node(edge), layer.node(inner));
    let (v0, v1) = (values.get(edge).copied().unwrap_or(0.0), values.get(inner).copied().unwrap_or(0.0));
    let slope = (v0 - v1) / (s0 - s1);
    (slope, v0 - slope * s0)
}

/// One backward step of both values.
fn advance(layer: &mut Layer, claim: &Claim, step: Step, growth: f64) -> Option<()> {
    let last = layer.american.len() - 1;
    let discount = exp(-claim.rate * step.length);
    let carried = exp(-claim.borrow * step.length);
    let weights = Weights::new(step, claim, layer.spacing);
    let low_am = edge_line(layer, &layer.american, 0, 1);
    let high_am = edge_line(layer, &layer.american, last, last - 1);
    let low_eu = edge_line(layer, &layer.european, 0, 1);
    let high_eu = edge_line(layer, &layer.european, last, last - 1);
    layer.first *= growth;
    let (new_low, new_high) = (layer.first, layer.node(last));
    // Beyond the grid a claim is a line in the price, and stays one: shares earn the borrow rate, cash the zero rate.
    let edge = |line: (f64, f64), s: f64| line.0 * s * carried + line.1 * discount;
    let system = System { off: weights.implicit, diagonal: 1.0 + 2.0 * weights.implicit };

    let mut rhs = right_side(&layer.european, weights.explicit);
    let ends = (edge(low_eu, new_low).max(0.0) / discount, edge(high_eu, new_high).max(0.0) / discount);
    let held = vec![false; last + 1];
    let european = system.solve(&rhs, &held, &[], ends)?;
    for (value, new) in layer.european.iter_mut().zip(&european) {
        *value = new * discount;
    }

    rhs = right_side(&layer.american, weights.explicit);
    let obstacle: Vec<f64> = (0..=last).map(|j| claim.exercise(layer.node(j)) / discount).collect();
    let ends = (
        edge(low_am, new_low).max(claim.exercise(new_low)) / discount,
        edge(high_am, new_high).max(claim.exercise(new_high)) / discount,
    );
    let american = system.solve_obstacle(&rhs, &obstacle, ends)?;
    for (value, new) in layer.american.iter_mut().zip(&american) {
        *value = new * discount;
    }
    Some(())
}

fn right_side(values: &[f64], explicit: f64) -> Vec<f64> {
    let mut rhs = values.to_vec();
    for (target, window) in rhs.iter_mut().skip(1).zip(values.windows(3)) {
        if let [a, b, c] = window {
            *target = b + explicit * (a - 2.0 * b + c);
        }
    }
    rhs
}

/// The tridiagonal matrix with `diagonal` and `-off` beside it.
struct System {
    off: f64,
    diagonal: f64,
}

impl System {
    /// Solves with the ends given; rows that are `held` take the obstacle's value.
    fn solve(&self, rhs: &[f64], held: &[bool], obstacle: &[f64], ends: (f64, f64)) -> Option<Vec<f64>> {
        let count = rhs.len();
        let mut upper = vec![0.0; count];
        let mut values = vec![0.0; count];
        let mut before = (0.0, ends.0);
        for (j, ((&r, &is_held), (u, v))) in
            rhs.iter().zip(held).zip(upper.iter_mut().zip(values.iter_mut())).enumerate()
        {
            before = if j == 0 {
                (0.0, ends.0)
            } else if j + 1 == count {
                (0.0, ends.1)
            } else if is_held {
                (0.0, obstacle.get(j).copied()?)
            } else {
                let pivot = 1.0 / (self.diagonal - self.off * before.0);
                (self.off * pivot, (r + self.off * before.1) * pivot)
            };
            (*u, *v) = before;
        }
        let mut above = 0.0;
        for (u, v) in upper.iter().zip(values.iter_mut()).rev() {
            *v += u * above;
            above = *v;
        }
        above.is_finite().then_some(values)
    }

    /// Policy iteration: hold what lies below the obstacle, release what would rise, until nothing changes.
    fn solve_obstacle(&self, rhs: &[f64], obstacle: &[f64], ends: (f64, f64)) -> Option<Vec<f64>> {
        let mut held = vec![false; rhs.len()];
        let mut values = Vec::new();
        for _ in 0..POLICY_ROUNDS_MAX {
            values = self.solve(rhs, &held, obstacle, ends)?;
            let mut changed = false;
            let inner = held.iter_mut().zip(rhs).zip(obstacle).skip(1).zip(values.windows(3));
            for (((is_held, r), g), window) in inner {
                let [a, b, c] = window else { continue };
                let hold = if *is_held { self.diagonal * b - self.off * (a + c) - r >= 0.0 } else { b < g };
                changed |= hold != *is_held;
                *is_held = hold;
            }
            if !changed {
                break;
            }
        }
        for (value, g) in values.iter_mut().zip(obstacle) {
            *value = value.max(*g);
        }
        Some(values)
    }
}

fn read(layer: &Layer, claim: &Claim, schedule: &Schedule, middle: usize) -> Option<FdResult> {
    let window = layer.american.get(middle.checked_sub(2)?..middle + 3)?;
    let [a, b, c, d, e] = window else { return None };
    let h = layer.spacing;
    let first = (a - 8.0 * b + 8.0 * d - e) / (12.0 * h);
    let second = (-a + 16.0 * b - 30.0 * c + 16.0 * d - e) / (12.0 * h * h);
    let s = schedule.spot;
    let exercise = claim.exercise(s);
    let american = c.max(exercise);
    let european = layer.european.get(middle)?.max(0.0);
    let yearly = claim.rate * american - (claim.rate - claim.borrow) * first - claim.diffusion * (second - first);
    let exercised = american <= exercise && exercise > 0.0;
    let (delta, gamma, theta) =
        if exercised { (claim.sign, 0.0, 0.0) } else { (first / s, (second - first) / (s * s), yearly / 365.0) };
    let result = FdResult { american: american.max(european.min(american)), european, delta, gamma, theta };
    [result.american, result.european, delta, gamma, theta].iter().all(|x| x.is_finite()).then_some(result)
}
