//! The curve beyond the last accepted quote.

use super::frame::{compress, expand};
use crate::settings::SmoothingSettings;
use crate::vocabulary::MarkSource;

/// One wing.
///
/// # Formula
/// `sigma(k)^2 T` goes on as a line in `k`, its slope at most `lee_share` of Lee's bound 2, and never above
/// `sigma_edge (1 + cap_rise tanh dy)`, `dy` the distance from the edge in compressed standardised moneyness. A curve
/// that falls outward goes on falling, ever more slowly, to `sigma_edge (1 - cap_rise)` at the lowest.
///
/// # Source
/// Lee (2004), The moment formula for implied volatility at extreme strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wing {
    /// Compressed moneyness at the edge.
    pub y_edge: f64,
    k_edge: f64,
    sigma_edge: f64,
    /// Outward slope of total variance in |k|.
    slope: f64,
    /// Outward slope of volatility in |y|, used where it is negative.
    fall: f64,
}

impl Wing {
    /// A wing from the curve inside: `sign` is -1 for the low wing and 1 for the high one; `reach` is the width of
    /// the fitted range.
    pub(super) fn new(
        curve: impl Fn(f64) -> f64,
        (y_edge, sign, reach): (f64, f64, f64),
        (stdev, time): (f64, f64),
        settings: &SmoothingSettings,
    ) -> Self {
        let sigma_edge = curve(y_edge);
        let k_edge = expand(y_edge, stdev);
        let step = (0.5 * reach).min(0.6);
        let (mut slope, mut fall) = (0.0, 0.0);
        if step > 1e-6 {
            let y_inside = y_edge - sign * step;
            let sigma_inside = curve(y_inside);
            let k_inside = expand(y_inside, stdev);
            let chord =
                (sigma_edge * sigma_edge - sigma_inside * sigma_inside) * time / (k_edge - k_inside).abs().max(1e-12);
            slope = chord.clamp(0.0, 2.0 * settings.lee_share);
            fall = ((sigma_edge - sigma_inside) / step).min(0.0);
        }
        Self { y_edge, k_edge, sigma_edge, slope, fall }
    }

    /// A wing that begins beyond every strike.
    pub(super) fn none(y_edge: f64) -> Self {
        Self { y_edge, ..Self::default() }
    }

    /// Lowers the slope so that the line passes at most at `ceiling` (volatility) at `k`.
    pub(super) fn stay_below(&mut self, k: f64, ceiling: f64, time: f64) {
        let run = (k - self.k_edge).abs();
        if run > 1e-12 {
            let rise = (ceiling * ceiling - self.sigma_edge * self.sigma_edge) * time / run;
            self.slope = self.slope.min(rise.max(0.0));
        }
    }

    /// Volatility at `k` beyond the edge and what decided it.
    pub(super) fn volatility(&self, k: f64, stdev: f64, time: f64, settings: &SmoothingSettings) -> (f64, MarkSource) {
        let reach = libm::tanh((compress(k, stdev) - self.y_edge).abs());
        if self.fall < 0.0 {
            let drop = (-self.fall * reach).min(settings.cap_rise.min(0.9) * self.sigma_edge * reach);
            let capped = -self.fall > settings.cap_rise * self.sigma_edge;
            let source = if capped { MarkSource::CapLow } else { MarkSource::Extrapolated };
            return (self.sigma_edge - drop, source);
        }
        let line = self.sigma_edge * self.sigma_edge + self.slope * (k - self.k_edge).abs() / time;
        let cap = self.sigma_edge * (1.0 + settings.cap_rise * reach);
        if line > cap * cap { (cap, MarkSource::CapHigh) } else { (line.sqrt(), MarkSource::Extrapolated) }
    }
}
