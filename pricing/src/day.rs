//! One underlying's day: everything that decides its marks.

use std::sync::Arc;

use crate::curve::DiscountCurve;
use crate::price::Price;
use crate::quote::VenueQuote;
use crate::series::{Date, Instant, Series};
use crate::vocabulary::{MarginGroup, Settlement};

/// What is known about an underlying's cash dividends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DividendKnowledge {
    /// There are rows, declared or projected.
    Scheduled,
    /// The name is known to pay nothing.
    PaysNone,
    /// Nothing is known.
    Unknown,
}

/// One cash dividend after the snapshot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CashDividend {
    /// When the price drops as far as exercise is concerned: 17:30 New York of the trading day before the ex-date, the
    /// last instant at which an option can be exercised for shares that receive the cash.
    pub time: Instant,
    /// Cash per share.
    pub amount: f64,
    /// False where it is projected.
    pub declared: bool,
}

/// One slice's curve of the previous close, already adjusted for corporate actions.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviousSlice {
    /// Option root.
    pub root: String,
    /// Canonical deliverable text.
    pub deliverable: String,
    /// Expiration date as listed.
    pub expiration: Date,
    /// AM or PM.
    pub settlement: Settlement,
    /// Time to expiry at the previous close, years.
    pub time_to_expiry: f64,
    /// The previous forward.
    pub forward: f64,
    /// Borrow (or carry) rate of the previous close.
    pub borrow_rate: Option<f64>,
    /// Nodes of the curve, ascending log-moneyness.
    pub log_moneyness: Vec<f64>,
    /// Total variance at the nodes.
    pub total_variance: Vec<f64>,
}

/// Everything that decides the marks of one underlying.
#[derive(Clone, Debug)]
pub struct UnderlyingDay {
    /// The underlying's symbol.
    pub underlying: String,
    /// The day being closed.
    pub market_date: Date,
    /// The default snapshot; a series carries its root's own.
    pub snapshot: Instant,
    /// The underlying's print.
    pub price: Option<Price>,
    /// When it printed.
    pub price_time: Option<Instant>,
    /// Whether trading was halted at the snapshot.
    pub halted: bool,
    /// The price that settles series expiring now.
    pub settlement_price: Option<Price>,
    /// Portfolio-margin group.
    pub margin_group: MarginGroup,
    /// A leveraged fund's factor, negative for inverse funds; 1 otherwise.
    pub leverage: f64,
    /// What is known about dividends.
    pub dividend_knowledge: DividendKnowledge,
    /// Dividends with ex-dates after the snapshot, ascending.
    pub dividends: Vec<CashDividend>,
    /// The day's zero curve.
    pub curve: Arc<DiscountCurve>,
    /// The listed series, in canonical order.
    pub series: Vec<Series>,
    /// All venue quotes: those of series `i` are `quotes[quote_offsets[i]..quote_offsets[i + 1]]`, ascending venue.
    pub quotes: Vec<VenueQuote>,
    /// `series.len() + 1` offsets into `quotes`.
    pub quote_offsets: Vec<u32>,
    /// Venue MICs by [`crate::quote::Venue`] number, for what people read.
    pub venues: Arc<[String]>,
    /// The previous close's curves, where there is one.
    pub previous: Vec<PreviousSlice>,
}

impl UnderlyingDay {
    /// The venue quotes of series `index`; empty where the index is out of range.
    pub fn quotes_of(&self, index: usize) -> &[VenueQuote] {
        match (self.quote_offsets.get(index), self.quote_offsets.get(index + 1)) {
            (Some(&start), Some(&end)) => self.quotes.get(start as usize..end as usize).unwrap_or(&[]),
            _ => &[],
        }
    }
}
