//! The server: bind, say where, serve, drain.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use closemark_proto::v1::close_service_server::CloseServiceServer;
use closemark_proto::v1::quote_service_server;
use closemark_proto::v1::reference_service_server::{self, ReferenceServiceServer};
use prost::Message;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::Layer;

use super::closes::{Closes, run_schedule};
use super::config::ServeConfig;
use super::drain::{Drain, DrainSwitch};
use super::ingest::{QuoteRoute, Quotes, Reference};
use super::metrics::{self, CallMetrics};
use super::security::tls::Tls;
use super::security::{Admission, GuardLayer};
use super::state::Service;
use super::{connections, operations, reads, transport};
use crate::output;

/// How often a log that refuses is tried again.
const PROBE: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT, then drains.
pub(crate) async fn serve(config: ServeConfig) -> anyhow::Result<()> {
    let metrics = metrics::start()?;
    let tls = Tls::open(&config.tls)?.map(Arc::new);
    let (switch, drain) = DrainSwitch::new();
    let service = Service::open(config, drain.clone())?;
    let config = &service.config;

    let listener = bind(config.server.listen).await?;
    let operations_listener = bind(config.server.operations_listen).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    output::print(&format!(
        "listening on {scheme}://{}\noperations on http://{}\n",
        listener.local_addr()?,
        operations_listener.local_addr()?
    ))?;
    tracing::info!(listen = %listener.local_addr()?, tls = tls.is_some(), "serving");

    let (health, health_service) = tonic_health::server::health_reporter();
    let services = services(&service, Routes::new(health_service))?;
    let guard = GuardLayer {
        access: Arc::clone(&service.access),
        admission: Arc::new(Admission::new(&config.limits)),
        metrics: Arc::new(CallMetrics::new(paths())),
        call_max: Duration::from_secs(u64::from(config.limits.call_seconds_max)),
        open_call_max: Duration::from_secs(u64::from(config.limits.open_call_seconds_max)),
    };
    let incoming = transport::accept(listener, tls.clone(), &config.limits, drain.clone());
    let operations = tokio::spawn(operations::serve(operations_listener, metrics, drain.clone()));
    tokio::spawn(watch_log(Arc::clone(&service), health.clone()));
    tokio::spawn(signals(switch, tls, health));
    tokio::spawn(run_schedule(Arc::clone(&service)));

    let serving = connections::serve(incoming, guard.layer(services), &config.limits, drain.clone());
    let ended_well = async {
        serving.await;
        // A close that runs is published; those that wait start again with the service.
        service.runner.idle().await;
    };
    tokio::select! {
        () = ended_well => {}
        () = overdue(drain, config.server.drain_seconds_max) => tracing::warn!("drained no longer: calls are cut"),
    }
    operations.abort();
    tracing::info!("ended");
    Ok(())
}

async fn bind(address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Every gRPC service. Whoever adds one enters its roles in `security/role.rs`.
fn services(service: &Arc<Service>, routes: Routes) -> anyhow::Result<reads::Services> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(closemark_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let bytes = service.config.limits.message_bytes_max as usize;
    let quotes = QuoteRoute::new(Quotes(Arc::clone(service)), bytes);
    let reference = ReferenceServiceServer::new(Reference(Arc::clone(service))).max_decoding_message_size(bytes);
    let closes = CloseServiceServer::new(Closes(Arc::clone(service))).max_decoding_message_size(bytes);
    let routes = routes
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(quotes)
        .add_service(
            reference.accept_compressed(CompressionEncoding::Zstd).accept_compressed(CompressionEncoding::Gzip),
        )
        .add_service(closes);
    Ok(reads::add_to(routes, service))
}

/// The paths of every method that closemark.v1 has.
fn paths() -> impl Iterator<Item = String> {
    let set = prost_types::FileDescriptorSet::decode(closemark_proto::FILE_DESCRIPTOR_SET).unwrap_or_default();
    let mut paths = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                paths.push(format!("/{}.{}/{}", file.package(), service.name(), method.name()));
            }
        }
    }
    for method in ["DoGet", "GetFlightInfo", "ListFlights", "GetSchema"] {
        paths.push(format!("/arrow.flight.protocol.FlightService/{method}"));
    }
    paths.into_iter()
}

/// Health of the two services that write the log: not serving while it refuses. Reads go on, and so does health of "".
async fn watch_log(service: Arc<Service>, health: HealthReporter) {
    let mut taking = service.log.taking();
    loop {
        let takes = *taking.borrow_and_update();
        let status = if takes { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in [quote_service_server::SERVICE_NAME, reference_service_server::SERVICE_NAME] {
            health.set_service_status(name, status).await;
        }
        if takes {
            if taking.changed().await.is_err() {
                return;
            }
        } else {
            tokio::time::sleep(PROBE).await;
            service.log.probe().await;
        }
    }
}

/// SIGTERM and SIGINT begin the end; SIGHUP reads certificates again.
async fn signals(switch: DrainSwitch, tls: Option<Arc<Tls>>, health: HealthReporter) {
    let streams = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = streams else {
        tracing::error!("signals cannot be received");
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                if let Some(tls) = &tls {
                    tls.reload();
                }
            }
        }
    }
    tracing::info!("draining");
    health.set_service_status("", ServingStatus::NotServing).await;
    switch.begin();
    // The switch must outlive the drain it began.
    std::future::pending::<()>().await;
}

/// Returns when the drain has lasted longer than it may.
async fn overdue(mut drain: Drain, seconds: u32) {
    drain.begun().await;
    tokio::time::sleep(Duration::from_secs(u64::from(seconds))).await;
}
