//! What the inversion looks up, made by the first caller: elementary functions, and first guesses of a total deviation that
//! are good to 3e-4.
//!
//! With `b` the price over `sqrt(FK)` and `mu = 2 sinh(m/2)` the distance of strike and forward in the same unit, the
//! Bachelier deviation `s_N` of `(b, mu)` is a function of `mu/b` alone, and `s/s_N` a polynomial in `m^2` and `s_N^2`
//! that is 1 at the origin. Large prices are guessed from the median's quantile in the same way.

use std::array;
use std::sync::LazyLock;

use crate::math::{ExpTable, INV_SQRT_2PI, LnTable, exp, inverse_normal_cdf, mills_ratio};

/// Octaves of a table.
const OCTAVES: i32 = 64;
/// Its pieces, a quarter of an octave each.
const PIECES: usize = 4 * OCTAVES as usize;
/// Bits of a number below those that choose its piece.
const PLACE_BITS: u32 = 50;
const ONE: u64 = 0x3ff0_0000_0000_0000;
/// Where the guesses were fitted.
pub(super) const MONEYNESS_MAX: f64 = 3.2;
pub(super) const MONEYNESS_UPPER_MAX: f64 = 4.0;
/// `2^64`: the tables hold ratios up to it, and chances down to its inverse.
pub(super) const TABLE_MAX: f64 = (1_u128 << OCTAVES) as f64;

/// A smooth function of a number's logarithm: a cubic on each quarter of [`OCTAVES`] octaves.
struct Table {
    cubics: [[f64; 4]; PIECES],
    /// The bits above [`PLACE_BITS`] of the first piece's numbers.
    first: u64,
}

impl Table {
    /// Of a function, from `2^octave` up.
    fn new(octave: i32, function: impl Fn(f64) -> f64) -> Self {
        let cubics = array::from_fn(|piece| {
            let scale = libm::ldexp(1.0, octave + (piece / 4) as i32);
            let middle = 1.125 + 0.25 * (piece % 4) as f64;
            cubic(|u| function(scale * (middle + u)))
        });
        Self { cubics, first: libm::ldexp(1.0, octave).to_bits() >> PLACE_BITS }
    }

    /// The function at `x`, to 2e-5; some number beyond the octaves.
    #[inline(always)]
    fn at(&self, x: f64) -> f64 {
        let bits = x.to_bits();
        let piece = (bits >> PLACE_BITS).wrapping_sub(self.first) as usize % PIECES;
        let [a, b, c, d] = self.cubics[piece];
        // The place in the piece: its numbers begin at 1, 1.25, 1.5 and 1.75 times a power of two.
        let u = f64::from_bits(ONE | (bits & ((1 << PLACE_BITS) - 1))) - 1.125;
        (a + b * u) + (u * u) * (c + d * u)
    }
}

/// Coefficients of the cubic that meets a function at the four Chebyshev nodes of [-1/8, 1/8].
fn cubic(function: impl Fn(f64) -> f64) -> [f64; 4] {
    let parts = [0.923_879_532_511_286_7, 0.382_683_432_365_089_8].map(|cosine| {
        let u = 0.125 * cosine;
        let (above, below) = (function(u), function(-u));
        (u * u, 0.5 * (above + below), 0.5 * (above - below) / u)
    });
    let [(outer, even, odd), (inner, even_inner, odd_inner)] = parts;
    let second = (even - even_inner) / (outer - inner);
    let third = (odd - odd_inner) / (outer - inner);
    [even - second * outer, odd - third * outer, second, third]
}

/// Elementary functions and what first guesses look up.
pub(super) struct Tables {
    pub(super) ln: LnTable,
    pub(super) exp: ExpTable,
    /// `s_N / (b + mu)` of `1 + mu/b`.
    normal: Table,
    /// `-Phi^{-1}(c/2)` of `c`.
    quantile: Table,
}

impl Tables {
    /// The tables; made once.
    #[inline(always)]
    pub(super) fn get() -> &'static Self {
        static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);
        &TABLES
    }

    #[cold]
    fn new() -> Self {
        Self {
            ln: LnTable::new(),
            exp: ExpTable::new(),
            normal: Table::new(0, normal_share),
            quantile: Table::new(-OCTAVES, |complement| -inverse_normal_cdf(0.5 * complement)),
        }
    }

    /// Within 1.3e-4 for `m <= 3.2`, `s <= 1.5` and prices of at most 0.4 of their bound; from `b + mu` and what it is
    /// over `b`, below `2^64`. `bend` is [`bend`] or [`bend_side_by_side`].
    #[inline(always)]
    pub(super) fn lower(&self, m: f64, sum: f64, over_price: f64, bend: impl Fn(&Bend, f64, f64) -> f64) -> f64 {
        let normal = sum * self.normal.at(over_price);
        normal * bend(&LOWER, m * m, normal * normal)
    }

    /// Within 3e-4 for `m <= 4` and prices above 0.38 of their bound, from the distance to the bound over `sqrt(FK)`, above
    /// `2^-64`. `bend` as there.
    #[inline(always)]
    pub(super) fn upper(&self, m: f64, complement: f64, bend: impl Fn(&Bend, f64, f64) -> f64) -> f64 {
        // At the forward s/2 is a normal quantile; elsewhere it is that times a function of m/s and s.
        let quantile = self.quantile.at(complement);
        let slope = m / quantile;
        2.0 * quantile * bend(&UPPER, slope * slope, 1.0 / (1.0 + quantile))
    }
}

/// Coefficients of a polynomial in two variables: row by the power of the first, column by that of the second.
pub(super) type Bend = [[f64; 4]; 5];

/// `s / s_N` in `m^2` and `s_N^2`.
const LOWER: Bend = [
    [0.999_907_507, 0.041_661_889, 0.003_905_131_66, 3.570_423_54e-4],
    [-0.041_630_650_1, -0.005_795_881_52, -8.377_339_3e-4, -3.332_435_83e-5],
    [0.001_243_827_48, 4.708_490_02e-4, 4.973_297_49e-5, 0.0],
    [-4.025_604_43e-5, -1.881_621_09e-5, 0.0, 0.0],
    [1.173_027_36e-6, 0.0, 0.0, 0.0],
];
/// `s / 2` over the quantile, in `(m / quantile)^2` and `1 / (1 + quantile)`.
const UPPER: Bend = [
    [0.999_981_019, -0.003_488_797_84, 0.013_887_670_8, -0.013_789_271_7],
    [6.910_338_48e-4, 0.039_659_098_8, -0.379_702_518, 0.251_551_239],
    [-0.008_196_620_57, 0.041_085_965_1, -0.060_693_851_5, 0.0],
    [0.001_059_550_75, -0.002_827_145_43, 0.0, 0.0],
    [-2.085_758_79e-5, 0.0, 0.0, 0.0],
];

/// The polynomial.
#[inline(always)]
pub(super) fn bend([a, b, c, d, e]: &Bend, y: f64, z: f64) -> f64 {
    let y2 = y * y;
    // Columns without the higher powers leave them out: adding nothing changes no bit.
    let first = (a[0] + b[0] * y) + y2 * ((c[0] + d[0] * y) + e[0] * y2);
    let second = (a[1] + b[1] * y) + y2 * (c[1] + d[1] * y);
    let third = (a[2] + b[2] * y) + y2 * c[2];
    let fourth = a[3] + b[3] * y;
    (first + z * second) + z * z * (third + z * fourth)
}

/// [`bend`], with the same bits, its four columns side by side.
#[inline(always)]
pub(super) fn bend_side_by_side([a, b, c, d, e]: &Bend, y: f64, z: f64) -> f64 {
    let y2 = y * y;
    let [first, second, third, fourth] = array::from_fn(|i| (a[i] + b[i] * y) + y2 * ((c[i] + d[i] * y) + e[i] * y2));
    (first + z * second) + z * z * (third + z * fourth)
}

/// `s_N / (b + mu)` where `1 + mu/b` is `ratio`, at most `2^64`: with `h = mu / s_N`, `b = s_N (phi(h) - h Phi(-h))`.
fn normal_share(ratio: f64) -> f64 {
    let price = |h: f64| INV_SQRT_2PI * exp(-0.5 * h * h) * (1.0 - h * mills_ratio(h));
    let (mut low, mut high) = (0.0, 10.0);
    for _ in 0..60 {
        let h = 0.5 * (low + high);
        if h < (ratio - 1.0) * price(h) { low = h } else { high = h }
    }
    1.0 / (price(low) + low)
}

#[cfg(test)]
mod tests {
    use super::{Tables, bend};
    use crate::math::{ln, normal_cdf};
    use crate::models::black::out_of_the_money_price;

    #[test]
    fn guesses_are_as_good_as_they_say() {
        let tables = Tables::get();
        let (mut lower, mut upper) = (0.0_f64, 0.0_f64);
        for i in 0..=320 {
            let m = 0.0125 * f64::from(i);
            for j in 1..=400 {
                let s = 0.02 * f64::from(j);
                let high = libm::exp(m);
                let (root, price) = (libm::exp(0.5 * m), out_of_the_money_price(1.0, high, s));
                if price < 0.4 && price > 1e-18 && s <= 1.5 && m <= 3.2 {
                    let sum = price + (high - 1.0);
                    lower = lower.max((tables.lower(m, sum / root, sum / price, bend) / s - 1.0).abs());
                }
                // What is left of the bound, without cancellation.
                let (h, t) = (m / s, 0.5 * s);
                let left = (normal_cdf(h - t) + high * normal_cdf(-h - t)) / root;
                if price > 0.38 && left > 1e-18 {
                    upper = upper.max((tables.upper(m, left, bend) / s - 1.0).abs());
                }
            }
        }
        assert!(lower < 1.5e-4 && upper < 3.2e-4, "{lower:.1e} {upper:.1e}");
    }

    #[test]
    fn tables_meet_their_functions() {
        let tables = Tables::get();
        for i in 1..5_700 {
            let h = 0.0015 * f64::from(i);
            let price = crate::math::normal_pdf(h) - h * normal_cdf(-h);
            let (found, wanted) = (tables.normal.at((price + h) / price), 1.0 / (price + h));
            assert!((found / wanted - 1.0).abs() < 2e-5, "{h}: {found} {wanted}");
            let chance = libm::exp(-0.007 * f64::from(i)) * 0.65;
            let found = tables.quantile.at(chance);
            let away = ln(2.0 * normal_cdf(-found) / chance);
            assert!(away.abs() < 2e-5 * (1.0 + found * found), "{chance}: {found} {away:e}");
        }
    }
}
