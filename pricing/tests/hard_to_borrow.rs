//! A name that costs 29 % a year to borrow: between forward and price, calls are worth exercise at once and say
//! nothing.
//!
//! After a generated name whose longest slice had its forward at 57 % of the price: the volatilities of those calls,
//! all noise and up to 0.74 where the curve was at 0.18, drew the puts' marks from 30 to 148.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

mod common;

use closemark_pricing::day::DividendKnowledge;
use closemark_pricing::mark::UnderlyingMarks;
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType};
use closemark_pricing::{Settings, UnderlyingDay, mark_underlying};

use common::{Listed, Plan, american_slice, day, smile};

const SPOT: f64 = 823.0;
const RATE: f64 = 0.04;
const BORROW: f64 = 0.29;

/// A day of these expiries, its quotes on ticks of `tick`, with the true prices.
fn quoted(expiries: &[i64], tick: f64) -> (UnderlyingDay, Vec<f64>) {
    let plan = Plan {
        style: ExerciseStyle::American,
        spot: SPOT,
        rate: RATE,
        dividends: Vec::new(),
        knowledge: DividendKnowledge::PaysNone,
    };
    let mut listed = Vec::new();
    for &days in expiries {
        let t = days as f64 / 365.0;
        let model = american_slice(SPOT, t, RATE, BORROW);
        let forward = model.input().forward;
        for strike in (440..=1160).step_by(20).map(f64::from) {
            for option_type in [OptionType::Call, OptionType::Put] {
                let sigma = smile(libm::log(strike / forward), t);
                let truth = model.price(option_type, strike, sigma).unwrap();
                listed.push(Listed { days, strike, option_type, truth });
            }
        }
    }
    day(&plan, listed, tick, 5)
}

/// The largest distance from the truth, in widths of [`quoted`]'s quotes.
fn worst(day: &UnderlyingDay, marks: &UnderlyingMarks, truth: &[f64], tick: f64) -> (f64, String) {
    let rows = day.series.iter().zip(&marks.series).zip(truth);
    let off = rows.map(|((series, mark), truth)| {
        let width = tick.max(0.02 * truth.sqrt()) + tick;
        ((mark.mark.unwrap().to_f64() - truth).abs() / width, series.osi_symbol.clone())
    });
    off.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

#[test]
fn calls_worth_exercise_at_once_do_not_draw_the_puts() {
    let (day, truth) = quoted(&[7, 14, 28, 60, 120, 230, 400, 790], 1.0);
    let marks = mark_underlying(&day, &Settings::default());
    let (off, symbol) = worst(&day, &marks, &truth, 1.0);
    assert!(off < 2.0, "{symbol}: {off}");
    let mut silent = 0;
    for (series, mark) in day.series.iter().zip(&marks.series) {
        let exercise = SPOT - series.strike.to_f64();
        let call = series.option_type == OptionType::Call;
        let beyond = call && exercise > 0.0 && mark.forward.is_some_and(|forward| series.strike.to_f64() >= forward);
        let holds = mark.bid.is_some_and(|bid| bid.to_f64() <= exercise)
            && mark.ask.is_some_and(|ask| exercise <= ask.to_f64());
        if beyond && holds {
            silent += 1;
            assert_ne!(mark.accepted, Some(true), "{}", series.osi_symbol);
        }
    }
    assert!(silent > 10, "{silent}");
}

#[test]
fn few_expiries_tell_borrow_and_print_apart() {
    // The pairs nearest the forward are worth exercise: read as the others are, they said 0.16 to 0.25 and took the print
    // for late.
    for tick in [0.05, 1.0] {
        for expiries in [&[60, 230, 790][..], &[230, 790], &[90, 180, 365]] {
            let (day, truth) = quoted(expiries, tick);
            let marks = mark_underlying(&day, &Settings::default());
            for (series, mark) in day.series.iter().zip(&marks.series) {
                assert_eq!(mark.underlying_price, day.price, "{tick} {expiries:?} {}", series.osi_symbol);
            }
            for slice in &marks.slices {
                let borrow = slice.borrow_rate.unwrap();
                assert!((borrow - BORROW).abs() < 0.005, "{tick} {expiries:?} {:?}: {borrow}", slice.expiration);
            }
            let (off, symbol) = worst(&day, &marks, &truth, tick);
            assert!(off < 2.0, "{tick} {expiries:?} {symbol}: {off}");
        }
    }
}
