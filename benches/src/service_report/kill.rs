//! `kill -9` of the real service while producers send, again and again over the same folder.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use closemark_data::date;
use closemark_data::files::Disk;
use closemark_data::log::{LogLimits, QuoteLog, Record};
use closemark_proto::v1::quote_service_client::QuoteServiceClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::feed::{Feed, MARKET_DATE};
use super::seed::Seed;
use super::service::Service;
use super::table::Table;

/// Producers at once.
const PRODUCERS: u64 = 2;
/// Quotes of a batch.
const QUOTES: usize = 50;
/// Longest life of a service, milliseconds.
const LIFE_MAX: u64 = 60;
/// A failpoint's variable: `<operation>-<before|after>:<number>`.
const FAILPOINT: &str = "CLOSEMARK_FAILPOINT";
const OPERATIONS: [&str; 4] = ["append", "sync", "rename", "sync-folder"];

/// What one producer has seen acknowledged, and a feed whose batches can be made again.
#[derive(Clone, Debug)]
struct Producer {
    name: String,
    acknowledged: u64,
}

/// Sends batches behind what was acknowledged until the connection breaks; the highest sequence acknowledged.
async fn send(channel: Channel, producer: Producer) -> u64 {
    let (batches, receiver) = mpsc::channel(4);
    let name = producer.name.clone();
    let feeder = tokio::spawn(async move {
        let mut feed = Feed::new(&name, producer.acknowledged);
        // Every life begins with a retry of what was acknowledged last: it must not be stored twice.
        let mut sequence = producer.acknowledged.max(1);
        while batches.send(feed.batch(sequence, QUOTES)).await.is_ok() {
            sequence += 1;
        }
    });
    let mut acknowledged = producer.acknowledged;
    let mut client = QuoteServiceClient::new(channel);
    if let Ok(answers) = client.ingest_quotes(ReceiverStream::new(receiver)).await {
        let mut answers = answers.into_inner();
        while let Ok(Some(answer)) = answers.message().await {
            acknowledged = acknowledged.max(answer.acknowledged_sequence);
        }
    }
    feeder.abort();
    acknowledged
}

/// One life of the service: started, fed, killed after a while, or by itself at a failpoint.
async fn life(folder: &Path, seed: &mut Seed, producers: &mut [Producer], failpoint: Option<String>) -> Result<bool> {
    let variables: Vec<(&str, String)> = failpoint.iter().map(|text| (FAILPOINT, text.clone())).collect();
    let mut service = match Service::start(folder, "", &variables) {
        Ok(service) => service,
        // A failpoint may be met before the service listens.
        Err(_) if failpoint.is_some() => return Ok(true),
        Err(error) => return Err(error),
    };
    let mut sending = Vec::new();
    for (place, producer) in producers.iter().enumerate() {
        if let Ok(channel) = service.connect().await {
            sending.push((place, tokio::spawn(send(channel, producer.clone()))));
        }
    }
    if failpoint.is_some() {
        for _ in 0..200 {
            if service.has_ended() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    } else {
        tokio::time::sleep(Duration::from_micros(seed.below(LIFE_MAX * 1000))).await;
    }
    let by_itself = service.has_ended();
    service.kill()?;
    for (place, sending) in sending {
        let acknowledged = sending.await?;
        if let Some(producer) = producers.get_mut(place) {
            producer.acknowledged = producer.acknowledged.max(acknowledged);
        }
    }
    Ok(by_itself)
}

/// Acknowledged batches that are missing, batches that are there twice or changed, and batches in all.
fn wrong(folder: &Path, producers: &[Producer]) -> Result<(u64, u64, u64)> {
    let mut log = QuoteLog::open(Arc::new(Disk), &folder.join("state/quotes"), LogLimits::default())?;
    let mut found = vec![0u64; producers.len()];
    let mut twice = 0;
    if let Some(snapshot) = log.snapshot(date::parse(MARKET_DATE).context("a date")?)? {
        snapshot.for_each(|record| {
            let Record::Batch(mut batch) = record else { return };
            let Some(place) = producers.iter().position(|producer| producer.name == batch.producer_id) else { return };
            let Some(own) = found.get_mut(place) else { return };
            let first = batch.next_quote().ok().flatten().and_then(|quote| quote.bid);
            if batch.sequence == *own + 1 && first == Some(batch.sequence as i64) && batch.quotes as usize == QUOTES {
                *own += 1;
            } else {
                twice += 1;
            }
        })?;
    }
    let lost = producers.iter().zip(&found).map(|(producer, found)| producer.acknowledged.saturating_sub(*found)).sum();
    Ok((lost, twice, found.iter().sum()))
}

/// Measures, and adds the rows.
///
/// # Errors
/// Where the service does not start again, or its log does not open.
pub async fn measure(table: &mut Table, runs: u64) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let mut seed = Seed(2026);
    let (mut lost, mut twice, mut acknowledged, mut stored) = (0, 0, 0, 0);
    // Ten lives share a folder, so that a log that was killed before is killed again.
    for folder_number in 0..runs.div_ceil(10) {
        let folder = scratch.path().join(folder_number.to_string());
        std::fs::create_dir(&folder)?;
        let mut producers = fresh();
        for _ in 0..(runs - folder_number * 10).min(10) {
            life(&folder, &mut seed, &mut producers, None).await?;
            let (now_lost, now_twice, _) = wrong(&folder, &producers)?;
            lost += now_lost;
            twice += now_twice;
        }
        acknowledged += producers.iter().map(|producer| producer.acknowledged).sum::<u64>();
        stored += wrong(&folder, &producers)?.2;
    }
    ensure!(acknowledged > 0, "nothing was ever acknowledged");
    table.note("kill_runs", "kill -9: runs of the real service", runs);
    table.note("kill_acknowledged", "kill -9: batches acknowledged", acknowledged);
    table.note("kill_stored", "kill -9: batches found in the log", stored);
    table.target("kill_lost", "kill -9: acknowledged batches lost", lost, "0", lost == 0);
    table.target("kill_twice", "kill -9: batches twice, changed or out of order", twice, "0", twice == 0);
    failpoints(table, scratch.path()).await
}

fn fresh() -> Vec<Producer> {
    (0..PRODUCERS).map(|number| Producer { name: format!("feed-{number}"), acknowledged: 0 }).collect()
}

/// The same with the process ending itself at a failpoint. Needs a program built with `--features failpoints`.
async fn failpoints(table: &mut Table, scratch: &Path) -> Result<()> {
    let mut seed = Seed(7);
    let (mut met, mut tried, mut lost, mut twice) = (0u64, 0u64, 0, 0);
    for operation in OPERATIONS {
        for side in ["before", "after"] {
            let folder = scratch.join(format!("{operation}-{side}"));
            std::fs::create_dir(&folder)?;
            let mut producers = fresh();
            for number in [1, 2, 3, 5, 9] {
                let point = format!("{operation}-{side}:{number}");
                tried += 1;
                met += u64::from(life(&folder, &mut seed, &mut producers, Some(point)).await?);
                let (now_lost, now_twice, _) = wrong(&folder, &producers)?;
                lost += now_lost;
                twice += now_twice;
                if met == 0 {
                    table.note("failpoints", "failpoints in the real process", "build with --features failpoints");
                    return Ok(());
                }
            }
        }
    }
    table.note("failpoints", "failpoints in the real process: tried", tried);
    table.note("failpoints_met", "failpoints in the real process: the process ended there", met);
    table.target("failpoint_lost", "failpoints: acknowledged batches lost", lost, "0", lost == 0);
    table.target("failpoint_twice", "failpoints: batches twice, changed or out of order", twice, "0", twice == 0);
    Ok(())
}
