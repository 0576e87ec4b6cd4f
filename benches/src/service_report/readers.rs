//! Readers at full speed while closes run: no error, and no answer that mixes two runs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use arrow::array::AsArray;
use arrow::datatypes::DataType;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{FlightClient, Ticket};
use closemark_data::files::Disk;
use closemark_data::input::{ReadOptions, read_day};
use closemark_data::log::{BatchEncoder, BatchHead, IncomingQuote, LogLimits, QuoteLog, ReferenceUpdate};
use closemark_data::{date, sample};
use closemark_proto::v1::close_service_client::CloseServiceClient;
use closemark_proto::v1::mark_service_client::MarkServiceClient;
use closemark_proto::v1::{BatchGetMarksRequest, GetMarkRequest, StartCloseRequest, WatchCloseRequest};
use tokio_stream::StreamExt;
use tonic::transport::Channel;

use super::feed::MARKET_DATE;
use super::service::Service;
use super::table::Table;

/// Closes while the readers read.
const CLOSES: u32 = 4;
/// Symbols of a batch read.
const SYMBOLS: usize = 200;

/// What one reader has seen.
#[derive(Debug, Default)]
struct Seen {
    answers: u64,
    errors: u64,
    mixed: u64,
    runs: BTreeSet<String>,
    first_error: Option<String>,
}

impl Seen {
    fn answer(&mut self, runs: BTreeSet<String>) {
        self.answers += 1;
        self.mixed += u64::from(runs.len() > 1);
        self.runs.extend(runs);
    }

    fn error(&mut self, error: &dyn std::fmt::Display) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| error.to_string());
    }
}

/// Puts the bundled sample's day into a log, before the service has it.
///
/// # Errors
/// Where the log does not take it.
pub fn log_sample(folder: &Path) -> Result<Vec<String>> {
    let market_date = date::parse(MARKET_DATE).context("a date")?;
    std::fs::create_dir_all(folder)?;
    let limits = LogLimits::default();
    let mut log = QuoteLog::open(Arc::new(Disk), &folder.join("quotes"), limits)?;
    let update = ReferenceUpdate { request_id: "sample".to_owned(), market_date, ..ReferenceUpdate::default() };
    log.put_reference(&update.encode_folder(&sample::source(), &limits)?)?;
    // The quotes that count are all that a close of this day needs.
    let day = read_day(&sample::source(), &ReadOptions::default())?;
    let mut encoder = BatchEncoder::default();
    let (mut symbols, mut sequence) = (Vec::new(), 0);
    for one in &day.underlyings {
        let mut quotes = Vec::new();
        for (series, ends) in one.series.iter().zip(one.quote_offsets.windows(2)) {
            let [start, end] = ends else { continue };
            symbols.push(series.osi_symbol.clone());
            for quote in one.quotes.get(*start as usize..*end as usize).unwrap_or_default() {
                quotes.push(IncomingQuote {
                    osi_symbol: &series.osi_symbol,
                    venue: day.venues.get(usize::from(quote.venue.0)).map_or("", String::as_str),
                    bid: quote.bid.map(|price| price.micros()),
                    bid_size: quote.bid_size,
                    ask: quote.ask.map(|price| price.micros()),
                    ask_size: quote.ask_size,
                    quote_time_unix_nanos: quote.time.map(|time| time.0),
                    ..IncomingQuote::default()
                });
            }
        }
        for part in quotes.chunks(10_000) {
            sequence += 1;
            let head = BatchHead { producer_id: "sample", sequence, market_date, received_unix_nanos: 0 };
            log.append(&encoder.encode(&head, part.iter().copied())?)?;
        }
    }
    log.commit()?;
    Ok(symbols)
}

async fn read_batches(channel: Channel, symbols: Vec<String>, stop: Arc<AtomicBool>) -> Seen {
    let mut client = MarkServiceClient::new(channel).max_decoding_message_size(64 << 20);
    let mut seen = Seen::default();
    let parent = format!("dates/{MARKET_DATE}/runs/current");
    while !stop.load(Ordering::Relaxed) {
        let request = BatchGetMarksRequest { parent: parent.clone(), osi_symbols: symbols.clone() };
        match client.batch_get_marks(request).await {
            Ok(answer) => seen.answer(answer.into_inner().marks.into_iter().map(|mark| mark.run_id).collect()),
            Err(status) => seen.error(&status),
        }
    }
    seen
}

async fn read_single(channel: Channel, symbols: Vec<String>, stop: Arc<AtomicBool>) -> Seen {
    let mut client = MarkServiceClient::new(channel);
    let mut seen = Seen::default();
    for symbol in symbols.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("dates/{MARKET_DATE}/runs/current/marks/{symbol}");
        match client.get_mark(GetMarkRequest { name }).await {
            Ok(answer) => seen.answer(BTreeSet::from([answer.into_inner().run_id])),
            Err(status) => seen.error(&status),
        }
    }
    seen
}

async fn read_tables(channel: Channel, stop: Arc<AtomicBool>) -> Seen {
    let client = FlightServiceClient::new(channel).max_decoding_message_size(64 << 20);
    let mut client = FlightClient::new_from_inner(client);
    let mut seen = Seen::default();
    let ticket = serde_json::json!({"dataset": "marks", "date": MARKET_DATE}).to_string();
    while !stop.load(Ordering::Relaxed) {
        match table_runs(&mut client, &ticket).await {
            Ok(runs) => seen.answer(runs),
            Err(error) => seen.error(&error),
        }
    }
    seen
}

async fn table_runs(client: &mut FlightClient, ticket: &str) -> Result<BTreeSet<String>> {
    let mut stream = client.do_get(Ticket { ticket: ticket.to_owned().into() }).await?;
    let mut runs = BTreeSet::new();
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let column = batch.column_by_name("run_id").context("no run_id")?;
        let texts = arrow::compute::cast(column, &DataType::Utf8)?;
        runs.extend(texts.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(runs)
}

/// One close from its call to its end; its run.
async fn close(client: &mut CloseServiceClient<Channel>, number: u32) -> Result<String> {
    let request = StartCloseRequest {
        request_id: format!("report-{number}"),
        market_date: MARKET_DATE.to_owned(),
        settings_toml: format!("[gates]\ncoverage_min = 0.{}\n", 50 + number),
        ..StartCloseRequest::default()
    };
    let started = client.start_close(request).await?.into_inner();
    let mut watch = client.watch_close(WatchCloseRequest { name: started.name }).await?.into_inner();
    let mut last = None;
    while let Some(progress) = watch.message().await? {
        last = progress.close.or(last);
    }
    let close = last.context("the close ended without its last message")?;
    ensure!(close.state == "FINAL", "close {number} ended {}", close.state);
    Ok(close.run_id)
}

/// Measures, and adds the rows.
///
/// # Errors
/// Where a close fails.
pub async fn measure(table: &mut Table) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let symbols = log_sample(&scratch.path().join("state"))?;
    let service = Service::start(scratch.path(), "", &[])?;
    let mut closes = CloseServiceClient::new(service.connect().await?);
    let mut runs = BTreeSet::from([close(&mut closes, 0).await?]);
    let stop = Arc::new(AtomicBool::new(false));
    let some: Vec<String> = symbols.iter().step_by((symbols.len() / SYMBOLS).max(1)).take(SYMBOLS).cloned().collect();
    let mut readers = Vec::new();
    for _ in 0..2 {
        readers.push(tokio::spawn(read_batches(service.connect().await?, some.clone(), Arc::clone(&stop))));
        readers.push(tokio::spawn(read_single(service.connect().await?, some.clone(), Arc::clone(&stop))));
        readers.push(tokio::spawn(read_tables(service.connect().await?, Arc::clone(&stop))));
    }
    for number in 1..=CLOSES {
        runs.insert(close(&mut closes, number).await?);
    }
    stop.store(true, Ordering::Relaxed);
    let mut all = Seen::default();
    for reader in readers {
        let seen = reader.await?;
        all.answers += seen.answers;
        all.errors += seen.errors;
        all.mixed += seen.mixed;
        all.runs.extend(seen.runs);
        all.first_error = all.first_error.or(seen.first_error);
    }
    let foreign = all.runs.difference(&runs).count() as u64;
    table.note("reader_closes", "readers beside closes: closes", u64::from(CLOSES));
    table.note(
        "reader_answers",
        "readers beside closes: answers of single marks, batches and whole tables",
        all.answers,
    );
    table.note("reader_runs", "readers beside closes: runs that readers saw", all.runs.len() as u64);
    if let Some(error) = &all.first_error {
        table.note("reader_first_error", "readers beside closes: the first error", error.as_str());
    }
    table.target("reader_errors", "readers beside closes: errors", all.errors, "0", all.errors == 0);
    let mixed = all.mixed + foreign;
    table.target(
        "reader_mixed",
        "readers beside closes: answers of two runs, or of an unknown one",
        mixed,
        "0",
        mixed == 0,
    );
    Ok(())
}
