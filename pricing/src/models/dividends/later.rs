//! What an option is worth just after an ex-date, at any price.

use super::grid::{Claim, Grid};
use super::lanes::{self, Lane, larger};
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

    /// Sets `values` at prices `s`, whose logarithms are known too (minus infinity at zero).
    #[inline(always)]
    pub(super) fn set(&self, claim: &Claim<'_, N>, s: &Lane<N>, log_s: &Lane<N>, values: &mut Lane<N>) {
        match self {
            Self::Grid(later) => later.set(claim, s, log_s, values),
            Self::Closed(closed) => closed.set(claim, s, log_s, values),
        }
    }

    /// Holding on through the ex-date less exercise just before it, in lane `l` at one price.
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
        let middle = if middle < last - 3.0 { larger(middle, 2.0) } else { last - 3.0 };
        (middle + ROUNDER) - ROUNDER
    }

    /// Sets `values` at prices `s`, whose logarithms are known too, by the polynomial through six nodes.
    #[inline(always)]
    fn set(&self, claim: &Claim<'_, N>, s: &Lane<N>, log_s: &Lane<N>, values: &mut Lane<N>) {
        let last = self.last();
        let (mut places, mut below) = ([0.0; N], [0.0; N]);
        let mut inside = true;
        for l in 0..N {
            places[l] = (log_s[l] - self.log_first[l]) * self.per_spacing[l];
            below[l] = Self::below(places[l], last);
            inside &= (places[l] >= 0.0) & (places[l] <= last);
        }
        self.interpolate(&places, &below, values);
        if !inside {
            let [before, beyond] = &self.outside;
            for l in 0..N {
                let (first, end) = (before.at(l, s[l]), beyond.at(l, s[l]));
                let value = if places[l] <= last { values[l] } else { end };
                values[l] = if places[l] < 0.0 { first } else { value };
            }
        }
        for l in 0..N {
            let floor = if claim.american { claim.sign * (s[l] - claim.strikes[l]) } else { 0.0 };
            values[l] = larger(values[l], larger(floor, 0.0));
        }
    }

    /// The polynomial through the six nodes around each lane's own. Most lanes' own is the middle lane's or next to it: then
    /// whole rows serve; else nodes are looked up lane by lane.
    #[inline(always)]
    fn interpolate(&self, places: &Lane<N>, below: &Lane<N>, values: &mut Lane<N>) {
        let middle = below[N / 2];
        let (mut equal, mut next) = (true, true);
        for own in below {
            equal &= *own == middle;
            next &= (own - middle).abs() <= 1.0;
        }
        let rows = self.values.get((middle as usize).wrapping_sub(2)..).unwrap_or_default();
        if let (true, Some([a, b, c, d, e, f])) = (equal, rows.first_chunk()) {
            for l in 0..N {
                values[l] = weighed(places[l] - below[l], [a[l], b[l], c[l], d[l], e[l], f[l]]);
            }
            return;
        }
        let least = larger((middle - 3.0).min(self.last() - 7.0), 0.0);
        let rows = self.values.get(least as usize..).unwrap_or_default();
        if let (true, Some([a, b, c, d, e, f, g, h])) = (next, rows.first_chunk()) {
            let (first, second) = (least + 2.0, least + 3.0);
            for l in 0..N {
                let [first, second] = [first, second].map(|node| if below[l] == node { 1.0 } else { 0.0 });
                let third = 1.0 - (first + second);
                let (a, b, c, d, e, f, g, h) = (a[l], b[l], c[l], d[l], e[l], f[l], g[l], h[l]);
                // Finite nodes times zero or one: exact.
                let own = |a: f64, b: f64, c: f64| (first * a + second * b) + third * c;
                let nodes = [own(a, b, c), own(b, c, d), own(c, d, e), own(d, e, f), own(e, f, g), own(f, g, h)];
                values[l] = weighed(places[l] - below[l], nodes);
            }
            return;
        }
        self.look_up(places, below, values);
    }

    /// [`Self::interpolate`] wherever each lane's own node is.
    #[inline(never)]
    fn look_up(&self, places: &Lane<N>, below: &Lane<N>, values: &mut Lane<N>) {
        let nodes = self.values.as_flattened();
        for (l, value) in values.iter_mut().enumerate() {
            let first = (below[l] as usize).wrapping_sub(2).wrapping_mul(N).wrapping_add(l);
            let Some(around) = nodes.get(first..first.wrapping_add(5 * N + 1)) else { continue };
            if let (Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)) = (
                around.first(),
                around.get(N),
                around.get(2 * N),
                around.get(3 * N),
                around.get(4 * N),
                around.get(5 * N),
            ) {
                *value = weighed(places[l] - below[l], [*a, *b, *c, *d, *e, *f]);
            }
        }
    }

    /// The value in one lane.
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
    let outermost = near * far * (x2 * f - y3 * a);
    let outer = ends * x * (beyond * b - near * e);
    let inner = ends * x1 * (far * d - beyond * c);
    outermost * (1.0 / 120.0) + outer * (1.0 / 24.0) + inner * (1.0 / 12.0)
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
    fn set(&self, claim: &Claim<'_, N>, s: &Lane<N>, log_s: &Lane<N>, values: &mut Lane<N>) {
        for l in 0..N {
            values[l] = self.value(claim, l, s[l], log_s[l]);
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
