//! Durable ingest over loopback: quotes acknowledged in a second.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use closemark_proto::v1::{IngestQuotesRequest, IngestQuotesResponse};
use prost::Message;
use tokio_stream::Stream;
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;

use super::feed::Feed;
use super::raw::RawCodec;
use super::service::Service;
use super::table::Table;
use crate::models_report::timing::median;
use crate::whole_close::now;

const INGEST: &str = "/closemark.v1.QuoteService/IngestQuotes";
/// Streams at once.
const STREAMS: u64 = 2;
/// Quotes of a batch.
const QUOTES: usize = 5_000;
/// Batches of each stream.
const BATCHES: u64 = 400;
/// Batches that a stream prepares; the rest are these again under later sequences.
const PREPARED: u64 = 40;

/// Sends a stream of messages and waits for the last acknowledgement.
async fn send_typed(
    channel: Channel,
    messages: impl Stream<Item = IngestQuotesRequest> + Send + 'static,
) -> Result<u64> {
    let mut client = Grpc::new(channel);
    client.ready().await?;
    let codec: ProstCodec<IngestQuotesRequest, IngestQuotesResponse> = ProstCodec::default();
    let mut answers =
        client.streaming(Request::new(messages), PathAndQuery::from_static(INGEST), codec).await?.into_inner();
    let mut last = 0;
    while let Some(answer) = answers.message().await? {
        ensure!(answer.refused_count == 0, "quotes were refused");
        last = last.max(answer.acknowledged_sequence);
        if last == BATCHES {
            break;
        }
    }
    Ok(last)
}

/// The same with messages that are encoded already.
async fn send_encoded(channel: Channel, messages: impl Stream<Item = Bytes> + Send + 'static) -> Result<u64> {
    let mut client = Grpc::new(channel);
    client.ready().await?;
    let mut answers =
        client.streaming(Request::new(messages), PathAndQuery::from_static(INGEST), RawCodec).await?.into_inner();
    let mut last = 0;
    while let Some(answer) = answers.message().await? {
        last = last.max(IngestQuotesResponse::decode(answer)?.acknowledged_sequence);
        if last == BATCHES {
            break;
        }
    }
    Ok(last)
}

/// A stream's batches, prepared before the clock starts.
fn prepared(producer: &str, seed: u64) -> Vec<IngestQuotesRequest> {
    let mut feed = Feed::new(producer, seed);
    (1..=PREPARED).map(|sequence| feed.batch(sequence, QUOTES)).collect()
}

/// The batch of a sequence: one of the prepared, numbered anew.
fn numbered(batches: &[IngestQuotesRequest], sequence: u64) -> IngestQuotesRequest {
    let place = ((sequence - 1) % batches.len().max(1) as u64) as usize;
    IngestQuotesRequest { sequence, ..batches.get(place).cloned().unwrap_or_default() }
}

/// Quotes a second of one way of sending, and the bytes of log that they made.
async fn run(folder: &Path, encoded: bool) -> Result<(f64, u64)> {
    let service = Service::start(folder, "", &[])?;
    let mut streams = Vec::new();
    for stream in 0..STREAMS {
        let batches = prepared(&format!("feed-{stream}-{encoded}"), stream);
        let channel = service.connect().await?;
        streams.push((channel, batches));
    }
    // The typed client's messages exist before the clock starts, as a feed handler's do; encoding them is in the time.
    let typed: Vec<Vec<IngestQuotesRequest>> = if encoded {
        Vec::new()
    } else {
        streams.iter().map(|(_, batches)| (1..=BATCHES).map(|sequence| numbered(batches, sequence)).collect()).collect()
    };
    let bytes: Vec<Vec<Bytes>> = if encoded {
        let encode = |batches: &[IngestQuotesRequest]| -> Vec<Bytes> {
            (1..=BATCHES).map(|sequence| Bytes::from(numbered(batches, sequence).encode_to_vec())).collect()
        };
        streams.iter().map(|(_, batches)| encode(batches)).collect()
    } else {
        Vec::new()
    };
    let start = now();
    let mut sending = Vec::new();
    if encoded {
        for ((channel, _), messages) in streams.into_iter().zip(bytes) {
            sending.push(tokio::spawn(send_encoded(channel, open_ended(messages))));
        }
    } else {
        for ((channel, _), messages) in streams.into_iter().zip(typed) {
            sending.push(tokio::spawn(send_typed(channel, open_ended(messages))));
        }
    }
    for stream in sending {
        ensure!(stream.await?? == BATCHES, "a stream ended early");
    }
    let seconds = start.elapsed().as_secs_f64();
    let log = folder.join("state/quotes");
    Ok((STREAMS as f64 * BATCHES as f64 * QUOTES as f64 / seconds, folder_bytes(&log)))
}

/// Messages, and then silence: a stream that ended would let the service say goodbye before the last acknowledgement.
fn open_ended<T: Send + 'static>(messages: Vec<T>) -> impl Stream<Item = T> + Send + 'static {
    use tokio_stream::StreamExt;
    tokio_stream::iter(messages).chain(tokio_stream::pending())
}

fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// How long one append and `fdatasync` of a group takes on this disk, milliseconds.
fn sync_milliseconds(folder: &Path) -> Result<f64> {
    use std::io::Write;
    let mut file = std::fs::File::create(folder.join("probe"))?;
    let group = vec![7u8; 256 << 10];
    let start = now();
    const GROUPS: u32 = 50;
    for _ in 0..GROUPS {
        file.write_all(&group)?;
        file.sync_data()?;
    }
    Ok(start.elapsed().max(Duration::from_nanos(1)).as_secs_f64() * 1000.0 / f64::from(GROUPS))
}

/// Measures, and adds the rows.
///
/// # Errors
/// Where the service does not take everything.
pub async fn measure(table: &mut Table) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let total = STREAMS * BATCHES * QUOTES as u64;
    table.note("ingest_quotes", "ingest: quotes sent in each run", total);
    table.note(
        "sync_ms",
        "ingest: ms of one 256 KiB write and fdatasync on this disk",
        sync_milliseconds(scratch.path())?,
    );
    let mut rates = [Vec::new(), Vec::new()];
    let mut stored = 0;
    for round in 0..3 {
        for (place, encoded) in [false, true].into_iter().enumerate() {
            let folder = scratch.path().join(format!("{round}-{place}"));
            std::fs::create_dir(&folder)?;
            let (rate, bytes) = run(&folder, encoded).await.with_context(|| format!("ingest, round {round}"))?;
            if let Some(rates) = rates.get_mut(place) {
                rates.push(rate);
            }
            stored = bytes;
            std::fs::remove_dir_all(&folder)?;
        }
    }
    let [typed, encoded] = rates.map(|rates| median(&rates));
    table.note("log_bytes_per_quote", "ingest: bytes of log for each quote", stored as f64 / total as f64);
    table.target(
        "ingest_per_second",
        "ingest: durable quotes a second, client and server on this machine",
        typed as u64,
        ">= 1,000,000",
        typed >= 1e6,
    );
    table.note("ingest_encoded_per_second", "ingest: the same from a client that encoded beforehand", encoded as u64);
    Ok(())
}
