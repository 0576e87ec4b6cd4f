//! The coordinates of one slice.

use super::{SliceInput, black};

/// What is fixed about a slice while its curve is sought.
///
/// Prices are undiscounted and divided by `scale`; the place of a strike is `m = (K - R) / (F - R)`, so that slices
/// of one class compare at equal `m`. Where `F - R` is not positive the slice is its own world: `R = 0`, no calendar.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    pub valid: bool,
    pub forward: f64,
    pub discount_factor: f64,
    pub time: f64,
    pub root_time: f64,
    /// `F - R`.
    pub scale: f64,
    /// `ln(K/F)`.
    pub log_moneyness: Vec<f64>,
    /// `K/F`.
    pub ratio: Vec<f64>,
    /// `(K - R)/(F - R)`.
    pub m: Vec<f64>,
    /// `m` of strike 0.
    pub zero: f64,
    /// Whether calendar conditions tie it.
    pub calendar: bool,
    /// Whether `R` is 0, so that total variance is the same in both coordinates.
    pub plain: bool,
}

impl Frame {
    pub(super) fn new(input: &SliceInput) -> Self {
        let positive = |x: f64| x.is_finite() && x > 1e-9 && x < 1e12;
        let ascending = input.strikes.windows(2).all(|pair| pair[0] < pair[1]);
        let strikes = input.strikes.iter().all(|strike| positive(*strike));
        let time = input.time_to_expiry;
        let valid = positive(input.forward)
            && positive(input.discount_factor)
            && time > 0.0
            && time < 1e3
            && ascending
            && strikes
            && !input.strikes.is_empty();
        if !valid {
            return Self::default();
        }
        let forward = input.forward;
        let shift = if input.dividend_shift.is_finite() { input.dividend_shift } else { 0.0 };
        let usable = forward - shift > 1e-3 * forward && shift >= 0.0;
        let (shift, calendar) = if usable { (shift, input.calendar) } else { (0.0, false) };
        let scale = forward - shift;
        let ratio: Vec<f64> = input.strikes.iter().map(|strike| strike / forward).collect();
        // Where two strikes are so close that their coordinates are equal in floating point, nothing can tell them apart.
        let m: Vec<f64> = input.strikes.iter().map(|strike| (strike - shift) / scale).collect();
        let distinct = m.windows(2).all(|pair| pair[1] - pair[0] > 1e-14 * pair[1].abs().max(1.0));
        Self {
            valid: distinct,
            forward,
            discount_factor: input.discount_factor,
            time,
            root_time: time.sqrt(),
            scale,
            log_moneyness: ratio.iter().map(|ratio| crate::math::ln(*ratio)).collect(),
            ratio,
            m,
            zero: -shift / scale,
            calendar,
            plain: shift == 0.0,
        }
    }

    /// Undiscounted out-of-the-money price at a strike, over `scale`.
    pub(super) fn price(&self, node: usize, volatility: f64) -> f64 {
        black::price(self.ratio[node], volatility * self.root_time) * self.forward / self.scale
    }

    /// [`Frame::price`] of every strike, with the same bits.
    pub(super) fn prices(&self, volatilities: &[f64]) -> Vec<f64> {
        self.prices_at(&self.ratio, volatilities.iter().copied())
    }

    /// The same at any ratios of strike and forward.
    pub(super) fn prices_at(&self, ratios: &[f64], volatilities: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut prices = vec![0.0; ratios.len()];
        black::prices(ratios, volatilities.map(|sigma| sigma * self.root_time), &mut prices);
        prices.iter_mut().for_each(|price| *price = *price * self.forward / self.scale);
        prices
    }

    /// Its derivative in volatility.
    pub(super) fn vega(&self, node: usize, volatility: f64) -> f64 {
        black::vega(self.ratio[node], volatility * self.root_time) * self.root_time * self.forward / self.scale
    }

    /// The volatility of such a price.
    pub(super) fn volatility(&self, node: usize, price: f64) -> Option<f64> {
        black::implied_stdev(self.ratio[node], price * self.scale / self.forward).map(|v| v / self.root_time)
    }

    /// Currency per share (discounted) of one unit of price.
    pub(super) fn currency(&self) -> f64 {
        self.discount_factor * self.scale
    }
}

/// Standardised moneyness, compressed: `3 asinh(z / 3)`, `z = k / (sigma sqrt T)`.
pub(super) fn compress(log_moneyness: f64, stdev: f64) -> f64 {
    3.0 * libm::asinh(log_moneyness / stdev / 3.0)
}

/// The inverse of [`compress`].
pub(super) fn expand(y: f64, stdev: f64) -> f64 {
    3.0 * libm::sinh(y / 3.0) * stdev
}
