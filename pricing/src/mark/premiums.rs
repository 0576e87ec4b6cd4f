//! From smoothed curves to published integers: price both types, project (American), round, fix exactly.

use crate::mark::fixed::{self, Fixed};
use crate::mark::slices::{Slice, Strike};
use crate::mark::stage::MarkStage;
use crate::mark::terms::SliceWork;
use crate::nbbo::Nbbo;
use crate::price::{MICROS_PER_UNIT, Price};
use crate::publish::european::{PutSlice, project_european};
use crate::publish::integers::{IntegerSlice, publish_integers};
use crate::publish::projection::{PremiumSlice, project_american};
use crate::settings::Settings;
use crate::smoothing::SmoothedSlice;
use crate::vocabulary::{ExerciseStyle, OptionType, Reasons};

/// One slice's prices by strike.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlicePrices {
    /// The model's volatility at each strike.
    pub(crate) sigma: Vec<Option<f64>>,
    /// Whether the price is a bare mid because there is no curve.
    pub(crate) from_mid: Vec<bool>,
    /// Model prices before projection, `[call, put]`; every strike of a European slice has both.
    pub(crate) model: [Vec<Option<f64>>; 2],
    /// After projection: the unrounded marks.
    pub(crate) unrounded: [Vec<Option<f64>>; 2],
    /// Published millionths.
    pub(crate) published: [Vec<Option<i64>>; 2],
    /// Why a price was moved after smoothing.
    pub(crate) reasons: [Vec<Reasons>; 2],
    /// Largest move of exact publication, millionths.
    pub(crate) largest_move: i64,
    /// The smallest possible largest move of its class, millionths.
    pub(crate) smallest_possible_move: Option<i64>,
    /// Whether the projection and the integers both ended well.
    pub(crate) converged: bool,
    /// What people fixed: place of the strike, side, place of the series, and the mark it would have had.
    pub(crate) fixed: Vec<(usize, usize, usize, Option<Price>)>,
    /// Whether fixed marks of the class contradict the conditions, so that nothing was published.
    pub(crate) contradicted: bool,
}

/// The place of a type in `[call, put]`.
pub(crate) const fn side(option_type: OptionType) -> usize {
    match option_type {
        OptionType::Call => 0,
        OptionType::Put => 1,
    }
}

/// The value at a strike's place, or nothing.
pub(crate) fn at<T: Copy>(values: &[Option<T>], place: usize) -> Option<T> {
    values.get(place).copied().flatten()
}

/// Prices and publishes one class.
pub(crate) fn class_prices(
    works: &[SliceWork],
    slices: &[Slice],
    smoothed: &[SmoothedSlice],
    nbbos: &[Nbbo],
    fixed: &Fixed<'_>,
    settings: &Settings,
    begins: &mut dyn FnMut(MarkStage),
) -> Vec<SlicePrices> {
    begins(MarkStage::ModelPrices);
    let mut prices: Vec<SlicePrices> = works
        .iter()
        .zip(smoothed)
        .map(|(work, curve)| model_prices(work, strikes_of(work, slices), curve, nbbos))
        .collect();
    begins(MarkStage::Projection);
    if works.first().is_some_and(|w| w.exercise_style == ExerciseStyle::American) {
        project(works, slices, &mut prices, nbbos, settings);
    } else {
        project_puts(works, slices, &mut prices, nbbos, settings);
    }
    begins(MarkStage::Integers);
    fixed.put(works, slices, &mut prices);
    integers(works, slices, &mut prices);
    prices
}

fn model_prices(work: &SliceWork, strikes: &[Strike], curve: &SmoothedSlice, nbbos: &[Nbbo]) -> SlicePrices {
    let n = work.strikes.len();
    let mut out = SlicePrices {
        sigma: vec![None; n],
        from_mid: vec![false; n],
        model: [vec![None; n], vec![None; n]],
        reasons: [vec![Reasons::EMPTY; n], vec![Reasons::EMPTY; n]],
        ..SlicePrices::default()
    };
    let listed = work.strikes.iter().zip(strikes);
    let sigmas: Vec<Option<f64>> = listed
        .enumerate()
        .map(|(place, (&strike, _))| at(&curve.volatility, place).and_then(|u| work.model.model_from_black(strike, u)))
        .collect();
    let american = match work.exercise_style {
        ExerciseStyle::American => {
            [OptionType::Call, OptionType::Put].map(|kind| american_prices(work, strikes, &sigmas, kind))
        }
        ExerciseStyle::European => [Vec::new(), Vec::new()],
    };
    for (place, (&strike, listed)) in work.strikes.iter().zip(strikes).enumerate() {
        let sigma = at(&sigmas, place);
        let pair = match (work.exercise_style, sigma) {
            (ExerciseStyle::European, _) => european_pair(work, strike, at(&curve.price, place)),
            (ExerciseStyle::American, _) => {
                let [call, put] = &american;
                [at(call, place), at(put, place)]
            }
        };
        let (pair, from_mid) =
            if pair == [None, None] { (mid_pair(work, strike, listed, nbbos), true) } else { (pair, false) };
        if let Some(slot) = out.sigma.get_mut(place) {
            *slot = sigma;
        }
        if let Some(slot) = out.from_mid.get_mut(place) {
            *slot = from_mid;
        }
        for (values, price) in out.model.iter_mut().zip(pair) {
            if let Some(slot) = values.get_mut(place) {
                *slot = price.filter(|p| p.is_finite() && *p >= 0.0);
            }
        }
    }
    out
}

/// Prices of one type at the strikes that list it and have a volatility, in one batch.
fn american_prices(work: &SliceWork, strikes: &[Strike], sigmas: &[Option<f64>], kind: OptionType) -> Vec<Option<f64>> {
    let all = work.strikes.iter().zip(strikes).zip(sigmas).enumerate();
    let asked: Vec<(usize, f64, f64)> = all
        .filter_map(|(place, ((&strike, listed), &sigma))| listed.series(kind).and(sigma).map(|s| (place, strike, s)))
        .collect();
    let strikes: Vec<f64> = asked.iter().map(|(_, strike, _)| *strike).collect();
    let sigmas: Vec<f64> = asked.iter().map(|(.., sigma)| *sigma).collect();
    // What is not written stays no number.
    let mut found = vec![f64::NAN; asked.len()];
    work.model.prices(kind, &strikes, &sigmas, &mut found);
    let mut prices = vec![None; work.strikes.len()];
    for ((place, ..), price) in asked.into_iter().zip(found) {
        if let Some(slot) = prices.get_mut(place) {
            *slot = Some(price).filter(|price| price.is_finite());
        }
    }
    prices
}

/// Call and put from the out-of-the-money price, by parity.
fn european_pair(work: &SliceWork, strike: f64, out_of_the_money: Option<f64>) -> [Option<f64>; 2] {
    let forward_value = work.forward_present_value - work.discount_factor * strike;
    match out_of_the_money {
        Some(price) if strike < work.forward => [Some(price + forward_value), Some(price)],
        Some(price) => [Some(price), Some(price - forward_value)],
        None => [None, None],
    }
}

/// Bare mids, where there is no curve at all.
fn mid_pair(work: &SliceWork, strike: f64, listed: &Strike, nbbos: &[Nbbo]) -> [Option<f64>; 2] {
    let mid = |kind| listed.series(kind).and_then(|i| nbbos.get(i)).and_then(Nbbo::mid).map(Price::to_f64);
    let (call, put) = (mid(OptionType::Call), mid(OptionType::Put));
    if work.exercise_style == ExerciseStyle::American {
        return [call, put];
    }
    let forward_value = work.forward_present_value - work.discount_factor * strike;
    let out = if strike < work.forward {
        put.or(call.map(|c| c - forward_value))
    } else {
        call.or(put.map(|p| p + forward_value))
    };
    european_pair(work, strike, out.map(|p| p.max(0.0)))
}

fn strikes_of<'a>(work: &SliceWork, slices: &'a [Slice]) -> &'a [Strike] {
    slices.get(work.slice).map_or(&[], |slice| slice.strikes.as_slice())
}

/// What a move of each premium of one type weighs: 1/half-spread^2, where nothing is quoted as if widely.
fn weights(
    work: &SliceWork,
    strikes: &[Strike],
    prices: &SlicePrices,
    kind: OptionType,
    nbbos: &[Nbbo],
    settings: &Settings,
) -> Vec<f64> {
    let weight = |place: usize| {
        let quoted = strikes.get(place).and_then(|s| s.series(kind)).and_then(|i| nbbos.get(i));
        let price = prices.model.get(side(kind)).and_then(|v| at(v, place)).unwrap_or(0.0);
        let half = quoted.and_then(|n| n.half_spread(settings.nbbo.half_tick)).unwrap_or(0.05 + 0.05 * price);
        1.0 / (half * half)
    };
    (0..work.strikes.len()).map(weight).collect()
}

/// European classes: puts of all expiries made consistent where three of them disagree; calls follow by parity.
fn project_puts(
    works: &[SliceWork],
    slices: &[Slice],
    prices: &mut [SlicePrices],
    nbbos: &[Nbbo],
    settings: &Settings,
) {
    let mut puts: Vec<PutSlice> = works
        .iter()
        .zip(prices.iter())
        .map(|(work, p)| {
            let strikes = strikes_of(work, slices);
            let of = |kind| weights(work, strikes, p, kind, nbbos, settings);
            // The side out of the money is the one that is quoted well.
            let weight = of(OptionType::Put).into_iter().zip(of(OptionType::Call)).map(|(put, call)| put.max(call));
            PutSlice {
                strikes: work.strikes.clone(),
                put: p.model[1].clone(),
                weight: weight.collect(),
                discount_factor: work.discount_factor,
                forward_present_value: work.forward_present_value,
                calendar: slices.get(work.slice).is_some_and(|s| s.calendar),
            }
        })
        .collect();
    let report = project_european(&mut puts, &settings.publish);
    for ((p, after), reasons) in prices.iter_mut().zip(puts).zip(report.reasons) {
        p.unrounded = p.model.clone();
        p.converged = report.converged;
        let [calls, puts] = &mut p.unrounded;
        for ((call, put), moved) in calls.iter_mut().zip(puts).zip(after.put) {
            if let (Some(put), Some(moved)) = (put.as_mut(), moved)
                && *put != moved
            {
                *call = call.map(|call| call + moved - *put);
                *put = moved;
            }
        }
        merge(&mut p.reasons, &[reasons.clone(), reasons]);
    }
}

fn project(works: &[SliceWork], slices: &[Slice], prices: &mut [SlicePrices], nbbos: &[Nbbo], settings: &Settings) {
    let mut premiums: Vec<PremiumSlice> = works
        .iter()
        .zip(prices.iter())
        .map(|(work, p)| {
            let weight = |kind| weights(work, strikes_of(work, slices), p, kind, nbbos, settings);
            let bounds = work.bounds;
            PremiumSlice {
                strikes: work.strikes.clone(),
                call: p.model[0].clone(),
                put: p.model[1].clone(),
                call_weight: weight(OptionType::Call),
                put_weight: weight(OptionType::Put),
                spot: work.spot,
                parity_upper: bounds.upper as f64 / MICROS_PER_UNIT as f64,
                parity_lower: bounds.lower as f64 / MICROS_PER_UNIT as f64,
                discount_factor_min: bounds.discount_min as f64 * 1e-12,
                discount_factor_max: bounds.discount_max as f64 * 1e-12,
                calendar: slices.get(work.slice).is_some_and(|s| s.calendar),
            }
        })
        .collect();
    let report = project_american(&mut premiums, &settings.publish);
    let mut reasons = report.call_reasons.into_iter().zip(report.put_reasons);
    for (p, premium) in prices.iter_mut().zip(premiums) {
        p.unrounded = [premium.call, premium.put];
        p.converged = report.converged;
        if let Some((call, put)) = reasons.next() {
            merge(&mut p.reasons, &[call, put]);
        }
    }
}

fn merge(into: &mut [Vec<Reasons>; 2], from: &[Vec<Reasons>; 2]) {
    for (into, from) in into.iter_mut().zip(from) {
        for (into, from) in into.iter_mut().zip(from) {
            into.extend(*from);
        }
    }
}

/// What exact publication is given.
fn integer_slices(works: &[SliceWork], slices: &[Slice], prices: &[SlicePrices]) -> Vec<IntegerSlice> {
    works
        .iter()
        .zip(prices.iter())
        .map(|(work, p)| {
            let round = |values: &[Option<f64>]| -> Vec<Option<i64>> {
                values.iter().map(|v| v.and_then(Price::nearest).map(Price::micros)).collect()
            };
            let american = work.exercise_style == ExerciseStyle::American;
            let bounds = work.bounds;
            let slice = slices.get(work.slice);
            let [call_fixed, put_fixed] = fixed::flags(p, work.strikes.len());
            IntegerSlice {
                exercise_style: work.exercise_style,
                strikes: slice.map(|s| s.strikes.iter().map(|k| k.strike.micros()).collect()).unwrap_or_default(),
                call: round(&p.unrounded[0]),
                put: round(&p.unrounded[1]),
                call_fixed,
                put_fixed,
                discount_factor: work.discount_units,
                forward_present_value: if american {
                    0
                } else {
                    Price::nearest(work.forward_present_value).map_or(0, Price::micros)
                },
                exact_parity: work.exact_parity,
                spot: Price::nearest(work.spot).map_or(0, Price::micros),
                parity_upper: bounds.upper,
                parity_lower: bounds.lower,
                discount_factor_min: bounds.discount_min,
                discount_factor_max: bounds.discount_max,
                calendar: slice.is_some_and(|s| s.calendar),
            }
        })
        .collect()
}

fn integers(works: &[SliceWork], slices: &[Slice], prices: &mut [SlicePrices]) {
    let mut integer = integer_slices(works, slices, prices);
    let any_fixed = prices.iter().any(|p| !p.fixed.is_empty());
    let report = publish_integers(&mut integer);
    let mut moves = report.largest_move.into_iter();
    let mut reasons = report.call_reasons.into_iter().zip(report.put_reasons);
    for (p, slice) in prices.iter_mut().zip(integer) {
        p.published = [slice.call, slice.put];
        p.largest_move = moves.next().unwrap_or(0);
        p.smallest_possible_move = report.smallest_possible_move;
        p.converged &= report.feasible;
        p.contradicted = any_fixed && !report.feasible;
        if let Some((call, put)) = reasons.next() {
            merge(&mut p.reasons, &[call, put]);
        }
    }
}
