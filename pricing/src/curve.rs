//! The zero curve: one for all classes of a day.

/// A discount curve, linear in `-ln D` between tenors and of flat zero rate outside.
///
/// # Formula
/// Between tenors `t_i <= t <= t_{i+1}`: `-ln D(t)` is linear in `t`; before the first and after the last tenor
/// `D(t) = exp(-z t)` with that tenor's zero rate `z`.
///
/// # Units
/// Times in ACT/365 years from the snapshot, rates continuously compounded per year.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscountCurve {
    times: Vec<f64>,
    log_discounts: Vec<f64>,
}

/// Why a curve cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CurveError {
    /// There is no tenor.
    #[error("the curve has no tenor")]
    Empty,
    /// A tenor is not positive, not finite or not after the one before.
    #[error("tenor {index} ({time_years} years) is not positive and after the one before")]
    Tenor {
        /// Place in the list.
        index: usize,
        /// The offending time.
        time_years: f64,
    },
    /// A rate is not finite or lies outside [-1, 1].
    #[error("zero rate {index} ({rate}) is not a fraction between -1 and 1")]
    Rate {
        /// Place in the list.
        index: usize,
        /// The offending rate.
        rate: f64,
    },
}

impl DiscountCurve {
    /// A curve of one zero rate for all times.
    ///
    /// # Errors
    /// [`CurveError::Rate`] where the rate is not a fraction between -1 and 1.
    pub fn flat(rate: f64) -> Result<Self, CurveError> {
        Self::from_zero_rates(&[(1.0, rate)])
    }

    /// A curve through `(time in years, zero rate)` pairs in ascending order of time.
    ///
    /// # Errors
    /// See [`CurveError`].
    pub fn from_zero_rates(pairs: &[(f64, f64)]) -> Result<Self, CurveError> {
        if pairs.is_empty() {
            return Err(CurveError::Empty);
        }
        let mut curve = Self { times: Vec::with_capacity(pairs.len()), log_discounts: Vec::with_capacity(pairs.len()) };
        let mut last = 0.0;
        for (index, &(time_years, rate)) in pairs.iter().enumerate() {
            if !(time_years.is_finite() && time_years > last) {
                return Err(CurveError::Tenor { index, time_years });
            }
            if !(rate.is_finite() && rate.abs() <= 1.0) {
                return Err(CurveError::Rate { index, rate });
            }
            curve.times.push(time_years);
            curve.log_discounts.push(rate * time_years);
            last = time_years;
        }
        Ok(curve)
    }

    /// `-ln D(t)`; zero for `t <= 0`.
    pub fn minus_log_discount(&self, t: f64) -> f64 {
        if t <= 0.0 {
            return 0.0;
        }
        let n = self.times.len();
        let after = self.times.partition_point(|&x| x < t);
        match (
            after.checked_sub(1).and_then(|i| Some((self.times.get(i)?, self.log_discounts.get(i)?))),
            self.times.get(after).zip(self.log_discounts.get(after)),
        ) {
            (Some((t0, y0)), Some((t1, y1))) => y0 + (y1 - y0) * ((t - t0) / (t1 - t0)),
            (None, Some((t1, y1))) => y1 / t1 * t,
            (Some((t0, y0)), None) => y0 / t0 * t,
            (None, None) => {
                debug_assert!(n > 0);
                0.0
            }
        }
    }

    /// The discount factor `D(t)`.
    pub fn discount_factor(&self, t: f64) -> f64 {
        libm::exp(-self.minus_log_discount(t))
    }

    /// The zero rate to `t`, continuously compounded; for `t <= 0` the short end's.
    pub fn zero_rate(&self, t: f64) -> f64 {
        let t = if t > 0.0 { t } else { 1e-6 };
        self.minus_log_discount(t) / t
    }

    /// The least and the largest `D(t)` over `[0, end]`; both 1 at `end <= 0`.
    pub fn discount_range(&self, end: f64) -> (f64, f64) {
        let mut low = 1.0_f64;
        let mut high = 1.0_f64;
        if end > 0.0 {
            let inner = self.times.iter().copied().take_while(|&t| t < end);
            for t in inner.chain(std::iter::once(end)) {
                let d = self.discount_factor(t);
                low = low.min(d);
                high = high.max(d);
            }
        }
        (low, high)
    }

    /// The curve's points as `(time in years, zero rate)`.
    pub fn zero_rates(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.times.iter().zip(&self.log_discounts).map(|(&t, &y)| (t, y / t))
    }
}

#[cfg(test)]
mod tests {
    use super::{CurveError, DiscountCurve};

    #[test]
    fn linear_in_minus_log_discount_and_flat_outside() {
        let curve = DiscountCurve::from_zero_rates(&[(0.5, 0.04), (1.0, 0.05)]).unwrap();
        assert!((curve.minus_log_discount(0.75) - (0.02 + 0.05) / 2.0).abs() < 1e-15);
        assert!((curve.zero_rate(0.1) - 0.04).abs() < 1e-15);
        assert!((curve.zero_rate(7.0) - 0.05).abs() < 1e-15);
        assert_eq!(curve.discount_factor(0.0), 1.0);
    }

    #[test]
    fn refuses_what_is_not_a_curve() {
        assert_eq!(DiscountCurve::from_zero_rates(&[]), Err(CurveError::Empty));
        assert!(DiscountCurve::from_zero_rates(&[(1.0, 0.1), (1.0, 0.1)]).is_err());
        assert!(DiscountCurve::flat(f64::NAN).is_err());
    }

    #[test]
    fn range_of_discounts_sees_a_dip_in_the_middle() {
        let curve = DiscountCurve::from_zero_rates(&[(1.0, 0.05), (2.0, -0.01)]).unwrap();
        let (low, high) = curve.discount_range(2.0);
        assert!((low - libm::exp(-0.05)).abs() < 1e-12 && (high - libm::exp(0.02)).abs() < 1e-12);
    }
}
