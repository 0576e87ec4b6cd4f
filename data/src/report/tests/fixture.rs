//! A handmade close: Black prices on a parabola of volatility, with the faults that the report must show.

use std::sync::Arc;

use closemark_pricing::curve::DiscountCurve;
use closemark_pricing::day::{DividendKnowledge, UnderlyingDay};
use closemark_pricing::mark::{SeriesMark, SliceMark, UnderlyingMarks, ViolationCounts};
use closemark_pricing::series::{Date, Deliverable, Instant, Series};
use closemark_pricing::settings::Settings;
use closemark_pricing::vocabulary::{
    ExerciseStyle, MarginGroup, MarkSource, OptionType, QuoteFlags, QuoteStatus, Reason, Reasons, Settlement,
    SolverStatus, VolatilityStatus,
};
use closemark_pricing::{Price, UnderlyingMarks as Marks};

use crate::day::Day;

const MARKET_DATE: i32 = 20_777;

fn black(f: f64, k: f64, sigma: f64, t: f64, call: bool) -> f64 {
    let s = sigma * t.sqrt();
    let d1 = libm::log(f / k) / s + 0.5 * s;
    let n = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    let c = f * n(d1) - k * n(d1 - s);
    if call { c } else { c - f + k }
}

fn series(root: &str, expiration: i32, strike: f64, option_type: OptionType, days: i32) -> Series {
    let osi_symbol = format!("{root:<6}{expiration:06}{option_type}{:08}", (strike * 1000.0) as i64);
    Series {
        osi_symbol,
        root: root.to_owned(),
        expiration: Date(expiration),
        settlement_time: Instant(i64::from(days) * 86_400_000_000_000),
        snapshot: Instant(0),
        strike: Price::nearest(strike).unwrap(),
        option_type,
        exercise_style: ExerciseStyle::European,
        settlement: Settlement::Pm,
        multiplier: 100,
        currency: "USD".to_owned(),
        deliverable: Deliverable {
            text: format!("100 {root}"),
            shares: 100.0,
            cash: 0.0,
            standard: true,
            priceable: true,
        },
        calendar: true,
    }
}

pub(super) fn empty_mark(slice: usize) -> SeriesMark {
    SeriesMark {
        bid: None,
        ask: None,
        bid_size: None,
        ask_size: None,
        venue_count: 0,
        quote_status: QuoteStatus::None,
        quote_flags: QuoteFlags::EMPTY,
        accepted: None,
        mid: None,
        mark: None,
        mark_source: MarkSource::None,
        reasons: Reasons::EMPTY,
        implied_volatility: None,
        bid_implied_volatility: None,
        ask_implied_volatility: None,
        volatility_status: VolatilityStatus::NoPrice,
        smoothed_volatility: None,
        edit: None,
        edit_half_spreads: None,
        edit_volatility: None,
        greeks: None,
        underlying_price: None,
        forward: None,
        forward_present_value: None,
        discount_factor: None,
        carry_rate: None,
        borrow_rate: None,
        dividend_present_value: None,
        time_to_expiry: 0.0,
        log_moneyness: None,
        total_variance: None,
        confidence: None,
        slice,
        method: None,
    }
}

pub(super) fn slice(root: &str, expiration: i32, t: f64, forward: f64, atm: f64) -> SliceMark {
    SliceMark {
        root: root.to_owned(),
        deliverable: format!("100 {root}"),
        expiration: Date(expiration),
        settlement: Settlement::Pm,
        exercise_style: ExerciseStyle::European,
        calendar: true,
        series_count: 0,
        quoted_count: 0,
        time_to_expiry: t,
        forward: Some(forward),
        forward_present_value: None,
        discount_factor: Some(1.0),
        carry_rate: Some(0.031),
        borrow_rate: None,
        dividend_present_value: None,
        forward_pairs: 9,
        forward_uncertainty: Some(0.01),
        parity_residual: Some(0.2),
        atm_volatility: Some(atm),
        lambda: Some(1e-4),
        degrees_of_freedom: Some(9.4),
        chi: Some(0.12),
        atm_error: Some(0.0004),
        share_inside: Some(0.99),
        share_accepted: Some(0.97),
        left_out_error: Some(0.001),
        used_calls: 20,
        used_puts: 20,
        rejected_calls: 1,
        rejected_puts: 0,
        violations_before: ViolationCounts { vertical: 1, butterfly: 7, calendar: 0, parity: 0 },
        violations_after: ViolationCounts::default(),
        iterations: 3,
        solver_status: SolverStatus::Converged,
        solver_residual: Some(1e-9),
        largest_move: None,
        smallest_possible_move: None,
        confidence: 0.9,
        reasons: Reasons::EMPTY,
        curve_log_moneyness: Vec::new(),
        curve_total_variance: Vec::new(),
        parity_upper: None,
        parity_lower: None,
        discount_factor_min: None,
        discount_factor_max: None,
    }
}

/// One underlying with `expiries` slices of 2 x 41 series; every 13th quote is an excluded outlier.
pub(in crate::report) fn name(
    symbol: &str,
    spot: f64,
    base: f64,
    expiries: i32,
    trouble: f64,
) -> (UnderlyingDay, Marks) {
    let mut day = UnderlyingDay {
        underlying: symbol.to_owned(),
        market_date: Date(MARKET_DATE),
        snapshot: Instant(0),
        price: Price::nearest(spot),
        price_time: None,
        halted: false,
        settlement_price: None,
        margin_group: MarginGroup::Equity,
        leverage: 1.0,
        dividend_knowledge: DividendKnowledge::PaysNone,
        dividends: Vec::new(),
        curve: Arc::new(DiscountCurve::flat(0.0).unwrap()),
        series: Vec::new(),
        quotes: Vec::new(),
        quote_offsets: vec![0],
        venues: Arc::from([]),
        previous: Vec::new(),
    };
    let mut marks = UnderlyingMarks { underlying: symbol.to_owned(), ..UnderlyingMarks::default() };
    for e in 0..expiries {
        let days = 7 + 23 * e * (e + 1) / 2;
        let t = f64::from(days) / 365.0;
        let spread = base * t.sqrt();
        let volatility = |k: f64| base * (1.0 - 0.12 * k / spread + 0.045 * k * k / (spread * spread));
        let mut row = slice(symbol, MARKET_DATE + days, t, spot, base);
        for step in -20..=20 {
            let strike = (spot * libm::exp(f64::from(step) * 0.17 * spread) * 2.0).round() / 2.0;
            let k = libm::log(strike / spot);
            for call in [true, false] {
                let option_type = if call { OptionType::Call } else { OptionType::Put };
                let sigma = volatility(k);
                let price = black(spot, strike, sigma, t, call);
                let half = (0.02 + 0.02 * price).max(0.01);
                let odd = (step + 20) % 13 == 5;
                let noise = trouble * (f64::from((step * 37 + e * 11) % 17) - 8.0) / 8.0 * half;
                let mid = (price + noise + if odd { 3.5 * half } else { 0.0 }).max(half);
                let vega = ((black(spot, strike, sigma + 1e-4, t, call) - price) / 1e-4).max(1e-3);
                let mut mark = empty_mark(marks.slices.len());
                mark.bid = Price::nearest(mid - half);
                mark.ask = Price::nearest(mid + half);
                mark.mid = Price::nearest(mid);
                mark.mark = Price::nearest(price);
                mark.quote_status = QuoteStatus::TwoSided;
                mark.accepted = Some(!odd);
                mark.mark_source = if odd { MarkSource::BoundBid } else { MarkSource::Smoothed };
                if odd {
                    mark.reasons.insert(Reason::Outlier);
                }
                mark.volatility_status = VolatilityStatus::Ok;
                mark.implied_volatility = Some(sigma + (mid - price) / vega);
                mark.bid_implied_volatility = Some(sigma + (mid - half - price) / vega).filter(|v| *v > 0.0);
                mark.ask_implied_volatility = Some(sigma + (mid + half - price) / vega);
                mark.smoothed_volatility = Some(sigma);
                mark.edit_half_spreads = Some((price - mid) / half);
                mark.forward = Some(spot);
                mark.log_moneyness = Some(k);
                mark.time_to_expiry = t;
                mark.underlying_price = Price::nearest(spot);
                day.series.push(series(symbol, MARKET_DATE + days, strike, option_type, days));
                day.quote_offsets.push(0);
                marks.series.push(mark);
                row.series_count += 1;
                row.quoted_count += 1;
            }
            row.curve_log_moneyness.push(k);
            row.curve_total_variance.push(volatility(k) * volatility(k) * t);
        }
        row.confidence = (0.95 - 0.3 * trouble).max(0.0);
        marks.slices.push(row);
    }
    (day, marks)
}

/// A day of several names.
pub(in crate::report) fn day(names: Vec<(UnderlyingDay, Marks)>) -> (Day, Vec<Marks>) {
    let (mut underlyings, mut marks): (Vec<_>, Vec<_>) = names.into_iter().unzip();
    underlyings.sort_by(|a, b| a.underlying.cmp(&b.underlying));
    marks.sort_by(|a, b| a.underlying.cmp(&b.underlying));
    let day = Day {
        market_date: Date(MARKET_DATE),
        snapshot: Instant(0),
        snapshot_text: "2026-11-20T16:00:00-05:00".to_owned(),
        curve: None,
        underlyings,
        exceptions: Vec::new(),
        rows_read: 0,
        rows_dropped: 0,
        expected: Vec::new(),
        settings: Settings::default(),
        venues: Vec::new(),
        input_digest: String::new(),
        previous_run: None,
        record_counts: Vec::new(),
    };
    (day, marks)
}
