//! Power cuts at every step of a working log, on the simulated file layer.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use closemark_data::date;
use closemark_data::files::{Files, Forget, Simulated, Trouble};
use closemark_data::log::{
    AppendError, Appended, BatchEncoder, BatchHead, EncodedBatch, IncomingQuote, LogError, LogLimits, QuoteLog, Record,
};
use closemark_pricing::series::Date;

use super::feed::MARKET_DATE;
use super::table::Table;

const ROOT: &str = "/data/quotes";
const PRODUCERS: [&str; 3] = ["a", "b", "c"];
const BATCHES: u64 = 10;
const QUOTES: usize = 40;
/// Ways of forgetting tried at each step, beside forgetting everything.
const SEEDS: u64 = 8;

fn limits() -> LogLimits {
    LogLimits { segment_bytes: 4_000, ..LogLimits::default() }
}

fn market_date() -> Result<Date> {
    date::parse(MARKET_DATE).context("a date")
}

fn batch(producer_id: &str, sequence: u64) -> Result<EncodedBatch> {
    let head = BatchHead { producer_id, sequence, market_date: market_date()?, received_unix_nanos: 0 };
    let quotes = (0..QUOTES).map(|place| IncomingQuote {
        osi_symbol: if place.is_multiple_of(2) { "AAPL  261218C00250000" } else { "AAPL  261218P00250000" },
        venue: "XCBO",
        bid: Some(sequence as i64),
        ask: Some(20_000 * place as i64 + 10_000),
        ..IncomingQuote::default()
    });
    Ok(BatchEncoder::default().encode(&head, quotes)?)
}

/// Sends every producer's batches, two of the three in each group, until all are acknowledged or the log fails.
fn work(files: &Simulated, acknowledged: &mut [u64; 3]) -> Result<()> {
    let mut log = QuoteLog::open(Arc::new(files.clone()), Path::new(ROOT), limits())?;
    let mut round = 0usize;
    while acknowledged.iter().any(|sequence| *sequence < BATCHES) {
        let mut waiting = *acknowledged;
        for (place, producer) in PRODUCERS.iter().enumerate() {
            let Some(sequence) = waiting.get_mut(place).filter(|sequence| **sequence < BATCHES) else { continue };
            if (round + place).is_multiple_of(3) {
                continue;
            }
            match log.append(&batch(producer, *sequence + 1)?)? {
                Appended::Durable { acknowledged_sequence } => ensure!(acknowledged_sequence > *sequence, "no retry"),
                Appended::Waiting(_) => {}
            }
            *sequence += 1;
        }
        log.commit()?;
        *acknowledged = waiting;
        round += 1;
    }
    Ok(())
}

/// Batches that were acknowledged and are not there, and batches that are there twice or out of order.
fn wrong(files: &Simulated, acknowledged: &[u64; 3]) -> Result<(u64, u64)> {
    let mut log = QuoteLog::open(Arc::new(files.clone()), Path::new(ROOT), limits())?;
    let mut found = [0u64; 3];
    let mut twice = 0;
    if let Some(snapshot) = log.snapshot(market_date()?)? {
        snapshot.for_each(|record| {
            let Record::Batch(mut batch) = record else { return };
            let Some(place) = PRODUCERS.iter().position(|producer| *producer == batch.producer_id) else { return };
            let Some(own) = found.get_mut(place) else { return };
            let mut quotes = 0;
            while let Ok(Some(quote)) = batch.next_quote() {
                quotes += usize::from(quote.bid == Some(batch.sequence as i64));
            }
            if batch.sequence == *own + 1 && quotes == QUOTES {
                *own += 1;
            } else {
                twice += 1;
            }
        })?;
    }
    let lost = acknowledged.iter().zip(found).map(|(acknowledged, found)| acknowledged.saturating_sub(found)).sum();
    Ok((lost, twice))
}

fn prepared() -> Result<Simulated> {
    let files = Simulated::default();
    files.create_folder(Path::new("/data"))?;
    files.sync_folder(Path::new("/"))?;
    Ok(files)
}

/// Measures, and adds the rows.
///
/// # Errors
/// Where the log fails for another reason than the power.
pub fn measure(table: &mut Table) -> Result<()> {
    let quiet = prepared()?;
    let first = quiet.steps().len();
    work(&quiet, &mut [0; 3])?;
    let steps = quiet.steps().len();
    let (mut cuts, mut lost, mut twice) = (0u64, 0, 0);
    for step in first..steps {
        let forgets =
            std::iter::once(Forget::Everything).chain((0..SEEDS).map(|seed| Forget::Part((seed << 32) | step as u64)));
        for forget in forgets {
            let files = prepared()?;
            files.trouble_at(step, Trouble::PowerCut);
            let mut acknowledged = [0; 3];
            match work(&files, &mut acknowledged) {
                Ok(()) => anyhow::bail!("nobody noticed the power cut at step {step}"),
                Err(error) => {
                    let expected =
                        error.downcast_ref::<LogError>().is_some() || error.downcast_ref::<AppendError>().is_some();
                    ensure!(expected, "step {step}: {error}");
                }
            }
            files.restart(forget);
            let now = wrong(&files, &acknowledged)?;
            work(&files, &mut acknowledged)?;
            let later = wrong(&files, &acknowledged)?;
            lost += now.0 + later.0;
            twice += now.1 + later.1;
            cuts += 1;
        }
    }
    table.note(
        "power_cut_points",
        "power cuts, simulated: points before and after each operation",
        (steps - first) as u64,
    );
    table.note("power_cuts", "power cuts, simulated: cuts, of each point several kinds of forgetting", cuts);
    table.target("power_cut_lost", "power cuts, simulated: acknowledged batches lost", lost, "0", lost == 0);
    table.target("power_cut_twice", "power cuts, simulated: batches twice or out of order", twice, "0", twice == 0);
    Ok(())
}
