//! The life of a slice cut at its ex-dates, with where the price probably is in each part.

use crate::math::{exp, ln};
use crate::models::ModelInput;

/// Two ex-dates (or an ex-date and expiry) closer than this are one event; years (0.3 seconds).
const SAME_INSTANT: f64 = 1e-8;
/// The largest factor by which one dividend may widen the log-price distribution before the grid gives in.
const MAGNIFICATION_MAX: f64 = 12.0;

/// A stretch of time without dividends, ending at an ex-date or at expiry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Period {
    /// Years from the snapshot to its beginning.
    pub(crate) start: f64,
    /// Years from the snapshot to its end.
    pub(crate) end: f64,
    /// Cash that drops at its end (at expiry: with the payoff).
    pub(crate) dividend: f64,
    /// Forward for its end, before that dividend; never below a small share of the price.
    pub(crate) forward: f64,
    /// Variance of the log price at its end per unit of squared volatility, to first order in the dividends.
    pub(crate) variance: f64,
}

impl Period {
    /// Years it lasts.
    pub(crate) fn length(&self) -> f64 {
        self.end - self.start
    }
}

/// An instant at which an option may end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Instant {
    pub(crate) forward: f64,
    pub(crate) discount: f64,
    /// Variance of the log price per unit of squared volatility.
    pub(crate) variance: f64,
}

/// A slice's rates and periods, the first beginning at the snapshot and the last ending at expiry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Schedule {
    pub(crate) spot: f64,
    /// Flat zero rate to expiry.
    pub(crate) rate: f64,
    pub(crate) borrow: f64,
    pub(crate) expiry: f64,
    pub(crate) discount_factor: f64,
    pub(crate) periods: Vec<Period>,
}

impl Schedule {
    /// Cuts the life of a slice at its ex-dates; `None` where the input is outside the domain.
    ///
    /// # Formula
    /// Between ex-dates the log variance grows by the elapsed time; a dividend `d` at forward `F` stretches the
    /// deviation of the log price by `F / (F - d)`.
    ///
    /// # Domain
    /// `0 < T <= 100`, `D > 0`, `S > 0`, `|r|` and `|b|` at most 10. Dividends outside `(0, T]` or not positive
    /// are not part of the option's life and are left out.
    pub(crate) fn new(input: &ModelInput) -> Option<Self> {
        let (spot, expiry, borrow) = (input.spot, input.time_to_expiry, input.borrow);
        let inside = spot.is_finite() && spot > 0.0 && expiry > 0.0 && expiry <= 100.0 && borrow.abs() <= 10.0;
        let discounts = input.discount_factor > 0.0 && input.discount_factor.is_finite();
        if !(inside && discounts) {
            return None;
        }
        let minus_log = -ln(input.discount_factor);
        let rate = minus_log / expiry;
        // A minute of life makes a large rate of a rounded discount factor; beyond this it is no rate.
        if rate.abs() > 10.0 || minus_log.abs() > 100.0 {
            return None;
        }
        let mut cash: Vec<(f64, f64)> = input
            .dividends
            .iter()
            .filter(|d| d.amount.is_finite() && d.amount > 0.0 && d.time > 0.0 && d.time <= expiry + SAME_INSTANT)
            .map(|d| (d.time.min(expiry), d.amount))
            .collect();
        cash.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut schedule =
            Self { spot, rate, borrow, expiry, discount_factor: input.discount_factor, periods: Vec::new() };
        schedule.cut(&cash);
        Some(schedule)
    }

    /// The same slice with its zero curve shifted in parallel.
    pub(crate) fn with_rate_shift(&self, shift: f64) -> Self {
        let mut shifted = self.clone();
        shifted.rate += shift;
        shifted.discount_factor = self.discount_factor * exp(-shift * self.expiry);
        shifted
    }

    fn cut(&mut self, cash: &[(f64, f64)]) {
        let (mut start, mut forward, mut variance) = (0.0_f64, self.spot, 0.0_f64);
        let mut rest = cash;
        loop {
            let end = match rest.first() {
                Some(&(time, _)) if time < self.expiry - SAME_INSTANT => time,
                _ => self.expiry,
            };
            let mut dividend = 0.0;
            while let Some((&(time, amount), tail)) = rest.split_first() {
                if time > end + SAME_INSTANT {
                    break;
                }
                dividend += amount;
                rest = tail;
            }
            forward *= exp((self.rate - self.borrow) * (end - start));
            variance += end - start;
            self.periods.push(Period { start, end, dividend, forward, variance });
            if end >= self.expiry {
                return;
            }
            let magnification = (forward / (forward - dividend).max(0.01 * forward)).min(MAGNIFICATION_MAX);
            forward = (forward - dividend).max(forward / MAGNIFICATION_MAX);
            variance *= magnification * magnification;
            start = end;
        }
    }

    /// The ends of all periods, as an option sees them that is exercised then: a call before the drop, a put after it.
    pub(crate) fn instants(&self, call: bool) -> Vec<Instant> {
        let instant = |period: &Period| {
            let discount = exp(-self.rate * period.end);
            let after = (period.forward - period.dividend).max(period.forward / MAGNIFICATION_MAX);
            let forward = if call { period.forward } else { after };
            let stretch = period.forward / forward;
            Instant { forward, discount, variance: period.variance * stretch * stretch }
        };
        self.periods.iter().map(instant).filter(|instant| instant.variance > 0.0).collect()
    }

    /// Whether exercise can be optimal between ex-dates; a call's cannot where `r >= 0` and `b <= 0`.
    pub(crate) fn exercised_any_time(&self, call: bool) -> bool {
        !call || self.rate < 0.0 || self.borrow > 0.0
    }

    /// Whether exercise may be optimal between two prices rather than beyond one (Healy 2021): negative rates.
    pub(crate) fn double_boundary(&self, call: bool) -> bool {
        // A call is a put with the roles of money and asset, hence of rate and borrow, exchanged.
        let (money, asset) = if call { (self.borrow, self.rate) } else { (self.rate, self.borrow) };
        money < 0.0 && asset < money
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;
    use crate::models::{ModelDividend, ModelInput};
    use crate::vocabulary::ExerciseStyle;

    fn input(dividends: Vec<ModelDividend>) -> ModelInput {
        ModelInput {
            exercise_style: ExerciseStyle::American,
            spot: 100.0,
            time_to_expiry: 1.0,
            discount_factor: libm::exp(-0.05),
            borrow: 0.01,
            forward: 0.0,
            dividends,
        }
    }

    #[test]
    fn forward_before_the_last_ex_date_follows_the_formula() {
        let dividends = vec![ModelDividend { time: 0.25, amount: 2.0 }, ModelDividend { time: 1.0, amount: 3.0 }];
        let schedule = Schedule::new(&input(dividends)).unwrap();
        assert_eq!(schedule.periods.len(), 2);
        let formula = 100.0 * libm::exp(0.04) - 2.0 * libm::exp(0.04 * 0.75);
        assert!((schedule.periods[1].forward - formula).abs() < 1e-12);
        assert_eq!(schedule.periods[1].dividend, 3.0);
    }

    #[test]
    fn what_is_no_dividend_or_no_slice_is_left_out() {
        let odd = [(-1.0, 1.0), (0.0, 1.0), (2.0, 1.0), (0.5, 0.0), (0.5, f64::NAN), (f64::NAN, 1.0)];
        let dividends = odd.iter().map(|&(time, amount)| ModelDividend { time, amount }).collect();
        assert_eq!(Schedule::new(&input(dividends)).unwrap().periods.len(), 1);
        let nothing = ModelInput { time_to_expiry: f64::NAN, ..input(vec![]) };
        assert!(Schedule::new(&nothing).is_none());
        assert!(Schedule::new(&ModelInput { discount_factor: 0.0, ..input(vec![]) }).is_none());
    }

    #[test]
    fn dividends_beyond_the_price_leave_a_small_positive_forward() {
        let dividends = (1..=3).map(|i| ModelDividend { time: 0.2 * f64::from(i), amount: 150.0 }).collect();
        let schedule = Schedule::new(&input(dividends)).unwrap();
        assert!(schedule.periods.iter().all(|p| p.forward > 0.0 && p.variance.is_finite()));
    }
}
