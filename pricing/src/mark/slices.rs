//! Series grouped into slices (one expiry of one root and deliverable) and slices into classes.

use std::collections::BTreeMap;

use crate::day::UnderlyingDay;
use crate::price::Price;
use crate::series::{Date, Instant, Series};
use crate::vocabulary::{ExerciseStyle, OptionType, Settlement};

/// One strike of a slice, with the series listed on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strike {
    pub(crate) strike: Price,
    pub(crate) call: Option<usize>,
    pub(crate) put: Option<usize>,
}

impl Strike {
    pub(crate) fn series(&self, option_type: OptionType) -> Option<usize> {
        match option_type {
            OptionType::Call => self.call,
            OptionType::Put => self.put,
        }
    }
}

/// One slice.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) root: String,
    pub(crate) deliverable: String,
    pub(crate) expiration: Date,
    pub(crate) settlement: Settlement,
    pub(crate) settlement_time: Instant,
    pub(crate) snapshot: Instant,
    pub(crate) exercise_style: ExerciseStyle,
    pub(crate) calendar: bool,
    pub(crate) time_to_expiry: f64,
    /// Shares of the underlying per share of the deliverable.
    pub(crate) ratio: f64,
    /// Cash per share of the deliverable.
    pub(crate) cash: f64,
    pub(crate) standard: bool,
    pub(crate) priceable: bool,
    /// Ascending strikes.
    pub(crate) strikes: Vec<Strike>,
    /// Series with the same terms as one that is already in `strikes`: nothing can tell them apart.
    pub(crate) duplicates: Vec<usize>,
}

impl Slice {
    fn of(series: &Series) -> Self {
        let multiplier = f64::from(series.multiplier.max(1));
        Self {
            root: series.root.clone(),
            deliverable: series.deliverable.text.clone(),
            expiration: series.expiration,
            settlement: series.settlement,
            settlement_time: series.settlement_time,
            snapshot: series.snapshot,
            exercise_style: series.exercise_style,
            calendar: series.calendar,
            time_to_expiry: series.time_to_expiry(),
            ratio: if series.deliverable.standard { 1.0 } else { series.deliverable.shares / multiplier },
            cash: if series.deliverable.standard { 0.0 } else { series.deliverable.cash / multiplier },
            standard: series.deliverable.standard,
            priceable: series.deliverable.standard || series.deliverable.priceable,
            strikes: Vec::new(),
            duplicates: Vec::new(),
        }
    }

    /// Price of one share of the deliverable.
    pub(crate) fn basket(&self, spot: f64) -> f64 {
        self.ratio * spot + self.cash
    }

    /// Every series of the slice.
    pub(crate) fn members(&self) -> impl Iterator<Item = usize> + '_ {
        self.strikes.iter().flat_map(|s| [s.call, s.put]).flatten().chain(self.duplicates.iter().copied())
    }
}

/// Groups a day's series into slices, ascending (expiration, settlement instant, root, deliverable).
pub(crate) fn group_slices(day: &UnderlyingDay) -> Vec<Slice> {
    type Key<'a> = (Date, Instant, Settlement, &'a str, &'a str, ExerciseStyle, u32, i64);
    let mut members: BTreeMap<Key<'_>, Vec<usize>> = BTreeMap::new();
    for (index, s) in day.series.iter().enumerate() {
        let key = (
            s.expiration,
            s.settlement_time,
            s.settlement,
            s.root.as_str(),
            s.deliverable.text.as_str(),
            s.exercise_style,
            s.multiplier,
            s.snapshot.0,
        );
        members.entry(key).or_default().push(index);
    }
    members
        .into_values()
        .filter_map(|indices| {
            let mut slice = Slice::of(indices.first().and_then(|&i| day.series.get(i))?);
            let mut by_strike: BTreeMap<Price, Strike> = BTreeMap::new();
            for index in indices {
                let Some(series) = day.series.get(index) else { continue };
                let strike = by_strike.entry(series.strike).or_insert(Strike { strike: series.strike, call: None, put: None });
                let place = match series.option_type {
                    OptionType::Call => &mut strike.call,
                    OptionType::Put => &mut strike.put,
                };
                if place.is_some() || series.strike <= Price::ZERO {
                    slice.duplicates.push(index);
                } else {
                    *place = Some(index);
                }
            }
            slice.strikes = by_strike.into_values().filter(|s| s.call.is_some() || s.put.is_some()).collect();
            Some(slice)
        })
        .collect()
}

/// Classes: the slices (as places in `slices`) of one exercise style and deliverable, ascending in time to expiry.
/// Classes of standard deliverables come first, the largest first: their spot serves the others.
pub(crate) fn group_classes(slices: &[Slice]) -> Vec<Vec<usize>> {
    let mut classes: BTreeMap<(bool, ExerciseStyle, &str), Vec<usize>> = BTreeMap::new();
    for (place, slice) in slices.iter().enumerate() {
        classes.entry((!slice.standard, slice.exercise_style, slice.deliverable.as_str())).or_default().push(place);
    }
    let size = |class: &[usize]| -> usize { class.iter().filter_map(|&i| slices.get(i)).map(|s| s.strikes.len()).sum() };
    let mut classes: Vec<((bool, usize), Vec<usize>)> = classes
        .into_iter()
        .map(|((adjusted, ..), mut class)| {
            class.sort_by(|&a, &b| match (slices.get(a), slices.get(b)) {
                (Some(a), Some(b)) => a
                    .time_to_expiry
                    .total_cmp(&b.time_to_expiry)
                    .then(a.settlement.cmp(&b.settlement))
                    .then(a.root.cmp(&b.root)),
                _ => std::cmp::Ordering::Equal,
            });
            ((adjusted, usize::MAX - size(&class)), class)
        })
        .collect();
    classes.sort_by_key(|(key, _)| *key);
    classes.into_iter().map(|(_, class)| class).collect()
}
