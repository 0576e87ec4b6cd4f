//! Prices of one slice under one zero curve, tabulated lazily per strike, type and octave of volatility.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::octave::{self, Interpolant, OCTAVE_MAX, OCTAVE_MIN, Place, place};
use super::plan::Plan;
use super::schedule::Schedule;
use super::sweep::{LANES, Lane, Outcome, sweep};
use crate::math::{exp, ln};
use crate::models::{black, fallback, single_dividend};
use crate::vocabulary::{OptionType, PricingMethod};

/// European time values below this share of the strike (or forward) say nothing reliable on volatility.
const RELIABLE_TIME_VALUE: f64 = 1e-7;
/// Above this deviation the European price is at its upper bound and says as little.
const RELIABLE_DEVIATION: f64 = 6.0;
/// A forward below this share of the price is one the cash formula no longer describes.
const FORWARD_SHARE_MIN: f64 = 0.2;
/// Parity between two sweeps holds within this share of the price by the grids' accuracy alone.
const PARITY_TOLERANCE: f64 = 1e-5;

/// What one sweep leaves: the American value less the European, and the same for the sensitivities in the price.
#[derive(Clone, Debug)]
struct Premium {
    price: Interpolant,
    delta: Interpolant,
    gamma: Interpolant,
}

/// Value, derivative in volatility and, where asked for, in the price of the underlying.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Valuation {
    pub(crate) price: f64,
    pub(crate) vega: f64,
    pub(crate) delta: f64,
    pub(crate) gamma: f64,
}

/// Spacing of the coarse plan over that of the fine one.
const COARSENESS: f64 = 1.5;
/// Spacing and steps of rough tables, as multiples of the usual ones.
const ROUGH: (f64, f64) = (1.5, 0.6);

/// What a table is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grade {
    /// Prices.
    Fine,
    /// Differences of two rough prices, in which most of the error goes.
    Rough,
}

type Key = (u64, i32);

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    pub(crate) schedule: Schedule,
    pub(crate) forward: f64,
    grade: Grade,
    /// The fine and the coarse plan of each octave.
    plans: RefCell<BTreeMap<i32, Arc<[Plan; 2]>>>,
    /// Equivalent Black volatility over the model's, by strike.
    ratios: RefCell<BTreeMap<Key, Interpolant>>,
    premiums: RefCell<BTreeMap<(bool, u64, i32), Premium>>,
    outcomes: RefCell<BTreeMap<(bool, u64, i32), Outcome>>,
}

impl Market {
    pub(crate) fn new(schedule: Schedule, grade: Grade) -> Self {
        // The last period's own forward is floored; this one is the contract's formula.
        let carry = schedule.rate - schedule.borrow;
        let mut forward = schedule.spot * exp(carry * schedule.expiry);
        for period in &schedule.periods {
            forward -= period.dividend * exp(carry * (schedule.expiry - period.end));
        }
        Self {
            schedule,
            forward,
            grade,
            plans: RefCell::default(),
            ratios: RefCell::default(),
            premiums: RefCell::default(),
            outcomes: RefCell::default(),
        }
    }

    /// The solver for this type.
    pub(crate) fn method(&self, option_type: OptionType) -> PricingMethod {
        let call = option_type == OptionType::Call;
        if self.irregular(option_type) {
            PricingMethod::Fallback
        } else if call && single_dividend::applies(&self.schedule) {
            PricingMethod::SingleDividend
        } else {
            PricingMethod::CashDividends
        }
    }

    /// Whether only the fallback is trusted: two exercise boundaries, or dividends that eat the price up.
    fn irregular(&self, option_type: OptionType) -> bool {
        self.forward < FORWARD_SHARE_MIN * self.schedule.spot
            || self.schedule.double_boundary(option_type == OptionType::Call)
    }

    /// Whether European values come through the equivalent Black volatility.
    pub(crate) fn has_black(&self) -> bool {
        self.forward >= FORWARD_SHARE_MIN * self.schedule.spot
    }

    /// The type that is out of the money on the forward: its European values stand for both types.
    fn out_of_the_money(&self, strike: f64) -> OptionType {
        if strike <= self.forward { OptionType::Put } else { OptionType::Call }
    }

    fn plans(&self, octave: i32) -> Arc<[Plan; 2]> {
        let mut plans = self.plans.borrow_mut();
        Arc::clone(plans.entry(octave).or_insert_with(|| {
            let sigma_max = octave::lower_end(octave + 1);
            let (coarseness, step_share) = if self.grade == Grade::Fine { (1.0, 1.0) } else { ROUGH };
            Arc::new([1.0, COARSENESS].map(|more| Plan::new(&self.schedule, sigma_max, more * coarseness, step_share)))
        }))
    }

    fn outcome(&self, option_type: OptionType, strike: f64, octave: i32) -> Option<Outcome> {
        let key = (option_type == OptionType::Call, strike.to_bits(), octave);
        if let Some(outcome) = self.outcomes.borrow().get(&key) {
            return Some(*outcome);
        }
        let sigmas = octave::nodes(octave);
        let outcome = match self.method(option_type) {
            PricingMethod::SingleDividend => single_dividend::at_volatilities(&self.schedule, strike, &sigmas),
            PricingMethod::CashDividends => self.swept(option_type, strike, octave, &sigmas),
            _ => from_fallback(&self.schedule, option_type, strike, &sigmas),
        }?;
        self.outcomes.borrow_mut().insert(key, outcome);
        Some(outcome)
    }

    /// One sweep where exercise is tied to ex-dates; else two, and the premium extrapolated to spacing zero: the exercise
    /// boundary between two nodes leaves an error of second order, all the rest being of fourth.
    fn swept(&self, option_type: OptionType, strike: f64, octave: i32, sigmas: &Lane) -> Option<Outcome> {
        let plans = self.plans(octave);
        let [fine, coarse] = plans.as_ref();
        let mut outcome = sweep(&self.schedule, fine, option_type, strike, sigmas)?;
        if self.grade == Grade::Fine && self.schedule.exercised_any_time(option_type == OptionType::Call) {
            let rough = sweep(&self.schedule, coarse, option_type, strike, sigmas)?;
            let exercise = self.exercise(option_type, strike);
            for l in 0..LANES {
                let premium = outcome.american[l] - outcome.european[l];
                let less = rough.american[l] - rough.european[l];
                if outcome.american[l] > exercise && rough.american[l] > exercise {
                    outcome.american[l] += (premium - less) / (COARSENESS * COARSENESS - 1.0);
                    outcome.american[l] = outcome.american[l].max(exercise);
                }
            }
        }
        Some(outcome)
    }

    /// Equivalent Black volatility over the model's at this strike.
    ///
    /// Where the time value is too small to tell, the ratio of the nearest volatility that can tell.
    fn ratio(&self, strike: f64, octave: i32) -> Option<Interpolant> {
        let key = (strike.to_bits(), octave);
        if let Some(ratio) = self.ratios.borrow().get(&key) {
            return Some(*ratio);
        }
        let sigmas = octave::nodes(octave);
        let outcome = self.outcome(self.out_of_the_money(strike), strike, octave)?;
        let low = self.forward.min(strike);
        let root_t = self.schedule.expiry.sqrt();
        let mut found = [None; LANES];
        for ((slot, sigma), european) in found.iter_mut().zip(sigmas).zip(outcome.european) {
            let value = european / self.schedule.discount_factor;
            let deviation = sigma * root_t;
            if value > RELIABLE_TIME_VALUE * low * deviation.min(1.0) && deviation < RELIABLE_DEVIATION {
                *slot = black::implied_stdev_otm(self.forward, strike, value)
                    .map(|s| s / deviation)
                    .filter(|ratio| (0.2..5.0).contains(ratio));
            }
        }
        let values = match found.iter().flatten().next() {
            Some(_) => Some(fill(&found)),
            // Nothing in this octave: low volatilities take the lower end of the next octave, high ones the upper of
            // the one before.
            None if lower_end_deviation(octave, root_t) < 1.0 && octave < OCTAVE_MAX => {
                self.ratio(strike, octave + 1).map(|next| [end_value(&next, octave + 1, false); LANES])
            }
            None if lower_end_deviation(octave, root_t) >= 1.0 && octave > OCTAVE_MIN => {
                self.ratio(strike, octave - 1).map(|below| [end_value(&below, octave - 1, true); LANES])
            }
            None => Some([1.0; LANES]),
        }?;
        let ratio = Interpolant::through(&values);
        self.ratios.borrow_mut().insert(key, ratio);
        Some(ratio)
    }

    /// Equivalent Black volatility and its derivative in the model's.
    pub(crate) fn black(&self, strike: f64, sigma: f64) -> Option<(f64, f64)> {
        let place = place(sigma)?;
        let (ratio, slope) = self.ratio(strike, place.octave)?.at(place);
        let floor = octave::lower_end(OCTAVE_MIN);
        let sigma = sigma.max(floor);
        Some((sigma * ratio, ratio + sigma * slope))
    }

    fn european_at(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<(f64, f64)> {
        let (black_sigma, slope) = self.black(strike, sigma)?;
        let (t, discount) = (self.schedule.expiry, self.schedule.discount_factor);
        let price = black::price(option_type, self.forward, strike, t, black_sigma, discount);
        Some((price, slope * black::vega(self.forward, strike, t, black_sigma, discount)))
    }

    /// European price.
    pub(crate) fn european(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<f64> {
        if self.has_black() {
            return self.european_at(option_type, strike, sigma).map(|(price, _)| price).filter(|p| p.is_finite());
        }
        self.by_fallback(option_type, strike, sigma).map(|result| result.european)
    }

    fn by_fallback(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<fallback::FdResult> {
        let (n, m) = (fallback::SPACE_INTERVALS, fallback::TIME_STEPS);
        fallback::solve(&self.schedule, option_type, strike, sigma, n, m)
    }

    fn premium(&self, option_type: OptionType, strike: f64, octave: i32) -> Option<Premium> {
        let key = (option_type == OptionType::Call, strike.to_bits(), octave);
        if let Some(premium) = self.premiums.borrow().get(&key) {
            return Some(premium.clone());
        }
        let outcome = self.outcome(option_type, strike, octave)?;
        let ratio = self.ratio(strike, octave)?;
        let mut price = [0.0; LANES];
        let (mut delta, mut gamma) = (outcome.delta, outcome.gamma);
        let nodes = octave::nodes(octave).into_iter().zip(octave::node_places(octave));
        for (l, (sigma, at)) in nodes.enumerate() {
            let black_sigma = sigma * ratio.at(at).0;
            let (t, discount) = (self.schedule.expiry, self.schedule.discount_factor);
            let by_parity = black::price(option_type, self.forward, strike, t, black_sigma, discount);
            // Where the price may well fall below a dividend, parity on the formula's forward misses what the holder is
            // not asked to pay; the difference belongs to the American value. Below the tolerance it is the grid's.
            let unpaid = outcome.european[l] - by_parity;
            let beyond = (unpaid.abs() - PARITY_TOLERANCE * self.schedule.spot).max(0.0);
            price[l] = outcome.american[l] - outcome.european[l] + if unpaid > 0.0 { beyond } else { -beyond };
            let (black_delta, black_gamma) = self.black_greeks(option_type, strike, black_sigma);
            delta[l] -= black_delta;
            gamma[l] -= black_gamma;
        }
        let premium = Premium {
            price: Interpolant::through(&price),
            delta: Interpolant::through(&delta),
            gamma: Interpolant::through(&gamma),
        };
        self.premiums.borrow_mut().insert(key, premium.clone());
        Some(premium)
    }

    /// Delta and gamma of Black's formula where the forward moves one for one with the price, but for the carry.
    fn black_greeks(&self, option_type: OptionType, strike: f64, sigma: f64) -> (f64, f64) {
        let s = sigma * self.schedule.expiry.sqrt();
        let carry = exp((self.schedule.rate - self.schedule.borrow) * self.schedule.expiry);
        let d1 = ln(self.forward / strike) / s + 0.5 * s;
        let sign = if option_type == OptionType::Call { 1.0 } else { -1.0 };
        let discounted = self.schedule.discount_factor * carry;
        let delta = sign * discounted * crate::math::normal_cdf(sign * d1);
        let gamma = discounted * carry * crate::math::normal_pdf(d1) / (self.forward * s);
        (delta, gamma)
    }

    fn exercise(&self, option_type: OptionType, strike: f64) -> f64 {
        black::intrinsic(option_type, self.schedule.spot, strike)
    }

    /// American price and vega.
    pub(crate) fn american(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<Valuation> {
        let valuation = if self.irregular(option_type) {
            self.american_by_fallback(option_type, strike, sigma)
        } else {
            let at = place(sigma)?;
            let (european, european_vega) = self.european_at(option_type, strike, sigma)?;
            let (premium, premium_vega) = self.premium(option_type, strike, at.octave)?.price.at(at);
            Some(self.combine(option_type, strike, european, european_vega, premium, premium_vega))
        }?;
        (valuation.price.is_finite() && valuation.vega.is_finite()).then_some(valuation)
    }

    fn combine(
        &self,
        option_type: OptionType,
        strike: f64,
        european: f64,
        vega: f64,
        premium: f64,
        slope: f64,
    ) -> Valuation {
        let exercise = self.exercise(option_type, strike);
        let (value, vega) = (european + premium, vega + slope);
        if value <= exercise {
            return Valuation { price: exercise, vega: 0.0, delta: 0.0, gamma: 0.0 };
        }
        Valuation { price: value, vega: vega.max(0.0), delta: 0.0, gamma: 0.0 }
    }

    fn american_by_fallback(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<Valuation> {
        let bump = 1e-3 * sigma;
        let base = self.by_fallback(option_type, strike, sigma)?;
        let up = self.by_fallback(option_type, strike, sigma + bump)?;
        Some(Valuation {
            price: base.american,
            vega: ((up.american - base.american) / bump).max(0.0),
            delta: base.delta,
            gamma: base.gamma,
        })
    }

    /// American price, vega, delta and gamma.
    pub(crate) fn sensitivities(&self, option_type: OptionType, strike: f64, sigma: f64) -> Option<Valuation> {
        let mut valuation = self.american(option_type, strike, sigma)?;
        if self.irregular(option_type) {
            return Some(valuation);
        }
        let exercise = self.exercise(option_type, strike);
        if exercise > 0.0 && valuation.price <= exercise {
            valuation.delta = if option_type == OptionType::Call { 1.0 } else { -1.0 };
            return Some(valuation);
        }
        let at: Place = place(sigma)?;
        let premium = self.premium(option_type, strike, at.octave)?;
        let (black_sigma, _) = self.black(strike, sigma)?;
        let (delta, gamma) = self.black_greeks(option_type, strike, black_sigma);
        let bound = exp(-self.schedule.borrow * self.schedule.expiry).max(1.0);
        let (low, high) = if option_type == OptionType::Call { (0.0, bound) } else { (-bound, 0.0) };
        valuation.delta = (delta + premium.delta.at(at).0).clamp(low, high);
        valuation.gamma = (gamma + premium.gamma.at(at).0).max(0.0);
        (valuation.delta.is_finite() && valuation.gamma.is_finite()).then_some(valuation)
    }
}

fn lower_end_deviation(octave: i32, root_t: f64) -> f64 {
    octave::lower_end(octave) * root_t
}

fn end_value(ratio: &Interpolant, octave: i32, upper: bool) -> f64 {
    let end = octave::lower_end(if upper { octave + 1 } else { octave });
    // Rounding may put an end into the neighbouring octave; its own coordinate is what counts here.
    ratio.at(octave::end(octave, end, upper)).0
}

/// Missing values take their nearest neighbour's; volatilities descend.
fn fill(found: &[Option<f64>; LANES]) -> Lane {
    let mut values = [1.0; LANES];
    let mut last = found.iter().flatten().next().copied().unwrap_or(1.0);
    for (value, slot) in values.iter_mut().zip(found) {
        last = slot.unwrap_or(last);
        *value = last;
    }
    values
}

fn from_fallback(schedule: &Schedule, option_type: OptionType, strike: f64, sigmas: &Lane) -> Option<Outcome> {
    let mut outcome =
        Outcome { american: [0.0; LANES], european: [0.0; LANES], delta: [0.0; LANES], gamma: [0.0; LANES] };
    for (l, sigma) in sigmas.iter().enumerate() {
        let (n, m) = (fallback::SPACE_INTERVALS, fallback::TIME_STEPS);
        let result = fallback::solve(schedule, option_type, strike, *sigma, n, m)?;
        outcome.american[l] = result.american;
        outcome.european[l] = result.european;
        outcome.delta[l] = result.delta;
        outcome.gamma[l] = result.gamma;
    }
    Some(outcome)
}
