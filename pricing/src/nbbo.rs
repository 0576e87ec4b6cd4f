//! The national best bid and offer of one series: uncrossed, with status, flags and provenance.

use crate::price::Price;
use crate::quote::{Venue, VenueQuote};
use crate::series::Instant;
use crate::vocabulary::{QuoteFlag, QuoteFlags, QuoteStatus};

/// Why a venue's quote was left out of the best bid and offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropKind {
    /// Its own bid is above its own offer while other venues quote.
    CrossedInItself,
    /// It crossed another venue's quote and was the one to go.
    Uncrossed,
}

/// A venue's quote that was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Whose quote.
    pub venue: Venue,
    /// Why.
    pub kind: DropKind,
    /// Its bid.
    pub bid: Option<Price>,
    /// Its offer.
    pub ask: Option<Price>,
}

/// Best bid and offer over the venues of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Nbbo {
    /// Highest bid with size.
    pub bid: Option<Price>,
    /// Lowest offer with size.
    pub ask: Option<Price>,
    /// Contracts at the best bid; `None` where a venue at the best did not say.
    pub bid_size: Option<u64>,
    /// Contracts at the best offer.
    pub ask_size: Option<u64>,
    /// Venues with a usable quote, those dropped not counted.
    pub venue_count: u32,
    /// Status after uncrossing.
    pub status: QuoteStatus,
    /// UNCROSSED and WIDE, where they apply; the caller adds what needs more than one series.
    pub flags: QuoteFlags,
    /// The newest time among the quotes that form the best bid and offer; `None` where any of them does not say.
    pub time: Option<Instant>,
    /// What was left out.
    pub dropped: Vec<Dropped>,
}

impl Nbbo {
    /// Midpoint in millionths, ties to even, for TWO_SIDED and LOCKED; `None` otherwise.
    pub fn mid(&self) -> Option<Price> {
        match (self.status, self.bid, self.ask) {
            (QuoteStatus::TwoSided | QuoteStatus::Locked, Some(bid), Some(ask)) => {
                let sum = bid.micros() + ask.micros();
                let half = sum.div_euclid(2);
                Some(Price::from_micros(if sum.rem_euclid(2) == 1 && half.rem_euclid(2) == 1 {
                    half + 1
                } else {
                    half
                }))
            }
            _ => None,
        }
    }

    /// Half of the spread per share, never below `half_tick`; `None` without a mid.
    pub fn half_spread(&self, half_tick: f64) -> Option<f64> {
        match (self.mid(), self.bid, self.ask) {
            (Some(_), Some(bid), Some(ask)) => Some((0.5 * (ask.to_f64() - bid.to_f64())).max(half_tick)),
            _ => None,
        }
    }
}

/// One venue's quote reduced to its usable sides.
#[derive(Clone, Copy)]
struct Usable<'a> {
    quote: &'a VenueQuote,
    bid: Option<Price>,
    ask: Option<Price>,
}

impl<'a> Usable<'a> {
    fn of(quote: &'a VenueQuote) -> Option<Self> {
        let side = |price: Option<Price>, size: Option<u32>| price.filter(|p| *p > Price::ZERO && size != Some(0));
        let usable = Self { quote, bid: side(quote.bid, quote.bid_size), ask: side(quote.ask, quote.ask_size) };
        (usable.bid.is_some() || usable.ask.is_some()).then_some(usable)
    }

    fn is_crossed(&self) -> bool {
        matches!((self.bid, self.ask), (Some(bid), Some(ask)) if bid > ask)
    }

    /// Twice the middle, so that it stays an integer; one-sided quotes stand at their side.
    fn doubled_mid(&self) -> i64 {
        match (self.bid, self.ask) {
            (Some(bid), Some(ask)) => bid.micros() + ask.micros(),
            (Some(side), None) | (None, Some(side)) => 2 * side.micros(),
            (None, None) => 0,
        }
    }
}

/// Forms the best bid and offer from each venue's last quote.
///
/// A crossed market is uncrossed by dropping the oldest quote at the crossing until it is not; without times, or at
/// equal times, the one whose middle lies farther from the median of the other venues' middles goes, then the later
/// MIC. A consolidated row counts only where no venue speaks for itself, and is never uncrossed.
pub fn consolidate(quotes: &[VenueQuote]) -> Nbbo {
    let mut usable: Vec<Usable<'_>> = quotes.iter().filter_map(Usable::of).collect();
    if usable.iter().any(|u| !u.quote.consolidated) {
        usable.retain(|u| !u.quote.consolidated);
    }
    let mut dropped = Vec::new();
    if usable.len() > 1 {
        drop_crossed_in_themselves(&mut usable, &mut dropped);
    }
    let mut flags = QuoteFlags::EMPTY;
    while let Some(victim) = crossing_victim(&usable) {
        let gone = usable.remove(victim);
        dropped.push(Dropped { venue: gone.quote.venue, kind: DropKind::Uncrossed, bid: gone.bid, ask: gone.ask });
    }
    if !dropped.is_empty() {
        flags.insert(QuoteFlag::Uncrossed);
    }
    let bid = usable.iter().filter_map(|u| u.bid).max();
    let ask = usable.iter().filter_map(|u| u.ask).min();
    let status = status_of(bid, ask);
    if let (QuoteStatus::TwoSided, Some(bid), Some(ask)) = (status, bid, ask)
        && is_wide(bid, ask)
    {
        flags.insert(QuoteFlag::Wide);
    }
    let at_bid = || usable.iter().filter(|u| bid.is_some() && u.bid == bid);
    let at_ask = || usable.iter().filter(|u| ask.is_some() && u.ask == ask);
    Nbbo {
        bid,
        ask,
        bid_size: bid.and_then(|_| at_bid().map(|u| u.quote.bid_size.map(u64::from)).sum()),
        ask_size: ask.and_then(|_| at_ask().map(|u| u.quote.ask_size.map(u64::from)).sum()),
        venue_count: usable.len() as u32,
        status,
        flags,
        time: at_bid()
            .chain(at_ask())
            .map(|u| u.quote.time)
            .collect::<Option<Vec<_>>>()
            .and_then(|t| t.into_iter().max()),
        dropped,
    }
}

fn status_of(bid: Option<Price>, ask: Option<Price>) -> QuoteStatus {
    match (bid, ask) {
        (None, None) => QuoteStatus::None,
        (Some(_), None) => QuoteStatus::NoAsk,
        (None, Some(_)) => QuoteStatus::ZeroBid,
        (Some(bid), Some(ask)) => match bid.cmp(&ask) {
            std::cmp::Ordering::Greater => QuoteStatus::Crossed,
            std::cmp::Ordering::Equal => QuoteStatus::Locked,
            std::cmp::Ordering::Less => QuoteStatus::TwoSided,
        },
    }
}

/// Drops quotes crossed in themselves, as long as a venue is left to speak.
fn drop_crossed_in_themselves(usable: &mut Vec<Usable<'_>>, dropped: &mut Vec<Dropped>) {
    if usable.iter().all(Usable::is_crossed) {
        return;
    }
    usable.retain(|u| {
        let crossed = u.is_crossed();
        if crossed {
            dropped.push(Dropped { venue: u.quote.venue, kind: DropKind::CrossedInItself, bid: u.bid, ask: u.ask });
        }
        !crossed
    });
}

/// The place of the quote to drop from a crossed market of at least two venues; `None` where nothing crosses.
fn crossing_victim(usable: &[Usable<'_>]) -> Option<usize> {
    let bid = usable.iter().filter_map(|u| u.bid).max()?;
    let ask = usable.iter().filter_map(|u| u.ask).min()?;
    if bid <= ask || usable.len() < 2 {
        return None;
    }
    let candidates: Vec<usize> = usable
        .iter()
        .enumerate()
        .filter(|(_, u)| u.bid == Some(bid) || u.ask == Some(ask))
        .map(|(place, _)| place)
        .collect();
    let timed = candidates.iter().all(|&c| usable.get(c).is_some_and(|u| u.quote.time.is_some()));
    candidates.into_iter().max_by_key(|&place| {
        let age = if timed { usable.get(place).and_then(|u| u.quote.time).map_or(0, |t| -(t.0 as i128)) } else { 0 };
        (age, distance_from_others(usable, place), usable.get(place).map(|u| u.quote.venue))
    })
}

/// How far (in quarter millionths) a quote's middle lies from the median of the others' middles.
fn distance_from_others(usable: &[Usable<'_>], place: usize) -> i64 {
    let mut others: Vec<i64> =
        usable.iter().enumerate().filter(|(i, _)| *i != place).map(|(_, u)| u.doubled_mid()).collect();
    others.sort_unstable();
    let n = others.len();
    let doubled_median = match (others.get(n.saturating_sub(1) / 2), others.get(n / 2)) {
        (Some(low), Some(high)) => low + high,
        _ => return 0,
    };
    usable.get(place).map_or(0, |u| (2 * u.doubled_mid() - doubled_median).abs())
}

/// Whether a spread reaches the exchanges' obvious-error width for its bid.
///
/// # Source
/// The US options exchanges' common obvious-error rule: least amounts by bid level.
fn is_wide(bid: Price, ask: Price) -> bool {
    const CENTS: i64 = 10_000;
    let spread = ask.micros() - bid.micros();
    let width_cents = match bid.micros() {
        ..2_000_000 => 75,
        2_000_000..=5_000_000 => 125,
        5_000_001..=10_000_000 => 150,
        10_000_001..=20_000_000 => 250,
        20_000_001..=50_000_000 => 300,
        50_000_001..=100_000_000 => 450,
        _ => 600,
    };
    spread >= width_cents * CENTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(venue: u16, bid: f64, ask: f64, time: Option<i64>) -> VenueQuote {
        let side = |p: f64| (p > 0.0).then(|| Price::nearest(p).unwrap());
        VenueQuote {
            venue: Venue(venue),
            consolidated: false,
            bid: side(bid),
            bid_size: Some(10),
            ask: side(ask),
            ask_size: Some(20),
            time: time.map(Instant),
        }
    }

    fn prices(n: &Nbbo) -> (f64, f64) {
        (n.bid.map_or(0.0, Price::to_f64), n.ask.map_or(0.0, Price::to_f64))
    }

    #[test]
    fn best_of_three_venues_with_sizes_summed_at_the_best() {
        let n = consolidate(&[quote(0, 1.0, 1.2, None), quote(1, 1.05, 1.2, None), quote(2, 1.05, 1.25, None)]);
        assert_eq!(prices(&n), (1.05, 1.2));
        assert_eq!((n.bid_size, n.ask_size, n.venue_count), (Some(20), Some(40), 3));
        assert_eq!((n.status, n.mid()), (QuoteStatus::TwoSided, Price::nearest(1.125)));
    }

    #[test]
    fn an_unknown_size_is_usable_and_makes_the_sum_unknown() {
        let mut q = quote(0, 1.0, 1.2, None);
        q.bid_size = None;
        let n = consolidate(&[q, quote(1, 1.0, 1.3, None)]);
        assert_eq!((n.bid_size, n.ask_size), (None, Some(20)));
    }

    #[test]
    fn a_size_of_zero_is_no_price() {
        let mut q = quote(0, 1.1, 1.2, None);
        q.bid_size = Some(0);
        assert_eq!(consolidate(&[q]).status, QuoteStatus::ZeroBid);
        assert_eq!(prices(&consolidate(&[q, quote(1, 1.0, 1.3, None)])), (1.0, 1.2));
    }

    #[test]
    fn every_status_has_its_quote() {
        for (bid, ask, status) in [
            (0.0, 0.0, QuoteStatus::None),
            (1.0, 0.0, QuoteStatus::NoAsk),
            (1.2, 1.1, QuoteStatus::Crossed),
            (1.1, 1.1, QuoteStatus::Locked),
            (0.0, 1.1, QuoteStatus::ZeroBid),
            (1.0, 1.1, QuoteStatus::TwoSided),
        ] {
            assert_eq!(consolidate(&[quote(0, bid, ask, None)]).status, status);
        }
        assert_eq!(consolidate(&[]).status, QuoteStatus::None);
    }

    #[test]
    fn the_older_quote_of_a_crossing_goes() {
        let n =
            consolidate(&[quote(0, 1.0, 1.2, Some(50)), quote(1, 1.3, 1.5, Some(10)), quote(2, 1.0, 1.25, Some(40))]);
        assert_eq!(prices(&n), (1.0, 1.2));
        assert!(n.flags.contains(QuoteFlag::Uncrossed));
        assert_eq!(n.dropped.iter().map(|d| d.venue).collect::<Vec<_>>(), [Venue(1)]);
    }

    #[test]
    fn without_times_the_one_farther_from_the_others_goes_then_the_later_mic() {
        let n = consolidate(&[quote(0, 1.3, 1.5, None), quote(1, 1.0, 1.2, None), quote(2, 1.0, 1.25, None)]);
        assert_eq!(n.dropped.iter().map(|d| d.venue).collect::<Vec<_>>(), [Venue(0)]);
        let tie = consolidate(&[quote(0, 1.0, 1.2, Some(5)), quote(1, 1.3, 1.5, Some(5))]);
        assert_eq!(tie.dropped.iter().map(|d| d.venue).collect::<Vec<_>>(), [Venue(1)]);
    }

    #[test]
    fn a_quote_crossed_in_itself_goes_when_others_quote_and_stays_alone() {
        let n = consolidate(&[quote(0, 1.3, 1.1, Some(99)), quote(1, 1.0, 1.2, Some(5))]);
        assert_eq!((prices(&n), n.status), ((1.0, 1.2), QuoteStatus::TwoSided));
        let alone = consolidate(&[quote(0, 1.3, 1.1, None)]);
        assert_eq!((alone.status, alone.mid()), (QuoteStatus::Crossed, None));
    }

    #[test]
    fn a_consolidated_row_counts_only_alone() {
        let mut row = quote(0, 1.4, 1.5, None);
        row.consolidated = true;
        assert_eq!(prices(&consolidate(&[row])), (1.4, 1.5));
        assert_eq!(prices(&consolidate(&[row, quote(1, 1.0, 1.2, None)])), (1.0, 1.2));
    }

    #[test]
    fn wide_follows_the_obvious_error_table() {
        for (bid, width) in
            [(1.0, 0.75), (2.0, 1.25), (5.0, 1.25), (5.1, 1.5), (15.0, 2.5), (50.0, 3.0), (99.0, 4.5), (101.0, 6.0)]
        {
            assert!(consolidate(&[quote(0, bid, bid + width, None)]).flags.contains(QuoteFlag::Wide));
            assert!(!consolidate(&[quote(0, bid, bid + width - 0.01, None)]).flags.contains(QuoteFlag::Wide));
        }
    }
}
