//! Marks against the generator's known truth.

use closemark_pricing::mark::SeriesMark;

/// Squared errors of marks and of raw mids against the truth, over series that have both a mid and a mark.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TruthErrors {
    /// Series counted.
    pub series: u64,
    /// Sum of vega weights.
    pub vega: f64,
    /// Vega-weighted squared volatility error of the marks.
    pub mark_volatility: f64,
    /// The same of the mids.
    pub mid_volatility: f64,
    /// Squared price error of the marks.
    pub mark_price: f64,
    /// The same of the mids.
    pub mid_price: f64,
    /// Series whose quote contains the truth.
    pub truth_inside: u64,
    /// Series whose quote contains the mark.
    pub mark_inside: u64,
}

impl TruthErrors {
    /// Adds one series. Both volatility errors are price errors over the vega at the mark, so that a mid whose own
    /// inversion fails still counts.
    pub fn add(&mut self, mark: &SeriesMark, true_price: f64) {
        let (Some(price), Some(mid), Some(greeks)) = (mark.mark, mark.mid, mark.greeks) else { return };
        if greeks.vega.is_nan() || greeks.vega <= 1e-9 {
            return;
        }
        let (mark_error, mid_error) = (price.to_f64() - true_price, mid.to_f64() - true_price);
        self.series += 1;
        self.vega += greeks.vega;
        // vega * (error / vega)^2
        self.mark_volatility += mark_error * mark_error / greeks.vega;
        self.mid_volatility += mid_error * mid_error / greeks.vega;
        self.mark_price += mark_error * mark_error;
        self.mid_price += mid_error * mid_error;
        let within =
            |p: f64| mark.bid.zip(mark.ask).is_some_and(|(b, a)| b.to_f64() <= p + 1e-9 && p - 1e-9 <= a.to_f64());
        self.truth_inside += u64::from(within(true_price));
        self.mark_inside += u64::from(within(price.to_f64()));
    }

    /// Vega-weighted volatility RMSE of `(marks, mids)` in basis points.
    pub fn volatility_rmse_bp(&self) -> (f64, f64) {
        let root = |sum: f64| if self.vega > 0.0 { 1e4 * (sum / self.vega).sqrt() } else { 0.0 };
        (root(self.mark_volatility), root(self.mid_volatility))
    }

    /// Price RMSE of `(marks, mids)`.
    pub fn price_rmse(&self) -> (f64, f64) {
        let root = |sum: f64| if self.series > 0 { (sum / self.series as f64).sqrt() } else { 0.0 };
        (root(self.mark_price), root(self.mid_price))
    }
}
