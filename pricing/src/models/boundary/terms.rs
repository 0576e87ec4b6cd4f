//! What the exercise boundary depends on besides volatility, in the put's normal form.

use multiversion::multiversion;

use super::rules::{AngleRule, BOUNDARY_NODES_MAX, Rules};
use crate::math::{exp, exp_normal, exp_short};

/// How an American option without cash dividends is to be treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Regime {
    /// Early exercise never pays: the European value.
    NeverExercised,
    /// One boundary below the strike.
    SingleBoundary,
    /// Two boundaries (`q < r <= 0`), or rates beyond what the equations bear.
    Elsewhere,
}

/// Rates and time of a put of strike 1, and what follows from them at once.
///
/// A call on `S` with strike `K`, rate `r`, yield `q` is `S` puts of spot `K/S`, strike 1, rate `q`, yield `r`
/// (McDonald and Schroder 1998).
#[derive(Clone, Copy, Debug)]
pub(super) struct Outline {
    pub rate: f64,
    pub dividend_yield: f64,
    pub time: f64,
    pub root_time: f64,
    pub regime: Regime,
    /// `ln min(1, r/q)`: the boundary's limit at expiry.
    pub log_limit: f64,
    /// `e^{-rT}`.
    pub discount: f64,
    /// Forward over spot, `e^{(r-q)T}`.
    pub growth: f64,
}

impl Outline {
    pub(super) fn new(rate: f64, dividend_yield: f64, time: f64) -> Self {
        Self {
            rate,
            dividend_yield,
            time,
            root_time: time.sqrt(),
            regime: regime(rate, dividend_yield, time),
            log_limit: if dividend_yield > rate && rate > 0.0 { crate::math::ln(rate / dividend_yield) } else { 0.0 },
            discount: exp(-rate * time),
            growth: exp((rate - dividend_yield) * time),
        }
    }
}

/// The kernels that rates, time and a quadrature fix, for a [`Regime::SingleBoundary`].
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub rules: &'static Rules,
    pub outline: Outline,
    /// Of each equation's points.
    pub equation: Points,
    /// Of the price's points.
    pub price: Points,
}

/// A quadrature over the time `v` that has elapsed since a node: four columns in one list.
#[derive(Clone, Debug)]
pub(super) struct Points {
    columns: Vec<f64>,
    count: usize,
}

impl Points {
    fn new(outline: &Outline, roots: &[f64], rule: &AngleRule, exact: bool) -> Self {
        let count = roots.len() * rule.sine.len();
        let mut columns = vec![0.0; 4 * count];
        let (root, rest) = columns.split_at_mut(count);
        let (inverse_root, kernels) = rest.split_at_mut(count);
        let (rate_kernel, yield_kernel) = kernels.split_at_mut(count);
        let (rate, dividend_yield) = (outline.rate, outline.dividend_yield);
        let points = root.chunks_exact_mut(rule.sine.len()).zip(rate_kernel.chunks_exact_mut(rule.sine.len()));
        for ((root, weight), root_tau) in points.zip(roots) {
            let tau = root_tau * root_tau;
            for ((root, weight), (sine, share)) in root.iter_mut().zip(weight).zip(rule.sine.iter().zip(&rule.weight)) {
                (*root, *weight) = (root_tau * sine, tau * share);
            }
        }
        for (inverse, root) in inverse_root.iter_mut().zip(&*root) {
            *inverse = 1.0 / root;
        }
        yield_kernel.copy_from_slice(rate_kernel);
        decay(rate_kernel, root, rate, exact);
        decay(yield_kernel, root, dividend_yield, exact);
        Self { columns, count }
    }

    fn column(&self, index: usize) -> &[f64] {
        self.columns.get(index * self.count..(index + 1) * self.count).unwrap_or_default()
    }

    /// `sqrt(v)`.
    pub(super) fn root(&self) -> &[f64] {
        self.column(0)
    }

    pub(super) fn inverse_root(&self) -> &[f64] {
        self.column(1)
    }

    /// `r w e^{-r v}` with the quadrature's weight `w`.
    pub(super) fn rate_kernel(&self) -> &[f64] {
        self.column(2)
    }

    /// `q w e^{-q v}`.
    pub(super) fn yield_kernel(&self) -> &[f64] {
        self.column(3)
    }
}

/// Times `r e^{-r v}` at each `sqrt(v)`. Rates are bounded, so that the exponents stay in the range that needs no care.
///
/// The host chooses the width of the instructions; the operations, and with them the bits, are the same.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn decay(kernels: &mut [f64], roots: &[f64], rate: f64, exact: bool) {
    let points = kernels.iter_mut().zip(roots);
    if exact {
        points.for_each(|(kernel, root)| *kernel = rate * *kernel * exp_normal(-rate * root * root));
    } else {
        points.for_each(|(kernel, root)| *kernel = rate * *kernel * exp_short(-rate * root * root));
    }
}

// Below this, early exercise is worth less than 1e-11 of the strike: at most r T.
const RATE_TIME_MIN: f64 = 1e-11;
// Beyond it the discounting kernels leave the range where the quadrature was measured.
const RATE_MAX: f64 = 3.0;
// Nor may the kernels leave the range of numbers: no option lives for 200 years.
const RATE_TIME_MAX: f64 = 600.0;

impl Terms {
    pub(super) fn new(outline: Outline, rules: &'static Rules) -> Self {
        let mut roots = [0.0; BOUNDARY_NODES_MAX];
        let count = rules.root_share.len().min(BOUNDARY_NODES_MAX);
        for (root, share) in roots.iter_mut().zip(&rules.root_share) {
            *root = share * outline.root_time;
        }
        let equation =
            Points::new(&outline, roots.get(..count).unwrap_or_default(), &rules.equation, rules.order.exact);
        let price = Points::new(&outline, &[outline.root_time], &rules.price, rules.order.exact);
        Self { rules, outline, equation, price }
    }
}

fn regime(r: f64, q: f64, t: f64) -> Regime {
    if !(r.is_finite() && q.is_finite() && t > 0.0 && t.is_finite()) {
        Regime::Elsewhere
    } else if r <= 0.0 && q >= r {
        Regime::NeverExercised
    } else if r <= 0.0 {
        // Waiting costs dividends: near expiry exercise between two boundaries, worth up to (|q| - |r|) T.
        if (r - q) * t < RATE_TIME_MIN { Regime::NeverExercised } else { Regime::Elsewhere }
    } else if r * t < RATE_TIME_MIN {
        if q < 0.0 && -q * t >= RATE_TIME_MIN { Regime::Elsewhere } else { Regime::NeverExercised }
    } else if r.abs() > RATE_MAX || q.abs() > RATE_MAX || RATE_MAX.max(r.abs()) * t > RATE_TIME_MAX {
        Regime::Elsewhere
    } else {
        Regime::SingleBoundary
    }
}
