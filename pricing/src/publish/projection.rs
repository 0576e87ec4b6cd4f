//! The American projection: the nearest premiums that satisfy every model-free condition, in real numbers.

use super::hildreth::{Solution, largest_excess, project};
use super::interior::nearest;
use super::pooled::broken_chords;
use super::rows::{Row, american_rows};
use crate::settings::PublishSettings;
use crate::vocabulary::Reasons;

/// One American slice's premiums. A missing series is `None` and is no node.
#[derive(Clone, Debug, PartialEq)]
pub struct PremiumSlice {
    /// Ascending strikes, currency per share.
    pub strikes: Vec<f64>,
    /// Call premiums by strike.
    pub call: Vec<Option<f64>>,
    /// Put premiums by strike.
    pub put: Vec<Option<f64>>,
    /// Weight of a move, per strike, calls (1/half-spread^2 or the like; positive).
    pub call_weight: Vec<f64>,
    /// The same for puts.
    pub put_weight: Vec<f64>,
    /// Spot per share of the deliverable.
    pub spot: f64,
    /// `S max(1, e^{-bT})`.
    pub parity_upper: f64,
    /// `S min(1, e^{-bT}) - PV(dividends)`.
    pub parity_lower: f64,
    /// Least `D(t)` over the life.
    pub discount_factor_min: f64,
    /// Largest `D(t)` over the life.
    pub discount_factor_max: f64,
    /// Whether calendar conditions tie it to later slices.
    pub calendar: bool,
}

/// How the projection ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProjectionReport {
    /// Sweeps over the violated rows.
    pub sweeps: u32,
    /// Largest violation left, currency per share.
    pub residual: f64,
    /// Largest move.
    pub largest_move: f64,
    /// Whether the tolerance was met.
    pub converged: bool,
    /// Per slice and strike: which kinds of rows moved the call by more than 1e-6.
    pub call_reasons: Vec<Vec<Reasons>>,
    /// The same for puts.
    pub put_reasons: Vec<Vec<Reasons>>,
}

/// Moves the premiums of one class (slices ascending in time, T > 0) as little as the conditions ask.
///
/// # Formula
/// Minimises `sum w (x - x_0)^2` over calls and puts of all slices under: convex in strike with strike-zero nodes
/// (put 0, call `parity_upper`); `-1 <= dC/dK <= 0`, `0 <= dP/dK <= 1`; `(S-K)+ <= C <= parity_upper`,
/// `(K-S)+ <= P <= K`; `parity_lower - K Dmax <= C - P <= parity_upper - K Dmin`; and in time, at each strike, not
/// above any later slice up to and including the first that lists it, nor above chords of an own neighbour and a
/// later point, nor of points of two later slices.
///
/// # Domain
/// Any numbers: a premium that is not finite starts at its exercise value, a weight that is not positive and finite
/// counts as the least. Where the sweeps end before the tolerance is met, exact publication's own descent finishes what
/// is left, and `converged` is false.
/// Slices with strikes that do not ascend, or with lists of different lengths, are left alone and reported as not
/// converged.
pub fn project_american(slices: &mut [PremiumSlice], settings: &PublishSettings) -> ProjectionReport {
    let mut report = ProjectionReport {
        call_reasons: slices.iter().map(|s| vec![Reasons::EMPTY; s.call.len()]).collect(),
        put_reasons: slices.iter().map(|s| vec![Reasons::EMPTY; s.put.len()]).collect(),
        ..ProjectionReport::default()
    };
    if !slices.iter().all(is_well_formed) {
        report.residual = f64::MAX;
        return report;
    }
    let start = premiums(slices);
    let mut rows = american_rows(slices);
    let inverse_weights = inverse_weights(slices);
    let tolerance = settings.projection_tolerance;
    let (mut x, mut solution) = solve(slices, &rows, &inverse_weights, &start, settings);
    for _ in 0..CUT_ROUNDS {
        let cuts = broken_chords(slices, &x, CUT_TOLERANCE.max(2.0 * tolerance));
        if cuts.is_empty() {
            break;
        }
        rows.extend(cuts);
        sort_by_slice(slices, &mut rows);
        (x, solution) = solve(slices, &rows, &inverse_weights, &start, settings);
    }
    report.sweeps = solution.sweeps;
    report.residual = solution.residual;
    report.converged = solution.residual <= settings.projection_tolerance;
    report.largest_move = start.iter().zip(&x).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);

    let reasons = reasons_of_moves(&rows, &solution.multipliers, &inverse_weights, x.len());
    let mut places = x.iter().zip(&reasons);
    for (slice, lists) in slices.iter_mut().zip(report.call_reasons.iter_mut().zip(&mut report.put_reasons)) {
        for (marks, list) in [(&mut slice.call, lists.0), (&mut slice.put, lists.1)] {
            for ((mark, set), (&value, why)) in
                marks.iter_mut().zip(list).filter(|(m, _)| m.is_some()).zip(places.by_ref())
            {
                *mark = Some(value);
                *set = *why;
            }
        }
    }
    report
}

/// Which kinds of rows moved each premium by more than [`MOVE_WITHOUT_REASON`].
pub(super) fn reasons_of_moves(
    rows: &[Row],
    multipliers: &[f64],
    inverse_weights: &[f64],
    count: usize,
) -> Vec<Reasons> {
    let mut reasons = vec![Reasons::EMPTY; count];
    for (row, &multiplier) in rows.iter().zip(multipliers).filter(|&(_, &m)| m > 0.0) {
        for (node, coefficient) in row.terms() {
            if let (Some(set), Some(v)) = (reasons.get_mut(node), inverse_weights.get(node))
                && (v * coefficient * multiplier).abs() > MOVE_WITHOUT_REASON
            {
                set.insert(row.kind.reason());
            }
        }
    }
    reasons
}

/// The nearest premiums under the rows at hand.
pub(super) fn solve(
    slices: &[PremiumSlice],
    rows: &[Row],
    inverse_weights: &[f64],
    start: &[f64],
    settings: &PublishSettings,
) -> (Vec<f64>, Solution) {
    let mut x = start.to_vec();
    let tolerance = settings.projection_tolerance;
    // Sharper than asked, so that what is known of later premiums leaves the slice-wise solution room.
    let sharp = 0.25 * tolerance;
    let mut solution = project(rows, inverse_weights, &mut x, sharp, settings.projection_sweeps_max);
    if solution.residual > tolerance {
        refine(slices, rows, inverse_weights, start, &mut x, &mut solution.multipliers, tolerance);
        solution.residual = largest_excess(rows, &x);
    }
    (x, solution)
}

/// Brings rows back into the order of the slices whose premiums they bound.
pub(super) fn sort_by_slice(slices: &[PremiumSlice], rows: &mut [Row]) {
    let mut end = 0;
    let ends: Vec<usize> = slices
        .iter()
        .map(|slice| {
            end += slice.call.iter().chain(&slice.put).flatten().count();
            end
        })
        .collect();
    rows.sort_by_key(|row| ends.partition_point(|end| *end <= row.nodes[0]));
}

/// Solves slice by slice, last first, what row-wise descent left: each against later premiums as they stand, and
/// aimed at what earlier slices' multipliers ask of it, which is one round of block descent on the dual.
fn refine(
    slices: &[PremiumSlice],
    rows: &[Row],
    inverse_weights: &[f64],
    start: &[f64],
    x: &mut [f64],
    multipliers: &mut [f64],
    tolerance: f64,
) {
    let mut blocks = Vec::with_capacity(slices.len());
    let (mut node, mut row) = (0, 0);
    for slice in slices {
        let count = slice.call.iter().chain(&slice.put).flatten().count();
        let rows_here = rows.get(row..).unwrap_or(&[]).iter().take_while(|r| r.nodes[0] < node + count).count();
        blocks.push((node..node + count, row..row + rows_here));
        node += count;
        row += rows_here;
    }
    let mut target = start.to_vec();
    for (r, &multiplier) in rows.iter().zip(multipliers.iter()).filter(|&(_, &m)| m > 0.0) {
        let owner_end = blocks.iter().map(|(nodes, _)| nodes.end).find(|&end| r.nodes[0] < end).unwrap_or(0);
        for (n, c) in r.terms().filter(|&(n, _)| n >= owner_end) {
            if let (Some(t), Some(v)) = (target.get_mut(n), inverse_weights.get(n)) {
                *t -= v * c * multiplier;
            }
        }
    }
    for (slice, (nodes, row_range)) in slices.iter().zip(&blocks).rev() {
        let Some(own) = rows.get(row_range.clone()) else { continue };
        if largest_excess(own, x) <= 0.5 * tolerance {
            continue;
        }
        let order = interleaved(slice);
        let local: Vec<Row> = own.iter().map(|r| r.localised(nodes, &order, x)).collect();
        let gather = |values: &[f64]| {
            let mut out = vec![0.0; order.len()];
            for (place, value) in order.iter().zip(values.get(nodes.clone()).unwrap_or(&[])) {
                if let Some(slot) = out.get_mut(*place) {
                    *slot = *value;
                }
            }
            out
        };
        let Some(found) = nearest(&local, &gather(inverse_weights), &gather(&target), &gather(x), tolerance) else {
            continue;
        };
        for (place, slot) in order.iter().zip(x.get_mut(nodes.clone()).unwrap_or(&mut [])) {
            *slot = found.x.get(*place).copied().unwrap_or(*slot);
        }
        for (slot, value) in multipliers.get_mut(row_range.clone()).unwrap_or(&mut []).iter_mut().zip(found.multipliers)
        {
            *slot = value;
        }
    }
}

/// The place of each of a slice's premiums (calls, then puts) when both types of one strike stand together: near
/// premiums are then near in the matrix.
fn interleaved(slice: &PremiumSlice) -> Vec<usize> {
    let (mut calls, mut puts, mut place) = (Vec::new(), Vec::new(), 0);
    for (call, put) in slice.call.iter().zip(&slice.put) {
        for (mark, list) in [(call, &mut calls), (put, &mut puts)] {
            if mark.is_some() {
                list.push(place);
                place += 1;
            }
        }
    }
    calls.extend(puts);
    calls
}

/// Rounds of adding chords over three slices that the last solution broke.
const CUT_ROUNDS: u32 = 4;
/// Chords over three slices broken by less than this are left to the integers; currency per share.
const CUT_TOLERANCE: f64 = 2e-5;

/// Moves up to this carry no reason; currency per share.
const MOVE_WITHOUT_REASON: f64 = 1e-6;

/// Weights further apart than this ratio count as this far: beyond it the lighter premium gives way entirely, and
/// the descent only becomes slower.
const WEIGHT_RATIO_MAX: f64 = 1e4;

fn is_well_formed(slice: &PremiumSlice) -> bool {
    let n = slice.strikes.len();
    let lengths = [slice.call.len(), slice.put.len(), slice.call_weight.len(), slice.put_weight.len()];
    let numbers =
        [slice.spot, slice.parity_upper, slice.parity_lower, slice.discount_factor_min, slice.discount_factor_max];
    lengths.iter().all(|&l| l == n)
        && numbers.iter().all(|x| x.is_finite() && x.abs() <= 1e12)
        && slice.strikes.iter().all(|&k| k > 0.0 && k <= 1e12)
        && slice.strikes.is_sorted_by(|a, b| a < b)
}

/// All premiums in the order of the rows' places.
pub(super) fn premiums(slices: &[PremiumSlice]) -> Vec<f64> {
    let mut out = Vec::new();
    for slice in slices {
        for (marks, sign) in [(&slice.call, 1.0), (&slice.put, -1.0)] {
            for (&k, mark) in slice.strikes.iter().zip(marks) {
                let exercise = (sign * (slice.spot - k)).max(0.0);
                out.extend(mark.map(|p| if p.is_finite() && p.abs() <= 1e12 { p } else { exercise }));
            }
        }
    }
    out
}

pub(super) fn inverse_weights(slices: &[PremiumSlice]) -> Vec<f64> {
    let usable = |w: f64| w > 0.0 && w.is_finite();
    let sides = || slices.iter().flat_map(|s| [(&s.call, &s.call_weight), (&s.put, &s.put_weight)]);
    let weights = || sides().flat_map(|(m, w)| m.iter().zip(w)).filter(|(m, _)| m.is_some()).map(|(_, &w)| w);
    let largest = weights().filter(|&w| usable(w)).fold(0.0, f64::max);
    let largest = if largest > 0.0 { largest } else { 1.0 };
    weights().map(|w| if usable(w) { (largest / w).min(WEIGHT_RATIO_MAX) } else { WEIGHT_RATIO_MAX }).collect()
}
