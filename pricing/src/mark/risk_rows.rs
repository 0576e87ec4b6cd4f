//! The risk arrays of one underlying, from the models that priced its marks.

use crate::day::UnderlyingDay;
use crate::mark::rows::{SeriesMark, UnderlyingMarks};
use crate::mark::slices::{Slice, Strike};
use crate::mark::terms::SliceWork;
use crate::price::Price;
use crate::risk::{Floor, POINTS, PointMark, Range, RiskArray, exercise, point_prices};
use crate::series::Series;
use crate::settings::Settings;
use crate::vocabulary::{ExerciseStyle, MarkSource, OptionType};

/// Fills the arrays of one class: every marked series with time left.
pub(super) fn fill_class(
    marks: &mut UnderlyingMarks,
    day: &UnderlyingDay,
    slices: &[Slice],
    works: &[SliceWork],
    spot: Price,
    settings: &Settings,
) {
    if !settings.risk.arrays {
        return;
    }
    let range = Range::of(day.margin_group, day.leverage, &settings.risk);
    let points = range.prices(spot);
    marks.risk_arrays.resize(day.series.len(), None);
    for work in works {
        let Some(slice) = slices.get(work.slice) else { continue };
        let Some(moved) = basket_prices(slice, &points) else { continue };
        let Some(underlying) = basket_price(slice, spot) else { continue };
        for kind in [OptionType::Call, OptionType::Put] {
            let one_type = OneType { work, slice, kind, underlying, moved: &moved };
            one_type.fill(marks, day, settings);
        }
    }
}

/// Fills the arrays of series that expire now: the exercise value at every point.
pub(super) fn fill_expiring(
    marks: &mut UnderlyingMarks,
    day: &UnderlyingDay,
    slices: &[Slice],
    spot: Price,
    settings: &Settings,
) {
    if !settings.risk.arrays {
        return;
    }
    let range = Range::of(day.margin_group, day.leverage, &settings.risk);
    let points = range.prices(day.settlement_price.unwrap_or(spot));
    marks.risk_arrays.resize(day.series.len(), None);
    for slice in slices.iter().filter(|s| s.time_to_expiry <= 0.0 && s.priceable) {
        let Some(moved) = basket_prices(slice, &points) else { continue };
        for (index, series, mark) in marked(slice, day, &marks.series) {
            let strike = series.strike.micros();
            let prices = moved.map(|at| exercise(series.option_type, at.micros(), strike));
            if let Some(slot) = marks.risk_arrays.get_mut(index) {
                *slot = Some(RiskArray::new(&prices, mark, series.multiplier, None));
            }
        }
    }
}

/// Series of a slice with a mark: index, terms, mark.
fn marked<'a>(
    slice: &'a Slice,
    day: &'a UnderlyingDay,
    rows: &'a [SeriesMark],
) -> impl Iterator<Item = (usize, &'a Series, Price)> {
    let listed = slice.strikes.iter().flat_map(|s: &Strike| [s.call, s.put]).flatten();
    listed.filter_map(move |index| Some((index, day.series.get(index)?, rows.get(index)?.mark?)))
}

/// Price of one share of the deliverable.
fn basket_price(slice: &Slice, spot: Price) -> Option<Price> {
    if slice.standard { Some(spot) } else { Price::nearest(slice.basket(spot.to_f64())) }
}

fn basket_prices(slice: &Slice, points: &[Price; POINTS]) -> Option<[Price; POINTS]> {
    let mut moved = *points;
    for price in &mut moved {
        *price = basket_price(slice, *price)?;
    }
    Some(moved)
}

/// The calls or the puts of one slice.
struct OneType<'a> {
    work: &'a SliceWork,
    slice: &'a Slice,
    kind: OptionType,
    underlying: Price,
    moved: &'a [Price; POINTS],
}

impl OneType<'_> {
    fn fill(&self, marks: &mut UnderlyingMarks, day: &UnderlyingDay, settings: &Settings) {
        let (mut series, mut strikes, mut sigmas) = (Vec::new(), Vec::new(), Vec::new());
        for (index, terms, mark) in marked(self.slice, day, &marks.series) {
            if terms.option_type != self.kind {
                continue;
            }
            let volatility = marks.series.get(index).and_then(|row| self.volatility(row, terms, mark, settings));
            series.push((index, terms, mark, volatility));
            strikes.push(terms.strike.to_f64());
            // Where nothing determines a volatility no price is asked for.
            sigmas.push(volatility.unwrap_or(f64::NAN));
        }
        let spots = self.moved.map(Price::to_f64);
        let model = self.work.model.prices_at_spots(self.kind, &strikes, &sigmas, &spots);
        for ((index, terms, mark, volatility), model) in series.into_iter().zip(model.chunks(POINTS)) {
            let point_mark = PointMark {
                option_type: self.kind,
                strike: terms.strike,
                underlying: self.underlying,
                mark,
                floor: self.floor(),
            };
            let prices = point_prices(&point_mark, self.moved, model);
            if let Some(slot) = marks.risk_arrays.get_mut(index) {
                *slot = Some(RiskArray::new(&prices, mark, terms.multiplier, volatility));
            }
        }
    }

    /// The mark's volatility: the curve's where there is one, else the mid's that the mark is, else the mark's own.
    fn volatility(&self, row: &SeriesMark, series: &Series, mark: Price, settings: &Settings) -> Option<f64> {
        let of_mid = || row.implied_volatility.filter(|_| row.mark_source == MarkSource::NbboMid);
        let of_mark = || {
            let half_tick = settings.nbbo.half_tick;
            self.work.model.implied_volatility(self.kind, series.strike.to_f64(), mark.to_f64(), half_tick).volatility
        };
        row.smoothed_volatility.or_else(of_mid).or_else(of_mark).filter(|v| v.is_finite() && *v > 0.0)
    }

    fn floor(&self) -> Floor {
        match self.work.exercise_style {
            ExerciseStyle::American => Floor::American,
            ExerciseStyle::European => Floor::European {
                forward_present_value: Price::nearest(self.work.forward_present_value).map_or(0, Price::micros),
                discount_factor: self.work.discount_units,
            },
        }
    }
}
