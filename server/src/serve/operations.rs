//! The second, loopback port: metrics and health for whoever runs the service.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::drain::Drain;

/// How often histograms are compacted.
const UPKEEP: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Operations {
    metrics: PrometheusHandle,
    drain: Drain,
}

/// Serves until the service drains.
pub(crate) async fn serve(listener: TcpListener, metrics: PrometheusHandle, drain: Drain) -> anyhow::Result<()> {
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    let state = Operations { metrics, drain: drain.clone() };
    let router = Router::new()
        .route("/metrics", get(|State(own): State<Operations>| async move { own.metrics.render() }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(state);
    let mut ended = drain;
    Server::builder()
        .accept_http1(true)
        .concurrency_limit_per_connection(4)
        .max_concurrent_streams(4)
        .timeout(Duration::from_secs(5))
        .serve_with_incoming_shutdown(Routes::from(router), TcpIncoming::from(listener), async move {
            ended.begun().await;
        })
        .await?;
    Ok(())
}

async fn ready(State(own): State<Operations>) -> (StatusCode, &'static str) {
    if own.drain.has_begun() { (StatusCode::SERVICE_UNAVAILABLE, "draining\n") } else { (StatusCode::OK, "ready\n") }
}
