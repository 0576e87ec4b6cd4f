//! Arbitrage in real-valued prices, counted by kind: how broken the quotes were before anything was done to them.
//!
//! What is published is proven in integers elsewhere and shares nothing with this. Each listed point counts at most
//! once per kind, against its neighbours in the given prices, so that one bad quote is a handful of violations.

use crate::mark::ViolationCounts;
use crate::vocabulary::ExerciseStyle;

/// One slice's prices, of any quality. `None` is no price.
#[derive(Clone, Copy, Debug)]
pub struct PriceSlice<'a> {
    /// American or European; slices of one class share it.
    pub exercise_style: ExerciseStyle,
    /// Ascending strikes, currency per share.
    pub strikes: &'a [f64],
    /// Call prices by strike.
    pub call: &'a [Option<f64>],
    /// Put prices by strike.
    pub put: &'a [Option<f64>],
    /// Discount factor to expiry (European).
    pub discount_factor: f64,
    /// `A = D F` (European).
    pub forward_present_value: f64,
    /// Upper bound of `C - P + K Dmin` (American).
    pub parity_upper: f64,
    /// Lower bound of `C - P + K Dmax` (American).
    pub parity_lower: f64,
    /// Least `D(t)` over the life (American).
    pub discount_factor_min: f64,
    /// Largest `D(t)` over the life (American).
    pub discount_factor_max: f64,
    /// Whether calendar conditions tie it to other slices.
    pub calendar: bool,
}

/// Counts the violations of each slice of one class, ascending in time; those between two slices count in the
/// earlier one.
///
/// # Formula
/// With prices `y` at `x` (American: premium and strike; European: price over `A` and strike over forward, so that
/// every slope limit is 1):
/// vertical, `-1 <= dC/dx <= 0` and `0 <= dP/dx <= 1` between neighbours;
/// butterfly, `y_i` above the chord of its neighbours;
/// calendar, `y(x, T1)` above `y(x, T2)` or above the chord of the next slice that has prices around `x`;
/// parity, American `C - P` outside `[L - K Dmax, U - K Dmin]`, European `C - P` away from `A - D K`.
///
/// # Units
/// `tolerance` in currency per share: half a tick for quotes, because equal penny quotes make false violations. Each
/// price may be wrong by that much; European parity, an equality, may be wrong by it on both sides.
///
/// # Domain
/// Prices that are not finite count as none. Lists of different lengths are read to the shortest.
pub fn count_violations(slices: &[PriceSlice<'_>], tolerance: f64) -> Vec<ViolationCounts> {
    let curves: Vec<[Curve; 2]> = slices.iter().map(|s| [Curve::new(s, true), Curve::new(s, false)]).collect();
    let mut out = Vec::with_capacity(slices.len());
    for (t, (slice, pair)) in slices.iter().zip(&curves).enumerate() {
        let mut counts = ViolationCounts::default();
        for (side, curve) in pair.iter().enumerate() {
            counts.vertical += curve.slope_violations(side == 0, tolerance);
            counts.butterfly += curve.chord_violations(tolerance);
            if slice.calendar {
                let later = slices.iter().zip(&curves).skip(t + 1).filter(|(s, _)| s.calendar);
                let later: Vec<&Curve> = later.filter_map(|(_, pair)| pair.get(side)).collect();
                counts.calendar += curve.calendar_violations(&later, tolerance);
            }
        }
        counts.parity = parity_violations(slice, tolerance);
        out.push(counts);
    }
    out
}

/// Prices of one type in the coordinate in which slices compare.
struct Curve {
    points: Vec<(f64, f64)>,
    /// Currency per unit of `y`.
    unit: f64,
}

impl Curve {
    fn new(slice: &PriceSlice<'_>, call: bool) -> Self {
        let (x_unit, unit) = match slice.exercise_style {
            ExerciseStyle::American => (1.0, 1.0),
            ExerciseStyle::European => {
                (slice.forward_present_value / slice.discount_factor, slice.forward_present_value)
            }
        };
        let marks = if call { slice.call } else { slice.put };
        let points = slice
            .strikes
            .iter()
            .zip(marks)
            .filter_map(|(&k, p)| Some((k / x_unit, (*p)? / unit)))
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .collect();
        Self { points, unit }
    }

    fn slope_violations(&self, call: bool, tolerance: f64) -> u32 {
        let slack = tolerance / self.unit;
        let broken = |w: &&[(f64, f64)]| match w {
            [(x0, y0), (x1, y1)] => {
                let (rise, run) = (if call { y0 - y1 } else { y1 - y0 }, x1 - x0);
                rise < -slack || rise > run + slack
            }
            _ => false,
        };
        count(self.points.windows(2).filter(broken))
    }

    fn chord_violations(&self, tolerance: f64) -> u32 {
        let slack = tolerance / self.unit;
        let broken = |w: &&[(f64, f64)]| match w {
            [left, (x, y), right] => chord(*left, *right, *x).is_some_and(|c| *y > c + slack),
            _ => false,
        };
        count(self.points.windows(3).filter(broken))
    }

    fn calendar_violations(&self, later: &[&Self], tolerance: f64) -> u32 {
        let slack = tolerance / self.unit;
        let broken = |&&(x, y): &&(f64, f64)| later.iter().find_map(|c| c.value(x)).is_some_and(|c| y > c + slack);
        count(self.points.iter().filter(broken))
    }

    /// The price at `x`, or the chord there; `None` outside the prices.
    fn value(&self, x: f64) -> Option<f64> {
        let place = self.points.partition_point(|p| p.0 < x);
        let right = *self.points.get(place)?;
        if right.0 == x {
            return Some(right.1);
        }
        chord(*self.points.get(place.checked_sub(1)?)?, right, x)
    }
}

fn chord(left: (f64, f64), right: (f64, f64), x: f64) -> Option<f64> {
    let run = right.0 - left.0;
    (run > 0.0).then(|| left.1 + (right.1 - left.1) * ((x - left.0) / run))
}

fn parity_violations(slice: &PriceSlice<'_>, tolerance: f64) -> u32 {
    let prices = slice.strikes.iter().zip(slice.call.iter().zip(slice.put));
    let broken = |&(&k, (&call, &put)): &(&f64, (&Option<f64>, &Option<f64>))| {
        let (Some(call), Some(put)) = (call, put) else { return false };
        let difference = call - put;
        let (low, high) = match slice.exercise_style {
            ExerciseStyle::American => {
                (slice.parity_lower - k * slice.discount_factor_max, slice.parity_upper - k * slice.discount_factor_min)
            }
            ExerciseStyle::European => {
                let fair = slice.forward_present_value - slice.discount_factor * k;
                (fair, fair)
            }
        };
        difference < low - 2.0 * tolerance || difference > high + 2.0 * tolerance
    };
    count(prices.filter(broken))
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{PriceSlice, count_violations};
    use crate::mark::ViolationCounts;
    use crate::vocabulary::ExerciseStyle;

    const STRIKES: [f64; 4] = [90.0, 95.0, 100.0, 105.0];

    fn american<'a>(call: &'a [Option<f64>], put: &'a [Option<f64>]) -> PriceSlice<'a> {
        PriceSlice {
            exercise_style: ExerciseStyle::American,
            strikes: &STRIKES,
            call,
            put,
            discount_factor: 1.0,
            forward_present_value: 100.0,
            parity_upper: 100.0,
            parity_lower: 100.0,
            discount_factor_min: 0.99,
            discount_factor_max: 1.0,
            calendar: true,
        }
    }

    const NONE: [Option<f64>; 4] = [None; 4];
    const CALLS: [Option<f64>; 4] = [Some(11.0), Some(6.8), Some(3.5), Some(1.5)];

    #[test]
    fn a_clean_slice_has_none() {
        let puts = [Some(0.5), Some(1.4), Some(3.0), Some(6.1)];
        assert_eq!(count_violations(&[american(&CALLS, &puts)], 0.0), [ViolationCounts::default()]);
    }

    #[test]
    fn each_kind_is_counted_once() {
        let rising = [Some(11.0), Some(6.8), None, Some(6.9)];
        assert_eq!(count_violations(&[american(&rising, &NONE)], 0.005)[0].vertical, 1);
        let bump = [Some(11.0), Some(8.0), Some(3.5), Some(1.5)];
        assert_eq!(count_violations(&[american(&bump, &NONE)], 0.005)[0].butterfly, 1);
        let cheaper = [Some(11.0), Some(6.8), Some(3.4), Some(1.5)];
        let counts = count_violations(&[american(&CALLS, &NONE), american(&cheaper, &NONE)], 0.005);
        assert_eq!((counts[0].calendar, counts[1].calendar), (1, 0));
        let puts = [Some(0.5), Some(1.4), Some(5.0), None];
        assert_eq!(count_violations(&[american(&CALLS, &puts)], 0.005)[0].parity, 1);
    }

    #[test]
    fn european_slices_compare_at_equal_moneyness() {
        // Twice the forward, twice the strikes, twice the prices: the same picture.
        let doubled = STRIKES.map(|k| 2.0 * k);
        let twice = CALLS.map(|c| c.map(|c| 2.0 * c));
        let european = |strikes, call, a| PriceSlice {
            exercise_style: ExerciseStyle::European,
            strikes,
            forward_present_value: a,
            ..american(call, &NONE)
        };
        let (one, two) = (european(&STRIKES, &CALLS, 100.0), european(&doubled, &twice, 200.0));
        assert_eq!(count_violations(&[one, two], 1e-9)[0].calendar, 0);
        assert_eq!(count_violations(&[two, one], 1e-9)[0].calendar, 0);
        let dearer = twice.map(|c| c.map(|c| c + 0.1));
        assert_eq!(count_violations(&[european(&doubled, &dearer, 200.0), one], 1e-9)[0].calendar, 4);
    }

    #[test]
    fn penny_quotes_are_within_half_a_tick() {
        let equal = [Some(0.02), Some(0.02), Some(0.02), Some(0.015)];
        assert_eq!(count_violations(&[american(&equal, &NONE)], 0.005)[0].butterfly, 0);
        assert_eq!(count_violations(&[american(&equal, &NONE)], 0.0)[0].butterfly, 1);
    }

    #[test]
    fn garbage_is_counted_without_a_panic() {
        let bad = [Some(f64::NAN), Some(f64::INFINITY), Some(-1.0), None];
        let mut slice = american(&bad, &bad);
        slice.exercise_style = ExerciseStyle::European;
        slice.forward_present_value = 0.0;
        assert_eq!(count_violations(&[slice, slice], 0.0).len(), 2);
    }
}
