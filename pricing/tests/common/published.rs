//! What must hold in published integers, checked from the rows alone with 128-bit products.

use closemark_pricing::mark::SliceMark;
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType, Reason};
use closemark_pricing::{UnderlyingDay, UnderlyingMarks};

/// Strikes and marks of one type of one slice, millionths, ascending.
fn marks_of(day: &UnderlyingDay, rows: &UnderlyingMarks, slice: usize, kind: OptionType) -> Vec<(i128, i128)> {
    day.series
        .iter()
        .zip(&rows.series)
        .filter(|(series, row)| row.slice == slice && series.option_type == kind)
        .filter_map(|(series, row)| Some((i128::from(series.strike.micros()), i128::from(row.mark?.micros()))))
        .collect()
}

/// Asserts convexity with the node at strike zero, slopes, bounds, parity and American calendars, exactly; and that
/// whatever has no mark says why, and every number is one.
pub(crate) fn assert_published(day: &UnderlyingDay, rows: &UnderlyingMarks, label: &str) {
    let unit = 1_000_000_000_000_i128;
    for row in &rows.series {
        assert!(row.mark.is_some() || !row.reasons.is_empty(), "{label}: null without a reason {row:?}");
        let numbers =
            [row.implied_volatility, row.smoothed_volatility, row.confidence, row.edit_half_spreads, row.forward];
        assert!(numbers.into_iter().flatten().all(f64::is_finite), "{label}: {row:?}");
        assert!(row.confidence.is_none_or(|c| (0.0..=1.0).contains(&c)), "{label}: {row:?}");
        if let Some(g) = row.greeks {
            assert!([g.delta, g.gamma, g.vega, g.theta, g.rho].into_iter().all(f64::is_finite), "{label}: {row:?}");
        }
    }
    for (place, slice) in rows.slices.iter().enumerate().filter(|(_, slice)| slice.time_to_expiry > 0.0) {
        let american = slice.exercise_style == ExerciseStyle::American;
        // Where strikes are too fine for exact parity, calls are rounded once more, and deep puts may stand a few
        // millionths below exercise value: counts say so, and what follows allows for one.
        let exact = !rows.slices.iter().any(|slice| slice.reasons.contains(Reason::ParityRounded));
        assert!(!exact || slice.violations_after.total() == 0, "{label}: {slice:?}");
        for kind in [OptionType::Call, OptionType::Put] {
            let list = marks_of(day, rows, place, kind);
            // Where strikes are too fine for exact parity, European exercise values are no whole millionths.
            let rounded = !american && !exact;
            let slack = i128::from(rounded);
            let discount = if american { unit } else { (slice.discount_factor.unwrap_or(1.0) * 1e12).round() as i128 };
            assert_curve(&list, kind, discount, slack, &format!("{label}: slice {place} {kind:?}"));
            if american {
                assert_later(day, rows, place, slice, kind, &list, label);
            }
        }
    }
}

fn assert_curve(list: &[(i128, i128)], kind: OptionType, discount: i128, slack: i128, label: &str) {
    let unit = 1_000_000_000_000_i128;
    for &(k, price) in list {
        assert!(price >= 0, "{label}: {price} at {k}");
        assert!(kind == OptionType::Call || price * unit <= discount * k, "{label}: a put above its strike");
    }
    for pair in list.windows(2) {
        let [(k0, p0), (k1, p1)] = pair else { continue };
        let fall = if kind == OptionType::Call { p0 - p1 } else { p1 - p0 };
        assert!(fall >= -slack && fall * unit <= discount * (k1 - k0) + slack * unit, "{label}: slope {pair:?}");
    }
    let zero = (kind == OptionType::Put).then_some((0, 0));
    let nodes: Vec<(i128, i128)> = zero.into_iter().chain(list.iter().copied()).collect();
    for three in nodes.windows(3) {
        let [(k0, p0), (k1, p1), (k2, p2)] = three else { continue };
        let (h0, h1) = (k1 - k0, k2 - k1);
        assert!((h0 + h1) * (p1 - slack) <= h1 * (p0 + slack) + h0 * (p2 + slack), "{label}: butterfly {three:?}");
    }
}

/// American premiums do not fall with time at a strike that both expiries list.
fn assert_later(
    day: &UnderlyingDay,
    rows: &UnderlyingMarks,
    place: usize,
    slice: &SliceMark,
    kind: OptionType,
    list: &[(i128, i128)],
    label: &str,
) {
    for (other_place, other) in rows.slices.iter().enumerate() {
        let tied =
            slice.calendar && other.calendar && other.root == slice.root && other.deliverable == slice.deliverable;
        if !tied || other.time_to_expiry <= slice.time_to_expiry {
            continue;
        }
        let later = marks_of(day, rows, other_place, kind);
        for (k, price) in list {
            if let Some((_, then)) = later.iter().find(|(other, _)| other == k) {
                assert!(price <= then, "{label}: slice {place} {kind:?} at {k}: {price} before {then}");
            }
        }
    }
}
