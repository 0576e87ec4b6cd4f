//! Risk arrays of whole hand-made days: counted by hand where the exercise value decides, by the model elsewhere.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

mod common;

use closemark_pricing::day::DividendKnowledge;
use closemark_pricing::models::{ModelDividend, ModelInput, SliceModel, black};
use closemark_pricing::price::Price;
use closemark_pricing::risk::RiskArray;
use closemark_pricing::vocabulary::{ExerciseStyle, MarginGroup, OptionType};
use closemark_pricing::{Settings, UnderlyingDay, UnderlyingMarks, mark_underlying};

use common::{Listed, Plan, day};

const BOTH: [OptionType; 2] = [OptionType::Call, OptionType::Put];

fn exercise(kind: OptionType, s: f64, k: f64) -> f64 {
    (if kind == OptionType::Call { s - k } else { k - s }).max(0.0)
}

/// A name at 100 with a flat volatility of 25 %, one slice expiring now and others later.
fn american(dividends: Vec<(i64, f64)>) -> UnderlyingDay {
    let knowledge = if dividends.is_empty() { DividendKnowledge::PaysNone } else { DividendKnowledge::Scheduled };
    let plan = Plan { style: ExerciseStyle::American, spot: 100.0, rate: 0.04, dividends, knowledge };
    let mut listed = Vec::new();
    for days in [0, 21, 120] {
        let t = days as f64 / 365.0;
        let model = (days > 0).then(|| SliceModel::new(input(&plan, 100.0, t, 0.0)));
        for strike in (70..=130).step_by(5).map(f64::from) {
            for option_type in BOTH {
                let truth = match &model {
                    Some(model) => model.price(option_type, strike, 0.25).unwrap(),
                    None => exercise(option_type, 100.0, strike),
                };
                listed.push(Listed { days, strike, option_type, truth });
            }
        }
    }
    day(&plan, listed, 0.01, 3).0
}

fn input(plan: &Plan, spot: f64, t: f64, borrow: f64) -> ModelInput {
    let growth = plan.rate - borrow;
    let dividends: Vec<ModelDividend> = plan
        .dividends
        .iter()
        .map(|&(d, amount)| ModelDividend { time: (d as f64 - 0.25) / 365.0, amount })
        .filter(|d| d.time <= t)
        .collect();
    let paid: f64 = dividends.iter().map(|d| d.amount * libm::exp(growth * (t - d.time))).sum();
    ModelInput {
        exercise_style: plan.style,
        spot,
        time_to_expiry: t,
        discount_factor: libm::exp(-plan.rate * t),
        borrow,
        forward: spot * libm::exp(growth * t) - paid,
        dividends,
    }
}

fn array(day: &UnderlyingDay, marks: &UnderlyingMarks, days: i32, strike: f64, kind: OptionType) -> (RiskArray, f64) {
    let place = day
        .series
        .iter()
        .position(|s| {
            s.expiration.0 == 20_000 + days && s.strike == Price::nearest(strike).unwrap() && s.option_type == kind
        })
        .unwrap();
    (marks.risk_arrays[place].unwrap(), marks.series[place].mark.unwrap().to_f64())
}

fn units(array: &RiskArray) -> Vec<f64> {
    array.points.iter().map(|p| p.to_f64()).collect()
}

/// The rules that every plain array keeps, whatever made it.
fn rules(day: &UnderlyingDay, marks: &UnderlyingMarks, shares: [f64; 10]) {
    assert_eq!(marks.risk_arrays.len(), day.series.len());
    for ((series, mark), array) in day.series.iter().zip(&marks.series).zip(&marks.risk_arrays) {
        let Some(base) = mark.mark else {
            assert_eq!(*array, None);
            continue;
        };
        let array = array.unwrap();
        let (s, k) = (mark.underlying_price.unwrap().to_f64(), series.strike.to_f64());
        let scale = if series.exercise_style == ExerciseStyle::European && mark.time_to_expiry > 0.0 {
            (mark.discount_factor.unwrap(), mark.forward.unwrap() / s)
        } else {
            (1.0, 1.0)
        };
        let mut last = f64::NEG_INFINITY;
        let mut prices: Vec<f64> =
            array.points.iter().map(|p| base.to_f64() + p.to_f64() / f64::from(series.multiplier)).collect();
        // A base that a point takes away whole leaves what rounding does.
        for (price, share) in prices.iter().zip(shares) {
            let floor = scale.0 * exercise(series.option_type, s * (1.0 + share) * scale.1, k);
            assert!(*price >= floor - 1e-6 && *price >= -1e-12, "{}: {price} below {floor}", series.osi_symbol);
        }
        if series.option_type == OptionType::Put {
            prices.reverse();
        }
        for price in prices {
            assert!(price >= last - 1e-9, "{}: not monotone", series.osi_symbol);
            last = price;
        }
    }
}

const EQUITY: [f64; 10] = [-0.15, -0.12, -0.09, -0.06, -0.03, 0.03, 0.06, 0.09, 0.12, 0.15];

#[test]
fn expiring_series_are_counted_by_hand() {
    let day = american(Vec::new());
    let marks = mark_underlying(&day, &Settings::default());
    rules(&day, &marks, EQUITY);
    let (call, mark) = array(&day, &marks, 0, 95.0, OptionType::Call);
    assert_eq!((mark, call.volatility), (5.0, None));
    assert_eq!(units(&call), [-500.0, -500.0, -500.0, -500.0, -300.0, 300.0, 600.0, 900.0, 1200.0, 1500.0]);
    let (put, _) = array(&day, &marks, 0, 95.0, OptionType::Put);
    assert_eq!(units(&put), [1000.0, 700.0, 400.0, 100.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn a_settlement_price_is_what_expiring_series_move_from() {
    let mut day = american(Vec::new());
    day.settlement_price = Price::nearest(90.0);
    let marks = mark_underlying(&day, &Settings::default());
    let (put, mark) = array(&day, &marks, 0, 95.0, OptionType::Put);
    assert_eq!(mark, 5.0);
    // 90 down by 15 % is 76.5, up by 6 % is 95.4.
    assert_eq!((units(&put)[0], units(&put)[6]), (1350.0, -500.0));
}

#[test]
fn points_are_the_models_prices_at_the_marks_volatility() {
    for dividends in [Vec::new(), vec![(10, 0.6), (101, 0.6)]] {
        let day = american(dividends.clone());
        let marks = mark_underlying(&day, &Settings::default());
        rules(&day, &marks, EQUITY);
        let knowledge = day.dividend_knowledge;
        let plan = Plan { style: ExerciseStyle::American, spot: 100.0, rate: 0.04, dividends, knowledge };
        for days in [21, 120] {
            for (strike, kind) in
                [(100.0, BOTH[0]), (100.0, BOTH[1]), (85.0, BOTH[1]), (115.0, BOTH[0]), (120.0, BOTH[1])]
            {
                let place = day.series.iter().position(|s| {
                    s.expiration.0 == 20_000 + days
                        && s.strike == Price::nearest(strike).unwrap()
                        && s.option_type == kind
                });
                let row = &marks.series[place.unwrap()];
                let (array, mark) = array(&day, &marks, days, strike, kind);
                assert_eq!(array.volatility, row.smoothed_volatility);
                for (gain, share) in units(&array).iter().zip(EQUITY) {
                    let spot = 100.0 * (1.0 + share);
                    let there = SliceModel::new(input(&plan, spot, row.time_to_expiry, row.borrow_rate.unwrap()));
                    let wanted = there.price(kind, strike, array.volatility.unwrap()).unwrap();
                    let error = (mark + gain / 100.0 - wanted).abs() / strike;
                    assert!(error < 1e-4, "{days} {strike} {kind} at {spot}: {gain} {wanted} {mark}");
                }
            }
        }
    }
}

#[test]
fn a_conversion_nets_to_nearly_nothing() {
    let day = american(Vec::new());
    let marks = mark_underlying(&day, &Settings::default());
    let (call, _) = array(&day, &marks, 21, 100.0, OptionType::Call);
    let (put, _) = array(&day, &marks, 21, 100.0, OptionType::Put);
    for ((call, put), share) in units(&call).iter().zip(units(&put)).zip(EQUITY) {
        // Only the interest on the strike, for as long as the put is not exercised, is left of 10,000.
        let net = 100.0 * 100.0 * share + put - call;
        assert!(net.abs() < 25.0, "{share}: {net}");
    }
}

#[test]
fn a_high_capitalisation_index_has_its_own_range_and_scales_its_forward() {
    let plan = Plan {
        style: ExerciseStyle::European,
        spot: 4000.0,
        rate: 0.04,
        dividends: Vec::new(),
        knowledge: DividendKnowledge::PaysNone,
    };
    let t = 91.0 / 365.0;
    let (forward, discount) = (4000.0 * libm::exp(0.025 * t), libm::exp(-0.04 * t));
    let mut listed = Vec::new();
    for strike in (3000..=5000).step_by(50).map(f64::from) {
        for option_type in BOTH {
            let truth = black::price(option_type, forward, strike, t, 0.2, discount);
            listed.push(Listed { days: 91, strike, option_type, truth });
        }
    }
    let (mut day, _) = day(&plan, listed, 0.05, 7);
    day.margin_group = MarginGroup::HighCapIndex;
    let marks = mark_underlying(&day, &Settings::default());
    let shares = [-0.08, -0.064, -0.048, -0.032, -0.016, 0.012, 0.024, 0.036, 0.048, 0.06];
    rules(&day, &marks, shares);
    for (index, (series, row)) in day.series.iter().zip(&marks.series).enumerate() {
        let array = marks.risk_arrays[index].unwrap();
        let sigma = array.volatility.unwrap();
        let s = row.underlying_price.unwrap().to_f64();
        for (gain, share) in units(&array).iter().zip(shares) {
            let moved = row.forward.unwrap() * ((s * (1.0 + share) * 1e6).round() / 1e6 / s);
            let wanted =
                black::price(series.option_type, moved, series.strike.to_f64(), t, sigma, row.discount_factor.unwrap());
            let got = row.mark.unwrap().to_f64() + gain / 100.0;
            assert!((got - wanted).abs() < 2e-6, "{}: {got} {wanted}", series.osi_symbol);
        }
    }
}

#[test]
fn leveraged_funds_and_adjusted_deliverables() {
    let mut day = american(Vec::new());
    day.margin_group = MarginGroup::LeveragedFund;
    day.leverage = -2.0;
    // What expires now delivers 150 shares and 50 in cash on a multiplier of 100, or something nobody can price.
    for series in day.series.iter_mut().filter(|s| s.expiration.0 == 20_000) {
        let other = series.strike == Price::nearest(130.0).unwrap();
        series.deliverable.text = if other { "100 OTHER" } else { "150 TST + 50 USD" }.to_owned();
        series.deliverable.shares = 150.0;
        series.deliverable.cash = 50.0;
        series.deliverable.standard = false;
        series.deliverable.priceable = !other;
    }
    let marks = mark_underlying(&day, &Settings::default());
    // One share of the deliverable is worth 1.5 x 100 + 0.5; at -30 % 105.5, at +30 % 195.5.
    let (call, mark) = array(&day, &marks, 0, 110.0, OptionType::Call);
    assert_eq!(mark, 40.5);
    assert_eq!((units(&call)[0], units(&call)[9]), (-4050.0, 4500.0));
    let unpriceable = day.series.iter().position(|s| s.deliverable.text == "100 OTHER").unwrap();
    assert_eq!((marks.series[unpriceable].mark, marks.risk_arrays[unpriceable]), (None, None));
}

#[test]
fn arrays_are_left_out_where_they_are_not_asked_for_and_change_no_mark() {
    let day = american(vec![(10, 0.6)]);
    let with = mark_underlying(&day, &Settings::default());
    let mut settings = Settings::default();
    settings.risk.arrays = false;
    let without = mark_underlying(&day, &settings);
    assert!(without.risk_arrays.is_empty() && !with.risk_arrays.is_empty());
    assert_eq!(with.series, without.series);
    assert_eq!(with.slices, without.slices);
}
