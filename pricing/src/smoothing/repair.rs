//! Curves that hold every condition by construction, and the measure of one that should.

use super::aim::Aim;
use super::black;
use super::calendar;
use super::frame::Frame;
use super::tier2::{Solution, offset};

/// Share of the lognormal curve in a start inside the rows.
const INNER_SHARE: f64 = 0.02;

/// A point inside the hard rows, in units from the aim: the repaired aim, mixed with a lognormal curve above everything.
pub(super) fn inner_start(frame: &Frame, aim: &Aim, earlier: &[&Solution]) -> Vec<f64> {
    let mut repaired = Solution::of_prices(aim.price.clone());
    repair(frame, &mut repaired, earlier);
    let widest = frame
        .ratio
        .iter()
        .zip(&repaired.price)
        .filter_map(|(ratio, price)| black::implied_stdev(*ratio, price * frame.scale / frame.forward))
        .fold(0.0, f64::max);
    let stdev = 1.25 * widest + 0.05;
    let mixed = repaired.price.iter().enumerate().map(|(i, price)| {
        let above = frame.price(i, stdev / frame.root_time);
        (1.0 - INNER_SHARE) * price + INNER_SHARE * above
    });
    mixed.zip(&aim.price).zip(&aim.unit).map(|((price, aim), unit)| (price - aim) / unit).collect()
}

/// The least second difference of the put curve, as a price; ends included.
pub(super) fn worst_second_difference(frame: &Frame, price: &[f64]) -> f64 {
    let m = &frame.m;
    let n = m.len();
    let mut worst = price[n - 1].min(price[0]);
    for i in 0..n.saturating_sub(1) {
        let (left, x_left) = if i > 0 { (m[i - 1], price[i - 1]) } else { (frame.zero, 0.0) };
        let (h0, h1) = (m[i] - left, m[i + 1] - m[i]);
        let (a, b) = (h1 / (h0 + h1), h0 / (h0 + h1));
        let kink =
            if left < 1.0 && m[i + 1] > 1.0 { a * offset(left) - offset(m[i]) + b * offset(m[i + 1]) } else { 0.0 };
        worst = worst.min(a * x_left - price[i] + b * price[i + 1] + kink);
    }
    let (left, x_left) = if n > 1 { (m[n - 2], price[n - 2]) } else { (frame.zero, 0.0) };
    let call_drop = (x_left + offset(left)) - (price[n - 1] + offset(m[n - 1])) + m[n - 1] - left;
    worst.min(call_drop)
}

/// Replaces prices by the largest convex put curve below `max(price, earlier curves)`, slopes in [0, 1].
///
/// Earlier curves count with their straight chords: a maximum of convex functions, so the hull stays above all of
/// them and a result always exists.
pub(super) fn repair(frame: &Frame, solution: &mut Solution, earlier: &[&Solution]) {
    let n = frame.m.len();
    let mut points = Vec::with_capacity(n + 1);
    points.push((frame.zero, 0.0));
    for (m, price) in frame.m.iter().zip(&solution.price) {
        let price = if price.is_finite() { price.max(0.0) } else { 0.0 };
        let floor = earlier.iter().map(|curve| calendar::chord_value(curve, *m)).fold(0.0, f64::max);
        let put = (price + offset(*m)).min(m - frame.zero).max(floor).max(offset(*m));
        points.push((*m, put));
    }
    // Slopes at most 1 toward higher strikes: lower a put that rises faster than its strike.
    let mut hull: Vec<(f64, f64)> = Vec::with_capacity(n + 1);
    let mut limit = 0.0;
    for (i, (m, put)) in points.iter().enumerate() {
        let put = if i == 0 { *put } else { put.min(limit + (m - points[i - 1].0)) };
        limit = put;
        while hull.len() >= 2 {
            let (a, b) = (hull[hull.len() - 2], hull[hull.len() - 1]);
            if (b.1 - a.1) * (m - b.0) >= (put - b.1) * (b.0 - a.0) {
                hull.pop();
            } else {
                break;
            }
        }
        hull.push((*m, put));
    }
    let mut next = 1;
    for (m, price) in frame.m.iter().zip(&mut solution.price) {
        while next + 1 < hull.len() && hull[next].0 < *m {
            next += 1;
        }
        let (a, b) = (hull[next - 1], hull[next]);
        let put = if b.0 == *m { b.1 } else { a.1 + (b.1 - a.1) * (m - a.0) / (b.0 - a.0) };
        *price = (put - offset(*m)).max(0.0);
    }
    solution.publish_puts(frame);
}
