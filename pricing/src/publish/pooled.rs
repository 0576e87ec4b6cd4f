//! Chords between points of different later slices: what two expiries together say of an earlier third.
//!
//! Every pair of expiries may be in order while the chord from a point of one later expiry to a point of another lies
//! below an earlier price. There are too many such chords to write down, so those that a solution breaks are found
//! on the lower hull of everything later.

use super::projection::PremiumSlice;
use super::rows::{Kind, Node, Row, Value};

/// A premium at its strike, or the known value at strike zero.
#[derive(Clone, Copy, Debug)]
struct Point {
    strike: f64,
    premium: f64,
    value: Value,
}

/// The chords of the pooled lower hull that premiums `x` break by more than `tolerance`, in no particular order of
/// slices; `x` is numbered as in [`super::rows::american_rows`].
pub(crate) fn broken_chords(slices: &[PremiumSlice], x: &[f64], tolerance: f64) -> Vec<Row> {
    let mut ends = Vec::with_capacity(slices.len());
    let mut end: Node = 0;
    for slice in slices {
        end += slice.call.iter().chain(&slice.put).flatten().count();
        ends.push(end);
    }
    let mut rows = Vec::new();
    for call in [true, false] {
        let mut later: Vec<Point> = Vec::new();
        let mut zero = f64::INFINITY;
        for (slice, end) in slices.iter().zip(&ends).rev().filter(|(slice, _)| slice.calendar) {
            zero = zero.min(if call { slice.parity_upper } else { 0.0 });
            let own = own_points(slice, call, *end, x);
            let hull = lower_hull(Point { strike: 0.0, premium: zero, value: Value::Known(zero) }, &later, &own);
            rows.extend(own.iter().filter_map(|point| broken_chord(*point, &hull, tolerance)));
            let slope = if call { 0.0 } else { 1.0 };
            let height = |p: &&Point| p.premium - slope * p.strike;
            let lowest = later.iter().min_by(|a, b| height(a).total_cmp(&height(b)));
            rows.extend(own.iter().filter_map(|point| too_steep(*point, lowest, slope, tolerance)));
            later = hull.get(1..).unwrap_or(&[]).to_vec();
        }
    }
    rows
}

/// The calls or puts of the slice whose premiums end before `end`.
fn own_points(slice: &PremiumSlice, call: bool, end: Node, x: &[f64]) -> Vec<Point> {
    let puts = slice.put.iter().flatten().count();
    let calls = slice.call.iter().flatten().count();
    let (marks, first) = if call { (&slice.call, end - puts - calls) } else { (&slice.put, end - puts) };
    slice
        .strikes
        .iter()
        .zip(marks)
        .filter(|(_, mark)| mark.is_some())
        .zip(first..)
        .filter_map(|((strike, _), node)| {
            Some(Point { strike: *strike, premium: *x.get(node)?, value: Value::Free(node) })
        })
        .collect()
}

/// The lower hull of a point at strike zero and two lists of ascending strikes.
fn lower_hull(zero: Point, later: &[Point], own: &[Point]) -> Vec<Point> {
    let mut hull = vec![zero];
    let (mut a, mut b) = (later.iter().peekable(), own.iter().peekable());
    loop {
        let from_later = match (a.peek(), b.peek()) {
            (Some(a), Some(b)) => a.strike <= b.strike,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return hull,
        };
        let Some(point) = (if from_later { a.next() } else { b.next() }) else { return hull };
        match hull.last() {
            Some(last) if last.strike == point.strike && last.premium <= point.premium => continue,
            Some(last) if last.strike == point.strike => {
                hull.pop();
            }
            _ => {}
        }
        while let [.., first, middle] = hull.as_slice() {
            let rise = (middle.premium - first.premium) * (point.strike - middle.strike);
            if rise < (point.premium - middle.premium) * (middle.strike - first.strike) {
                break;
            }
            hull.pop();
        }
        hull.push(*point);
    }
}

/// The hull's segment at a point that lies above it; beyond the hull's last point [`too_steep`] says enough.
fn broken_chord(point: Point, hull: &[Point], tolerance: f64) -> Option<Row> {
    let Value::Free(node) = point.value else { return None };
    let right = hull.partition_point(|h| h.strike < point.strike);
    let (left, right) = (hull.get(right.checked_sub(1)?)?, hull.get(right)?);
    let share = (point.strike - left.strike) / (right.strike - left.strike);
    let most = (1.0 - share) * left.premium + share * right.premium;
    (point.premium > most + tolerance)
        .then(|| Row::below(node, (1.0 - share, left.value), (share, right.value), 0.0, Kind::Calendar))
}

/// A point above the line of the largest slope through a later point to its left.
fn too_steep(point: Point, later: Option<&Point>, slope: f64, tolerance: f64) -> Option<Row> {
    let (Value::Free(node), later) = (point.value, later?) else { return None };
    let rise = slope * (point.strike - later.strike);
    (rise >= 0.0 && point.strike > later.strike && point.premium > later.premium + rise + tolerance)
        .then(|| Row::below(node, (1.0, later.value), (0.0, Value::Known(0.0)), rise, Kind::Calendar))
}
