//! Whole closes of hand-made days whose true prices are known.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

mod common;

use closemark_pricing::day::{DividendKnowledge, PreviousSlice};
use closemark_pricing::models::{ModelDividend, ModelInput, SliceModel};
use closemark_pricing::price::Price;
use closemark_pricing::vocabulary::{ExerciseStyle, MarkSource, OptionType, QuoteFlag, QuoteStatus, Reason};
use closemark_pricing::{Settings, UnderlyingDay, UnderlyingMarks, mark_underlying};

use common::{DAY_NS, Listed, Plan, day, quote, smile};

fn european() -> (UnderlyingDay, Vec<f64>) {
    let plan = Plan {
        style: ExerciseStyle::European,
        spot: 4000.0,
        rate: 0.04,
        dividends: Vec::new(),
        knowledge: DividendKnowledge::PaysNone,
    };
    let mut listed = Vec::new();
    for days in [0, 1, 8, 30, 91, 365] {
        let t = days as f64 / 365.0;
        let (forward, discount) = (4000.0 * libm::exp(0.025 * t), libm::exp(-0.04 * t));
        for step in 0..=60 {
            let strike = 2800.0 + 40.0 * step as f64;
            for option_type in [OptionType::Call, OptionType::Put] {
                let truth = if days == 0 {
                    let gain = 4000.0 - strike;
                    (if option_type == OptionType::Call { gain } else { -gain }).max(0.0)
                } else {
                    let sigma = smile(libm::log(strike / forward), t);
                    closemark_pricing::models::black::price(option_type, forward, strike, t, sigma, discount)
                };
                listed.push(Listed { days, strike, option_type, truth });
            }
        }
    }
    day(&plan, listed, 0.05, 7)
}

fn american(borrow: f64, dividends: Vec<(i64, f64)>) -> (UnderlyingDay, Vec<f64>) {
    let knowledge = if dividends.is_empty() { DividendKnowledge::PaysNone } else { DividendKnowledge::Scheduled };
    let plan = Plan { style: ExerciseStyle::American, spot: 100.0, rate: 0.05, dividends, knowledge };
    let mut listed = Vec::new();
    for days in [3, 24, 80, 200] {
        let t = days as f64 / 365.0;
        let growth = 0.05 - borrow;
        let paid: Vec<ModelDividend> = plan
            .dividends
            .iter()
            .map(|&(d, amount)| ModelDividend { time: (d as f64 - 0.25) / 365.0, amount })
            .filter(|d| d.time <= t)
            .collect();
        let forward = 100.0 * libm::exp(growth * t)
            - paid.iter().map(|d| d.amount * libm::exp(growth * (t - d.time))).sum::<f64>();
        let model = SliceModel::new(ModelInput {
            exercise_style: ExerciseStyle::American,
            spot: 100.0,
            time_to_expiry: t,
            discount_factor: libm::exp(-0.05 * t),
            borrow,
            forward,
            dividends: paid,
        });
        for step in 0..=40 {
            let strike = 60.0 + 2.0 * step as f64;
            let sigma = 1.5 * smile(libm::log(strike / forward), t);
            for option_type in [OptionType::Call, OptionType::Put] {
                let truth = model.price(option_type, strike, sigma).unwrap();
                listed.push(Listed { days, strike, option_type, truth });
            }
        }
    }
    day(&plan, listed, 0.01, 11)
}

/// Root mean square error of the marks and of the mids, over series with a mid.
fn errors(marks: &UnderlyingMarks, truth: &[f64]) -> (f64, f64) {
    let (mut n, mut of_marks, mut of_mids) = (0.0, 0.0, 0.0);
    for (row, truth) in marks.series.iter().zip(truth) {
        if let (Some(mark), Some(mid)) = (row.mark, row.mid)
            && row.mark_source != MarkSource::Intrinsic
        {
            n += 1.0;
            let (own, raw) = (mark.to_f64() - truth, mid.to_f64() - truth);
            of_marks += own * own;
            of_mids += raw * raw;
        }
    }
    assert!(n > 50.0);
    ((of_marks / n).sqrt(), (of_mids / n).sqrt())
}

fn assert_sound(marks: &UnderlyingMarks) {
    for row in &marks.series {
        assert!(row.mark.is_some(), "{row:?}");
        for value in [row.implied_volatility, row.smoothed_volatility, row.confidence, row.edit_half_spreads]
            .into_iter()
            .flatten()
        {
            assert!(value.is_finite(), "{row:?}");
        }
        if let Some(g) = row.greeks {
            assert!([g.delta, g.gamma, g.vega, g.theta, g.rho].into_iter().all(f64::is_finite), "{row:?}");
        }
    }
    for slice in marks.slices.iter().filter(|s| s.time_to_expiry > 0.0) {
        assert!(!slice.reasons.contains(Reason::NonConverged), "{slice:?}");
        assert_eq!(slice.violations_after.total(), 0, "{slice:?}");
        assert!(slice.largest_move.unwrap().to_f64() <= 0.0005, "{:?}", slice.largest_move);
    }
}

#[test]
fn european_marks_beat_the_mids_and_expiring_series_are_intrinsic() {
    let (day, truth) = european();
    let marks = mark_underlying(&day, &Settings::default());
    assert_sound(&marks);
    let (of_marks, of_mids) = errors(&marks, &truth);
    assert!(of_marks < 0.5 * of_mids, "{of_marks} {of_mids}");
    for (row, truth) in marks.series.iter().zip(&truth).filter(|(r, _)| r.time_to_expiry == 0.0) {
        assert_eq!((row.mark_source, row.mark), (MarkSource::Intrinsic, Price::nearest(*truth)));
    }
    for slice in marks.slices.iter().filter(|s| s.time_to_expiry > 0.0) {
        let forward = 4000.0 * libm::exp(0.025 * slice.time_to_expiry);
        assert!((slice.forward.unwrap() - forward).abs() < 0.15, "{} against {forward}", slice.forward.unwrap());
    }
}

#[test]
fn european_calls_and_puts_keep_parity_to_the_last_millionth() {
    let (day, _) = european();
    let marks = mark_underlying(&day, &Settings::default());
    let mut pairs = 0;
    for (pair, rows) in day.series.chunks(2).zip(marks.series.chunks(2)) {
        let ([call, put], [c, p]) = (pair, rows) else { panic!("pairs") };
        assert_eq!((call.strike, call.expiration), (put.strike, put.expiration));
        if call.time_to_expiry() == 0.0 {
            continue;
        }
        // D in 10^-12 times K in 10^-6 is a whole number of 10^-6: exactly A - D K.
        let d = (c.discount_factor.unwrap() * 1e12).round() as i128;
        let dk = d * i128::from(call.strike.micros());
        assert_eq!(dk % 1_000_000_000_000, 0);
        let parity = i128::from(c.forward_present_value.unwrap().micros()) - dk / 1_000_000_000_000;
        assert_eq!(i128::from(c.mark.unwrap().micros() - p.mark.unwrap().micros()), parity);
        pairs += 1;
    }
    assert!(pairs > 200);
}

#[test]
fn american_marks_beat_the_mids_and_find_the_borrow() {
    for borrow in [0.0, 0.12] {
        let (day, truth) = american(borrow, Vec::new());
        let marks = mark_underlying(&day, &Settings::default());
        assert_sound(&marks);
        let (of_marks, of_mids) = errors(&marks, &truth);
        assert!(of_marks < 0.5 * of_mids, "borrow {borrow}: {of_marks} {of_mids}");
        let longest = marks.slices.last().unwrap();
        assert!((longest.borrow_rate.unwrap() - borrow).abs() < 0.003, "{:?}", longest.borrow_rate);
    }
}

#[test]
fn american_marks_with_cash_dividends_beat_the_mids() {
    let (day, truth) = american(0.0, vec![(20, 0.5), (111, 0.5)]);
    let marks = mark_underlying(&day, &Settings::default());
    assert_sound(&marks);
    let (of_marks, of_mids) = errors(&marks, &truth);
    assert!(of_marks < 0.5 * of_mids, "{of_marks} {of_mids}");
}

#[test]
fn a_late_print_gives_way_to_the_options() {
    let (mut day, _) = american(0.0, Vec::new());
    day.price = Price::nearest(100.6);
    let marks = mark_underlying(&day, &Settings::default());
    let used = marks.series[0].underlying_price.unwrap().to_f64();
    assert!((used - 100.0).abs() < 0.05, "{used}");
    assert!(marks.series.iter().all(|r| r.quote_flags.contains(QuoteFlag::AfterHoursUnderlying)));
    assert!(
        marks
            .exceptions
            .iter()
            .any(|e| e.reason == "AFTER_HOURS_UNDERLYING" && e.before.as_deref() == Some("100.600000"))
    );
}

#[test]
fn a_wrong_quote_is_an_outlier_and_does_not_move_its_mark() {
    let (mut day, truth) = european();
    let victim = day
        .series
        .iter()
        .position(|s| {
            s.settlement_time.0 - common::SNAPSHOT.0 == 30 * DAY_NS
                && s.strike.to_f64() == 3800.0
                && s.option_type == OptionType::Put
        })
        .unwrap();
    day.quotes[victim] = quote(truth[victim] + 8.0, truth[victim] + 9.0);
    let marks = mark_underlying(&day, &Settings::default());
    let row = &marks.series[victim];
    assert_eq!(row.accepted, Some(false), "{row:?}");
    assert!(row.reasons.contains(Reason::Outlier) || row.reasons.contains(Reason::ExecutableArbitrage), "{row:?}");
    assert!((row.mark.unwrap().to_f64() - truth[victim]).abs() < 0.5, "{row:?}");
    assert!(marks.exceptions.iter().any(|e| e.osi_symbol.as_deref() == Some(day.series[victim].osi_symbol.as_str())));
}

#[test]
fn series_without_quotes_are_marked_from_the_curve_and_a_day_without_quotes_is_null_with_reasons() {
    let (mut day, truth) = european();
    for index in (0..day.quotes.len()).step_by(3) {
        day.quotes[index].bid = None;
        day.quotes[index].ask = None;
    }
    let marks = mark_underlying(&day, &Settings::default());
    for (index, row) in marks.series.iter().enumerate().step_by(3) {
        assert_eq!(row.quote_status, QuoteStatus::None);
        assert!(row.mid.is_none() && row.edit.is_none());
        if row.time_to_expiry > 0.0 && row.log_moneyness.unwrap().abs() < 0.1 {
            assert!((row.mark.unwrap().to_f64() - truth[index]).abs() < 0.6, "{row:?} {}", truth[index]);
        }
    }
    for q in &mut day.quotes {
        q.bid = None;
        q.ask = None;
    }
    let empty = mark_underlying(&day, &Settings::default());
    for row in empty.series.iter().filter(|r| r.time_to_expiry > 0.0) {
        assert_eq!((row.mark, row.mark_source), (None, MarkSource::None));
        assert!(row.reasons.contains(Reason::NoCurve));
    }
}

#[test]
fn a_locked_mistake_does_not_outvote_wide_but_honest_pairs() {
    let (mut day, truth) = european();
    let in_slice = |i: usize, day: &UnderlyingDay| day.series[i].settlement_time.0 - common::SNAPSHOT.0 == 91 * DAY_NS;
    for (i, price) in truth.iter().enumerate() {
        if in_slice(i, &day) {
            day.quotes[i] = quote((price - 20.0).max(0.0), price + 20.0);
        }
    }
    let victim = (0..day.series.len())
        .find(|&i| {
            in_slice(i, &day)
                && day.series[i].strike.to_f64() == 4040.0
                && day.series[i].option_type == OptionType::Call
        })
        .unwrap();
    day.quotes[victim] = quote(truth[victim] + 18.0, truth[victim] + 18.0);
    let marks = mark_underlying(&day, &Settings::default());
    let slice = &marks.slices[marks.series[victim].slice];
    let forward = 4000.0 * libm::exp(0.025 * slice.time_to_expiry);
    assert!((slice.forward.unwrap() - forward).abs() < 3.0, "{:?} against {forward}", slice.forward);
}

#[test]
fn without_quotes_the_previous_closes_curve_and_borrow_are_carried() {
    for (mut day, borrow) in [(european().0, 0.015), (american(0.12, Vec::new()).0, 0.12)] {
        let before = mark_underlying(&day, &Settings::default());
        day.previous = before
            .slices
            .iter()
            .filter(|s| s.time_to_expiry > 0.0)
            .map(|s| PreviousSlice {
                root: s.root.clone(),
                deliverable: s.deliverable.clone(),
                expiration: s.expiration,
                settlement: s.settlement,
                time_to_expiry: s.time_to_expiry,
                forward: s.forward.unwrap(),
                borrow_rate: s.borrow_rate.or(s.carry_rate),
                log_moneyness: s.curve_log_moneyness.clone(),
                total_variance: s.curve_total_variance.clone(),
            })
            .collect();
        for q in &mut day.quotes {
            q.bid = None;
            q.ask = None;
        }
        let carried = mark_underlying(&day, &Settings::default());
        let longest = carried.slices.last().unwrap();
        let rate = longest.borrow_rate.or(longest.carry_rate).unwrap();
        assert!((rate - borrow).abs() < 0.003, "{rate} against {borrow}");
        for (row, old) in carried.series.iter().zip(&before.series).filter(|(r, _)| r.time_to_expiry > 0.0) {
            assert_eq!(row.mark_source, MarkSource::Carried, "{row:?}");
            assert!(row.reasons.contains(Reason::CarriedSurface), "{row:?}");
            let (new, old) = (row.mark.unwrap().to_f64(), old.mark.unwrap().to_f64());
            assert!((new - old).abs() < 0.002 * old + 0.05, "{new} against {old}: {row:?}");
        }
    }
}

#[test]
fn without_an_underlying_price_every_mark_is_null_with_the_reason() {
    let (mut day, _) = american(0.0, Vec::new());
    day.price = None;
    let marks = mark_underlying(&day, &Settings::default());
    assert!(marks.series.iter().all(|r| r.mark.is_none() && r.reasons.contains(Reason::NoUnderlyingPrice)));
}

#[test]
fn a_zero_bid_whose_offer_is_not_believed_says_so() {
    let (mut day, truth) = european();
    let at = |strike: f64, kind: OptionType| {
        let same = |s: &closemark_pricing::series::Series| {
            s.settlement_time.0 - common::SNAPSHOT.0 == 91 * DAY_NS
                && s.strike.to_f64() == strike
                && s.option_type == kind
        };
        day.series.iter().position(same).unwrap()
    };
    // Deep in the money: an offer below the exercise value. Near the money: one below what every other quote says.
    let (deep, near) = (at(5000.0, OptionType::Put), at(4080.0, OptionType::Put));
    day.quotes[deep] = quote(0.0, 4.8);
    day.quotes[near] = quote(0.0, truth[near] - 6.0);
    let marks = mark_underlying(&day, &Settings::default());
    for (index, reason) in [(deep, Reason::Unusable), (near, Reason::Outlier)] {
        let row = &marks.series[index];
        assert_eq!(row.quote_status, QuoteStatus::ZeroBid);
        assert!((row.mark.unwrap().to_f64() - truth[index]).abs() < 1.0, "{row:?} {}", truth[index]);
        assert!(row.reasons.contains(reason), "{row:?}");
    }
}
