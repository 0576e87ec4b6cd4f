//! Vertical and butterfly spreads that could be executed at bid and ask.

use super::frame::Frame;
use super::tier2::{Band, offset};

/// A sure profit of at least this, in currency per share, is one: half a tick.
const TOLERANCE: f64 = 0.005;

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
