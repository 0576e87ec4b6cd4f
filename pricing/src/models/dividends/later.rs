//! What an option is worth just after an ex-date, at any price.

use super::grid::{Claim, Grid};
use super::lanes::{self, Lane, any_minus, fused, larger};
use super::line::Line;
use super::plan::PeriodPlan;
use super::schedule::Schedule;
use crate::math::{exp, ln, normal_cdf_short};

/// Adding it rounds a small number to an integer, which stands in the last bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// A later period as the one before it sees it.
pub(super) enum After<'a, const N: usize> {
    Grid(Later<'a, N>),
    /// In the last period, where no exercise before expiry pays: Black's formula.
    Closed(Closed<N>),
}

impl<'a, const N: usize> After<'a, N> {
    #[inline(always)]
    pub(super) fn new(claim: &Claim<'_, N>, next: Option<&'a Grid<N>>, next_plan: &PeriodPlan) -> Self {
        match next {
            Some(next) => Self::Grid(Later::new(claim, next, next_plan)),
            None => Self::Closed(Closed::new(claim, next_plan.period.length())),
        }
    }

    /// Sets `values` at prices less the dividend, whose logarithms are known too (minus infinity at zero); `logs` are used up.
    #[inline(always)]
    pub(super) fn set(
        &self,
        claim: &Claim<'_, N>,
        dropping: &Dropping<'_, N>,
        logs: &mut [Lane<N>],
        values: &mut [Lane<N>],
    ) {
        match self {
            Self::Grid(later) => later.set(claim, dropping, logs, values),
            Self::Closed(closed) => closed.set(claim, dropping, logs, values),
        }
    }

    /// Holding on through the ex-date less exercise just before it, in lane `l` at one price.
    #[inline(always)]
    pub(super) fn gap(&self, claim: &Claim<'_, N>, l: usize, s: f64, dividend: f64) -> f64 {
        let dropped = (s - dividend).max(0.0);
        let log_s = ln(dropped);
        let held = match self {
            Self::Grid(later) => later.value(claim, l, dropped, log_s),
            Self::Closed(closed) => closed.value(claim, l, dropped, log_s),
        };
        held - claim.sign * (s - claim.strikes[l])
    }
}

/// The drop of the price at an ex-date, as the nodes before it see it.
#[derive(Clone, Copy)]
pub(super) struct Dropping<'a, const N: usize> {
    pub(super) prices: &'a [Lane<N>],
    pub(super) dividend: f64,
}

impl<const N: usize> Dropping<'_, N> {
    /// A row of prices after it.
    #[inline(always)]
    fn after(&self, s: &Lane<N>) -> Lane<N> {
        let mut after = [0.0; N];
        for l in 0..N {
            after[l] = larger(s[l] - self.dividend, 0.0);
        }
        after
    }
}

/// Rows whose places are found before their values are.
const BLOCK: usize = 32;

/// How a row stands among a later grid's nodes.
#[derive(Clone, Copy, Default)]
struct Meeting {
    /// Nodes around all lanes begin here, where these are near each other.
    least: f64,
    /// Whether no lane is beyond the grid.
    inside: bool,
    /// Whether all lanes meet the same six.
    same: bool,
    /// Whether each lane's own node is the middle lane's or next to it: then whole rows serve.
    near: bool,
}

/// A later grid when its period begins, read at any price.
pub(super) struct Later<'a, const N: usize> {
    values: &'a [Lane<N>],
    log_first: Lane<N>,
    per_spacing: Lane<N>,
    /// Before the first node and beyond the last.
    outside: [Line<N>; 2],
}

impl<'a, const N: usize> Later<'a, N> {
    #[inline(always)]
    fn new(claim: &Claim<'_, N>, grid: &'a Grid<N>, plan: &PeriodPlan) -> Self {
        let (mut log_first, mut per_spacing) = (grid.log_first, [0.0; N]);
        for (log_first, log_moved) in log_first.iter_mut().zip(lanes::ln(&grid.moved)) {
            *log_first += log_moved;
        }
        for (per_spacing, spacing) in per_spacing.iter_mut().zip(&grid.spacing) {
            *per_spacing = 1.0 / spacing;
        }
        let nothing = Line { slope: [f64::NAN; N], level: [f64::NAN; N] };
        let outside = outside(claim, grid, plan).unwrap_or([nothing; 2]);
        Self { values: &grid.values, log_first, per_spacing, outside }
    }

    /// The index of the last node.
    #[inline(always)]
    fn last(&self) -> f64 {
        self.values.len() as f64 - 1.0
    }

    /// The node below a place, three from either end.
    #[inline(always)]
    fn below(place: f64, last: f64) -> f64 {
        let middle = place - 0.5;
        // Where there is no place, as where it is beyond the grid, the last.
        let middle = if middle < last - 3.0 { middle } else { last - 3.0 };
        (larger(middle, 2.0) + ROUNDER) - ROUNDER
    }

    /// Sets `values` by the polynomial through six nodes. First where a block of rows stands among the nodes, then their values:
    /// no row waits for the choice of another.
    #[inline(always)]
    fn set(&self, claim: &Claim<'_, N>, dropping: &Dropping<'_, N>, logs: &mut [Lane<N>], values: &mut [Lane<N>]) {
        let blocks = dropping.prices.chunks(BLOCK).zip(logs.chunks_mut(BLOCK)).zip(values.chunks_mut(BLOCK));
        for ((prices, places), values) in blocks {
            let mut meetings = [Meeting::default(); BLOCK];
            for (places, meeting) in places.iter_mut().zip(&mut meetings) {
                *meeting = self.meet(places);
            }
            for (((s, places), values), meeting) in prices.iter().zip(places).zip(values).zip(&meetings) {
                self.set_row(claim, &dropping.after(s), places, *meeting, values);
            }
        }
    }

    /// Turns a row's logarithms into places among the nodes.
    #[inline(always)]
    fn meet(&self, places: &mut Lane<N>) -> Meeting {
        let last = self.last();
        let (mut own, mut to_last, mut to_farthest) = ([0.0; N], [0.0; N], [0.0; N]);
        for l in 0..N {
            own[l] = (places[l] - self.log_first[l]) * self.per_spacing[l];
        }
        for l in 0..N {
            to_last[l] = last - own[l];
        }
        let inside = !any_minus(&own) && !any_minus(&to_last);
        *places = own;
        let middle = Self::below(own[N / 2], last);
        let mut to_other = [0.0; N];
        for l in 0..N {
            let apart = (Self::below(own[l], last) - middle).abs();
            to_farthest[l] = 1.0 - apart;
            to_other[l] = 0.5 - apart;
        }
        let same = !any_minus(&to_other);
        let least = if same { middle - 2.0 } else { larger((middle - 3.0).min(last - 7.0), 0.0) };
        Meeting { least, inside, same, near: !any_minus(&to_farthest) }
    }

    /// Sets a row at prices `s`, by the polynomial through the six nodes around each lane's place.
    #[inline(always)]
    fn set_row(
        &self,
        claim: &Claim<'_, N>,
        s: &Lane<N>,
        places: &Lane<N>,
        Meeting { least, inside, same, near }: Meeting,
        values: &mut Lane<N>,
    ) {
        let last = self.last();
        let rows = self.values.get(least as usize..).unwrap_or_default();
        if let (true, Some([a, b, c, d, e, f])) = (same, rows.first_chunk()) {
            let below = least + 2.0;
            for l in 0..N {
                values[l] = weighed(places[l] - below, [a[l], b[l], c[l], d[l], e[l], f[l]]);
            }
        } else if let (true, Some([a, b, c, d, e, f, g, h])) = (near, rows.first_chunk()) {
            let (one, two) = (least + 2.0, least + 3.0);
            for l in 0..N {
                let below = Self::below(places[l], last);
                let first = if below == one { 1.0 } else { 0.0 };
                let second = if below == two { 1.0 } else { 0.0 };
                let third = 1.0 - (first + second);
                let (a, b, c, d, e, f, g, h) = (a[l], b[l], c[l], d[l], e[l], f[l], g[l], h[l]);
                // Finite nodes times zero or one: exact.
                let own = |a: f64, b: f64, c: f64| fused(first, a, fused(second, b, third * c));
                let nodes = [own(a, b, c), own(b, c, d), own(c, d, e), own(d, e, f), own(e, f, g), own(f, g, h)];
                values[l] = weighed(places[l] - below, nodes);
            }
        } else {
            let mut nodes = [[f64::NAN; N]; 6];
            self.look_up(places, &mut nodes);
            for l in 0..N {
                let below = Self::below(places[l], last);
                values[l] = weighed(places[l] - below, nodes.each_ref().map(|node| node[l]));
            }
        }
        let mut row = *values;
        if !inside {
            let [before, beyond] = &self.outside;
            let mut ends = [0.0; N];
            for l in 0..N {
                let (first, end) = (before.at(l, s[l]), beyond.at(l, s[l]));
                let value = if places[l] > last { end } else { row[l] };
                ends[l] = if places[l] < 0.0 { first } else { value };
            }
            row = ends;
        }
        let mut floored = [0.0; N];
        let share = if claim.american { claim.sign } else { 0.0 };
        for l in 0..N {
            floored[l] = larger(row[l], larger(0.0, share * (s[l] - claim.strikes[l])));
        }
        *values = floored;
    }

    /// The six nodes around each lane's place, wherever it is.
    #[inline(never)]
    fn look_up(&self, places: &Lane<N>, nodes: &mut [Lane<N>; 6]) {
        let (last, values) = (self.last(), self.values.as_flattened());
        for (l, place) in places.iter().enumerate() {
            let first = (Self::below(*place, last) as usize).wrapping_sub(2).wrapping_mul(N).wrapping_add(l);
            let around = values.get(first..).unwrap_or_default();
            for (nodes, value) in nodes.iter_mut().zip(around.iter().step_by(N)) {
                nodes[l] = *value;
            }
        }
    }

    /// The value in one lane.
    #[inline(always)]
    fn value(&self, claim: &Claim<'_, N>, l: usize, s: f64, log_s: f64) -> f64 {
        let (last, [before, beyond]) = (self.last(), &self.outside);
        let place = (log_s - self.log_first[l]) * self.per_spacing[l];
        let value = if place < 0.0 {
            before.at(l, s)
        } else if place <= last {
            let below = Self::below(place, last);
            let first = (below - 2.0) as usize;
            match self.values.get(first..first + 6) {
                Some([a, b, c, d, e, f]) => weighed(place - below, [a[l], b[l], c[l], d[l], e[l], f[l]]),
                _ => f64::NAN,
            }
        } else {
            beyond.at(l, s)
        };
        let floor = if claim.american { claim.sign * (s - claim.strikes[l]) } else { 0.0 };
        larger(value, larger(floor, 0.0))
    }
}

/// Beyond the grid's ends: to the worth at zero on the side of low prices, along the grid's end on the other; certain where
/// the grid stands around the strike.
#[inline(always)]
fn outside<const N: usize>(claim: &Claim<'_, N>, grid: &Grid<N>, plan: &PeriodPlan) -> Option<[Line<N>; 2]> {
    let Schedule { rate, borrow, expiry, .. } = *claim.schedule;
    let discount = exp(-rate * (expiry - plan.period.start));
    let Grid { prices, moved, values, .. } = grid;
    let zero = [0.0; N];
    let (mut low, mut high) = (Line { slope: zero, level: zero }, Line { slope: zero, level: zero });
    if plan.on_strike {
        let share = claim.sign * exp(-borrow * plan.period.length());
        let mut line = Line { slope: [share; N], level: zero };
        for l in 0..N {
            line.level[l] = -claim.sign * claim.strikes[l] * discount;
        }
        return Some([line; 2]);
    }
    let (first, last) = ((prices.first()?, values.first()?), (prices.last()?, values.last()?));
    let call = claim.sign > 0.0;
    let ((lowest, at_lowest), (highest, at_highest)) = if call { (last, first) } else { (first, last) };
    let inner = if call { 1 } else { prices.len().checked_sub(2)? };
    let (beside, at_beside) = (prices.get(inner)?, values.get(inner)?);
    for l in 0..N {
        let held = claim.strikes[l] * discount;
        let at_zero = if claim.american { larger(held, claim.strikes[l]) } else { held };
        low.level[l] = if call { 0.0 } else { at_zero };
        low.slope[l] = (at_lowest[l] - low.level[l]) / (lowest[l] * moved[l]);
        high.slope[l] = (at_highest[l] - at_beside[l]) / ((highest[l] - beside[l]) * moved[l]);
        high.level[l] = at_highest[l] - high.slope[l] * (highest[l] * moved[l]);
    }
    Some(if call { [high, low] } else { [low, high] })
}

/// Lagrange's polynomial through the values at -2 to 3.
#[inline(always)]
fn weighed(x: f64, [a, b, c, d, e, f]: [f64; 6]) -> f64 {
    let (x2, x1, y1, y2, y3) = (x + 2.0, x + 1.0, x - 1.0, x - 2.0, x - 3.0);
    let (near, far, ends, beyond) = (x1 * y1, x * y2, x2 * y3, y2 * y1);
    let outermost = near * far * fused(x2, f, -(y3 * a));
    let outer = ends * x * fused(beyond, b, -(near * e));
    let inner = ends * x1 * fused(far, d, -(beyond * c));
    fused(outermost, 1.0 / 120.0, fused(outer, 1.0 / 24.0, inner * (1.0 / 12.0)))
}

/// Black's formula from an ex-date to expiry.
pub(super) struct Closed<const N: usize> {
    /// What a share and the strike at expiry are worth.
    share: f64,
    cash: Lane<N>,
    /// `ln` of the one over the other.
    log_ratio: Lane<N>,
    stdev: Lane<N>,
    inverse: Lane<N>,
}

impl<const N: usize> Closed<N> {
    #[inline(always)]
    fn new(claim: &Claim<'_, N>, left: f64) -> Self {
        let Schedule { rate, borrow, .. } = *claim.schedule;
        let (share, discount) = (exp(-borrow * left), exp(-rate * left));
        let zero = [0.0; N];
        let mut closed = Self { share, cash: zero, log_ratio: zero, stdev: zero, inverse: zero };
        let root = left.sqrt();
        for l in 0..N {
            closed.cash[l] = claim.strikes[l] * discount;
            closed.log_ratio[l] = share / closed.cash[l];
            closed.stdev[l] = claim.sigmas[l] * root;
            closed.inverse[l] = 1.0 / closed.stdev[l];
        }
        closed.log_ratio = lanes::ln(&closed.log_ratio);
        closed
    }

    #[inline(always)]
    fn set(&self, claim: &Claim<'_, N>, dropping: &Dropping<'_, N>, logs: &[Lane<N>], values: &mut [Lane<N>]) {
        for ((s, logs), values) in dropping.prices.iter().zip(logs).zip(values) {
            let after = dropping.after(s);
            for l in 0..N {
                values[l] = self.value(claim, l, after[l], logs[l]);
            }
        }
    }

    #[inline(always)]
    fn value(&self, claim: &Claim<'_, N>, l: usize, s: f64, log_s: f64) -> f64 {
        let middle = (log_s + self.log_ratio[l]) * self.inverse[l];
        let half = 0.5 * self.stdev[l];
        let shares = normal_cdf_short(claim.sign * (middle + half));
        let cash = normal_cdf_short(claim.sign * (middle - half));
        let value = claim.sign * (s * self.share * shares - self.cash[l] * cash);
        let floor = if claim.american { claim.sign * (s - claim.strikes[l]) } else { 0.0 };
        larger(value, larger(floor, 0.0))
    }
}
