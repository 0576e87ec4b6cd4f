//! The ten points of one series, in whole millionths.

use super::report::Kind;
use super::risk_arrays::text;

/// 10^-12, what ranges and discount factors are counted in.
const UNIT: i128 = 1_000_000_000_000;
/// A gain of 18 digits stands for larger ones as well.
const SATURATED: i64 = 999_999_999_999_999_999;

/// What a series' point prices depend on.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) call: bool,
    pub(super) american: bool,
    pub(super) expired: bool,
    /// One unit delivers one share of the underlying.
    pub(super) standard: bool,
    pub(super) strike: i64,
    pub(super) mark: i64,
    pub(super) underlying_price: Option<i64>,
    pub(super) forward_present_value: Option<i64>,
    pub(super) discount_factor: Option<i64>,
}

/// Prices per share from gains per contract; `None` where one is not whole. A saturated gain has no price.
pub(super) fn prices(gains: &[i64], multiplier: i64, mark: i64) -> Option<Vec<Option<i64>>> {
    gains
        .iter()
        .map(|&gain| {
            if gain.abs() == SATURATED {
                return Some(None);
            }
            let whole = multiplier > 0 && gain % multiplier == 0;
            whole.then(|| mark.checked_add(gain / multiplier)).flatten().map(Some)
        })
        .collect()
}

/// Checks the prices of one series; returns how many conditions were asked.
pub(super) fn check(
    terms: &Terms,
    range: (i64, i64),
    prices: &[Option<i64>],
    wrong: &mut dyn FnMut(Kind, String),
) -> u64 {
    let mut conditions = 0;
    let base = if terms.expired { settled_at(terms) } else { terms.underlying_price };
    for (place, price) in prices.iter().enumerate() {
        let Some(price) = *price else { continue };
        conditions += 1;
        if price < 0 {
            wrong(Kind::Bounds, format!("point_{} at {}", place + 1, text(price)));
        }
        let Some(at) = base.filter(|_| terms.standard).and_then(|s| moved(s, range, place)) else { continue };
        conditions += 1;
        match least(terms, at) {
            Some(least) if terms.expired && i128::from(price) != least => {
                wrong(Kind::Intrinsic, format!("point_{} at {}, expiring it is worth {least}", place + 1, text(price)));
            }
            // Prices of 10^-6 and least values of 10^-18 times the underlying's price.
            Some(least) if i128::from(price) < least => {
                wrong(Kind::Intrinsic, format!("point_{} at {}, below exercise at {least}", place + 1, text(price)));
            }
            Some(_) => {}
            None => wrong(Kind::Arithmetic, format!("point_{} is too large to be checked", place + 1)),
        }
    }
    let known: Vec<i64> = prices.iter().flatten().copied().collect();
    for pair in known.windows(2) {
        let [a, b] = pair else { continue };
        conditions += 1;
        let falls = if terms.call { a > b } else { a < b };
        if falls {
            wrong(Kind::Vertical, format!("points not monotone: {} then {}", text(*a), text(*b)));
        }
    }
    conditions + beside_the_mark(terms, range, base, prices, wrong)
}

/// The nearest points embrace the mark, unless the exercise value at one of them already lies beyond it.
fn beside_the_mark(
    terms: &Terms,
    range: (i64, i64),
    base: Option<i64>,
    prices: &[Option<i64>],
    wrong: &mut dyn FnMut(Kind, String),
) -> u64 {
    let half = prices.len() / 2;
    let (losing, gaining) = if terms.call { (half.wrapping_sub(1), half) } else { (half, half.wrapping_sub(1)) };
    let at = |place: usize| prices.get(place).copied().flatten();
    if at(gaining).is_some_and(|price| price < terms.mark) {
        wrong(Kind::Vertical, format!("point_{} gains nothing and lies below the mark", gaining + 1));
    }
    let exercise = base.and_then(|s| moved(s, range, losing)).and_then(|at| least(terms, at));
    let limit = exercise.unwrap_or(i128::MAX).max(terms.mark.into());
    let limit = if terms.standard { limit } else { i128::from(terms.mark) };
    if at(losing).is_some_and(|price| i128::from(price) > limit) {
        wrong(Kind::Vertical, format!("point_{} loses nothing and lies above the mark", losing + 1));
    }
    2
}

/// The price that an expiring series' mark was settled at, where the mark tells.
fn settled_at(terms: &Terms) -> Option<i64> {
    let price = if terms.call { terms.strike.checked_add(terms.mark) } else { terms.strike.checked_sub(terms.mark) };
    price.filter(|_| terms.mark > 0)
}

/// `S (1 + range step / 5)` in whole millionths, ties to even, not below zero.
fn moved(s: i64, range: (i64, i64), place: usize) -> Option<i64> {
    let place = i128::try_from(place).ok()?;
    let share = if place < 5 { i128::from(range.0) * (5 - place) } else { i128::from(range.1) * (place - 4) };
    let numerator = i128::from(s).checked_mul(5 * UNIT + share)?.max(0);
    let (whole, rest) = (numerator / (5 * UNIT), numerator % (5 * UNIT));
    let up = 2 * rest > 5 * UNIT || (2 * rest == 5 * UNIT && whole % 2 == 1);
    i64::try_from(whole + i128::from(up)).ok()
}

/// The least whole price at an underlying's price of `at`; `None` where the numbers are too large or missing.
fn least(terms: &Terms, at: i64) -> Option<i128> {
    let (at, k) = (i128::from(at), i128::from(terms.strike));
    let sign = if terms.call { 1 } else { -1 };
    if terms.american || terms.expired {
        return Some((sign * (at - k)).max(0));
    }
    let (Some(a), Some(d)) = (terms.forward_present_value, terms.discount_factor) else { return Some(0) };
    let s = i128::from(terms.underlying_price?);
    let forward = i128::from(a).checked_mul(at)?.checked_mul(UNIT)?;
    let strike = i128::from(d).checked_mul(k)?.checked_mul(s)?;
    let gain = (sign * forward.checked_sub(strike)?).max(0);
    let unit = s.checked_mul(UNIT).filter(|u| *u > 0)?;
    Some((gain + unit - 1) / unit)
}

#[cfg(test)]
mod tests {
    use super::{Kind, Terms, check, moved, prices};

    fn call(mark: i64) -> Terms {
        Terms {
            call: true,
            american: true,
            expired: false,
            standard: true,
            strike: 100_000_000,
            mark,
            underlying_price: Some(100_000_000),
            forward_present_value: None,
            discount_factor: None,
        }
    }

    const RANGE: (i64, i64) = (-150_000_000_000, 150_000_000_000);

    fn found(terms: &Terms, per_share: [i64; 10]) -> Vec<Kind> {
        let gains = per_share.map(|p| (p - terms.mark) * 100);
        let mut kinds = Vec::new();
        let prices = prices(&gains, 100, terms.mark).unwrap();
        check(terms, RANGE, &prices, &mut |kind, _| kinds.push(kind));
        kinds
    }

    #[test]
    fn a_sound_array_holds_and_each_fault_is_named() {
        let sound = [0, 0, 10_000, 90_000, 700_000, 3_900_000, 6_400_000, 9_100_000, 12_000_000, 15_000_000];
        assert_eq!(found(&call(2_000_000), sound), []);
        let fault = |place: usize, price: i64| {
            let mut array = sound;
            array[place] = price;
            found(&call(2_000_000), array)
        };
        assert_eq!(fault(9, 14_999_999), [Kind::Intrinsic]);
        assert_eq!(fault(0, -1), [Kind::Bounds, Kind::Intrinsic]);
        assert_eq!(fault(1, 10_001), [Kind::Vertical]);
        assert_eq!(fault(4, 2_000_001), [Kind::Vertical]);
        assert_eq!(found(&call(3_950_000), sound), [Kind::Vertical]);
        assert_eq!(prices(&[150], 100, 7), None);
    }

    #[test]
    fn expiring_series_are_worth_what_they_are_exercised_for() {
        let terms = Terms { expired: true, strike: 90_000_000, ..call(10_000_000) };
        let exact = [0, 0, 1, 4, 7, 13, 16, 19, 22, 25].map(|p| p * 1_000_000);
        assert_eq!(found(&terms, exact), []);
        let mut over = exact;
        over[7] += 1;
        assert_eq!(found(&terms, over), [Kind::Intrinsic]);
    }

    #[test]
    fn points_are_whole_millionths_ties_to_even() {
        let half = (-500_000_000_000, 500_000_000_000);
        let places: Vec<i64> = (0..10).filter_map(|p| moved(5, half, p)).collect();
        assert_eq!(places, [2, 3, 4, 4, 4, 6, 6, 6, 7, 8]);
    }
}
