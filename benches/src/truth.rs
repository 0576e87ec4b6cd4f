//! Marks against the generator's known truth.

use std::collections::BTreeMap;

use anyhow::Result;
use bytes::Bytes;
use closemark_data::sample;
use closemark_pricing::mark::SeriesMark;

use crate::columns::Columns;
use crate::figures::is_inside;

/// What is true of a generated series.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Price per share; `None` where no model gave one.
    pub price: Option<f64>,
    /// Volatility under the series' own model; `None` where the price does not determine one.
    pub volatility: Option<f64>,
    /// Liquidity tier of the name.
    pub tier: String,
}

/// The truth of the bundled sample, by symbol.
///
/// # Errors
/// Where the embedded file is not readable.
pub fn of_sample() -> Result<BTreeMap<String, Truth>> {
    of_columns(&Columns::read(Bytes::from_static(sample::TRUTH))?)
}

/// The truth of a generated day, by symbol, from its `truth.parquet`.
///
/// # Errors
/// Where a column is missing.
pub fn of_columns(columns: &Columns) -> Result<BTreeMap<String, Truth>> {
    let values = columns.numbers("true_price")?.into_iter().zip(columns.numbers("true_volatility")?);
    let rows = columns.text("osi_symbol")?.into_iter().zip(columns.text("tier")?).zip(values);
    Ok(rows.map(|((symbol, tier), (price, volatility))| (symbol, Truth { price, volatility, tier })).collect())
}

/// Squared errors of marks and of raw mids against the truth, over series that have both a mid and a mark.
///
/// # Formula
/// Volatility: `sqrt(sum vega (sigma - sigma_true)^2 / sum vega)`, with the vega of the mark and the volatilities of
/// the series' own model; series without any of the three volatilities count in the price error alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TruthErrors {
    /// Series counted.
    pub series: u64,
    vega: f64,
    mark_volatility: f64,
    mid_volatility: f64,
    mark_price: f64,
    mid_price: f64,
    /// Series whose quote contains the truth.
    pub truth_inside: u64,
    /// Series whose quote contains the mark.
    pub mark_inside: u64,
}

impl TruthErrors {
    /// Adds one series.
    pub fn add(&mut self, mark: &SeriesMark, truth: &Truth) {
        let (Some(price), Some(mid), Some(true_price)) = (mark.mark, mark.mid, truth.price) else { return };
        self.series += 1;
        let squared = |error: f64| error * error;
        self.mark_price += squared(price.to_f64() - true_price);
        self.mid_price += squared(mid.to_f64() - true_price);
        let volatilities = (mark.smoothed_volatility, mark.implied_volatility, truth.volatility);
        if let ((Some(smoothed), Some(implied), Some(exact)), Some(greeks)) = (volatilities, mark.greeks)
            && greeks.vega > 0.0
        {
            self.vega += greeks.vega;
            self.mark_volatility += greeks.vega * squared(smoothed - exact);
            self.mid_volatility += greeks.vega * squared(implied - exact);
        }
        let contains = |p: f64| {
            mark.bid.zip(mark.ask).is_some_and(|(bid, ask)| bid.to_f64() <= p + 1e-9 && p - 1e-9 <= ask.to_f64())
        };
        self.truth_inside += u64::from(contains(true_price));
        self.mark_inside += u64::from(is_inside(mark));
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

#[cfg(test)]
mod tests {
    use closemark_pricing::mark::{Greeks, UnderlyingMarks};
    use closemark_pricing::price::Price;

    use super::{Truth, TruthErrors, of_sample};
    use crate::whole_close;

    #[test]
    fn every_sample_series_has_its_truth_and_errors_are_as_by_hand() {
        let truth = of_sample().unwrap();
        let out = tempfile::tempdir().unwrap();
        let closed = whole_close::close(&closemark_data::sample::source(), out.path()).unwrap();
        let marks: Vec<&UnderlyingMarks> = closed.marks.iter().collect();
        assert!(closed.day.underlyings.iter().flat_map(|u| &u.series).all(|s| truth.contains_key(&s.osi_symbol)));

        let mut row = marks[0].series[0].clone();
        let units = |units: f64| Price::nearest(units);
        (row.mark, row.mid, row.bid, row.ask) = (units(2.1), units(2.3), units(2.2), units(2.4));
        (row.smoothed_volatility, row.implied_volatility) = (Some(0.21), Some(0.23));
        row.greeks = Some(Greeks { vega: 0.5, ..Greeks::default() });
        let mut errors = TruthErrors::default();
        errors.add(&row, &Truth { price: Some(2.0), volatility: Some(0.20), tier: String::new() });
        let (mark, mid) = errors.volatility_rmse_bp();
        assert!((mark - 100.0).abs() < 1e-6 && (mid - 300.0).abs() < 1e-6);
        let (mark, mid) = errors.price_rmse();
        assert!((mark - 0.1).abs() < 1e-12 && (mid - 0.3).abs() < 1e-12);
        assert_eq!((errors.truth_inside, errors.mark_inside), (0, 0));
    }
}
