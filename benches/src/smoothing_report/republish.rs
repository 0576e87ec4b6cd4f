//! Whether a close stands still: publication run on what it published, and a day whose quotes are its own marks.

use closemark_data::day::Day;
use closemark_pricing::UnderlyingDay;
use closemark_pricing::mark::{SliceMark, UnderlyingMarks, smoothing_classes};
use closemark_pricing::mark_underlying;
use closemark_pricing::price::Price;
use closemark_pricing::publish::integers::{IntegerSlice, publish_integers};
use closemark_pricing::quote::{Venue, VenueQuote};
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType};
use rayon::prelude::*;

use crate::figures::quantile;

/// What standing still means, in figures.
#[derive(Clone, Debug, Default)]
pub struct Stability {
    /// Marks that publication would move when run on the published marks.
    pub republished_moves: u64,
    /// Marks published again.
    pub republished: u64,
    /// |mark of marks - mark| in half-spreads, over two-sided quotes.
    pub reclosed: Vec<f64>,
    /// Largest move that exact publication made, millionths.
    pub move_made: i64,
    /// The smallest largest move with which every class could have been published, millionths.
    pub move_possible: i64,
}

impl Stability {
    /// Median and 90th percentile of the moves, half-spreads.
    pub fn reclosed_quantile(&self, share: f64) -> f64 {
        quantile(&mut self.reclosed.clone(), share).unwrap_or(f64::NAN)
    }
}

/// Both figures over all underlyings of a closed day.
pub fn stability(day: &Day, marks: &[UnderlyingMarks]) -> Stability {
    let parts: Vec<Stability> = day
        .underlyings
        .par_iter()
        .zip(marks)
        .map(|(underlying, rows)| {
            let mut part = Stability::default();
            republish(day, underlying, rows, &mut part);
            part.reclosed = reclose(day, underlying, rows);
            let largest = |of: fn(&SliceMark) -> Option<Price>| {
                rows.slices.iter().filter_map(of).map(Price::micros).max().unwrap_or(0)
            };
            part.move_made = largest(|slice| slice.largest_move);
            part.move_possible = largest(|slice| slice.smallest_possible_move);
            part
        })
        .collect();
    let mut all = Stability::default();
    for part in parts {
        all.republished += part.republished;
        all.republished_moves += part.republished_moves;
        all.reclosed.extend(part.reclosed);
        all.move_made = all.move_made.max(part.move_made);
        all.move_possible = all.move_possible.max(part.move_possible);
    }
    all
}

/// The slices of one class as publication sees them, from published rows alone.
fn published_class(day: &UnderlyingDay, rows: &UnderlyingMarks, slices: &[usize]) -> Vec<IntegerSlice> {
    slices.iter().filter_map(|place| Some(published_slice(day, rows, *place, rows.slices.get(*place)?))).collect()
}

fn published_slice(day: &UnderlyingDay, rows: &UnderlyingMarks, place: usize, row: &SliceMark) -> IntegerSlice {
    let american = row.exercise_style == ExerciseStyle::American;
    let micros = |price: Option<Price>| price.map_or(0, Price::micros);
    let units = |x: Option<f64>| x.map_or(0, |x| (x * 1e12).round_ties_even() as i64);
    let mut out = IntegerSlice {
        exercise_style: row.exercise_style,
        strikes: Vec::new(),
        call: Vec::new(),
        put: Vec::new(),
        call_fixed: Vec::new(),
        put_fixed: Vec::new(),
        discount_factor: units(row.discount_factor),
        forward_present_value: if american { 0 } else { micros(row.forward_present_value) },
        exact_parity: true,
        spot: 0,
        parity_upper: micros(row.parity_upper),
        parity_lower: micros(row.parity_lower),
        discount_factor_min: row.discount_factor_min.unwrap_or(0),
        discount_factor_max: row.discount_factor_max.unwrap_or(0),
        calendar: row.calendar,
    };
    // Series come in canonical order: strikes ascending within a slice.
    for (series, mark) in day.series.iter().zip(&rows.series).filter(|(_, mark)| mark.slice == place) {
        if out.strikes.last() != Some(&series.strike.micros()) {
            out.strikes.push(series.strike.micros());
            out.call.push(None);
            out.put.push(None);
        }
        let side = if series.option_type == OptionType::Call { &mut out.call } else { &mut out.put };
        if let Some(last) = side.last_mut() {
            *last = mark.mark.map(Price::micros);
        }
        if american {
            out.spot = micros(mark.underlying_price);
        }
    }
    let exact = |k: &i64| i128::from(out.discount_factor) * i128::from(*k) % 1_000_000_000_000 == 0;
    out.exact_parity = out.strikes.iter().all(exact);
    let n = out.strikes.len();
    (out.call_fixed, out.put_fixed) = (vec![false; n], vec![false; n]);
    out
}

fn republish(day: &Day, underlying: &UnderlyingDay, rows: &UnderlyingMarks, out: &mut Stability) {
    for class in smoothing_classes(underlying, &day.settings) {
        let before = published_class(underlying, rows, &class.slices);
        let mut after = before.clone();
        publish_integers(&mut after);
        for (before, after) in before.iter().zip(&after) {
            for (a, b) in before.call.iter().chain(&before.put).zip(after.call.iter().chain(&after.put)) {
                out.republished += u64::from(a.is_some());
                out.republished_moves += u64::from(a != b);
            }
        }
    }
}

/// Moves in half-spreads of a close whose quotes are the marks with the spreads that were quoted.
fn reclose(day: &Day, underlying: &UnderlyingDay, rows: &UnderlyingMarks) -> Vec<f64> {
    let mut own = UnderlyingDay { quotes: Vec::new(), quote_offsets: vec![0], ..underlying.clone() };
    let mut halves = Vec::with_capacity(rows.series.len());
    for (i, row) in rows.series.iter().enumerate() {
        let half = match (row.bid, row.mid, row.ask, row.mark) {
            (Some(bid), Some(_), Some(ask), Some(mark)) => {
                let half = (ask.micros() - bid.micros()) / 2;
                own.quotes.push(VenueQuote {
                    venue: Venue(0),
                    consolidated: true,
                    bid: Some(Price::from_micros((mark.micros() - half).max(0))),
                    bid_size: None,
                    ask: Some(Price::from_micros(mark.micros() + half)),
                    ask_size: None,
                    time: None,
                });
                Some(half)
            }
            _ => {
                own.quotes.extend(underlying.quotes_of(i));
                None
            }
        };
        halves.push(half);
        own.quote_offsets.push(u32::try_from(own.quotes.len()).unwrap_or(u32::MAX));
    }
    let again = mark_underlying(&own, &day.settings);
    let half_tick = day.settings.nbbo.half_tick;
    let moves = rows.series.iter().zip(&again.series).zip(&halves).filter_map(|((before, after), half)| {
        let half = Price::from_micros((*half)?).to_f64().max(half_tick);
        Some((after.mark?.to_f64() - before.mark?.to_f64()).abs() / half)
    });
    moves.collect()
}
