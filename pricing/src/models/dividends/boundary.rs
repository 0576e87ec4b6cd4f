//! Where exercise ends between two nodes, and what it earns in the part of a spacing where it is still worth it.

use super::grid::{Claim, Grid};
use super::lanes::{Lane, Rows, any_minus, fused, larger};
use super::plan::StepPlan;

/// Nodes at either end of a grid that a boundary keeps away from.
const MARGIN: usize = 3;

/// A place that is no neighbour's. Places are numbers, as all in lanes.
const FAR: f64 = 9.0;

/// The exercise boundary of each lane, between the last exercised node and the first that is held.
///
/// # Formula
/// Exercised, an option earns `y = +-(b S - r K)` a year: `V_t + L V + y = 0`, with `y` on the exercised side alone. A node's equation
/// takes the mean of what its neighbourhood earns, weighed by a hat of one spacing: `y (1 - theta)^2 / 2` at the first held node,
/// `theta` spacings from the boundary, and `y (1 - theta^2 / 2)` at the node before it. Left out, this is an error that goes with
/// the square of the spacing and with where the boundary happens to stand. Value and slope are smooth there and the equation
/// gives the second derivative: the first held node is worth `y eta^2 theta^2` more than exercise, `eta` the spacing per unit of
/// volatility. So the new boundary is the root of a quadratic.
///
/// Half of what is earned in a step is that of its end, at the boundary found before; half that of its beginning.
///
/// Where a boundary begins, or goes farther than to a neighbour in one step, it is found afterwards from what the values are, and
/// the step is one without it. Where the deviation is above one that happens in many steps, and prices would jump with the
/// volatility at which it does: there no boundary is known.
pub(super) struct Boundary<const N: usize> {
    /// Whether any lane has one.
    any: bool,
    /// One where it is known, else zero.
    known: Lane<N>,
    /// The first held node.
    held: [usize; N],
    /// Its price when the period ends, before the nodes move.
    price: Lane<N>,
    /// Spacings from the boundary to it.
    theta: Lane<N>,
    /// Ratio of a node's price to that of the next.
    down: Lane<N>,
    /// A spacing per unit of volatility, squared.
    width: f64,
}

/// What one step asks of the boundary.
pub(super) struct StepEnds<'a, const N: usize> {
    pub(super) step: &'a StepPlan,
    /// What cash at the step's end is worth at its beginning.
    pub(super) discount: f64,
    /// By how much the nodes have moved at the step's end.
    pub(super) before: Lane<N>,
    /// And at its beginning.
    pub(super) after: Lane<N>,
}

/// What exercise earns a year at a price; nothing where waiting earns more.
#[inline(always)]
fn earned<const N: usize>(claim: &Claim<'_, N>, l: usize, price: f64) -> f64 {
    let owed = claim.sign * claim.schedule.rate * claim.strikes[l];
    larger(fused(claim.sign * claim.schedule.borrow, price, -owed), 0.0)
}

/// Spacings from the boundary to a node that is worth `gap` more than exercise before it has its own part of what is earned, which
/// is `share` for a whole spacing; `bend` is what a node one spacing from the boundary is worth more than exercise. One where the
/// boundary is farther.
///
/// # Formula
/// `bend theta^2 - share (1 - theta)^2 / 2 = gap`.
#[inline(always)]
fn distance(gap: f64, share: f64, bend: f64) -> f64 {
    let above = fused(0.5, share, gap);
    let root = larger(fused(share, share, 4.0 * fused(-0.5, share, bend) * above), 0.0).sqrt();
    let theta = 2.0 * above / (share + root);
    if gap < bend && theta < 1.0 { theta } else { 1.0 }
}

impl<const N: usize> Boundary<N> {
    pub(super) fn new(grid: &Grid<N>, eta: f64) -> Self {
        Self {
            down: grid.ratio.map(|ratio| 1.0 / ratio),
            any: false,
            known: [0.0; N],
            held: [MARGIN; N],
            price: [1.0; N],
            theta: [1.0; N],
            width: eta * eta,
        }
    }

    /// Puts what exercise earns in its part of a spacing into the eliminated values `g` of the first held node, and finds the
    /// boundary of the step's beginning.
    #[inline(always)]
    pub(super) fn earn(&mut self, claim: &Claim<'_, N>, grid: &mut Grid<N>, ends: &StepEnds<'_, N>) {
        if !self.any {
            return;
        }
        let StepEnds { step: StepPlan { p, q, length, .. }, discount, before, after } = *ends;
        let (beta, width) = (0.5 * p * length, self.width);
        let end = beta * discount;
        let mut nodes = [[0.0; N]; 4];
        self.look_up(&grid.values, &mut nodes);
        let [lowest, lower, own, above] = nodes;
        let zero = [0.0; N];
        // Of the node that is the first held one at the step's beginning: its place from the old one, and its value with what it
        // earns; and what the old one has, where that is beyond it.
        let (mut place, mut theta, mut value, mut beside) = (zero, zero, zero, zero);
        for l in 0..N {
            let (up, down, rest) = (grid.ratio[l], self.down[l], 1.0 - self.theta[l]);
            let s = self.price[l] * before[l];
            let of_own = end * earned(claim, l, s) * (0.5 * rest * rest);
            let part = fused(-0.5 * self.theta[l], self.theta[l], 1.0);
            let of_lower = fused(-q, of_own, end * earned(claim, l, s * down) * part);
            let of_lowest = fused(-q, of_lower, end * earned(claim, l, s * down * down));
            let g = [lowest[l] + of_lowest, lower[l] + of_lower, own[l] + of_own, above[l]];
            let (s, strike) = (self.price[l] * after[l], claim.sign * claim.strikes[l]);
            let (s0, s1, s2) = (s * (down * down), s * down, s * up);
            // What exercise brings at five nodes.
            let lowest_worth = fused(claim.sign, s0 * down, -strike);
            let worth = [
                fused(claim.sign, s0, -strike),
                fused(claim.sign, s1, -strike),
                fused(claim.sign, s, -strike),
                fused(claim.sign, s2, -strike),
            ];
            // By how much holding on is worth more at the upper four, but for the new part.
            let gaps = [
                fused(-q, lowest_worth, g[0]) - worth[0],
                fused(-q, worth[0], g[1]) - worth[1],
                fused(-q, worth[1], g[2]) - worth[2],
                fused(-q, worth[2], g[3]) - worth[3],
            ];
            let share = [
                beta * earned(claim, l, s0),
                beta * earned(claim, l, s1),
                beta * earned(claim, l, s),
                beta * earned(claim, l, s2),
            ];
            let lowest_held = fused(0.5, share[0], gaps[0]) > 0.0;
            let lower_held = fused(0.5, share[1], gaps[1]) > 0.0;
            let own_held = fused(0.5, share[2], gaps[2]) > 0.0;
            let above_held = fused(0.5, share[3], gaps[3]) > 0.0;
            let (mut gap, mut of, mut found) = (gaps[3], share[3], g[3]);
            place[l] = if above_held { 1.0 } else { FAR };
            if own_held {
                (gap, of, found) = (gaps[2], share[2], g[2]);
                place[l] = 0.0;
            }
            if lower_held {
                (gap, of, found) = (gaps[1], share[1], g[1]);
                place[l] = -1.0;
                beside[l] = of_own;
            }
            place[l] = if lowest_held { FAR } else { place[l] };
            theta[l] = distance(gap, of, of * (width / beta));
            let rest = 1.0 - theta[l];
            value[l] = fused(of, 0.5 * rest * rest, found);
        }
        for l in 0..N {
            if self.known[l] == 0.0 {
                continue;
            }
            if place[l] == FAR {
                self.known[l] = 0.0;
                continue;
            }
            let held = self.held[l].wrapping_add_signed(place[l] as isize);
            if let Some([first, second]) = grid.values.get_mut(held..held + 2) {
                first[l] = value[l];
                second[l] += beside[l];
            }
            self.theta[l] = theta[l];
            self.stand(grid, l, held);
        }
    }

    /// The first held node of a lane is this one now.
    #[inline(always)]
    fn stand(&mut self, grid: &Grid<N>, l: usize, held: usize) {
        let inside = held >= MARGIN && held + MARGIN < grid.prices.len();
        self.known[l] = if inside { 1.0 } else { 0.0 };
        self.held[l] = if inside { held } else { MARGIN };
        if let Some(price) = grid.prices.get(self.held[l]) {
            self.price[l] = price[l];
        }
    }

    /// Finds the boundaries that are not known, after a step.
    #[inline(always)]
    pub(super) fn find(&mut self, claim: &Claim<'_, N>, grid: &Grid<N>) {
        let (mut shares, mut strike, mut exercised, mut going) = ([0.0; N], [0.0; N], [0.0; N], [0.0; N]);
        for l in 0..N {
            (shares[l], strike[l]) = (claim.sign * grid.moved[l], claim.sign * claim.strikes[l]);
            going[l] = 1.0 - self.known[l];
        }
        // How many nodes are exercised, up to the first that is not, where no boundary is known; node 0 is the edge's.
        for (s, u) in grid.prices.iter().zip(grid.values.iter()).skip(1) {
            let mut none = [0.0; N];
            for l in 0..N {
                let worth = fused(s[l], shares[l], -strike[l]);
                going[l] = if u[l] <= worth { going[l] } else { 0.0 };
            }
            for l in 0..N {
                exercised[l] += going[l];
                none[l] = 0.5 - going[l];
            }
            if !any_minus(&none) {
                break;
            }
        }
        let (mut values, mut prices) = ([0.0; N], [0.0; N]);
        for l in 0..N {
            if exercised[l] > 0.0 {
                self.stand(grid, l, exercised[l] as usize + 1);
                prices[l] = self.price[l];
                values[l] = grid.values.get(self.held[l]).map_or(0.0, |row| row[l]);
            }
        }
        for l in 0..N {
            let gap = values[l] - fused(prices[l], shares[l], -strike[l]);
            let bend = self.width * earned(claim, l, prices[l] * grid.moved[l]);
            let theta = larger(gap / bend, 0.0).sqrt();
            let theta = if theta < 1.0 { theta } else { 1.0 };
            self.theta[l] = if exercised[l] > 0.0 { theta } else { self.theta[l] };
        }
        self.any = self.known.contains(&1.0);
    }

    /// The rows from the second node below each lane's first held one to the one above it.
    #[inline(never)]
    fn look_up(&self, values: &Rows<N>, nodes: &mut [Lane<N>; 4]) {
        let values = values.as_flattened();
        for (l, held) in self.held.iter().enumerate() {
            let around = values.get((held - 2) * N + l..).unwrap_or_default();
            for (nodes, value) in nodes.iter_mut().zip(around.iter().step_by(N)) {
                nodes[l] = *value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::distance;

    /// What the quadratic equation says is put in again.
    #[test]
    fn a_distance_solves_its_equation() {
        for share in [0.0, 1e-3, 0.4, 3.0] {
            for bend in [1e-3, 0.1, 2.0] {
                for theta in [0.0, 0.1, 0.5, 0.9, 1.0] {
                    let gap = bend * theta * theta - 0.5 * share * (1.0 - theta) * (1.0 - theta);
                    let found = distance(gap, share, bend);
                    // Where nothing is earned and nothing is above exercise any place serves.
                    assert!(
                        (found - theta).abs() < 1e-9 || (share == 0.0 && theta == 0.0),
                        "{share} {bend} {theta}: {found}"
                    );
                }
                assert_eq!(distance(1.5 * bend, share, bend), 1.0);
            }
        }
        assert_eq!(distance(0.0, 0.0, 0.0), 1.0);
    }
}
