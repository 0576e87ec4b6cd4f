//! Risk arrays: what one long contract gains or loses at ten prices of its underlying.
//!
//! Five prices stand at equal distances on either side of the underlying's, none at it; how far they reach is its
//! portfolio-margin group's range. At each the series is priced by the model, and at the volatility, of its mark.
//!
//! # Source
//! 17 CFR 240.15c3-1a and FINRA Rule 4210(g): ten equidistant valuation points, ranges by group, 0.375 per contract and
//! unit of its multiplier at least.

mod point_prices;
mod range;

pub use point_prices::{Floor, PointMark, point_prices};
pub use range::{RANGE_UNITS, Range};

use crate::price::Price;
use crate::vocabulary::OptionType;

/// Valuation points.
pub const POINTS: usize = 10;

/// The largest amount that a published decimal of 18 digits holds, millionths; larger ones are published as it.
const AMOUNT_MAX: i128 = 999_999_999_999_999_999;

/// One series' profits and losses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RiskArray {
    /// Profit or loss of one long contract against the mark at the points, ascending in the underlying's price; in its
    /// currency.
    pub points: [Price; POINTS],
    /// The volatility held; `None` where nothing determines one, and the series is worth its exercise value.
    pub volatility: Option<f64>,
}

impl RiskArray {
    /// The array of point prices per share.
    ///
    /// # Formula
    /// `multiplier (price_j - mark)`, exact in millionths; beyond 18 digits the largest amount.
    pub fn new(prices: &[i64; POINTS], mark: Price, multiplier: u32, volatility: Option<f64>) -> Self {
        let points = prices.map(|price| {
            let gain = (i128::from(price) - i128::from(mark.micros())) * i128::from(multiplier);
            Price::from_micros(gain.clamp(-AMOUNT_MAX, AMOUNT_MAX) as i64)
        });
        Self { points, volatility }
    }
}

/// Least charge for one contract, in its currency: `per_unit` times the multiplier.
pub fn minimum_charge(per_unit: f64, multiplier: u32) -> Price {
    Price::nearest(per_unit * f64::from(multiplier)).unwrap_or(Price::ZERO)
}

/// Exercise value per share, never negative.
pub(crate) fn exercise(option_type: OptionType, price: i64, strike: i64) -> i64 {
    let gain = match option_type {
        OptionType::Call => price.saturating_sub(strike),
        OptionType::Put => strike.saturating_sub(price),
    };
    gain.max(0)
}

#[cfg(test)]
mod tests {
    use super::{POINTS, RiskArray, minimum_charge};
    use crate::price::Price;

    #[test]
    fn gains_are_exact_and_bounded() {
        let array = RiskArray::new(&[1_234_567; POINTS], Price::from_micros(1_000_001), 100, None);
        assert_eq!(array.points, [Price::from_micros(23_456_600); POINTS]);
        let huge = RiskArray::new(&[i64::MAX; POINTS], Price::ZERO, 1_000_000, None);
        assert_eq!(huge.points[0].to_string(), "999999999999.999999");
        assert_eq!(minimum_charge(0.375, 100).to_string(), "37.500000");
    }
}
