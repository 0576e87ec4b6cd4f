//! Black prices with forward 1, as the smoother needs them.

use crate::math::{exp, ln};
use crate::models::black;

const INVERSE_SQRT_TWO_PI: f64 = 0.398_942_280_401_432_7;

/// Undiscounted out-of-the-money price over the forward at `ratio = K/F`.
pub(super) fn price(ratio: f64, stdev: f64) -> f64 {
    black::out_of_the_money_price(1.0, ratio, stdev)
}

/// [`price`] of many, with the same bits; works on the common length.
pub(super) fn prices(ratios: &[f64], stdevs: impl Iterator<Item = f64>, out: &mut [f64]) {
    black::out_of_the_money_prices(1.0, ratios, stdevs, out);
}

/// Derivative of [`price`] in the standard deviation.
pub(super) fn vega(ratio: f64, stdev: f64) -> f64 {
    if !(ratio > 0.0 && stdev > 0.0) {
        return 0.0;
    }
    let d1 = -ln(ratio) / stdev + 0.5 * stdev;
    INVERSE_SQRT_TWO_PI * exp(-0.5 * d1 * d1)
}

/// Lognormal density of the ratio `S_T/F` at `ratio`.
pub(super) fn density(ratio: f64, stdev: f64) -> f64 {
    if ratio > 0.0 && stdev > 0.0 { vega(ratio, stdev) / (ratio * ratio * stdev) } else { 0.0 }
}

/// The standard deviation of an out-of-the-money price; `None` where none gives it.
pub(super) fn implied_stdev(ratio: f64, value: f64) -> Option<f64> {
    black::implied_stdev_otm(1.0, ratio, value)
}
