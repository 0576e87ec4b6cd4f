//! What tier 2 aims at, and the units in which it measures its distance.

use super::black;
use super::frame::Frame;
use super::rows::curvature_weights;
use crate::settings::SmoothingSettings;

/// Least ratio of the units of neighbours.
const UNIT_RATIO_MIN: f64 = 0.1;
/// Largest contradiction between aim and convexity, in units, that is given to the program.
const BOUND_MAX: f64 = 20.0;

/// What tier 2 aims at, one entry per listed strike. Prices are out of the money, over the frame's scale.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Aim {
    pub price: Vec<f64>,
    /// One half-spread: the unit of the program's variables.
    pub unit: Vec<f64>,
    pub curvature: Vec<f64>,
    /// Least second difference, as a price.
    pub floor: Vec<f64>,
}

/// Least second differences: a share of the lognormal density at the node's own volatility, and where prices are
/// large enough two millionths of currency, so that rounding cannot undo convexity.
pub(super) fn density_floor(frame: &Frame, volatility: &[f64], settings: &SmoothingSettings) -> Vec<f64> {
    let n = frame.m.len();
    let absolute = 2e-6 / frame.currency();
    (0..n)
        .map(|i| {
            let Some(right) = frame.m.get(i + 1) else { return 0.0 };
            let left = if i > 0 { frame.m[i - 1] } else { frame.zero };
            let (h0, h1) = (frame.m[i] - left, right - frame.m[i]);
            let density = black::density(frame.ratio[i], volatility[i] * frame.root_time);
            let jump = (density * 0.5 * (h0 + h1)).min(1.0 / n as f64).min(0.25);
            let lognormal = jump * h0 * h1 / (h0 + h1);
            (settings.density_floor * lognormal).max(absolute.min(0.05 * lognormal))
        })
        .collect()
}

/// Widens units until no two neighbours are further apart than a ratio.
pub(super) fn even_out(unit: &mut [f64], ratio_min: f64) {
    for i in 1..unit.len() {
        unit[i] = unit[i].max(ratio_min * unit[i - 1]);
    }
    for i in (1..unit.len()).rev() {
        unit[i - 1] = unit[i - 1].max(ratio_min * unit[i]);
    }
}

/// Widens the units where the aim breaks convexity by many of them, so that all bounds are of the order of one.
pub(super) fn relax(frame: &Frame, aim: &mut Aim) {
    even_out(&mut aim.unit, UNIT_RATIO_MIN);
    for _ in 0..2 {
        for i in 0..frame.m.len().saturating_sub(1) {
            let (left, x_left) = if i > 0 { (frame.m[i - 1], aim.price[i - 1]) } else { (frame.zero, 0.0) };
            let (a, b, kink) = curvature_weights(left, frame.m[i], frame.m[i + 1]);
            let deficit = aim.floor[i] - kink - (a * x_left - aim.price[i] + b * aim.price[i + 1]);
            let left_unit = if i > 0 { a * aim.unit[i - 1] } else { 0.0 };
            let largest = left_unit.max(aim.unit[i]).max(b * aim.unit[i + 1]);
            let factor = deficit / (BOUND_MAX * largest);
            if factor > 1.0 {
                aim.unit[i] *= factor;
                aim.unit[i + 1] = aim.unit[i + 1].max(aim.unit[i]);
                if i > 0 {
                    aim.unit[i - 1] = aim.unit[i - 1].max(aim.unit[i]);
                }
            }
        }
    }
}
