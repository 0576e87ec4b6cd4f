//! Lognormal mixtures with noise and stale outliers: the error of the smoothed curve against the raw mids'.

use closemark_pricing::models::black;
use closemark_pricing::settings::SmoothingSettings;
use closemark_pricing::smoothing::{SliceInput, VolatilityQuote, smooth_class};
use closemark_pricing::vocabulary::OptionType;

struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Weights, forwards (averaging 1) and volatilities of lognormals.
struct Shape {
    name: &'static str,
    time: f64,
    parts: &'static [(f64, f64, f64)],
    width: f64,
}

const SHAPES: [Shape; 4] = [
    Shape { name: "skew", time: 0.1, parts: &[(0.75, 1.02, 0.13), (0.25, 0.94, 0.30)], width: 0.25 },
    Shape { name: "4-day W", time: 4.0 / 365.0, parts: &[(0.5, 0.94, 0.25), (0.5, 1.06, 0.22)], width: 0.17 },
    Shape { name: "25-day W", time: 25.0 / 365.0, parts: &[(0.5, 0.92, 0.20), (0.5, 1.08, 0.18)], width: 0.28 },
    Shape { name: "fat tail", time: 0.25, parts: &[(0.8, 1.0, 0.15), (0.2, 1.0, 0.45)], width: 0.5 },
];

fn true_price(shape: &Shape, ratio: f64) -> f64 {
    let call = shape.parts.iter().fold(0.0, |sum, (weight, forward, sigma)| {
        sum + weight * black::price(OptionType::Call, *forward, ratio, shape.time, *sigma, 1.0)
    });
    if ratio < 1.0 { call - 1.0 + ratio } else { call }
}

/// One slice with forward 100, and the true volatilities.
fn slice(shape: &Shape, random: &mut Random) -> (SliceInput, Vec<f64>) {
    let (n, forward, root) = (60, 100.0, shape.time.sqrt());
    let (mut strikes, mut truth, mut quotes) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..n {
        let ratio = 1.0 + shape.width * (2.0 * (f64::from(i) + 0.5) / f64::from(n) - 1.0);
        let price = forward * true_price(shape, ratio);
        let half = (0.01 + 0.03 * price) * (0.7 + 0.6 * random.uniform());
        let mut noise = half * 1.2 * (random.uniform() + random.uniform() - 1.0);
        if random.uniform() < 0.04 {
            noise += half * if random.uniform() < 0.5 { -6.0 } else { 6.0 };
        }
        let tick = |x: f64| (x / 0.01).round() * 0.01;
        let (bid, ask) = (tick(price + noise - half).max(0.0), tick(price + noise + half));
        let strike = ratio * forward;
        let volatility = |price: f64| black::implied_stdev_otm(forward, strike, price).map(|s| s / root);
        let mid = 0.5 * (bid + ask);
        let (Some(exact), Some(mid_volatility), true) = (volatility(price), volatility(mid), price > 0.005) else {
            continue;
        };
        strikes.push(strike);
        truth.push(exact);
        let half_spread = (0.5 * (ask - bid)).max(0.005);
        quotes.push(VolatilityQuote {
            strike: strikes.len() - 1,
            option_type: if strike < forward { OptionType::Put } else { OptionType::Call },
            mid: mid_volatility,
            bid: volatility(bid),
            ask: volatility(ask),
            half_spread: half_spread / black::vega(forward, strike, shape.time, mid_volatility, 1.0),
            weight: 1.0,
            two_sided: bid > 0.0,
            old: false,
            half_spread_price: half_spread,
        });
    }
    let input = SliceInput {
        forward,
        discount_factor: 1.0,
        time_to_expiry: shape.time,
        dividend_shift: 0.0,
        calendar: true,
        american: false,
        strikes,
        quotes,
        previous: None,
    };
    (input, truth)
}

#[test]
fn error_is_at_most_0_45_of_raw_mids_on_each_shape() {
    let settings = SmoothingSettings::default();
    let mut failed = Vec::new();
    for shape in &SHAPES {
        let mut ratios = Vec::new();
        for seed in 0..60 {
            let (input, truth) = slice(shape, &mut Random(1000 + seed));
            let out = smooth_class(std::slice::from_ref(&input), &settings).remove(0);
            let (mut ours, mut raw) = (0.0, 0.0);
            for quote in input.quotes.iter().filter(|quote| quote.two_sided) {
                let exact = truth[quote.strike];
                let weight = black::vega(input.forward, input.strikes[quote.strike], shape.time, exact, 1.0);
                let smooth = out.volatility[quote.strike].unwrap();
                ours += weight * (smooth - exact) * (smooth - exact);
                raw += weight * (quote.mid - exact) * (quote.mid - exact);
            }
            ratios.push((ours / raw).sqrt());
        }
        ratios.sort_by(f64::total_cmp);
        let (median, high) = (ratios[ratios.len() / 2], ratios[ratios.len() * 9 / 10]);
        println!("{}: median ratio {median:.3}, 90th {high:.3}", shape.name);
        if median.is_nan() || median > 0.45 {
            failed.push(shape.name);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}
