//! One venue's last usable word on a series.

use crate::price::Price;
use crate::series::Instant;

/// A venue, as its place in the day's table of venues sorted by MIC (so that a larger number is a later MIC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Venue(pub u16);

/// The last quote of one venue for one series at or before the snapshot.
///
/// A price of zero and an absent price mean the same: no interest on that side. A size of zero beside a
/// price makes that side unusable; an unknown size is usable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VenueQuote {
    /// Who quotes.
    pub venue: Venue,
    /// True for the consolidated source `NBBO`, which never uncrosses and is never uncrossed.
    pub consolidated: bool,
    /// Bid per share.
    pub bid: Option<Price>,
    /// Contracts bid for.
    pub bid_size: Option<u32>,
    /// Offer per share.
    pub ask: Option<Price>,
    /// Contracts offered.
    pub ask_size: Option<u32>,
    /// When the venue said so.
    pub time: Option<Instant>,
}
