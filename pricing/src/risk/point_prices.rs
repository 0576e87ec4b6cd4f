//! From model prices to the whole millionths that an array is counted in.

use super::{POINTS, exercise};
use crate::price::Price;
use crate::vocabulary::OptionType;

/// 10^-12, what discount factors are counted in.
const UNIT: i128 = 1_000_000_000_000;

/// What a point price may not be below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Floor {
    /// `max(0, +-(S' - K))`.
    American,
    /// `D max(0, +-(F' - K))` with `F' = F S'/S`.
    European {
        /// `D F` in millionths.
        forward_present_value: i64,
        /// `D` in 10^-12.
        discount_factor: i64,
    },
}

/// The series and its mark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointMark {
    /// Call or put.
    pub option_type: OptionType,
    /// Strike per share of the deliverable.
    pub strike: Price,
    /// Price of one share of the deliverable.
    pub underlying: Price,
    /// The mark.
    pub mark: Price,
    /// What bounds it.
    pub floor: Floor,
}

/// Prices at the ten points in millionths per share, from the model's (`None` where it has none) at `moved`, the
/// prices of one share of the deliverable, ascending.
///
/// # Formula
/// The nearest millionth, at least the exercise value; from the mark outward each price is no lower (on the side where
/// the series gains) and no higher (on the other) than the one before, so that rounding and the model's last digits
/// never make a series gain where it must lose. Where the mark itself lies below the exercise value at a point, that
/// value stands. Without a model's price the exercise value serves.
pub fn point_prices(series: &PointMark, moved: &[Price; POINTS], model: &[Option<f64>]) -> [i64; POINTS] {
    let mut prices = [0; POINTS];
    for (place, price) in prices.iter_mut().enumerate() {
        let at = moved.get(place).copied().unwrap_or(series.underlying);
        let floor = floor(series, at);
        let modelled = model.get(place).copied().flatten().and_then(Price::nearest).map_or(floor, Price::micros);
        *price = modelled.max(floor);
    }
    let (down, up) = prices.split_at_mut(POINTS / 2);
    let (losing, gaining): (Vec<&mut i64>, Vec<&mut i64>) = match series.option_type {
        OptionType::Call => (down.iter_mut().rev().collect(), up.iter_mut().collect()),
        OptionType::Put => (up.iter_mut().collect(), down.iter_mut().rev().collect()),
    };
    let mut last = series.mark.micros();
    for price in gaining {
        *price = (*price).max(last);
        last = *price;
    }
    let mut floors = losing_floors(series, moved).into_iter();
    last = series.mark.micros();
    for price in losing {
        *price = (*price).min(last).max(floors.next().unwrap_or(0));
        last = *price;
    }
    prices
}

/// Floors of the points where the series loses, from the mark outward.
fn losing_floors(series: &PointMark, moved: &[Price; POINTS]) -> Vec<i64> {
    let (down, up) = moved.split_at(POINTS / 2);
    match series.option_type {
        OptionType::Call => down.iter().rev().map(|at| floor(series, *at)).collect(),
        OptionType::Put => up.iter().map(|at| floor(series, *at)).collect(),
    }
}

fn floor(series: &PointMark, at: Price) -> i64 {
    match series.floor {
        Floor::American => exercise(series.option_type, at.micros(), series.strike.micros()),
        Floor::European { forward_present_value, discount_factor } => {
            discounted(series, at, forward_present_value, discount_factor).unwrap_or(0)
        }
    }
}

/// `ceil(max(0, +-(A S'/S - D K)))`; `None` where the numbers are too large.
fn discounted(series: &PointMark, at: Price, forward_present_value: i64, discount_factor: i64) -> Option<i64> {
    let (s, k) = (i128::from(series.underlying.micros()), i128::from(series.strike.micros()));
    let moved = i128::from(forward_present_value).checked_mul(at.micros().into())?.checked_mul(UNIT)?;
    let paid = i128::from(discount_factor).checked_mul(k)?.checked_mul(s)?;
    let gain = match series.option_type {
        OptionType::Call => moved.checked_sub(paid)?,
        OptionType::Put => paid.checked_sub(moved)?,
    };
    let unit = s.checked_mul(UNIT).filter(|unit| *unit > 0)?;
    i64::try_from(-(-gain.max(0)).div_euclid(unit)).ok()
}

#[cfg(test)]
mod tests {
    use super::{Floor, PointMark, point_prices};
    use crate::price::Price;
    use crate::vocabulary::OptionType;

    fn moved() -> [Price; 10] {
        [85, 88, 91, 94, 97, 103, 106, 109, 112, 115].map(|p| Price::from_micros(p * 1_000_000))
    }

    fn series(option_type: OptionType, mark: i64, floor: Floor) -> PointMark {
        let at = |micros| Price::from_micros(micros);
        PointMark { option_type, strike: at(100_000_000), underlying: at(100_000_000), mark: at(mark), floor }
    }

    #[test]
    fn nothing_known_is_the_exercise_value() {
        let put = series(OptionType::Put, 0, Floor::American);
        let wanted = [15, 12, 9, 6, 3, 0, 0, 0, 0, 0].map(|p| p * 1_000_000);
        assert_eq!(point_prices(&put, &moved(), &[None; 10]), wanted);
    }

    #[test]
    fn the_mark_and_the_points_are_in_order_whatever_the_model_says() {
        let call = series(OptionType::Call, 2_000_000, Floor::American);
        let model = [0.1, 0.05, 0.3, 0.2, 2.1, 1.9, 7.0, 6.5, 13.0, 15.2].map(Some);
        let wanted =
            [50_000, 50_000, 200_000, 200_000, 2_000_000, 3_000_000, 7_000_000, 9_000_000, 13_000_000, 15_200_000];
        assert_eq!(point_prices(&call, &moved(), &model), wanted);
    }

    #[test]
    fn european_floors_are_discounted_and_rounded_up() {
        // A = 99, D = 0.97: at S' = 115 the call's floor is 99 * 1.15 - 97 = 16.85.
        let floor = Floor::European { forward_present_value: 99_000_000, discount_factor: 970_000_000_000 };
        let call = point_prices(&series(OptionType::Call, 0, floor), &moved(), &[None; 10]);
        assert_eq!((call[9], call[4]), (16_850_000, 0));
        // A third of a millionth is one.
        let fine = Floor::European { forward_present_value: 97_000_000, discount_factor: 970_000_000_000 };
        let mut odd = series(OptionType::Call, 0, fine);
        odd.underlying = Price::from_micros(99_999_999);
        assert_eq!(point_prices(&odd, &moved(), &[None; 10])[9], 14_550_002);
    }
}
