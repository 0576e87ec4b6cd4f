//! The rows of tier 2's program: convexity, slopes, quotes, earlier expiries.

use super::aim::Aim;
use super::calendar::ChordRow;
use super::frame::Frame;
use super::row::{Row, RowKind};
use super::tier2::{Band, offset};

/// Price of half a half-spread's violation of an accepted quote, against half a half-spread's distance from the target.
const BAND_PENALTY: f64 = 60.0;
/// A bid or ask so many units from the aim is left out.
const FAR: f64 = 1e3;

/// Builds a row about prices as one about units of distance from the aim, scaled to a largest coefficient of 1.
pub(super) fn row(aim: &Aim, first: usize, prices: &[f64], bound: f64, kind: RowKind, node: usize) -> Row {
    let mut coefficients = [0.0; 3];
    let (mut at_aim, mut largest) = (0.0, 0.0_f64);
    for (i, (coefficient, price)) in coefficients.iter_mut().zip(prices).enumerate() {
        *coefficient = price * aim.unit[first + i];
        at_aim += price * aim.price[first + i];
        largest = largest.max(coefficient.abs());
    }
    let largest = largest.max(1e-300);
    for coefficient in &mut coefficients {
        *coefficient /= largest;
    }
    Row { first, coefficients, bound: (bound - at_aim) / largest, penalty: f64::INFINITY, kind, node }
}

/// Rows that hold within one expiry.
pub(super) fn own_rows(frame: &Frame, aim: &Aim, bands: &[Band], rows: &mut Vec<Row>) {
    let m = &frame.m;
    let n = m.len();
    for i in 0..n.saturating_sub(1) {
        let left = if i > 0 { m[i - 1] } else { frame.zero };
        let (a, b, kink) = curvature_weights(left, m[i], m[i + 1]);
        let bound = aim.floor[i] - kink;
        rows.push(if i > 0 {
            row(aim, i - 1, &[a, -1.0, b], bound, RowKind::Convex, i)
        } else {
            row(aim, 0, &[-1.0, b], bound, RowKind::Convex, 0)
        });
    }
    let last = n - 1;
    let (h, put_offset) = if last > 0 {
        (m[last] - m[last - 1], offset(m[last]) - offset(m[last - 1]))
    } else {
        (m[last] - frame.zero, offset(m[last]))
    };
    let bound = (put_offset - h).min(0.0);
    rows.push(if last > 0 {
        row(aim, last - 1, &[1.0, -1.0], bound, RowKind::Slope, last)
    } else {
        row(aim, last, &[-1.0], bound, RowKind::Slope, last)
    });
    rows.push(row(aim, 0, &[1.0], 0.0, RowKind::Slope, 0));
    if last > 0 {
        rows.push(row(aim, last, &[1.0], 0.0, RowKind::Slope, last));
    }
    for band in bands {
        let penalty = BAND_PENALTY * band.weight;
        if let Some(bid) = band.bid {
            let row = row(aim, band.node, &[1.0], bid, RowKind::Bid, band.node);
            if row.bound > -FAR {
                rows.push(Row { penalty, ..row });
            }
        }
        if let Some(ask) = band.ask {
            let kind = if band.later { RowKind::Calendar } else { RowKind::Ask };
            let row = row(aim, band.node, &[-1.0], -ask, kind, band.node);
            if row.bound > -FAR {
                rows.push(Row { penalty, ..row });
            }
        }
    }
}

/// Weights of the outer two of three places in the second difference as a price, and the kink of the forward in it.
pub(super) fn curvature_weights(left: f64, middle: f64, right: f64) -> (f64, f64, f64) {
    let (h0, h1) = (middle - left, right - middle);
    let (a, b) = (h1 / (h0 + h1), h0 / (h0 + h1));
    let kink =
        if left < 1.0 && right > 1.0 { (a * offset(left) - offset(middle) + b * offset(right)).max(0.0) } else { 0.0 };
    (a, b, kink)
}

pub(super) fn chord_row(frame: &Frame, aim: &Aim, chord: &ChordRow) -> Row {
    match chord.right.checked_sub(1) {
        Some(left) => {
            let share = chord.share;
            let known = (1.0 - share) * offset(frame.m[left]) + share * offset(frame.m[chord.right]);
            row(aim, left, &[1.0 - share, share], chord.put - known, RowKind::Calendar, chord.right)
        }
        None => {
            let known = chord.share * offset(frame.m[0]);
            row(aim, 0, &[chord.share], chord.put - known, RowKind::Calendar, 0)
        }
    }
}
