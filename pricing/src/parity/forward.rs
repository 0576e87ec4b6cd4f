//! One slice's forward from its call-put pairs.

use crate::models::{ModelDividend, ModelInput, SliceModel, holds_exercise};
use crate::settings::ParitySettings;
use crate::vocabulary::{ExerciseStyle, OptionType};

/// A strike at which both call and put are two-sided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Strike.
    pub strike: f64,
    /// Mid of the call.
    pub call: f64,
    /// Half-spread of the call, at least half a tick.
    pub call_half_spread: f64,
    /// Mid of the put.
    pub put: f64,
    /// Half-spread of the put.
    pub put_half_spread: f64,
}

/// What a slice's forward depends on besides its quotes.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceTerms {
    /// American or European.
    pub exercise_style: ExerciseStyle,
    /// Years, positive.
    pub time_to_expiry: f64,
    /// Discount factor.
    pub discount_factor: f64,
    /// Cash dividends up to expiry, per share of the deliverable.
    pub dividends: Vec<ModelDividend>,
}

impl SliceTerms {
    /// The zero rate to expiry, `-ln D / T`.
    pub fn rate(&self) -> f64 {
        -libm::log(self.discount_factor) / self.time_to_expiry
    }

    /// Value at expiry of the dividends up to expiry, growing at `growth = r - b`.
    fn dividends_at_expiry(&self, growth: f64) -> f64 {
        self.dividends.iter().map(|d| d.amount * libm::exp(growth * (self.time_to_expiry - d.time))).sum()
    }

    /// The forward of a spot.
    ///
    /// # Formula
    /// `F = S e^{(r-b)T} - sum d_i e^{(r-b)(T-t_i)}`
    pub fn forward(&self, spot: f64, borrow: f64) -> f64 {
        let growth = self.rate() - borrow;
        spot * libm::exp(growth * self.time_to_expiry) - self.dividends_at_expiry(growth)
    }

    /// The spot of a forward: [`SliceTerms::forward`] solved for `S`.
    pub fn spot(&self, forward: f64, borrow: f64) -> f64 {
        let growth = self.rate() - borrow;
        (forward + self.dividends_at_expiry(growth)) * libm::exp(-growth * self.time_to_expiry)
    }

    /// The borrow rate at which `spot` has this forward, within `[-limit, limit]`.
    ///
    /// Newton on `b` from the solution without dividends; the forward falls in `b`, so eight steps suffice.
    pub fn borrow(&self, spot: f64, forward: f64, limit: f64) -> f64 {
        let t = self.time_to_expiry;
        let mut borrow = 0.0;
        for _ in 0..8 {
            let growth = self.rate() - borrow;
            let target = forward + self.dividends_at_expiry(growth);
            if !(target > 0.0 && spot > 0.0) {
                return 0.0;
            }
            let next = (self.rate() - libm::log(target / spot) / t).clamp(-limit, limit);
            let step = (next - borrow).abs();
            borrow = next;
            if step < 1e-13 {
                break;
            }
        }
        borrow
    }

    /// The model of the slice at a spot and borrow; one that prices nothing where they leave no forward.
    pub fn model(&self, spot: f64, borrow: f64) -> SliceModel {
        let forward = self.forward(spot, borrow);
        SliceModel::new(ModelInput {
            exercise_style: self.exercise_style,
            spot,
            time_to_expiry: self.time_to_expiry,
            discount_factor: self.discount_factor,
            borrow,
            // Trials of a borrow must not wander into the slow solver for what is worth nothing.
            forward: if forward > 0.0 { forward } else { f64::NAN },
            dividends: self.dividends.clone(),
        })
    }
}

/// A slice's forward as its own quotes say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForwardEstimate {
    /// The forward.
    pub forward: f64,
    /// Lower end of what bids and asks of the pairs used allow; above `high` where they contradict each other.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// One standard error's worth, per share: from the pairs' half-spreads and their disagreement.
    pub uncertainty: f64,
    /// Pairs used.
    pub pairs: u32,
    /// Median over the five pairs nearest the money of |call vol - put vol| against a forward without that pair, in
    /// half-spreads; `None` with fewer than three pairs.
    pub left_out_residual: Option<f64>,
    /// At-the-money volatility seen on the way (American only).
    pub atm_volatility: Option<f64>,
    /// Rounds of de-Americanising.
    pub rounds: u32,
}

/// Pairs from which their own disagreement is an estimate of their error.
const AGREEING_PAIRS_MIN: usize = 5;

/// One pair as a statement about the forward.
#[derive(Clone, Copy)]
struct Sighting {
    forward: f64,
    half_width: f64,
    distance: f64,
}

/// Estimates the forward of one slice; `None` without a usable pair.
///
/// European: `y_i = K_i + (C_i - P_i)/D` with half-width `h_i` = (half-spreads)/D; the weighted median (weights 1/h^2)
/// of the pairs near the money, sharpened to the weighted mean of those that agree with it, held inside the interval
/// that bids and asks allow. American: the early-exercise premiums of both types under the slice's own model at the
/// money volatility come off first; the borrow that they depend on is re-estimated until the forward stands still.
pub fn estimate_forward(
    terms: &SliceTerms,
    spot: f64,
    pairs: &[Pair],
    settings: &ParitySettings,
) -> Option<ForwardEstimate> {
    let discount = terms.discount_factor;
    let nearest = pairs.iter().min_by(|a, b| (a.call - a.put).abs().total_cmp(&(b.call - b.put).abs()))?;
    let money = nearest.strike + (nearest.call - nearest.put) / discount;
    let european = terms.exercise_style == ExerciseStyle::European;
    let reach = if european { 4.0 * settings.money_deviations } else { settings.money_deviations };
    let used = near_the_money(pairs.iter().collect(), money, nearest, reach, (spot, terms));

    let estimate = combine(&sightings(&used, money, discount, &vec![0.0; used.len()]))?;
    if european {
        return Some(estimate);
    }
    de_americanise(terms, spot, &used, money, estimate, None, settings)
}

/// Estimates the forward of an American slice whose own pairs contradict each other, from those that agree with what
/// the trustworthy expiries say: within their half-width and `margin` of `reference`. `None` where none does.
pub(super) fn estimate_forward_near(
    terms: &SliceTerms,
    spot: f64,
    pairs: &[Pair],
    (reference, margin): (f64, f64),
    settings: &ParitySettings,
) -> Option<ForwardEstimate> {
    let discount = terms.discount_factor;
    // Early exercise may move a pair by some percent, which is not yet off here.
    let plausible: Vec<&Pair> = pairs
        .iter()
        .filter(|p| {
            let forward = p.strike + (p.call - p.put) / discount;
            let half_width = (p.call_half_spread + p.put_half_spread) / discount;
            (forward - reference).abs() <= half_width + margin + EARLY_EXERCISE_SHARE * reference
        })
        .collect();
    let nearest = plausible
        .iter()
        .min_by(|a, b| (a.strike - reference).abs().total_cmp(&(b.strike - reference).abs()))
        .copied()?;
    let used = near_the_money(plausible, reference, nearest, settings.money_deviations, (spot, terms));
    let start = ForwardEstimate {
        forward: reference,
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
        uncertainty: f64::INFINITY,
        pairs: 0,
        left_out_residual: None,
        atm_volatility: None,
        rounds: 0,
    };
    let found = de_americanise(terms, spot, &used, reference, start, Some((reference, margin)), settings)?;
    (found.pairs > 0).then_some(found)
}

/// What early exercise may take from a pair near the money, as a share of the forward.
const EARLY_EXERCISE_SHARE: f64 = 0.02;

/// Whether a side of an American pair is worth exercise at once, and so says nothing about the forward.
fn is_exercised(pair: &Pair, spot: f64) -> bool {
    let Pair { strike, call, call_half_spread, put, put_half_spread } = *pair;
    holds_exercise(OptionType::Call, spot, strike, call, call_half_spread)
        || holds_exercise(OptionType::Put, spot, strike, put, put_half_spread)
}

/// Pairs that are taken in place of exercised ones are at least so many.
const PAIRS_MIN: usize = 3;

/// Pairs within `reach` standard deviations of `money`, nearest first, at least three where there are.
///
/// Where the three nearest American ones are worth exercise, as between forward and price of a name that is hard to
/// borrow, the nearest that are not.
fn near_the_money<'a>(
    mut pairs: Vec<&'a Pair>,
    money: f64,
    nearest: &Pair,
    reach: f64,
    (spot, terms): (f64, &SliceTerms),
) -> Vec<&'a Pair> {
    // At the money a straddle is worth about 0.8 standard deviations.
    let deviation = (1.25 * (nearest.call + nearest.put) / terms.discount_factor).max(1e-9);
    pairs.sort_by(|a, b| {
        (a.strike - money).abs().total_cmp(&(b.strike - money).abs()).then(a.strike.total_cmp(&b.strike))
    });
    let american = terms.exercise_style == ExerciseStyle::American;
    if american && pairs.iter().take(PAIRS_MIN).all(|p| is_exercised(p, spot)) {
        let others: Vec<&Pair> = pairs.iter().copied().filter(|p| !is_exercised(p, spot)).collect();
        if others.len() >= PAIRS_MIN {
            pairs = others;
        }
    }
    let within = pairs.iter().take_while(|p| (p.strike - money).abs() <= reach * deviation).count();
    pairs.truncate(within.max(PAIRS_MIN));
    pairs
}

/// Early-exercise premiums of the pairs, call less put, each type in one batch.
fn premiums(model: &SliceModel, used: &[&Pair], sigma: f64) -> Vec<f64> {
    let strikes: Vec<f64> = used.iter().map(|p| p.strike).collect();
    let [call, put] = [OptionType::Call, OptionType::Put].map(|kind| model.premiums(kind, &strikes, sigma));
    let each = call.into_iter().zip(put);
    each.map(|(call, put)| call.unwrap_or(0.0) - put.unwrap_or(0.0)).collect()
}

/// Pairs as statements about the forward once their premiums (call less put) are off.
fn sightings(used: &[&Pair], money: f64, discount: f64, premiums: &[f64]) -> Vec<Sighting> {
    used.iter()
        .zip(premiums)
        .map(|(p, premium)| Sighting {
            forward: p.strike + (p.call - p.put - premium) / discount,
            half_width: (p.call_half_spread + p.put_half_spread) / discount,
            distance: (p.strike - money).abs(),
        })
        .collect()
}

/// A forward stands still that moves by less than this share of the spot, or of its own standard error: the next round moves
/// it by a fraction of that.
const STILL_SPOT: f64 = 1e-7;
const STILL_UNCERTAINTY: f64 = 1e-3;

/// Takes early-exercise premiums off and estimates again until the forward stands still; with `near` only pairs within
/// their half-width and a margin of a reference count.
fn de_americanise(
    terms: &SliceTerms,
    spot: f64,
    used: &[&Pair],
    money: f64,
    start: ForwardEstimate,
    near: Option<(f64, f64)>,
    settings: &ParitySettings,
) -> Option<ForwardEstimate> {
    let mut estimate = start;
    let mut atm_volatility = None;
    for round in 1..=settings.rounds_max {
        let borrow = terms.borrow(spot, estimate.forward, settings.borrow_max);
        let model = terms.model(spot, borrow);
        let Some(sigma) = money_volatility(&model, used).or(atm_volatility) else { break };
        atm_volatility = Some(sigma);
        let mut seen = sightings(used, money, terms.discount_factor, &premiums(&model, used, sigma));
        if let Some((reference, margin)) = near {
            seen.retain(|s| (s.forward - reference).abs() <= s.half_width + margin);
        }
        let next = combine(&seen)?;
        let moved = (next.forward - estimate.forward).abs();
        estimate = ForwardEstimate { rounds: round, atm_volatility, ..next };
        if moved <= (STILL_SPOT * spot).max(STILL_UNCERTAINTY * estimate.uncertainty.min(spot)) {
            break;
        }
    }
    Some(estimate)
}

/// The mean of call and put volatility at the pairs nearest the money: what a wrong borrow adds to one it takes from
/// the other.
fn money_volatility(model: &SliceModel, by_distance: &[&Pair]) -> Option<f64> {
    by_distance.iter().take(3).find_map(|p| {
        let call = model.implied_volatility(OptionType::Call, p.strike, p.call, p.call_half_spread).volatility;
        let put = model.implied_volatility(OptionType::Put, p.strike, p.put, p.put_half_spread).volatility;
        match (call, put) {
            (Some(call), Some(put)) => Some(0.5 * (call + put)),
            (one, other) => one.or(other),
        }
    })
}

fn combine(sightings: &[Sighting]) -> Option<ForwardEstimate> {
    let (forward, uncertainty) = centre(sightings, None)?;
    let low = sightings.iter().map(|s| s.forward - s.half_width).fold(f64::NEG_INFINITY, f64::max);
    let high = sightings.iter().map(|s| s.forward + s.half_width).fold(f64::INFINITY, f64::min);
    let forward = if low <= high { forward.clamp(low, high) } else { forward };
    (forward > 0.0 && forward.is_finite()).then_some(ForwardEstimate {
        forward,
        low,
        high,
        uncertainty,
        pairs: sightings.len() as u32,
        left_out_residual: left_out_residual(sightings),
        atm_volatility: None,
        rounds: 0,
    })
}

/// Weighted median, then the weighted mean of the sightings that contain it; with a standard error.
fn centre(sightings: &[Sighting], without: Option<usize>) -> Option<(f64, f64)> {
    let mut sorted: Vec<(f64, f64)> = sightings
        .iter()
        .enumerate()
        .filter(|(i, s)| Some(*i) != without && s.forward.is_finite() && s.half_width > 0.0)
        .map(|(_, s)| (s.forward, s.half_width))
        .collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let total: f64 = sorted.iter().map(|(_, h)| 1.0 / (h * h)).sum();
    let mut below = 0.0;
    let median = sorted.iter().find_map(|&(y, h)| {
        below += 1.0 / (h * h);
        (below >= 0.5 * total).then_some(y)
    })?;
    let (mut weight, mut mean, mut spread) = (0.0, 0.0, 0.0);
    for &(y, h) in sorted.iter().filter(|(y, h)| (y - median).abs() <= *h) {
        let w = 1.0 / (h * h);
        weight += w;
        mean += w * (y - median);
        spread += w * (y - median) * (y - median);
    }
    if weight <= 0.0 {
        return Some((median, f64::INFINITY));
    }
    let mean_shift = mean / weight;
    let scatter = (spread / weight - mean_shift * mean_shift).max(0.0);
    // A mid is uniform within its spread at worst: h^2/3. Where enough pairs show that they agree better than that,
    // half of the width is kept for what they may have wrong in common.
    let width = 1.0 / (3.0 * weight);
    let width = if sorted.len() >= AGREEING_PAIRS_MIN { width / 4.0 } else { width };
    let variance = width.max(scatter / sorted.len() as f64);
    Some((median + mean_shift, variance.sqrt()))
}

fn left_out_residual(sightings: &[Sighting]) -> Option<f64> {
    if sightings.len() < 3 {
        return None;
    }
    let mut order: Vec<usize> = (0..sightings.len()).collect();
    order.sort_by(|&a, &b| {
        let key = |i: usize| sightings.get(i).map_or(f64::INFINITY, |s| s.distance);
        key(a).total_cmp(&key(b)).then(a.cmp(&b))
    });
    let mut residuals: Vec<f64> = order
        .iter()
        .take(5)
        .filter_map(|&i| {
            let (others, _) = centre(sightings, Some(i))?;
            let s = sightings.get(i)?;
            // Both volatilities share the vega, so their gap in half-spreads is the gap in forwards over the mean half-spread.
            Some(2.0 * (s.forward - others).abs() / s.half_width)
        })
        .collect();
    residuals.sort_by(f64::total_cmp);
    residuals.get(residuals.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(style: ExerciseStyle, dividends: Vec<ModelDividend>) -> SliceTerms {
        SliceTerms { exercise_style: style, time_to_expiry: 0.25, discount_factor: libm::exp(-0.04 * 0.25), dividends }
    }

    #[test]
    fn forward_spot_and_borrow_are_inverse_to_each_other() {
        let t = terms(ExerciseStyle::American, vec![ModelDividend { time: 0.1, amount: 0.8 }]);
        let forward = t.forward(100.0, 0.03);
        // Independent: cash grows at r - b from its date.
        let growth = 0.04_f64 - 0.03;
        assert!((forward - (100.0 * libm::exp(growth * 0.25) - 0.8 * libm::exp(growth * 0.15))).abs() < 1e-12);
        assert!((t.spot(forward, 0.03) - 100.0).abs() < 1e-11);
        assert!((t.borrow(100.0, forward, 2.0) - 0.03).abs() < 1e-11);
        assert_eq!(t.borrow(100.0, 1.0, 2.0), 2.0);
    }

    #[test]
    fn european_forward_survives_a_stale_side() {
        let t = terms(ExerciseStyle::European, Vec::new());
        let d = t.discount_factor;
        let mut pairs: Vec<Pair> = (90..=110)
            .map(|k| {
                let gap = d * (101.3 - k as f64);
                let distance = (k as f64 - 101.3) / 8.0;
                let time_value = 4.0 * libm::exp(-distance * distance);
                Pair {
                    strike: k as f64,
                    call: gap.max(0.0) + time_value,
                    put: (-gap).max(0.0) + time_value,
                    call_half_spread: 0.05,
                    put_half_spread: 0.05,
                }
            })
            .collect();
        pairs[9].call += 0.7;
        pairs[12].put += 0.9;
        let e = estimate_forward(&t, 100.0, &pairs, &ParitySettings::default()).unwrap();
        assert!((e.forward - 101.3).abs() < 1e-9, "{e:?}");
        assert!(e.low > e.high, "a contradiction must show: {e:?}");
    }

    #[test]
    fn no_pair_is_no_forward() {
        let t = terms(ExerciseStyle::European, Vec::new());
        assert_eq!(estimate_forward(&t, 100.0, &[], &ParitySettings::default()), None);
    }
}
