//! How far the valuation points reach, by portfolio-margin group.

use super::POINTS;
use crate::price::Price;
use crate::settings::RiskSettings;
use crate::vocabulary::MarginGroup;

/// What a range is counted in: 10^-12 of the underlying's price.
pub const RANGE_UNITS: i64 = 1_000_000_000_000;
/// Points on either side.
const STEPS: i128 = POINTS as i128 / 2;
/// A leveraged fund's factor beyond this is no factor.
const FACTOR_MAX: f64 = 1000.0;

/// The farthest points, as signed shares of the underlying's price in [`RANGE_UNITS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Below zero.
    pub down: i64,
    /// Above zero.
    pub up: i64,
}

impl Range {
    /// The range of a group; `leverage` is a leveraged fund's factor, negative for an inverse fund.
    ///
    /// # Formula
    /// The group's own, a leveraged fund's times the size of its factor (a factor of zero counts as one: no point stands
    /// at the price itself).
    pub fn of(group: MarginGroup, leverage: f64, settings: &RiskSettings) -> Self {
        let factor = match group {
            MarginGroup::LeveragedFund if leverage.is_finite() && leverage != 0.0 => leverage.abs().min(FACTOR_MAX),
            _ => 1.0,
        };
        let (down, up) = match group {
            MarginGroup::Equity => (settings.equity_range, settings.equity_range),
            MarginGroup::NarrowIndex => (settings.narrow_index_range, settings.narrow_index_range),
            MarginGroup::BroadIndex => (settings.broad_index_range, settings.broad_index_range),
            MarginGroup::HighCapIndex => (settings.high_cap_index_down, settings.high_cap_index_up),
            MarginGroup::LeveragedFund => (settings.leveraged_fund_range, settings.leveraged_fund_range),
        };
        let units = |share: f64| ((share * factor * RANGE_UNITS as f64).round_ties_even() as i64).max(1);
        Self { down: -units(down), up: units(up) }
    }

    /// The ten prices of the underlying, ascending, in whole millionths (ties to even), none below zero.
    ///
    /// # Formula
    /// `S (1 + down (5..1)/5)`, then `S (1 + up (1..5)/5)`.
    pub fn prices(&self, underlying: Price) -> [Price; POINTS] {
        let mut prices = [Price::ZERO; POINTS];
        for (place, price) in prices.iter_mut().enumerate() {
            let place = place as i128;
            let (range, step) = if place < STEPS { (self.down, STEPS - place) } else { (self.up, place - STEPS + 1) };
            let whole = STEPS * i128::from(RANGE_UNITS);
            let share = whole + i128::from(range) * step;
            let moved = i128::from(underlying.micros()).checked_mul(share).map(|product| nearest(product, whole));
            *price = Price::from_micros(moved.and_then(|m| i64::try_from(m).ok()).unwrap_or(i64::MAX).max(0));
        }
        prices
    }
}

/// The nearest whole number to `numerator / denominator`, ties to even; `denominator` positive.
fn nearest(numerator: i128, denominator: i128) -> i128 {
    let (floor, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    match (2 * rest).cmp(&denominator) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Greater => floor + 1,
        std::cmp::Ordering::Equal => floor + (floor & 1),
    }
}

#[cfg(test)]
mod tests {
    use super::Range;
    use crate::price::Price;
    use crate::settings::RiskSettings;
    use crate::vocabulary::MarginGroup;

    fn texts(group: MarginGroup, leverage: f64, price: f64) -> Vec<String> {
        let range = Range::of(group, leverage, &RiskSettings::default());
        range.prices(Price::nearest(price).unwrap()).iter().map(|p| format!("{:.2}", p.to_f64())).collect()
    }

    #[test]
    fn points_of_each_group_counted_by_hand() {
        let equity = ["85.00", "88.00", "91.00", "94.00", "97.00", "103.00", "106.00", "109.00", "112.00", "115.00"];
        assert_eq!(texts(MarginGroup::Equity, 1.0, 100.0), equity);
        assert_eq!(texts(MarginGroup::NarrowIndex, 1.0, 100.0), equity);
        assert_eq!(texts(MarginGroup::BroadIndex, 1.0, 1000.0)[..2], ["900.00", "920.00"]);
        let high_cap = texts(MarginGroup::HighCapIndex, 1.0, 1000.0);
        assert_eq!(high_cap[..5], ["920.00", "936.00", "952.00", "968.00", "984.00"]);
        assert_eq!(high_cap[5..], ["1012.00", "1024.00", "1036.00", "1048.00", "1060.00"]);
    }

    #[test]
    fn leveraged_funds_move_by_the_size_of_their_factor_and_not_below_zero() {
        assert_eq!(texts(MarginGroup::LeveragedFund, -3.0, 100.0)[0], "55.00");
        assert_eq!(texts(MarginGroup::LeveragedFund, 2.0, 100.0)[9], "130.00");
        assert_eq!(texts(MarginGroup::LeveragedFund, 10.0, 100.0)[..3], ["0.00", "0.00", "10.00"]);
        // An equity's leverage is not asked for, and none is none.
        assert_eq!(texts(MarginGroup::Equity, 3.0, 100.0)[0], "85.00");
        assert_eq!(texts(MarginGroup::LeveragedFund, 0.0, 100.0)[0], "85.00");
        assert_eq!(texts(MarginGroup::LeveragedFund, f64::NAN, 100.0)[0], "85.00");
    }

    #[test]
    fn halves_of_a_millionth_go_to_the_even_neighbour() {
        let range = Range { down: -500_000_000_000, up: 500_000_000_000 };
        let prices = range.prices(Price::from_micros(5)).map(Price::micros);
        // 2.5, 3, 3.5, 4, 4.5, 5.5, 6, 6.5, 7, 7.5
        assert_eq!(prices, [2, 3, 4, 4, 4, 6, 6, 6, 7, 8]);
    }
}
