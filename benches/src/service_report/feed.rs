//! Batches as a feed handler would send them, prepared before the clock starts.

use closemark_proto::v1::{Decimal, IngestQuotesRequest, Quote};

use super::seed::Seed;

/// The market date of everything sent.
pub const MARKET_DATE: &str = "2026-11-20";
const VENUES: [&str; 16] = [
    "XCBO", "XPHL", "XISX", "ARCO", "AMXO", "XMIO", "C2OX", "BATO", "EDGO", "GMNI", "MCRY", "EMLD", "XBXO", "XBOX",
    "XNDQ", "MPRL",
];
const ROOTS: [&str; 4] = ["AAPL", "SPY", "MSFT", "NVDA"];
const FIRST: i64 = 1_795_208_000_000_000_000;

/// Quotes of one producer: series after series, each on most venues, as at a close; prices in cents, times apart by
/// microseconds, sequences ascending. Of 21 bytes a symbol, 10,000 quotes have about 800 different.
#[derive(Clone, Debug)]
pub struct Feed {
    producer: String,
    seed: Seed,
    strike: u64,
    time: i64,
    venue_sequence: u64,
}

impl Feed {
    /// A producer's feed.
    pub fn new(producer: &str, seed: u64) -> Self {
        Self { producer: producer.to_owned(), seed: Seed(seed), strike: 0, time: FIRST, venue_sequence: 0 }
    }

    /// A batch under a sequence. The first quote's bid is the sequence in millionths, by which it is known again.
    pub fn batch(&mut self, sequence: u64, quotes: usize) -> IngestQuotesRequest {
        let mut rows = Vec::with_capacity(quotes);
        while rows.len() < quotes {
            self.strike = self.strike % 99_999 + 1;
            let root = ROOTS.get(self.seed.below(ROOTS.len() as u64) as usize).copied().unwrap_or_default();
            let symbol = format!("{root:<6}261218C{:08}", self.strike * 500);
            let mid = 200 + self.seed.below(5_000) as i64;
            let venues: Vec<&str> = VENUES.into_iter().filter(|_| self.seed.below(8) > 0).collect();
            for venue in venues.into_iter().take(quotes - rows.len()) {
                let half = 2 + self.seed.below(10) as i64;
                self.time += self.seed.below(5_000) as i64;
                self.venue_sequence += 1 + self.seed.below(3);
                rows.push(Quote {
                    osi_symbol: symbol.clone(),
                    venue: venue.to_owned(),
                    bid: Some(Decimal { micros: (mid - half) * 10_000 }),
                    bid_size: Some(self.seed.below(300) as u32),
                    ask: Some(Decimal { micros: (mid + half) * 10_000 }),
                    ask_size: Some(self.seed.below(300) as u32),
                    quote_time_unix_nanos: Some(self.time),
                    venue_sequence: Some(self.venue_sequence),
                    currency: String::new(),
                    multiplier: None,
                });
            }
        }
        if let Some(first) = rows.first_mut() {
            first.bid = Some(Decimal { micros: sequence as i64 });
        }
        let producer_id = self.producer.clone();
        IngestQuotesRequest { producer_id, sequence, market_date: MARKET_DATE.to_owned(), quotes: rows }
    }
}
