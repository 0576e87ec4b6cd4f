//! The curve beyond the last accepted quote.

use super::frame::{Frame, compress, expand};
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

    /// The least and the largest volatility that the gradual caps leave at `k` beyond the edge.
    pub(super) fn caps(&self, k: f64, stdev: f64, settings: &SmoothingSettings) -> [f64; 2] {
        let reach = libm::tanh((compress(k, stdev) - self.y_edge).abs());
        let (low, high) = (settings.cap_rise.min(0.9), settings.cap_rise);
        [self.sigma_edge * (1.0 - low * reach), self.sigma_edge * (1.0 + high * reach)]
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

/// Makes prices beyond the edges fall outward at least half as fast in the logarithm as flat volatility would have them
/// fall at the edge. A wing whose price stays up would stand, by the calendar, in every later expiry's way. Prices
/// not above `price_tells` (over the frame's scale) are left alone.
pub(super) fn decay(frame: &Frame, target: &mut [f64], (low, high): (usize, usize), price_tells: f64) {
    let n = target.len();
    let (below, above): (Vec<usize>, Vec<usize>) = ((0..low.min(n)).rev().collect(), (high + 1..n).collect());
    for (edge, outward) in [(low, below), (high, above)] {
        let (Some(&sigma), Some(&next)) = (target.get(edge), outward.first()) else { continue };
        let out_of_the_money = if next > edge { frame.m[edge] >= 1.0 } else { frame.m[edge] <= 1.0 };
        let (at_edge, flat) = (frame.price(edge, sigma), frame.price(next, sigma));
        if !out_of_the_money || at_edge <= price_tells || flat <= price_tells {
            continue;
        }
        let distance = |node: usize| (frame.log_moneyness[node] - frame.log_moneyness[edge]).abs();
        let rate = 0.5 * libm::log(at_edge / flat) / distance(next);
        for node in outward {
            let most = at_edge * crate::math::exp(-rate * distance(node));
            if most <= price_tells {
                break;
            }
            if frame.price(node, target[node]) > most
                && let Some(sigma) = frame.volatility(node, most).filter(|sigma| sigma.is_finite() && *sigma > 0.0)
            {
                target[node] = target[node].min(sigma);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decay;
    use crate::smoothing::SliceInput;
    use crate::smoothing::frame::Frame;

    #[test]
    fn a_wing_that_rises_too_fast_is_brought_down_to_falling_prices() {
        let input = SliceInput {
            forward: 100.0,
            discount_factor: 1.0,
            time_to_expiry: 0.05,
            dividend_shift: 0.0,
            calendar: true,
            american: true,
            strikes: (0..12).map(|i| 70.0 + 5.0 * f64::from(i)).collect(),
            quotes: Vec::new(),
            previous: None,
        };
        let frame = Frame::new(&input);
        // Quoted from 85 to 115; beyond it volatility rises so fast that calls cost more the farther they are.
        let mut target: Vec<f64> = (0..12_i32).map(|i| 0.3 + 0.25 * f64::from((i - 9).max(0))).collect();
        let before = target.clone();
        assert!(frame.price(11, target[11]) > frame.price(9, target[9]));
        decay(&frame, &mut target, (3, 9), 1e-10);
        assert_eq!(target[..10], before[..10]);
        let price = |i: usize| frame.price(i, target[i]);
        assert!(price(10) < price(9) && price(11) < price(10));
        // Half the rate at which flat volatility falls, in ln K.
        let rate = |i: usize| libm::log(price(9) / price(i)) / libm::log(input.strikes[i] / input.strikes[9]);
        let flat = libm::log(price(9) / frame.price(10, 0.3)) / libm::log(input.strikes[10] / input.strikes[9]);
        assert!((rate(10) - 0.5 * flat).abs() < 1e-6 * flat && (rate(11) - 0.5 * flat).abs() < 1e-6 * flat);
    }
}
