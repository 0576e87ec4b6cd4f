//! How the marks of an underlying came about, step by step: for people who want to see it, after the fact.

use crate::day::UnderlyingDay;
use crate::mark::fixed::{Fixed, FixedMark};
use crate::mark::premiums::at;
use crate::mark::rows::UnderlyingMarks;
use crate::mark::terms::SliceWork;
use crate::mark::{ClassResult, Keep, Way, mark};
use crate::settings::Settings;
use crate::smoothing::Round;

/// One round of the smoothing of a slice.
#[derive(Clone, Debug, PartialEq)]
pub struct SmoothingStep {
    /// 1, or 2 where the slice's class was smoothed again because quotes were found to be stale.
    pub pass: u32,
    /// The round within the pass, from 1.
    pub round: u32,
    /// The curve at each strike as equivalent Black volatility on the slice's forward: the coordinate of smoothing, and of
    /// the published curve. Empty where there is no curve.
    pub black: Vec<f64>,
    /// The curve at each strike as the model's own volatility, which quotes and marks are published in.
    pub volatility: Vec<Option<f64>>,
    /// Tier 1's volatility at each strike, the model's own: what tier 2 aimed at.
    pub target: Vec<Option<f64>>,
    /// The least and the largest volatility, the model's own, that the gradual caps leave at each strike beyond the
    /// outermost accepted quotes.
    pub caps: Vec<Option<[f64; 2]>>,
    /// Series, as places in [`UnderlyingDay::series`], whose quotes the round's fit used.
    pub used: Vec<usize>,
    /// Series whose quotes were offered and left out.
    pub left_out: Vec<usize>,
}

/// From the last curve to the published price, for each strike of one type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriceSteps {
    /// The model's price of the curve, currency per share.
    pub model: Vec<Option<f64>>,
    /// After projection between types and expiries, or what a person fixed: the unrounded mark.
    pub unrounded: Vec<Option<f64>>,
    /// What was published, millionths.
    pub published: Vec<Option<i64>>,
}

/// One slice's way from quotes to integers.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceHistory {
    /// Place of the slice in [`UnderlyingMarks::slices`].
    pub slice: usize,
    /// Strikes, ascending.
    pub strikes: Vec<f64>,
    /// Its forward.
    pub forward: f64,
    /// Time to expiry, years.
    pub time_to_expiry: f64,
    /// Rounds in order.
    pub steps: Vec<SmoothingStep>,
    /// Calls and puts.
    pub prices: [PriceSteps; 2],
    /// The series of each strike, `[call, put]`, as places in [`UnderlyingDay::series`].
    pub series: Vec<[Option<usize>; 2]>,
}

/// [`mark_underlying_fixed`](super::mark_underlying_fixed) by the same steps, each of them kept; contradictions of fixed
/// marks are not refused here, because what is asked about was published.
pub fn mark_underlying_by_steps(
    day: &UnderlyingDay,
    marks: &[FixedMark],
    settings: &Settings,
) -> (UnderlyingMarks, Vec<SliceHistory>) {
    let fixed = Fixed::new(day, marks);
    let mut histories = Vec::new();
    let slices = super::group_slices(day);
    let (rows, _) =
        mark(day, &fixed, Way { keep: Keep::Rounds, begins: &mut |_| () }, settings, &mut |result: &ClassResult| {
            for place in 0..result.works.len() {
                histories.extend(slice_history(result, &slices, place));
            }
        });
    (rows, histories)
}

fn slice_history(result: &ClassResult, slices: &[super::Slice], place: usize) -> Option<SliceHistory> {
    let (work, prices) = (result.works.get(place)?, result.prices.get(place)?);
    let offered = result.offered.get(place)?;
    let listed = slices.get(work.slice)?;
    let mut steps = Vec::new();
    for (pass, rounds) in (1..).zip(&result.rounds) {
        let own = rounds.get(place)?;
        steps.extend((1..).zip(own).map(|(round, seen)| step(work, offered, pass, round, seen)));
    }
    let side = |side: usize| {
        let of = |columns: &[Vec<Option<f64>>; 2]| columns.get(side).cloned().unwrap_or_default();
        PriceSteps {
            model: of(&prices.model),
            unrounded: of(&prices.unrounded),
            published: prices.published.get(side).cloned().unwrap_or_default(),
        }
    };
    Some(SliceHistory {
        slice: work.slice,
        strikes: work.strikes.clone(),
        forward: work.forward,
        time_to_expiry: work.time_to_expiry,
        steps,
        prices: [side(0), side(1)],
        series: listed.strikes.iter().map(|strike| [strike.call, strike.put]).collect(),
    })
}

fn step(work: &SliceWork, offered: &[usize], pass: u32, round: u32, seen: &Round) -> SmoothingStep {
    let model = |place: usize, black: f64| work.strikes.get(place).and_then(|k| work.model.model_from_black(*k, black));
    let column = |values: &[f64]| values.iter().enumerate().map(|(place, black)| model(place, *black)).collect();
    let caps = |(place, caps): (usize, &Option<[f64; 2]>)| {
        let [low, high] = (*caps)?;
        Some([model(place, low)?, model(place, high)?])
    };
    let quotes = || offered.iter().copied().zip(seen.used.iter().copied());
    SmoothingStep {
        pass,
        round,
        black: seen.volatility.clone(),
        volatility: column(&seen.volatility),
        target: column(&seen.target),
        caps: seen.caps.iter().enumerate().map(caps).collect(),
        used: quotes().filter(|(_, used)| *used).map(|(series, _)| series).collect(),
        left_out: quotes().filter(|(_, used)| !*used).map(|(series, _)| series).collect(),
    }
}

impl SliceHistory {
    /// Total variance of the last curve at each strike; empty where there is none. Bit for bit what is published.
    ///
    /// # Formula
    /// `w = u^2 T` with the equivalent Black volatility `u`.
    pub fn total_variance(&self) -> Vec<f64> {
        let last = self.steps.last().map_or(&[][..], |step| step.black.as_slice());
        last.iter().map(|u| u * u * self.time_to_expiry).collect()
    }

    /// A type's step at a strike's place: model price, unrounded mark, published millionths.
    pub fn price_at(&self, side: usize, place: usize) -> (Option<f64>, Option<f64>, Option<i64>) {
        let Some(prices) = self.prices.get(side) else { return (None, None, None) };
        (at(&prices.model, place), at(&prices.unrounded, place), at(&prices.published, place))
    }
}
