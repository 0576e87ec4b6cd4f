//! What every method sees of a slice: its out-of-the-money quotes, in prices over the forward.

use closemark_pricing::math::ln;
use closemark_pricing::models::black;
use closemark_pricing::smoothing::{SliceInput, VolatilityQuote};

/// One two-sided out-of-the-money quote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Place of its strike in the slice.
    pub node: usize,
    /// `ln(K/F)`.
    pub k: f64,
    /// Volatility of the mid.
    pub volatility: f64,
    /// Volatility of the bid; `None` where it bounds nothing.
    pub bid: Option<f64>,
    /// Volatility of the ask; `None` where it bounds nothing.
    pub ask: Option<f64>,
    /// Half-spread in volatility.
    pub half_volatility: f64,
    /// Undiscounted price of the mid over the forward.
    pub price: f64,
    /// Half-spread in the same unit.
    pub half_price: f64,
    /// Derivative of `price` in the volatility.
    pub vega: f64,
}

/// Whether a quote counts: two-sided, out of the money, with numbers that make sense.
pub(super) fn counts(input: &SliceInput, quote: &VolatilityQuote) -> bool {
    let strike = input.strikes.get(quote.strike).copied();
    quote.two_sided
        && quote.mid > 0.0
        && quote.half_spread > 0.0
        && strike.is_some_and(|strike| quote.is_out_of_the_money(strike, input.forward))
}

/// The quotes that count, ascending, one a strike.
pub(super) fn points(input: &SliceInput) -> Vec<Point> {
    let mut out: Vec<Point> = Vec::with_capacity(input.quotes.len());
    for quote in input.quotes.iter().filter(|quote| counts(input, quote)) {
        let Some(strike) = input.strikes.get(quote.strike) else { continue };
        if out.last().is_some_and(|last| last.node == quote.strike) {
            continue;
        }
        let ratio = strike / input.forward;
        let vega = black::vega(1.0, ratio, input.time_to_expiry, quote.mid, 1.0);
        out.push(Point {
            node: quote.strike,
            k: ln(ratio),
            volatility: quote.mid,
            bid: quote.bid,
            ask: quote.ask,
            half_volatility: quote.half_spread,
            price: price(ratio, quote.mid, input.time_to_expiry),
            half_price: quote.half_spread_price / (input.discount_factor * input.forward),
            vega,
        });
    }
    out
}

/// Undiscounted out-of-the-money price over the forward.
pub(super) fn price(ratio: f64, volatility: f64, time: f64) -> f64 {
    black::out_of_the_money_price(1.0, ratio, volatility * time.sqrt())
}

/// A fitted slice: price and volatility at each listed strike.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Curve {
    /// Undiscounted out-of-the-money price over the forward.
    pub price: Vec<Option<f64>>,
    /// Its volatility.
    pub volatility: Vec<Option<f64>>,
}

impl Curve {
    /// From volatilities at log-moneyness.
    pub(super) fn of_volatility(input: &SliceInput, volatility: impl Fn(f64) -> Option<f64>) -> Self {
        let mut curve = Self::default();
        for strike in &input.strikes {
            let ratio = strike / input.forward;
            let sigma = volatility(ln(ratio)).filter(|sigma| sigma.is_finite() && *sigma > 0.0);
            curve.price.push(sigma.map(|sigma| price(ratio, sigma, input.time_to_expiry)));
            curve.volatility.push(sigma);
        }
        curve
    }

    /// From prices over the forward.
    pub(super) fn of_price(input: &SliceInput, prices: Vec<Option<f64>>) -> Self {
        let volatility = input
            .strikes
            .iter()
            .zip(&prices)
            .map(|(strike, price)| {
                black::implied_stdev_otm(1.0, strike / input.forward, (*price)?)
                    .map(|stdev| stdev / input.time_to_expiry.sqrt())
            })
            .collect();
        Self { price: prices, volatility }
    }

    /// The volatility at a strike's place.
    pub(super) fn volatility_at(&self, node: usize) -> Option<f64> {
        self.volatility.get(node).copied().flatten()
    }
}
