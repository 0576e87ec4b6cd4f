//! What every stage of one slice works with: strikes, discounting, forward, borrow, model.

use crate::day::{DividendKnowledge, PreviousSlice, UnderlyingDay};
use crate::mark::slices::Slice;
use crate::models::{ModelDividend, ModelInput, SliceModel, black};
use crate::nbbo::Nbbo;
use crate::parity::{Pair, ParityResult, SliceParity, SliceTerms, solve_parity};
use crate::price::{MICROS_PER_UNIT, Price};
use crate::publish::integers::quantise_discount_factor;
use crate::settings::Settings;
use crate::vocabulary::{ExerciseStyle, OptionType, QuoteStatus};

/// How far quantising a European discount factor may move the zero rate, per year, beyond two millionths of `D` itself.
const QUANTISATION_RATE: f64 = 1e-3;

/// One slice ready for volatilities.
#[derive(Clone, Debug)]
pub(crate) struct SliceWork {
    /// Place in the day's slices.
    pub(crate) slice: usize,
    pub(crate) exercise_style: ExerciseStyle,
    pub(crate) strikes: Vec<f64>,
    pub(crate) time_to_expiry: f64,
    /// 10^-12; for European slices quantised.
    pub(crate) discount_units: i64,
    pub(crate) discount_factor: f64,
    pub(crate) exact_parity: bool,
    pub(crate) forward: f64,
    /// `D F`; whole millionths for European slices.
    pub(crate) forward_present_value: f64,
    pub(crate) spot: f64,
    pub(crate) borrow: f64,
    pub(crate) dividend_present_value: f64,
    pub(crate) dividend_shift: f64,
    pub(crate) parity: SliceParity,
    pub(crate) bounds: ParityBounds,
    pub(crate) model: SliceModel,
}

impl SliceWork {
    /// Black volatility of a discounted European price on this slice's forward.
    pub(crate) fn black_volatility(&self, option_type: OptionType, strike: f64, price: f64) -> Option<f64> {
        let undiscounted = price / self.discount_factor;
        let intrinsic = match option_type {
            OptionType::Call => (self.forward - strike).max(0.0),
            OptionType::Put => (strike - self.forward).max(0.0),
        };
        let stdev = black::implied_stdev_otm(self.forward, strike, undiscounted - intrinsic)?;
        let sigma = stdev / self.time_to_expiry.sqrt();
        (sigma > 0.0 && sigma.is_finite()).then_some(sigma)
    }
}

/// The four parity bounds of an American slice, in the integers that are published.
///
/// Each bounds what may happen until the slice expires, so a later slice's contain every earlier one's: expiries with
/// borrows of different signs would otherwise contradict each other at strike zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParityBounds {
    /// `S max(1, e^{-bT})`, millionths, up.
    pub(crate) upper: i64,
    /// `S min(1, e^{-bT}) - PV(dividends)`, millionths, down.
    pub(crate) lower: i64,
    /// Least `D(t)`, 10^-12, down.
    pub(crate) discount_min: i64,
    /// Largest `D(t)`, 10^-12, up.
    pub(crate) discount_max: i64,
}

impl ParityBounds {
    fn of(spot: f64, borrow: f64, t: f64, dividend_present_value: f64, discount_factor: f64) -> Self {
        let carried = libm::exp(-borrow * t);
        let units = MICROS_PER_UNIT as f64;
        // The slice is priced with one flat rate, so D(t) is monotone and its extremes are the ends.
        Self {
            upper: (spot * carried.max(1.0) * units).ceil() as i64,
            lower: ((spot * carried.min(1.0) - dividend_present_value) * units).floor() as i64,
            discount_min: (discount_factor.min(1.0) * 1e12).floor() as i64,
            discount_max: (discount_factor.max(1.0) * 1e12).ceil() as i64,
        }
    }

    fn containing(self, earlier: Self) -> Self {
        Self {
            upper: self.upper.max(earlier.upper),
            lower: self.lower.min(earlier.lower),
            discount_min: self.discount_min.min(earlier.discount_min),
            discount_max: self.discount_max.max(earlier.discount_max),
        }
    }
}

/// The works of one class and what its parity decided.
pub(crate) struct ClassTerms {
    pub(crate) works: Vec<SliceWork>,
    /// Price of the underlying that serves everything (not of the basket).
    pub(crate) spot: Price,
    pub(crate) replaced: bool,
}

/// Solves discounting, forward and borrow of one class' slices with `T > 0`.
///
/// `hold_spot` keeps `spot` whatever the options say.
pub(crate) fn class_terms(
    day: &UnderlyingDay,
    slices: &[Slice],
    class: &[usize],
    nbbos: &[Nbbo],
    spot: Price,
    hold_spot: bool,
    settings: &Settings,
) -> ClassTerms {
    let live: Vec<(usize, &Slice)> = class
        .iter()
        .filter_map(|&place| slices.get(place).map(|s| (place, s)))
        .filter(|(_, s)| s.time_to_expiry > 0.0 && s.priceable && !s.strikes.is_empty())
        .collect();
    let discounts: Vec<Discount> = live.iter().map(|(_, slice)| discount_of(day, slice)).collect();
    let inputs: Vec<(SliceTerms, Vec<Pair>)> = live
        .iter()
        .zip(&discounts)
        .map(|((_, slice), discount)| {
            let terms = SliceTerms {
                exercise_style: slice.exercise_style,
                time_to_expiry: slice.time_to_expiry,
                discount_factor: discount.factor(),
                dividends: dividends_of(day, slice),
            };
            (terms, pairs_of(slice, nbbos, settings))
        })
        .collect();
    let basket_is_share = live.first().is_some_and(|(_, s)| s.ratio == 1.0 && s.cash == 0.0);
    let print = live.first().map_or(spot.to_f64(), |(_, s)| s.basket(spot.to_f64()));
    let ParityResult { spot: basket, replaced, slices: parities } =
        solve_parity(print, hold_spot || !basket_is_share, &inputs, &carried_borrow(day, &live), &settings.parity);
    let spot = if replaced { Price::nearest(basket).unwrap_or(spot) } else { spot };
    let mut works: Vec<SliceWork> = live
        .iter()
        .zip(discounts)
        .zip(inputs)
        .zip(parities)
        .map(|((((place, slice), discount), (terms, _)), parity)| {
            slice_work(day, *place, slice, discount, terms, parity, basket)
        })
        .collect();
    let mut earlier: Option<ParityBounds> = None;
    for work in &mut works {
        work.bounds = earlier.map_or(work.bounds, |e| work.bounds.containing(e));
        earlier = Some(work.bounds);
    }
    ClassTerms { works, spot, replaced }
}

#[derive(Clone, Copy)]
struct Discount {
    units: i64,
    exact_parity: bool,
}

impl Discount {
    fn factor(self) -> f64 {
        self.units as f64 * 1e-12
    }
}

fn discount_of(day: &UnderlyingDay, slice: &Slice) -> Discount {
    let t = slice.time_to_expiry;
    let factor = day.curve.discount_factor(t);
    let rounded = Discount { units: (factor * 1e12).round_ties_even() as i64, exact_parity: false };
    if slice.exercise_style == ExerciseStyle::American {
        return rounded;
    }
    let strikes: Vec<i64> = slice.strikes.iter().map(|s| s.strike.micros()).collect();
    match quantise_discount_factor(factor, &strikes, t, QUANTISATION_RATE + 2e-6 / t) {
        Some(units) if units > 0 => Discount { units, exact_parity: true },
        _ => rounded,
    }
}

/// Dividends of the deliverable with ex-dates up to the slice's settlement.
fn dividends_of(day: &UnderlyingDay, slice: &Slice) -> Vec<ModelDividend> {
    if slice.exercise_style == ExerciseStyle::European || day.dividend_knowledge != DividendKnowledge::Scheduled {
        return Vec::new();
    }
    day.dividends
        .iter()
        .filter(|d| d.time > slice.snapshot && d.time <= slice.settlement_time)
        .map(|d| ModelDividend { time: slice.snapshot.years_until(d.time), amount: d.amount * slice.ratio })
        .filter(|d| d.amount > 0.0 && d.time > 0.0)
        .collect()
}

/// The previous close's borrow (or carry) rates by today's times to expiry, ascending.
fn carried_borrow(day: &UnderlyingDay, live: &[(usize, &Slice)]) -> Vec<(f64, f64)> {
    live.iter()
        .filter_map(|(_, slice)| {
            let previous = previous_of(day, slice)?;
            Some((slice.time_to_expiry, previous.borrow_rate.filter(|b| b.is_finite())?))
        })
        .collect()
}

/// The previous close's slice of the same root, deliverable and expiration.
pub(crate) fn previous_of<'a>(day: &'a UnderlyingDay, slice: &Slice) -> Option<&'a PreviousSlice> {
    day.previous.iter().find(|p| {
        p.root == slice.root
            && p.deliverable == slice.deliverable
            && p.expiration == slice.expiration
            && p.settlement == slice.settlement
    })
}

/// Value at expiry of the dividends after it, at the slice's own growth rate.
fn dividends_after(day: &UnderlyingDay, slice: &Slice, growth: f64) -> f64 {
    if slice.exercise_style == ExerciseStyle::European || day.dividend_knowledge != DividendKnowledge::Scheduled {
        return 0.0;
    }
    day.dividends
        .iter()
        .filter(|d| d.time > slice.settlement_time && d.time > slice.snapshot)
        .map(|d| d.amount * slice.ratio * libm::exp(-growth * slice.settlement_time.years_until(d.time)))
        .sum()
}

/// The slice's call-put pairs. A locked side counts as wide as its neighbours: a locked market is as often a mistake as a
/// precise word, and with half a tick it would outvote every other pair together.
fn pairs_of(slice: &Slice, nbbos: &[Nbbo], settings: &Settings) -> Vec<Pair> {
    let quoted = |series: Option<usize>| {
        let nbbo = nbbos.get(series?)?;
        Some((nbbo.status, nbbo.mid()?.to_f64(), nbbo.half_spread(settings.nbbo.half_tick)?))
    };
    let typical = |kind: OptionType| {
        let mut halves: Vec<f64> =
            slice.strikes.iter().filter_map(|s| quoted(s.series(kind))).map(|(_, _, half)| half).collect();
        halves.sort_by(f64::total_cmp);
        halves.get(halves.len() / 2).copied().unwrap_or(settings.nbbo.half_tick)
    };
    let (typical_call, typical_put) = (typical(OptionType::Call), typical(OptionType::Put));
    let side = |series: Option<usize>, typical: f64| {
        let (status, mid, half) = quoted(series)?;
        Some((mid, if status == QuoteStatus::Locked { half.max(typical) } else { half }))
    };
    slice
        .strikes
        .iter()
        .filter_map(|s| {
            let (call, call_half_spread) = side(s.call, typical_call)?;
            let (put, put_half_spread) = side(s.put, typical_put)?;
            Some(Pair { strike: s.strike.to_f64(), call, call_half_spread, put, put_half_spread })
        })
        .collect()
}

fn slice_work(
    day: &UnderlyingDay,
    place: usize,
    slice: &Slice,
    discount: Discount,
    terms: SliceTerms,
    parity: SliceParity,
    spot: f64,
) -> SliceWork {
    let factor = discount.factor();
    let european = slice.exercise_style == ExerciseStyle::European;
    let t = slice.time_to_expiry;
    let mut present_value = factor * parity.forward;
    if european {
        present_value = (present_value * MICROS_PER_UNIT as f64).round_ties_even() / MICROS_PER_UNIT as f64;
    }
    let forward = if european { present_value / factor } else { parity.forward };
    let borrow = if european { terms.rate() - libm::log(forward / spot) / t } else { parity.borrow };
    let growth = terms.rate() - borrow;
    let dividend_present_value: f64 =
        terms.dividends.iter().map(|d| d.amount * day.curve.discount_factor(d.time)).sum();
    let dividend_shift = dividends_after(day, slice, growth);
    let model = SliceModel::new(ModelInput {
        exercise_style: slice.exercise_style,
        spot,
        time_to_expiry: t,
        discount_factor: factor,
        borrow,
        forward,
        dividends: terms.dividends,
    });
    SliceWork {
        slice: place,
        exercise_style: slice.exercise_style,
        strikes: slice.strikes.iter().map(|s| s.strike.to_f64()).collect(),
        time_to_expiry: t,
        discount_units: discount.units,
        discount_factor: factor,
        exact_parity: discount.exact_parity,
        forward,
        forward_present_value: present_value,
        spot,
        borrow,
        dividend_present_value,
        bounds: ParityBounds::of(spot, borrow, t, dividend_present_value, factor),
        dividend_shift: if dividend_shift < 0.9 * forward { dividend_shift } else { 0.0 },
        parity,
        model,
    }
}
