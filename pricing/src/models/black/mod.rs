//! Black's formula on the forward, and its inverse, without cancellation in the wings.
//!
//! Everything is written with the Mills ratio `M`: with `m = |ln(K/F)|`, `s = sigma sqrt(T)`, `h = m/s`, `t = s/2`,
//! the undiscounted out-of-the-money price is `sqrt(F K) phi(h) e^{-t^2/2} (M(h-t) - M(h+t))`.

mod inverse;
mod tables;

use multiversion::multiversion;

use crate::math::{INV_SQRT_2PI, exp, ln, ln_normal, mills_ratio, normal_pdf_normal};
use crate::models::{Implied, PricedOption};
use crate::vocabulary::{OptionType, PricingMethod, VolatilityStatus};
pub(super) use inverse::LANES;
use inverse::{Lanes, Solved};
pub use inverse::{implied_stdev_otm, implied_stdevs_otm};

/// Deviations from the median beyond which a price is below the least normal number.
const DISTANCE_MAX: f64 = 37.5;

/// LOW_VEGA where the half-spread is worth more than this much volatility.
pub const LOW_VEGA_UNCERTAINTY: f64 = 1.0;

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

/// The out-of-the-money price over `min(F,K)` for `s > 0`. Other inputs give some number: no branch hinders vectors.
#[inline(always)]
fn normalised_price(m: f64, s: f64) -> f64 {
    let h = m / s;
    let t = 0.5 * s;
    let apart = (h - t).abs();
    // Beyond, the density is below the least normal number, and so is all that it multiplies.
    let x = if apart < DISTANCE_MAX { apart } else { DISTANCE_MAX };
    let density = normal_pdf_normal(x);
    let (near, far) = (mills_ratio(x), mills_ratio(h + t));
    // e^m phi(t+h) = phi(t-h): in the money of the median the tail below it is taken from 1.
    let value = if h > t { density * (near - far) } else { (1.0 - density * near) - density * far };
    if (h > t) & (apart >= DISTANCE_MAX) { 0.0 } else { value }
}

/// [`normalised_price`] of each lane, from strike over forward or the inverse.
///
/// The host chooses the width of the instructions; every lane's operations, and with them the bits, are the same.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn normalised_prices(ratio: &[f64; LANES], stdev: &[f64; LANES]) -> [f64; LANES] {
    let mut value = [0.0; LANES];
    for ((value, ratio), stdev) in value.iter_mut().zip(ratio).zip(stdev) {
        *value = normalised_price(ln_normal(*ratio), *stdev);
    }
    value
}

/// [`price`] of many strikes and volatilities of one expiry, with the same bits, eight at a time.
///
/// Works on the common length of the three slices; returns it.
///
/// ```
/// use closemark_pricing::{models::black, vocabulary::OptionType::Put};
/// let mut out = [0.0; 2];
/// black::prices(Put, 100.0, 0.5, 0.99, &[90.0, 110.0], &[0.3, 0.25], &mut out);
/// assert_eq!(out, [black::price(Put, 100.0, 90.0, 0.5, 0.3, 0.99), black::price(Put, 100.0, 110.0, 0.5, 0.25, 0.99)]);
/// ```
pub fn prices(
    option_type: OptionType,
    forward: f64,
    t: f64,
    discount_factor: f64,
    strikes: &[f64],
    sigmas: &[f64],
    out: &mut [f64],
) -> usize {
    let root_t = t.max(0.0).sqrt();
    let stdevs = sigmas.iter().map(|sigma| sigma.max(0.0) * root_t);
    let count = out_of_the_money_prices(forward, strikes, stdevs, out);
    for (out, strike) in out.iter_mut().zip(strikes).take(count) {
        *out = discount_factor * (intrinsic(option_type, forward, *strike) + *out);
    }
    count
}

/// [`out_of_the_money_price`] of many strikes on one forward, with the same bits, eight at a time.
///
/// Works on the common length of the three; returns it.
pub(crate) fn out_of_the_money_prices(
    forward: f64,
    strikes: &[f64],
    mut stdevs: impl Iterator<Item = f64>,
    out: &mut [f64],
) -> usize {
    let mut count = 0;
    for (strikes, out) in strikes.chunks(LANES).zip(out.chunks_mut(LANES)) {
        let (mut low, mut ratio, mut stdev) = ([0.0; LANES], [1.0; LANES], [1.0; LANES]);
        let mut filled = 0;
        for (((low, ratio), stdev), (strike, given)) in
            low.iter_mut().zip(ratio.iter_mut()).zip(stdev.iter_mut()).zip(strikes.iter().zip(stdevs.by_ref()))
        {
            *low = forward.min(*strike);
            *ratio = forward.max(*strike) / *low;
            *stdev = given;
            filled += 1;
        }
        let filled = filled.min(out.len());
        let out = out.get_mut(..filled).unwrap_or_default();
        count += out.len();
        let value = normalised_prices(&ratio, &stdev);
        for ((((out, strike), low), ratio), (stdev, value)) in
            out.iter_mut().zip(strikes).zip(&low).zip(&ratio).zip(stdev.iter().zip(&value))
        {
            // What the lanes cannot know: no price without deviation, and ratios that are no normal numbers.
            *out = if !(*low > 0.0 && *stdev > 0.0) {
                0.0
            } else if ratio.is_finite() {
                low * value.clamp(0.0, 1.0)
            } else {
                out_of_the_money_price(forward, *strike, *stdev)
            };
        }
    }
    count
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
///
/// The host chooses the encoding of the instructions; the operations, and with them the bits, are the same.
#[multiversion(targets("x86_64+avx2"))]
pub fn implied_volatility(
    option_type: OptionType,
    forward: f64,
    strike: f64,
    t: f64,
    price: f64,
    discount_factor: f64,
    half_spread: f64,
) -> Implied {
    let terms = Terms::new(forward, t, discount_factor);
    match terms.time_value(option_type, strike, price) {
        Ok(time_value) => terms.ended(inverse::solved(forward, strike, discount_factor, time_value), half_spread),
        Err(early) => early,
    }
}

/// [`implied_volatility`] of many quotes of one expiry and type, with the same bits, eight at a time.
pub fn implied_volatilities(
    option_type: OptionType,
    forward: f64,
    t: f64,
    discount_factor: f64,
    quotes: &[PricedOption],
) -> Vec<Implied> {
    let terms = Terms::new(forward, t, discount_factor);
    let mut out = Vec::with_capacity(quotes.len());
    for quotes in quotes.chunks(LANES) {
        let mut lanes = Lanes::default();
        let mut early = [None; LANES];
        for (i, (quote, early)) in quotes.iter().zip(early.iter_mut()).enumerate() {
            match terms.time_value(option_type, quote.strike, quote.price) {
                Ok(time_value) => lanes.set(i, forward, quote.strike, discount_factor, time_value),
                Err(ended) => *early = Some(ended),
            }
        }
        let answers = early.into_iter().zip(lanes.solve());
        out.extend(
            quotes
                .iter()
                .zip(answers)
                .map(|(quote, (early, solved))| early.unwrap_or_else(|| terms.ended(solved, quote.half_spread))),
        );
    }
    out
}

/// What the quotes of one expiry share.
#[derive(Clone, Copy)]
struct Terms {
    forward: f64,
    t: f64,
    root_t: f64,
    inverse_root_t: f64,
    discount_factor: f64,
}

/// Beyond it a forward, a strike or a time is none.
const LARGEST: f64 = 1e300;
/// Nor is a discount factor one outside of these.
const DISCOUNT_MIN: f64 = 1e-100;
const DISCOUNT_MAX: f64 = 1e100;

impl Terms {
    #[inline(always)]
    fn new(forward: f64, t: f64, discount_factor: f64) -> Self {
        let root_t = t.max(0.0).sqrt();
        Self { forward, t, root_t, inverse_root_t: 1.0 / root_t, discount_factor }
    }

    /// The discounted out-of-the-money part of a price, or how the inversion ends without it.
    #[inline(always)]
    fn time_value(&self, option_type: OptionType, strike: f64, price: f64) -> Result<f64, Implied> {
        let Split { time_value, least, bound, whole } = self.split(option_type, strike, price);
        // All at once, because quotes that end early are few. What is no forward or strike has no solution either.
        if (self.t > 0.0)
            & (self.t <= LARGEST)
            & (self.discount_factor >= DISCOUNT_MIN)
            & (self.discount_factor <= DISCOUNT_MAX)
            & (price < whole)
            & (time_value > least)
            & (time_value < bound)
        {
            Ok(time_value)
        } else {
            Err(self.early(option_type, strike, price))
        }
    }

    #[inline(always)]
    fn split(&self, option_type: OptionType, strike: f64, price: f64) -> Split {
        // As a number, because the types of quotes follow no order that a branch could learn.
        let sign = 1.0 - 2.0 * f64::from(u8::from(option_type == OptionType::Put));
        let exercise = sign * (self.forward - strike);
        let exercise = if exercise > 0.0 { exercise } else { 0.0 };
        Split {
            time_value: price - self.discount_factor * exercise,
            least: self.discount_factor * if exercise > 0.0 { 1e-9 * strike } else { 0.0 },
            bound: self.discount_factor * if self.forward < strike { self.forward } else { strike },
            whole: self.discount_factor * if sign > 0.0 { self.forward } else { strike },
        }
    }

    /// How a quote without a volatility ends.
    #[cold]
    fn early(&self, option_type: OptionType, strike: f64, price: f64) -> Implied {
        let Split { time_value, least, bound, whole } = self.split(option_type, strike, price);
        let discounts = self.discount_factor >= DISCOUNT_MIN && self.discount_factor <= DISCOUNT_MAX;
        let ended = |status| Implied { status, ..NOTHING };
        if self.t <= 0.0 {
            ended(VolatilityStatus::Expired)
        } else if !(discounts && [self.forward, strike, self.t].iter().all(is_usable) && price.is_finite()) {
            ended(VolatilityStatus::NotConverged)
        } else if price >= whole || time_value >= bound {
            ended(VolatilityStatus::AboveBound)
        } else if time_value < -least {
            ended(VolatilityStatus::BelowIntrinsic)
        } else {
            Implied { critical_volatility: Some(0.0), ..ended(VolatilityStatus::AtIntrinsic) }
        }
    }

    #[inline(always)]
    fn ended(&self, solved: Option<Solved>, half_spread: f64) -> Implied {
        let Some(Solved { s, iterations, slope, .. }) = solved else { return NOTHING };
        let vega = self.root_t * slope;
        let low = half_spread > LOW_VEGA_UNCERTAINTY * vega;
        Implied {
            volatility: Some(s * self.inverse_root_t),
            status: if low { VolatilityStatus::LowVega } else { VolatilityStatus::Ok },
            iterations,
            vega,
            ..NOTHING
        }
    }
}

fn is_usable(number: &f64) -> bool {
    *number > 0.0 && *number <= LARGEST
}

/// A price in parts, discounted.
struct Split {
    /// What it is more than the exercise value.
    time_value: f64,
    /// The least of it that is more than rounding: subtracting the exercise value leaves its rounding behind, and below
    /// that no digit of the time value is true.
    least: f64,
    /// What the time value is always below.
    bound: f64,
    /// The same of the price.
    whole: f64,
}

const NOTHING: Implied = Implied {
    volatility: None,
    status: VolatilityStatus::NotConverged,
    method: PricingMethod::Black,
    iterations: 0,
    vega: 0.0,
    critical_volatility: None,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn implied_stdev_returns_what_made_the_price() {
        let mut worst = 0.0_f64;
        let mut most = 0;
        let (mut count, mut one_step) = (0, 0);
        for i in 0..=300 {
            let m = if i == 0 { 0.0 } else { libm::exp(-12.0 + 13.5 * f64::from(i) / 300.0) };
            for j in 0..=300 {
                let s = libm::exp(-9.0 + 11.2 * f64::from(j) / 300.0);
                for (forward, strike) in [(1.0, libm::exp(m)), (libm::exp(m), 1.0)] {
                    let price = out_of_the_money_price(forward, strike, s);
                    if !(1e-290..=1.0 - 1e-6).contains(&price) {
                        continue;
                    }
                    let Solved { s: got, iterations, .. } =
                        inverse::solved(forward, strike, 1.0, price).expect("in range");
                    one_step += u32::from(iterations == 1);
                    most = most.max(iterations);
                    count += 1;
                    // What one unit in the last place of the price is worth.
                    let vega = vega(forward, strike, 1.0, s, 1.0);
                    let floor = 2e-15 * s + 4e-16 * price.max(price * m / s) / vega;
                    // What the difference of two Mills ratios loses, here and in the price.
                    let lost = 4e-16 * price / (s * vega);
                    worst = worst.max((got - s).abs() / (floor + lost + 1e-12 * s));
                }
            }
        }
        assert!(count > 50_000, "{count} prices");
        assert!(worst < 12.0 && most <= 6, "{worst} {most}");
        assert!(one_step * 10 > count * 3, "{one_step} of {count}");
    }

    #[test]
    fn prices_beyond_the_tables_are_solved_too() {
        for m in [1e-3, 0.1, 0.7, 1.903_601_691_706_992, 3.115_847] {
            for i in 0..400 {
                let s = m / (8.0 + 0.07 * f64::from(i));
                let price = out_of_the_money_price(1.0, libm::exp(m), s);
                if price < 1e-290 {
                    continue;
                }
                let found = inverse::solved(1.0, libm::exp(m), 1.0, price).map_or(f64::NAN, |found| found.s);
                assert!((found / s - 1.0).abs() < 1e-9, "{m} {s} {price:e}: {found}");
            }
        }
    }

    #[test]
    fn many_prices_fill_what_there_is_room_for() {
        let (strikes, sigmas) = ([80.0, 90.0, 100.0, 110.0, 120.0], [0.3; 5]);
        let mut out = [f64::NAN; 3];
        assert_eq!(prices(OptionType::Put, 100.0, 0.5, 0.99, &strikes, &sigmas, &mut out), 3);
        for (strike, price) in strikes.iter().zip(out) {
            assert_eq!(price, super::price(OptionType::Put, 100.0, *strike, 0.5, 0.3, 0.99));
        }
        let mut out = [f64::NAN; 5];
        assert_eq!(prices(OptionType::Put, 100.0, 0.5, 0.99, &strikes, &sigmas[..2], &mut out), 2);
        assert!(out[2].is_nan());
    }

    #[test]
    fn statuses_at_the_edges() {
        let iv = |p: f64, h: f64| implied_volatility(OptionType::Put, 100.0, 120.0, 0.5, p, 0.99, h);
        assert_eq!(iv(19.8, 0.0).status, VolatilityStatus::AtIntrinsic);
        assert_eq!(iv(19.7, 0.0).status, VolatilityStatus::BelowIntrinsic);
        assert_eq!(iv(0.99 * 120.0, 0.0).status, VolatilityStatus::AboveBound);
        for strike in [101.0, 113.7, 170.3, 903.1] {
            let at_bound = implied_volatility(OptionType::Put, 100.0, strike, 0.5, 0.99 * strike, 0.99, 0.0);
            assert_eq!(at_bound.status, VolatilityStatus::AboveBound, "{strike}");
        }
        let negative = implied_volatility(OptionType::Put, -100.0, -100.0, 0.5, 10.0, -1.0, 0.0);
        assert_eq!(negative.status, VolatilityStatus::NotConverged);
        assert_eq!(iv(f64::NAN, 0.0).status, VolatilityStatus::NotConverged);
        assert_eq!(iv(20.5, 0.05).status, VolatilityStatus::Ok);
        assert_eq!(iv(19.8001, 0.5).status, VolatilityStatus::LowVega);
        assert_eq!(
            implied_volatility(OptionType::Put, 100.0, 120.0, 0.0, 20.0, 1.0, 0.1).status,
            VolatilityStatus::Expired
        );
    }
}
