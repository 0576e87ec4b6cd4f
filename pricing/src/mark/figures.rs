//! The rows of `slices`: what each fit is worth, honestly.

use crate::arbitrage::{PriceSlice, count_violations};
use crate::mark::premiums::{at, side};
use crate::mark::rows::{SliceMark, UnderlyingMarks, ViolationCounts};
use crate::mark::slices::Slice;
use crate::mark::terms::SliceWork;
use crate::mark::{ClassResult, confidence, slice_reasons};
use crate::nbbo::Nbbo;
use crate::price::Price;
use crate::settings::Settings;
use crate::smoothing::SmoothedSlice;
use crate::vocabulary::{ExerciseStyle, OptionType, QuoteStatus, Reason, Reasons, SolverStatus};

/// A row without a curve.
pub(super) fn bare(slice: &Slice, nbbos: &[Nbbo]) -> SliceMark {
    let quoted = slice.members().filter(|&i| nbbos.get(i).is_some_and(|n| n.status != QuoteStatus::None)).count();
    SliceMark {
        root: slice.root.clone(),
        deliverable: slice.deliverable.clone(),
        expiration: slice.expiration,
        settlement: slice.settlement,
        exercise_style: slice.exercise_style,
        calendar: slice.calendar,
        series_count: slice.members().count() as u32,
        quoted_count: quoted as u32,
        time_to_expiry: slice.time_to_expiry,
        forward: None,
        forward_present_value: None,
        discount_factor: None,
        carry_rate: None,
        borrow_rate: None,
        dividend_present_value: None,
        forward_pairs: 0,
        forward_uncertainty: None,
        parity_residual: None,
        atm_volatility: None,
        lambda: None,
        degrees_of_freedom: None,
        chi: None,
        atm_error: None,
        share_inside: None,
        share_accepted: None,
        left_out_error: None,
        used_calls: 0,
        used_puts: 0,
        rejected_calls: 0,
        rejected_puts: 0,
        violations_before: ViolationCounts::default(),
        violations_after: ViolationCounts::default(),
        iterations: 0,
        solver_status: SolverStatus::NotRun,
        solver_residual: None,
        largest_move: None,
        smallest_possible_move: None,
        confidence: if slice.time_to_expiry <= 0.0 { 1.0 } else { 0.0 },
        reasons: Reasons::EMPTY,
        curve_log_moneyness: Vec::new(),
        curve_total_variance: Vec::new(),
        parity_upper: None,
        parity_lower: None,
        discount_factor_min: None,
        discount_factor_max: None,
    }
}

/// Fills the rows of one class.
pub(super) fn fill_class(
    marks: &mut UnderlyingMarks,
    slices: &[Slice],
    result: &ClassResult,
    nbbos: &[Nbbo],
    settings: &Settings,
) {
    for (((work, curve), prices), offered) in
        result.works.iter().zip(&result.smoothed).zip(&result.prices).zip(&result.offered)
    {
        let (Some(slice), Some(row)) = (slices.get(work.slice), marks.slices.get_mut(work.slice)) else { continue };
        terms_columns(row, work);
        curve_columns(row, work, curve);
        row.largest_move = Some(Price::from_micros(prices.largest_move));
        row.smallest_possible_move = prices.smallest_possible_move.map(Price::from_micros);
        if !prices.converged {
            row.reasons.insert(Reason::NonConverged);
        }
        if Price::from_micros(prices.largest_move).to_f64() > settings.publish.move_alarm {
            row.reasons.insert(Reason::LargeMove);
        }
        for (index, outcome) in offered.iter().zip(&curve.outcomes) {
            let two_sided = nbbos.get(*index).is_some_and(|n| n.mid().is_some());
            let call = slice.strikes.iter().any(|s| s.call == Some(*index));
            let count = match (two_sided, outcome.accepted, call) {
                (false, ..) => continue,
                (true, true, true) => &mut row.used_calls,
                (true, true, false) => &mut row.used_puts,
                (true, false, true) => &mut row.rejected_calls,
                (true, false, false) => &mut row.rejected_puts,
            };
            *count += 1;
        }
        let published = [&prices.published[0], &prices.published[1]];
        quality(row, slice, work, curve, published, offered, nbbos, settings);
        row.confidence = confidence::of_slice(row);
    }
    count(marks, slices, result, nbbos, settings);
}

/// Violations of the class in its mids (to half a tick) and in its published marks.
fn count(marks: &mut UnderlyingMarks, slices: &[Slice], result: &ClassResult, nbbos: &[Nbbo], settings: &Settings) {
    let mids: Vec<[Vec<Option<f64>>; 2]> = result
        .works
        .iter()
        .map(|work| {
            let of = |kind: OptionType| -> Vec<Option<f64>> {
                let strikes = slices.get(work.slice).map_or(&[][..], |s| &s.strikes);
                let mid = |series: Option<usize>| Some(nbbos.get(series?)?.mid()?.to_f64());
                strikes.iter().map(|s| mid(s.series(kind))).collect()
            };
            [of(OptionType::Call), of(OptionType::Put)]
        })
        .collect();
    let published: Vec<[Vec<Option<f64>>; 2]> = result
        .prices
        .iter()
        .map(|p| {
            let of = |kind: OptionType| -> Vec<Option<f64>> {
                let prices = p.published.get(side(kind)).map_or(&[][..], Vec::as_slice);
                prices.iter().map(|v| v.map(|v| Price::from_micros(v).to_f64())).collect()
            };
            [of(OptionType::Call), of(OptionType::Put)]
        })
        .collect();
    let before = count_violations(&price_slices(result, slices, &mids), settings.nbbo.half_tick);
    // Where strikes are too fine for exact parity, calls follow their puts to half a millionth.
    let exact = result.works.iter().all(|work| work.exercise_style == ExerciseStyle::American || work.exact_parity);
    let tolerance = if exact { PUBLISHED_TOLERANCE } else { ROUNDED_TOLERANCE };
    let after = count_violations(&price_slices(result, slices, &published), tolerance);
    for ((work, before), after) in result.works.iter().zip(before).zip(after) {
        if let Some(row) = marks.slices.get_mut(work.slice) {
            row.violations_before = before;
            row.violations_after = after;
        }
    }
}

/// What double precision adds to whole millionths; the exact proof is `verify`'s.
const PUBLISHED_TOLERANCE: f64 = 1e-8;
/// The same where calls are rounded once more.
const ROUNDED_TOLERANCE: f64 = 1.01e-6;

fn price_slices<'a>(
    result: &'a ClassResult,
    slices: &[Slice],
    prices: &'a [[Vec<Option<f64>>; 2]],
) -> Vec<PriceSlice<'a>> {
    result
        .works
        .iter()
        .zip(prices)
        .map(|(work, [call, put])| {
            let bounds = work.bounds;
            PriceSlice {
                exercise_style: work.exercise_style,
                strikes: &work.strikes,
                call,
                put,
                discount_factor: work.discount_factor,
                forward_present_value: work.forward_present_value,
                parity_upper: Price::from_micros(bounds.upper).to_f64(),
                parity_lower: Price::from_micros(bounds.lower).to_f64(),
                discount_factor_min: bounds.discount_min as f64 * 1e-12,
                discount_factor_max: bounds.discount_max as f64 * 1e-12,
                calendar: slices.get(work.slice).is_some_and(|s| s.calendar),
            }
        })
        .collect()
}

fn terms_columns(row: &mut SliceMark, work: &SliceWork) {
    let european = work.exercise_style == ExerciseStyle::European;
    row.forward = Some(work.forward);
    row.forward_present_value = Price::nearest(work.forward_present_value);
    row.discount_factor = Some(work.discount_factor);
    row.carry_rate = european.then_some(work.borrow);
    row.borrow_rate = (!european).then_some(work.borrow);
    row.dividend_present_value = (!european).then_some(work.dividend_present_value);
    if let Some(e) = &work.parity.estimate {
        row.forward_pairs = e.pairs;
        row.forward_uncertainty = Some(e.uncertainty).filter(|u| u.is_finite());
        row.parity_residual = e.left_out_residual;
    }
    if !european {
        let bounds = work.bounds;
        row.parity_upper = Some(Price::from_micros(bounds.upper));
        row.parity_lower = Some(Price::from_micros(bounds.lower));
        row.discount_factor_min = Some(bounds.discount_min);
        row.discount_factor_max = Some(bounds.discount_max);
    }
}

fn curve_columns(row: &mut SliceMark, work: &SliceWork, curve: &SmoothedSlice) {
    row.reasons.extend(slice_reasons(work, curve));
    row.lambda = curve.lambda.filter(|v| v.is_finite());
    row.degrees_of_freedom = curve.degrees_of_freedom.filter(|v| v.is_finite());
    row.left_out_error = curve.left_out_error.filter(|v| v.is_finite());
    row.atm_volatility = curve.atm_volatility;
    row.iterations = curve.iterations;
    row.solver_status = curve.solver_status;
    row.solver_residual = curve.solver_residual.filter(|v| v.is_finite());
    for (strike, u) in work.strikes.iter().zip(&curve.volatility) {
        if let Some(u) = u {
            row.curve_log_moneyness.push(libm::log(strike / work.forward));
            row.curve_total_variance.push(u * u * work.time_to_expiry);
        }
    }
}

/// Inside, accepted, chi and the error at the money, over all two-sided uncrossed out-of-the-money quotes.
fn quality(
    row: &mut SliceMark,
    slice: &Slice,
    work: &SliceWork,
    curve: &SmoothedSlice,
    published: [&Vec<Option<i64>>; 2],
    offered: &[usize],
    nbbos: &[Nbbo],
    settings: &Settings,
) {
    let (mut quotes, mut inside, mut accepted, mut chi) = (0_u32, 0_u32, 0_u32, 0.0);
    let mut money: Vec<(f64, f64)> = Vec::new();
    for (place, strike) in slice.strikes.iter().enumerate() {
        for (kind, marks) in [OptionType::Call, OptionType::Put].into_iter().zip(published) {
            let Some(index) = strike.series(kind) else { continue };
            let Some(nbbo) = nbbos.get(index) else { continue };
            let k = strike.strike.to_f64();
            let out = if kind == OptionType::Call { k >= work.forward } else { k < work.forward };
            let (Some(mid), Some(half)) = (nbbo.mid(), nbbo.half_spread(settings.nbbo.half_tick)) else { continue };
            if !out {
                continue;
            }
            quotes += 1;
            let found = offered.iter().position(|i| *i == index);
            let outcome = found.and_then(|f| curve.outcomes.get(f));
            accepted += u32::from(outcome.is_some_and(|o| o.accepted));
            let Some(mark) = at(marks, place) else { continue };
            inside +=
                u32::from(nbbo.bid.is_some_and(|b| b.micros() <= mark) && nbbo.ask.is_some_and(|a| mark <= a.micros()));
            let distance = (Price::from_micros(mark).to_f64() - mid.to_f64()) / half;
            chi += distance * distance;
            if let Some(u) = at(&curve.volatility, place)
                && let Some(market) = work.black_volatility(kind, k, mid.to_f64())
            {
                money.push(((k - work.forward).abs(), (u - market).abs()));
            }
        }
    }
    if quotes > 0 {
        let n = f64::from(quotes);
        row.share_inside = Some(f64::from(inside) / n);
        row.share_accepted = Some(f64::from(accepted) / n);
        row.chi = Some(chi / n);
    }
    money.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    money.truncate(5);
    if !money.is_empty() {
        row.atm_error = Some(money.iter().map(|(_, e)| e).sum::<f64>() / money.len() as f64);
    }
}
