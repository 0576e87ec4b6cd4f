//! Prices as integers of one millionth of a currency unit.

use std::fmt;

/// A price in millionths of a currency unit, per share.
///
/// # Units
/// `Price::from_micros(1_500_000)` is 1.50 per share; on disk it is `DECIMAL(18,6)`.
///
/// # Domain
/// Input prices lie in [0, 10,000,000]; differences of prices may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(i64);

/// How many millionths make one currency unit.
pub const MICROS_PER_UNIT: i64 = 1_000_000;

impl Price {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// The largest price that input may carry: 10,000,000 per share.
    pub const INPUT_MAX: Self = Self(10_000_000 * MICROS_PER_UNIT);

    /// The price of `micros` millionths.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The price in millionths.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The nearest price to a number of currency units, ties to even; `None` for what is not finite or
    /// is larger in size than 10^12.
    pub fn nearest(units: f64) -> Option<Self> {
        let micros = units * MICROS_PER_UNIT as f64;
        if micros.is_finite() && micros.abs() <= 1e18 { Some(Self(micros.round_ties_even() as i64)) } else { None }
    }

    /// The price as a number of currency units.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / MICROS_PER_UNIT as f64
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::Price;

    #[test]
    fn nearest_and_display_agree_on_millionths() {
        for (units, text) in [(1.5, "1.500000"), (-0.25, "-0.250000"), (0.0000005, "0.000000"), (645.57, "645.570000")]
        {
            assert_eq!(Price::nearest(units).unwrap().to_string(), text);
        }
        assert_eq!(Price::nearest(f64::NAN), None);
        assert_eq!(Price::nearest(1e13), None);
    }
}
