//! Reads: marks, slices and risk arrays by gRPC, whole tables by Arrow Flight. Role: read.
//!
//! Every answer is of one run: a request takes one snapshot, and page and resume tokens pin the run of the first
//! answer, also when `CURRENT` moves meanwhile.

mod answer;
mod flight;
mod loads;
mod marks;
mod messages;
mod names;
pub(crate) mod refusals;
mod risk;
mod route;
mod surfaces;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use closemark_data::store::{Close, RunId, Store, StoredTable, Tokens};
use closemark_pricing::series::Date;
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::service::Routes;

use arrow_flight::flight_service_server::FlightServiceServer;
use closemark_proto::v1::risk_service_server::RiskServiceServer;
use closemark_proto::v1::surface_service_server::SurfaceServiceServer;

pub(crate) use names::RunName;
pub(crate) use route::Services;

use loads::Loads;

use super::connections::own_task;
use super::state::Service;
use super::{errors, page};

/// How often another command's publication is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Different closes and tables that may be read from disk, or wait for it, at once; who asks for another is told to
/// come again. However many ask for the same one, it is read once.
const READING_MAX: usize = 16;

/// Adds the reading services and the page.
pub(crate) fn add_to(routes: Routes, service: &Arc<Service>) -> Services {
    let reads = Arc::new(Reads::new(Arc::clone(&service.store), service.page_key));
    warm(&reads);
    let bytes = service.config.limits.message_bytes_max as usize;
    let marks = route::MarkRoute::new(marks::Marks::new(reads.clone()), bytes);
    let surfaces = SurfaceServiceServer::new(surfaces::Surfaces::new(reads.clone())).max_decoding_message_size(bytes);
    let risk = RiskServiceServer::new(risk::RiskArrays::new(reads.clone())).max_decoding_message_size(bytes);
    let tables = FlightServiceServer::new(flight::Tables::new(reads.clone())).max_decoding_message_size(bytes);
    let mut routes = routes.add_service(surfaces).add_service(risk).add_service(tables);
    let router = routes.axum_router_mut();
    *router = std::mem::take(router).merge(page::routes(reads, Arc::clone(service)));
    Services::new(marks, routes)
}

/// Keeps the latest close that counts at hand, so that the first who asks finds it in memory, counted: whoever published
/// it, this service or a command beside it.
fn warm(reads: &Arc<Reads>) {
    let (store, mut known) = (reads.store.clone(), None);
    tokio::spawn(async move {
        loop {
            let store = store.clone();
            let looked = tokio::task::spawn_blocking(move || fetch_latest(&store, known)).await;
            known = looked.unwrap_or(known);
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    });
}

/// Reads the latest close where it is another than the one known; the one that is known then.
fn fetch_latest(store: &Store, known: Option<(Date, RunId)>) -> Option<(Date, RunId)> {
    let latest = match store.latest() {
        Ok(latest) if latest != known => latest,
        Ok(_) => return known,
        Err(error) => {
            tracing::warn!(%error, "the published folder cannot be read");
            return known;
        }
    };
    let (date, run) = latest?;
    let read = store.close(date, run).and_then(|close| {
        close.board();
        // Cards show what was recorded.
        store.table(&close, "exceptions").map(|_| ())
    });
    if let Err(error) = read {
        tracing::warn!(%error, "the latest close cannot be read");
    }
    latest
}

/// What all readers share.
pub(crate) struct Reads {
    store: Arc<Store>,
    tokens: Tokens,
    reading: Arc<Semaphore>,
    closes: Loads<(Date, RunId), Arc<Close>>,
    tables: Loads<(Date, RunId, &'static str), Arc<StoredTable>>,
}

impl Reads {
    /// Readers of a store; `key` authenticates page and resume tokens and outlives the process, so that streams resume
    /// after a restart.
    pub(crate) fn new(store: Arc<Store>, key: [u8; 32]) -> Self {
        // A key of their own, so that no token of another list can be one of these.
        let tokens = Tokens::new(blake3::derive_key("closemark 2026 page and resume tokens of reads", &key));
        let reading = Arc::new(Semaphore::new(READING_MAX));
        Self { store, tokens, reading, closes: Loads::default(), tables: Loads::default() }
    }

    /// The store.
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The close that a name means, as it is now.
    pub(crate) async fn snapshot(&self, name: RunName) -> Result<Arc<Close>, Status> {
        let run = match name.run {
            Some(run) => run,
            None => match self.store.known_current(name.date) {
                Some(run) => run,
                None => {
                    // Files are opened and read, or looked for in vain.
                    own_task().await;
                    self.store.current(name.date).map_err(|error| refusals::store(&error))?
                }
            },
        };
        self.close(name.date, run).await
    }

    /// One run, from memory or from disk.
    pub(crate) async fn close(&self, date: Date, run: RunId) -> Result<Arc<Close>, Status> {
        let held = || self.store.held_close(date, run);
        if let Some(close) = held() {
            return Ok(close);
        }
        let store = self.store.clone();
        let read = move || store.close(date, run).map_err(|error| refusals::store(&error));
        self.closes.get((date, run), &self.reading, held, read).await
    }

    /// A table of a close, read where it is not in memory.
    pub(crate) async fn table(&self, close: &Arc<Close>, name: &'static str) -> Result<Arc<StoredTable>, Status> {
        let held = || close.held_table(name);
        if let Some(table) = held() {
            return Ok(table);
        }
        let (store, own) = (self.store.clone(), close.clone());
        let read = move || store.table(&own, name).map_err(|error| refusals::store(&error));
        self.tables.get((close.date(), close.run(), name), &self.reading, held, read).await
    }
}

/// A page size within its bounds; zero asks for the default.
fn page_size(field: &str, asked: i32, default: usize, most: usize) -> Result<usize, Status> {
    match usize::try_from(asked) {
        Ok(0) => Ok(default),
        Ok(size) if size <= most => Ok(size),
        _ => Err(errors::bad_field(field, &asked.to_string(), &format!("0 to {most}"))),
    }
}
