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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::slices::SliceKey;

    fn slice(days: i32, a: i64, d: i64, puts: &[(i64, i64)]) -> Slice {
        Slice {
            key: SliceKey {
                underlying: "XYX".to_owned(),
                expiration: days,
                settlement: "PM".to_owned(),
                root: "XYX".to_owned(),
                deliverable: "100 XYX".to_owned(),
            },
            american: false,
            calendar: true,
            time_to_expiry: f64::from(days) / 365.0,
            forward_present_value: Some(a),
            discount_factor: Some(d),
            parity_upper: None,
            parity_lower: None,
            discount_factor_min: None,
            discount_factor_max: None,
            parity_rounded: false,
            has_dividends: false,
            underlying_price: None,
            adjusted: false,
            calls: Vec::new(),
            puts: puts.to_vec(),
            series: 0,
        }
    }

    fn holds(near: &Slice, later: &Slice) -> bool {
        let mut found = Vec::new();
        assert!(check(&[later, near], &mut found) > 0);
        found.is_empty()
    }

    /// By hand: K = 80 of A = 100, D = 0.9 has the forward-moneyness of K = 180 of A = 200, D = 0.8, and
    /// P1 / 100 <= P2 / 200.
    #[test]
    fn european_strikes_compare_at_equal_forward_moneyness() {
        const M: i64 = 1_000_000;
        let near = |put| slice(30, 100 * M, 900_000_000_000, &[(80 * M, put)]);
        let later = |puts: &[(i64, i64)]| slice(60, 200 * M, 800_000_000_000, puts);
        assert!(holds(&near(5), &later(&[(180 * M, 11)])));
        assert!(!holds(&near(6), &later(&[(180 * M, 11)])));
        // 180 lies in the middle of 170 and 190: half of (4 + 18) / 2.
        assert!(holds(&near(5), &later(&[(170 * M, 4), (190 * M, 18)])));
        assert!(!holds(&near(6), &later(&[(170 * M, 4), (190 * M, 18)])));
        // The chord from strike zero: 180/360 of 20 is 10, and half of that 5.
        assert!(holds(&near(5), &later(&[(360 * M, 20)])));
        assert!(!holds(&near(6), &later(&[(360 * M, 20)])));
    }

    #[test]
    fn numbers_too_large_are_said_to_be() {
        let huge = i64::MAX - 2;
        let near = slice(30, huge, huge - 1, &[(huge - 3, 5)]);
        let later = slice(60, huge - 4, huge - 6, &[(huge - 8, 5), (huge - 7, 6)]);
        let mut found = Vec::new();
        check(&[&near, &later], &mut found);
        assert!(found.iter().all(|v| v.kind == Kind::Arithmetic) && !found.is_empty(), "{found:?}");
    }
}
