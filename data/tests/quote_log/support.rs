//! Batches with content that says which they are, and a log in memory.

use std::path::Path;
use std::sync::Arc;

use closemark_data::date;
use closemark_data::files::{Files, Simulated};
use closemark_data::log::{
    BatchEncoder, BatchHead, EncodedBatch, IncomingQuote, LogError, LogLimits, QuoteLog, Record, ReferenceUpdate,
};
use closemark_pricing::series::Date;

pub(crate) const ROOT: &str = "/data/log";

pub(crate) fn market_date() -> Date {
    date::parse("2026-11-20").unwrap()
}

pub(crate) fn small_segments() -> LogLimits {
    LogLimits { segment_bytes: 600, ..LogLimits::default() }
}

pub(crate) fn simulated() -> Simulated {
    let files = Simulated::default();
    files.create_folder(Path::new("/data")).unwrap();
    files.sync_folder(Path::new("/")).unwrap();
    files
}

pub(crate) fn open(files: &Simulated, limits: LogLimits) -> Result<QuoteLog, LogError> {
    QuoteLog::open(Arc::new(files.clone()), Path::new(ROOT), limits)
}

/// A batch whose first quote's bid is its sequence in millionths.
pub(crate) fn batch(producer: &str, sequence: u64) -> EncodedBatch {
    batch_on(market_date(), producer, sequence)
}

pub(crate) fn batch_on(market_date: Date, producer: &str, sequence: u64) -> EncodedBatch {
    let head = BatchHead { producer_id: producer, sequence, market_date, received_unix_nanos: 5 };
    let quote = |symbol, bid| IncomingQuote {
        osi_symbol: symbol,
        venue: "XCBO",
        bid: Some(bid),
        ask: Some(bid + 10_000),
        ask_size: Some(7),
        ..IncomingQuote::default()
    };
    let quotes = [
        quote("XYZ   261218C00100000", sequence as i64),
        quote("XYZ   261218C00100000", 20_000),
        quote("XYZ   261218P00100000", 1_234_560_000),
    ];
    BatchEncoder::default().encode(&head, quotes).unwrap()
}

pub(crate) fn update(request_id: &str) -> ReferenceUpdate {
    ReferenceUpdate {
        request_id: request_id.to_owned(),
        market_date: market_date(),
        rates: Some(vec![closemark_data::input::RateRow { tenor_days: 30.0, zero_rate: 0.04 }]),
        ..ReferenceUpdate::default()
    }
}

/// Producer and sequence of every batch, and every request, in the log's order; the content checked.
pub(crate) fn records(log: &mut QuoteLog) -> Result<Vec<(String, u64)>, LogError> {
    let mut found = Vec::new();
    let Some(snapshot) = log.snapshot(market_date())? else { return Ok(found) };
    snapshot.for_each(|record| match record {
        Record::Batch(mut batch) => {
            let first = batch.next_quote().unwrap().unwrap();
            assert_eq!(first.bid, Some(batch.sequence as i64));
            let mut quotes = 1;
            while batch.next_quote().unwrap().is_some() {
                quotes += 1;
            }
            assert_eq!(quotes, 3);
            found.push((batch.producer_id.to_owned(), batch.sequence));
        }
        Record::Reference { request_id, version } => found.push((request_id.to_owned(), version)),
        _ => {}
    })?;
    Ok(found)
}
