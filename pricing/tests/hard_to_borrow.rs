//! A name that costs 29 % a year to borrow: between forward and price, calls are worth exercise at once and say nothing.
//!
//! After a generated name whose longest slice had its forward at 57 % of the price: the volatilities of those calls, all
//! noise and up to 0.74 where the curve was at 0.18, drew the puts' marks from 30 to 148.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

mod common;

use closemark_pricing::day::DividendKnowledge;
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType};
use closemark_pricing::{Settings, mark_underlying};

use common::{Listed, Plan, american_slice, day, smile};

const SPOT: f64 = 823.0;
const RATE: f64 = 0.04;
const BORROW: f64 = 0.29;

#[test]
fn calls_worth_exercise_at_once_do_not_draw_the_puts() {
    let plan = Plan {
        style: ExerciseStyle::American,
        spot: SPOT,
        rate: RATE,
        dividends: Vec::new(),
        knowledge: DividendKnowledge::PaysNone,
    };
    let mut listed = Vec::new();
    for days in [7, 14, 28, 60, 120, 230, 400, 790] {
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
    let (day, truth) = day(&plan, listed, 1.0, 5);
    let marks = mark_underlying(&day, &Settings::default());
    let mut silent = 0;
    for ((series, mark), truth) in day.series.iter().zip(&marks.series).zip(&truth) {
        let half = 1.0 + 0.02 * truth.sqrt();
        let off = (mark.mark.unwrap().to_f64() - truth).abs();
        assert!(off <= 3.0 * half, "{}: {off} off {truth}, half-spread {half}", series.osi_symbol);
        let exercise = SPOT - series.strike.to_f64();
        let call = series.option_type == OptionType::Call;
        let beyond = call && exercise > 0.0 && mark.forward.is_some_and(|forward| series.strike.to_f64() >= forward);
        if beyond && mark.bid.unwrap().to_f64() <= exercise {
            silent += 1;
            assert_ne!(mark.accepted, Some(true), "{}", series.osi_symbol);
        }
    }
    assert!(silent > 10, "{silent}");
}
