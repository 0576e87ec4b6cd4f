//! Raw mids: total variance straight between quotes, volatility flat beyond them.

use closemark_pricing::smoothing::SliceInput;

use super::points::{Curve, points};

/// The curve through the mids.
pub(super) fn fit(input: &SliceInput) -> Curve {
    let points = points(input);
    Curve::of_volatility(input, |k| {
        let right = points.partition_point(|p| p.k < k);
        match (right.checked_sub(1).and_then(|left| points.get(left)), points.get(right)) {
            (_, Some(b)) if b.k == k => Some(b.volatility),
            (Some(a), Some(b)) => {
                let share = (k - a.k) / (b.k - a.k);
                let (from, to) = (a.volatility * a.volatility, b.volatility * b.volatility);
                Some((from + share * (to - from)).sqrt())
            }
            (Some(end), None) | (None, Some(end)) => Some(end.volatility),
            (None, None) => None,
        }
    })
}
