//! Tier 1's curve of one slice, by whatever rung of the ladder it came.

use super::Curve;
use super::frame::compress;
use super::prior::Prior;
use super::spline::NaturalCubic;
use super::wings::Wing;
use crate::settings::SmoothingSettings;
use crate::vocabulary::MarkSource;

/// A fitted smile: prior, spline of the residuals, two wings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Smile {
    /// Standard deviation that standardises moneyness.
    pub stdev: f64,
    pub time: f64,
    pub prior: Prior,
    pub spline: NaturalCubic,
    pub low: Wing,
    pub high: Wing,
    /// Least and largest volatility inside the edges, from the quotes there.
    pub range: [f64; 2],
}

impl Smile {
    /// The fitted curve, inside the edges.
    pub(super) fn inside(&self, y: f64) -> f64 {
        (self.prior.value(y) + self.spline.value(y)).clamp(self.range[0], self.range[1])
    }

    /// Volatility at log-moneyness `k`.
    pub(super) fn volatility(&self, k: f64, settings: &SmoothingSettings) -> (f64, MarkSource) {
        let y = compress(k, self.stdev);
        if y < self.low.y_edge {
            self.low.volatility(k, self.stdev, self.time, settings)
        } else if y > self.high.y_edge {
            self.high.volatility(k, self.stdev, self.time, settings)
        } else {
            (self.inside(y), MarkSource::Smoothed)
        }
    }

    /// What the gradual caps leave at log-moneyness `k`, beyond the edges.
    fn caps(&self, k: f64, settings: &SmoothingSettings) -> Option<[f64; 2]> {
        let y = compress(k, self.stdev);
        if y < self.low.y_edge {
            Some(self.low.caps(k, self.stdev, settings))
        } else if y > self.high.y_edge {
            Some(self.high.caps(k, self.stdev, settings))
        } else {
            None
        }
    }
}

/// A target curve.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// The slice's own fit.
    Own(Smile),
    /// A neighbour's smile at equal standardised moneyness, times `exp(level + skew y)`; own quotes lie in `edges`.
    Shifted { base: Smile, stdev: f64, level: f64, skew: f64, edges: [f64; 2] },
    /// Total variance interpolated in time at equal log-moneyness; `share` of the later one.
    Between { earlier: Box<Target>, later: Box<Target>, times: [f64; 2], time: f64 },
    /// A neighbour's smile at equal standardised moneyness.
    Alike { base: Box<Target>, factor: f64 },
    /// The previous close's curve.
    Carried(Curve),
}

impl Target {
    /// The least and the largest volatility that the gradual caps leave at log-moneyness `k`, where one applies.
    pub(super) fn caps(&self, k: f64, settings: &SmoothingSettings) -> Option<[f64; 2]> {
        match self {
            Self::Own(smile) => smile.caps(k, settings),
            _ => None,
        }
    }

    /// Volatility at log-moneyness `k` and what decided it.
    pub(super) fn volatility(&self, k: f64, settings: &SmoothingSettings) -> (f64, MarkSource) {
        match self {
            Self::Own(smile) => smile.volatility(k, settings),
            Self::Shifted { base, stdev, level, skew, edges } => {
                let y = compress(k, *stdev);
                let (volatility, _) = base.volatility(k / stdev * base.stdev, settings);
                let source = if y < edges[0] || y > edges[1] { MarkSource::Extrapolated } else { MarkSource::Smoothed };
                // Beyond the own quotes the skew stays what it was at the last of them.
                (volatility * crate::math::exp(level + skew * y.clamp(edges[0], edges[1])), source)
            }
            Self::Between { earlier, later, times, time } => {
                let (before, after) = (earlier.volatility(k, settings).0, later.volatility(k, settings).0);
                let (w0, w1) = (before * before * times[0], after * after * times[1]);
                let gap = times[1] - times[0];
                let share = if gap > 0.0 { ((time - times[0]) / gap).clamp(0.0, 1.0) } else { 0.5 };
                (((w0 + share * (w1 - w0)) / time).max(0.0).sqrt(), MarkSource::TermInterpolated)
            }
            Self::Alike { base, factor } => (base.volatility(k * factor, settings).0, MarkSource::TermInterpolated),
            Self::Carried(curve) => (carried(curve, k), MarkSource::Carried),
        }
    }
}

/// Linear in total variance (time is common, so in sigma^2) between nodes, flat outside.
fn carried(curve: &Curve, k: f64) -> f64 {
    let right = curve.log_moneyness.partition_point(|node| *node <= k);
    let node = |i: usize| curve.log_moneyness.get(i).copied().zip(curve.volatility.get(i).copied());
    match (right.checked_sub(1).and_then(node), node(right)) {
        (Some((k0, s0)), Some((k1, s1))) => {
            let share = (k - k0) / (k1 - k0);
            (s0 * s0 + share * (s1 * s1 - s0 * s0)).max(0.0).sqrt()
        }
        (Some((_, sigma)), None) | (None, Some((_, sigma))) => sigma,
        (None, None) => 0.0,
    }
}

/// Whether a curve from elsewhere can be used.
pub(super) fn usable(curve: &Curve) -> bool {
    !curve.log_moneyness.is_empty()
        && curve.log_moneyness.len() == curve.volatility.len()
        && curve.log_moneyness.iter().all(|k| k.is_finite())
        && curve.log_moneyness.windows(2).all(|pair| pair[0] < pair[1])
        && curve.volatility.iter().all(|sigma| sigma.is_finite() && *sigma > 0.0)
}
