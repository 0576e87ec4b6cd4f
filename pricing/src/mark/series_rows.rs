//! The rows of `marks`.

use crate::day::{DividendKnowledge, UnderlyingDay};
use crate::mark::premiums::{SlicePrices, at, side};
use crate::mark::rows::{SeriesMark, UnderlyingMarks};
use crate::mark::sensitivities::Sensitivities;
use crate::mark::slices::Slice;
use crate::mark::terms::SliceWork;
use crate::mark::volatilities::{QuoteVolatility, exercise_weight};
use crate::mark::{ClassResult, confidence, slice_reasons};
use crate::nbbo::Nbbo;
use crate::price::Price;
use crate::series::Series;
use crate::settings::Settings;
use crate::smoothing::{QuoteOutcome, SmoothedSlice};
use crate::vocabulary::{
    ExerciseStyle, MarkSource, OptionType, QuoteFlag, QuoteFlags, QuoteStatus, Reason, Reasons, VolatilityStatus,
};

/// A row with the quote alone.
pub(super) fn bare(series: &Series, nbbo: &Nbbo) -> SeriesMark {
    let t = series.time_to_expiry();
    SeriesMark {
        bid: nbbo.bid,
        ask: nbbo.ask,
        bid_size: nbbo.bid_size,
        ask_size: nbbo.ask_size,
        venue_count: nbbo.venue_count,
        quote_status: nbbo.status,
        quote_flags: nbbo.flags,
        accepted: nbbo.mid().map(|_| false),
        mid: nbbo.mid(),
        mark: None,
        mark_source: MarkSource::None,
        reasons: if nbbo.flags.contains(QuoteFlag::Uncrossed) {
            Reasons::EMPTY.with(Reason::Uncrossed)
        } else {
            Reasons::EMPTY
        },
        implied_volatility: None,
        bid_implied_volatility: None,
        ask_implied_volatility: None,
        volatility_status: if t > 0.0 { VolatilityStatus::NoPrice } else { VolatilityStatus::Expired },
        smoothed_volatility: None,
        edit: None,
        edit_half_spreads: None,
        edit_volatility: None,
        greeks: None,
        underlying_price: None,
        forward: None,
        forward_present_value: None,
        discount_factor: None,
        carry_rate: None,
        borrow_rate: None,
        dividend_present_value: None,
        time_to_expiry: t,
        log_moneyness: None,
        total_variance: None,
        confidence: None,
        slice: 0,
        method: None,
    }
}

/// Tells each series its slice.
pub(super) fn number_slices(marks: &mut UnderlyingMarks, slices: &[Slice]) {
    for (place, slice) in slices.iter().enumerate() {
        for index in slice.members() {
            if let Some(row) = marks.series.get_mut(index) {
                row.slice = place;
            }
        }
    }
}

/// Reasons that do not depend on any fit.
pub(super) fn common_reasons(marks: &mut UnderlyingMarks, day: &UnderlyingDay, slices: &[Slice]) {
    let no_price = day.price.is_none_or(|p| p <= Price::ZERO);
    for slice in slices {
        let mut reasons = Reasons::EMPTY;
        if slice.exercise_style == ExerciseStyle::American && day.dividend_knowledge == DividendKnowledge::Unknown {
            reasons.insert(Reason::DividendsUnknown);
        }
        if !slice.standard {
            reasons.insert(Reason::Adjusted);
        }
        if day.halted {
            reasons.insert(Reason::Halted);
        }
        if no_price {
            reasons.insert(Reason::NoUnderlyingPrice);
        }
        for index in slice.members() {
            if let Some(row) = marks.series.get_mut(index) {
                row.reasons.extend(reasons);
            }
        }
        for &index in &slice.duplicates {
            if let Some(row) = marks.series.get_mut(index) {
                row.reasons.insert(Reason::Unusable);
            }
        }
    }
}

/// Fills the rows of one class.
pub(super) fn fill_class(
    marks: &mut UnderlyingMarks,
    day: &UnderlyingDay,
    slices: &[Slice],
    result: &ClassResult,
    volatilities: &[QuoteVolatility],
    nbbos: &[Nbbo],
    settings: &Settings,
) {
    for (((work, curve), prices), offered) in
        result.works.iter().zip(&result.smoothed).zip(&result.prices).zip(&result.offered)
    {
        let Some(slice) = slices.get(work.slice) else { continue };
        let slice_confidence = marks.slices.get(work.slice).map_or(0.0, |s| s.confidence);
        let mut outcomes: Vec<(usize, QuoteOutcome)> =
            offered.iter().copied().zip(curve.outcomes.iter().copied()).collect();
        outcomes.sort_by_key(|(index, _)| *index);
        let sensitivities = Sensitivities::of(work, slice, prices, settings);
        for (place, strike) in slice.strikes.iter().enumerate() {
            for kind in [OptionType::Call, OptionType::Put] {
                let Some(index) = strike.series(kind) else { continue };
                let (Some(row), Some(volatility), Some(nbbo), Some(series)) =
                    (marks.series.get_mut(index), volatilities.get(index), nbbos.get(index), day.series.get(index))
                else {
                    continue;
                };
                let outcome = outcomes
                    .binary_search_by_key(&index, |(i, _)| *i)
                    .ok()
                    .and_then(|found| outcomes.get(found))
                    .map(|(_, outcome)| *outcome);
                let context = RowContext {
                    work,
                    curve,
                    prices,
                    sensitivities: &sensitivities,
                    place,
                    kind,
                    outcome,
                    slice_confidence,
                    settings,
                };
                context.fill(row, series, volatility, nbbo);
            }
        }
    }
}

/// Everything one row is made from.
struct RowContext<'a> {
    work: &'a SliceWork,
    curve: &'a SmoothedSlice,
    prices: &'a SlicePrices,
    sensitivities: &'a Sensitivities,
    place: usize,
    kind: OptionType,
    outcome: Option<QuoteOutcome>,
    slice_confidence: f64,
    settings: &'a Settings,
}

impl RowContext<'_> {
    fn fill(&self, row: &mut SeriesMark, series: &Series, volatility: &QuoteVolatility, nbbo: &Nbbo) {
        let (work, place) = (self.work, self.place);
        let strike = series.strike.to_f64();
        let european = work.exercise_style == ExerciseStyle::European;
        row.quote_flags = nbbo.flags;
        row.forward = Some(work.forward);
        row.forward_present_value = Price::nearest(work.forward_present_value);
        row.discount_factor = Some(work.discount_factor);
        row.carry_rate = european.then_some(work.borrow);
        row.borrow_rate = (!european).then_some(work.borrow);
        row.dividend_present_value = (!european).then_some(work.dividend_present_value);
        row.log_moneyness = Some(libm::log(strike / work.forward));
        row.volatility_status = volatility.status;
        row.implied_volatility = volatility.mid.filter(|_| row.mid.is_some());
        row.bid_implied_volatility = volatility.bid.filter(|_| row.mid.is_some());
        row.ask_implied_volatility = volatility.ask.filter(|_| row.mid.is_some());
        if let Some(outcome) = self.outcome {
            if row.mid.is_some() {
                row.accepted = Some(outcome.accepted);
            }
            row.reasons.extend(outcome.reasons);
        }
        // A quote that says nothing about the curve was left out, and says so.
        if row.quote_status == QuoteStatus::Crossed || (row.mid.is_some() && self.outcome.is_none()) {
            row.reasons.insert(Reason::Unusable);
        }
        row.reasons.extend(slice_reasons(work, self.curve));
        row.reasons.extend(self.curve.strike_reasons.get(place).copied().unwrap_or(Reasons::EMPTY));
        if let Some(more) = self.prices.reasons.get(side(self.kind)).and_then(|r| r.get(place)) {
            row.reasons.extend(*more);
        }
        self.fill_mark(row, strike);
    }

    fn fill_mark(&self, row: &mut SeriesMark, strike: f64) {
        let (work, place, kind) = (self.work, self.place, self.kind);
        let black = at(&self.curve.volatility, place);
        row.total_variance = black.map(|u| u * u * work.time_to_expiry);
        let published = self.prices.published.get(side(kind)).and_then(|p| at(p, place));
        row.mark = published.map(Price::from_micros);
        let from_mid = self.prices.from_mid.get(place).copied().unwrap_or(false);
        row.mark_source = match row.mark {
            None => MarkSource::None,
            Some(_) if from_mid && row.mid.is_some() => MarkSource::NbboMid,
            Some(_) if from_mid => MarkSource::ItmParity,
            Some(_) => self.source(black, strike),
        };
        if row.mark.is_none() {
            row.reasons.insert(Reason::NoCurve);
            return;
        }
        if row.mark_source == MarkSource::NbboMid {
            row.accepted = Some(true);
        }
        row.method = Some(work.model.method(kind));
        if !from_mid {
            (row.smoothed_volatility, row.greeks) = self.sensitivities.at(kind, place);
        }
        if let (Some(mark), Some(mid), Some(bid), Some(ask)) = (row.mark, row.mid, row.bid, row.ask) {
            let edit = Price::from_micros(mark.micros() - mid.micros());
            let half = (0.5 * (ask.to_f64() - bid.to_f64())).max(self.settings.nbbo.half_tick);
            row.edit = Some(edit);
            row.edit_half_spreads = Some(edit.to_f64() / half);
            row.edit_volatility = row.smoothed_volatility.zip(row.implied_volatility).map(|(s, i)| s - i);
        }
        self.own_up_to_zero_bid(row, strike);
        row.confidence = Some(confidence::of_series(self.slice_confidence, row));
    }

    /// A zero bid's offer bounds its mark; where other quotes or the absence of arbitrage took the mark beyond it, the
    /// row says that the offer was not believed.
    fn own_up_to_zero_bid(&self, row: &mut SeriesMark, strike: f64) {
        let (Some(mark), Some(ask), QuoteStatus::ZeroBid) = (row.mark, row.ask, row.quote_status) else { return };
        if mark > ask {
            let forward_value = self.work.forward_present_value - self.work.discount_factor * strike;
            let floor = if self.kind == OptionType::Call { forward_value } else { -forward_value };
            row.reasons.insert(if ask.to_f64() < floor { Reason::Unusable } else { Reason::Outlier });
        }
    }

    fn source(&self, black: Option<f64>, strike: f64) -> MarkSource {
        let curve = self.curve.source.get(self.place).copied().unwrap_or(MarkSource::Smoothed);
        if matches!(curve, MarkSource::Carried | MarkSource::TermInterpolated | MarkSource::None) {
            return if curve == MarkSource::None { MarkSource::Smoothed } else { curve };
        }
        let work = self.work;
        let size = black.map(|u| exercise_weight(work, strike, self.kind, u));
        if size.is_some_and(|s| s > self.settings.smoothing.deep_delta) { MarkSource::ItmParity } else { curve }
    }
}

/// Marks of series that expire now: intrinsic on the settlement price, else on the underlying's.
pub(super) fn intrinsic(
    marks: &mut UnderlyingMarks,
    day: &UnderlyingDay,
    slices: &[Slice],
    spot: Price,
    settings: &Settings,
) {
    for slice in slices.iter().filter(|s| s.time_to_expiry <= 0.0 && s.priceable) {
        let settles_at = day.settlement_price.unwrap_or(spot);
        let basket = if slice.standard { Some(settles_at) } else { Price::nearest(slice.basket(settles_at.to_f64())) };
        for strike in &slice.strikes {
            for kind in [OptionType::Call, OptionType::Put] {
                let row = strike.series(kind).and_then(|i| marks.series.get_mut(i));
                let (Some(row), Some(basket)) = (row, basket) else { continue };
                let gain = basket.micros() - strike.strike.micros();
                let value = if kind == OptionType::Call { gain } else { -gain };
                let mark = Price::from_micros(value.max(0));
                row.mark = Some(mark);
                row.mark_source = MarkSource::Intrinsic;
                row.confidence = Some(1.0);
                if let (Some(mid), Some(bid), Some(ask)) = (row.mid, row.bid, row.ask) {
                    let edit = Price::from_micros(mark.micros() - mid.micros());
                    let half = (0.5 * (ask.to_f64() - bid.to_f64())).max(settings.nbbo.half_tick);
                    row.edit = Some(edit);
                    row.edit_half_spreads = Some(edit.to_f64() / half);
                }
            }
        }
    }
}

/// Mids that no model was asked about (deliverables without a model price, series that nothing tells apart) have no
/// volatility, and say so.
pub(super) fn unsolved(marks: &mut UnderlyingMarks) {
    for row in marks.series.iter_mut() {
        if row.mid.is_some() && row.time_to_expiry > 0.0 && row.volatility_status == VolatilityStatus::NoPrice {
            row.volatility_status = VolatilityStatus::NotConverged;
        }
    }
}

/// What every row says once everything is known.
pub(super) fn finish(marks: &mut UnderlyingMarks, nbbos: &[Nbbo], spot: Price, replaced: bool) {
    for (row, nbbo) in marks.series.iter_mut().zip(nbbos) {
        row.underlying_price = Some(spot);
        row.quote_flags = merged(row.quote_flags, nbbo.flags);
        if replaced {
            row.reasons.insert(Reason::AfterHoursUnderlying);
        }
        if row.quote_flags.contains(QuoteFlag::Stale) {
            row.reasons.insert(Reason::Stale);
        }
        if row.mark.is_none() && !row.reasons.contains(Reason::Unusable) && !row.reasons.contains(Reason::Adjusted) {
            row.reasons.insert(Reason::NoCurve);
        }
    }
}

fn merged(mut flags: QuoteFlags, more: QuoteFlags) -> QuoteFlags {
    flags.extend(more);
    flags
}
