//! What the maker of exact integers makes of noise, the verifier must find nothing in: two readings of METHOD's
//! table of conditions, written apart, checked against one another.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use closemark_data::day::Day;
use closemark_data::verify::{Kind, VerifyReport, verify};
use closemark_pricing::mark::{SeriesMark, UnderlyingMarks};
use closemark_pricing::price::Price;
use closemark_pricing::publish::integers::{IntegerSlice, publish_integers};
use closemark_pricing::vocabulary::{OptionType, QuoteStatus, Reason, Reasons};
use proptest::prelude::*;
use support::{close, publish_close};

/// The kinds that exact publication answers for.
const EXACT: [Kind; 7] =
    [Kind::Bounds, Kind::Intrinsic, Kind::Vertical, Kind::Butterfly, Kind::Calendar, Kind::Parity, Kind::Arithmetic];

fn micros(price: Option<Price>) -> i64 {
    price.map_or(0, Price::micros)
}

/// One slice of the made close as the maker takes it, with the rows its prices came from.
fn slice(day: &Day, marks: &UnderlyingMarks, name: usize, place: usize) -> (IntegerSlice, Vec<[Option<usize>; 2]>) {
    let about = &marks.slices[place];
    let mut made = IntegerSlice {
        exercise_style: about.exercise_style,
        strikes: Vec::new(),
        call: Vec::new(),
        put: Vec::new(),
        call_fixed: Vec::new(),
        put_fixed: Vec::new(),
        discount_factor: (about.discount_factor.unwrap() * 1e12).round() as i64,
        forward_present_value: micros(about.forward_present_value),
        exact_parity: !about.reasons.contains(Reason::ParityRounded),
        spot: micros(day.underlyings[name].price),
        parity_upper: micros(about.parity_upper),
        parity_lower: micros(about.parity_lower),
        discount_factor_min: about.discount_factor_min.unwrap_or_default(),
        discount_factor_max: about.discount_factor_max.unwrap_or_default(),
        calendar: about.calendar,
    };
    let mut rows: Vec<[Option<usize>; 2]> = Vec::new();
    for (row, (series, mark)) in day.underlyings[name].series.iter().zip(&marks.series).enumerate() {
        if mark.slice != place {
            continue;
        }
        let strike = series.strike.micros();
        if made.strikes.last() != Some(&strike) {
            made.strikes.push(strike);
            made.call.push(None);
            made.put.push(None);
            rows.push([None, None]);
        }
        let at = made.strikes.len() - 1;
        let call = series.option_type == OptionType::Call;
        let side = if call { &mut made.call } else { &mut made.put };
        side[at] = mark.mark.map(Price::micros);
        rows[at][usize::from(!call)] = Some(row);
    }
    made.call_fixed = vec![false; made.strikes.len()];
    made.put_fixed = vec![false; made.strikes.len()];
    (made, rows)
}

fn put_back(mark: &mut SeriesMark, price: Option<i64>) {
    mark.mark = price.map(Price::from_micros);
    mark.edit = mark.mark.zip(mark.mid).map(|(m, mid)| Price::from_micros(m.micros() - mid.micros()));
}

/// Makes the classes of a close exact, publishes, verifies.
fn exact(day: &Day, marks: &mut [UnderlyingMarks], classes: &[(usize, &[usize])]) -> VerifyReport {
    for &(name, places) in classes {
        let (mut slices, rows): (Vec<_>, Vec<_>) =
            places.iter().map(|&place| slice(day, &marks[name], name, place)).unzip();
        assert!(publish_integers(&mut slices).feasible);
        for (slice, rows) in slices.iter().zip(rows) {
            for (at, [call, put]) in rows.into_iter().enumerate() {
                if let Some(row) = call {
                    put_back(&mut marks[name].series[row], slice.call[at]);
                }
                if let Some(row) = put {
                    put_back(&mut marks[name].series[row], slice.put[at]);
                }
            }
        }
    }
    let out = tempfile::tempdir().unwrap();
    let published = publish_close(out.path(), day, marks);
    verify(&published.folder).unwrap()
}

/// What is left of the exact conditions.
fn left(report: &VerifyReport) -> Vec<String> {
    report.violations.iter().filter(|v| EXACT.contains(&v.kind)).map(ToString::to_string).collect()
}

const CLASSES: [(usize, &[usize]); 2] = [(0, &[1, 2]), (1, &[0, 1, 2])];

/// Takes a series off the lists: no mark, with a reason.
fn unlist(mark: &mut SeriesMark) {
    use closemark_pricing::vocabulary::{MarkSource, VolatilityStatus};
    *mark = SeriesMark {
        bid: None,
        ask: None,
        mid: None,
        mark: None,
        accepted: None,
        venue_count: 0,
        quote_status: QuoteStatus::None,
        mark_source: MarkSource::None,
        volatility_status: VolatilityStatus::NoPrice,
        reasons: Reasons::EMPTY.with(Reason::NoCurve),
        implied_volatility: None,
        edit: None,
        edit_half_spreads: None,
        edit_volatility: None,
        ..mark.clone()
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn nothing_is_left_of_any_noise(
        noise in proptest::collection::vec((-1.0..1.0_f64, 0.0..1.0_f64), 200),
        size in prop_oneof![Just(2_i64), Just(3_000), Just(2_000_000), Just(400_000_000)],
        absent in 0.0..0.5_f64,
        step in 0_i64..500,
    ) {
        let (mut day, mut marks) = close();
        let mut draws = noise.iter().cycle();
        for (name, (underlying, marks)) in day.underlyings.iter_mut().zip(&mut marks).enumerate() {
            for mark in marks.series.iter_mut().filter(|m| (name, m.slice) != (0, 0)) {
                let &(noise, draw) = draws.next().unwrap();
                put_back(mark, mark.mark.map(|p| (p.micros() + (noise * size as f64) as i64).max(0)));
                if draw < absent {
                    unlist(mark);
                }
            }
            // Odd strikes in the American name: gaps then share no large factor.
            for series in underlying.series.iter_mut().filter(|_| name == 0) {
                let moved = series.strike.micros() + step * 1_000 * (series.strike.micros() / 5_000_000 % 3);
                series.strike = Price::from_micros(moved);
            }
        }
        let keep_expired = marks[0].series.iter().position(|m| m.slice != 0).unwrap();
        for (series, mark) in day.underlyings[0].series.iter().zip(&mut marks[0].series).take(keep_expired) {
            let value = match series.option_type {
                OptionType::Call => 100_250_000 - series.strike.micros(),
                OptionType::Put => series.strike.micros() - 100_250_000,
            };
            put_back(mark, Some(value.max(0)));
        }
        let report = exact(&day, &mut marks, &CLASSES);
        prop_assert_eq!(left(&report), Vec::<String>::new());
    }

    /// Discount factors that make `D K` fractional: parity holds to half a millionth, and the slice says so.
    #[test]
    fn nothing_is_left_where_parity_is_rounded(
        noise in proptest::collection::vec(-1.0..1.0_f64, 130),
        size in prop_oneof![Just(2_i64), Just(2_000_000)],
        fractions in proptest::array::uniform3(1_i64..199_999),
    ) {
        let (day, mut marks) = close();
        for (place, fraction) in fractions.into_iter().enumerate() {
            let slice = &mut marks[1].slices[place];
            let discount = slice.discount_factor.map(|d| d + fraction as f64 * 1e-12);
            slice.discount_factor = discount;
            slice.reasons = Reasons::EMPTY.with(Reason::ParityRounded);
            marks[1].series.iter_mut().filter(|m| m.slice == place).for_each(|m| m.discount_factor = discount);
        }
        for (mark, noise) in marks[1].series.iter_mut().zip(&noise) {
            put_back(mark, mark.mark.map(|p| (p.micros() + (noise * size as f64) as i64).max(0)));
        }
        let report = exact(&day, &mut marks, &CLASSES);
        prop_assert_eq!(left(&report), Vec::<String>::new());
    }
}

/// The test above would prove nothing if the noise were no violation to begin with.
#[test]
fn the_noise_is_seen_before_it_is_mended() {
    let (day, mut marks) = close();
    for (i, mark) in marks.iter_mut().flat_map(|m| &mut m.series).enumerate() {
        put_back(mark, mark.mark.map(|p| (p.micros() + (i as i64 * 7_919_317 % 4_000_000)).max(0)));
    }
    let out = tempfile::tempdir().unwrap();
    let published = publish_close(out.path(), &day, &marks);
    let report = verify(&published.folder).unwrap();
    for kind in [Kind::Intrinsic, Kind::Butterfly, Kind::Calendar, Kind::Parity] {
        assert!(report.count(kind) > 0, "{kind:?}");
    }
}
