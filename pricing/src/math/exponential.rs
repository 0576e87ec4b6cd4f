//! The exponential function.

const LOG2_E: f64 = std::f64::consts::LOG2_E;
// ln 2 in two parts; the high one has 21 trailing zero bits, so that its product with any exponent is exact.
const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN_2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
// Adding it rounds to an integer, which then stands in the low bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// `2^n` for `-1022 <= n <= 1023`.
fn power_of_two(n: i32) -> f64 {
    f64::from_bits((i64::from(n) + 1023).wrapping_shl(52) as u64)
}

/// The exponential function, within 1 unit in the last place.
///
/// # Formula
/// `e^x = 2^n e^r`, `n = round(x / ln 2)`, `|r| <= ln(2)/2`, Taylor's polynomial of degree 13 for `e^r`.
///
/// # Domain
/// All numbers: below -745.2 the result is 0, above 709.79 infinity; NaN stays NaN.
///
/// ```
/// assert_eq!(closemark_pricing::math::exp(0.0), 1.0);
/// assert!((closemark_pricing::math::exp(1.0) - std::f64::consts::E).abs() < 1e-15);
/// ```
pub fn exp(x: f64) -> f64 {
    let (e, rounded) = reduced(x.clamp(-750.0, 711.0));
    let n = rounded.to_bits() as i32;
    // Two factors, because 2^n alone overflows at both ends of the range.
    let half = n >> 1;
    e * power_of_two(half) * power_of_two(n - half)
}

/// [`exp`], with the same bits, of an argument known to lie in [-708, 709]: nothing in it hinders vectors.
#[inline(always)]
pub(crate) fn exp_normal(x: f64) -> f64 {
    let (e, rounded) = reduced(x);
    // The exponent's low bits, shifted to their place, add n to the exponent of e.
    f64::from_bits(e.to_bits().wrapping_add(rounded.to_bits().wrapping_shl(52)))
}

/// [`exp_normal`] to 1e-10 of itself, for integrands.
#[inline(always)]
pub(crate) fn exp_short(x: f64) -> f64 {
    let rounded = x * LOG2_E + ROUNDER;
    let r = x - (rounded - ROUNDER) * std::f64::consts::LN_2;
    let r2 = r * r;
    // The least relative error of degree 7 on [-ln(2)/2, ln(2)/2] with 1 + r kept: 5.2e-11.
    let low = (1.0 + r) + r2 * (0.500_000_006_765 + r * 0.166_666_658_693);
    let high = (0.041_666_295_07 + r * 0.008_333_497_014_2) + r2 * (0.001_394_465_038_85 + r * 1.979_035_501_68e-4);
    let e = low + (r2 * r2) * high;
    f64::from_bits(e.to_bits().wrapping_add(rounded.to_bits().wrapping_shl(52)))
}

/// `2^(j/64)` for [`ExpTable::at`].
pub(crate) struct ExpTable([f64; 64]);

impl ExpTable {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|j| exp(j as f64 / 64.0 * std::f64::consts::LN_2)))
    }

    /// The exponential of an argument known to lie in [-708, 709], within 2 units in the last place; sooner at hand than
    /// [`exp_normal`]. Other arguments give some number.
    ///
    /// # Formula
    /// `e^x = 2^n 2^(j/64) e^r`, Taylor's polynomial of degree 5 for `e^r`.
    #[inline(always)]
    pub(crate) fn at(&self, x: f64) -> f64 {
        let rounded = x * (64.0 * LOG2_E) + ROUNDER;
        let steps = rounded - ROUNDER;
        let r = (x - steps * (LN_2_HIGH / 64.0)) - steps * (LN_2_LOW / 64.0);
        let bits = rounded.to_bits();
        let power = self.0[bits as usize % 64];
        let r2 = r * r;
        let e = power + power * (r + r2 * ((0.5 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * (1.0 / 120.0))));
        f64::from_bits(e.to_bits().wrapping_add((bits & !63).wrapping_shl(52 - 6)))
    }
}

/// `e^r` and the exponent `n`, which stands in the low bits of the second number.
#[inline(always)]
fn reduced(x: f64) -> (f64, f64) {
    let rounded = x * LOG2_E + ROUNDER;
    let steps = rounded - ROUNDER;
    let high = x - steps * LN_2_HIGH;
    let low = steps * LN_2_LOW;
    let r = high - low;
    // Estrin's scheme: short chains, one fixed order of operations.
    let r2 = r * r;
    let r4 = r2 * r2;
    let c01 = 0.5 + r * (1.0 / 6.0);
    let c23 = 1.0 / 24.0 + r * (1.0 / 120.0);
    let c45 = 1.0 / 720.0 + r * (1.0 / 5_040.0);
    let c67 = 1.0 / 40_320.0 + r * (1.0 / 362_880.0);
    let c89 = 1.0 / 3_628_800.0 + r * (1.0 / 39_916_800.0);
    let c1011 = 1.0 / 479_001_600.0 + r * (1.0 / 6_227_020_800.0);
    let q = (c01 + r2 * c23) + r4 * ((c45 + r2 * c67) + r4 * (c89 + r2 * c1011));
    (1.0 + (r + (r2 * q - ((r - high) + low) * (1.0 + r))), rounded)
}

#[cfg(test)]
mod tests {
    use super::{ExpTable, exp, exp_normal, exp_short};

    #[test]
    fn agrees_with_libm_to_an_ulp_and_a_half() {
        let mut worst = 0.0_f64;
        for i in -70_000..70_000 {
            let x = f64::from(i) * 0.010_073;
            let want = libm::exp(x);
            if want > 1e-300 {
                worst = worst.max((exp(x) / want - 1.0).abs());
            }
        }
        assert!(worst < 3.4e-16, "{worst:e}");
    }

    #[test]
    fn other_forms_are_as_good_as_they_say() {
        let table = ExpTable::new();
        for i in -70_800..=70_900 {
            let x = f64::from(i) * 0.01;
            assert_eq!(exp_normal(x).to_bits(), exp(x).to_bits());
            assert!((exp_short(x) / exp(x) - 1.0).abs() < 1e-10, "{x}");
            assert!((table.at(x) / exp(x) - 1.0).abs() < 4.5e-16, "{x}");
        }
    }

    #[test]
    fn ends_of_the_range() {
        assert_eq!(exp(-1e300), 0.0);
        assert_eq!(exp(f64::INFINITY), f64::INFINITY);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp(-745.0), libm::exp(-745.0));
        assert!(exp(f64::NAN).is_nan());
    }
}
