//! The total deviation of a Black price: a first guess good to 3e-4, then one step of fourth order.
//!
//! Lanes and single quotes run the same operations in the same order, so they give the same bits; what the first step
//! does not settle (long-dated, wide or far out of the usual range) goes to one loop.

use multiversion::multiversion;

use super::tables::{self, MONEYNESS_MAX, MONEYNESS_UPPER_MAX, TABLE_MAX, Tables};
use crate::math::{
    INV_SQRT_2PI, exp, inverse_normal_cdf, ln, mills_fraction, mills_fractions, mills_ratio, normal_cdf,
};

/// Quotes solved side by side.
pub(crate) const LANES: usize = 8;
const ITERATIONS_MAX: u32 = 24;
/// The first step ends the search where it moves by no more than this share: what it leaves is the fourth power.
const FIRST_CHANGE_MAX: f64 = 5e-4;
/// Nor is the price off by more than about twice this share: what the logarithm's series then leaves is 1e-9 of it, and
/// 1e-12 of a deviation, because a price so far off is one of more than twenty deviations.
const FIRST_SHARE_MAX: f64 = 0.15;
/// The same of the loop's steps, which also run where constants are larger.
const CHANGE_MAX: f64 = 5e-5;
/// Forward over strike, or the inverse, beyond which nothing is solved.
const RATIO_MAX: f64 = 1e300;
/// The price's logarithm is nearer to the target's where the loop's last step begins.
const LAST_GAP_MAX: f64 = 0.5;
/// Share of its bound up to which a price is solved by itself, beyond by its distance to the bound.
const LOWER_PRICE_MAX: f64 = 0.4;
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
/// A first guess from a table (Bachelier's deviation times a polynomial, or for large prices the median's quantile times
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
///
/// The host chooses the encoding of the instructions; the operations, and with them the bits, are the same.
#[multiversion(targets("x86_64+avx2"))]
pub fn implied_stdev_otm(forward: f64, strike: f64, undiscounted_otm_price: f64) -> Option<f64> {
    solved(forward, strike, 1.0, undiscounted_otm_price).map(|solved| solved.s)
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
            lanes.set(i, forward, *strike, 1.0, *price);
        }
        for ((out, solved), _) in out.iter_mut().zip(lanes.solve()).zip(strikes.iter().zip(prices)) {
            *out = solved.map(|solved| solved.s);
        }
    }
    count
}

/// [`implied_stdev_otm`] of a price discounted by a factor, with what else is known of the solution.
#[inline(always)]
pub(super) fn solved(forward: f64, strike: f64, discount_factor: f64, otm_price: f64) -> Option<Solved> {
    let (low, high) = ordered(forward, strike);
    let tables = Tables::get();
    let m = tables.ln.at(high / low);
    let step = FirstStep::new(m, discount_factor * low, discount_factor * high, otm_price);
    let guess = if step.side < 0.0 {
        tables.upper(step.m, step.value, tables::bend_side_by_side)
    } else {
        tables.lower(step.m, step.sum, step.over_price, tables::bend_side_by_side)
    };
    let (s, growth) = step.taken(guess, tables, mills_fractions);
    finished(discount_factor * low, discount_factor * high, otm_price, s, growth)
}

/// Eight quotes; a lane that is never set has no solution.
#[derive(Clone, Copy, Default)]
pub(super) struct Lanes {
    ratio: [f64; LANES],
    low: [f64; LANES],
    high: [f64; LANES],
    price: [f64; LANES],
}

impl Lanes {
    /// Puts a quote into a lane; none is there beyond the eighth.
    #[inline]
    pub(super) fn set(&mut self, lane: usize, forward: f64, strike: f64, discount_factor: f64, otm_price: f64) {
        let ends = (self.low.get_mut(lane), self.high.get_mut(lane));
        if let ((Some(low), Some(high)), Some(ratio), Some(price)) =
            (ends, self.ratio.get_mut(lane), self.price.get_mut(lane))
        {
            (*low, *high) = ordered(forward, strike);
            *ratio = *high / *low;
            (*low, *high) = (discount_factor * *low, discount_factor * *high);
            *price = otm_price;
        }
    }

    /// [`solved`] of each lane.
    #[inline]
    pub(super) fn solve(&self) -> [Option<Solved>; LANES] {
        let [s, growth] = first_steps(self);
        let mut out = [None; LANES];
        for (l, out) in out.iter_mut().enumerate() {
            *out = finished(self.low[l], self.high[l], self.price[l], s[l], growth[l]);
        }
        out
    }
}

/// The lower and the higher of two numbers; what is none stays among them.
#[inline(always)]
fn ordered(forward: f64, strike: f64) -> (f64, f64) {
    if forward < strike { (forward, strike) } else { (strike, forward) }
}

/// Accepts the first step, or searches on.
#[inline(always)]
fn finished(low: f64, high: f64, price: f64, s: f64, growth: f64) -> Option<Solved> {
    if s > 0.0 {
        let distance = if is_upper(low, price) { low - price } else { price };
        return Some(Solved { s, iterations: 1, slope: distance * growth });
    }
    searched(low, high, price)
}

#[cold]
fn searched(low: f64, high: f64, price: f64) -> Option<Solved> {
    let usable = low > 0.0 && high < f64::INFINITY && high <= RATIO_MAX * low && price > 0.0 && price < low;
    if usable { search(low, high, price) } else { None }
}

/// Whether a price is solved by its distance to the bound rather than by itself.
#[inline(always)]
fn is_upper(low: f64, price: f64) -> bool {
    price > LOWER_PRICE_MAX * low
}

/// Total deviation and growth of each lane after its first step; see [`FirstStep::taken`].
///
/// The host chooses the width of the instructions; every lane's operations, and with them the bits, are the same.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn first_steps(lanes: &Lanes) -> [[f64; LANES]; 2] {
    let Lanes { ratio, low, high, price } = lanes;
    let zero = [0.0; LANES];
    let tables = Tables::get();
    let (mut m, mut side, mut value, mut guess) = (zero, zero, zero, zero);
    let (mut s, mut growth) = (zero, zero);
    for l in 0..LANES {
        let step = FirstStep::new(tables.ln.at(ratio[l]), low[l], high[l], price[l]);
        (m[l], side[l], value[l]) = (step.m, step.side, step.value);
        guess[l] = tables.lower(step.m, step.sum, step.over_price, tables::bend);
    }
    if side.contains(&-1.0) {
        for l in 0..LANES {
            let upper = tables.upper(m[l], value[l], tables::bend);
            guess[l] = if side[l] < 0.0 { upper } else { guess[l] };
        }
    }
    for l in 0..LANES {
        let step = FirstStep { m: m[l], side: side[l], value: value[l], over_price: 0.0, sum: 0.0 };
        (s[l], growth[l]) = step.taken(guess[l], tables, |near, far| (mills_fraction(near), mills_fraction(far)));
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
    fn new(m: f64, low: f64, high: f64, price: f64) -> Self {
        let unit = 1.0 / (low * high).sqrt();
        let sum = price + (high - low);
        let upper = is_upper(low, price);
        Self {
            m,
            side: if upper { -1.0 } else { 1.0 },
            value: unit * if upper { low - price } else { price },
            over_price: sum / price,
            sum: sum * unit,
        }
    }

    /// The total deviation after one step from a guess, negative where the step does not settle it, and there the price's
    /// derivative over the price (or over its distance to the bound). `mills` gives two Mills ratios as fractions.
    #[inline(always)]
    fn taken(&self, guess: f64, tables: &Tables, mills: impl Fn(f64, f64) -> ((f64, f64), (f64, f64))) -> (f64, f64) {
        let Self { m, side, value, .. } = *self;
        let inverse = 1.0 / guess;
        let h = m * inverse;
        let t = 0.5 * guess;
        // Two Mills ratios over one denominator: their difference is the price over phi(h) e^{-t^2/2}, their sum the
        // distance to the bound.
        let ((p1, q1), (p2, q2)) = mills(side * (h - t), h + t);
        let over = side * (p1 * q2) - p2 * q1;
        let under = q1 * q2;
        // ln(found / wanted) by the series of 2 artanh.
        let found = (INV_SQRT_2PI * side * over) * tables.exp.at(-0.5 * (h * h + t * t));
        let wanted = under * value;
        let x = (found - wanted) / (found + wanted);
        let x2 = x * x;
        let series = (2.0 + x2 * (2.0 / 3.0)) + (x2 * x2) * ((2.0 / 5.0 + x2 * (2.0 / 7.0)) + (x2 * x2) * (2.0 / 9.0));
        let gap = x * series;
        let scale = 1.0 / (over * under);
        let (ratio, growth) = (over * over * scale, under * under * scale);
        let (step, bend) = householder(gap, ratio, growth, h, inverse, guess);
        // The derivative is another factor of the same expansion: e^e with a small e.
        let e = gap + bend;
        let growth = side * growth * (1.0 + e * (1.0 + 0.5 * e * (1.0 + e * (1.0 / 3.0))));
        // Below -1 the fraction is no Mills ratio, and the exponential has its range. Anything else that is no quote fails
        // here too: a price or a distance to the bound that is not positive, and forward over strike beyond e^684, where
        // h + t >= sqrt(2 m).
        let settled = (value > 0.0)
            & (step.abs() <= FIRST_CHANGE_MAX * guess)
            & (x2 <= FIRST_SHARE_MAX * FIRST_SHARE_MAX)
            & (side * (t - h) <= 1.0)
            & (h + t <= 37.0);
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

/// Householder steps from the best guess at hand, kept within reason.
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
    let tables = Tables::get();
    let over_price = 1.0 + (high - low) / low / c;
    let guess = if upper && m <= MONEYNESS_UPPER_MAX && complement / root * TABLE_MAX > 1.0 {
        tables.upper(m, complement / root, tables::bend)
    } else if !upper && m <= MONEYNESS_MAX && over_price < TABLE_MAX {
        tables.lower(m, (c + (high - low) / low) / root, over_price, tables::bend)
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
        // Far from the solution the step's own terms may overflow to none.
        if change <= CHANGE_MAX * s && gap.abs() <= LAST_GAP_MAX {
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
