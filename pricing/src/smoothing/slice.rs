//! One slice in work: what every step of the iteration reads and leaves behind.

use super::aim::Aim;
use super::frame::Frame;
use super::optima::Optima;
use super::robust::{Fit, Observation, observations};
use super::tier2::{Band, Solution};
use super::{SliceInput, VolatilityQuote};
use crate::settings::SmoothingSettings;
use crate::vocabulary::MarkSource;

/// One slice in work.
pub(super) struct Slice<'a> {
    pub input: &'a SliceInput,
    pub frame: Frame,
    pub usable: Vec<bool>,
    /// By quote.
    pub sides: Vec<Sides>,
    pub observed: Vec<Observation>,
    pub executable: Vec<bool>,
    pub stdev: f64,
    pub fit: Option<Fit>,
    pub dirty: bool,
    /// Target by strike after wings and caps, what decided it, and its error in volatility.
    pub target: Vec<f64>,
    pub source: Vec<MarkSource>,
    /// Prices of the target, their derivatives in volatility, and whether the last round moved them.
    pub price: Vec<f64>,
    pub vega: Vec<f64>,
    pub moved: bool,
    pub error: Vec<f64>,
    pub curvature: Vec<f64>,
    pub beyond_hard_limit: bool,
    pub compromised: Vec<bool>,
    pub aim: Aim,
    pub bands: Vec<Band>,
    pub solution: Option<Solution>,
    pub optima: Optima,
    pub volatility: Vec<f64>,
}

impl<'a> Slice<'a> {
    pub(super) fn new(input: &'a SliceInput, settings: &SmoothingSettings) -> Self {
        let frame = Frame::new(input);
        let usable: Vec<bool> = input.quotes.iter().map(|quote| frame.valid && is_usable(quote, &frame)).collect();
        let stdev = money_volatility(&frame, &input.quotes, &usable).unwrap_or(0.2) * frame.root_time;
        let observed = observations(&frame, &input.quotes, &usable, stdev, settings);
        Self {
            input,
            executable: vec![false; usable.len()],
            sides: sides(&frame, &input.quotes, &usable),
            frame,
            usable,
            observed,
            stdev,
            fit: None,
            dirty: true,
            target: Vec::new(),
            source: Vec::new(),
            price: Vec::new(),
            vega: Vec::new(),
            moved: true,
            error: Vec::new(),
            curvature: Vec::new(),
            beyond_hard_limit: false,
            compromised: Vec::new(),
            aim: Aim::default(),
            bands: Vec::new(),
            solution: None,
            optima: Optima::default(),
            volatility: Vec::new(),
        }
    }

    /// Quotes with what the robust rounds know of them.
    pub(super) fn quotes(&self) -> impl Iterator<Item = (&VolatilityQuote, &Observation)> {
        self.input.quotes.iter().zip(&self.observed)
    }

    pub(super) fn out_of_the_money(&self, quote: &VolatilityQuote) -> bool {
        let strike = self.input.strikes.get(quote.strike).copied().unwrap_or(f64::NAN);
        quote.is_out_of_the_money(strike, self.frame.forward)
    }

    /// The first and last strike with an accepted quote.
    pub(super) fn accepted_range(&self) -> Option<(usize, usize)> {
        let accepted = || self.observed.iter().filter(|o| o.accepted()).map(|o| o.strike);
        accepted().min().zip(accepted().max())
    }

    /// The bid and ask of the quote at a place as tier 2 must respect them.
    pub(super) fn band(&self, q: usize, weight: f64) -> Band {
        let Sides { bid, ask } = self.sides[q];
        Band { node: self.input.quotes[q].strike, bid, ask, weight, later: false }
    }
}

/// Prices of a quote's bid and ask.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sides {
    bid: Option<f64>,
    ask: Option<f64>,
}

/// Of each usable quote, a hair inside where it has both, so that what follows (integers, other models) does not fall out.
fn sides(frame: &Frame, quotes: &[VolatilityQuote], usable: &[bool]) -> Vec<Sides> {
    let ratio = |quote: &VolatilityQuote| frame.ratio.get(quote.strike).copied().unwrap_or(1.0);
    let ratios: Vec<f64> = quotes.iter().flat_map(|quote| [ratio(quote); 2]).collect();
    let volatilities = quotes.iter().flat_map(|quote| [quote.bid, quote.ask]).map(|side| side.unwrap_or(0.0));
    let prices = frame.prices_at(&ratios, volatilities);
    let each = quotes.iter().zip(usable).zip(prices.as_chunks::<2>().0);
    let of = |((quote, usable), [low, high]): ((&VolatilityQuote, &bool), &[f64; 2])| {
        let inset = if quote.bid.is_some() && quote.ask.is_some() { 0.03 * (high - low) } else { 0.0 };
        let (bid, ask) = (quote.bid.map(|_| low + inset), quote.ask.map(|_| high - inset));
        if *usable { Sides { bid, ask } } else { Sides::default() }
    };
    each.map(of).collect()
}

/// Whether a quote's numbers make sense.
fn is_usable(quote: &VolatilityQuote, frame: &Frame) -> bool {
    let sane = |sigma: f64| sigma.is_finite() && sigma > 0.0 && sigma < 1e3;
    let sides = quote.bid.is_none_or(sane) && quote.ask.is_none_or(sane);
    let ordered = quote.bid.zip(quote.ask).is_none_or(|(bid, ask)| bid <= ask);
    quote.strike < frame.m.len()
        && sides
        && ordered
        && (sane(quote.mid) || !quote.two_sided)
        && (quote.two_sided || quote.ask.is_some())
        && quote.half_spread > 1e-9
        && quote.half_spread < 1e3
        && quote.weight >= 0.0
        && quote.weight < 1e6
}

/// Median volatility of the five weighted quotes nearest the money.
fn money_volatility(frame: &Frame, quotes: &[VolatilityQuote], usable: &[bool]) -> Option<f64> {
    let mut near: Vec<(f64, f64)> = quotes
        .iter()
        .zip(usable)
        .filter(|(quote, usable)| **usable && quote.two_sided && quote.weight > 0.0)
        .filter_map(|(quote, _)| frame.log_moneyness.get(quote.strike).map(|k| (k.abs(), quote.mid)))
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    near.truncate(5);
    near.sort_by(|a, b| a.1.total_cmp(&b.1));
    near.get(near.len() / 2).map(|point| point.1.clamp(1e-4, 50.0))
}
