//! Vertical and butterfly spreads, and boxes of European options, that could be executed at bid and ask.
//!
//! A spread says that one of its legs is bad, not which. Where many strikes are bad (series that died with a split
//! keep their last quotes), what is nearer the money is believed.

use super::frame::Frame;
use super::tier2::{Band, offset};

/// A sure profit of at least this, in currency per share, is one: half a tick.
const TOLERANCE: f64 = 0.005;

/// Quotes nearer the money that judge one farther out.
const JUDGES: usize = 5;
/// Fewer than this judge nobody.
const JUDGES_MIN: usize = 3;

/// Places, ascending, of the bands whose bid is above most asks of their nearest believed neighbours toward the money: an
/// out-of-the-money option is never worth more than one of its type that is less so.
pub(super) fn beyond_belief(frame: &Frame, bands: &[Band]) -> Vec<usize> {
    let tolerance = TOLERANCE / frame.currency();
    let money = bands.partition_point(|band| frame.m[band.node] < 1.0);
    let mut found = Vec::new();
    let mut walk = |places: &mut dyn Iterator<Item = usize>| {
        let mut asks: Vec<f64> = Vec::new();
        for place in places {
            let band = &bands[place];
            let judges = asks.get(asks.len().saturating_sub(JUDGES)..).unwrap_or(&[]);
            let against = |bid: f64| judges.iter().filter(|ask| bid > **ask + tolerance).count();
            if judges.len() >= JUDGES_MIN && band.bid.is_some_and(|bid| 2 * against(bid) > judges.len()) {
                found.push(place);
            } else {
                asks.extend(band.ask);
            }
        }
    };
    walk(&mut (0..money).rev());
    walk(&mut (money..bands.len()));
    found.sort_unstable();
    found
}

/// A bid above what asks at other strikes allow: the sold band and the one or two bought, as places in the bands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spread {
    pub sold: usize,
    pub bought: [usize; 2],
}

/// The spread with the largest sure profit among bands of ascending nodes, if any.
///
/// Asks of puts bound every put: puts rise with strike, by at most the strike, and are convex from 0 at strike 0. The
/// largest curve that obeys all this is the lower hull of the bounded asks; a bid above it can be sold at a profit.
pub(super) fn worst(frame: &Frame, bands: &[Band]) -> Option<Spread> {
    // (place, most a put can cost there, band that says so)
    let mut limits: Vec<(f64, f64, usize)> = bands
        .iter()
        .enumerate()
        .map(|(b, band)| {
            let m = frame.m[band.node];
            (m, band.ask.map_or(m - frame.zero, |ask| (ask + offset(m)).min(m - frame.zero)), b)
        })
        .collect();
    let mut last: Option<(f64, f64, usize)> = None;
    for limit in &mut limits {
        if let Some((place, put, band)) = last
            && put + (limit.0 - place) < limit.1
        {
            (limit.1, limit.2) = (put + (limit.0 - place), band);
        }
        last = Some(*limit);
    }
    let mut next: Option<(f64, usize)> = None;
    for limit in limits.iter_mut().rev() {
        if let Some((put, band)) = next
            && put < limit.1
        {
            (limit.1, limit.2) = (put, band);
        }
        next = Some((limit.1, limit.2));
    }
    let origin = (frame.zero, 0.0, usize::MAX);
    let mut hull = vec![origin];
    for point in &limits {
        while hull.len() >= 2 {
            let (a, b) = (hull[hull.len() - 2], hull[hull.len() - 1]);
            if (b.1 - a.1) * (point.0 - b.0) >= (point.1 - b.1) * (b.0 - a.0) {
                hull.pop();
            } else {
                break;
            }
        }
        hull.push(*point);
    }
    let tolerance = TOLERANCE / frame.currency();
    let mut found: Option<(f64, Spread)> = None;
    let mut right = 1;
    for (sold, band) in bands.iter().enumerate() {
        let m = frame.m[band.node];
        while right + 1 < hull.len() && hull[right].0 < m {
            right += 1;
        }
        let (Some(bid), Some(b)) = (band.bid, hull.get(right)) else { continue };
        let a = hull[right - 1];
        let most = a.1 + (b.1 - a.1) * ((m - a.0) / (b.0 - a.0)).min(1.0);
        let profit = bid + offset(m) - most;
        if profit > tolerance && found.is_none_or(|(largest, _)| profit > largest) {
            let of = |band: usize| if band == usize::MAX { sold } else { band };
            let left = if m == b.0 { of(b.2) } else { of(a.2) };
            found = Some((profit, Spread { sold, bought: [left, of(b.2)] }));
        }
    }
    found.map(|(_, spread)| spread)
}

/// What the call and the put of one strike say of the forward: sold and bought synthetically, less the forward, over
/// the frame's scale; `None` where a side is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Synthetic {
    /// Call's bid less put's ask.
    pub sold: Option<f64>,
    /// Call's ask less put's bid.
    pub bought: Option<f64>,
}

/// The box with the largest sure profit: the strikes whose synthetic forward is sold and bought, as places.
///
/// A European box pays the distance of its strikes and nothing else, so two synthetic forwards cannot differ.
pub(super) fn worst_box(frame: &Frame, synthetics: &[Synthetic]) -> Option<(usize, usize)> {
    let best = |of: &dyn Fn(&Synthetic) -> Option<f64>| {
        let values = synthetics.iter().enumerate().filter_map(|(place, s)| Some((place, of(s)?)));
        values.reduce(|a, b| if b.1 > a.1 { b } else { a })
    };
    let (high, low) = (best(&|s| s.sold)?, best(&|s| s.bought.map(|bought| -bought))?);
    // Half a tick on each of the four legs.
    (high.0 != low.0 && high.1 + low.1 > 4.0 * TOLERANCE / frame.currency()).then_some((high.0, low.0))
}

#[cfg(test)]
mod tests {
    use super::{Synthetic, beyond_belief, worst_box};
    use crate::smoothing::SliceInput;
    use crate::smoothing::frame::Frame;
    use crate::smoothing::tier2::Band;

    #[test]
    fn a_box_is_executable_where_two_synthetic_forwards_do_not_meet() {
        let input = SliceInput {
            forward: 100.0,
            discount_factor: 1.0,
            time_to_expiry: 0.1,
            dividend_shift: 0.0,
            calendar: true,
            american: false,
            strikes: vec![90.0, 100.0, 110.0],
            quotes: Vec::new(),
            previous: None,
        };
        let frame = Frame::new(&input);
        let says = |sold: f64, bought: f64| Synthetic { sold: Some(sold / 100.0), bought: Some(bought / 100.0) };
        // Sold at 100.20 through the second strike, bought at 100.10 through the third: a tenth for nothing.
        let open = [says(-0.1, 0.3), says(0.2, 0.4), says(-0.2, 0.1)];
        assert_eq!(worst_box(&frame, &open), Some((1, 2)));
        assert_eq!(worst_box(&frame, &[says(-0.1, 0.3), says(0.1, 0.4), says(-0.2, 0.1)]), None);
        assert_eq!(worst_box(&frame, &[Synthetic::default(); 2]), None);
    }

    #[test]
    fn what_is_nearer_the_money_is_believed() {
        let strikes: Vec<f64> = (0..12).map(|i| 100.0 + 5.0 * f64::from(i)).collect();
        let input = SliceInput {
            forward: 99.0,
            discount_factor: 1.0,
            time_to_expiry: 0.1,
            dividend_shift: 0.0,
            calendar: true,
            american: true,
            strikes,
            quotes: Vec::new(),
            previous: None,
        };
        let frame = Frame::new(&input);
        // Calls fall from 4.00 by a third a strike; from the seventh on the quotes are of another share, ten times as dear.
        let band = |node: usize, price: f64| Band {
            node,
            bid: Some(0.95 * price / 99.0),
            ask: Some(1.05 * price / 99.0),
            weight: 1.0,
            later: false,
        };
        let fair = |i: usize| 4.0 * libm::pow(2.0 / 3.0, i as f64);
        let mut bands: Vec<Band> = (0..12).map(|i| band(i, if i < 6 { fair(i) } else { 40.0 - i as f64 })).collect();
        assert_eq!(beyond_belief(&frame, &bands), [6, 7, 8, 9, 10, 11]);
        // One cheap offer near the money condemns nothing beyond it.
        bands = (0..12).map(|i| band(i, if i == 2 { 0.01 } else { fair(i) })).collect();
        assert!(beyond_belief(&frame, &bands).is_empty());
    }
}
