//! 500 greedy clients: each keeps as many calls open as HTTP/2 lets it, and reads slowly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use closemark_proto::v1::mark_service_client::MarkServiceClient;
use closemark_proto::v1::{GetMarkRequest, ListMarksRequest, StreamMarksRequest};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::published::Close;
use super::service::Service;
use super::table::{Table, quantile};
use crate::whole_close::now;

/// Greedy clients, a connection each.
const CLIENTS: usize = 500;
/// Calls that each tries to keep open.
const CALLS: usize = 8;
/// Clients that ask for one mark at a time.
const GOOD: usize = 4;
const SECONDS: u64 = 10;
/// What the service may grow by while they are there, MiB.
const GROWTH_MAX: f64 = 1024.0;

/// What became of the calls.
#[derive(Debug, Default)]
struct Counts {
    served: AtomicU64,
    exhausted: AtomicU64,
    with_retry: AtomicU64,
    other: AtomicU64,
    unconnected: AtomicU64,
}

impl Counts {
    fn refused(&self, status: &Status) {
        if status.code() == Code::ResourceExhausted {
            self.exhausted.fetch_add(1, Ordering::Relaxed);
            let retry = b"google.rpc.RetryInfo";
            if status.details().windows(retry.len()).any(|window| window == retry) {
                self.with_retry.fetch_add(1, Ordering::Relaxed);
            }
        } else {
            self.other.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One call after another: large pages, and whole closes of which it reads two messages and then waits.
async fn greedy(channel: Channel, parent: String, number: usize, stop: Arc<AtomicBool>, counts: Arc<Counts>) {
    let mut client = MarkServiceClient::new(channel).max_decoding_message_size(64 << 20);
    while !stop.load(Ordering::Relaxed) {
        let refused = if number.is_multiple_of(2) {
            let request = ListMarksRequest { parent: parent.clone(), page_size: 10_000, ..Default::default() };
            client.list_marks(request).await.err()
        } else {
            stream(&mut client, &parent).await.err()
        };
        match refused {
            None => {
                counts.served.fetch_add(1, Ordering::Relaxed);
            }
            Some(status) => {
                counts.refused(&status);
                // Greedy, but no busy loop: a client that does not even yield measures itself.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn stream(client: &mut MarkServiceClient<Channel>, parent: &str) -> Result<(), Status> {
    let request = StreamMarksRequest { parent: parent.to_owned(), ..Default::default() };
    let mut answers = client.stream_marks(request).await?.into_inner();
    for _ in 0..2 {
        answers.message().await?;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(())
}

/// One mark at a time; milliseconds of each, and how many failed.
async fn good(channel: Channel, name: String, stop: Arc<AtomicBool>) -> (Vec<f64>, u64) {
    let mut client = MarkServiceClient::new(channel);
    let (mut milliseconds, mut failed) = (Vec::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        let begun = now();
        match client.get_mark(GetMarkRequest { name: name.clone() }).await {
            Ok(_) => milliseconds.push(begun.elapsed().as_secs_f64() * 1000.0),
            Err(_) => failed += 1,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (milliseconds, failed)
}

/// Measures against a service that has published a close, and adds the rows.
///
/// # Errors
/// Where a good client cannot connect.
pub async fn measure(table: &mut Table, service: &Service, close: &Close) -> Result<()> {
    let before = service.peak_mib();
    let stop = Arc::new(AtomicBool::new(false));
    let counts = Arc::new(Counts::default());
    let parent = format!("dates/{}/runs/{}", close.date, close.run);
    let name = format!("{parent}/marks/{}", close.symbols.first().map_or("", String::as_str));
    let mut goods = Vec::new();
    for _ in 0..GOOD {
        goods.push(tokio::spawn(good(service.connect().await?, name.clone(), Arc::clone(&stop))));
    }
    let mut tasks = Vec::new();
    for _ in 0..CLIENTS {
        let Ok(channel) = Endpoint::from_shared(service.address.clone())?.connect().await else {
            counts.unconnected.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        for number in 0..CALLS {
            let (stop, counts) = (Arc::clone(&stop), Arc::clone(&counts));
            tasks.push(tokio::spawn(greedy(channel.clone(), parent.clone(), number, stop, counts)));
        }
    }
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    stop.store(true, Ordering::Relaxed);
    let (mut milliseconds, mut failed) = (Vec::new(), 0);
    for task in goods {
        let (own, own_failed) = task.await?;
        milliseconds.extend(own);
        failed += own_failed;
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    ensure!(!milliseconds.is_empty() || failed > 0, "no good client was ever answered");
    milliseconds.sort_by(f64::total_cmp);
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (exhausted, with_retry) = (count(&counts.exhausted), count(&counts.with_retry));
    table.note("greedy_clients", "greedy clients: connections", (CLIENTS as u64) - count(&counts.unconnected));
    table.note("greedy_served", "greedy clients: calls served", count(&counts.served));
    table.note("greedy_exhausted", "greedy clients: calls answered RESOURCE_EXHAUSTED", exhausted);
    table.note("greedy_other", "greedy clients: calls that ended otherwise", count(&counts.other));
    let all_retry = exhausted > 0 && exhausted == with_retry;
    table.target(
        "greedy_retry",
        "greedy clients: of these, with a time to retry after",
        with_retry,
        "all, and some",
        all_retry,
    );
    table.note("good_answers", "greedy clients: answers to good clients meanwhile", milliseconds.len() as u64);
    table.note("good_p99_ms", "greedy clients: p99 of a good client's call, ms", quantile(&milliseconds, 0.99));
    table.target("good_failed", "greedy clients: calls of good clients that failed", failed, "0", failed == 0);
    if let (Some(before), Some(after)) = (before, service.peak_mib()) {
        let growth = after - before;
        table.note("greedy_peak_mib", "greedy clients: the service's peak memory, MiB", after);
        let met = growth <= GROWTH_MAX;
        table.target("greedy_growth_mib", "greedy clients: of it, more than before they came", growth, "<= 1,024", met);
    }
    Ok(())
}
