//! The search of one quote, as a machine that asks for prices and is fed them.

use super::super::lanes::Point;
use super::super::market::{Best, Market};
use super::super::near_identity::NearIdentity;
use super::super::octave::{OCTAVE_MAX, OCTAVE_MIN, lower_end};
use super::super::plan::Level;
use crate::vocabulary::OptionType;

/// A step below this share of the volatility ends the drafts.
const DRAFT_STEP: f64 = 0.02;
/// Two drafts that tell a slope are this share apart at least; the step back from the second is no longer.
const DRAFTS_APART: f64 = DRAFT_STEP;
/// A last step below this share leaves an error of its own size times that of the slope.
const LAST_STEP: f64 = 1e-4;
/// So does a longer one where that product is below this share.
const LEFT: f64 = 2e-5;
/// Error of a slope from drafts: so much, and this share of what price and volatility lack to being proportional.
const SLOPE_ERROR: (f64, f64) = (0.01, 0.3);
/// The first of these where the deviation is above one: there exercise begins between two nodes that are far apart, and drafts
/// jump a little.
const WIDE_SLOPE_ERROR: f64 = 0.025;
/// Where every price is exact: the product of the last two steps below which a third would be nothing, and the longest last
/// one.
const EXACT_STEPS: f64 = 1e-8;
const EXACT_STEP_MAX: f64 = 1e-3;
/// The first where every price is exact; longer ones see [`EXACT_STEPS`].
const EXACT_STEP: f64 = 1e-6;
/// Shares of the target within which the deviation must be, for either.
const DRAFT_GAP: f64 = 0.1;
const LAST_GAP: f64 = 2e-3;
/// What the roughest level lacks changes by its own size times the step, both as shares of the volatility, times the first of
/// these, and times the second for what price and volatility lack to being proportional.
const CORRECTION_GROWTH: (f64, f64) = (2.0, 30.0);
/// It may be nothing by accident; it is taken to be this share at least.
const LACK_MIN: f64 = 1e-4;
/// Error, as a share, up to which the line through two drafts stands for the roughest level's price. A third of it reaches the best
/// price; all of it a correction, on top of what steps leave.
const BENT: f64 = 2e-5;
/// The same where the deviation is above one.
const WIDE_BENT: f64 = 2e-6;
/// Price and volatility are at least so far from proportional.
const BEND_MIN: f64 = 0.02;
/// No step multiplies or divides a volatility by more.
const LONGEST_STEP: f64 = 3.0;
/// Brackets found on the roughest grid are loosened by this share for the fine one.
const SLACK: f64 = 0.03;
/// Halvings of the bracket of a critical volatility, in the logarithm.
const HALVINGS: u32 = 8;
pub(super) const EVALUATIONS_MAX: u32 = 56;
/// From this evaluation on the bracket is halved, so that no shape of the curve is slow.
const HALVING_FROM: u32 = 24;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goal {
    /// The volatility with this price.
    Price(f64),
    /// The largest volatility whose price is not above this.
    Critical(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// By the roughest level alone.
    Draft,
    /// By the best price.
    Fine,
    /// By the roughest level, less what it lacked at the best price.
    Corrected,
    Solved,
    Failed,
}

/// Whether every octave together holds a volatility.
fn in_domain(sigma: f64) -> bool {
    (lower_end(OCTAVE_MIN)..=lower_end(OCTAVE_MAX + 1)).contains(&sigma)
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Search {
    strike: f64,
    map: NearIdentity,
    goal: Goal,
    /// Whether every level gives the exact price.
    exact: bool,
    state: State,
    target: f64,
    sigma: f64,
    low: f64,
    high: f64,
    /// The last draft, or the last best price.
    before: Option<(f64, f64)>,
    /// dDeviation / dVolatility.
    slope: f64,
    /// Whether two points told the slope.
    measured: bool,
    /// Whether two drafts say that the roughest level has the wanted price here.
    met: bool,
    /// The last best price's deviation less the roughest level's.
    correction: Option<f64>,
    evaluations: u32,
    /// Whether a bracket that held no solution was opened again.
    reopened: bool,
}

impl Search {
    pub(super) fn new(market: &Market, option_type: OptionType, strike: f64, goal: Goal, exact: bool) -> Self {
        let map = match goal {
            Goal::Price(price) => NearIdentity::new(market, option_type, strike, price),
            Goal::Critical(_) => NearIdentity::from_now(market, option_type, strike),
        };
        let root_t = market.schedule.expiry.sqrt();
        let target = match goal {
            Goal::Price(price) => map.deviation(price),
            Goal::Critical(least) => least,
        };
        let seed = target / root_t;
        let sigma = match goal {
            Goal::Price(_) if seed.is_finite() => seed.clamp(0.01, 8.0),
            _ => 0.25,
        };
        let state = match goal {
            // No volatility stands at the bound.
            Goal::Price(_) if !target.is_finite() => State::Failed,
            _ if exact => State::Fine,
            _ => State::Draft,
        };
        Self {
            strike,
            map,
            goal,
            exact,
            state,
            target,
            sigma,
            low: 0.0,
            high: f64::INFINITY,
            before: None,
            slope: root_t,
            measured: false,
            met: false,
            correction: None,
            evaluations: 0,
            reopened: false,
        }
    }

    /// The point whose price is wanted at this level.
    pub(super) fn wants(&self, level: Level) -> Option<Point> {
        let asks = match level {
            Level::Fine | Level::Finest => self.state == State::Fine,
            Level::Rough | Level::Coarse => matches!(self.state, State::Draft | State::Corrected),
        };
        asks.then_some(Point { strike: self.strike, sigma: self.sigma })
    }

    /// The roughest level's price at the point wanted, where drafts tell it.
    pub(super) fn rough(&self) -> Option<f64> {
        match self.goal {
            Goal::Price(price) if self.met => Some(price),
            _ => None,
        }
    }

    /// The best price at the point last wanted, and the roughest level's.
    pub(super) fn feed_best(&mut self, Best { price, rough }: Best) {
        let rough = rough.map(|rough| self.map.deviation(rough)).filter(|deviation| *deviation > 0.0);
        self.correction = rough.map(|rough| self.map.deviation(price) - rough).filter(|c| c.is_finite());
        self.feed(price);
    }

    /// The price at the point last wanted.
    pub(super) fn feed(&mut self, price: f64) {
        self.evaluations += 1;
        match self.goal {
            _ if self.evaluations >= EVALUATIONS_MAX => self.state = State::Failed,
            Goal::Price(_) if !price.is_finite() => self.state = State::Failed,
            Goal::Price(_) => {
                let deviation = self.map.deviation(price);
                match (self.state, self.correction) {
                    (State::Corrected, Some(correction)) if deviation > 0.0 => self.refine(deviation + correction),
                    // Exercised on the roughest level, which says nothing then.
                    (State::Corrected, _) => self.state = State::Fine,
                    _ => self.refine(deviation),
                }
            }
            // Where volatility is beyond every grid the price is not the least one.
            Goal::Critical(least) => self.halve(!price.is_finite() || price > least),
        }
    }

    fn refine(&mut self, deviation: f64) {
        let gap = self.target - deviation;
        let corrected = self.state == State::Corrected;
        if gap > 0.0 && !corrected {
            self.low = self.low.max(self.sigma);
        } else if !corrected {
            self.high = self.high.min(self.sigma);
        }
        let regular = deviation > 0.0 && deviation.is_finite();
        let previous = self.before;
        if regular {
            match previous {
                Some((sigma, u)) if (sigma - self.sigma).abs() > 1e-7 * sigma && u != deviation => {
                    self.slope = (deviation - u) / (self.sigma - sigma);
                    self.measured = true;
                }
                Some(_) => {}
                None if self.state == State::Draft || self.exact || self.reopened => {
                    self.slope = deviation / self.sigma;
                    self.measured = false;
                }
                None => {}
            }
            if !corrected {
                self.before = Some((self.sigma, deviation));
            }
        }
        // Near a critical volatility the line through two points may point anywhere.
        let next = (self.sigma + gap / self.slope).clamp(self.sigma / LONGEST_STEP, self.sigma * LONGEST_STEP);
        let patient = self.evaluations < HALVING_FROM;
        let inside = patient && regular && self.slope > 0.0 && next > self.low && next < self.high;
        let step = (next - self.sigma).abs() / self.sigma;
        let last = match previous {
            Some((sigma, _)) if self.exact => {
                (EXACT_STEPS * sigma / (sigma - self.sigma).abs()).clamp(EXACT_STEP, EXACT_STEP_MAX)
            }
            _ if self.exact => EXACT_STEP,
            _ if self.measured => LAST_STEP.max(LEFT / self.slope_error(deviation)),
            _ => LAST_STEP,
        };
        // A small step is believed only where the price itself is near: a slope between two points that are nearly one
        // may be anything.
        let near = |share: f64| gap.abs() <= share * self.target;
        let drafting = self.state == State::Draft;
        if inside && !drafting && step <= last && near(LAST_GAP) {
            self.state = State::Solved;
            self.sigma = next;
            return;
        }
        let closed = if patient { 1e-9 } else { EXACT_STEP };
        if !inside && self.high.is_finite() && self.high - self.low <= closed * self.high {
            self.collapsed(near(LAST_GAP));
            return;
        }
        let draft = inside && drafting && step <= DRAFT_STEP && near(DRAFT_GAP);
        let drafted = draft && self.measured;
        // One draft tells no slope: the second stands beyond the solution, not on it.
        let beyond = if gap > 0.0 { self.sigma * (1.0 + DRAFTS_APART) } else { self.sigma * (1.0 - DRAFTS_APART) };
        let probes = draft && !drafted && beyond > self.low && beyond < self.high && in_domain(beyond);
        self.met = drafted && previous.is_some_and(|(first, _)| self.is_met(first, next, deviation));
        self.sigma = match inside {
            true if probes => beyond,
            true => next,
            false => self.between(),
        };
        if drafted {
            self.state = State::Fine;
            self.before = None;
            self.loosen();
        } else if !drafting {
            let kept = self.state == State::Fine && inside && self.is_kept(step, deviation);
            self.state = if kept { State::Corrected } else { State::Fine };
        }
        if !in_domain(self.sigma) {
            self.state = State::Failed;
        }
    }

    /// Whether what the roughest level lacks is the same a step farther, but for a share of [`LEFT`].
    fn is_kept(&self, step: f64, deviation: f64) -> bool {
        let growth = CORRECTION_GROWTH.0 + CORRECTION_GROWTH.1 * self.bend(deviation);
        let lack = self.correction.map_or(f64::INFINITY, |correction| correction.abs() / (self.slope * self.sigma));
        !self.is_wide() && step <= DRAFT_STEP && growth * lack.max(LACK_MIN) * step <= LEFT
    }

    /// Whether the line through the first draft and this one holds where it has the target: between them, or near, and the
    /// straighter, the more nearly price and volatility are proportional.
    fn is_met(&self, first: f64, next: f64, deviation: f64) -> bool {
        let product = (next - first).abs() * (next - self.sigma).abs();
        let nearer = (next - self.sigma).abs() <= (first - self.sigma).abs();
        let bent = if self.is_wide() { WIDE_BENT } else { BENT };
        nearer && (BEND_MIN + self.bend(deviation)) * product <= bent * next * next
    }

    /// How far price and volatility are from proportional: by what their elasticity differs from one.
    fn bend(&self, deviation: f64) -> f64 {
        (self.slope * self.sigma / deviation - 1.0).abs()
    }

    /// Whether the roughest level jumps a little, see [`WIDE_SLOPE_ERROR`].
    fn is_wide(&self) -> bool {
        self.target > 1.0
    }

    /// Share by which a slope from drafts may be wrong: the more, the less proportional price and volatility are.
    fn slope_error(&self, deviation: f64) -> f64 {
        let own = if self.is_wide() { WIDE_SLOPE_ERROR } else { SLOPE_ERROR.0 };
        own + SLOPE_ERROR.1 * self.bend(deviation)
    }

    /// The bracket has closed. With the price in it, that is the solution; without, what a coarser grid said of it was
    /// wrong, and the finest searches again from nothing, once.
    fn collapsed(&mut self, near: bool) {
        self.before = None;
        match self.state {
            State::Fine | State::Corrected if near => self.state = State::Solved,
            State::Fine | State::Corrected if self.reopened => self.state = State::Failed,
            _ => {
                self.reopened = self.state != State::Draft;
                self.state = State::Fine;
                (self.low, self.high) = (0.0, f64::INFINITY);
            }
        }
    }

    fn loosen(&mut self) {
        self.low *= 1.0 - SLACK;
        self.high *= 1.0 + SLACK;
    }

    /// Inside the bracket, or beyond its known end.
    fn between(&self) -> f64 {
        match (self.low > 0.0, self.high.is_finite()) {
            (true, true) => (self.low * self.high).sqrt(),
            (true, false) => 1.6 * self.low,
            (false, true) => self.high / 1.6,
            (false, false) => 0.3,
        }
    }

    /// Bisection in the logarithm for the largest volatility at which the price does not move yet.
    fn halve(&mut self, above: bool) {
        if above {
            self.high = self.sigma;
        } else {
            self.low = self.sigma;
        }
        let bracketed = self.low > 0.0 && self.high.is_finite();
        let precise = 1.0 + libm::ldexp(1.0, -(HALVINGS as i32));
        let (least, most) = (lower_end(OCTAVE_MIN), lower_end(OCTAVE_MAX + 1));
        if bracketed && self.high <= precise * self.low || self.low >= most || self.high <= least {
            self.state = State::Solved;
            return;
        }
        self.sigma = match bracketed {
            true => (self.low * self.high).sqrt(),
            false if above => (0.5 * self.sigma).max(least),
            false => (2.0 * self.sigma).min(most),
        };
    }

    pub(super) fn evaluations(&self) -> u32 {
        self.evaluations
    }

    /// The critical volatility, where that was the goal.
    pub(super) fn critical(&self) -> Option<f64> {
        (matches!(self.goal, Goal::Critical(_)) && self.state == State::Solved).then_some(self.low)
    }

    /// Volatility and vega.
    pub(super) fn solution(&self) -> Option<(f64, f64)> {
        let vega = self.slope * self.map.slope(self.target);
        let solved = self.state == State::Solved && matches!(self.goal, Goal::Price(_));
        (solved && vega.is_finite()).then_some((self.sigma, vega.max(0.0)))
    }
}
