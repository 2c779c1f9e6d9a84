//! Telemetry: metrics, traces and logs of a process, with every name in one place.
//!
//! - [`names`]: every metric, label and attribute.
//! - [`options`]: how much a process records, and its labels. [`endpoint`]: where its spans go.
//! - [`install`](mod@install): sets it up, once a process.
//! - [`metrics`]: handles, so that no label is hashed per request. `recent_maximum`: the longest wait of the last
//!   second. `histograms`: durations, counted where they are recorded.
//! - [`server_outcome`]: how a request ended where it was served, for metrics and spans.
//! - [`spans`]: every span, named once. [`sampling`]: whether a request has any. [`tail`]: what is kept of those that have none.
//!   `second_budget`: so many a second.
//! - [`export`]: export of spans, counted and split by component.
//!
//! Start with [`install()`].

pub mod endpoint;
pub mod export;
mod histograms;
pub mod install;
mod log;
pub mod metrics;
pub mod names;
pub mod options;
mod recent_maximum;
pub mod sampling;
mod second_budget;
pub mod server_outcome;
pub mod spans;
pub mod tail;

use std::sync::Arc;

pub use endpoint::{EndpointError, is_sdk_disabled, otlp_endpoint_from_env};
pub use export::SpanCounts;
pub use install::{InstallError, Telemetry, install};
pub use metrics::{
    EdgeMetrics, MessageMetrics, PoolMetrics, ServerMetrics, api_key, cache_read, db_operation,
    deadline_refused, discovery_staleness, drain_aborted, fault_injected, log_synced, messages, mirrored,
    outbox, queue_depth, queue_wait, response_cache, response_cache_size, shed, slow_statement,
    tls_handshake, wal_bytes, work_done,
};
pub use options::{Level, LevelParseError, LogTarget, Options, ProcessLabels};
pub use sampling::Origin;
pub use second_budget::SecondBudget;
pub use server_outcome::ServerOutcome;
pub use spans::{
    Wait, call_span, client_end, client_span, consumer_span, current_trace, db_span, fault_span, is_traced,
    process_name, producer_span, server_end, server_span, wait_span,
};
pub use tail::UnsampledRequest;

/// `GET /metrics`.
pub fn router(telemetry: Arc<Telemetry>) -> axum::Router {
    use axum::http::header::CONTENT_TYPE;
    let scrape = move || {
        let telemetry = telemetry.clone();
        async move {
            let text = runtime::cost::run(runtime::cost::Part::Telemetry, || telemetry.render());
            ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
        }
    };
    axum::Router::new().route("/metrics", axum::routing::get(scrape))
}
