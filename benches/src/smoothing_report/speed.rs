//! How long our smoothing takes on one core: classes of known shape, no arbitrage between expiries.

use closemark_pricing::settings::SmoothingSettings;
use closemark_pricing::smoothing::{SliceInput, VolatilityQuote, smooth_class};

use super::random::Random;
use super::truth::SHAPES;
use crate::whole_close::now;

/// Median times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Milliseconds for 56 slices of 170 strikes.
    pub surface_ms: f64,
    /// Microseconds for one slice of 20 strikes.
    pub small_us: f64,
}

/// Measures both.
pub fn speed() -> Speed {
    let surface = surface(56, 170);
    let small: Vec<Vec<SliceInput>> = (0..64).map(|seed| vec![SHAPES[0].slice(20, &mut Random::new(seed)).0]).collect();
    Speed {
        surface_ms: 1e3 * median_seconds(15, || run(&surface)),
        small_us: 1e6 * median_seconds(15, || small.iter().map(|slice| run(slice)).sum()) / small.len() as f64,
    }
}

fn run(class: &[SliceInput]) -> usize {
    std::hint::black_box(smooth_class(std::hint::black_box(class), &SmoothingSettings::default())).len()
}

fn median_seconds(times: u32, mut work: impl FnMut() -> usize) -> f64 {
    let mut seconds: Vec<f64> = (0..times)
        .map(|_| {
            let start = now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The skewed shape stretched in time: volatilities as they are at equal standardised moneyness, so that total variance
/// rises with time everywhere.
fn surface(slices: u32, strikes: u32) -> Vec<SliceInput> {
    let shape = &SHAPES[0];
    (0..slices)
        .map(|i| {
            let time = 0.01 + 0.03 * f64::from(i);
            let (input, _) = shape.slice(strikes, &mut Random::new(u64::from(i)));
            let stretch = (time / shape.time).sqrt();
            let moneyness = |strike: f64| closemark_pricing::math::ln(strike / input.forward);
            let strikes = input
                .strikes
                .iter()
                .map(|strike| input.forward * closemark_pricing::math::exp(stretch * moneyness(*strike)))
                .collect();
            let quotes = input
                .quotes
                .iter()
                .map(|quote| VolatilityQuote { half_spread_price: quote.half_spread_price * stretch, ..*quote })
                .collect();
            SliceInput { time_to_expiry: time, strikes, quotes, ..input }
        })
        .collect()
}
