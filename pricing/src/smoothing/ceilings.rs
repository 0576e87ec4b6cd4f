//! What later expiries' asks leave to an earlier one.
//!
//! Tier 2 goes forward in time: a later expiry must lie above all earlier ones, whatever its own asks say. Where the two
//! contradict each other by little, the earlier one can give way within its own quotes, if it is told.

use super::aim::Aim;
use super::frame::Frame;
use super::tier2::{Band, offset};

/// Contradictions beyond so many units of the aim are a bad quote's, and not spread over earlier expiries.
const MILD: f64 = 2.0;
/// Weight of such a ceiling against an own quote's: own bids win.
const WEIGHT: f64 = 0.5;

/// The lower convex hull of the puts that accepted asks of later expiries allow, in the calendar's coordinate.
///
/// A price is not above the chord of any two points of later expiries, and these are not above their asks.
#[derive(Clone, Debug, Default)]
pub(super) struct AskHull {
    points: Vec<(f64, f64)>,
}

impl AskHull {
    /// Adds one expiry's asks.
    pub(super) fn merge(&mut self, frame: &Frame, bands: &[Band]) {
        let asks = bands.iter().filter(|band| !band.later && band.weight >= 1.0);
        self.points.extend(asks.filter_map(|band| {
            let m = *frame.m.get(band.node)?;
            Some((m, band.ask? + offset(m)))
        }));
        self.points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut hull: Vec<(f64, f64)> = Vec::with_capacity(self.points.len());
        for point in &self.points {
            if hull.last().is_some_and(|last| last.0 == point.0) {
                continue;
            }
            while let [.., a, b] = hull.as_slice() {
                if (b.1 - a.1) * (point.0 - b.0) < (point.1 - b.1) * (b.0 - a.0) {
                    break;
                }
                hull.pop();
            }
            hull.push(*point);
        }
        self.points = hull;
    }

    /// Adds a band to each node whose aim lies a little above the hull.
    pub(super) fn bound(&self, frame: &Frame, aim: &Aim, bands: &mut Vec<Band>) {
        let mut right = 0;
        for (node, ((m, price), unit)) in frame.m.iter().zip(&aim.price).zip(&aim.unit).enumerate() {
            while self.points.get(right).is_some_and(|point| point.0 < *m) {
                right += 1;
            }
            let Some((b, a)) = self.points.get(right).zip(right.checked_sub(1).and_then(|left| self.points.get(left)))
            else {
                continue;
            };
            let most = a.1 + (b.1 - a.1) * (m - a.0) / (b.0 - a.0) - offset(*m);
            if most > 0.0 && *price > most && *price <= most + MILD * unit {
                bands.push(Band { node, bid: None, ask: Some(most), weight: WEIGHT, later: true });
            }
        }
    }
}
