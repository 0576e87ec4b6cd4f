//! The European projection: the nearest puts of all expiries that no two later expiries together contradict.
//!
//! Smoothing holds every pair of expiries apart. Three can still disagree: the chord from a point of one later expiry
//! to a point of another may pass below an earlier price. Without this step exact publication would lower the earlier
//! one alone, by more than rounding needs.

use super::hildreth::largest_excess;
use super::pooled::broken_chords;
use super::projection::{PremiumSlice, inverse_weights, premiums, reasons_of_moves, solve, sort_by_slice};
use super::rows::european_rows;
use crate::settings::PublishSettings;
use crate::vocabulary::Reasons;

/// One European slice: puts by strike. A missing put is no node.
#[derive(Clone, Debug, PartialEq)]
pub struct PutSlice {
    /// Ascending strikes, currency per share.
    pub strikes: Vec<f64>,
    /// Discounted put prices by strike.
    pub put: Vec<Option<f64>>,
    /// Weight of a move, per strike.
    pub weight: Vec<f64>,
    /// Discount factor, positive.
    pub discount_factor: f64,
    /// `A = D F`, positive.
    pub forward_present_value: f64,
    /// Whether calendar conditions tie it to later slices.
    pub calendar: bool,
}

/// How the European projection ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EuropeanReport {
    /// Largest violation left, currency per share.
    pub residual: f64,
    /// Largest move, currency per share.
    pub largest_move: f64,
    /// Whether the tolerance was met.
    pub converged: bool,
    /// Per slice and strike: which kinds of rows moved the put by more than 1e-6.
    pub reasons: Vec<Vec<Reasons>>,
}

/// Moves the puts of one class (slices ascending in time, T > 0) as little as the conditions ask.
///
/// # Formula
/// In `x = K D / A` and `y = P / A`, where all expiries share one picture: minimises `sum w (dP)^2` under
/// `max(x - 1, 0) <= y <= x`, convexity with a node `(0, 0)`, slopes in `[0, 1]`, and `y` not above the lower convex hull of
/// all later slices' points. Chords of that hull are added as solutions break them.
///
/// # Domain
/// As [`project_american`](super::projection::project_american): nothing panics, what cannot be is reported as not
/// converged and left alone.
pub fn project_european(slices: &mut [PutSlice], settings: &PublishSettings) -> EuropeanReport {
    let reasons = slices.iter().map(|slice| vec![Reasons::EMPTY; slice.strikes.len()]).collect();
    let mut report = EuropeanReport { reasons, ..EuropeanReport::default() };
    // One unit of currency stays about one: every slice is blown up to the largest forward.
    let unit = slices.iter().map(|slice| slice.forward_present_value).fold(0.0, f64::max);
    let Some(picture) = picture(slices, unit) else {
        report.residual = f64::MAX;
        return report;
    };
    let start = premiums(&picture);
    let weights = inverse_weights(&picture);
    let mut rows = european_rows(&picture);
    let (mut x, mut solution) = solve(&picture, &rows, &weights, &start, settings);
    for _ in 0..CUT_ROUNDS {
        let cuts = broken_chords(&picture, &x, CUT_TOLERANCE.max(2.0 * settings.projection_tolerance));
        if cuts.is_empty() {
            break;
        }
        rows.extend(cuts);
        sort_by_slice(&picture, &mut rows);
        (x, solution) = solve(&picture, &rows, &weights, &start, settings);
    }
    report.residual = largest_excess(&rows, &x);
    report.converged = report.residual <= settings.projection_tolerance;
    report.largest_move = start.iter().zip(&x).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let mut values = x.iter().zip(&start).zip(reasons_of_moves(&rows, &solution.multipliers, &weights, x.len()));
    for (slice, reasons) in slices.iter_mut().zip(&mut report.reasons) {
        let back = slice.forward_present_value / unit;
        for ((put, reason), _) in
            slice.put.iter_mut().zip(reasons).zip(&slice.strikes).filter(|((p, _), _)| p.is_some())
        {
            let Some(((value, before), why)) = values.next() else { continue };
            // An unmoved price keeps its bits.
            if value != before {
                *put = Some(value * back);
                *reason = why;
            }
        }
    }
    report
}

/// Rounds of adding chords that the last solution broke.
const CUT_ROUNDS: u32 = 8;
/// Chords broken by less than this are left to the integers; currency per share.
const CUT_TOLERANCE: f64 = 2e-6;

/// The slices in the common picture; `None` where a number makes none.
fn picture(slices: &[PutSlice], unit: f64) -> Option<Vec<PremiumSlice>> {
    slices
        .iter()
        .map(|slice| {
            let (d, a) = (slice.discount_factor, slice.forward_present_value);
            let n = slice.strikes.len();
            let sound = d > 0.0 && d.is_finite() && a > 0.0 && a.is_finite() && unit <= 1e12;
            if !sound || slice.put.len() != n || slice.weight.len() != n {
                return None;
            }
            let strikes: Vec<f64> = slice.strikes.iter().map(|k| k * d / a * unit).collect();
            let ascending = strikes.iter().all(|k| *k > 0.0 && *k <= 1e15) && strikes.is_sorted_by(|a, b| a < b);
            ascending.then(|| PremiumSlice {
                strikes,
                call: vec![None; n],
                put: slice.put.iter().map(|put| put.map(|put| put / a * unit)).collect(),
                call_weight: vec![1.0; n],
                put_weight: slice.weight.clone(),
                spot: unit,
                parity_upper: unit,
                parity_lower: unit,
                discount_factor_min: 1.0,
                discount_factor_max: 1.0,
                calendar: slice.calendar,
            })
        })
        .collect()
}
