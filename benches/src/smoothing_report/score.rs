//! What one method is worth on some slices; scores of parts add up.

use closemark_pricing::mark::ViolationCounts;
use serde_json::{Value, json};

use crate::figures::quantile;

/// Sums over slices.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Slices with a quote.
    pub slices: u64,
    /// Two-sided out-of-the-money quotes with a volatility.
    pub quotes: u64,
    /// Of these: the curve lies within bid and ask.
    pub inside: u64,
    /// Violations of the fitted curves.
    pub violations: ViolationCounts,
    /// Quotes left out once each.
    pub left_out: u64,
    /// Of these: the curve that did not see it lies within bid and ask.
    pub left_out_inside: u64,
    /// |volatility - mid's| of each left-out quote.
    pub left_out_volatility: Vec<f64>,
    /// |price - mid| of each in half-spreads.
    pub left_out_half_spreads: Vec<f64>,
    /// Sums of vega, and of vega times squared volatility error, over left-out quotes.
    pub vega: [f64; 2],
    /// Sums of squared changes of quotes and of curves, in half-spreads, under renewed noise.
    pub noise: [f64; 2],
    /// Seconds of fitting all slices once.
    pub seconds: f64,
}

impl Score {
    /// Adds another part.
    pub fn join(&mut self, other: Self) {
        self.slices += other.slices;
        self.quotes += other.quotes;
        self.inside += other.inside;
        self.violations.vertical += other.violations.vertical;
        self.violations.butterfly += other.violations.butterfly;
        self.violations.calendar += other.violations.calendar;
        self.violations.parity += other.violations.parity;
        self.left_out += other.left_out;
        self.left_out_inside += other.left_out_inside;
        self.left_out_volatility.extend(other.left_out_volatility);
        self.left_out_half_spreads.extend(other.left_out_half_spreads);
        for (sum, part) in self.vega.iter_mut().zip(other.vega).chain(self.noise.iter_mut().zip(other.noise)) {
            *sum += part;
        }
        self.seconds += other.seconds;
    }

    /// Percent of quotes inside.
    pub fn inside_percent(&self) -> f64 {
        percent(self.inside, self.quotes)
    }

    /// Percent of left-out quotes inside.
    pub fn left_out_percent(&self) -> f64 {
        percent(self.left_out_inside, self.left_out)
    }

    /// Median left-out error, basis points of volatility.
    pub fn left_out_median_bp(&self) -> f64 {
        1e4 * quantile(&mut self.left_out_volatility.clone(), 0.5).unwrap_or(f64::NAN)
    }

    /// Median left-out error, half-spreads.
    pub fn left_out_median_half_spreads(&self) -> f64 {
        quantile(&mut self.left_out_half_spreads.clone(), 0.5).unwrap_or(f64::NAN)
    }

    /// Root mean square left-out error weighted with vega, basis points.
    pub fn left_out_rmse_bp(&self) -> f64 {
        1e4 * (self.vega[1] / self.vega[0]).sqrt()
    }

    /// Standard deviation of what noise does to curves over that of the noise.
    pub fn noise_gain(&self) -> f64 {
        (self.noise[1] / self.noise[0]).sqrt()
    }

    /// Microseconds a slice.
    pub fn slice_microseconds(&self) -> f64 {
        1e6 * self.seconds / self.slices as f64
    }

    /// For the last line.
    pub fn json(&self) -> Value {
        let number = |x: f64| if x.is_finite() { json!((x * 1e6).round() / 1e6) } else { Value::Null };
        json!({
            "slices": self.slices,
            "quotes": self.quotes,
            "vertical": self.violations.vertical,
            "butterfly": self.violations.butterfly,
            "calendar": self.violations.calendar,
            "inside_percent": number(self.inside_percent()),
            "left_out": self.left_out,
            "left_out_inside_percent": number(self.left_out_percent()),
            "left_out_median_bp": number(self.left_out_median_bp()),
            "left_out_median_half_spreads": number(self.left_out_median_half_spreads()),
            "left_out_rmse_bp": number(self.left_out_rmse_bp()),
            "noise_gain": number(self.noise_gain()),
            "slice_microseconds": number(self.slice_microseconds()),
        })
    }
}

/// A share in percent; NaN of nothing.
pub fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { f64::NAN } else { 100.0 * part as f64 / whole as f64 }
}
