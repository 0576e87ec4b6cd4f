//! What the exercise boundary depends on besides volatility, in the put's normal form.

use super::rules::Rules;
use crate::math::exp;

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

/// Rates and time of a put of strike 1, with the kernels that they fix.
///
/// A call on `S` with strike `K`, rate `r`, yield `q` is `S` puts of spot `K/S`, strike 1, rate `q`, yield `r`
/// (McDonald and Schroder 1998).
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub rules: &'static Rules,
    pub rate: f64,
    pub dividend_yield: f64,
    pub time: f64,
    pub regime: Regime,
    /// `ln min(1, r/q)`: the boundary's limit at expiry.
    pub log_limit: f64,
    /// `sqrt(v)` of each equation's points, `v` the time from the node.
    pub root_elapsed: Vec<f64>,
    /// `r w e^{-r v}` of the same points, with the quadrature weight `w`.
    pub rate_kernel: Vec<f64>,
    /// `q w e^{-q v}`.
    pub yield_kernel: Vec<f64>,
    /// The same three of the price's points.
    pub price_root_elapsed: Vec<f64>,
    pub price_rate_kernel: Vec<f64>,
    pub price_yield_kernel: Vec<f64>,
}

// Below this, early exercise is worth less than 1e-11 of the strike: at most r T.
const RATE_TIME_MIN: f64 = 1e-11;
// Beyond it the discounting kernels leave the range where the quadrature was measured.
const RATE_MAX: f64 = 3.0;

impl Terms {
    pub(super) fn new(rate: f64, dividend_yield: f64, time: f64, rules: &'static Rules) -> Self {
        let regime = regime(rate, dividend_yield, time);
        let mut terms = Self {
            rules,
            rate,
            dividend_yield,
            time,
            regime,
            log_limit: 0.0,
            root_elapsed: Vec::new(),
            rate_kernel: Vec::new(),
            yield_kernel: Vec::new(),
            price_root_elapsed: Vec::new(),
            price_rate_kernel: Vec::new(),
            price_yield_kernel: Vec::new(),
        };
        if regime == Regime::SingleBoundary {
            terms.fill();
        }
        terms
    }

    fn fill(&mut self) {
        let (r, q) = (self.rate, self.dividend_yield);
        self.log_limit = if q > r { crate::math::ln(r / q) } else { 0.0 };
        let rules = self.rules;
        let root_time = self.time.sqrt();
        for share in &rules.root_share {
            let root_tau = share * root_time;
            for (sine, weight) in rules.equation.sine.iter().zip(&rules.equation.weight) {
                let root = root_tau * sine;
                let w = root_tau * root_tau * weight;
                self.root_elapsed.push(root);
                self.rate_kernel.push(r * w * exp(-r * root * root));
                self.yield_kernel.push(q * w * exp(-q * root * root));
            }
        }
        for (sine, weight) in rules.price.sine.iter().zip(&rules.price.weight) {
            let root = root_time * sine;
            let w = self.time * weight;
            self.price_root_elapsed.push(root);
            self.price_rate_kernel.push(r * w * exp(-r * root * root));
            self.price_yield_kernel.push(q * w * exp(-q * root * root));
        }
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
    } else if r.abs() > RATE_MAX || q.abs() > RATE_MAX {
        Regime::Elsewhere
    } else {
        Regime::SingleBoundary
    }
}
