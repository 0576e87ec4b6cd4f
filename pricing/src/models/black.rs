//! Black's formula on the forward, and its inverse, without cancellation in the wings.
//!
//! Everything is written with the Mills ratio `M`: with `m = |ln(K/F)|`, `s = sigma sqrt(T)`, `h = m/s`, `t = s/2`,
//! the undiscounted out-of-the-money price is `sqrt(F K) phi(h) e^{-t^2/2} (M(h-t) - M(h+t))`.

use crate::math::{INV_SQRT_2PI, exp, ln, mills_ratio, normal_cdf};
use crate::models::Implied;
use crate::vocabulary::{OptionType, PricingMethod, VolatilityStatus};

/// LOW_VEGA where the half-spread is worth more than this much volatility.
pub const LOW_VEGA_UNCERTAINTY: f64 = 1.0;

const ITERATIONS_MAX: u32 = 24;
// ln(1/sqrt(2 pi))
const LN_INV_SQRT_2PI: f64 = -0.918_938_533_204_672_7;

/// Exercise value on the forward: `max(0, F - K)` of a call, `max(0, K - F)` of a put; undiscounted.
pub fn intrinsic(option_type: OptionType, forward: f64, strike: f64) -> f64 {
    match option_type {
        OptionType::Call => (forward - strike).max(0.0),
        OptionType::Put => (strike - forward).max(0.0),
    }
}

/// Undiscounted price of the out-of-the-money option (put below the forward, call above; at it both are equal).
///
/// # Formula
/// Black 1976: `min(F,K) (Phi(t-h) - e^m Phi(-t-h))`, `m = |ln(K/F)|`, `h = m/s`, `t = s/2`, in Mills form where
/// `h > t`.
///
/// # Units
/// `total_stdev` is `s = sigma sqrt(T)`.
///
/// # Domain
/// `F, K > 0`. `s <= 0` gives 0, `s` infinite the bound `min(F,K)`. NaN gives 0.
///
/// ```
/// let price = closemark_pricing::models::black::out_of_the_money_price(100.0, 100.0, 0.2);
/// assert!((price - 7.965_567_455_405_804).abs() < 1e-13);
/// ```
pub fn out_of_the_money_price(forward: f64, strike: f64, total_stdev: f64) -> f64 {
    let low = forward.min(strike);
    if !(low > 0.0 && total_stdev > 0.0) {
        return 0.0;
    }
    let m = ln(forward.max(strike) / low);
    low * normalised_price(m, total_stdev).clamp(0.0, 1.0)
}

/// The out-of-the-money price over `min(F,K)`.
fn normalised_price(m: f64, s: f64) -> f64 {
    let h = m / s;
    let t = 0.5 * s;
    if h > 38.5 + t {
        return 0.0;
    }
    if h > t {
        density(h - t) * (mills_ratio(h - t) - mills_ratio(h + t))
    } else {
        // e^m phi(t+h) = phi(t-h)
        normal_cdf(t - h) - density(t - h) * mills_ratio(t + h)
    }
}

fn density(x: f64) -> f64 {
    crate::math::normal_pdf(x)
}

/// Price per share of a European option on a forward.
///
/// # Formula
/// Black 1976: `D (F Phi(d1) - K Phi(d2))` for a call, as exercise value plus out-of-the-money price so that nothing
/// cancels.
///
/// # Units
/// `sigma` per square root of year, `t` years, the result in currency per share, discounted.
///
/// # Domain
/// `F, K > 0`; `sigma <= 0` or `t <= 0` give the discounted exercise value.
///
/// ```
/// use closemark_pricing::{models::black, vocabulary::OptionType};
/// // Haug 2007, p. 5: futures at 19, strike 19, nine months, 28 %, r = 10 %: 1.7011
/// let put = black::price(OptionType::Put, 19.0, 19.0, 0.75, 0.28, libm::exp(-0.1 * 0.75));
/// assert!((put - 1.7011).abs() < 5e-5);
/// ```
pub fn price(option_type: OptionType, forward: f64, strike: f64, t: f64, sigma: f64, discount_factor: f64) -> f64 {
    let time_value = out_of_the_money_price(forward, strike, sigma.max(0.0) * t.max(0.0).sqrt());
    discount_factor * (intrinsic(option_type, forward, strike) + time_value)
}

/// Derivative of [`price`] in `sigma`: `D sqrt(F K) sqrt(T) phi(h) e^{-t^2/2}`, the same for calls and puts.
///
/// # Domain
/// 0 where there is no volatility, no time or no finite value.
pub fn vega(forward: f64, strike: f64, t: f64, sigma: f64, discount_factor: f64) -> f64 {
    let root_t = t.max(0.0).sqrt();
    let s = sigma * root_t;
    if !(forward > 0.0 && strike > 0.0 && s > 0.0) {
        return 0.0;
    }
    let h = ln(strike / forward) / s;
    let value =
        discount_factor * (forward * strike).sqrt() * root_t * INV_SQRT_2PI * exp(-0.5 * (h * h + 0.25 * s * s));
    if value.is_finite() { value } else { 0.0 }
}

/// `s = sigma sqrt(T)` of an undiscounted out-of-the-money price; `None` where it lies outside `(0, min(F,K))` or the
/// inputs are no numbers.
///
/// # Formula
/// The seed inverts Bachelier's formula by a rational function (exact to 0.8 % as `s -> 0`), or for large prices
/// Tehranchi's 2016 upper bound (exact at the forward). Then third-order Householder steps on the logarithm of the
/// price, or of its distance to the upper bound where that is the smaller: both are nearly quadratic, so two steps
/// do in most cases.
///
/// # Units
/// Relative accuracy of the price, so `s` has a few units in the last place times `price / (s vega)`.
///
/// ```
/// use closemark_pricing::models::black;
/// let s = black::implied_stdev_otm(100.0, 150.0, black::out_of_the_money_price(100.0, 150.0, 0.03));
/// assert!((s.unwrap() - 0.03).abs() < 1e-15);
/// ```
pub fn implied_stdev_otm(forward: f64, strike: f64, undiscounted_otm_price: f64) -> Option<f64> {
    implied_stdev_counted(forward, strike, undiscounted_otm_price).map(|(s, _)| s)
}

fn implied_stdev_counted(forward: f64, strike: f64, otm_price: f64) -> Option<(f64, u32)> {
    let low = forward.min(strike);
    let high = forward.max(strike);
    if !(low > 0.0 && high.is_finite() && otm_price > 0.0 && otm_price < low) {
        return None;
    }
    let m = ln(high / low);
    let c = otm_price / low;
    let complement = (low - otm_price) / low;
    if !(c > 0.0 && complement > 0.0) {
        return None;
    }
    solve(m, c, complement)
}

/// Solves the normalised price for `s`; `complement` is `1 - c`, given apart because it may be known better.
fn solve(m: f64, c: f64, complement: f64) -> Option<(f64, u32)> {
    let upper = c > 0.5;
    // ln of b / phi(0) with b = price / sqrt(FK), or of its distance to the bound.
    let target = ln(if upper { complement } else { c }) - 0.5 * m - LN_INV_SQRT_2PI;
    let mut s = seed(m, c, complement);
    for iteration in 1..=ITERATIONS_MAX {
        let h = m / s;
        let t = 0.5 * s;
        let near = if h >= t - 1.0 { mills_ratio(h - t) } else { normal_cdf(t - h) / density(t - h) };
        let far = mills_ratio(h + t);
        // Value over phi(0) e^{-(h^2+t^2)/2}, whose derivative in s is +-1 in the same unit.
        let (value, sign) = if upper { (mills_ratio(t - h) + far, -1.0) } else { (near - far, 1.0) };
        if value.is_nan() || value <= 0.0 {
            // The difference of the ratios is lost (s below 1e-15 of m or so): widen.
            s *= 2.0;
            continue;
        }
        let gap = ln(value) - 0.5 * (h * h + t * t) - target;
        let g1 = sign / value;
        let a = h * h / s - 0.25 * s;
        let a1 = -3.0 * h * h / (s * s) - 0.25;
        let ratio2 = a - g1;
        let ratio3 = a * a + a1 - 3.0 * a * g1 + 2.0 * g1 * g1;
        let newton = -gap / g1;
        let step = newton * (1.0 + 0.5 * ratio2 * newton) / (1.0 + newton * (ratio2 + newton * ratio3 * (1.0 / 6.0)));
        let next = s + step;
        // Far from the solution the series may point anywhere; then the Newton step, kept within a factor of two.
        let next = if next > 0.25 * s && next < 4.0 * s { next } else { (s + newton).max(0.5 * s).min(2.0 * s) };
        let change = (next - s).abs();
        s = next;
        if !s.is_finite() {
            return None;
        }
        // Fourth order: a change of 1e-5 leaves 1e-16 or so; near the bound convergence may be slower by constants.
        if change <= 2e-5 * s || iteration == ITERATIONS_MAX {
            return Some((s, iteration));
        }
    }
    None
}

fn seed(m: f64, c: f64, complement: f64) -> f64 {
    let e = exp(m);
    if c > 0.35 || m < 1e-14 {
        // c <= 2 Phi(s/2) - 1 at the forward; Tehranchi's bound elsewhere.
        let p = complement / (1.0 + e);
        return (-2.0 * crate::math::inverse_normal_cdf(p)).max(1e-16);
    }
    // Bachelier: c sqrt(K/F)-free form, c e^{-m/2} = s (phi(h) - h Phi(-h)).
    let rho = c * exp(-0.5 * m) / m;
    let w = (1.0 + ln(1.0 + 1.0 / rho)).sqrt() - 1.0;
    let h = w * (0.797_492_043_771_889_9 + w * (0.630_741_205_761_836_5 + w * 0.306_012_596_495_219_2))
        / (1.0 + w * (0.273_243_250_837_420_4 + w * 0.215_700_300_365_080_9));
    m / h
}

/// The Black volatility of a European price, with the status of the inversion.
///
/// # Formula
/// The out-of-the-money part of the price, `price/D` less the exercise value on the forward, through
/// [`implied_stdev_otm`].
///
/// # Errors
/// As statuses: at the discounted exercise value (within 1e-9 of the strike, or one that rounding cannot tell from it)
/// AT_INTRINSIC with critical volatility 0, below it BELOW_INTRINSIC, at or above `D F` (call) or `D K` (put)
/// ABOVE_BOUND, uncertainty `half_spread / vega` above 1.00 LOW_VEGA, inputs that are no numbers NOT_CONVERGED.
pub fn implied_volatility(
    option_type: OptionType,
    forward: f64,
    strike: f64,
    t: f64,
    price: f64,
    discount_factor: f64,
    half_spread: f64,
) -> Implied {
    let ended = |status| Implied {
        volatility: None,
        status,
        method: PricingMethod::Black,
        iterations: 0,
        vega: 0.0,
        critical_volatility: None,
    };
    if t <= 0.0 {
        return ended(VolatilityStatus::Expired);
    }
    let usable = forward > 0.0 && strike > 0.0 && t > 0.0 && discount_factor > 0.0;
    if !(usable && price.is_finite() && forward.is_finite() && strike.is_finite() && discount_factor.is_finite()) {
        return ended(VolatilityStatus::NotConverged);
    }
    let exercise = intrinsic(option_type, forward, strike);
    let bound = match option_type {
        OptionType::Call => forward,
        OptionType::Put => strike,
    };
    let undiscounted = price / discount_factor;
    let time_value = undiscounted - exercise;
    if undiscounted >= bound {
        return ended(VolatilityStatus::AboveBound);
    }
    // Subtracting the exercise value leaves its rounding behind; below that no digit of the time value is true.
    let tolerance = if exercise > 0.0 { 1e-9 * strike } else { 0.0 };
    if time_value < -tolerance {
        return ended(VolatilityStatus::BelowIntrinsic);
    }
    if time_value <= tolerance {
        return Implied { critical_volatility: Some(0.0), ..ended(VolatilityStatus::AtIntrinsic) };
    }
    let Some((s, iterations)) = implied_stdev_counted(forward, strike, time_value) else {
        return ended(VolatilityStatus::NotConverged);
    };
    let sigma = s / t.sqrt();
    let vega = vega(forward, strike, t, sigma, discount_factor);
    let status =
        if half_spread > LOW_VEGA_UNCERTAINTY * vega { VolatilityStatus::LowVega } else { VolatilityStatus::Ok };
    Implied {
        volatility: Some(sigma),
        status,
        method: PricingMethod::Black,
        iterations,
        vega,
        critical_volatility: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn implied_stdev_returns_what_made_the_price() {
        let mut worst = 0.0_f64;
        let mut most = 0;
        let mut count = 0;
        for i in 0..=300 {
            let m = if i == 0 { 0.0 } else { libm::exp(-12.0 + 13.5 * f64::from(i) / 300.0) };
            for j in 0..=300 {
                let s = libm::exp(-9.0 + 11.2 * f64::from(j) / 300.0);
                for (forward, strike) in [(1.0, libm::exp(m)), (libm::exp(m), 1.0)] {
                    let price = out_of_the_money_price(forward, strike, s);
                    if !(1e-290..=1.0 - 1e-6).contains(&price) {
                        continue;
                    }
                    let (got, iterations) = implied_stdev_counted(forward, strike, price).expect("in range");
                    most = most.max(iterations);
                    count += 1;
                    // What one unit in the last place of the price is worth.
                    let vega = vega(forward, strike, 1.0, s, 1.0);
                    let floor = 2e-15 * s + 4e-16 * price.max(price * m / s) / vega;
                    worst = worst.max((got - s).abs() / (floor + 1e-12 * s));
                }
            }
        }
        assert!(count > 50_000, "{count} prices");
        assert!(worst < 10.0 && most <= 6, "{worst} {most}");
    }

    #[test]
    fn statuses_at_the_edges() {
        let iv = |p: f64, h: f64| implied_volatility(OptionType::Put, 100.0, 120.0, 0.5, p, 0.99, h);
        assert_eq!(iv(19.8, 0.0).status, VolatilityStatus::AtIntrinsic);
        assert_eq!(iv(19.7, 0.0).status, VolatilityStatus::BelowIntrinsic);
        assert_eq!(iv(0.99 * 120.0, 0.0).status, VolatilityStatus::AboveBound);
        assert_eq!(iv(f64::NAN, 0.0).status, VolatilityStatus::NotConverged);
        assert_eq!(iv(20.5, 0.05).status, VolatilityStatus::Ok);
        assert_eq!(iv(19.8001, 0.5).status, VolatilityStatus::LowVega);
        assert_eq!(
            implied_volatility(OptionType::Put, 100.0, 120.0, 0.0, 20.0, 1.0, 0.1).status,
            VolatilityStatus::Expired
        );
    }
}
