//! The hot kernels of the models, as functions to run so many times: for criterion's clock and for instruction counts.

use std::hint::black_box;

use closemark_pricing::models::{Accuracy, ModelDividend, ModelInput, PricedOption, SliceModel, black};
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType};

/// A kernel: its name, what one unit of it is, and the function that runs so many units.
pub struct Kernel {
    /// Name on the command line and in the tables.
    pub name: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// Runs at least so many units and returns how many.
    pub run: fn(usize) -> usize,
}

/// All of them, in the order of the tables.
pub const KERNELS: [Kernel; 12] = [
    Kernel { name: "european-price", unit: "price, scalar", run: european_price },
    Kernel { name: "european-price-batch", unit: "price in a batch", run: european_price_batch },
    Kernel { name: "european-iv", unit: "volatility, scalar", run: european_iv },
    Kernel { name: "european-iv-batch", unit: "volatility in a batch", run: european_iv_batch },
    Kernel { name: "american-price-alone", unit: "price with its boundary", run: american_alone },
    Kernel { name: "american-price-fine", unit: "price with its boundary, fine", run: american_fine },
    Kernel { name: "american-price-shared", unit: "price on a solved slice", run: american_shared },
    Kernel { name: "american-iv", unit: "volatility, 40 strikes, boundaries included", run: american_iv },
    Kernel { name: "american-greeks", unit: "five sensitivities on a solved slice", run: american_greeks },
    Kernel { name: "dividend-price", unit: "price, 40 strikes, three dividends", run: dividend_price },
    Kernel { name: "dividend-iv", unit: "volatility, 40 strikes, three dividends", run: dividend_iv },
    Kernel { name: "dividend-greeks", unit: "five sensitivities, 40 strikes, three dividends", run: dividend_greeks },
];

const SPOT: f64 = 100.0;
const RATE: f64 = 0.04;
const BORROW: f64 = 0.015;
const STRIKES: usize = 40;

/// A slice of the given style, a quarter of a year long.
pub fn slice(exercise_style: ExerciseStyle) -> SliceModel {
    let time = 0.25;
    SliceModel::new(ModelInput {
        exercise_style,
        spot: SPOT,
        time_to_expiry: time,
        discount_factor: libm::exp(-RATE * time),
        borrow: BORROW,
        forward: SPOT * libm::exp((RATE - BORROW) * time),
        dividends: Vec::new(),
    })
}

/// An American slice of nine months with a dividend in each quarter.
fn paying_slice() -> SliceModel {
    let time = 0.75;
    let dividends: Vec<ModelDividend> =
        [0.1, 0.35, 0.6].map(|time| ModelDividend { time, amount: 0.5 }).into_iter().collect();
    let carry = RATE - BORROW;
    let paid: f64 = dividends.iter().map(|paid| paid.amount * libm::exp(carry * (time - paid.time))).sum();
    SliceModel::new(ModelInput {
        exercise_style: ExerciseStyle::American,
        spot: SPOT,
        time_to_expiry: time,
        discount_factor: libm::exp(-RATE * time),
        borrow: BORROW,
        forward: SPOT * libm::exp(carry * time) - paid,
        dividends,
    })
}

/// Strikes from 70 to 130 with a skewed smile.
fn smile() -> (Vec<f64>, Vec<f64>) {
    let strikes: Vec<f64> = (0..STRIKES).map(|i| 70.0 + 60.0 * i as f64 / (STRIKES - 1) as f64).collect();
    let sigmas = strikes.iter().map(|k| 0.28 - 0.25 * libm::log(k / SPOT)).collect();
    (strikes, sigmas)
}

fn out_of_the_money(strike: f64) -> OptionType {
    if strike < SPOT { OptionType::Put } else { OptionType::Call }
}

/// Rounds of a slice's strikes.
fn rounds(count: usize) -> usize {
    count.div_ceil(STRIKES)
}

fn european_price(count: usize) -> usize {
    let (model, (strikes, sigmas)) = (slice(ExerciseStyle::European), smile());
    for _ in 0..rounds(count) {
        for (strike, sigma) in strikes.iter().zip(&sigmas) {
            black_box(model.price(OptionType::Call, black_box(*strike), *sigma));
        }
    }
    rounds(count) * STRIKES
}

fn european_price_batch(count: usize) -> usize {
    let (model, (strikes, sigmas)) = (slice(ExerciseStyle::European), smile());
    let mut out = vec![0.0; STRIKES];
    for _ in 0..rounds(count) {
        black_box(model.prices(OptionType::Call, black_box(&strikes), &sigmas, &mut out));
    }
    rounds(count) * STRIKES
}

/// Quotes whose volatilities are the smile's: puts, or calls.
fn quotes(model: &SliceModel, option_type: OptionType) -> Vec<PricedOption> {
    let (strikes, sigmas) = smile();
    let each = strikes.into_iter().zip(sigmas);
    each.filter_map(|(strike, sigma)| {
        Some(PricedOption { strike, price: model.price(option_type, strike, sigma)?, half_spread: 0.01 })
    })
    .collect()
}

fn european_iv(count: usize) -> usize {
    let model = slice(ExerciseStyle::European);
    let quotes = quotes(&model, OptionType::Put);
    let ModelInput { forward, time_to_expiry, discount_factor, .. } = *model.input();
    for _ in 0..rounds(count) {
        for q in black_box(&quotes) {
            black_box(black::implied_volatility(
                OptionType::Put,
                forward,
                q.strike,
                time_to_expiry,
                q.price,
                discount_factor,
                q.half_spread,
            ));
        }
    }
    rounds(count) * quotes.len()
}

fn european_iv_batch(count: usize) -> usize {
    let model = slice(ExerciseStyle::European);
    let quotes = quotes(&model, OptionType::Put);
    for _ in 0..rounds(count) {
        black_box(model.implied_volatilities(OptionType::Put, black_box(&quotes)));
    }
    rounds(count) * quotes.len()
}

fn alone(count: usize, accuracy: Accuracy) -> usize {
    for i in 0..count {
        let model = slice(ExerciseStyle::American);
        let strike = 80.0 + (i % 41) as f64;
        black_box(model.priced_alone(OptionType::Put, black_box(strike), 0.3, accuracy));
    }
    count
}

fn american_alone(count: usize) -> usize {
    alone(count, Accuracy::Standard)
}

fn american_fine(count: usize) -> usize {
    alone(count, Accuracy::Fine)
}

fn american_shared(count: usize) -> usize {
    let (model, (strikes, sigmas)) = (slice(ExerciseStyle::American), smile());
    let mut out = vec![0.0; STRIKES];
    for _ in 0..rounds(count) {
        black_box(model.prices(OptionType::Put, black_box(&strikes), &sigmas, &mut out));
    }
    rounds(count) * STRIKES
}

fn american_iv(count: usize) -> usize {
    let quotes = quotes(&slice(ExerciseStyle::American), OptionType::Put);
    for _ in 0..rounds(count) {
        let model = slice(ExerciseStyle::American);
        black_box(model.implied_volatilities(OptionType::Put, black_box(&quotes)));
    }
    rounds(count) * quotes.len()
}

fn american_greeks(count: usize) -> usize {
    let (model, (strikes, sigmas)) = (slice(ExerciseStyle::American), smile());
    for _ in 0..rounds(count) {
        for (strike, sigma) in strikes.iter().zip(&sigmas) {
            black_box(model.greeks(out_of_the_money(*strike), black_box(*strike), *sigma));
        }
    }
    rounds(count) * STRIKES
}

fn dividend_price(count: usize) -> usize {
    let (strikes, sigmas) = smile();
    let mut out = vec![0.0; STRIKES];
    for _ in 0..rounds(count) {
        black_box(paying_slice().prices(OptionType::Put, black_box(&strikes), &sigmas, &mut out));
    }
    rounds(count) * STRIKES
}

fn dividend_iv(count: usize) -> usize {
    let quotes = quotes(&paying_slice(), OptionType::Put);
    for _ in 0..rounds(count) {
        black_box(paying_slice().implied_volatilities(OptionType::Put, black_box(&quotes)));
    }
    rounds(count) * quotes.len()
}

fn dividend_greeks(count: usize) -> usize {
    let (strikes, sigmas) = smile();
    for _ in 0..rounds(count) {
        black_box(paying_slice().greeks_many(OptionType::Put, black_box(&strikes), &sigmas));
    }
    rounds(count) * STRIKES
}
