//! Slices that no market should bring and some do: each ends with marks that satisfy every rule and reasons that say
//! how, or with null marks and the reason.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

mod common;
#[path = "common/published.rs"]
mod published;

use closemark_pricing::day::DividendKnowledge;
use closemark_pricing::models::black;
use closemark_pricing::series::Instant;
use closemark_pricing::vocabulary::{ExerciseStyle, MarkSource, OptionType, QuoteStatus, Reason, Settlement};
use closemark_pricing::{Settings, UnderlyingDay, UnderlyingMarks, mark_underlying};

use common::{DAY_NS, Listed, Plan, Random, SNAPSHOT, day, quote, smile};
use published::assert_published;

const STYLES: [ExerciseStyle; 2] = [ExerciseStyle::European, ExerciseStyle::American];

/// A day of given quotes: days to expiry, strike, type, bid, ask.
fn quoted(style: ExerciseStyle, spot: f64, quotes: &[(i64, f64, OptionType, f64, f64)]) -> UnderlyingDay {
    let plan = Plan { style, spot, rate: 0.03, dividends: Vec::new(), knowledge: DividendKnowledge::PaysNone };
    let listed = |(days, strike, option_type, ..): &(i64, f64, OptionType, f64, f64)| Listed {
        days: *days,
        strike: *strike,
        option_type: *option_type,
        truth: 1.0,
    };
    let mut sorted = quotes.to_vec();
    sorted.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
    let (mut out, _) = day(&plan, sorted.iter().map(listed).collect(), 0.01, 1);
    out.quotes = sorted.iter().map(|(.., bid, ask)| quote(*bid, *ask)).collect();
    out
}

/// Calls and puts under one smile, quoted `half` around the truth.
fn smiling(
    style: ExerciseStyle,
    (spot, days, half): (f64, i64, f64),
    strikes: impl Iterator<Item = f64>,
    sigma: impl Fn(f64) -> f64,
) -> Vec<(i64, f64, OptionType, f64, f64)> {
    let t = days as f64 / 365.0;
    let (forward, discount) = (spot * libm::exp(0.03 * t), libm::exp(-0.03 * t));
    let mut out = Vec::new();
    for strike in strikes {
        for kind in [OptionType::Call, OptionType::Put] {
            let european = black::price(kind, forward, strike, t, sigma(libm::log(strike / forward)), discount);
            let price = if style == ExerciseStyle::American && kind == OptionType::Put {
                european.max(strike - spot)
            } else {
                european
            };
            out.push((days, strike, kind, price - half, price + half));
        }
    }
    out
}

fn close(day: &UnderlyingDay, label: &str) -> UnderlyingMarks {
    let marks = mark_underlying(day, &Settings::default());
    assert_published(day, &marks, label);
    marks
}

#[test]
fn one_quote_marks_the_whole_slice() {
    for style in STYLES {
        let mut quotes: Vec<_> = (0..9).map(|i| (30, 80.0 + 5.0 * f64::from(i), OptionType::Call, 0.0, 0.0)).collect();
        quotes[5].3 = 1.9;
        quotes[5].4 = 2.1;
        let marks = close(&quoted(style, 100.0, &quotes), "one quote");
        assert!(marks.series.iter().all(|row| row.mark.is_some()));
        assert!(marks.slices[0].reasons.contains(Reason::FewQuotes));
        let row = &marks.series[5];
        assert!(row.bid <= row.mark && row.mark <= row.ask, "{row:?}");
    }
}

#[test]
fn crossed_quotes_alone_leave_null_marks_with_the_reason() {
    for style in STYLES {
        let strikes = (0..9).map(|i| 80.0 + 5.0 * f64::from(i));
        let quotes = smiling(style, (100.0, 30, -0.2), strikes, |k| smile(k, 0.08));
        let marks = close(&quoted(style, 100.0, &quotes), "all crossed");
        for row in marks.series.iter().filter(|row| row.quote_status == QuoteStatus::Crossed) {
            assert!(row.mark.is_none() && row.reasons.contains(Reason::NoCurve), "{row:?}");
        }
        assert!(marks.slices[0].reasons.contains(Reason::NoCurve) && marks.slices[0].confidence < 0.5);
    }
}

#[test]
fn a_single_strike_is_a_slice() {
    for style in STYLES {
        let quotes = smiling(style, (100.0, 30, 0.05), std::iter::once(100.0), |k| smile(k, 0.08));
        let marks = close(&quoted(style, 100.0, &quotes), "single strike");
        assert!(marks.series.iter().all(|row| row.bid <= row.mark && row.mark <= row.ask), "{marks:?}");
    }
}

#[test]
fn contradictory_parity_is_published_consistent_and_says_so() {
    for style in STYLES {
        // Each pair asks for a forward of its own, up to ten half-spreads apart.
        let strikes = (0..17).map(|i| 80.0 + 2.5 * f64::from(i));
        let mut quotes = smiling(style, (100.0, 60, 0.1), strikes, |k| smile(k, 0.16));
        for (i, quote) in quotes.iter_mut().enumerate().filter(|(_, q)| q.2 == OptionType::Call) {
            let shift = if i % 4 == 0 { 1.0 } else { -1.0 };
            quote.3 += shift;
            quote.4 += shift;
        }
        quotes.iter_mut().for_each(|q| q.3 = q.3.max(0.0));
        let marks = close(&quoted(style, 100.0, &quotes), "contradictory parity");
        let rejected = marks.series.iter().filter(|row| row.accepted == Some(false)).count();
        let slice = &marks.slices[0];
        assert!(rejected > 0 && slice.confidence < 0.95, "{rejected} {slice:?}");
        if style == ExerciseStyle::American {
            assert!(slice.reasons.contains(Reason::BorrowSuspect), "{slice:?}");
        }
    }
}

#[test]
fn strikes_a_millionth_apart_keep_every_rule() {
    for style in STYLES {
        let strikes = (0..12).map(|i| 100.0 + 1e-6 * f64::from(i)).chain([90.0, 95.0, 105.0, 110.0]);
        let mut quotes = smiling(style, (100.0, 30, 0.05), strikes, |k| smile(k, 0.08));
        quotes.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.2.cmp(&b.2)));
        let marks = close(&quoted(style, 100.0, &quotes), "a millionth apart");
        assert!(marks.series.iter().all(|row| row.mark.is_some()));
    }
}

#[test]
fn a_forward_outside_all_strikes_still_has_marks() {
    for style in STYLES {
        for base in [150.0, 20.0] {
            let strikes = (0..12).map(|i| base + 2.5 * f64::from(i));
            let mut quotes = smiling(style, (100.0, 90, 0.05), strikes, |k| smile(k, 0.25));
            quotes.iter_mut().for_each(|q| q.3 = q.3.max(0.0));
            let marks = close(&quoted(style, 100.0, &quotes), "forward outside");
            // Two-sided quotes are marked; what is only offered, far out of the money, may say NO_CURVE instead.
            for row in &marks.series {
                assert!(row.mark.is_some() || (row.mid.is_none() && row.reasons.contains(Reason::NoCurve)), "{row:?}");
            }
        }
    }
}

#[test]
fn volatilities_of_five_hundred_percent_survive() {
    for style in STYLES {
        let strikes = (1..40).map(|i| 5.0 * f64::from(i));
        let quotes = smiling(style, (100.0, 20, 0.2), strikes, |_| 5.5);
        let marks = close(&quoted(style, 100.0, &quotes), "500 %");
        let slice = &marks.slices[0];
        assert!(slice.reasons.contains(Reason::BeyondHardLimit) && slice.atm_volatility.unwrap() > 4.5, "{slice:?}");
        let inside = marks.series.iter().filter(|row| row.bid <= row.mark && row.mark <= row.ask).count();
        assert!(inside * 10 >= marks.series.len() * 9, "{inside}");
    }
}

#[test]
fn an_event_smile_survives_and_says_event() {
    // Two lognormals six percent either way four days ahead: volatility is highest between them.
    let (t, strikes) = (4.0 / 365.0, (0..49).map(|i| 84.0 + 2.0 * f64::from(i) / 3.0));
    let mixture = |kind, strike: f64| {
        let part = |forward: f64, sigma| 0.5 * black::price(kind, forward, strike, t, sigma, libm::exp(-0.03 * t));
        let growth = libm::exp(0.03 * t);
        part(94.0 * growth, 0.25) + part(106.0 * growth, 0.22)
    };
    let mut random = Random(5);
    let mut quotes = Vec::new();
    for strike in strikes {
        for kind in [OptionType::Call, OptionType::Put] {
            let price = mixture(kind, strike);
            let half = 0.02 + 0.01 * price;
            let mid = price + 0.6 * half * (random.uniform() + random.uniform() - 1.0);
            quotes.push((
                4,
                strike,
                kind,
                ((mid - half) * 100.0).floor().max(0.0) / 100.0,
                ((mid + half) * 100.0).ceil() / 100.0,
            ));
        }
    }
    let day = quoted(ExerciseStyle::European, 100.0, &quotes);
    let marks = close(&day, "event");
    let slice = &marks.slices[0];
    assert!(slice.reasons.contains(Reason::Event), "{slice:?}");
    let volatility = |strike: f64| {
        let at = day.series.iter().position(|s| (s.strike.to_f64() - strike).abs() < 0.34).unwrap();
        marks.series[at].smoothed_volatility.unwrap()
    };
    assert!(volatility(100.0) > volatility(90.0) + 0.1 && volatility(100.0) > volatility(110.0) + 0.1);
    for (series, row) in day.series.iter().zip(&marks.series) {
        let (truth, mark) = (mixture(series.option_type, series.strike.to_f64()), row.mark.unwrap().to_f64());
        assert!((mark - truth).abs() < 0.06, "{} {truth} {mark}", series.osi_symbol);
    }
    // The same strikes under an ordinary smile say nothing of an event.
    let calm =
        smiling(ExerciseStyle::European, (100.0, 4, 0.03), (0..49).map(|i| 84.0 + 2.0 * f64::from(i) / 3.0), |k| {
            smile(k, t)
        });
    let mut calm = quoted(ExerciseStyle::European, 100.0, &calm);
    calm.quotes.iter_mut().for_each(|q| q.bid = q.bid.filter(|b| b.micros() > 0));
    assert!(!close(&calm, "calm").slices[0].reasons.contains(Reason::Event));
}

#[test]
fn the_last_hours_and_the_last_day_are_slices_like_any() {
    for style in STYLES {
        let strikes = || (0..41).map(|i| 90.0 + 0.5 * f64::from(i));
        let mut quotes = smiling(style, (100.0, 1, 0.01), strikes(), |k| smile(k, 1.0 / 365.0));
        quotes.extend(smiling(style, (100.0, 2, 0.01), strikes(), |k| smile(k, 2.0 / 365.0)));
        quotes.iter_mut().for_each(|q| q.3 = q.3.max(0.0));
        let mut day = quoted(style, 100.0, &quotes);
        // The first expires within two hours instead of a day: its quotes are then dear, and still quotes.
        for series in day.series.iter_mut().filter(|s| s.settlement_time.0 == SNAPSHOT.0 + DAY_NS) {
            series.settlement_time = Instant(SNAPSHOT.0 + DAY_NS / 12);
        }
        let marks = close(&day, "0DTE");
        assert!(marks.slices.iter().all(|s| s.atm_volatility.is_some() && !s.reasons.contains(Reason::NonConverged)));
        assert!(marks.slices[0].atm_volatility > marks.slices[1].atm_volatility);
    }
}

#[test]
fn morning_and_afternoon_settlement_of_one_date_are_two_slices() {
    let strikes = || (0..21).map(|i| 80.0 + 2.0 * f64::from(i));
    let quotes = smiling(ExerciseStyle::European, (100.0, 30, 0.05), strikes(), |k| smile(k, 0.08));
    let (mut day, twin) =
        (quoted(ExerciseStyle::European, 100.0, &quotes), quoted(ExerciseStyle::European, 100.0, &quotes));
    for series in &mut day.series {
        series.settlement = Settlement::Am;
        series.settlement_time = Instant(series.settlement_time.0 - DAY_NS / 4);
        series.osi_symbol.insert(0, 'A');
    }
    day.series.extend(twin.series);
    day.quotes.extend(twin.quotes);
    day.quote_offsets = (0..=day.series.len() as u32).collect();
    day.quotes.iter_mut().for_each(|q| q.bid = q.bid.filter(|b| b.micros() > 0));
    let marks = close(&day, "AM and PM");
    assert_eq!(marks.slices.len(), 2);
    assert!(marks.slices[0].time_to_expiry < marks.slices[1].time_to_expiry);
    assert!(marks.slices.iter().all(|s| s.share_inside.unwrap() > 0.9), "{:?}", marks.slices);
}

#[test]
fn penny_prices_and_one_sided_wings_have_marks_within_their_asks() {
    for style in STYLES {
        // A stock at 3 with half-dollar strikes: most of a chain is bid at zero.
        let strikes = (1..20).map(|i| 0.5 * f64::from(i));
        let mut quotes = smiling(style, (3.0, 45, 0.02), strikes, |k| 2.5 * smile(k, 0.12));
        for quote in &mut quotes {
            quote.3 = (quote.3 * 100.0).floor().max(0.0) / 100.0;
            quote.4 = ((quote.4 * 100.0).ceil() / 100.0).max(0.01);
        }
        let marks = close(&quoted(style, 3.0, &quotes), "penny");
        for row in marks.series.iter().filter(|row| row.quote_status == QuoteStatus::ZeroBid) {
            assert!(row.mark.is_some() && row.mark <= row.ask, "{row:?}");
        }
    }
}

#[test]
fn leaps_and_hard_to_borrow_names_close() {
    // Three years out, and a stock whose borrow costs half its price a year: the forward is far below the spot.
    let plan = Plan {
        style: ExerciseStyle::American,
        spot: 100.0,
        rate: 0.03,
        dividends: Vec::new(),
        knowledge: DividendKnowledge::PaysNone,
    };
    for borrow in [0.0, 0.5] {
        let mut listed = Vec::new();
        for days in [30, 365, 1095] {
            let t = days as f64 / 365.0;
            let model = common::american_slice(100.0, t, 0.03, borrow);
            let forward = 100.0 * libm::exp((0.03 - borrow) * t);
            for step in 0..30 {
                let strike = 30.0 + 5.0 * f64::from(step);
                let sigma = 1.5 * smile(libm::log(strike / forward), t);
                for option_type in [OptionType::Call, OptionType::Put] {
                    listed.push(Listed {
                        days,
                        strike,
                        option_type,
                        truth: model.price(option_type, strike, sigma).unwrap(),
                    });
                }
            }
        }
        let (day, truth) = day(&plan, listed, 0.01, 3);
        let marks = close(&day, "LEAPS");
        for slice in &marks.slices {
            // After three years at half the price a year no call outlives its exercise, and nothing tells the borrow.
            let known = borrow == 0.0 || slice.time_to_expiry < 0.5;
            assert!(!known || (slice.borrow_rate.unwrap() - borrow).abs() < 0.03, "{slice:?}");
            assert!(!slice.reasons.contains(Reason::NonConverged), "borrow {borrow}: {slice:?}");
            assert!(borrow > 0.0 || !slice.reasons.contains(Reason::BorrowSuspect), "{slice:?}");
        }
        let misses = marks
            .series
            .iter()
            .zip(&truth)
            .map(|(row, truth)| (row.mark.unwrap().to_f64() - truth).abs() / truth.sqrt().max(0.5));
        assert!(borrow > 0.0 || misses.fold(0.0, f64::max) < 0.12);
    }
}

#[test]
fn two_thousand_garbage_days_break_no_rule() {
    let mut random = Random(99);
    for case in 0..2000 {
        let style = STYLES[usize::from(case % 5 == 0)];
        let spot = 0.5 * libm::pow(10_000.0, random.uniform());
        let mut quotes = Vec::new();
        let mut days = 0;
        for _ in 0..1 + (4.0 * random.uniform()) as i64 {
            days += 1 + (200.0 * random.uniform() * random.uniform()) as i64;
            let tight = random.uniform() < 0.2;
            let mut strikes: Vec<i64> = (0..1 + (12.0 * random.uniform()) as i64)
                .map(|_| {
                    let reach = if tight {
                        1.0 + 1e-5 * random.uniform()
                    } else {
                        libm::pow(10.0, 2.0 * random.uniform() - 1.0)
                    };
                    ((spot * reach * 1e3) as i64).max(1)
                })
                .collect();
            strikes.sort_unstable();
            strikes.dedup();
            for strike in strikes {
                for kind in [OptionType::Call, OptionType::Put] {
                    let price = |random: &mut Random| match (8.0 * random.uniform()) as u32 {
                        0 => 0.0,
                        1 => 3.0 * spot,
                        _ => spot * random.uniform() * random.uniform() * random.uniform(),
                    };
                    quotes.push((days, strike as f64 / 1e3, kind, price(&mut random), price(&mut random)));
                }
            }
        }
        let marks = close(&quoted(style, spot, &quotes), &format!("case {case}"));
        assert!(marks.series.iter().all(|row| row.mark.is_none() || row.mark_source != MarkSource::None));
    }
}
