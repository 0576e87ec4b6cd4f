//! The normal distribution, by its Mills ratio so that nothing cancels in the tails.

use super::exponential::{exp_normal, exp_short};
use super::{INV_SQRT_2PI, exp, ln};

// M(x) = P(x+1)/Q(x+1) on [-1, infinity): the rational function of degree 11 over 12 that meets M at 24 Chebyshev
// nodes of u, x + 1 = 3 (1+u)/(1-u). Relative error 6.3e-17 before rounding; all coefficients are positive, so
// neither polynomial cancels.
const P: [f64; 12] = [
    3.477_051_811_703_694_4,
    5.680_476_091_615_672,
    4.924_115_064_793_844_5,
    2.872_150_770_524_727,
    1.227_763_646_580_495_5,
    0.399_347_953_044_009,
    0.100_271_616_540_551_1,
    0.019_400_746_226_596_825,
    0.002_839_439_232_347_704,
    0.000_301_007_622_007_073_1,
    2.102_003_168_464_226e-5,
    7.473_803_487_141_247e-7,
];
const Q: [f64; 13] = [
    1.0,
    2.921_304_729_808_543,
    4.033_847_249_272_261,
    3.489_090_423_700_756_3,
    2.110_796_496_971_81,
    0.943_745_636_624_588_5,
    0.320_909_669_852_643_8,
    0.083_986_560_162_919_03,
    0.016_882_587_268_712_695,
    0.002_560_199_022_363_511_6,
    0.000_280_734_970_671_195_4,
    2.027_265_133_592_804_5e-5,
    7.473_803_487_141_247e-7,
];

/// The Mills ratio `(1 - Phi(x)) / phi(x)` for `x >= -1`, to a few units in the last place.
///
/// # Domain
/// `x >= -1`; about `1/x` for large `x`. Below -1 the accuracy fades (use [`normal_cdf`] there).
///
/// ```
/// // Abramowitz and Stegun 1964, table 26.3: (1 - Phi(1))/phi(1) = 0.65567954...
/// assert!((closemark_pricing::math::mills_ratio(1.0) - 0.655_679_542_418_798_5).abs() < 1e-15);
/// ```
#[inline(always)]
pub fn mills_ratio(x: f64) -> f64 {
    // Beyond 1e12 the ratio is 1/x to the last bit, and the powers stay far from overflow.
    let (p, q) = mills_fraction(x.min(1e12));
    p / q
}

/// Numerator and denominator of [`mills_ratio`] for `-1 <= x <= 1e12`, so that several ratios share one division.
#[inline(always)]
pub(crate) fn mills_fraction(x: f64) -> (f64, f64) {
    let y = x + 1.0;
    let y2 = y * y;
    let y4 = y2 * y2;
    let y8 = y4 * y4;
    let p = ((P[0] + y * P[1]) + y2 * (P[2] + y * P[3]))
        + y4 * ((P[4] + y * P[5]) + y2 * (P[6] + y * P[7]))
        + y8 * ((P[8] + y * P[9]) + y2 * (P[10] + y * P[11]));
    let q = ((Q[0] + y * Q[1]) + y2 * (Q[2] + y * Q[3]))
        + y4 * ((Q[4] + y * Q[5]) + y2 * (Q[6] + y * Q[7]))
        + y8 * ((Q[8] + y * Q[9]) + y2 * (Q[10] + y * Q[11]) + y4 * Q[12]);
    (p, q)
}

/// P and Q, both twice.
const PQ: [[f64; 4]; 13] = {
    let mut columns = [[0.0; 4]; 13];
    let mut i = 0;
    while i < 13 {
        let p = if i < 12 { P[i] } else { 0.0 };
        columns[i] = [p, Q[i], p, Q[i]];
        i += 1;
    }
    columns
};

/// [`mills_fraction`] of two arguments, with the same bits, its four polynomials side by side.
#[inline(always)]
pub(crate) fn mills_fractions(x: f64, other: f64) -> ((f64, f64), (f64, f64)) {
    type Four = [f64; 4];
    let each = |f: fn(f64, f64) -> f64, a: Four, b: Four| -> Four { std::array::from_fn(|i| f(a[i], b[i])) };
    let add = |a, b| each(|a, b| a + b, a, b);
    let times = |a, b| each(|a, b| a * b, a, b);
    let y = [x + 1.0, x + 1.0, other + 1.0, other + 1.0];
    let pair = |i: usize| add(PQ[i], times(y, PQ[i + 1]));
    let y2 = times(y, y);
    let y4 = times(y2, y2);
    let y8 = times(y4, y4);
    let four = |i: usize| add(pair(i), times(y2, pair(i + 2)));
    let last = add(four(8), times(y4, PQ[12]));
    let [p1, q1, p2, q2] = add(add(four(0), times(y4, four(4))), times(y8, last));
    ((p1, q1), (p2, q2))
}

/// The normal density, to a few units in the last place of the result for every `x`.
pub fn normal_pdf(x: f64) -> f64 {
    let x = x.clamp(-40.0, 40.0);
    let (square, error) = squared(x);
    INV_SQRT_2PI * exp(-0.5 * square) * (1.0 - 0.5 * error)
}

/// [`normal_pdf`], with the same bits, for `|x| <= 37.6`: nothing in it hinders vectors.
#[inline(always)]
pub(crate) fn normal_pdf_normal(x: f64) -> f64 {
    let (square, error) = squared(x);
    INV_SQRT_2PI * exp_normal(-0.5 * square) * (1.0 - 0.5 * error)
}

/// The square and its rounding error (Dekker 1971), which the density would otherwise multiply by up to 700.
#[inline(always)]
fn squared(x: f64) -> (f64, f64) {
    let split = x * 134_217_729.0;
    let high = split - (split - x);
    let low = x - high;
    let square = x * x;
    (square, ((high * high - square) + 2.0 * high * low) + low * low)
}

/// The normal distribution function, to a few units in the last place of the result, in the lower tail too.
///
/// # Formula
/// `Phi(-a) = phi(a) M(a)` for `a >= 0` with the Mills ratio `M`; `Phi(a) = 1 - Phi(-a)`.
///
/// ```
/// assert!((closemark_pricing::math::normal_cdf(0.0) - 0.5).abs() < 2e-16);
/// assert!((closemark_pricing::math::normal_cdf(-1.0) - 0.158_655_253_931_457_05).abs() < 1e-16);
/// ```
pub fn normal_cdf(x: f64) -> f64 {
    let a = x.abs();
    let tail = normal_pdf(a) * mills_ratio(a);
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// [`normal_cdf`] to 2e-16 absolutely, for integrands: the square's rounding is left in, and below -37.5 it stands
/// still at 5e-308.
#[inline(always)]
pub(crate) fn normal_cdf_quick(x: f64) -> f64 {
    quick(x).0
}

/// [`normal_cdf_quick`] of each element, in place: a loop that vectorises.
#[inline(always)]
pub(crate) fn normal_cdf_each(values: &mut [f64]) {
    for x in values {
        *x = normal_cdf_quick(*x);
    }
}

/// [`normal_cdf_each`], and beside it the density, which is made on the way.
#[inline(always)]
pub(crate) fn normal_each(values: &mut [f64], densities: &mut [f64]) {
    for (x, density) in values.iter_mut().zip(densities) {
        (*x, *density) = quick(*x);
    }
}

#[inline(always)]
fn quick(x: f64) -> (f64, f64) {
    let a = x.abs().min(37.5);
    let density = INV_SQRT_2PI * exp_normal(-0.5 * a * a);
    let tail = density * mills_ratio(a);
    (if x > 0.0 { 1.0 - tail } else { tail }, density)
}

/// [`normal_cdf`] to 3e-10 absolutely, at half the cost of [`normal_cdf_quick`]: for integrals that are good to 1e-8.
#[inline(always)]
pub(crate) fn normal_cdf_short(x: f64) -> f64 {
    short(x).0
}

/// [`normal_cdf_short`] of each element, in place: a loop that vectorises.
#[inline(always)]
pub(crate) fn normal_cdf_short_each(values: &mut [f64]) {
    for x in values {
        *x = normal_cdf_short(*x);
    }
}

/// [`normal_cdf_short_each`], and beside it the density, which is made on the way.
#[inline(always)]
pub(crate) fn normal_short_each(values: &mut [f64], densities: &mut [f64]) {
    for (x, density) in values.iter_mut().zip(densities) {
        let (cdf, kernel) = short(*x);
        (*x, *density) = (cdf, INV_SQRT_2PI * kernel);
    }
}

/// The distribution function and `e^{-x^2/2}`.
#[inline(always)]
fn short(x: f64) -> (f64, f64) {
    let a = x.abs();
    let a = if a < 37.5 { a } else { 37.5 };
    let a2 = a * a;
    // The Mills ratio over sqrt(2 pi), with the least error of degrees 4 and 5 after the density: 2e-10.
    let p = (0.500_000_000_195 + a * 0.429_389_073_551)
        + a2 * ((0.176_053_768_67 + a * 0.038_066_672_070_8) + a2 * 0.003_702_373_170_96);
    let q = (1.0 + a * 1.656_662_749_49)
        + a2 * ((1.173_932_471_54 + a * 0.450_430_484_616) + a2 * (0.095_424_373_223_9 + a * 0.009_280_402_226_9));
    let kernel = exp_short(-0.5 * a2);
    let tail = kernel * p / q;
    (if x > 0.0 { 1.0 - tail } else { tail }, kernel)
}

/// The `x` with `Phi(x) = p`, to about 1e-15 of itself where `p <= 1/2`.
///
/// # Formula
/// Halley's iteration on `ln Phi`, from the tail's leading term or, near the middle, the tangent at the median.
///
/// # Domain
/// `0 < p < 1`; 0 and 1 give the infinities, anything else NaN.
///
/// ```
/// assert!((closemark_pricing::math::inverse_normal_cdf(0.975) - 1.959_963_984_540_054).abs() < 1e-14);
/// ```
pub fn inverse_normal_cdf(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p > 0.5 {
        return -inverse_normal_cdf(1.0 - p);
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    let target = ln(p);
    // a solves Phi(-a) = p; for small p, a^2/2 + ln(a sqrt(2 pi)) = -ln p.
    let mut a = if p > 0.1 {
        (0.5 - p) / INV_SQRT_2PI
    } else {
        let l = -2.0 * target;
        (l - ln(std::f64::consts::TAU * l)).max(1.0).sqrt()
    };
    for _ in 0..8 {
        let m = mills_ratio(a);
        let g = ln(INV_SQRT_2PI * m) - 0.5 * a * a - target;
        let slope = -1.0 / m;
        // d2 ln Phi(-a) / da2 = (a - 1/M) / M
        let curvature = (a - 1.0 / m) / m;
        let newton = g / slope;
        let step = newton / (1.0 - 0.5 * newton * curvature / slope);
        a -= step;
        if step.abs() <= 1e-14 * a.abs() {
            break;
        }
    }
    -a
}

#[cfg(test)]
mod tests {
    use super::{inverse_normal_cdf, mills_ratio, normal_cdf, normal_cdf_short, normal_pdf};

    #[test]
    fn agrees_with_the_complementary_error_function() {
        let mut worst = 0.0_f64;
        for i in -37_000..37_000 {
            let x = f64::from(i) * 1e-3;
            let want = 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
            // The reference's own argument is rounded: its relative error grows with x^2.
            let slack = 1.0 + 0.5 * x.min(0.0) * x;
            worst = worst.max((normal_cdf(x) / want - 1.0).abs() / slack);
        }
        assert!(worst < 1.5e-15, "{worst:e}");
    }

    #[test]
    fn tables_of_forty_digits() {
        // mpmath 1.3 at 50 digits, rounded.
        for (x, mills) in [
            (-1.0, 3.477_051_811_703_694_5),
            (0.0, 1.253_314_137_315_500_3),
            (0.5, 0.876_364_456_453_692_3),
            (3.0, 0.304_590_298_710_103_06),
            (10.0, 0.099_028_596_471_731_92),
            (100.0, 0.009_999_000_299_850_105),
        ] {
            assert!((mills_ratio(x) / mills - 1.0_f64).abs() < 1e-15, "{x} {:e}", mills_ratio(x) / mills - 1.0);
        }
        assert!((normal_cdf(-30.0) / 4.906_713_927_148_187e-198 - 1.0).abs() < 2e-15);
        assert!((normal_pdf(30.0) / 1.473_646_134_878_547_5e-196 - 1.0).abs() < 2e-15);
    }

    #[test]
    fn the_short_form_is_as_good_as_it_says() {
        for i in -40_000..=40_000 {
            let x = f64::from(i) * 1e-3;
            assert!((normal_cdf_short(x) - normal_cdf(x)).abs() < 3e-10, "{x}");
        }
    }

    #[test]
    fn inverse_returns_its_argument() {
        for i in 1..2_000 {
            for p in [f64::from(i) / 4_000.0, libm::exp(-0.3 * f64::from(i))] {
                let back = normal_cdf(inverse_normal_cdf(p));
                assert!((back / p - 1.0).abs() < 3e-13, "{p:e} {back:e}");
            }
        }
        assert_eq!(inverse_normal_cdf(0.0), f64::NEG_INFINITY);
        assert!(inverse_normal_cdf(1.5).is_nan());
    }
}
