//! `GetMark` against a bare tonic echo server: calls a second and the slowest hundredth, same client, same run.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use closemark_proto::v1::GetMarkRequest;
use prost::Message;
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};

use super::published::Close;
use super::raw::{ECHO, RawCodec};
use super::service::Service;
use super::table::{Table, quantile};
use crate::whole_close::now;

/// The path of `GetMark`.
pub const GET_MARK: &str = "/closemark.v1.MarkService/GetMark";
/// Connections at once.
const CONNECTIONS: usize = 4;
/// Calls at once on each.
const CALLS: usize = 16;
/// Length of one measurement.
const SECONDS: u64 = 4;
/// Times that both are measured, one after the other.
const ROUNDS: usize = 3;

/// The echo server as a process of its own: this program again.
struct EchoProcess(Child, String);

impl EchoProcess {
    fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?).arg("--echo").stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ").context("the echo server did not start")?.to_owned();
        Ok(Self(child, address))
    }
}

impl Drop for EchoProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Calls a second and each call's microseconds, ascending.
pub struct Load {
    /// Calls a second.
    pub rate: f64,
    /// Microseconds of each call.
    pub micros: Vec<f64>,
}

/// Calls a path with requests in turn, as fast as answers come.
///
/// # Errors
/// The first call that fails.
pub async fn load(address: &str, path: &'static str, requests: Arc<Vec<Bytes>>, length: Duration) -> Result<Load> {
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    let start = now();
    for _ in 0..CONNECTIONS {
        let channel = Endpoint::from_shared(address.to_owned())?.tcp_nodelay(true).connect().await?;
        for _ in 0..CALLS {
            let (channel, requests, next) = (channel.clone(), Arc::clone(&requests), Arc::clone(&next));
            tasks.push(tokio::spawn(async move {
                let mut micros = Vec::new();
                let mut client = Grpc::new(channel);
                while start.elapsed() < length {
                    let place = next.fetch_add(1, Ordering::Relaxed) as usize % requests.len().max(1);
                    let request = requests.get(place).cloned().unwrap_or_default();
                    let begun = now();
                    call(&mut client, path, request).await?;
                    micros.push(begun.elapsed().as_secs_f64() * 1e6);
                }
                anyhow::Ok(micros)
            }));
        }
    }
    let mut micros = Vec::new();
    for task in tasks {
        micros.extend(task.await??);
    }
    let rate = micros.len() as f64 / start.elapsed().as_secs_f64();
    micros.sort_by(f64::total_cmp);
    Ok(Load { rate, micros })
}

async fn call(client: &mut Grpc<Channel>, path: &'static str, request: Bytes) -> Result<Bytes> {
    client.ready().await?;
    let answer = client.unary(Request::new(request), PathAndQuery::from_static(path), RawCodec).await?;
    Ok(answer.into_inner())
}

/// Requests for the marks of these symbols.
pub fn requests(date: &str, run: &str, symbols: &[String]) -> Arc<Vec<Bytes>> {
    let name = |symbol: &String| format!("dates/{date}/runs/{run}/marks/{symbol}");
    Arc::new(symbols.iter().map(|symbol| GetMarkRequest { name: name(symbol) }.encode_to_vec().into()).collect())
}

/// The load of the median rate.
fn middle(mut loads: Vec<Load>) -> Option<Load> {
    loads.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let place = loads.len() / 2;
    (place < loads.len()).then(|| loads.swap_remove(place))
}

/// Measures against a service that has published a close, and adds the rows.
///
/// # Errors
/// Where a call fails.
pub async fn measure(table: &mut Table, service: &Service, close: &Close) -> Result<()> {
    let echo = EchoProcess::start()?;
    let requests = requests(close.date, &close.run, &close.symbols);
    ensure!(!requests.is_empty(), "no symbols");
    let length = Duration::from_secs(SECONDS);
    let (mut bare, mut marks) = (Vec::new(), Vec::new());
    load(&service.address, GET_MARK, Arc::clone(&requests), Duration::from_secs(1)).await?;
    for _ in 0..ROUNDS {
        bare.push(load(&echo.1, ECHO, Arc::clone(&requests), length).await?);
        marks.push(load(&service.address, GET_MARK, Arc::clone(&requests), length).await?);
    }
    let (bare, marks) = (middle(bare).context("no load")?, middle(marks).context("no load")?);
    let share = marks.rate / bare.rate;
    table.note("echo_per_second", "GetMark: calls a second of a bare tonic echo server", bare.rate as u64);
    table.note("echo_p99_us", "GetMark: p99 of the echo server, microseconds", quantile(&bare.micros, 0.99));
    table.note("get_mark_per_second", "GetMark: calls a second", marks.rate as u64);
    table.note("get_mark_p50_us", "GetMark: p50, microseconds", quantile(&marks.micros, 0.5));
    table.note("get_mark_p99_us", "GetMark: p99, microseconds", quantile(&marks.micros, 0.99));
    table.target("get_mark_share", "GetMark: share of the echo server's calls", share, ">= 0.70", share >= 0.7);
    Ok(())
}
