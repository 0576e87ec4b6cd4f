//! Marks that people fix: published as they are, with laws of prices still kept around them.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

mod common;

use closemark_pricing::day::DividendKnowledge;
use closemark_pricing::mark::{FixedMark, UnderlyingMarks};
use closemark_pricing::models::black;
use closemark_pricing::price::Price;
use closemark_pricing::vocabulary::{ExerciseStyle, MarkSource, OptionType};
use closemark_pricing::{Settings, UnderlyingDay, mark_underlying, mark_underlying_fixed};

use common::{Listed, Plan, american_slice, day, smile};

fn chain(style: ExerciseStyle) -> UnderlyingDay {
    let plan = Plan { style, spot: 100.0, rate: 0.04, dividends: Vec::new(), knowledge: DividendKnowledge::PaysNone };
    let mut listed = Vec::new();
    for days in [30, 91] {
        let t = days as f64 / 365.0;
        let (forward, discount) = (100.0 * libm::exp(0.04 * t), libm::exp(-0.04 * t));
        let model = american_slice(100.0, t, 0.04, 0.0);
        for strike in (80..=120).step_by(4).map(f64::from) {
            for option_type in [OptionType::Call, OptionType::Put] {
                let sigma = smile(libm::log(strike / forward), t);
                let truth = match style {
                    ExerciseStyle::European => black::price(option_type, forward, strike, t, sigma, discount),
                    ExerciseStyle::American => model.price(option_type, strike, sigma).unwrap(),
                };
                listed.push(Listed { days, strike, option_type, truth });
            }
        }
    }
    day(&plan, listed, 0.01, 3).0
}

fn fixed(day: &UnderlyingDay, marks: &UnderlyingMarks, place: usize, move_micros: i64) -> FixedMark {
    FixedMark {
        osi_symbol: day.series[place].osi_symbol.clone(),
        mark: Price::from_micros(marks.series[place].mark.unwrap().micros() + move_micros),
        author: "alice".to_owned(),
    }
}

/// Monotone and convex in strike, in exact integers, for each type and expiry; strikes are equally spaced.
fn holds(day: &UnderlyingDay, marks: &UnderlyingMarks) {
    for expiration in [30, 91] {
        for kind in [OptionType::Call, OptionType::Put] {
            let prices: Vec<i64> = day
                .series
                .iter()
                .zip(&marks.series)
                .filter(|(s, _)| s.expiration.0 == 20_000 + expiration && s.option_type == kind)
                .map(|(_, m)| m.mark.unwrap().micros())
                .collect();
            assert_eq!(prices.len(), 11);
            for pair in prices.windows(2) {
                assert!(if kind == OptionType::Call { pair[0] >= pair[1] } else { pair[0] <= pair[1] });
            }
            for three in prices.windows(3) {
                assert!(three[0] + three[2] >= 2 * three[1], "{three:?}");
            }
        }
    }
}

#[test]
fn a_fixed_mark_is_published_and_its_neighbours_make_room() {
    for style in [ExerciseStyle::European, ExerciseStyle::American] {
        let day = chain(style);
        let settings = Settings::default();
        let free = mark_underlying(&day, &settings);
        holds(&day, &free);
        assert_eq!(mark_underlying_fixed(&day, &[], &settings).unwrap(), free);
        for (place, by) in [(10, 30_000), (11, 30_000), (10, -20_000)] {
            let one = fixed(&day, &free, place, by);
            let marks = mark_underlying_fixed(&day, std::slice::from_ref(&one), &settings).unwrap();
            let row = &marks.series[place];
            assert_eq!((row.mark, row.mark_source), (Some(one.mark), MarkSource::Override));
            let (mid, edit) = (row.mid.unwrap().micros(), row.edit.unwrap().micros());
            assert_eq!(edit, one.mark.micros() - mid);
            let overridden = marks.series.iter().filter(|row| row.mark_source == MarkSource::Override).count();
            assert_eq!(overridden, 1);
            let said: Vec<_> = marks.exceptions.iter().filter(|row| row.stage == "override").collect();
            assert_eq!(said.len(), 1);
            assert_eq!(said[0].author.as_deref(), Some("alice"));
            assert_eq!(said[0].after.as_deref(), Some(one.mark.to_string().as_str()));
            let was: f64 = said[0].before.as_ref().unwrap().parse().unwrap();
            assert!((was - free.series[place].mark.unwrap().to_f64()).abs() < 1e-3);
            holds(&day, &marks);
            // Far from the fixed mark nothing has moved.
            assert_eq!(marks.series[43].mark, free.series[43].mark);
        }
    }
}

#[test]
fn marks_that_nothing_free_of_arbitrage_has_are_refused_with_their_names() {
    for style in [ExerciseStyle::European, ExerciseStyle::American] {
        let day = chain(style);
        let settings = Settings::default();
        let free = mark_underlying(&day, &settings);
        // Above the underlying itself; and two neighbours the wrong way round.
        let above = fixed(&day, &free, 10, 200_000_000);
        let crossed = [fixed(&day, &free, 8, -3_000_000), fixed(&day, &free, 10, 3_000_000)];
        for marks in [std::slice::from_ref(&above), &crossed] {
            let refused = mark_underlying_fixed(&day, marks, &settings).unwrap_err();
            assert_eq!(refused.underlying, "TST");
            assert_eq!(refused.symbols.len(), marks.len());
            assert!(refused.to_string().contains(&marks[0].osi_symbol));
        }
    }
}

#[test]
fn what_expires_now_is_worth_its_exercise_and_nobody_says_otherwise() {
    let mut day = chain(ExerciseStyle::American);
    let first = day.series.iter().map(|series| series.settlement_time).min().unwrap();
    for series in &mut day.series {
        series.snapshot = first;
    }
    day.snapshot = first;
    let settings = Settings::default();
    let free = mark_underlying(&day, &settings);
    let place = day.series.iter().position(|series| series.settlement_time == first).unwrap();
    let one = fixed(&day, &free, place, 10_000);
    let refused = mark_underlying_fixed(&day, std::slice::from_ref(&one), &settings).unwrap_err();
    assert_eq!(refused.symbols, [one.osi_symbol]);
}
