//! A slow pricer that shares no code with the library: a trinomial lattice in the logarithm of the price, one grid for
//! each stretch between ex-dates, stepped explicitly.

/// An option with cash dividends in the spot model: `(years from now, cash)`, ascending.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) call: bool,
    pub(crate) american: bool,
    pub(crate) spot: f64,
    pub(crate) strike: f64,
    pub(crate) time: f64,
    pub(crate) sigma: f64,
    pub(crate) rate: f64,
    pub(crate) borrow: f64,
    pub(crate) dividends: Vec<(f64, f64)>,
}

/// A price with what the grid may have done to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    pub(crate) price: f64,
    /// How far half as many nodes are from it.
    pub(crate) error: f64,
}

/// A stretch without dividends and the grid of its end.
struct Stretch {
    length: f64,
    dividend: f64,
    centre: f64,
    half_width: f64,
}

struct Grid {
    first: f64,
    step: f64,
    values: Vec<f64>,
}

/// Prices on `nodes` and on half as many nodes, extrapolated.
pub(crate) fn price(terms: &Terms, nodes: usize) -> Estimate {
    let (fine, coarse) = (on_grid(terms, nodes), on_grid(terms, nodes / 2));
    let extrapolated = fine + (fine - coarse) / 3.0;
    Estimate { price: extrapolated.max(terms.exercise(terms.spot)), error: (fine - coarse).abs() }
}

impl Terms {
    fn exercise(&self, s: f64) -> f64 {
        if !self.american {
            return 0.0;
        }
        self.payoff(s)
    }

    fn payoff(&self, s: f64) -> f64 {
        if self.call { (s - self.strike).max(0.0) } else { (self.strike - s).max(0.0) }
    }

    /// The option's worth when the price is zero for ever, `left` years before expiry.
    fn at_zero(&self, left: f64) -> f64 {
        if self.call {
            return 0.0;
        }
        let later = self.strike * libm::exp(-self.rate * left);
        if self.american { later.max(self.strike) } else { later }
    }

    /// The payoff averaged over the cell around `y` in the logarithm of the price.
    fn cell_average(&self, y: f64, step: f64) -> f64 {
        let k = libm::log(self.strike);
        let (low, high) = (y - 0.5 * step, y + 0.5 * step);
        // The integral of e^y - K over the part above the kink, or of K - e^y over the part below it.
        let (a, b) = if self.call { (low.max(k), high) } else { (low, high.min(k)) };
        if a >= b {
            return 0.0;
        }
        let middle = libm::exp(0.5 * (a + b)) * 2.0 * libm::sinh(0.5 * (b - a));
        let signed = middle - self.strike * (b - a);
        (if self.call { signed } else { -signed }).max(0.0) / step
    }

    fn stretches(&self) -> Vec<Stretch> {
        let mut cuts: Vec<(f64, f64)> =
            self.dividends.iter().copied().filter(|d| d.0 > 0.0 && d.0 < self.time && d.1 > 0.0).collect();
        cuts.push((self.time, self.dividends.iter().filter(|d| d.0 == self.time).map(|d| d.1).sum()));
        let (mut start, mut forward, mut variance) = (0.0, self.spot, 0.0);
        let mut stretches = Vec::new();
        for (end, dividend) in cuts {
            let length: f64 = end - start;
            forward *= libm::exp((self.rate - self.borrow) * length);
            variance += self.sigma * self.sigma * length;
            let deviation = f64::sqrt(variance);
            // No further than a price without dividends goes upward, and down to next to nothing.
            let free = self.sigma * f64::sqrt(end);
            let above = (libm::log(self.spot / forward) + (self.rate - self.borrow) * end).max(0.0);
            let half_width = (7.0 * deviation + variance).min(7.0 * free + free * free + above + 9.0);
            stretches.push(Stretch { length, dividend, centre: libm::log(forward), half_width });
            let left = (forward - dividend).max(0.05 * forward);
            let wider = forward / left;
            variance *= wider * wider;
            forward = left;
            start = end;
        }
        stretches
    }
}

fn on_grid(terms: &Terms, nodes: usize) -> f64 {
    let stretches = terms.stretches();
    let mut later: Option<Grid> = None;
    let mut left = 0.0;
    for stretch in stretches.iter().rev() {
        let step = 2.0 * stretch.half_width / nodes as f64;
        let variance = terms.sigma * terms.sigma * stretch.length;
        // The explicit step is stable up to a probability of one half; a sixth matches five moments.
        let count = (3.0 * variance / (step * step)).ceil().max(2.0);
        let dt = stretch.length / count;
        let p = 0.5 * variance / count / (step * step);
        // The frame moves so that the lattice's forward is exact.
        let drift = (terms.rate - terms.borrow) * dt - libm::log(1.0 + 2.0 * p * (libm::cosh(step) - 1.0));
        let mut grid = Grid { first: 0.0, step, values: Vec::new() };
        // The first stretch ends its way back at the spot, on the middle node.
        let first_is_this = std::ptr::eq(stretch, &stretches[0]);
        let end_centre = if first_is_this { libm::log(terms.spot) + drift * count } else { stretch.centre };
        grid.first = end_centre - step * (nodes / 2) as f64;
        for j in 0..=nodes {
            let y = grid.first + step * j as f64;
            let s = libm::exp(y);
            let value = match &later {
                None if stretch.dividend == 0.0 => terms.cell_average(y, step),
                None => terms.payoff((s - stretch.dividend).max(0.0)),
                Some(next) => next.at((s - stretch.dividend).max(0.0), terms.at_zero(left)),
            };
            grid.values.push(value.max(terms.exercise(s)));
        }
        for _ in 0..count as usize {
            grid.back(terms, p, drift, dt);
            left += dt;
        }
        later = Some(grid);
    }
    later.map_or(f64::NAN, |grid| grid.values[nodes / 2])
}

impl Grid {
    /// One explicit step; beyond the ends values are linear in the price.
    fn back(&mut self, terms: &Terms, p: f64, drift: f64, dt: f64) {
        let discount = libm::exp(-terms.rate * dt);
        let last = self.values.len() - 1;
        let ratio = -libm::exp(-self.step);
        let below = self.values[0] + (self.values[1] - self.values[0]) * ratio;
        let above = self.values[last] + (self.values[last] - self.values[last - 1]) * libm::exp(self.step);
        self.first -= drift;
        let mut before = below;
        let growth = libm::exp(self.step);
        let mut s = libm::exp(self.first);
        for j in 0..=last {
            let here = self.values[j];
            let next = if j == last { above } else { self.values[j + 1] };
            let value = discount * (p * before + (1.0 - 2.0 * p) * here + p * next);
            self.values[j] = value.max(terms.exercise(s));
            before = here;
            s *= growth;
        }
    }

    /// Cubic inside, linear in the price outside.
    fn at(&self, s: f64, at_zero: f64) -> f64 {
        let low = libm::exp(self.first);
        if s <= low {
            return at_zero + (self.values[0] - at_zero) * s / low;
        }
        let last = self.values.len() - 1;
        let place = (libm::log(s) - self.first) / self.step;
        if place >= last as f64 {
            let (a, b) = (libm::exp(self.first + self.step * (last - 1) as f64), self.values[last - 1]);
            let (c, d) = (libm::exp(self.first + self.step * last as f64), self.values[last]);
            return d + (d - b) * (s - c) / (c - a);
        }
        let base = (place as usize).clamp(1, last - 2);
        let x = place - base as f64;
        let v = &self.values[base - 1..base + 3];
        let cubic = -v[0] * x * (x - 1.0) * (x - 2.0) / 6.0 + v[1] * (x + 1.0) * (x - 1.0) * (x - 2.0) / 2.0
            - v[2] * (x + 1.0) * x * (x - 2.0) / 2.0
            + v[3] * (x + 1.0) * x * (x - 1.0) / 6.0;
        // No overshoot at a kink.
        cubic.clamp(v[1].min(v[2]) - 1e-3 * (v[1] - v[2]).abs(), v[1].max(v[2]) + 1e-3 * (v[1] - v[2]).abs())
    }
}
