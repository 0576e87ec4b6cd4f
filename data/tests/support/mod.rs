//! A small close made by hand: hyperbolic put prices, whose curvature leaves room for rounding at every strike.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "only tests use this")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use closemark_data::day::Day;
use closemark_data::publication::{FileDigest, PublicationRequest, Published, publish};
use closemark_pricing::curve::DiscountCurve;
use closemark_pricing::day::{DividendKnowledge, UnderlyingDay};
use closemark_pricing::mark::{ExceptionRow, Greeks, SeriesMark, SliceMark, UnderlyingMarks, ViolationCounts};
use closemark_pricing::price::Price;
use closemark_pricing::risk::{Floor, PointMark, Range, RiskArray, point_prices};
use closemark_pricing::series::{Date, Deliverable, Instant, Series};
use closemark_pricing::settings::Settings;
use closemark_pricing::vocabulary::{
    ExerciseStyle, MarginGroup, MarkSource, OptionType, PricingMethod, QuoteFlags, QuoteStatus, Reason, Reasons,
    Settlement, SolverStatus, VolatilityStatus,
};

pub(crate) const MARKET_DATE: Date = Date(20_777);
const SNAPSHOT: Instant = Instant(1_795_208_400_000_000_000);
const YEAR_NANOS: f64 = 365.0 * 86_400.0 * 1e9;
pub(crate) const SETTINGS: &str = "[gates]\ncoverage_min = 0.95\n";

/// One slice to be made.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) root: &'static str,
    pub(crate) style: ExerciseStyle,
    pub(crate) settlement: Settlement,
    pub(crate) days: i32,
    pub(crate) spot: i64,
    pub(crate) forward_present_value: i64,
    pub(crate) discount_factor: i64,
    pub(crate) strikes: (i64, i64, i64),
    /// How rounded the hyperbola's corner is; larger later.
    pub(crate) corner: f64,
}

fn years(days: i32) -> f64 {
    SNAPSHOT.years_until(Instant(SNAPSHOT.0 + (f64::from(days) / 365.0 * YEAR_NANOS) as i64))
}

fn micros(units: i64) -> Price {
    Price::from_micros(units * 1_000_000)
}

/// Marks of a put and a call at one strike, millionths.
fn prices(shape: &Shape, strike: i64) -> (i64, i64) {
    let (a, d) = (shape.forward_present_value, shape.discount_factor);
    if shape.days == 0 {
        return ((strike - shape.spot).max(0), (shape.spot - strike).max(0));
    }
    let present = match shape.style {
        ExerciseStyle::European => (i128::from(strike) * i128::from(d) / 1_000_000_000_000) as i64,
        ExerciseStyle::American => strike,
    };
    let x = present as f64 / a as f64 - 1.0;
    let put = (a as f64 * (x + (x * x + shape.corner * shape.corner).sqrt()) / 2.0).round() as i64;
    (put, put + a - present)
}

fn append(shape: &Shape, underlying: &str, day: &mut UnderlyingDay, marks: &mut UnderlyingMarks) {
    let t = years(shape.days);
    let american = shape.style == ExerciseStyle::American;
    let deliverable =
        Deliverable { text: format!("100 {underlying}"), shares: 100.0, cash: 0.0, standard: true, priceable: true };
    let forward = shape.forward_present_value as f64 / shape.discount_factor as f64 * 1e6;
    let discount = shape.discount_factor as f64 / 1e12;
    let place = marks.slices.len();
    let (first, last, step) = shape.strikes;
    let mut strike = first;
    while strike <= last {
        let (put, call) = prices(shape, strike * 1_000_000);
        for option_type in [OptionType::Call, OptionType::Put] {
            let price = if option_type == OptionType::Call { call } else { put };
            let yymmdd = match shape.days {
                0 => "261120",
                30 => "261220",
                31 => "261221",
                _ => "270220",
            };
            let symbol = format!("{:<6}{yymmdd}{option_type}{:08}", shape.root, strike * 1000);
            day.series.push(Series {
                osi_symbol: symbol,
                root: shape.root.to_owned(),
                expiration: Date(MARKET_DATE.0 + shape.days),
                settlement_time: Instant(SNAPSHOT.0 + (t * YEAR_NANOS) as i64),
                snapshot: SNAPSHOT,
                strike: micros(strike),
                option_type,
                exercise_style: shape.style,
                settlement: shape.settlement,
                multiplier: 100,
                currency: "USD".to_owned(),
                deliverable: deliverable.clone(),
                calendar: true,
            });
            let k = libm::log(strike as f64 / forward);
            marks.series.push(mark(shape, price, k, t, place));
        }
        strike += step;
    }
    let count = 2 * ((last - first) / step + 1) as u32;
    marks.slices.push(SliceMark {
        root: shape.root.to_owned(),
        deliverable: deliverable.text,
        expiration: Date(MARKET_DATE.0 + shape.days),
        settlement: shape.settlement,
        exercise_style: shape.style,
        calendar: true,
        series_count: count,
        quoted_count: count,
        time_to_expiry: t,
        forward: Some(forward),
        forward_present_value: Some(Price::from_micros(shape.forward_present_value)),
        discount_factor: Some(discount),
        carry_rate: None,
        borrow_rate: american.then_some(0.0),
        dividend_present_value: None,
        forward_pairs: 5,
        forward_uncertainty: Some(0.01),
        parity_residual: Some(0.2),
        atm_volatility: Some(0.2),
        lambda: Some(0.5),
        degrees_of_freedom: Some(4.0),
        chi: Some(0.3),
        atm_error: Some(0.001),
        share_inside: Some(1.0),
        share_accepted: Some(1.0),
        left_out_error: Some(0.002),
        used_calls: count / 2,
        used_puts: count / 2,
        rejected_calls: 0,
        rejected_puts: 0,
        violations_before: ViolationCounts { butterfly: 2, ..ViolationCounts::default() },
        violations_after: ViolationCounts::default(),
        iterations: 3,
        solver_status: SolverStatus::Converged,
        solver_residual: Some(1e-9),
        largest_move: Some(Price::from_micros(3)),
        smallest_possible_move: Some(Price::from_micros(2)),
        confidence: 0.9,
        reasons: Reasons::EMPTY,
        curve_log_moneyness: vec![-0.5, 0.0, 0.5],
        curve_total_variance: vec![0.05, 0.04, 0.045],
        parity_upper: american.then_some(Price::from_micros(shape.spot)),
        parity_lower: american.then_some(Price::from_micros(shape.spot)),
        discount_factor_min: american.then_some(990_000_000_000),
        discount_factor_max: american.then_some(1_000_000_000_000),
    });
}

fn mark(shape: &Shape, price: i64, k: f64, t: f64, slice: usize) -> SeriesMark {
    let expired = shape.days == 0;
    let two_sided = price > 250_000 && !expired;
    let mid = two_sided.then_some(Price::from_micros(price - 7));
    let status = match (two_sided, expired) {
        (true, _) => QuoteStatus::TwoSided,
        (false, true) => QuoteStatus::None,
        (false, false) => QuoteStatus::ZeroBid,
    };
    SeriesMark {
        bid: mid.map(|p| Price::from_micros(p.micros() - 10_000)),
        ask: (status != QuoteStatus::None)
            .then(|| mid.map_or(Price::from_micros(price + 5_000), |p| Price::from_micros(p.micros() + 10_000))),
        bid_size: mid.map(|_| 12),
        ask_size: (status != QuoteStatus::None).then_some(7),
        venue_count: u32::from(status != QuoteStatus::None) * 3,
        quote_status: status,
        quote_flags: QuoteFlags::EMPTY,
        accepted: mid.map(|_| true),
        mid,
        mark: Some(Price::from_micros(price)),
        mark_source: if expired { MarkSource::Intrinsic } else { MarkSource::Smoothed },
        reasons: Reasons::EMPTY,
        implied_volatility: mid.map(|_| 0.21),
        bid_implied_volatility: mid.map(|_| 0.2),
        ask_implied_volatility: mid.map(|_| 0.22),
        volatility_status: match (expired, mid) {
            (true, _) => VolatilityStatus::Expired,
            (false, Some(_)) => VolatilityStatus::Ok,
            (false, None) => VolatilityStatus::NoPrice,
        },
        smoothed_volatility: (!expired).then_some(0.2),
        edit: mid.map(|_| Price::from_micros(7)),
        edit_half_spreads: mid.map(|_| 7.0 / 10_000.0),
        edit_volatility: mid.map(|_| -0.01),
        greeks: (!expired).then(Greeks::default),
        underlying_price: Some(Price::from_micros(shape.spot)),
        forward: Some(shape.forward_present_value as f64 / shape.discount_factor as f64 * 1e6),
        forward_present_value: Some(Price::from_micros(shape.forward_present_value)),
        discount_factor: Some(shape.discount_factor as f64 / 1e12),
        carry_rate: None,
        borrow_rate: None,
        dividend_present_value: None,
        time_to_expiry: t,
        log_moneyness: Some(k),
        total_variance: (!expired).then_some(0.04),
        confidence: Some(0.9),
        slice,
        method: Some(PricingMethod::Black),
    }
}

pub(crate) fn underlying(name: &str, shapes: &[Shape]) -> (UnderlyingDay, UnderlyingMarks) {
    let mut day = UnderlyingDay {
        underlying: name.to_owned(),
        market_date: MARKET_DATE,
        snapshot: SNAPSHOT,
        price: Some(Price::from_micros(shapes[0].spot)),
        price_time: None,
        halted: false,
        settlement_price: None,
        margin_group: MarginGroup::Equity,
        leverage: 1.0,
        dividend_knowledge: DividendKnowledge::PaysNone,
        dividends: Vec::new(),
        curve: Arc::new(DiscountCurve::flat(0.04).unwrap()),
        series: Vec::new(),
        quotes: Vec::new(),
        quote_offsets: Vec::new(),
        venues: Arc::from([]),
        previous: Vec::new(),
    };
    let mut marks = UnderlyingMarks { underlying: name.to_owned(), ..UnderlyingMarks::default() };
    for shape in shapes {
        append(shape, name, &mut day, &mut marks);
    }
    day.quote_offsets = vec![0; day.series.len() + 1];
    fill_arrays(&day, &mut marks);
    (day, marks)
}

/// Arrays that fit the marks: each series worth no more than exercise tells, at every point.
pub(crate) fn fill_arrays(day: &UnderlyingDay, marks: &mut UnderlyingMarks) {
    marks.risk_arrays = day.series.iter().zip(&marks.series).map(|(s, m)| array(s, m)).collect();
}

fn array(series: &Series, mark: &SeriesMark) -> Option<RiskArray> {
    let range = Range::of(MarginGroup::Equity, 1.0, &Settings::default().risk);
    let underlying = mark.underlying_price?;
    let floor = match series.exercise_style {
        ExerciseStyle::American => Floor::American,
        ExerciseStyle::European => Floor::European {
            forward_present_value: mark.forward_present_value?.micros(),
            discount_factor: (mark.discount_factor? * 1e12).round() as i64,
        },
    };
    let at = PointMark { option_type: series.option_type, strike: series.strike, underlying, mark: mark.mark?, floor };
    let prices = point_prices(&at, &range.prices(underlying), &[None; 10]);
    Some(RiskArray::new(&prices, at.mark, series.multiplier, mark.smoothed_volatility.filter(|v| *v > 0.0)))
}

/// The American name's slices: one that expires today, two that do not.
pub(crate) fn american() -> [Shape; 3] {
    let shape = |days, corner| Shape {
        root: "ABC",
        style: ExerciseStyle::American,
        settlement: Settlement::Pm,
        days,
        spot: 100_250_000,
        forward_present_value: 100_250_000,
        discount_factor: 1_000_000_000_000,
        strikes: (80, 120, 5),
        corner,
    };
    [shape(0, 0.0), shape(30, 0.04), Shape { strikes: (75, 125, 10), ..shape(92, 0.08) }]
}

/// The European index's slices: AM and PM on one date, and a later one.
pub(crate) fn european() -> [Shape; 3] {
    let shape = |settlement, days, corner, a, d| Shape {
        root: if settlement == Settlement::Am { "XYX" } else { "XYXW" },
        style: ExerciseStyle::European,
        settlement,
        days,
        spot: 4_500_000_000,
        forward_present_value: a,
        discount_factor: d,
        strikes: (4_000, 5_000, 50),
        corner,
    };
    let later = shape(Settlement::Pm, 92, 0.08, 4_487_000_000, 990_000_000_000);
    [
        shape(Settlement::Am, 30, 0.039, 4_495_000_000, 996_800_000_000),
        shape(Settlement::Pm, 31, 0.04, 4_494_900_000, 996_700_000_000),
        Shape { strikes: (3_900, 5_100, 75), ..later },
    ]
}

/// A day of two names with its marks.
pub(crate) fn close() -> (Day, Vec<UnderlyingMarks>) {
    let (american_day, mut american_marks) = underlying("ABC", &american());
    let (european_day, european_marks) = underlying("XYX", &european());
    american_marks.exceptions.push(ExceptionRow::series(
        &american_day.series[20],
        "ABC",
        closemark_pricing::vocabulary::Stage::Smoothing,
        Reason::Outlier,
    ));
    let day = Day {
        market_date: MARKET_DATE,
        snapshot: SNAPSHOT,
        snapshot_text: "2026-11-20T16:00:00-05:00".to_owned(),
        curve: None,
        underlyings: vec![american_day, european_day],
        exceptions: vec![ExceptionRow {
            scope: "row",
            stage: "input",
            reason: "MALFORMED_SYMBOL",
            before: Some("???".to_owned()),
            ..ExceptionRow::default()
        }],
        rows_read: 1000,
        rows_dropped: 1,
        expected: Vec::new(),
        settings: Settings::default(),
        venues: vec!["XCBO".to_owned()],
        input_digest: "00ff".repeat(16),
        previous_run: None,
        record_counts: vec![("quotes".to_owned(), 999)],
    };
    (day, vec![american_marks, european_marks])
}

/// A request without anything special.
pub(crate) fn request<'a>(day: &'a Day, marks: &'a [UnderlyingMarks]) -> PublicationRequest<'a> {
    PublicationRequest {
        partial: false,
        day,
        marks,
        settings_text: SETTINGS,
        base_run: None,
        overrides: &[],
        extra_files: &[],
        timings_json: Some("{\"total_seconds\": 1.0}\n"),
        audit_head: None,
    }
}

/// Publishes a close, with arrays that fit its marks.
pub(crate) fn publish_close(out: &Path, day: &Day, marks: &[UnderlyingMarks]) -> Published {
    let mut marks = marks.to_vec();
    for (day, marks) in day.underlyings.iter().zip(&mut marks) {
        fill_arrays(day, marks);
    }
    publish(&request(day, &marks), out).unwrap()
}

/// The place of a series by strike and type among those of a slice.
pub(crate) fn place(day: &Day, marks: &[UnderlyingMarks], slice: (usize, usize), strike: i64, call: bool) -> usize {
    let (name, slice) = slice;
    day.underlyings[name]
        .series
        .iter()
        .zip(&marks[name].series)
        .position(|(s, m)| {
            m.slice == slice && s.strike == micros(strike) && (s.option_type == OptionType::Call) == call
        })
        .unwrap()
}

/// Moves a mark, and its edit with it.
pub(crate) fn nudge(mark: &mut SeriesMark, by: i64) {
    let moved = |p: Option<Price>| p.map(|p| Price::from_micros(p.micros() + by));
    mark.mark = moved(mark.mark);
    mark.edit = moved(mark.edit);
}

/// Makes the manifest agree with a file that a test has changed.
pub(crate) fn reseal(run: &Path, file: &str) {
    let path: PathBuf = run.join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let digest = FileDigest::of_file(&run.join(file)).unwrap();
    manifest["provenance"]["files"][file] = serde_json::to_value(digest).unwrap();
    std::fs::write(&path, serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
}
