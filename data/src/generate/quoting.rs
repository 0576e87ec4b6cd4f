//! What the venues quote for a series of known worth.
//!
//! The best bid and offer are drawn first: a calibrated spread around the true price plus an error of half a
//! half-spread (so that the truth lies inside about 95 % of quotes), rounded outwards to ticks. Each venue then
//! quotes no better, and at least one is at the best on each side.

use closemark_pricing::vocabulary::OptionType;

use super::calibration::Tier;
use super::cast::{Profile, Ticks};
use super::random::{Random, normal_cdf};
use super::truth::TrueSeries;

/// A venue's MIC and how keen it is: mean ticks behind the best, in units of the usual.
const VENUES: [(&str, f64); 18] = [
    ("AMXO", 1.1),
    ("ARCO", 0.7),
    ("BATO", 0.9),
    ("C2OX", 1.0),
    ("EDGO", 0.9),
    ("EMLD", 1.0),
    ("GMNI", 1.2),
    ("MCRY", 1.3),
    ("MPRL", 0.8),
    ("MXOP", 0.9),
    ("SPHR", 1.3),
    ("XBOX", 1.1),
    ("XBXO", 1.4),
    ("XCBO", 0.6),
    ("XISX", 0.8),
    ("XMIO", 0.9),
    ("XNDQ", 0.8),
    ("XPHL", 0.6),
];

/// The four venues of one exchange group that list index classes.
const INDEX_VENUES: [usize; 4] = [13, 3, 4, 2];

/// The MIC of a venue by its place.
pub fn venue_mic(venue: usize) -> &'static str {
    VENUES.get(venue).map_or("", |(mic, _)| mic)
}

/// One venue's quote before it becomes a row. Prices in millionths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VenueQuote {
    /// Place in the table of venues, ascending MIC.
    pub venue: usize,
    /// Bid.
    pub bid: Option<i64>,
    /// Contracts bid for.
    pub bid_size: Option<u32>,
    /// Offer.
    pub ask: Option<i64>,
    /// Contracts offered.
    pub ask_size: Option<u32>,
    /// Milliseconds before the snapshot.
    pub age_ms: i64,
}

impl Ticks {
    /// The tick at a price, in millionths.
    pub fn at(self, micros: f64) -> i64 {
        match self {
            Self::AllPenny => 10_000,
            Self::Penny if micros < 3e6 => 10_000,
            Self::Nickel if micros >= 3e6 => 100_000,
            _ => 50_000,
        }
    }

    /// The tick at or below a price; zero for what is not positive.
    pub fn floor(self, micros: f64) -> i64 {
        let tick = self.at(micros);
        libm::floor(micros.max(0.0) / tick as f64) as i64 * tick
    }

    /// The tick at or above a price, at least one.
    pub fn ceil(self, micros: f64) -> i64 {
        let tick = self.at(micros);
        (libm::ceil(micros / tick as f64) as i64).max(1) * tick
    }
}

/// Makes quotes for the series of one name.
pub struct Quoter<'a> {
    profile: &'a Profile,
    /// The name's own place in its tier's distribution of spreads, as a normal deviate.
    width: f64,
    slice_widths: Vec<f64>,
    venue_count: usize,
}

impl<'a> Quoter<'a> {
    /// A quoter for a name of `slices` expirations.
    pub fn new(profile: &'a Profile, slices: usize, random: &mut Random) -> Self {
        let width = random.normal();
        let slice_widths = (0..slices).map(|_| random.normal()).collect();
        Self { profile, width, slice_widths, venue_count: profile.tier.draw_venue_count(random) }
    }

    /// The quotes of one series, ascending venue.
    pub fn quotes(&self, series: &TrueSeries, random: &mut Random) -> Vec<VenueQuote> {
        let (bid, ask) = self.best(series, random);
        let tick = self.profile.ticks.at(ask as f64);
        let spread = (ask - bid).max(tick);
        // Venues stand back in proportion to how wide the market is, but never by much more than it.
        let behind = 0.35 * (spread as f64 / tick as f64).min(8.0);
        let mut quotes = Vec::with_capacity(self.venue_count);
        for venue in self.venues(random) {
            let keenness = VENUES.get(venue).map_or(1.0, |v| v.1);
            let back = |random: &mut Random| random.exponential(behind * keenness) as i64;
            let own_bid = bid - back(random) * self.profile.ticks.at(bid as f64);
            let own_ask = ask + back(random) * tick;
            let bids = own_bid > 0;
            quotes.push(VenueQuote {
                venue,
                bid: bids.then_some(own_bid),
                bid_size: bids.then(|| self.size(random)),
                ask: Some(own_ask),
                ask_size: Some(self.size(random)),
                age_ms: self.age_ms(random),
            });
        }
        let count = quotes.len();
        let at_best = |random: &mut Random| random.below(count.max(1));
        let (bidder, offerer) = (at_best(random), at_best(random));
        if let Some(quote) = quotes.get_mut(bidder)
            && bid > 0
        {
            quote.bid = Some(bid);
            quote.bid_size = Some(self.size(random));
        }
        if let Some(quote) = quotes.get_mut(offerer) {
            quote.ask = Some(ask);
        }
        quotes
    }

    /// Best bid (0 for none) and offer in millionths.
    fn best(&self, series: &TrueSeries, random: &mut Random) -> (i64, i64) {
        let profile = self.profile;
        let width = self.slice_widths.get(series.slice).copied().unwrap_or(0.0);
        // 0.7^2 + 0.35^2 + 0.62^2 is one: a name's series are alike, an expiration's more so.
        let level = normal_cdf(0.7 * self.width + 0.35 * width + 0.6225 * random.normal());
        let truth = series.price * 1e6;
        let spread = 1e6 * profile.tier.spread_quantile(series.price, level);
        let tick = profile.ticks.at(truth) as f64;
        // Rounding outwards adds about one tick to the spread.
        let half = 0.5 * (spread - tick).max(0.2 * tick);
        let middle = truth + 0.5 * half * random.normal();
        let ask = profile.ticks.ceil((middle + half).max(truth * 0.5));
        let bid = profile.ticks.floor(middle - half);
        let moneyness = series.strike / profile.spot - 1.0;
        let call = series.option_type == OptionType::Call;
        let share = profile.tier.zero_bid_share(call, moneyness, f64::from(series.days));
        // Nobody leaves an option of substance without a bid, whatever its moneyness.
        let forced = random.chance(share) && series.price < 0.25 + 0.004 * profile.spot;
        if forced { (0, ask) } else { (bid.min(ask - profile.ticks.at(ask as f64)).max(0), ask) }
    }

    fn venues(&self, random: &mut Random) -> Vec<usize> {
        if self.profile.tier == Tier::Index {
            let mut venues: Vec<usize> = INDEX_VENUES.iter().copied().take(self.venue_count).collect();
            venues.sort_unstable();
            return venues;
        }
        let missing = VENUES.len().saturating_sub(self.venue_count);
        let mut venues: Vec<usize> = (0..VENUES.len()).collect();
        for _ in 0..missing {
            let place = random.below(venues.len());
            if place < venues.len() {
                venues.remove(place);
            }
        }
        venues
    }

    fn size(&self, random: &mut Random) -> u32 {
        let scale = match self.profile.tier {
            Tier::A | Tier::Index => 40.0,
            Tier::B => 25.0,
            Tier::C => 15.0,
            Tier::D => 10.0,
        };
        let drawn = random.exponential(scale);
        // Quoting machines like round sizes.
        let rounded = if drawn > 20.0 { libm::round(drawn / 10.0) * 10.0 } else { libm::ceil(drawn) };
        rounded.clamp(1.0, 999.0) as u32
    }

    fn age_ms(&self, random: &mut Random) -> i64 {
        // A tenth of quotes have rested for minutes, and are right all the same.
        let mean = self.profile.tier.mean_quote_age() * if random.chance(0.1) { 8.0 } else { 1.0 };
        ((random.exponential(mean * 1_000.0) as i64).min(6 * 3_600_000) / 50 + 1) * 50
    }
}

#[cfg(test)]
mod tests {
    use super::{VENUES, venue_mic};
    use crate::generate::cast::Ticks;
    use crate::reference::VenueTable;

    #[test]
    fn venues_are_those_of_the_reference_table() {
        let table = VenueTable::on(crate::date::parse("2026-11-20").unwrap()).unwrap();
        for (mic, _) in VENUES {
            assert!(table.find(mic).is_some(), "{mic}");
        }
        assert!(VENUES.windows(2).all(|w| w[0].0 < w[1].0));
        assert_eq!(venue_mic(99), "");
    }

    #[test]
    fn ticks_round_outwards() {
        assert_eq!((Ticks::Penny.floor(2_999_999.0), Ticks::Penny.ceil(3_000_001.0)), (2_990_000, 3_050_000));
        assert_eq!((Ticks::Nickel.floor(3_070_000.0), Ticks::Nickel.ceil(10.0)), (3_000_000, 50_000));
        assert_eq!(Ticks::AllPenny.floor(-5.0), 0);
    }
}
