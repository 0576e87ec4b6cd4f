//! From one underlying's day to its rows: the only caller of every stage, in order.

mod borrow;
mod confidence;
mod exceptions;
mod figures;
mod fixed;
mod history;
mod offered;
mod premiums;
mod risk_rows;
mod rows;
mod sensitivities;
mod series_rows;
mod slices;
mod stage;
mod stale;
mod terms;
mod volatilities;

use std::collections::BTreeMap;

use crate::day::UnderlyingDay;
use crate::nbbo::{Nbbo, consolidate};
use crate::price::Price;
use crate::settings::Settings;
use crate::smoothing::{Round, SliceInput, SmoothedSlice, smooth_class, smooth_class_by_rounds};
use crate::vocabulary::{ExerciseStyle, QuoteFlag, Reason, Reasons};

use fixed::Fixed;
pub use fixed::{Contradiction, FixedMark};
pub use history::{PriceSteps, SliceHistory, SmoothingStep, mark_underlying_by_steps};
use offered::Offered;
pub use offered::{SmoothingClass, smoothing_classes};
use premiums::{SlicePrices, class_prices};
pub use rows::{ExceptionRow, Greeks, SeriesMark, SliceMark, UnderlyingMarks, ViolationCounts};
use slices::{Slice, group_classes, group_slices};
pub use stage::MarkStage;
use terms::{ClassTerms, SliceWork, class_terms};
use volatilities::QuoteVolatility;

/// One class on its way through the stages.
struct ClassResult {
    works: Vec<SliceWork>,
    smoothed: Vec<SmoothedSlice>,
    prices: Vec<SlicePrices>,
    /// Places of each smoothing quote's series: per slice, parallel to the smoother's outcomes.
    offered: Vec<Vec<usize>>,
    /// The rounds of each smoothing, by slice: one smoothing, or two where quotes were found to be stale; none where only
    /// the result is kept.
    rounds: Vec<Vec<Vec<Round>>>,
}

/// What is kept of the way to a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Result,
    Rounds,
}

/// What is kept of the way, and who is told which stage begins.
struct Way<'a> {
    keep: Keep,
    begins: &'a mut dyn FnMut(MarkStage),
}

/// Marks one underlying: the whole method, from venue quotes to published integers.
///
/// Trouble with a series is a reason on its row; nothing in the input ends the close of an underlying.
pub fn mark_underlying(day: &UnderlyingDay, settings: &Settings) -> UnderlyingMarks {
    mark(day, &Fixed::default(), Way { keep: Keep::Result, begins: &mut |_| () }, settings, &mut |_| {}).0
}

/// [`mark_underlying`] with marks that people fixed: each is published as it is, the surface around it lifted as far as
/// the absence of arbitrage asks, and its row of `exceptions` says who.
///
/// # Errors
/// [`Contradiction`] where no prices free of arbitrage have the fixed marks, exactly decided.
pub fn mark_underlying_fixed(
    day: &UnderlyingDay,
    marks: &[FixedMark],
    settings: &Settings,
) -> Result<UnderlyingMarks, Contradiction> {
    mark_underlying_watched(day, marks, settings, &mut |_| ())
}

/// [`mark_underlying_fixed`], with `begins` told each stage as it begins, class by class; the last one ends with the call.
///
/// # Errors
/// As [`mark_underlying_fixed`].
pub fn mark_underlying_watched(
    day: &UnderlyingDay,
    marks: &[FixedMark],
    settings: &Settings,
    begins: &mut dyn FnMut(MarkStage),
) -> Result<UnderlyingMarks, Contradiction> {
    let way = Way { keep: Keep::Result, begins };
    let (marks, contradicted) = mark(day, &Fixed::new(day, marks), way, settings, &mut |_| {});
    if contradicted.is_empty() {
        return Ok(marks);
    }
    Err(Contradiction { underlying: day.underlying.clone(), symbols: contradicted })
}

/// The marks, and the fixed series of classes whose conditions they contradict; `seen` is shown each class.
fn mark(
    day: &UnderlyingDay,
    fixed: &Fixed<'_>,
    mut way: Way<'_>,
    settings: &Settings,
    seen: &mut dyn FnMut(&ClassResult),
) -> (UnderlyingMarks, Vec<String>) {
    let (mut before, mut contradicted) = (BTreeMap::new(), Vec::new());
    let mut marks = smooth(day, fixed, &mut way, settings, &mut |result| {
        seen(result);
        before.extend(result.prices.iter().flat_map(|p| &p.fixed).map(|(_, _, series, was)| (*series, *was)));
        if result.prices.iter().any(|p| p.contradicted) {
            contradicted.extend(fixed.symbols(&result.prices));
        }
    });
    contradicted.extend(fixed.expired(day));
    fixed.finish(&mut marks, day, &before, settings);
    (marks, contradicted)
}

/// Every class through every stage; `seen` is shown each.
fn smooth(
    day: &UnderlyingDay,
    fixed: &Fixed<'_>,
    way: &mut Way<'_>,
    settings: &Settings,
    seen: &mut dyn FnMut(&ClassResult),
) -> UnderlyingMarks {
    let mut nbbos: Vec<Nbbo> = (0..day.series.len()).map(|i| consolidate(day.quotes_of(i))).collect();
    if day.halted {
        nbbos.iter_mut().for_each(|n| n.flags.insert(QuoteFlag::Halted));
    }
    let slices = group_slices(day);
    let mut marks = UnderlyingMarks {
        underlying: day.underlying.clone(),
        series: day.series.iter().zip(&nbbos).map(|(s, n)| series_rows::bare(s, n)).collect(),
        slices: slices.iter().map(|s| figures::bare(s, &nbbos)).collect(),
        exceptions: exceptions::dropped_quotes(day, &nbbos),
        risk_arrays: Vec::new(),
    };
    series_rows::number_slices(&mut marks, &slices);
    series_rows::common_reasons(&mut marks, day, &slices);
    let Some(print) = day.price.filter(|p| *p > Price::ZERO) else {
        if let Some(settles_at) = day.settlement_price {
            series_rows::intrinsic(&mut marks, day, &slices, settles_at, settings);
            risk_rows::fill_expiring(&mut marks, day, &slices, settles_at, settings);
        }
        series_rows::unsolved(&mut marks);
        return marks;
    };

    let mut spot = print;
    let mut replaced = false;
    for (place, class) in group_classes(&slices).iter().enumerate() {
        (way.begins)(MarkStage::Parity);
        let terms = class_terms(day, &slices, class, &nbbos, spot, place > 0, settings);
        if terms.replaced {
            (spot, replaced) = (terms.spot, true);
            nbbos.iter_mut().for_each(|n| n.flags.insert(QuoteFlag::AfterHoursUnderlying));
            marks.exceptions.push(exceptions::replaced_spot(day, print, spot));
        }
        let (volatilities, result) = close_class(day, &slices, terms, &mut nbbos, fixed, way, settings);
        (way.begins)(MarkStage::Rows);
        seen(&result);
        figures::fill_class(&mut marks, &slices, &result, &nbbos, settings);
        series_rows::fill_class(&mut marks, day, &slices, &result, &volatilities, &nbbos, settings);
        exceptions::class_rows(&mut marks, day, &slices, &result, settings);
        (way.begins)(MarkStage::RiskArrays);
        risk_rows::fill_class(&mut marks, day, &slices, &result.works, spot, settings);
    }
    (way.begins)(MarkStage::Rows);
    series_rows::intrinsic(&mut marks, day, &slices, spot, settings);
    exceptions::intrinsic_rows(&mut marks, day, settings);
    risk_rows::fill_expiring(&mut marks, day, &slices, spot, settings);
    series_rows::unsolved(&mut marks);
    series_rows::finish(&mut marks, &nbbos, spot, replaced);
    marks
}

/// Volatilities, smoothing (twice where quotes may be stale), prices and integers of one class.
fn close_class(
    day: &UnderlyingDay,
    slices: &[Slice],
    terms: ClassTerms,
    nbbos: &mut [Nbbo],
    fixed: &Fixed<'_>,
    way: &mut Way<'_>,
    settings: &Settings,
) -> (Vec<QuoteVolatility>, ClassResult) {
    (way.begins)(MarkStage::ImpliedVolatility);
    let mut works = terms.works;
    let Offered { volatilities, mut inputs, series: offered } = Offered::of(day, slices, &works, nbbos, settings);
    for (work, input) in works.iter_mut().zip(&inputs) {
        // What the published forward says counts, not what the slice's own pairs asked for.
        if let Some(gap) = borrow::disagreement(input) {
            work.parity.suspect = gap > 1.0;
        }
    }
    let mut rounds = Vec::new();
    let mut smooth = |inputs: &[SliceInput]| match way.keep {
        Keep::Result => smooth_class(inputs, &settings.smoothing),
        Keep::Rounds => {
            let (smoothed, own) = smooth_class_by_rounds(inputs, &settings.smoothing);
            rounds.push(own);
            smoothed
        }
    };
    (way.begins)(MarkStage::Smoothing);
    let mut smoothed = smooth(&inputs);
    if flag_stale(&offered, &mut inputs, &smoothed, nbbos, settings) {
        smoothed = smooth(&inputs);
    }
    let prices = class_prices(&works, slices, &smoothed, nbbos, fixed, settings, way.begins);
    (volatilities, ClassResult { works, smoothed, prices, offered, rounds })
}

/// Flags stale quotes and lowers their weight; true where any was found.
fn flag_stale(
    offered: &[Vec<usize>],
    inputs: &mut [SliceInput],
    smoothed: &[SmoothedSlice],
    nbbos: &mut [Nbbo],
    settings: &Settings,
) -> bool {
    let mut found = false;
    for ((series, input), curve) in offered.iter().zip(inputs).zip(smoothed) {
        for (quote, index) in input.quotes.iter_mut().zip(series).filter(|(quote, _)| quote.old) {
            let outside = premiums::at(&curve.volatility, quote.strike)
                .is_some_and(|v| quote.bid.is_some_and(|b| v < b) || quote.ask.is_some_and(|a| v > a));
            if outside && let Some(nbbo) = nbbos.get_mut(*index) {
                nbbo.flags.insert(QuoteFlag::Stale);
                quote.weight *= settings.nbbo.stale_weight;
                found = true;
            }
        }
    }
    found
}

/// What every series of a slice says because its slice says so.
fn slice_reasons(work: &SliceWork, curve: &SmoothedSlice) -> Reasons {
    let mut reasons = curve.reasons;
    if work.parity.estimate.is_none() {
        reasons.insert(Reason::ForwardFromModel);
    }
    if work.parity.suspect && work.exercise_style == ExerciseStyle::American {
        reasons.insert(Reason::BorrowSuspect);
    }
    if work.exercise_style == ExerciseStyle::European && !work.exact_parity {
        reasons.insert(Reason::ParityRounded);
    }
    reasons
}
