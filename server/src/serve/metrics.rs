//! Prometheus metrics: what they are called, what they mean, and the calls' own.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use metrics::{Counter, Histogram, Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tonic::Code;

/// Bounds of the histograms of calls, seconds.
const CALL_BOUNDS: [f64; 14] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0];
/// Bounds of the histograms of stages, seconds.
const STAGE_BOUNDS: [f64; 10] = [0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0];

/// Starts the recorder and documents every metric.
///
/// # Errors
/// Where this process has a recorder already.
pub(crate) fn start() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("closemark_call_seconds".to_owned()), &CALL_BOUNDS)
        .and_then(|b| b.set_buckets_for_metric(Matcher::Full("closemark_log_commit_seconds".to_owned()), &CALL_BOUNDS))
        .and_then(|b| b.set_buckets_for_metric(Matcher::Prefix("closemark_close_".to_owned()), &STAGE_BOUNDS))
        .context("metrics cannot be set up")?
        .install_recorder()
        .context("metrics cannot start")?;
    describe_histogram!("closemark_call_seconds", Unit::Seconds, "time from a call's headers to its answer's");
    describe_counter!("closemark_calls_total", "calls by method and gRPC code of their first answer");
    describe_gauge!("closemark_connections", "open connections");
    describe_counter!("closemark_connections_refused_total", "connections closed for want of room");
    describe_counter!("closemark_connections_idle_total", "connections closed because no call came");
    describe_counter!("closemark_quotes_taken_total", "quotes made durable");
    describe_counter!("closemark_quotes_refused_total", "quotes refused, by reason");
    describe_counter!("closemark_quotes_repeated_total", "quotes of batches that were taken before");
    describe_gauge!("closemark_log_batches_waiting", "batches not yet handed to the log");
    describe_gauge!("closemark_log_lag_seconds", Unit::Seconds, "from the log's taking of a batch to its durability");
    describe_counter!("closemark_log_bytes_total", "bytes written to the log");
    describe_counter!("closemark_log_errors_total", "writes and reads that the log's disk refused");
    describe_histogram!("closemark_log_commit_seconds", Unit::Seconds, "time of one group commit");
    describe_counter!("closemark_closes_total", "closes ended, by state");
    describe_histogram!("closemark_close_stage_seconds", Unit::Seconds, "time of one stage of a close");
    describe_gauge!("closemark_close_gate", "what a gate of the last close measured");
    describe_gauge!("closemark_close_gate_passed", "1 where a gate of the last close passed");
    Ok(handle)
}

/// Metrics of calls, made ready for every known method, so that no caller can invent a label.
pub(crate) struct CallMetrics {
    methods: BTreeMap<String, Arc<MethodMetrics>>,
    other: Arc<MethodMetrics>,
}

struct MethodMetrics {
    method: String,
    seconds: Histogram,
    well: Counter,
}

impl MethodMetrics {
    fn new(method: &str) -> Arc<Self> {
        Arc::new(Self {
            method: method.to_owned(),
            seconds: metrics::histogram!("closemark_call_seconds", "method" => method.to_owned()),
            well: metrics::counter!("closemark_calls_total", "method" => method.to_owned(), "code" => "Ok"),
        })
    }
}

impl CallMetrics {
    /// Metrics for these paths, such as `/closemark.v1.MarkService/GetMark`; other paths are counted together.
    pub(crate) fn new(paths: impl Iterator<Item = String>) -> Self {
        let methods = paths.map(|path| (path.clone(), MethodMetrics::new(path.trim_start_matches('/')))).collect();
        Self { methods, other: MethodMetrics::new("other") }
    }

    /// A call begins.
    pub(crate) fn begin(&self, path: &str) -> CallMetric {
        CallMetric(Arc::clone(self.methods.get(path).unwrap_or(&self.other)))
    }
}

/// One call's metrics.
pub(crate) struct CallMetric(Arc<MethodMetrics>);

impl CallMetric {
    /// The call's first answer is there.
    pub(crate) fn ended(&self, code: Code, seconds: f64) {
        self.0.seconds.record(seconds);
        if code == Code::Ok {
            self.0.well.increment(1);
        } else {
            let method = self.0.method.clone();
            metrics::counter!("closemark_calls_total", "method" => method, "code" => format!("{code:?}")).increment(1);
        }
    }
}
