//! What putting a quote into the log's form, and reading it back, costs one core.

use anyhow::{Context, Result, ensure};
use closemark_data::date;
use closemark_data::files::{Files, Simulated};
use closemark_data::log::{BatchEncoder, BatchHead, EncodedBatch, IncomingQuote, LogLimits, QuoteLog, Record};
use closemark_proto::v1::IngestQuotesRequest;

use super::feed::{Feed, MARKET_DATE};
use super::table::Table;
use crate::whole_close::now;

const QUOTES: usize = 10_000;
const BATCHES: u64 = 30;
const ROUNDS: usize = 5;

/// A request's quotes as the service hands them to the encoder.
fn encode(encoder: &mut BatchEncoder, batch: &IngestQuotesRequest) -> Result<EncodedBatch> {
    let head = BatchHead {
        producer_id: &batch.producer_id,
        sequence: batch.sequence,
        market_date: date::parse(&batch.market_date).context("a date")?,
        received_unix_nanos: 0,
    };
    let quotes = batch.quotes.iter().map(|quote| IncomingQuote {
        osi_symbol: &quote.osi_symbol,
        venue: &quote.venue,
        bid: quote.bid.map(|price| price.micros),
        bid_size: quote.bid_size,
        ask: quote.ask.map(|price| price.micros),
        ask_size: quote.ask_size,
        quote_time_unix_nanos: quote.quote_time_unix_nanos,
        sequence: quote.venue_sequence,
        currency: &quote.currency,
        multiplier: quote.multiplier,
    });
    Ok(encoder.encode(&head, quotes)?)
}

/// Measures, and adds the rows.
///
/// # Errors
/// Where the log does not take what it has encoded.
pub fn measure(table: &mut Table) -> Result<()> {
    let mut feed = Feed::new("codec", 1);
    let batches: Vec<IngestQuotesRequest> = (1..=BATCHES).map(|sequence| feed.batch(sequence, QUOTES)).collect();
    let mut encoder = BatchEncoder::default();
    let total = QUOTES as f64 * BATCHES as f64;
    let (mut encoding, mut appending, mut reading) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        let start = now();
        let encoded: Vec<EncodedBatch> =
            batches.iter().map(|batch| encode(&mut encoder, batch)).collect::<Result<_>>()?;
        encoding = encoding.min(start.elapsed().as_secs_f64());
        let files = Simulated::default();
        files.create_folder("/log".as_ref())?;
        let mut log = QuoteLog::open(std::sync::Arc::new(files), "/log/quotes".as_ref(), LogLimits::default())?;
        let start = now();
        for batch in &encoded {
            log.append(batch)?;
        }
        log.commit()?;
        appending = appending.min(start.elapsed().as_secs_f64());
        let snapshot = log.snapshot(date::parse(MARKET_DATE).context("a date")?)?.context("nothing is there")?;
        let (mut quotes, mut sum) = (0u64, 0i64);
        let start = now();
        snapshot.for_each(|record| {
            let Record::Batch(mut batch) = record else { return };
            while let Ok(Some(quote)) = batch.next_quote() {
                quotes += 1;
                sum = sum.wrapping_add(quote.ask.unwrap_or_default());
            }
        })?;
        reading = reading.min(start.elapsed().as_secs_f64());
        ensure!(quotes as f64 == total && sum != 0, "{quotes} quotes came back");
    }
    table.note("log_encode_ns", "log: ns a quote, encoding and judging", encoding * 1e9 / total);
    table.note("log_append_ns", "log: ns a quote, framing, checksum and digest (in memory)", appending * 1e9 / total);
    table.note("log_read_ns", "log: ns a quote, reading back with checksum and digest", reading * 1e9 / total);
    Ok(())
}
