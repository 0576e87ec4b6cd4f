//! Tables of American prices in Ju 1998 ("Pricing an American option by approximating its early exercise boundary as a
//! multipiece exponential function"), after Geske and Johnson 1984 and Broadie and Detemple 1996: the columns of true
//! values, which are binomial ones rounded to thousandths.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use closemark_pricing::vocabulary::OptionType;

use common::american_slice as slice;

mod common;

/// Half a unit of the last digit printed, and what the binomial trees behind it leave.
const ROUNDING: f64 = 8e-4;

#[test]
fn puts_of_geske_and_johnson_1984() {
    // S = 40, r = 4.88 %; values at 0.0833, 0.3333 and 0.5833 years.
    let rows = [
        (35.0, 0.2, [0.006, 0.200, 0.433]),
        (40.0, 0.2, [0.852, 1.580, 1.990]),
        (45.0, 0.2, [5.000, 5.088, 5.267]),
        (35.0, 0.3, [0.077, 0.698, 1.220]),
        (40.0, 0.3, [1.310, 2.483, 3.170]),
        (45.0, 0.3, [5.060, 5.706, 6.244]),
        (35.0, 0.4, [0.247, 1.346, 2.155]),
        (40.0, 0.4, [1.768, 3.387, 4.353]),
        (45.0, 0.4, [5.287, 6.510, 7.383]),
    ];
    for (strike, sigma, values) in rows {
        for (time, value) in [0.0833, 0.3333, 0.5833].into_iter().zip(values) {
            let price = slice(40.0, time, 0.0488, 0.0).price(OptionType::Put, strike, sigma).unwrap();
            assert!((price - value).abs() < ROUNDING, "{strike} {sigma} {time}: {price} {value}");
        }
    }
}

/// K = 100; values at S = 80, 90, 100, 110, 120.
fn calls(time: f64, rows: &[(f64, f64, f64, [f64; 5])]) {
    for &(rate, dividend_yield, sigma, values) in rows {
        for (spot, value) in [80.0, 90.0, 100.0, 110.0, 120.0].into_iter().zip(values) {
            let price = slice(spot, time, rate, dividend_yield).price(OptionType::Call, 100.0, sigma).unwrap();
            assert!((price - value).abs() < ROUNDING, "{rate} {dividend_yield} {sigma} {spot}: {price} {value}");
        }
    }
}

#[test]
fn half_year_calls_of_broadie_and_detemple_1996() {
    calls(
        0.5,
        &[
            (0.03, 0.07, 0.2, [0.219, 1.386, 4.783, 11.098, 20.000]),
            (0.03, 0.07, 0.4, [2.689, 5.722, 10.239, 16.181, 23.360]),
            (0.00, 0.07, 0.3, [1.037, 3.123, 7.035, 12.955, 20.717]),
            (0.07, 0.03, 0.3, [1.664, 4.495, 9.251, 15.798, 23.706]),
        ],
    );
}

#[test]
fn three_year_calls_of_broadie_and_detemple_1996() {
    calls(
        3.0,
        &[
            (0.03, 0.07, 0.2, [2.580, 5.167, 9.066, 14.443, 21.414]),
            (0.03, 0.07, 0.4, [11.326, 15.722, 20.793, 26.495, 32.781]),
            (0.00, 0.07, 0.3, [5.518, 8.842, 13.142, 18.453, 24.791]),
            (0.07, 0.03, 0.3, [12.145, 17.368, 23.348, 29.964, 37.104]),
        ],
    );
}
