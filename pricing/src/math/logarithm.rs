//! The natural logarithm.

const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN_2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
const TWO_52: f64 = 4_503_599_627_370_496.0;
const TWO_52_BITS: u64 = 0x4330_0000_0000_0000;
const EXPONENT_MASK: u64 = 0xfff0_0000_0000_0000;

/// The natural logarithm, within 1 unit in the last place.
///
/// # Formula
/// `x = 2^n m`, `m` in `[sqrt(1/2), sqrt 2)`; `ln m` by the series of `2 artanh(s)`, `s = (m-1)/(m+1)`, to `s^21`.
///
/// # Domain
/// Zero gives minus infinity, negative numbers and NaN give NaN.
///
/// ```
/// assert!((closemark_pricing::math::ln(2.0) - std::f64::consts::LN_2).abs() < 1e-16);
/// ```
#[inline]
pub fn ln(x: f64) -> f64 {
    // Rejects zero, negative numbers, subnormals, infinity and NaN in one comparison.
    if !(f64::MIN_POSITIVE..=f64::MAX).contains(&x) {
        return outside_the_normal_range(x);
    }
    ln_normal(x)
}

/// [`ln`], with the same bits, of a positive normal number: nothing in it hinders vectors. Other arguments give some
/// number.
#[inline(always)]
pub(crate) fn ln_normal(x: f64) -> f64 {
    let (n, f) = split(x);
    let s = f / (2.0 + f);
    let z = s * s;
    let z2 = z * z;
    let z4 = z2 * z2;
    let c01 = 2.0 / 3.0 + z * (2.0 / 5.0);
    let c23 = 2.0 / 7.0 + z * (2.0 / 9.0);
    let c45 = 2.0 / 11.0 + z * (2.0 / 13.0);
    let c67 = 2.0 / 15.0 + z * (2.0 / 17.0);
    let c89 = 2.0 / 19.0 + z * (2.0 / 21.0);
    let r = z * ((c01 + z2 * c23) + z4 * ((c45 + z2 * c67) + z4 * c89));
    let half_square = 0.5 * f * f;
    n * LN_2_HIGH - ((half_square - (s * (half_square + r) + n * LN_2_LOW)) - f)
}

/// `n` and `f` with `x = 2^n (1 + f)` and `1 + f` in `[sqrt(1/2), sqrt 2)`.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    let offset = x.to_bits().wrapping_sub(SQRT_HALF_BITS);
    // No vector of 64-bit integers converts on a plain host: the exponent becomes the low bits of 2^52 instead.
    let exponent = offset.wrapping_add(1023 << 52) >> 52;
    let n = f64::from_bits(TWO_52_BITS | exponent) - (TWO_52 + 1023.0);
    (n, f64::from_bits(x.to_bits().wrapping_sub(offset & EXPONENT_MASK)) - 1.0)
}

#[cold]
fn outside_the_normal_range(x: f64) -> f64 {
    if x == 0.0 {
        f64::NEG_INFINITY
    } else if x.is_nan() || x < 0.0 {
        f64::NAN
    } else if x == f64::INFINITY {
        x
    } else {
        // A subnormal, lifted by 2^54.
        ln(x * 18_014_398_509_481_984.0) - 54.0 * LN_2_LOW - 54.0 * LN_2_HIGH
    }
}

#[cfg(test)]
mod tests {
    use super::ln;

    #[test]
    fn agrees_with_libm() {
        let mut worst = 0.0_f64;
        for i in 1..200_000 {
            for x in [f64::from(i) * 1.000_1e-5, 1.0 + f64::from(i) * 1e-9, f64::from(i) * 1e200, f64::from(i) * 1e-290]
            {
                let want = libm::log(x);
                worst = worst.max((ln(x) / want - 1.0).abs());
            }
        }
        assert!(worst < 3.4e-16, "{worst:e}");
    }

    #[test]
    fn ends_of_the_range() {
        assert_eq!(ln(0.0), f64::NEG_INFINITY);
        assert!(ln(-1.0).is_nan() && ln(f64::NAN).is_nan());
        assert_eq!(ln(f64::INFINITY), f64::INFINITY);
        assert_eq!(ln(1.0), 0.0);
        assert!((ln(5e-324) - libm::log(5e-324)).abs() < 1e-12);
    }
}
