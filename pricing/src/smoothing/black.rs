//! Black prices with forward 1, as the smoother needs them.

const INVERSE_SQRT_TWO_PI: f64 = 0.398_942_280_401_432_7;

/// Undiscounted out-of-the-money price over the forward at `ratio = K/F`; the larger of 0 and what is finite.
pub(super) fn price(ratio: f64, stdev: f64) -> f64 {
    let value = out_of_the_money(ratio, stdev);
    if value.is_finite() && value > 0.0 { value } else { 0.0 }
}

/// Derivative of [`price`] in the standard deviation.
pub(super) fn vega(ratio: f64, stdev: f64) -> f64 {
    if !(ratio > 0.0 && stdev > 0.0) {
        return 0.0;
    }
    let d1 = -libm::log(ratio) / stdev + 0.5 * stdev;
    INVERSE_SQRT_TWO_PI * libm::exp(-0.5 * d1 * d1)
}

/// Lognormal density of the ratio `S_T/F` at `ratio`.
pub(super) fn density(ratio: f64, stdev: f64) -> f64 {
    if !(ratio > 0.0 && stdev > 0.0) {
        return 0.0;
    }
    let d2 = -libm::log(ratio) / stdev - 0.5 * stdev;
    INVERSE_SQRT_TWO_PI * libm::exp(-0.5 * d2 * d2) / (ratio * stdev)
}

fn out_of_the_money(ratio: f64, stdev: f64) -> f64 {
    if !(ratio > 0.0 && stdev > 0.0) {
        return 0.0;
    }
    let root_half = core::f64::consts::FRAC_1_SQRT_2;
    let d1 = -libm::log(ratio) / stdev + 0.5 * stdev;
    let d2 = d1 - stdev;
    if ratio < 1.0 {
        0.5 * (ratio * libm::erfc(d2 * root_half) - libm::erfc(d1 * root_half))
    } else {
        0.5 * (libm::erfc(-d1 * root_half) - ratio * libm::erfc(-d2 * root_half))
    }
}

/// The standard deviation of an out-of-the-money price; `None` where none gives it.
pub(super) fn implied_stdev(ratio: f64, value: f64) -> Option<f64> {
    if !(value > 0.0 && value < ratio.min(1.0)) {
        return None;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while price(ratio, high) < value {
        low = high;
        high *= 2.0;
        if high > 64.0 {
            return None;
        }
    }
    let mut stdev = 0.5 * (low + high);
    for _ in 0..100 {
        let gap = price(ratio, stdev) - value;
        if gap > 0.0 {
            high = stdev
        } else {
            low = stdev
        }
        let newton = stdev - gap / vega(ratio, stdev);
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - stdev).abs() <= 1e-15 * stdev {
            return Some(next);
        }
        stdev = next;
    }
    Some(stdev)
}
