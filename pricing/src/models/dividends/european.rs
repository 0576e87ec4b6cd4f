//! European values of one slice by their equivalent Black volatility.
//!
//! Its ratio to the model's volatility is a smooth function of the strike's distance in deviations and of the logarithm of
//! volatility: nodes there, solved when first needed, serve every strike and both types.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::octave::{self, Interpolant, NODES, OCTAVE_MAX, OCTAVE_MIN, place};
use super::schedule::Schedule;
use crate::math::{exp, ln};
use crate::models::black;
use crate::vocabulary::OptionType;

/// European time values below this share of the strike (or forward) say nothing reliable on volatility.
const RELIABLE_TIME_VALUE: f64 = 1e-7;
/// Above this deviation the European price is at its upper bound and says as little.
const RELIABLE_DEVIATION: f64 = 6.0;
/// A forward below this share of the price is one the cash formula no longer describes.
const FORWARD_SHARE_MIN: f64 = 0.2;
/// A shortfall below this share of the forward is none.
const SHORTFALL_MIN: f64 = 1e-7;
/// Nodes stand at whole deviations up to this one either side of the forward.
const DEVIATIONS: i32 = 5;

/// Two strikes at an octave's volatilities.
pub(crate) const PAIR: usize = 2 * NODES;

/// Undiscounted European values of one type at strikes and volatilities.
pub(crate) type Solve<'a> = &'a dyn Fn(OptionType, &[f64; PAIR], &[f64; PAIR]) -> Option<[f64; PAIR]>;

/// Expectation of the price at expiry over the contract's forward, on one octave: at its nodes, and between them.
#[derive(Clone, Copy, Debug)]
struct Expectation {
    shares: [f64; NODES],
    curve: Interpolant,
}

/// Equivalent Black volatilities of one slice.
#[derive(Clone, Debug)]
pub(crate) struct EuropeanTable {
    /// The contract's forward, `S e^{(r-b)T} - sum d_i e^{(r-b)(T-t_i)}`.
    pub(crate) forward: f64,
    expiry: f64,
    usable: bool,
    /// The largest terms of what the price is expected to fall short of the dividends: forward, cash, variance.
    shortfalls: Vec<(f64, f64, f64)>,
    /// The model's own forward by octave, where it is not the contract's.
    expectations: RefCell<BTreeMap<i32, Option<Expectation>>>,
    /// Equivalent Black volatility over the model's, by octave and deviation.
    ratios: RefCell<BTreeMap<(i32, i32), Interpolant>>,
}

impl EuropeanTable {
    pub(crate) fn new(schedule: &Schedule) -> Self {
        // The last period's own forward is floored; this one is the contract's formula.
        let carry = schedule.rate - schedule.borrow;
        let mut forward = schedule.spot * exp(carry * schedule.expiry);
        for period in &schedule.periods {
            forward -= period.dividend * exp(carry * (schedule.expiry - period.end));
        }
        let usable = forward >= FORWARD_SHARE_MIN * schedule.spot;
        let shortfalls = schedule.periods.iter().filter(|p| p.dividend > 0.0);
        let shortfalls = shortfalls.map(|p| (p.forward, p.dividend, p.variance)).collect();
        Self {
            forward,
            expiry: schedule.expiry,
            usable,
            shortfalls,
            expectations: RefCell::default(),
            ratios: RefCell::default(),
        }
    }

    /// The expectation of the price at expiry: the contract's forward and what the dividends cannot be paid from.
    ///
    /// # Formula
    /// `F + E[shortfall]`, from parity of the swept values at the strike `F`; `F` itself where the shortfall is below
    /// 1e-7 of it.
    pub(crate) fn expectation(&self, sigma: f64, solve: Solve<'_>) -> Option<f64> {
        let at = place(sigma)?;
        Some(match self.expectations(at.octave, solve)? {
            Some(found) => self.forward * found.curve.at(at).0,
            None => self.forward,
        })
    }

    /// Expectation over forward on one octave; `None` where it is one.
    fn expectations(&self, octave: i32, solve: Solve<'_>) -> Option<Option<Expectation>> {
        if let Some(known) = self.expectations.borrow().get(&octave) {
            return Some(*known);
        }
        let highest = octave::lower_end(octave + 1);
        let put = |(forward, cash, variance): &(f64, f64, f64)| {
            let value = black::out_of_the_money_price(*forward, *cash, highest * variance.sqrt());
            value + black::intrinsic(OptionType::Put, *forward, *cash)
        };
        let shortfall: f64 = self.shortfalls.iter().map(put).sum();
        let found = if shortfall < SHORTFALL_MIN * self.forward {
            None
        } else {
            let nodes = octave::nodes(octave);
            let mut sigmas = [0.0; PAIR];
            for (sigma, node) in sigmas.iter_mut().zip(nodes.iter().cycle()) {
                *sigma = *node;
            }
            let strikes = [self.forward; PAIR];
            let calls = solve(OptionType::Call, &strikes, &sigmas)?;
            let puts = solve(OptionType::Put, &strikes, &sigmas)?;
            let mut shares = [1.0; NODES];
            for (share, (call, put)) in shares.iter_mut().zip(calls.iter().zip(puts)) {
                *share = (1.0 + (call - put) / self.forward).max(1.0);
            }
            Some(Expectation { shares, curve: Interpolant::through(&shares) })
        };
        self.expectations.borrow_mut().insert(octave, found);
        Some(found)
    }

    /// Whether European values come through the equivalent Black volatility.
    pub(crate) fn usable(&self) -> bool {
        self.usable
    }

    /// Equivalent Black volatility and its derivative in the model's. `solve` is asked for what is not there yet.
    pub(crate) fn black(&self, strike: f64, sigma: f64, solve: Solve<'_>) -> Option<(f64, f64)> {
        let at = place(sigma)?;
        let sigma = sigma.max(octave::lower_end(OCTAVE_MIN));
        let edge = f64::from(DEVIATIONS);
        let deviation = ln(strike / self.forward) / (sigma * self.expiry.sqrt());
        let z = deviation.clamp(-edge, edge);
        let base = (z.floor() as i32).clamp(1 - DEVIATIONS, DEVIATIONS - 2);
        let x = z - f64::from(base);
        let (value, slope) = cubic(x);
        // Beyond the last node the ratio is that node's: it moves with volatility alone.
        let turn = if z == deviation { -z / sigma } else { 0.0 };
        let (mut ratio, mut derivative) = (0.0, 0.0);
        for ((offset, w), dw) in (-1..).zip(value).zip(slope) {
            let (r, dr) = self.ratio(base + offset, at.octave, solve)?.at(at);
            ratio += w * r;
            derivative += w * dr + dw * turn * r;
        }
        Some((sigma * ratio, ratio + sigma * derivative))
    }

    /// The ratio at one node; where the time value is too small to tell, that of the nearest volatility that can tell.
    ///
    /// Two neighbouring nodes are solved together, from the even one on.
    fn ratio(&self, node: i32, octave: i32, solve: Solve<'_>) -> Option<Interpolant> {
        if let Some(ratio) = self.ratios.borrow().get(&(octave, node)) {
            return Some(*ratio);
        }
        let first = node - node.rem_euclid(2);
        let nodes = octave::nodes(octave);
        let root_t = self.expiry.sqrt();
        let (mut sigmas, mut strikes) = ([0.0; PAIR], [0.0; PAIR]);
        for (l, (sigma, strike)) in sigmas.iter_mut().zip(strikes.iter_mut()).enumerate() {
            *sigma = nodes.get(l % NODES).copied()?;
            let deviations = f64::from(first) + (l / NODES) as f64;
            *strike = self.forward * exp((deviations * *sigma * root_t).clamp(-30.0, 30.0));
        }
        let option_type = if first <= 0 { OptionType::Put } else { OptionType::Call };
        let values = solve(option_type, &strikes, &sigmas)?;
        let expectations = self.expectations(octave, solve)?;
        let mut found = [None; PAIR];
        for (l, (((slot, sigma), strike), value)) in found.iter_mut().zip(sigmas).zip(strikes).zip(values).enumerate() {
            let share = expectations.and_then(|found| found.shares.get(l % NODES).copied());
            let forward = self.forward * share.unwrap_or(1.0);
            let value = value - black::intrinsic(option_type, forward, strike);
            let deviation = sigma * root_t;
            if value > RELIABLE_TIME_VALUE * forward.min(strike) * deviation.min(1.0) && deviation < RELIABLE_DEVIATION
            {
                *slot = black::implied_stdev_otm(forward, strike, value)
                    .map(|s| s / deviation)
                    .filter(|ratio| (0.2..5.0).contains(ratio));
            }
        }
        let (lower, upper) = found.split_at(NODES);
        for (node, found) in [(first, lower), (first + 1, upper)] {
            let ratio = match found.iter().flatten().next() {
                Some(_) => Interpolant::through(&fill(found)),
                None => self.neighbour(node, octave, root_t, solve)?,
            };
            self.ratios.borrow_mut().insert((octave, node), ratio);
        }
        self.ratios.borrow().get(&(octave, node)).copied()
    }

    /// Nothing in this octave: low volatilities take the node nearer the money, high ones the upper end of the octave
    /// before.
    fn neighbour(&self, node: i32, octave: i32, root_t: f64, solve: Solve<'_>) -> Option<Interpolant> {
        let low = octave::lower_end(octave) * root_t < 1.0;
        if low && !(0..=1).contains(&node) {
            // Another pair, which does not wait for this one.
            return self.ratio(node - 2 * node.signum(), octave, solve);
        }
        if !low && octave > OCTAVE_MIN {
            let below = self.ratio(node, octave - 1, solve)?;
            let end = octave::end(octave - 1, octave::lower_end(octave), true);
            return Some(Interpolant::through(&[below.at(end).0; NODES]));
        }
        if low && octave < OCTAVE_MAX {
            let next = self.ratio(node, octave + 1, solve)?;
            let end = octave::end(octave + 1, octave::lower_end(octave + 1), false);
            return Some(Interpolant::through(&[next.at(end).0; NODES]));
        }
        Some(Interpolant::through(&[1.0; NODES]))
    }
}

/// Weights of the nodes -1, 0, 1, 2 at `x`, and their derivatives.
fn cubic(x: f64) -> ([f64; 4], [f64; 4]) {
    let (p, q, o) = (x + 1.0, x - 1.0, x - 2.0);
    let sixth = 1.0 / 6.0;
    let value = [-x * q * o * sixth, 0.5 * p * q * o, -0.5 * p * x * o, p * x * q * sixth];
    let slope = [
        -(q * o + x * o + x * q) * sixth,
        0.5 * (q * o + p * o + p * q),
        -0.5 * (x * o + p * o + p * x),
        (x * q + p * q + p * x) * sixth,
    ];
    (value, slope)
}

/// Missing values take their nearest neighbour's; volatilities descend.
fn fill(found: &[Option<f64>]) -> [f64; NODES] {
    let mut values = [1.0; NODES];
    let mut last = found.iter().flatten().next().copied().unwrap_or(1.0);
    for (value, slot) in values.iter_mut().zip(found) {
        last = slot.unwrap_or(last);
        *value = last;
    }
    values
}
