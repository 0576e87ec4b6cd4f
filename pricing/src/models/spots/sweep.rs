//! One backward pass for eight series under cash dividends, each lane with a strike and a volatility of its own.
//!
//! Node `j` of a lane stands at `C e^{(j - HALF) h}` around the price `C` where the value bends, index 0 on the exercise
//! side (low prices for a put, high ones for a call). Nodes move with the forward, so that between ex-dates the equation
//! is one of pure diffusion. At the end the value can be read at any price of the underlying.

use multiversion::multiversion;

use super::plan::{Plan, Segment};
use crate::math::{exp, ln};
use crate::models::dividends::kink;
use crate::models::dividends::schedule::Schedule;
use crate::vocabulary::OptionType;

/// Series per pass.
pub(super) const LANES: usize = 8;
/// One number per series.
type Lane = [f64; LANES];
const ZERO: Lane = [0.0; LANES];

/// Intervals on either side of the middle node. The exercise boundary between two nodes leaves an error of second order,
/// which 56 would let grow to 1.2e-4 of the strike for calls that are hard to borrow; 84 keep it below 0.5e-4.
const HALF: usize = 84;
const NODES: usize = 2 * HALF + 1;
/// Deviations of the remaining life that a grid covers on either side.
const DEVIATIONS: f64 = 5.6;
/// The discrete growth of the price in one step is at least this; beyond any sound grid.
const PIVOT_MIN: f64 = 0.02;
/// What a value must exceed the exercise value by to be held; share of the strike.
const HELD_MIN: f64 = 1e-12;

struct Claim<'a> {
    schedule: &'a Schedule,
    /// +1 call, -1 put.
    sign: f64,
    strikes: &'a Lane,
    sigmas: &'a Lane,
    /// See [`Schedule::exercised_any_time`].
    any_time: bool,
}

impl Claim<'_> {
    fn exercise(&self, lane: usize, price: f64) -> f64 {
        (self.sign * (price - self.strikes[lane])).max(0.0)
    }

    /// Value at a price of zero with `remaining` years left.
    fn at_zero(&self, lane: usize, remaining: f64) -> f64 {
        if self.sign > 0.0 {
            return 0.0;
        }
        let strike = self.strikes[lane];
        strike.max(strike * exp(-self.schedule.rate * remaining))
    }
}

/// A line in the price, per lane: what the claim is beyond the grid.
#[derive(Clone, Copy)]
struct Line {
    slope: Lane,
    level: Lane,
}

/// Values at the nodes of one stretch.
struct Grid {
    /// Log price of node 0 at the stretch's end.
    log_first: Lane,
    /// Signed spacing of the log price.
    spacing: Lane,
    /// Prices of the nodes at the stretch's end.
    prices: Vec<Lane>,
    /// By how much they have moved since.
    moved: Lane,
    values: Vec<Lane>,
}

/// Values at the snapshot, at any price of the underlying.
pub(super) struct Swept<'a> {
    claim: Claim<'a>,
    grid: Grid,
    reader: Reader,
}

impl Swept<'_> {
    /// Price of one lane's series where the underlying stands at `spot`, positive; never below the exercise value.
    pub(super) fn price(&self, lane: usize, spot: f64) -> Option<f64> {
        let value = self.reader.value(&self.claim, &self.grid, lane, spot, ln(spot));
        value.is_finite().then(|| value.max(self.claim.exercise(lane, spot)))
    }
}

/// Values of eight series at the snapshot.
///
/// # Formula
/// Backward from the payoff: diffusion by Crank-Nicolson with Crandall's weights, exercise by Brennan-Schwartz's ordered
/// elimination, and at each ex-date `V(S, t-) = max(g(S), V(max(S - d, 0), t+))` by cubic interpolation.
///
/// # Domain
/// Exercise on one side of a boundary (not [`Schedule::double_boundary`]); positive finite strikes and volatilities.
///
/// # Source
/// Crandall 1955; Brennan and Schwartz 1977; Vellekoop and Nieuwenhuis 2006.
///
/// The host chooses the width of the instructions; every lane's operations, and with them the bits, are the same.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"), dispatcher = "direct")]
pub(super) fn sweep<'a>(
    schedule: &'a Schedule,
    plan: &Plan,
    option_type: OptionType,
    strikes: &'a Lane,
    sigmas: &'a Lane,
) -> Swept<'a> {
    sweep_in_lanes(schedule, plan, option_type, strikes, sigmas)
}

/// [`sweep`], in the instructions of whoever calls it.
#[inline(always)]
pub(super) fn sweep_in_lanes<'a>(
    schedule: &'a Schedule,
    plan: &Plan,
    option_type: OptionType,
    strikes: &'a Lane,
    sigmas: &'a Lane,
) -> Swept<'a> {
    let sign = if option_type == OptionType::Call { 1.0 } else { -1.0 };
    let claim = Claim { schedule, sign, strikes, sigmas, any_time: schedule.exercised_any_time(sign > 0.0) };
    let carry = schedule.rate - schedule.borrow;
    let mut centre = *strikes;
    let mut scratch = vec![ZERO; NODES];
    let mut later: Option<(Grid, f64)> = None;
    for segment in &plan.segments {
        if later.is_some() || sign < 0.0 {
            centre.iter_mut().for_each(|c| *c += segment.dividend);
        }
        let mut grid = place(&claim, segment, &centre);
        match &later {
            None => pay(&claim, &mut grid, segment.dividend),
            Some((next, remaining)) => pull_back(&claim, &mut grid, segment.dividend, next, *remaining),
        }
        diffuse(&claim, &mut grid, segment, &mut scratch);
        centre.iter_mut().for_each(|c| *c *= exp(-carry * segment.length));
        later = Some((grid, segment.remaining));
    }
    let (grid, remaining) = later.unwrap_or_else(|| (Grid::empty(), 0.0));
    let reader = Reader::new(&claim, &grid, remaining);
    Swept { claim, grid, reader }
}

impl Grid {
    fn empty() -> Self {
        Self { log_first: ZERO, spacing: [1.0; LANES], prices: Vec::new(), moved: [1.0; LANES], values: Vec::new() }
    }
}

#[inline(always)]
fn place(claim: &Claim<'_>, segment: &Segment, centre: &Lane) -> Grid {
    let (mut log_first, mut spacing, mut node, mut ratio) = (ZERO, ZERO, ZERO, ZERO);
    for l in 0..LANES {
        let deviation = claim.sigmas[l] * segment.remaining.sqrt();
        // Half a deviation squared covers the price measured in shares as well as in money.
        let h = (DEVIATIONS + 0.5 * deviation) * deviation / HALF as f64;
        spacing[l] = -claim.sign * h;
        log_first[l] = ln(centre[l]) - spacing[l] * HALF as f64;
        node[l] = exp(log_first[l]);
        ratio[l] = exp(spacing[l]);
    }
    let mut prices = Vec::with_capacity(NODES);
    for _ in 0..NODES {
        prices.push(node);
        for l in 0..LANES {
            node[l] *= ratio[l];
        }
    }
    Grid { log_first, spacing, prices, moved: [1.0; LANES], values: vec![ZERO; NODES] }
}

/// The payoff just before expiry, its kinks spread over the neighbouring nodes.
fn pay(claim: &Claim<'_>, grid: &mut Grid, dividend: f64) {
    for (s, value) in grid.prices.iter().zip(grid.values.iter_mut()) {
        for l in 0..LANES {
            value[l] = claim.exercise(l, s[l]).max(claim.exercise(l, (s[l] - dividend).max(0.0)));
        }
    }
    for l in 0..LANES {
        let kink = if claim.sign > 0.0 { claim.strikes[l] } else { claim.strikes[l] + dividend };
        spread_kink(claim, grid, l, kink, kink);
        if dividend > 0.0 && claim.sign < 0.0 {
            spread_kink(claim, grid, l, dividend, -dividend);
        }
    }
}

fn spread_kink(claim: &Claim<'_>, grid: &mut Grid, l: usize, price: f64, slope_jump: f64) {
    let position = (ln(price) - grid.log_first[l]) / grid.spacing[l];
    if !(position >= 0.0 && position < (NODES - 1) as f64) {
        return;
    }
    let below = position.floor();
    let h = grid.spacing[l].abs();
    let (lower, upper) = kink::correction(position - below, h, slope_jump, -claim.sign * slope_jump);
    if let Some([a, b]) = grid.values.get_mut(below as usize..below as usize + 2) {
        a[l] += lower;
        b[l] += upper;
    }
}

/// Values at a stretch's end from those at the beginning of the later one, across an ex-date where cash drops.
fn pull_back(claim: &Claim<'_>, grid: &mut Grid, dividend: f64, next: &Grid, remaining: f64) {
    let reader = Reader::new(claim, next, remaining);
    let mut gaps = vec![ZERO; NODES];
    let nodes = grid.prices.iter().zip(grid.values.iter_mut()).zip(gaps.iter_mut()).enumerate();
    for (j, ((s, value), gap)) in nodes {
        for l in 0..LANES {
            let dropped = (s[l] - dividend).max(0.0);
            let log_dropped = grid.log_first[l] + grid.spacing[l] * j as f64 + log_one_less(dividend / s[l]);
            let held = reader.value(claim, next, l, dropped, log_dropped);
            let exercise = claim.sign * (s[l] - claim.strikes[l]);
            gap[l] = held - exercise;
            value[l] = if dividend > 0.0 || claim.any_time { held.max(exercise) } else { held };
        }
    }
    if dividend > 0.0 {
        spread_exercise_kinks(grid, &gaps);
    }
}

/// The kinks where exercise just before an ex-date begins (or ends), spread over the neighbouring nodes.
fn spread_exercise_kinks(grid: &mut Grid, gaps: &[Lane]) {
    for (j, window) in gaps.windows(3).enumerate() {
        let [a, b, c] = window else { continue };
        for l in 0..LANES {
            if (b[l] < 0.0) == (c[l] < 0.0) {
                continue;
            }
            // From the middle node to the last, by the parabola through all three.
            let (slope, bend) = (0.5 * (c[l] - a[l]), c[l] - 2.0 * b[l] + a[l]);
            let chord = b[l] / (b[l] - c[l]);
            let mut theta = chord;
            for _ in 0..3 {
                theta -= (b[l] + theta * (slope + 0.5 * bend * theta)) / (slope + bend * theta);
            }
            if !(0.0..=1.0).contains(&theta) {
                theta = chord;
            }
            let h = grid.spacing[l].abs();
            let rise = if c[l] > b[l] { 1.0 } else { -1.0 };
            let tangent = rise * (slope + bend * theta) / h;
            let (lower, upper) = kink::correction(theta, h, tangent.max(0.0), rise * bend / (h * h));
            if let Some([_, middle, last]) = grid.values.get_mut(j..j + 3) {
                middle[l] += lower;
                last[l] += upper;
            }
        }
    }
}

/// `ln(1 - x)`, minus infinity from one on; a short series where a dividend is small beside the price.
fn log_one_less(x: f64) -> f64 {
    if x == 0.0 {
        0.0
    } else if x < 0.1 {
        let y = x / (2.0 - x);
        let z = y * y;
        -2.0 * y * (1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0)))))
    } else if x < 1.0 {
        ln(1.0 - x)
    } else {
        f64::NEG_INFINITY
    }
}

/// The line through a grid's edge.
fn edge(grid: &Grid, edge: usize, inner: usize) -> Line {
    let mut line = Line { slope: ZERO, level: ZERO };
    let (Some(s), Some(t)) = (grid.prices.get(edge), grid.prices.get(inner)) else { return line };
    let (Some(v), Some(w)) = (grid.values.get(edge), grid.values.get(inner)) else { return line };
    for l in 0..LANES {
        line.slope[l] = (v[l] - w[l]) / (s[l] - t[l]);
        line.level[l] = v[l] - line.slope[l] * s[l];
    }
    line
}

/// The coefficients of one step, per lane.
///
/// # Formula
/// `(1 + a delta^2) u' = (1 + c delta^2) u`, `a = 1/12 - lambda/2`, `c = 1/12 + lambda/2`,
/// `lambda = sigma^2 dt / (2 h^2)`; the elimination `g_j = f_j - q g_{j+1}`, `u'_j = p g_j - q u'_{j-1}` has `q = a p`
/// and `p` the small root of `a^2 p^2 - (1 - 2a) p + 1 = 0`.
struct Step {
    c: Lane,
    q: Lane,
    p: Lane,
    /// By how much the scheme makes the price itself grow; close to `e^{sigma^2 dt / 2}`.
    growth: Lane,
    /// `(1 + c delta^2)` of the price over what the elimination divides it by.
    shares: Lane,
}

impl Step {
    fn new(sigmas: &Lane, spacing: &Lane, dt: f64) -> Self {
        let mut step = Self { c: ZERO, q: ZERO, p: ZERO, growth: ZERO, shares: ZERO };
        for l in 0..LANES {
            let eta = spacing[l] / sigmas[l];
            let lambda = dt / (2.0 * eta * eta);
            let (a, c) = (1.0 / 12.0 - 0.5 * lambda, 1.0 / 12.0 + 0.5 * lambda);
            let diagonal = 1.0 - 2.0 * a;
            let p = 2.0 / (diagonal + (diagonal * diagonal - 4.0 * a * a).max(0.0).sqrt());
            let half = libm::sinh(0.5 * spacing[l]);
            let difference = 4.0 * half * half;
            (step.c[l], step.p[l], step.q[l]) = (c, p, a * p);
            step.growth[l] = (1.0 + c * difference) / (1.0 + a * difference).max(PIVOT_MIN);
            step.shares[l] = (1.0 + c * difference) / (1.0 + step.q[l] * exp(spacing[l])).max(PIVOT_MIN);
        }
        step
    }
}

/// From a stretch's end back to its beginning.
#[inline(always)]
fn diffuse(claim: &Claim<'_>, grid: &mut Grid, segment: &Segment, scratch: &mut [Lane]) {
    let Schedule { rate, borrow, .. } = *claim.schedule;
    let (near, far) = (edge(grid, 0, 1), edge(grid, NODES - 1, NODES - 2));
    let (mut elapsed, mut before) = (0.0, (1.0, 1.0));
    for &dt in &segment.steps {
        let step = Step::new(claim.sigmas, &grid.spacing, dt);
        elapsed += dt;
        let after = (exp(-borrow * elapsed), exp(-rate * elapsed));
        let discount = after.1 / before.1;
        let drift = discount / (after.0 / before.0);
        let (mut start, mut end, mut scale) = (ZERO, ZERO, ZERO);
        let (Some(first), Some(last)) = (grid.prices.first(), grid.prices.last()) else { return };
        for l in 0..LANES {
            // Beyond the far end the claim is a line: the elimination continued to infinity along it.
            end[l] = far.slope[l] * last[l] * grid.moved[l] * before.0 * step.shares[l]
                + far.level[l] * before.1 / (1.0 + step.q[l]);
            grid.moved[l] *= step.growth[l] * drift;
            let s = first[l] * grid.moved[l];
            start[l] = near.slope[l] * s * after.0 + near.level[l] * after.1;
            if claim.any_time {
                start[l] = start[l].max(claim.exercise(l, s));
            }
            scale[l] = step.p[l] * discount;
        }
        eliminate(&grid.values, &step, end, scratch);
        if claim.any_time {
            substitute_above(claim, grid, scratch, &step, &scale, start);
        } else {
            substitute(&mut grid.values, scratch, &step, &scale, start);
        }
        before = after;
    }
}

/// `g_j = f_j - q g_{j+1}` from the far end, `f` the explicit half of the step.
#[inline(always)]
fn eliminate(values: &[Lane], step: &Step, end: Lane, scratch: &mut [Lane]) {
    let (c, q) = (&step.c, &step.q);
    let mut middle = ZERO;
    for l in 0..LANES {
        middle[l] = 1.0 - 2.0 * c[l];
    }
    let mut g = end;
    let Some((last, inner)) = scratch.split_last_mut() else { return };
    *last = end;
    for (window, target) in values.windows(3).rev().zip(inner.iter_mut().rev()) {
        let [a, b, d] = window else { continue };
        for l in 0..LANES {
            g[l] = (middle[l] * b[l] + c[l] * (a[l] + d[l])) - q[l] * g[l];
        }
        *target = g;
    }
}

#[inline(always)]
fn substitute(values: &mut [Lane], scratch: &[Lane], step: &Step, scale: &Lane, start: Lane) {
    let mut u = start;
    if let Some(value) = values.first_mut() {
        *value = start;
    }
    for (value, g) in values.iter_mut().zip(scratch).skip(1) {
        for l in 0..LANES {
            u[l] = scale[l] * g[l] - step.q[l] * u[l];
        }
        *value = u;
    }
}

#[inline(always)]
fn substitute_above(claim: &Claim<'_>, grid: &mut Grid, scratch: &[Lane], step: &Step, scale: &Lane, start: Lane) {
    let (mut slope, mut level) = (ZERO, ZERO);
    for l in 0..LANES {
        slope[l] = claim.sign * grid.moved[l];
        level[l] = -claim.sign * claim.strikes[l];
    }
    let mut u = start;
    if let Some(value) = grid.values.first_mut() {
        *value = start;
    }
    for ((value, g), s) in grid.values.iter_mut().zip(scratch).zip(&grid.prices).skip(1) {
        for l in 0..LANES {
            let held = scale[l] * g[l] - step.q[l] * u[l];
            let exercise = slope[l] * s[l] + level[l];
            u[l] = if held > exercise { held } else { exercise };
        }
        *value = u;
    }
}

/// How a grid at its stretch's beginning is read at any price.
struct Reader {
    log_first: Lane,
    at_zero: Lane,
    /// The first node that is held, where nodes below it are exercised; zero where none is.
    held_from: [usize; LANES],
}

impl Reader {
    fn new(claim: &Claim<'_>, grid: &Grid, remaining: f64) -> Self {
        let mut reader = Self { log_first: ZERO, at_zero: ZERO, held_from: [0; LANES] };
        for l in 0..LANES {
            reader.log_first[l] = grid.log_first[l] + ln(grid.moved[l]);
            reader.at_zero[l] = claim.at_zero(l, remaining);
            if claim.any_time {
                let exercised = |(v, s): (&Lane, &Lane)| {
                    let exercise = claim.sign * (s[l] * grid.moved[l] - claim.strikes[l]);
                    exercise > 0.0 && v[l] <= exercise + HELD_MIN * claim.strikes[l]
                };
                reader.held_from[l] = grid.values.iter().zip(&grid.prices).take_while(|node| exercised(*node)).count();
            }
        }
        reader
    }

    fn value(&self, claim: &Claim<'_>, grid: &Grid, l: usize, s: f64, log_s: f64) -> f64 {
        if s <= 0.0 {
            return self.at_zero[l];
        }
        let position = (log_s - self.log_first[l]) / grid.spacing[l];
        if !(position >= 0.0 && position <= (NODES - 1) as f64) {
            return self.outside(claim, grid, l, s, position < 0.0);
        }
        let held = self.held_from[l];
        if held > 0 && position < held as f64 && held + 2 < NODES {
            return claim.sign * (s - claim.strikes[l]) + self.gap_near_boundary(claim, grid, l, position, held);
        }
        // No stencil reaches across the exercise boundary, where the second derivative jumps.
        let lowest = if held > 0 { (held + 1).min(NODES - 3) } else { 1 };
        let base = (position.max(1.0) as usize).min(NODES - 3).max(lowest);
        let x = position - base as f64;
        let (p, q, o) = (x + 1.0, x - 1.0, x - 2.0);
        let (xo, pq) = (x * o, p * q);
        let (w0, w1, w2, w3) = (-xo * q * (1.0 / 6.0), pq * o * 0.5, -p * xo * 0.5, pq * x * (1.0 / 6.0));
        match grid.values.get(base - 1..base + 3) {
            Some([a, b, c, d]) => a[l] * w0 + b[l] * w1 + c[l] * w2 + d[l] * w3,
            _ => self.at_zero[l],
        }
    }

    /// By how much the value exceeds exercise just beside the boundary, from the nodes that are held.
    ///
    /// # Formula
    /// The gap leaves zero like a square, so its root is smooth: the parabola through the roots at the first three held
    /// nodes, squared where positive.
    fn gap_near_boundary(&self, claim: &Claim<'_>, grid: &Grid, l: usize, position: f64, held: usize) -> f64 {
        if position <= held as f64 - 1.0 {
            return 0.0;
        }
        let root = |node: usize| {
            let (Some(v), Some(s)) = (grid.values.get(node), grid.prices.get(node)) else { return 0.0 };
            (v[l] - claim.sign * (s[l] * grid.moved[l] - claim.strikes[l])).max(0.0).sqrt()
        };
        let (a, b, c) = (root(held), root(held + 1), root(held + 2));
        let x = position - held as f64;
        let y = a + x * (b - a) + 0.5 * x * (x - 1.0) * (c - 2.0 * b + a);
        let y = y.clamp(0.0, a);
        y * y
    }

    /// Linear in the price beyond the grid, at least the exercise value, at most what a worthless underlying leaves.
    fn outside(&self, claim: &Claim<'_>, grid: &Grid, l: usize, s: f64, before_first: bool) -> f64 {
        let (edge, inner) = if before_first { (0, 1) } else { (NODES - 1, NODES - 2) };
        let (Some(v), Some(w)) = (grid.values.get(edge), grid.values.get(inner)) else { return f64::NAN };
        let (Some(s0), Some(s1)) = (grid.prices.get(edge), grid.prices.get(inner)) else { return f64::NAN };
        let (s0, s1) = (s0[l] * grid.moved[l], s1[l] * grid.moved[l]);
        let line = v[l] + (v[l] - w[l]) / (s0 - s1) * (s - s0);
        let floor = if claim.any_time { claim.exercise(l, s) } else { 0.0 };
        let most = if claim.sign > 0.0 { f64::INFINITY } else { self.at_zero[l] };
        line.max(floor).min(most)
    }
}
