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

/// Reciprocals and logarithms of 256 numbers, for [`LnTable::at`].
pub(crate) struct LnTable([[f64; 2]; 256]);

/// Bits of a number below those that choose its entry in [`LnTable`].
const ENTRY_BITS: u32 = 45;

impl LnTable {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|index| {
            // The exponent's last bit and seven bits of the mantissa; half of the entries are never asked for.
            let top = (0x3fe_u64 << 7) + index as u64;
            let middle = Self::middle(top << ENTRY_BITS);
            [1.0 / middle, ln(middle)]
        }))
    }

    /// The number in the middle between those that share their upper bits with these.
    #[inline(always)]
    fn middle(bits: u64) -> f64 {
        f64::from_bits((bits & !((1 << ENTRY_BITS) - 1)) | (1 << (ENTRY_BITS - 1)))
    }

    /// The logarithm of a positive normal number, to a unit in the last place of it and 1e-18; without a division, and
    /// sooner at hand than [`ln_normal`]. Other arguments give some number.
    ///
    /// # Formula
    /// `ln x = n ln 2 + ln c + ln(1 + f)` with the middle `c` of an interval of relative width 1/128 or less.
    #[inline(always)]
    pub(crate) fn at(&self, x: f64) -> f64 {
        let (n, z) = mantissa(x);
        let bits = z.to_bits();
        let [inverse, logarithm] = self.0[(bits >> ENTRY_BITS) as usize % 256];
        let f = (z - Self::middle(bits)) * inverse;
        let f2 = f * f;
        let low = -0.5 + f * (1.0 / 3.0);
        let middle = -0.25 + f * 0.2;
        let high = -1.0 / 6.0 + f * (1.0 / 7.0);
        (n * std::f64::consts::LN_2 + logarithm) + (f + f2 * ((low + f2 * middle) + (f2 * f2) * high))
    }
}

/// `n` and `f` with `x = 2^n (1 + f)` and `1 + f` in `[sqrt(1/2), sqrt 2)`.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    let (n, z) = mantissa(x);
    (n, z - 1.0)
}

/// `n` and `z` with `x = 2^n z` and `z` in `[sqrt(1/2), sqrt 2)`.
#[inline(always)]
fn mantissa(x: f64) -> (f64, f64) {
    let offset = x.to_bits().wrapping_sub(SQRT_HALF_BITS);
    // No vector of 64-bit integers converts on a plain host: the exponent becomes the low bits of 2^52 instead.
    let exponent = offset.wrapping_add(1023 << 52) >> 52;
    let n = f64::from_bits(TWO_52_BITS | exponent) - (TWO_52 + 1023.0);
    (n, f64::from_bits(x.to_bits().wrapping_sub(offset & EXPONENT_MASK)))
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
    use super::{LnTable, ln};

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
    fn the_table_gives_the_same() {
        let table = LnTable::new();
        for i in 1..200_000 {
            for x in
                [1.0 + f64::from(i) * 1.3e-5, 1.0 + f64::from(i) * 1e-9, f64::from(i) * 1.1e-5, f64::from(i) * 1e200]
            {
                let (found, wanted) = (table.at(x), ln(x));
                assert!((found - wanted).abs() <= 4.5e-16 * wanted.abs() + 2e-18, "{x:e}: {found:e} {wanted:e}");
            }
        }
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
