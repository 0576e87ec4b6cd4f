//! American options without cash dividends, by the integral equation of their exercise boundary.
//!
//! The boundary depends on rate, yield, volatility and time only, as a ratio to the strike. [`BoundaryModel`] solves
//! it at nodes of a grid in `ln sigma` that is the same for every option, when a node is first needed, and
//! interpolates between four of them; a price is then one quadrature. A result depends on its own arguments alone,
//! never on what was asked before.

mod elimination;
mod equations;
mod rules;
mod seed;
mod solver;
mod terms;

use std::cell::{OnceCell, RefCell};

use multiversion::multiversion;

use crate::math::{INV_SQRT_2PI, exp, ln, normal_cdf_quick};
use crate::models::black;
use rules::{PRICE_POINTS_MAX, Rules};
use solver::Tolerance;
use terms::{Outline, Regime, Terms};

/// Spacing of the volatility grid in `ln sigma`: a ratio of 1.25. At 1.3 the error is twice as large.
const SPACING: f64 = 0.223_143_551_314_209_76;
/// The grid's first node, `1.25^-33`, 0.063 %.
const FIRST: i32 = -33;
/// Nodes up to `1.25^13`, 1,819 %.
const COUNT: usize = 47;
/// Least volatility of [`BoundaryModel::put`]; below it the boundary is the strike's to 1e-3 or so.
pub const VOLATILITY_MIN: f64 = 0.001;
/// Largest volatility.
pub const VOLATILITY_MAX: f64 = 13.0;
/// Of the grid's boundaries.
const TOLERANCE: Tolerance = Tolerance { first: 1e-5, left: 2e-7 };
const TOLERANCE_FINE: Tolerance = Tolerance { first: 0.0, left: 1e-11 };
/// Of one option by itself.
const TOLERANCE_ALONE: Tolerance = Tolerance { first: 3e-5, left: 3e-6 };
const TOLERANCE_CAREFUL: Tolerance = Tolerance { first: 1e-5, left: 2e-7 };

/// Drift over deviation, `|r - q| sqrt(T) / sigma`, up to which the standard rules resolve the kernels to 1e-5 of the
/// strike; beyond, the fine ones do, boundary by boundary.
const STEEPNESS_MAX: f64 = 8.0;
/// The same of the fine rules.
const STEEPNESS_FINE_MAX: f64 = 45.0;
/// Largest `sigma sqrt(T)` for the standard rules.
const DEVIATION_MAX: f64 = 5.0;

/// Price points of the standard rules.
const STANDARD_POINTS: usize = 20;

/// What is known of the boundary at one grid volatility.
#[derive(Clone, Debug)]
enum Node {
    Unknown,
    /// `ln(limit/B)/sigma` at the price's points, then at the whole time.
    Solved(Box<Depth>),
    Unreliable,
}

/// `ln(limit/B)` at the price's points, then at the whole time: a short list without an allocation.
#[derive(Clone, Debug)]
struct Depth {
    values: [f64; PRICE_POINTS_MAX + 1],
    count: usize,
}

impl Depth {
    fn new(count: usize) -> Self {
        Self { values: [0.0; PRICE_POINTS_MAX + 1], count: count.min(PRICE_POINTS_MAX + 1) }
    }

    fn values(&self) -> &[f64] {
        self.values.get(..self.count).unwrap_or_default()
    }

    fn values_mut(&mut self) -> &mut [f64] {
        self.values.get_mut(..self.count).unwrap_or_default()
    }
}

/// How exactly one option by itself is priced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accuracy {
    /// Within 5e-7 of the strike in the mean square.
    Standard,
    /// Within 5e-8 of the strike in the mean square.
    Fine,
}

/// The put of strike 1 under given rate, yield and time, at any spot and volatility.
#[derive(Clone, Debug)]
pub struct BoundaryModel {
    outline: Outline,
    /// Kernels and boundaries, made when first needed.
    terms: OnceCell<Box<Terms>>,
    nodes: RefCell<Vec<Node>>,
    /// For volatilities where the standard rules are too coarse.
    fine: OnceCell<Box<Terms>>,
    always_fine: bool,
}

/// A boundary at one volatility, ready for prices at any spot.
#[derive(Clone, Debug)]
pub struct Boundary<'a> {
    outline: &'a Outline,
    /// Absent where there is no early exercise.
    terms: Option<&'a Terms>,
    sigma: f64,
    depth: Depth,
}

impl BoundaryModel {
    /// A model from rate and yield (per year, continuous) and time (years).
    pub fn new(rate: f64, dividend_yield: f64, time: f64) -> Self {
        Self {
            outline: Outline::new(rate, dividend_yield, time),
            terms: OnceCell::new(),
            nodes: RefCell::new(Vec::new()),
            fine: OnceCell::new(),
            always_fine: false,
        }
    }

    /// [`BoundaryModel::new`] with quadratures far finer than any close needs and every boundary solved at its own
    /// volatility, for tests and reports.
    pub fn fine(rate: f64, dividend_yield: f64, time: f64) -> Self {
        Self { always_fine: true, ..Self::new(rate, dividend_yield, time) }
    }

    /// Whether early exercise never pays, so that the European value is the American.
    pub fn is_european(&self) -> bool {
        self.outline.regime == Regime::NeverExercised
    }

    /// `e^{-rT}`.
    pub(super) fn discount(&self) -> f64 {
        self.outline.discount
    }

    /// Forward over spot.
    pub(super) fn growth(&self) -> f64 {
        self.outline.growth
    }

    /// Drift over deviation, or `None` where no rule resolves the kernels.
    fn steepness(&self, sigma: f64) -> Option<f64> {
        if !(VOLATILITY_MIN..=VOLATILITY_MAX).contains(&sigma) || self.outline.regime == Regime::Elsewhere {
            return None;
        }
        let steepness = (self.outline.rate - self.outline.dividend_yield).abs() * self.outline.root_time / sigma;
        (steepness <= STEEPNESS_FINE_MAX).then_some(steepness)
    }

    fn is_coarse_enough(&self, sigma: f64, steepness: f64) -> bool {
        steepness <= STEEPNESS_MAX && sigma * self.outline.root_time <= DEVIATION_MAX
    }

    /// The boundary at `sigma`; `None` outside the volatilities and rates that the method bears.
    pub fn at(&self, sigma: f64) -> Option<Boundary<'_>> {
        let outline = &self.outline;
        if outline.regime == Regime::NeverExercised && (VOLATILITY_MIN..=VOLATILITY_MAX).contains(&sigma) {
            return Some(Boundary { outline, terms: None, sigma, depth: Depth::new(0) });
        }
        let steepness = self.steepness(sigma)?;
        if self.always_fine || !self.is_coarse_enough(sigma, steepness) {
            let terms = self.fine.get_or_init(|| Box::new(Terms::new(*outline, Rules::fine())));
            let depth = solver::depth_at_price_points(terms, sigma, TOLERANCE_FINE)?;
            return Some(Boundary { outline, terms: Some(terms), sigma, depth });
        }
        let terms = self.standard_terms();
        let mut depth = Depth::new(terms.rules.order.price + 1);
        self.around(terms, sigma, |[a, b, c, d], u| {
            let shares = shares(u, sigma);
            let four = a.values().iter().zip(b.values()).zip(c.values().iter().zip(d.values()));
            for (w, ((a, b), (c, d))) in depth.values_mut().iter_mut().zip(four) {
                *w = interpolated([*a, *b, *c, *d], shares);
            }
        })?;
        Some(Boundary { outline, terms: Some(terms), sigma, depth })
    }

    fn standard_terms(&self) -> &Terms {
        self.terms.get_or_init(|| Box::new(Terms::new(self.outline, Rules::standard())))
    }

    /// Hands on the solved nodes of the grid around a volatility, and the place between the middle two; `None` where one is
    /// unreliable.
    fn around<R>(&self, terms: &Terms, sigma: f64, read: impl FnOnce([&Depth; 4], f64) -> R) -> Option<R> {
        let position = ln(sigma) / SPACING - f64::from(FIRST);
        let cell = (position.max(1.0) as usize).min(COUNT - 3);
        let u = position - cell as f64;
        let mut nodes = self.nodes.borrow_mut();
        if nodes.is_empty() {
            nodes.resize(COUNT, Node::Unknown);
        }
        let four = nodes.get_mut(cell - 1..cell + 3)?;
        for (node, index) in four.iter_mut().zip(cell - 1..) {
            if matches!(node, Node::Unknown) {
                *node = solve_node(terms, index);
            }
        }
        let [Node::Solved(a), Node::Solved(b), Node::Solved(c), Node::Solved(d)] = four else {
            return None;
        };
        Some(read([a, b, c, d], u))
    }

    /// `ln(limit/B)` at the whole time, as [`BoundaryModel::at`] has it.
    fn depth_now(&self, sigma: f64) -> Option<f64> {
        let steepness = self.steepness(sigma)?;
        if self.always_fine || !self.is_coarse_enough(sigma, steepness) {
            return self.at(sigma)?.depth.values().last().copied();
        }
        let last = |depth: &Depth| depth.values().last().copied();
        self.around(self.standard_terms(), sigma, |[a, b, c, d], u| {
            Some(interpolated([last(a)?, last(b)?, last(c)?, last(d)?], shares(u, sigma)))
        })?
    }

    /// The American put of strike 1 at one spot and volatility, boundary and all, without the grid of volatilities:
    /// for an option by itself. `None` as in [`BoundaryModel::at`].
    ///
    /// # Domain
    /// Agrees with [`BoundaryModel::put`] to the accuracy of either, not to the bit.
    pub fn put_alone(&self, spot: f64, sigma: f64, accuracy: Accuracy) -> Option<f64> {
        let outline = &self.outline;
        if outline.regime == Regime::NeverExercised {
            return self.put(spot, sigma);
        }
        let steepness = self.steepness(sigma)?;
        let (rules, tolerance) = match accuracy {
            Accuracy::Standard if self.is_coarse_enough(2.5 * sigma, 2.0 * steepness) => {
                (Rules::light(), TOLERANCE_ALONE)
            }
            Accuracy::Standard if self.is_coarse_enough(sigma, steepness) => (Rules::standard(), TOLERANCE),
            Accuracy::Fine if self.is_coarse_enough(sigma, 2.0 * steepness) => (Rules::careful(), TOLERANCE_CAREFUL),
            _ => (Rules::fine(), TOLERANCE_FINE),
        };
        let terms = Terms::new(*outline, rules);
        let depth = solver::depth_at_price_points(&terms, sigma, tolerance)?;
        Boundary { outline, terms: Some(&terms), sigma, depth }.put(spot)
    }

    /// [`BoundaryModel::put`], with the same bits, and its derivative in volatility, where the grid of boundaries gives one.
    pub fn put_with_vega(&self, spot: f64, sigma: f64) -> Option<(f64, Option<f64>)> {
        let boundary = self.at(sigma)?;
        let held = spot > 0.0 && spot.is_finite() && !boundary.is_exercised(spot);
        let from_grid = boundary.terms.filter(|terms| held && terms.rules.order.price == STANDARD_POINTS);
        let Some(terms) = from_grid else { return Some((boundary.put(spot)?, None)) };
        let mut slope = Depth::new(STANDARD_POINTS);
        self.around(terms, sigma, |[a, b, c, d], u| {
            let [wa, wb, wc, wd] = share_slopes(u);
            let four = a.values().iter().zip(b.values()).zip(c.values().iter().zip(d.values()));
            for (w, ((a, b), (c, d))) in slope.values_mut().iter_mut().zip(four) {
                *w = wa * a + wb * b + wc * c + wd * d;
            }
        })?;
        let (depth, outline) = (boundary.depth.values(), boundary.outline);
        let (premium, slope) =
            premium_with_vega::<STANDARD_POINTS>(terms, sigma, depth, slope.values(), spot, ln(spot));
        let european = black::vega(spot * outline.growth, 1.0, outline.time, sigma, outline.discount);
        Some((boundary.with_premium(spot, premium)?, Some(european + slope)))
    }

    /// The American put of strike 1 at `spot`; see [`Boundary::put`].
    pub fn put(&self, spot: f64, sigma: f64) -> Option<f64> {
        self.at(sigma)?.put(spot)
    }

    /// The volatility below which the put at `spot` is exercised at once; `None` where there is none (or none that
    /// the grid holds).
    pub fn critical_volatility(&self, spot: f64) -> Option<f64> {
        let wanted = self.outline.log_limit - ln(spot);
        if self.outline.regime != Regime::SingleBoundary || wanted.is_nan() || wanted <= 0.0 {
            return None;
        }
        let excess = |s: f64| Some(self.depth_now(s)? - wanted);
        // Depth grows nearly like sigma; a factor of 1.5 either way brackets it in a few steps.
        let mut low = (wanted / (2.0 * self.outline.root_time)).clamp(0.02, 1.0);
        let mut high = low;
        if excess(low)? >= 0.0 {
            while excess(low)? >= 0.0 {
                if low <= VOLATILITY_MIN {
                    return Some(low);
                }
                high = low;
                low = (low / 1.5).max(VOLATILITY_MIN);
            }
        } else {
            while excess(high)? < 0.0 {
                if high >= VOLATILITY_MAX {
                    return None;
                }
                low = high;
                high = (high * 1.5).min(VOLATILITY_MAX);
            }
        }
        let (mut at_low, mut at_high) = (excess(low)?, excess(high)?);
        for _ in 0..60 {
            if high - low <= 1e-9 * high {
                break;
            }
            // Illinois; the depth is nearly a power of sigma, so few steps do.
            let middle = (low - at_low * (high - low) / (at_high - at_low)).clamp(low, high);
            let value = excess(middle)?;
            if value >= 0.0 {
                (high, at_high) = (middle, value);
                at_low *= 0.5;
            } else {
                (low, at_low) = (middle, value);
                at_high *= 0.5;
            }
            if value.abs() < 1e-13 {
                return Some(middle);
            }
        }
        Some(0.5 * (low + high))
    }
}

/// Shares of four nodes' `depth / sigma` in the depth at `sigma`: Lagrange's cubic through -1, 0, 1, 2, at `u`.
fn shares(u: f64, sigma: f64) -> [f64; 4] {
    [
        -u * (u - 1.0) * (u - 2.0) / 6.0 * sigma,
        (u + 1.0) * (u - 1.0) * (u - 2.0) / 2.0 * sigma,
        -(u + 1.0) * u * (u - 2.0) / 2.0 * sigma,
        (u + 1.0) * u * (u - 1.0) / 6.0 * sigma,
    ]
}

/// The shares' derivatives in `sigma`, of which `u` is the logarithm in spacings.
fn share_slopes(u: f64) -> [f64; 4] {
    let inverse = 1.0 / SPACING;
    let slopes = [
        -(3.0 * u * u - 6.0 * u + 2.0) / 6.0,
        (3.0 * u * u - 4.0 * u - 1.0) / 2.0,
        -(3.0 * u * u - 2.0 * u - 2.0) / 2.0,
        (3.0 * u * u - 1.0) / 6.0,
    ];
    let mut result = shares(u, 1.0);
    for (share, slope) in result.iter_mut().zip(slopes) {
        *share += slope * inverse;
    }
    result
}

/// Four nodes' values in their shares, never below zero.
#[inline(always)]
fn interpolated([a, b, c, d]: [f64; 4], [wa, wb, wc, wd]: [f64; 4]) -> f64 {
    let value = wa * a + wb * b + wc * c + wd * d;
    if value > 0.0 { value } else { 0.0 }
}

fn solve_node(terms: &Terms, index: usize) -> Node {
    let sigma = exp((f64::from(FIRST) + index as f64) * SPACING);
    match solver::depth_at_price_points(terms, sigma, TOLERANCE) {
        Some(mut depth) => {
            for w in depth.values_mut() {
                *w /= sigma;
            }
            Node::Solved(Box::new(depth))
        }
        None => Node::Unreliable,
    }
}

impl Boundary<'_> {
    /// Price of the put with strike 1.
    ///
    /// # Formula
    /// Kim 1990: the European put plus `int_0^T (r e^{-rv} Phi(-d-(v, S/B(T-v))) - q S e^{-qv} Phi(-d+)) dv`; the
    /// exercise value at and below the boundary.
    ///
    /// # Domain
    /// `spot > 0`; otherwise `None`.
    pub fn put(&self, spot: f64) -> Option<f64> {
        if !(spot > 0.0 && spot.is_finite()) {
            return None;
        }
        let Some(terms) = self.terms else { return Some(self.european(spot)) };
        let log_spot = ln(spot);
        let exercise = 1.0 - spot;
        if log_spot <= self.outline.log_limit - self.depth_now() {
            return Some(exercise);
        }
        self.with_premium(spot, premium(terms, self.sigma, self.depth.values(), spot, log_spot))
    }

    /// The price with this premium for early exercise; `None` where that is no number.
    fn with_premium(&self, spot: f64, premium: f64) -> Option<f64> {
        // The larger of nothing and no number would be nothing.
        (!premium.is_nan()).then(|| (self.european(spot) + premium.max(0.0)).max(1.0 - spot))
    }

    /// Whether the put at `spot` is exercised at once.
    pub fn is_exercised(&self, spot: f64) -> bool {
        self.terms.is_some() && ln(spot) <= self.outline.log_limit - self.depth_now()
    }

    /// `ln(limit/B)` at the whole time.
    fn depth_now(&self) -> f64 {
        self.depth.values().last().copied().unwrap_or(f64::INFINITY)
    }

    fn european(&self, spot: f64) -> f64 {
        let outline = self.outline;
        let forward = spot * outline.growth;
        outline.discount
            * ((1.0 - forward).max(0.0) + black::out_of_the_money_price(forward, 1.0, self.sigma * outline.root_time))
    }

    /// Price and delta of the put in `spot`.
    ///
    /// # Formula
    /// The price's integral differentiated under the sign, with the boundary held: it does not depend on spot.
    pub fn put_with_delta(&self, spot: f64) -> Option<(f64, f64)> {
        let price = self.put(spot)?;
        let outline = self.outline;
        let log_spot = ln(spot);
        let drift = (outline.rate - outline.dividend_yield) / self.sigma;
        let half = 0.5 * self.sigma;
        let d1 = log_spot / (self.sigma * outline.root_time) + (drift + half) * outline.root_time;
        let mut delta = -exp(-outline.dividend_yield * outline.time) * normal_cdf_quick(-d1);
        let Some(terms) = self.terms else { return Some((price, delta)) };
        if log_spot <= outline.log_limit - self.depth_now() {
            return Some((price, -1.0));
        }
        let above = log_spot - outline.log_limit;
        let points = &terms.price;
        let kernels = points.rate_kernel().iter().zip(points.yield_kernel());
        for ((root, w), (rate_kernel, yield_kernel)) in points.root().iter().zip(self.depth.values()).zip(kernels) {
            let base = (above + w) / (self.sigma * root) + drift * root;
            let (lower, upper) = (base - half * root, base + half * root);
            let slope = 1.0 / (spot * self.sigma * root);
            delta += yield_kernel * (spot * density(upper) * slope - normal_cdf_quick(-upper))
                - rate_kernel * density(lower) * slope;
        }
        Some((price, delta))
    }
}

/// What the right to exercise early is worth.
fn premium(terms: &Terms, sigma: f64, depth: &[f64], spot: f64, log_spot: f64) -> f64 {
    // The numbers of points that the rules have, known when the loops are compiled.
    match terms.rules.order.price {
        16 => premium_by::<16>(terms, sigma, depth, spot, log_spot),
        20 => premium_by::<20>(terms, sigma, depth, spot, log_spot),
        24 => premium_by::<24>(terms, sigma, depth, spot, log_spot),
        64 => premium_by::<64>(terms, sigma, depth, spot, log_spot),
        _ => f64::NAN,
    }
}

/// Arguments of the normal distribution at each price point, of what is received and of what is given up.
#[inline(always)]
fn arguments<const P: usize>(
    terms: &Terms,
    sigma: f64,
    depth: &[f64],
    log_spot: f64,
    lower: &mut [f64; P],
    upper: &mut [f64; P],
) {
    let outline = &terms.outline;
    let above = log_spot - outline.log_limit;
    let inverse = 1.0 / sigma;
    let drift = (outline.rate - outline.dividend_yield) * inverse;
    let half = 0.5 * sigma;
    let points = &terms.price;
    let each = points.root().iter().zip(points.inverse_root()).zip(depth);
    for ((lower, upper), ((root, inverse_root), w)) in lower.iter_mut().zip(upper.iter_mut()).zip(each) {
        let base = (above + w) * inverse * inverse_root + drift * root;
        *lower = half * root - base;
        *upper = -half * root - base;
    }
}

/// [`premium`] with `P` points.
///
/// The host chooses the width of the instructions; the operations, and with them the bits, are the same.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn premium_by<const P: usize>(terms: &Terms, sigma: f64, depth: &[f64], spot: f64, log_spot: f64) -> f64 {
    let (mut lower, mut upper) = ([0.0; P], [0.0; P]);
    arguments(terms, sigma, depth, log_spot, &mut lower, &mut upper);
    let points = &terms.price;
    terms.rules.normal_cdf_each(&mut lower);
    let received = solver::dot(&lower, points.rate_kernel());
    if terms.outline.dividend_yield == 0.0 {
        return received;
    }
    terms.rules.normal_cdf_each(&mut upper);
    received - spot * solver::dot(&upper, points.yield_kernel())
}

/// [`premium_by`], with the same bits, and its derivative in volatility, from the depth's.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn premium_with_vega<const P: usize>(
    terms: &Terms,
    sigma: f64,
    depth: &[f64],
    depth_slope: &[f64],
    spot: f64,
    log_spot: f64,
) -> (f64, f64) {
    let (mut lower, mut upper) = ([0.0; P], [0.0; P]);
    arguments(terms, sigma, depth, log_spot, &mut lower, &mut upper);
    let points = &terms.price;
    let inverse = 1.0 / sigma;
    // The arguments' derivatives: the base goes with 1/sigma but for the depth in it.
    let (mut lower_slope, mut upper_slope) = ([0.0; P], [0.0; P]);
    let each = points.inverse_root().iter().zip(depth_slope).zip(lower.iter().zip(&upper));
    for ((ls, us), ((inverse_root, w), (lower, upper))) in lower_slope.iter_mut().zip(&mut upper_slope).zip(each) {
        let moved = w * inverse_root;
        *ls = -(upper + moved) * inverse;
        *us = -(lower + moved) * inverse;
    }
    let mut density = [0.0; P];
    terms.rules.normal_each(&mut lower, &mut density);
    for (slope, density) in lower_slope.iter_mut().zip(&density) {
        *slope *= density;
    }
    let received = solver::dot(&lower, points.rate_kernel());
    let slope = solver::dot(&lower_slope, points.rate_kernel());
    if terms.outline.dividend_yield == 0.0 {
        return (received, slope);
    }
    terms.rules.normal_each(&mut upper, &mut density);
    for (slope, density) in upper_slope.iter_mut().zip(&density) {
        *slope *= density;
    }
    let given_up = solver::dot(&upper, points.yield_kernel());
    (received - spot * given_up, slope - spot * solver::dot(&upper_slope, points.yield_kernel()))
}

fn density(x: f64) -> f64 {
    INV_SQRT_2PI * exp(-0.5 * x * x)
}

#[cfg(test)]
mod tests {
    use super::rules::Rules;
    use super::terms::{Outline, Terms};
    use super::{Boundary, BoundaryModel, TOLERANCE, TOLERANCE_ALONE, TOLERANCE_CAREFUL, TOLERANCE_FINE, solver};

    #[test]
    fn every_order_of_the_rules_is_solved_and_priced() {
        let outline = Outline::new(0.05, 0.02, 0.7);
        let price = |rules, tolerance| {
            let terms = Terms::new(outline, rules);
            let depth = solver::depth_at_price_points(&terms, 0.3, tolerance).unwrap();
            Boundary { outline: &outline, terms: Some(&terms), sigma: 0.3, depth }.put(0.95).unwrap()
        };
        let fine = price(Rules::fine(), TOLERANCE_FINE);
        for (rules, tolerance, error) in [
            (Rules::light(), TOLERANCE_ALONE, 2e-6),
            (Rules::standard(), TOLERANCE, 5e-7),
            (Rules::careful(), TOLERANCE_CAREFUL, 2e-7),
        ] {
            let price = price(rules, tolerance);
            assert!((price - fine).abs() < error, "{price} {fine} {:?}", rules.order);
        }
    }

    #[test]
    fn vega_is_the_difference_of_prices_which_stay_the_same() {
        for (rate, dividend_yield) in [(0.05, 0.02), (0.03, 0.0), (0.02, 0.06)] {
            let model = BoundaryModel::new(rate, dividend_yield, 0.7);
            for spot in [0.8, 0.95, 1.1] {
                for sigma in [0.2, 0.33, 0.9] {
                    let (price, vega) = model.put_with_vega(spot, sigma).unwrap();
                    assert_eq!(Some(price), model.put(spot, sigma));
                    let h = 1e-4 * sigma;
                    let difference =
                        (model.put(spot, sigma + h).unwrap() - model.put(spot, sigma - h).unwrap()) / (2.0 * h);
                    let vega = vega.unwrap();
                    // Two cells of the grid of volatilities meet with a small bend.
                    assert!(
                        (vega - difference).abs() < 2e-5,
                        "{rate} {dividend_yield} {spot} {sigma} {vega} {difference}"
                    );
                }
            }
        }
    }
}
