//! What smoothing is offered: the quotes of each slice of a class as volatilities.

use crate::day::UnderlyingDay;
use crate::mark::slices::{Slice, group_classes, group_slices};
use crate::mark::stale;
use crate::mark::terms::{SliceWork, class_terms, previous_of};
use crate::mark::volatilities::{QuoteVolatility, implied_of, quote_volatility};
use crate::nbbo::{Nbbo, consolidate};
use crate::price::Price;
use crate::settings::Settings;
use crate::smoothing::{Curve, SliceInput, VolatilityQuote};
use crate::vocabulary::{ExerciseStyle, OptionType, VolatilityStatus};

/// One class as smoothing sees it: for reports that compare smoothers on equal terms.
#[derive(Clone, Debug)]
pub struct SmoothingClass {
    /// Places of the slices in [`UnderlyingMarks::slices`](super::UnderlyingMarks::slices).
    pub slices: Vec<usize>,
    /// What the smoother is given, one per slice.
    pub inputs: Vec<SliceInput>,
    /// The series of each quote, one list per slice, as places in [`UnderlyingDay::series`].
    pub series: Vec<Vec<usize>>,
}

/// Every class of an underlying as its first smoothing sees it (before quotes are found to be stale); empty without a price.
pub fn smoothing_classes(day: &UnderlyingDay, settings: &Settings) -> Vec<SmoothingClass> {
    let Some(print) = day.price.filter(|p| *p > Price::ZERO) else { return Vec::new() };
    let nbbos: Vec<Nbbo> = (0..day.series.len()).map(|i| consolidate(day.quotes_of(i))).collect();
    let slices = group_slices(day);
    let mut spot = print;
    let mut out = Vec::new();
    for (place, class) in group_classes(&slices).iter().enumerate() {
        let terms = class_terms(day, &slices, class, &nbbos, spot, place > 0, settings);
        if terms.replaced {
            spot = terms.spot;
        }
        let offered = Offered::of(day, &slices, &terms.works, &nbbos, settings);
        out.push(SmoothingClass {
            slices: terms.works.iter().map(|work| work.slice).collect(),
            inputs: offered.inputs,
            series: offered.series,
        });
    }
    out
}

/// The quotes of one class.
pub(super) struct Offered {
    /// One per series of the day.
    pub(super) volatilities: Vec<QuoteVolatility>,
    /// One per slice.
    pub(super) inputs: Vec<SliceInput>,
    /// Places of each smoothing quote's series: per slice, parallel to the smoother's outcomes.
    pub(super) series: Vec<Vec<usize>>,
}

impl Offered {
    pub(super) fn of(
        day: &UnderlyingDay,
        slices: &[Slice],
        works: &[SliceWork],
        nbbos: &[Nbbo],
        settings: &Settings,
    ) -> Self {
        let mut volatilities = vec![QuoteVolatility::none(VolatilityStatus::NoPrice); nbbos.len()];
        let mut inputs = Vec::with_capacity(works.len());
        let mut offered = Vec::with_capacity(works.len());
        for work in works {
            let Some(slice) = slices.get(work.slice) else { continue };
            let (mut quotes, mut series) = (Vec::new(), Vec::new());
            let implied = implied_of(work, slice, nbbos, settings);
            let old = stale::stale_candidates(slice, nbbos, &settings.nbbo);
            for (place, strike) in slice.strikes.iter().enumerate() {
                for kind in [OptionType::Call, OptionType::Put] {
                    let Some(index) = strike.series(kind) else { continue };
                    let (Some(nbbo), Some(slot)) = (nbbos.get(index), volatilities.get_mut(index)) else { continue };
                    *slot = quote_volatility(work, place, kind, nbbo, &implied, settings);
                    if let Some(seen) = slot.seen {
                        quotes.push(VolatilityQuote { old: old.binary_search(&index).is_ok(), ..seen });
                        series.push(index);
                    }
                }
            }
            inputs.push(slice_input(day, slice, work, quotes));
            offered.push(series);
        }
        Self { volatilities, inputs, series: offered }
    }
}

fn slice_input(day: &UnderlyingDay, slice: &Slice, work: &SliceWork, quotes: Vec<VolatilityQuote>) -> SliceInput {
    SliceInput {
        forward: work.forward,
        discount_factor: work.discount_factor,
        time_to_expiry: work.time_to_expiry,
        dividend_shift: work.dividend_shift,
        calendar: slice.calendar,
        american: work.exercise_style == ExerciseStyle::American,
        strikes: work.strikes.clone(),
        quotes,
        previous: previous_curve(day, slice),
    }
}

/// The previous close's curve of the same slice, as volatility over log-moneyness.
fn previous_curve(day: &UnderlyingDay, slice: &Slice) -> Option<Curve> {
    let previous = previous_of(day, slice)?;
    let expired = previous.time_to_expiry.is_nan() || previous.time_to_expiry <= 0.0;
    if expired || previous.log_moneyness.is_empty() {
        return None;
    }
    let volatility: Vec<f64> =
        previous.total_variance.iter().map(|w| (w / previous.time_to_expiry).max(0.0).sqrt()).collect();
    let sound = volatility.len() == previous.log_moneyness.len()
        && volatility.iter().all(|v| v.is_finite() && *v > 0.0)
        && previous.log_moneyness.iter().all(|k| k.is_finite())
        && previous.log_moneyness.iter().zip(previous.log_moneyness.iter().skip(1)).all(|(a, b)| a < b);
    sound.then(|| Curve { log_moneyness: previous.log_moneyness.clone(), volatility })
}
