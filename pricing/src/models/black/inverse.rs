//! The total deviation of a Black price: a first guess good to 2e-4, then one step of fourth order.
//!
//! With `b` the price over `sqrt(FK)` and `mu = 2 sinh(m/2)` the distance of strike and forward in the same unit, the
//! Bachelier deviation `s_N` of `(b, mu)` is a function of `mu/b` alone, and `s/s_N` a polynomial in `m^2` and `s_N^2`
//! that is 1 at the origin. Lanes and single quotes run the same operations in the same order, so they give the same
//! bits; what the first step does not settle (long-dated, wide or far out of the usual range) goes to one loop.

use crate::math::{
    INV_SQRT_2PI, exp, inverse_normal_cdf, ln, ln_coarse, ln_normal, mills_fraction, mills_ratio, normal_cdf,
};

/// Quotes solved side by side.
pub(crate) const LANES: usize = 8;
const ITERATIONS_MAX: u32 = 24;
/// The first step ends the search where it moves by no more than this share: what it leaves is the fourth power.
const FIRST_CHANGE_MAX: f64 = 5e-4;
/// The same of the loop's steps, which also run where constants are larger.
const CHANGE_MAX: f64 = 5e-5;
/// Share of its bound up to which a price is solved by itself, beyond by its distance to the bound.
const LOWER_PRICE_MAX: f64 = 0.4;
/// Where the first guesses were fitted.
const MONEYNESS_MAX: f64 = 3.2;
const MONEYNESS_UPPER_MAX: f64 = 4.0;
// ln(1/sqrt(2 pi))
const LN_INV_SQRT_2PI: f64 = -0.918_938_533_204_672_7;

/// A solution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Solved {
    /// `sigma sqrt(T)`.
    pub(super) s: f64,
    /// Steps after the first guess.
    pub(super) iterations: u32,
    /// Derivative of the price in `s`.
    pub(super) slope: f64,
}

/// `s = sigma sqrt(T)` of an undiscounted out-of-the-money price; `None` where it lies outside `(0, min(F,K))` or the
/// inputs are no numbers.
///
/// # Formula
/// A rational first guess (Bachelier's deviation times a polynomial, or for large prices the median's quantile times
/// another), then third-order Householder steps on the logarithm of the price, or of its distance to the upper bound
/// where that is the smaller. One step does for nearly every listed option.
///
/// # Units
/// Relative accuracy of the price, so `s` has a few units in the last place times `price / (s vega)`.
///
/// # Source
/// The logarithm as objective and its derivatives: Jaeckel 2015, *Let's be rational*, section 4. First guesses fitted here.
///
/// ```
/// use closemark_pricing::models::black;
/// let s = black::implied_stdev_otm(100.0, 150.0, black::out_of_the_money_price(100.0, 150.0, 0.03));
/// assert!((s.unwrap() - 0.03).abs() < 1e-15);
/// ```
pub fn implied_stdev_otm(forward: f64, strike: f64, undiscounted_otm_price: f64) -> Option<f64> {
    solved(forward, strike, undiscounted_otm_price).map(|solved| solved.s)
}

/// [`implied_stdev_otm`] of many options on one forward, with the same bits, eight at a time.
///
/// Works on the common length of the three slices; returns it.
///
/// ```
/// use closemark_pricing::models::black;
/// let mut out = [None; 2];
/// black::implied_stdevs_otm(100.0, &[90.0, 110.0], &[1.5, 200.0], &mut out);
/// assert_eq!(out, [black::implied_stdev_otm(100.0, 90.0, 1.5), None]);
/// ```
pub fn implied_stdevs_otm(
    forward: f64,
    strikes: &[f64],
    undiscounted_otm_prices: &[f64],
    out: &mut [Option<f64>],
) -> usize {
    let count = strikes.len().min(undiscounted_otm_prices.len()).min(out.len());
    let quotes = strikes.chunks(LANES).zip(undiscounted_otm_prices.chunks(LANES));
    for ((strikes, prices), out) in quotes.zip(out.chunks_mut(LANES)) {
        let mut lanes = Lanes::default();
        for (i, (strike, price)) in strikes.iter().zip(prices).enumerate() {
            lanes.set(i, forward, *strike, *price);
        }
        for ((out, solved), _) in out.iter_mut().zip(lanes.solve()).zip(strikes.iter().zip(prices)) {
            *out = solved.map(|solved| solved.s);
        }
    }
    count
}

pub(super) fn solved(forward: f64, strike: f64, otm_price: f64) -> Option<Solved> {
    let (low, high) = (forward.min(strike), forward.max(strike));
    let step = FirstStep::new(low, high, otm_price);
    let (s, growth) = step.taken(if is_upper(low, otm_price) { step.upper_guess() } else { step.lower_guess() });
    finished(low, high, otm_price, s, growth)
}

/// Eight quotes; a lane that is never set has no solution.
#[derive(Clone, Copy, Default)]
pub(super) struct Lanes {
    low: [f64; LANES],
    high: [f64; LANES],
    price: [f64; LANES],
}

impl Lanes {
    /// Puts a quote into a lane; none is there beyond the eighth.
    #[inline]
    pub(super) fn set(&mut self, lane: usize, forward: f64, strike: f64, otm_price: f64) {
        if let (Some(low), Some(high), Some(price)) =
            (self.low.get_mut(lane), self.high.get_mut(lane), self.price.get_mut(lane))
        {
            (*low, *high, *price) = (forward.min(strike), forward.max(strike), otm_price);
        }
    }

    /// [`solved`] of each lane.
    #[inline]
    pub(super) fn solve(&self) -> [Option<Solved>; LANES] {
        let [s, growth] = first_steps(&self.low, &self.high, &self.price);
        let mut out = [None; LANES];
        for (l, out) in out.iter_mut().enumerate() {
            *out = finished(self.low[l], self.high[l], self.price[l], s[l], growth[l]);
        }
        out
    }
}

/// Accepts the first step, or searches on.
#[inline]
fn finished(low: f64, high: f64, price: f64, s: f64, growth: f64) -> Option<Solved> {
    if !(low > 0.0 && high < f64::INFINITY && high <= 1e300 * low && price > 0.0 && price < low) {
        return None;
    }
    if s > 0.0 {
        let distance = if is_upper(low, price) { low - price } else { price };
        Some(Solved { s, iterations: 1, slope: distance * growth })
    } else {
        search(low, high, price)
    }
}

/// Whether a price is solved by its distance to the bound rather than by itself.
#[inline(always)]
fn is_upper(low: f64, price: f64) -> bool {
    price > LOWER_PRICE_MAX * low
}

/// Total deviation and growth of each lane after its first step; see [`FirstStep::taken`].
fn first_steps(low: &[f64; LANES], high: &[f64; LANES], price: &[f64; LANES]) -> [[f64; LANES]; 2] {
    let zero = [0.0; LANES];
    let (mut m, mut side, mut value, mut guess) = (zero, zero, zero, zero);
    let (mut s, mut growth) = (zero, zero);
    for l in 0..LANES {
        let step = FirstStep::new(low[l], high[l], price[l]);
        (m[l], side[l], value[l], guess[l]) = (step.m, step.side, step.value, step.lower_guess());
    }
    if side.contains(&-1.0) {
        for l in 0..LANES {
            let upper = upper_guess(m[l], value[l]);
            guess[l] = if side[l] < 0.0 { upper } else { guess[l] };
        }
    }
    for l in 0..LANES {
        (s[l], growth[l]) =
            FirstStep { m: m[l], side: side[l], value: value[l], over_price: 0.0, sum: 0.0 }.taken(guess[l]);
    }
    [s, growth]
}

/// What a first guess and the step from it share. Whatever the inputs, it only computes: no branch hinders vectors.
#[derive(Clone, Copy)]
struct FirstStep {
    m: f64,
    /// 1 where the price itself is solved, -1 where its distance to the bound is; either over `sqrt(FK)` is `value`.
    side: f64,
    value: f64,
    /// `mu + b` over `b` and over one, see the module.
    over_price: f64,
    sum: f64,
}

impl FirstStep {
    #[inline(always)]
    fn new(low: f64, high: f64, price: f64) -> Self {
        let unit = 1.0 / (low * high).sqrt();
        let sum = price + (high - low);
        let upper = is_upper(low, price);
        Self {
            m: ln_normal(high / low),
            side: if upper { -1.0 } else { 1.0 },
            value: unit * if upper { low - price } else { price },
            over_price: sum / price,
            sum: sum * unit,
        }
    }

    #[inline(always)]
    fn lower_guess(&self) -> f64 {
        lower_guess(self.m, self.sum, self.over_price)
    }

    #[inline(always)]
    fn upper_guess(&self) -> f64 {
        upper_guess(self.m, self.value)
    }

    /// The total deviation after one step from a guess, negative where the step does not settle it, and there the price's
    /// derivative over the price (or over its distance to the bound).
    #[inline(always)]
    fn taken(&self, guess: f64) -> (f64, f64) {
        let Self { m, side, value, .. } = *self;
        let inverse = 1.0 / guess;
        let h = m * inverse;
        let t = 0.5 * guess;
        // Two Mills ratios over one denominator: their difference is the price over phi(h) e^{-t^2/2}, their sum the
        // distance to the bound.
        let (p1, q1) = mills_fraction(side * (h - t));
        let (p2, q2) = mills_fraction(h + t);
        let over = side * (p1 * q2) - p2 * q1;
        let under = q1 * q2;
        let gap = ln_normal(INV_SQRT_2PI * (side * over) / (under * value)) - 0.5 * (h * h + t * t);
        let (step, bend) = householder(gap, over / under, under / over, h, inverse, guess);
        // The derivative is another factor of the same expansion: e^e with a small e.
        let e = gap + bend;
        let growth = side * (under / over) * (1.0 + e * (1.0 + 0.5 * e * (1.0 + e * (1.0 / 3.0))));
        // Below -1 the fraction is no Mills ratio; a settled step is far from there.
        let settled = (side * over > 0.0)
            & (value > 0.0)
            & (step.abs() <= FIRST_CHANGE_MAX * guess)
            & (side * (t - h) <= 1.0)
            & (h + t <= 40.0)
            & ((side > 0.0) | (m <= MONEYNESS_UPPER_MAX));
        (if settled { guess + step } else { -1.0 }, growth)
    }
}

/// The step of fourth order on `ln` of the price; `value` is the price over its derivative in `s`, `g1` its inverse,
/// `gap` the logarithm's distance to the target. The second result is by how much the derivative's logarithm moves.
#[inline(always)]
fn householder(gap: f64, value: f64, g1: f64, h: f64, inverse: f64, s: f64) -> (f64, f64) {
    let slope = h * inverse;
    let a = h * slope - 0.25 * s;
    let a1 = -3.0 * slope * slope - 0.25;
    let ratio2 = a - g1;
    let ratio3 = a * a + a1 + g1 * (2.0 * g1 - 3.0 * a);
    let newton = -gap * value;
    let step = newton * (1.0 + 0.5 * ratio2 * newton) / (1.0 + newton * (ratio2 + newton * ratio3 * (1.0 / 6.0)));
    (step, step * (a + 0.5 * a1 * step))
}

/// Within 1.3e-4 for `m <= 3.2`, `s <= 1.5` and prices of at most 0.4 of their bound; from `b + mu` and what it is over
/// `b`.
#[inline(always)]
fn lower_guess(m: f64, sum: f64, over_price: f64) -> f64 {
    // Bachelier: mu = h s_N, b = s_N (phi(h) - h Phi(-h)); s_N / (b + mu) is a function of ln(1 + mu/b), and a
    // rational one of w, the root that grows like h.
    let w = (1.0 + ln_coarse(over_price)).sqrt() - 1.0;
    let w2 = w * w;
    let over = (2.506_684_63 - 0.833_012_321 * w) + w2 * ((1.064_520_39 - 0.039_864_821_4 * w) + 0.200_641_01 * w2);
    let under = (1.0 + 0.669_406_909 * w)
        + w2 * ((0.890_248_552 + 0.528_518_502 * w) + w2 * (0.167_286_022 + 0.284_962_24 * w));
    let normal = sum * over / under;
    let y = m * m;
    let z = normal * normal;
    let c0 = (0.999_907_507 - 0.041_630_650_1 * y)
        + y * y * ((0.001_243_827_48 - 4.025_604_43e-5 * y) + 1.173_027_36e-6 * y * y);
    let c1 = (0.041_661_889 - 0.005_795_881_52 * y) + y * y * (4.708_490_02e-4 - 1.881_621_09e-5 * y);
    let c2 = (0.003_905_131_66 - 8.377_339_3e-4 * y) + 4.973_297_49e-5 * y * y;
    let c3 = 3.570_423_54e-4 - 3.332_435_83e-5 * y;
    normal * ((c0 + z * c1) + z * z * (c2 + z * c3))
}

/// Within 3e-4 for `m <= 4` and prices above 0.38 of their bound, from the distance to the bound over `sqrt(FK)`.
#[inline(always)]
fn upper_guess(m: f64, complement: f64) -> f64 {
    // At the forward t = s/2 is a normal quantile; elsewhere it is that times a function of m/t and t.
    let v = (-2.0 * ln_normal(0.5 * complement)).max(0.0).sqrt();
    let over = 2.704_194_51 + v * (1.963_958_81 + v * 0.099_071_563);
    let under = 1.0 + v * (2.130_701_6 + v * (0.608_182_884 + v * 0.016_060_488_8));
    let quantile = v - over / under;
    let y = (m / quantile) * (m / quantile);
    let z = 1.0 / (1.0 + quantile);
    let c0 =
        0.999_981_019 + y * (6.910_338_48e-4 + y * (-0.008_196_620_57 + y * (0.001_059_550_75 - 2.085_758_79e-5 * y)));
    let c1 = -0.003_488_797_84 + y * (0.039_659_098_8 + y * (0.041_085_965_1 - 0.002_827_145_43 * y));
    let c2 = 0.013_887_670_8 + y * (-0.379_702_518 - 0.060_693_851_5 * y);
    let c3 = -0.013_789_271_7 + 0.251_551_239 * y;
    2.0 * quantile * (c0 + z * (c1 + z * (c2 + z * c3)))
}

/// Householder steps from the best guess at hand, kept within reason.
#[cold]
fn search(low: f64, high: f64, price: f64) -> Option<Solved> {
    let m = ln(high / low);
    let c = price / low;
    let complement = (low - price) / low;
    if !(c > 0.0 && complement > 0.0) {
        return None;
    }
    let upper = c > LOWER_PRICE_MAX;
    // ln of b / phi(0) with b = price / sqrt(FK), or of its distance to the bound.
    let target = ln(if upper { complement } else { c }) - 0.5 * m - LN_INV_SQRT_2PI;
    let root = (high / low).sqrt();
    let guess = if upper && m <= MONEYNESS_UPPER_MAX {
        upper_guess(m, complement / root)
    } else if !upper && m <= MONEYNESS_MAX {
        lower_guess(m, (c + (high - low) / low) / root, 1.0 + (high - low) / low / c)
    } else {
        distant_guess(m, c, complement)
    };
    let mut s = if guess > 0.0 && guess.is_finite() { guess } else { distant_guess(m, c, complement) };
    for iterations in 1..=ITERATIONS_MAX {
        let h = m / s;
        let t = 0.5 * s;
        // Value over phi(0) e^{-(h^2+t^2)/2}, whose derivative in s is +-1 in the same unit.
        let far = mills_ratio(h + t);
        let value = if upper { -(positive_or_explicit(t - h) + far) } else { positive_or_explicit(h - t) - far };
        if value.is_nan() || value == 0.0 || (value < 0.0) != upper {
            // The difference of the ratios is lost (s below 1e-15 of m or so): widen.
            s *= 2.0;
            continue;
        }
        let gap = ln(value.abs()) - 0.5 * (h * h + t * t) - target;
        let newton = -gap * value;
        let next = s + householder(gap, value, 1.0 / value, h, 1.0 / s, s).0;
        // Far from the solution the series may point anywhere; then the Newton step, kept within a factor of two.
        let next = if next > 0.25 * s && next < 4.0 * s { next } else { (s + newton).max(0.5 * s).min(2.0 * s) };
        let change = (next - s).abs();
        s = next;
        if !s.is_finite() {
            return None;
        }
        if change <= CHANGE_MAX * s {
            let h = m / s;
            let slope = (low * high).sqrt() * INV_SQRT_2PI * exp(-0.5 * (h * h + 0.25 * s * s));
            return Some(Solved { s, iterations, slope: if slope.is_finite() { slope } else { 0.0 } });
        }
    }
    None
}

/// The Mills ratio at any `x`.
fn positive_or_explicit(x: f64) -> f64 {
    if x >= -1.0 { mills_ratio(x) } else { normal_cdf(-x) / crate::math::normal_pdf(x) }
}

/// A guess for any moneyness, far from good.
fn distant_guess(m: f64, c: f64, complement: f64) -> f64 {
    let e = exp(m);
    if c > 0.35 || m < 1e-14 {
        // c <= 2 Phi(s/2) - 1 at the forward; Tehranchi's 2016 bound elsewhere.
        let p = complement / (1.0 + e);
        return (-2.0 * inverse_normal_cdf(p)).max(1e-16);
    }
    // Bachelier: c sqrt(K/F)-free form, c e^{-m/2} = s (phi(h) - h Phi(-h)).
    let rho = c * exp(-0.5 * m) / m;
    let w = (1.0 + ln(1.0 + 1.0 / rho)).sqrt() - 1.0;
    let h = w * (0.797_492_043_771_889_9 + w * (0.630_741_205_761_836_5 + w * 0.306_012_596_495_219_2))
        / (1.0 + w * (0.273_243_250_837_420_4 + w * 0.215_700_300_365_080_9));
    m / h
}
