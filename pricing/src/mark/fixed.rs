//! Marks that people fixed: published as they are, with the surface around them lifted as far as it must be.

use std::collections::BTreeMap;

use crate::day::UnderlyingDay;
use crate::mark::premiums::{SlicePrices, at};
use crate::mark::rows::{ExceptionRow, UnderlyingMarks};
use crate::mark::slices::{Slice, group_slices};
use crate::mark::terms::SliceWork;
use crate::price::Price;
use crate::settings::Settings;
use crate::vocabulary::{MarkSource, OptionType, Stage};

/// A mark that a person fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedMark {
    /// The series.
    pub osi_symbol: String,
    /// Its mark, per share.
    pub mark: Price,
    /// Who says so.
    pub author: String,
}

/// Fixed marks that no surface free of arbitrage holds: with each other, or with exercise values and upper bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{underlying}: no prices free of arbitrage have the marks fixed for {}", symbols.join(", "))]
pub struct Contradiction {
    /// The underlying.
    pub underlying: String,
    /// The series of the class whose marks were fixed.
    pub symbols: Vec<String>,
}

/// The fixed marks of one underlying by the place of their series.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fixed<'a>(BTreeMap<usize, &'a FixedMark>);

impl<'a> Fixed<'a> {
    pub(crate) fn new(day: &UnderlyingDay, marks: &'a [FixedMark]) -> Self {
        let by_symbol: BTreeMap<&str, &FixedMark> = marks.iter().map(|one| (one.osi_symbol.as_str(), one)).collect();
        if by_symbol.is_empty() {
            return Self::default();
        }
        let places = day.series.iter().enumerate();
        Self(places.filter_map(|(i, s)| Some((i, *by_symbol.get(s.osi_symbol.as_str())?))).collect())
    }

    /// The fixed places of a slice: place of the strike, side, place of the series, mark.
    fn of_slice<'s>(&'s self, slice: &'s Slice) -> impl Iterator<Item = (usize, usize, usize, Price)> + 's {
        slice.strikes.iter().enumerate().flat_map(move |(place, strike)| {
            [OptionType::Call, OptionType::Put].into_iter().enumerate().filter_map(move |(side, kind)| {
                let series = strike.series(kind)?;
                Some((place, side, series, self.0.get(&series)?.mark))
            })
        })
    }

    /// Puts the fixed marks in the place of the model's unrounded ones, which are kept for the record.
    pub(crate) fn put(&self, works: &[SliceWork], slices: &[Slice], prices: &mut [SlicePrices]) {
        if self.0.is_empty() {
            return;
        }
        for (work, price) in works.iter().zip(prices) {
            let Some(slice) = slices.get(work.slice) else { continue };
            for (place, side, series, mark) in self.of_slice(slice) {
                let Some(slot) = price.unrounded.get_mut(side).and_then(|side| side.get_mut(place)) else { continue };
                let before = slot.and_then(Price::nearest);
                *slot = Some(mark.to_f64());
                price.fixed.push((place, side, series, before));
            }
        }
    }

    /// What every row with a fixed mark says, and its row of `exceptions`.
    pub(crate) fn finish(
        &self,
        marks: &mut UnderlyingMarks,
        day: &UnderlyingDay,
        before: &BTreeMap<usize, Option<Price>>,
        settings: &Settings,
    ) {
        for (&index, one) in &self.0 {
            let (Some(row), Some(series)) = (marks.series.get_mut(index), day.series.get(index)) else { continue };
            let was = before.get(&index).copied().unwrap_or(row.mark);
            // A gain is counted from the mark: what no class published is counted anew.
            if let (Some(old), Some(Some(array))) = (row.mark, marks.risk_arrays.get_mut(index)) {
                let moved = (old.micros() - one.mark.micros()).saturating_mul(series.multiplier.into());
                array.points = array.points.map(|gain| Price::from_micros(gain.micros().saturating_add(moved)));
            }
            row.mark = Some(one.mark);
            row.mark_source = MarkSource::Override;
            if let (Some(mid), Some(bid), Some(ask)) = (row.mid, row.bid, row.ask) {
                let edit = Price::from_micros(one.mark.micros() - mid.micros());
                let half = (0.5 * (ask.to_f64() - bid.to_f64())).max(settings.nbbo.half_tick);
                row.edit = Some(edit);
                row.edit_half_spreads = Some(edit.to_f64() / half);
            }
            marks.exceptions.push(ExceptionRow {
                scope: "series",
                underlying: Some(day.underlying.clone()),
                root: Some(series.root.clone()),
                expiration: Some(series.expiration),
                settlement: Some(series.settlement),
                osi_symbol: Some(series.osi_symbol.clone()),
                stage: Stage::Override.as_str(),
                reason: MarkSource::Override.as_str(),
                field: Some("mark".to_owned()),
                before: was.map(|price| price.to_string()),
                after: Some(one.mark.to_string()),
                author: Some(one.author.clone()),
            });
        }
    }

    /// The symbols of fixed series that expire now: they are worth what exercise gives, and nobody can say otherwise.
    pub(crate) fn expired(&self, day: &UnderlyingDay) -> Vec<String> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let slices = group_slices(day);
        let over = slices.iter().filter(|slice| slice.time_to_expiry <= 0.0);
        let fixed = over.flat_map(|slice| self.of_slice(slice).map(|(_, _, series, _)| series));
        fixed.filter_map(|series| Some(self.0.get(&series)?.osi_symbol.clone())).collect()
    }

    /// The symbols of fixed series that a class's slices hold.
    pub(crate) fn symbols(&self, prices: &[SlicePrices]) -> Vec<String> {
        let places = prices.iter().flat_map(|price| &price.fixed);
        places.filter_map(|(_, _, series, _)| Some(self.0.get(series)?.osi_symbol.clone())).collect()
    }
}

/// Which nodes of a slice are fixed, `[call, put]`.
pub(crate) fn flags(price: &SlicePrices, strikes: usize) -> [Vec<bool>; 2] {
    let mut flags = [vec![false; strikes], vec![false; strikes]];
    for (place, side, _, _) in &price.fixed {
        let there = price.unrounded.get(*side).and_then(|side| at(side, *place)).is_some();
        if let Some(flag) = flags.get_mut(*side).and_then(|side| side.get_mut(*place)) {
            *flag = there;
        }
    }
    flags
}
