//! Known truth: lognormal mixtures with noise and stale outliers, and each method's error against them.

use closemark_pricing::models::black;
use closemark_pricing::smoothing::{SliceInput, VolatilityQuote};
use closemark_pricing::vocabulary::OptionType;

use super::left_out::is_inside;
use super::method::Method;
use super::points::points;
use super::random::Random;
use super::score::percent;
use crate::figures::quantile;

/// Weights, forwards (averaging 1) and volatilities of lognormals.
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) time: f64,
    parts: &'static [(f64, f64, f64)],
    /// Strikes reach so far from the forward.
    width: f64,
}

pub(super) const SHAPES: [Shape; 4] = [
    Shape { name: "skew", time: 0.1, parts: &[(0.75, 1.02, 0.13), (0.25, 0.94, 0.30)], width: 0.25 },
    Shape { name: "4-day W", time: 4.0 / 365.0, parts: &[(0.5, 0.94, 0.25), (0.5, 1.06, 0.22)], width: 0.17 },
    Shape { name: "25-day W", time: 25.0 / 365.0, parts: &[(0.5, 0.92, 0.20), (0.5, 1.08, 0.18)], width: 0.28 },
    Shape { name: "fat tail", time: 0.25, parts: &[(0.8, 1.0, 0.15), (0.2, 1.0, 0.45)], width: 0.5 },
];

/// Share of quotes that stand six half-spreads off.
const STALE_SHARE: f64 = 0.04;
const FORWARD: f64 = 100.0;

impl Shape {
    /// The true undiscounted out-of-the-money price over the forward.
    fn price(&self, ratio: f64) -> f64 {
        let call = self.parts.iter().fold(0.0, |sum, (weight, forward, sigma)| {
            sum + weight * black::price(OptionType::Call, *forward, ratio, self.time, *sigma, 1.0)
        });
        if ratio < 1.0 { call - 1.0 + ratio } else { call }
    }

    /// A slice of `strikes` strikes with noisy quotes, and the true volatility at each strike.
    pub(super) fn slice(&self, strikes: u32, random: &mut Random) -> (SliceInput, Vec<f64>) {
        let root = self.time.sqrt();
        let mut input = SliceInput {
            forward: FORWARD,
            discount_factor: 1.0,
            time_to_expiry: self.time,
            dividend_shift: 0.0,
            calendar: true,
            american: false,
            strikes: Vec::new(),
            quotes: Vec::new(),
            previous: None,
        };
        let mut truth = Vec::new();
        for i in 0..strikes {
            let ratio = 1.0 + self.width * (2.0 * (f64::from(i) + 0.5) / f64::from(strikes) - 1.0);
            let (strike, price) = (ratio * FORWARD, FORWARD * self.price(ratio));
            let half = (0.01 + 0.03 * price) * (0.7 + 0.6 * random.uniform());
            let mut noise = 0.5 * half * random.normal();
            if random.uniform() < STALE_SHARE {
                noise += if random.uniform() < 0.5 { -6.0 * half } else { 6.0 * half };
            }
            let tick = |x: f64| (x / 0.01).round() * 0.01;
            let (bid, ask) = (tick(price + noise - half).max(0.0), tick(price + noise + half));
            let volatility = |price: f64| black::implied_stdev_otm(FORWARD, strike, price).map(|stdev| stdev / root);
            let (Some(exact), Some(mid), true) = (volatility(price), volatility(0.5 * (bid + ask)), price > 0.005)
            else {
                continue;
            };
            let half_spread = (0.5 * (ask - bid)).max(0.005);
            let option_type = if strike < FORWARD { OptionType::Put } else { OptionType::Call };
            input.quotes.push(VolatilityQuote {
                strike: truth.len(),
                option_type,
                mid,
                bid: volatility(bid),
                ask: volatility(ask),
                half_spread: half_spread / black::vega(FORWARD, strike, self.time, mid, 1.0),
                weight: 1.0,
                two_sided: bid > 0.0,
                half_spread_price: half_spread,
                old: false,
            });
            input.strikes.push(strike);
            truth.push(exact);
        }
        (input, truth)
    }
}

/// A median over seeds, with a 95 % interval of it by order statistics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The median.
    pub median: f64,
    /// Its interval.
    pub low: f64,
    /// Its interval.
    pub high: f64,
}

impl Interval {
    fn of(mut values: Vec<f64>) -> Self {
        let n = values.len() as f64;
        // Ranks n/2 -+ 1.96 sqrt(n)/2 (binomial of one half, normal approximation).
        let reach = 0.98 / n.sqrt();
        let mut at = |q: f64| quantile(&mut values, q.clamp(0.0, 1.0)).unwrap_or(f64::NAN);
        Self { median: at(0.5), low: at(0.5 - reach), high: at(0.5 + reach) }
    }
}

/// One shape and method.
#[derive(Clone, Debug)]
pub struct TruthRow {
    /// The shape's name.
    pub shape: &'static str,
    /// The method.
    pub method: Method,
    /// Vega-weighted root mean square error against the truth, basis points.
    pub rmse_bp: Interval,
    /// The same over the raw mids' on the same seed.
    pub ratio: Interval,
    /// Median percent of quotes with the curve inside.
    pub inside: f64,
    /// Median percent of quotes with the truth inside.
    pub truth_inside: f64,
}

/// All shapes and methods over so many seeds.
pub fn truth_rows(seeds: u64) -> Vec<TruthRow> {
    let mut rows = Vec::new();
    for shape in &SHAPES {
        let slices: Vec<(SliceInput, Vec<f64>)> =
            (0..seeds).map(|seed| shape.slice(60, &mut Random::new(1000 + seed))).collect();
        let mut raw = Vec::new();
        for method in Method::ALL {
            let (mut errors, mut inside, mut truth_inside) = (Vec::new(), Vec::new(), Vec::new());
            for (input, truth) in &slices {
                let curve = method.fit(std::slice::from_ref(input)).pop().unwrap_or_default();
                let points = points(input);
                let (mut vega, mut square) = (0.0, 0.0);
                for point in &points {
                    let exact = truth.get(point.node).copied().unwrap_or(f64::NAN);
                    let strike = input.strikes.get(point.node).copied().unwrap_or(FORWARD);
                    let weight = black::vega(FORWARD, strike, shape.time, exact, 1.0);
                    let miss = curve.volatility_at(point.node).unwrap_or(f64::INFINITY) - exact;
                    vega += weight;
                    square += weight * miss * miss;
                }
                errors.push(1e4 * (square / vega).sqrt());
                let share = |of: &dyn Fn(usize) -> Option<f64>| {
                    percent(points.iter().filter(|p| is_inside(p, of(p.node))).count() as u64, points.len() as u64)
                };
                inside.push(share(&|node| curve.volatility_at(node)));
                truth_inside.push(share(&|node| truth.get(node).copied()));
            }
            if method == Method::RawMids {
                raw.clone_from(&errors);
            }
            let ratios = errors.iter().zip(&raw).map(|(own, raw)| own / raw).collect();
            rows.push(TruthRow {
                shape: shape.name,
                method,
                rmse_bp: Interval::of(errors),
                ratio: Interval::of(ratios),
                inside: Interval::of(inside).median,
                truth_inside: Interval::of(truth_inside).median,
            });
        }
    }
    rows
}
