//! The exact conditions between expirations of one class.

use closemark_pricing::price::Price;

use super::curve::{Curve, Finding, Point};
use super::report::{Kind, Violation};
use super::slices::Slice;
use super::strikes::{american_calls, american_puts, european_puts};
use crate::publication::schema::MARKS;

/// Checks the slices of one underlying and deliverable; returns how many conditions there were.
///
/// Only slices that conditions of time may tie are compared: `calendar`, time left, and the same exercise style.
pub(super) fn check(slices: &[&Slice], found: &mut Vec<Violation>) -> u64 {
    let mut tied: Vec<&Slice> = slices.iter().copied().filter(|s| s.calendar && s.time_to_expiry > 0.0).collect();
    tied.sort_by(|a, b| a.time_to_expiry.total_cmp(&b.time_to_expiry));
    let american: Vec<&Slice> = tied.iter().copied().filter(|s| s.american).collect();
    // Equal forward-moneyness compares only where no cash is paid between.
    let european: Vec<&Slice> = tied.iter().copied().filter(|s| !s.american && !s.has_dividends).collect();
    american_class(&american, true, found) + american_class(&american, false, found) + european_class(&european, found)
}

fn add(found: &mut Vec<Violation>, near: &Slice, later: &Slice, what: String, finding: Finding) {
    let (kind, detail) = match finding {
        Finding::Above(..) => (Kind::Calendar, format!("above what {} allows", later.key.label())),
        Finding::Undecided => {
            (Kind::Arithmetic, format!("against {}: too large to be checked exactly", later.key.label()))
        }
    };
    let violation = Violation::new(MARKS.file, kind, format!("{} {what}", near.key.label()), detail);
    if found.last() != Some(&violation) {
        found.push(violation);
    }
}

/// At fixed strike, against every later slice up to and including the first that lists the strike.
fn american_class(slices: &[&Slice], call: bool, found: &mut Vec<Violation>) -> u64 {
    let curve = |s: &&Slice| if call { american_calls(s) } else { american_puts(s) };
    let curves: Vec<Curve> = slices.iter().map(curve).collect();
    let mut conditions = 0;
    for (n, (near, curve)) in slices.iter().zip(&curves).enumerate() {
        for (node, point) in curve.points.iter().enumerate() {
            for (later, later_curve) in slices.iter().zip(&curves).skip(n + 1) {
                if later.time_to_expiry <= near.time_to_expiry {
                    continue;
                }
                conditions += curve.compare(node, later_curve, &mut |finding| {
                    let letter = if call { "C" } else { "P" };
                    let (strike, price) = (Price::from_micros(point.x as i64), Price::from_micros(point.y as i64));
                    add(found, near, later, format!("{letter} {strike} at {price}"), finding);
                });
                if later_curve.lists(point.x) {
                    break;
                }
            }
        }
    }
    conditions
}

/// Puts in the coordinate `K D / A`, divided by `A`, all pairs of expirations.
///
/// # Formula
/// Over the common denominators `A1 A2` of both coordinates: `x1 = K D1 A2`, `y1 = P A2`, and the other way round;
/// what all strikes, and all discount factors, have in common is divided out first.
fn european_class(slices: &[&Slice], found: &mut Vec<Violation>) -> u64 {
    let curves: Vec<(&Slice, Curve, i128, i128)> = slices
        .iter()
        .filter_map(|s| {
            let (a, d) = (i128::from(s.forward_present_value?), i128::from(s.discount_factor?));
            (a > 0 && d > 0).then_some((*s, european_puts(s)?, a, d))
        })
        .collect();
    let strike_unit = curves.iter().flat_map(|c| &c.1.points).fold(0, |g, p| gcd(g, p.x)).max(1);
    let discount_unit = curves.iter().fold(0, |g, c| gcd(g, c.3)).max(1);
    let mut conditions = 0;
    for (n, (near, curve, a1, d1)) in curves.iter().enumerate() {
        for (later, later_curve, a2, d2) in curves.iter().skip(n + 1) {
            if later.time_to_expiry <= near.time_to_expiry {
                continue;
            }
            let scaled = (
                scale(curve, strike_unit, d1 / discount_unit, *a2),
                scale(later_curve, strike_unit, d2 / discount_unit, *a1),
            );
            let (Some(scaled), Some(scaled_later)) = scaled else {
                add(found, near, later, "puts".to_owned(), Finding::Undecided);
                continue;
            };
            for (node, point) in curve.points.iter().enumerate() {
                conditions += scaled.compare(node, &scaled_later, &mut |finding| {
                    let (strike, price) = (Price::from_micros(point.x as i64), Price::from_micros(point.y as i64));
                    add(found, near, later, format!("P {strike} at {price}"), finding);
                });
            }
        }
    }
    conditions
}

fn scale(curve: &Curve, strike_unit: i128, discount: i128, other: i128) -> Option<Curve> {
    let factor = discount.checked_mul(other)?;
    let point = |p: &Point| Some(Point { x: (p.x / strike_unit).checked_mul(factor)?, y: p.y.checked_mul(other)? });
    let zero = match &curve.zero {
        Some(zero) => Some(point(zero)?),
        None => None,
    };
    Some(Curve { zero, points: curve.points.iter().map(point).collect::<Option<_>>()? })
}

fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
