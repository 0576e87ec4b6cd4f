//! Faults put into the quotes on purpose, each with a row in the ledger.

use closemark_pricing::price::Price;
use closemark_pricing::series::{Date, Instant};
use closemark_pricing::vocabulary::OptionType;

use super::cast::{Profile, Role};
use super::quoting::{VenueQuote, venue_mic};
use super::random::Random;
use super::truth::{Market, TrueSeries, TrueSlice};
use crate::input::QuoteRow;
use crate::osi;

/// What was done to a series, a quote or a name. The words are those of `faults.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// One venue's old bid stands above the others' offers.
    Crossed,
    /// One venue's bid equals the others' best offer.
    Locked,
    /// Every venue's quote is old and belongs to an old price of the underlying.
    Stale,
    /// Every venue's quote is off by several half-spreads, with a fresh time.
    Outlier,
    /// No venue offers.
    NoAsk,
    /// No venue bids for something of value.
    NoBid,
    /// Every venue is several times as wide as its usual self.
    Wide,
    /// A row stands there twice.
    Duplicate,
    /// An older row follows a newer one.
    OutOfOrder,
    /// A quote after the snapshot.
    Late,
    /// A venue is better than all others, for no contracts.
    SizeZero,
    /// A venue's bid is above its own offer.
    SelfCrossed,
    /// A price that is negative or beyond every bound.
    BadPrice,
    /// A symbol that is none.
    MalformedSymbol,
    /// A venue that is none.
    UnknownVenue,
    /// An expiration in the past.
    ExpiredSeries,
    /// The name's print is from after the close.
    AfterHoursPrice,
    /// Trading in the name was halted.
    Halted,
    /// The name has no price.
    NoUnderlyingPrice,
    /// A contract with an adjusted deliverable.
    AdjustedDeliverable,
}

impl FaultKind {
    /// The word in `faults.csv`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crossed => "CROSSED",
            Self::Locked => "LOCKED",
            Self::Stale => "STALE",
            Self::Outlier => "OUTLIER",
            Self::NoAsk => "NO_ASK",
            Self::NoBid => "NO_BID",
            Self::Wide => "WIDE",
            Self::Duplicate => "DUPLICATE",
            Self::OutOfOrder => "OUT_OF_ORDER",
            Self::Late => "LATE",
            Self::SizeZero => "SIZE_ZERO",
            Self::SelfCrossed => "SELF_CROSSED",
            Self::BadPrice => "BAD_PRICE",
            Self::MalformedSymbol => "MALFORMED_SYMBOL",
            Self::UnknownVenue => "UNKNOWN_VENUE",
            Self::ExpiredSeries => "EXPIRED_SERIES",
            Self::AfterHoursPrice => "AFTER_HOURS_PRICE",
            Self::Halted => "HALTED",
            Self::NoUnderlyingPrice => "NO_UNDERLYING_PRICE",
            Self::AdjustedDeliverable => "ADJUSTED_DELIVERABLE",
        }
    }
}

/// Which faults befall single series, and how many in a thousand series.
const RATES: [(FaultKind, f64); 16] = [
    (FaultKind::Stale, 12.0),
    (FaultKind::Outlier, 5.0),
    (FaultKind::Crossed, 5.0),
    (FaultKind::Locked, 4.0),
    (FaultKind::NoAsk, 3.0),
    (FaultKind::NoBid, 3.0),
    (FaultKind::Wide, 4.0),
    (FaultKind::Duplicate, 2.0),
    (FaultKind::OutOfOrder, 3.0),
    (FaultKind::Late, 3.0),
    (FaultKind::SizeZero, 4.0),
    (FaultKind::SelfCrossed, 2.0),
    (FaultKind::BadPrice, 1.0),
    (FaultKind::MalformedSymbol, 1.0),
    (FaultKind::UnknownVenue, 1.0),
    (FaultKind::ExpiredSeries, 0.7),
];

/// One row of `faults.csv`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The symbol as it stands in the quotes, or the underlying's.
    pub target: String,
    /// The venue as it stands in the quotes; empty where it is all of them.
    pub venue: String,
    /// What was done.
    pub kind: FaultKind,
    /// How.
    pub detail: String,
}

/// Turns the quotes of one name into rows, some of them faulty.
pub struct Corrupter<'a> {
    market: &'a Market,
    profile: &'a Profile,
    /// The ledger so far.
    pub ledger: Vec<Fault>,
}

impl<'a> Corrupter<'a> {
    /// A corrupter with the name's own fault, if it has one, in its ledger.
    pub fn new(market: &'a Market, profile: &'a Profile) -> Self {
        let of_name = match profile.role {
            Role::Halted => Some((FaultKind::Halted, "no trading for the last hours")),
            Role::NoPrice => Some((FaultKind::NoUnderlyingPrice, "no row in underlyings.csv")),
            _ => None,
        };
        let ledger = of_name
            .map(|(kind, detail)| Fault {
                target: profile.symbol.clone(),
                venue: String::new(),
                kind,
                detail: detail.to_owned(),
            })
            .into_iter()
            .collect();
        Self { market, profile, ledger }
    }

    /// The rows of one series.
    pub fn rows(
        &mut self,
        series: &TrueSeries,
        slice: &TrueSlice,
        mut quotes: Vec<VenueQuote>,
        random: &mut Random,
    ) -> Vec<QuoteRow> {
        if self.profile.role == Role::Halted {
            halt(&mut quotes, random);
            return self.plain(&series.osi_symbol, &quotes);
        }
        let kind = self.draw(series, &quotes, random);
        let Some(kind) = kind else { return self.plain(&series.osi_symbol, &quotes) };
        let place = random.below(quotes.len().max(1));
        match kind {
            FaultKind::Crossed
            | FaultKind::Locked
            | FaultKind::Stale
            | FaultKind::Outlier
            | FaultKind::NoAsk
            | FaultKind::NoBid
            | FaultKind::Wide
            | FaultKind::SizeZero
            | FaultKind::SelfCrossed => {
                let (venue, detail) = self.bend(kind, series, &mut quotes, place, random);
                self.note(&series.osi_symbol, &venue, kind, detail);
                self.plain(&series.osi_symbol, &quotes)
            }
            _ => self.add_row(kind, series, slice, &quotes, place, random),
        }
    }

    fn draw(&self, series: &TrueSeries, quotes: &[VenueQuote], random: &mut Random) -> Option<FaultKind> {
        let mut left = random.uniform() * 1_000.0;
        let kind = RATES.iter().find_map(|&(kind, rate)| {
            left -= rate;
            (left < 0.0).then_some(kind)
        })?;
        if self.profile.role != Role::Ordinary || series.days == 0 || quotes.is_empty() {
            return None;
        }
        let (bid, ask) = best(quotes);
        let two_sided = bid > 0 && ask > bid;
        let possible = match kind {
            FaultKind::Crossed | FaultKind::Locked | FaultKind::SizeZero | FaultKind::SelfCrossed => {
                two_sided && quotes.len() >= 3
            }
            FaultKind::Stale | FaultKind::Outlier | FaultKind::NoAsk | FaultKind::NoBid | FaultKind::Wide => two_sided,
            _ => true,
        };
        possible.then_some(kind)
    }

    /// Changes the quotes themselves; gives the venue (empty for all) and what was done.
    fn bend(
        &self,
        kind: FaultKind,
        series: &TrueSeries,
        quotes: &mut [VenueQuote],
        place: usize,
        random: &mut Random,
    ) -> (String, String) {
        let (bid, ask) = best(quotes);
        let ticks = self.profile.ticks;
        let tick = ticks.at(ask as f64);
        let show = |micros: i64| Price::from_micros(micros).to_string();
        match kind {
            FaultKind::Stale => {
                // A move of the underlying large enough to leave the present market behind.
                let daily = self.profile.spot * self.profile.volatility / libm::sqrt(252.0);
                let away = if random.chance(0.5) { 1.0 } else { -1.0 } * random.between(1.0, 2.5);
                let least = 1.5 * (ask - bid) as f64;
                let moved = 1e6 * away * daily * series.delta;
                let size = moved.abs().max(least);
                let shift = if moved < 0.0 && size < bid as f64 { -size } else { size };
                shift_all(quotes, ticks, shift);
                let minutes = 15 + random.below(180) as i64;
                for quote in quotes.iter_mut() {
                    quote.age_ms += minutes * 60_000;
                }
                (String::new(), format!("at least {minutes} minutes old, {} from the market", show(shift as i64)))
            }
            FaultKind::Outlier => {
                let size = random.between(2.0, 5.0) * (ask - bid) as f64;
                let shift = if random.chance(0.5) && size < 0.8 * bid as f64 { -size } else { size };
                shift_all(quotes, ticks, shift);
                (String::new(), format!("{} from the market", show(shift as i64)))
            }
            FaultKind::NoAsk => {
                for quote in quotes.iter_mut() {
                    (quote.ask, quote.ask_size) = (None, None);
                }
                (String::new(), format!("best offer {} taken away", show(ask)))
            }
            FaultKind::NoBid => {
                for quote in quotes.iter_mut() {
                    (quote.bid, quote.bid_size) = (None, None);
                }
                (String::new(), format!("best bid {} taken away", show(bid)))
            }
            FaultKind::Wide => {
                // Beyond the exchanges' obvious-error widths, whatever the price.
                let extra = 4 * (ask - bid) + if ask < 2_000_000 { 750_000 } else { 1_500_000 + ask / 10 };
                for quote in quotes.iter_mut() {
                    quote.ask = quote.ask.map(|p| ticks.ceil((p + extra / 2) as f64));
                    quote.bid = quote.bid.map(|p| ticks.floor((p - extra / 2) as f64)).filter(|&p| p > 0);
                    quote.bid_size = quote.bid_size.filter(|_| quote.bid.is_some());
                }
                (String::new(), format!("{} wider", show(extra)))
            }
            _ => {
                let Some(quote) = quotes.get_mut(place) else { return (String::new(), String::new()) };
                let detail = match kind {
                    FaultKind::Crossed => {
                        quote.bid = Some(ask + (1 + random.below(4) as i64) * tick);
                        quote.bid_size = Some(1 + random.below(20) as u32);
                        quote.ask = quote.bid.map(|p| p + 3 * tick);
                        quote.age_ms += 400_000;
                        format!("bid above the best offer {}", show(ask))
                    }
                    FaultKind::Locked => {
                        quote.bid = Some(ask);
                        quote.bid_size = Some(1 + random.below(20) as u32);
                        quote.ask = Some(ask + 2 * tick);
                        format!("bid at the best offer {}", show(ask))
                    }
                    FaultKind::SizeZero => {
                        quote.bid = Some(ask + tick);
                        quote.bid_size = Some(0);
                        format!("bid above the best offer {} for no contracts", show(ask))
                    }
                    _ => {
                        quote.bid = Some(ask + tick);
                        quote.bid_size = Some(5);
                        quote.ask = Some((bid - tick).max(tick));
                        "bid above its own offer".to_owned()
                    }
                };
                (venue_mic(quote.venue).to_owned(), detail)
            }
        }
    }

    /// Leaves the quotes as they are and adds a row that must not count.
    fn add_row(
        &mut self,
        kind: FaultKind,
        series: &TrueSeries,
        slice: &TrueSlice,
        quotes: &[VenueQuote],
        place: usize,
        random: &mut Random,
    ) -> Vec<QuoteRow> {
        let mut rows = self.plain(&series.osi_symbol, quotes);
        let Some(mut extra) = rows.get(place).cloned() else { return rows };
        let off = |price: Option<Price>| price.map(|p| Price::from_micros(p.micros() * 3 / 2 + 1_000_000));
        let mut at = place + 1;
        let detail = match kind {
            FaultKind::Duplicate => "the same row twice".to_owned(),
            FaultKind::OutOfOrder => {
                extra.quote_time = extra.quote_time.map(|t| Instant(t.0 - 90_000_000_000));
                (extra.bid, extra.ask) = (off(extra.bid), off(extra.ask));
                "90 seconds older, after the newer row".to_owned()
            }
            FaultKind::Late => {
                extra.quote_time = Some(Instant(self.snapshot().0 + 45_000_000_000));
                (extra.bid, extra.ask) = (off(extra.bid), off(extra.ask));
                "45 seconds after the snapshot".to_owned()
            }
            FaultKind::BadPrice => {
                let negative = random.chance(0.5);
                extra.ask = Some(Price::from_micros(if negative { -1_000_000 } else { 10_000_001_000_000 }));
                // The row takes the place of the venue's own: the venue is silent then.
                rows.remove(place);
                at = place;
                if negative { "a negative offer" } else { "an offer above ten million" }.to_owned()
            }
            FaultKind::MalformedSymbol => {
                extra.osi_symbol = extra.osi_symbol.chars().rev().collect();
                "a symbol spelt backwards".to_owned()
            }
            FaultKind::UnknownVenue => {
                extra.venue = "ZZZZ".to_owned();
                "a venue that does not exist".to_owned()
            }
            _ => {
                let past = Date(self.market.market_date.0 - 7);
                let strike = Price::nearest(series.strike).unwrap_or_default();
                let Some(symbol) = osi::encode(&slice.root, past, series.option_type, strike) else { return rows };
                extra.osi_symbol = symbol;
                "expired a week ago".to_owned()
            }
        };
        self.note(&extra.osi_symbol.clone(), &extra.venue.clone(), kind, detail);
        rows.insert(at.min(rows.len()), extra);
        rows
    }

    /// Records a name's fault whose size is known elsewhere.
    pub fn note_name(&mut self, kind: FaultKind, detail: String) {
        self.note(&self.profile.symbol.clone(), "", kind, detail);
    }

    /// Records an adjusted series.
    pub fn note_adjusted(&mut self, series: &TrueSeries, deliverable: &str) {
        // One row for each expiration is enough to find them.
        if series.option_type == OptionType::Call {
            self.note(&series.osi_symbol, "", FaultKind::AdjustedDeliverable, deliverable.to_owned());
        }
    }

    fn note(&mut self, target: &str, venue: &str, kind: FaultKind, detail: String) {
        self.ledger.push(Fault { target: target.to_owned(), venue: venue.to_owned(), kind, detail });
    }

    fn snapshot(&self) -> Instant {
        if self.profile.index { self.market.index_snapshot } else { self.market.snapshot }
    }

    fn plain(&self, osi_symbol: &str, quotes: &[VenueQuote]) -> Vec<QuoteRow> {
        let snapshot = self.snapshot();
        quotes
            .iter()
            .map(|quote| QuoteRow {
                osi_symbol: osi_symbol.to_owned(),
                venue: venue_mic(quote.venue).to_owned(),
                bid: quote.bid.map(Price::from_micros),
                bid_size: quote.bid_size,
                ask: quote.ask.map(Price::from_micros),
                ask_size: quote.ask_size,
                quote_time: Some(Instant(snapshot.0 - quote.age_ms * 1_000_000)),
                sequence: None,
            })
            .collect()
    }
}

/// Best bid (0 for none) and offer (0 for none).
fn best(quotes: &[VenueQuote]) -> (i64, i64) {
    let bid = quotes.iter().filter_map(|q| q.bid).max().unwrap_or(0);
    let ask = quotes.iter().filter_map(|q| q.ask).min().unwrap_or(0);
    (bid, ask)
}

fn shift_all(quotes: &mut [VenueQuote], ticks: super::cast::Ticks, shift: f64) {
    for quote in quotes {
        quote.bid = quote.bid.map(|p| ticks.floor(p as f64 + shift)).filter(|&p| p > 0);
        quote.bid_size = quote.bid_size.filter(|_| quote.bid.is_some());
        quote.ask = quote.ask.map(|p| ticks.ceil(p as f64 + shift));
    }
}

/// Half of a halted name's series lose their quotes; the others keep what stood when trading stopped.
fn halt(quotes: &mut Vec<VenueQuote>, random: &mut Random) {
    if random.chance(0.5) {
        quotes.clear();
    }
    let minutes = 60 + random.below(120) as i64;
    for quote in quotes {
        quote.age_ms += minutes * 60_000;
    }
}
