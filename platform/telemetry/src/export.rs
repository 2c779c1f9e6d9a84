//! Export of spans: counted, and split by component.
//!
//! The SDK drops silently and `shutdown()` still returns `Ok`, so the figures are
//! counted here. One process may hold several components: each gets a resource, and so
//! a `service.name`, of its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::trace::Span as _;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{RetryPolicy, SpanExporter as Otlp, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};
use tokio::runtime::Handle;

use crate::names::attr;
use crate::options::ProcessLabels;

/// Spans sent together.
const MAX_BATCH_SPANS: usize = 512;
/// Longest time a span waits for others.
const BATCH_DELAY: Duration = Duration::from_millis(500);
/// Longest time an export may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// What became of the spans of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// Ended and sampled.
    pub ended: u64,
    /// Taken by a collector.
    pub exported: u64,
    /// Refused by it, or it was not there.
    pub failed: u64,
    /// Never reached the exporter. Exact once everything is flushed; while
    /// spans wait in the queue they are neither here nor there.
    pub dropped: u64,
}

/// The counters behind them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    ended: AtomicU64,
    exported: AtomicU64,
    failed: AtomicU64,
    flushed: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> SpanCounts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        let (exported, failed) = (load(&self.exported), load(&self.failed));
        let ended = load(&self.ended);
        let settled = load(&self.flushed);
        SpanCounts { ended, exported, failed, dropped: settled.saturating_sub(exported + failed) }
    }

    /// Everything that has ended by now has also left the queue, or been dropped.
    pub(crate) fn flushed(&self) {
        self.flushed.store(self.ended.load(Ordering::Acquire), Ordering::Release);
    }
}

/// Names the component of every span, counts the ended ones, and hands them on.
#[derive(Debug)]
pub(crate) struct CountingProcessor<P> {
    inner: Option<P>,
    counters: Arc<Counters>,
}

impl<P> CountingProcessor<P> {
    pub(crate) fn new(inner: Option<P>, counters: Arc<Counters>) -> Self {
        Self { inner, counters }
    }
}

impl<P: SpanProcessor> SpanProcessor for CountingProcessor<P> {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        span.set_attribute(KeyValue::new(attr::COMPONENT, runtime::scope::component().as_str()));
        if let Some(inner) = &self.inner {
            inner.on_start(span, cx);
        }
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.counters.ended.fetch_add(1, Ordering::AcqRel);
        }
        if let Some(inner) = &self.inner {
            inner.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.as_ref().map_or(Ok(()), P::force_flush)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.as_ref().map_or(Ok(()), |inner| inner.shutdown_with_timeout(timeout))
    }
}

/// Splits a batch by component and exports each part under its own resource.
#[derive(Debug)]
pub(crate) struct SplitExporter {
    endpoint: String,
    labels: ProcessLabels,
    counters: Arc<Counters>,
    exporters: Mutex<HashMap<String, Arc<Otlp>>>,
    /// Connections live in the async runtime; batches come from a thread outside it.
    runtime: Handle,
}

impl SplitExporter {
    pub(crate) fn new(endpoint: String, labels: ProcessLabels, counters: Arc<Counters>) -> Self {
        Self { endpoint, labels, counters, exporters: Mutex::default(), runtime: Handle::current() }
    }

    fn exporter(&self, component: &str) -> Option<Arc<Otlp>> {
        let mut exporters = self.exporters.lock().expect("no panic while held");
        if let Some(exporter) = exporters.get(component) {
            return Some(exporter.clone());
        }
        let _inside = self.runtime.enter();
        let mut exporter = Otlp::builder()
            .with_tonic()
            .with_endpoint(self.endpoint.clone())
            .with_timeout(EXPORT_TIMEOUT)
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .ok()?;
        exporter.set_resource(&resource(component, &self.labels));
        let exporter = Arc::new(exporter);
        exporters.insert(component.to_owned(), exporter.clone());
        Some(exporter)
    }
}

/// One component's resource.
fn resource(component: &str, labels: &ProcessLabels) -> Resource {
    let attributes = resource_attributes(component, labels);
    Resource::builder_empty()
        .with_attributes(attributes.map(|(name, value)| KeyValue::new(name, value)))
        .build()
}

/// Attributes of a component's resource, by name: `service.name` is the component, inside a monolith too.
pub fn resource_attributes(component: &str, labels: &ProcessLabels) -> [(&'static str, String); 9] {
    [
        ("service.name", component.to_owned()),
        ("service.namespace", "cleave".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", format!("{}/{}/{}", labels.run_id, labels.arm, labels.instance)),
        ("deployment.environment.name", "lab".to_owned()),
        (attr::RUN_ID, labels.run_id.clone()),
        (attr::SCENARIO, labels.scenario.clone()),
        (attr::ARM, labels.arm.clone()),
        (attr::TOPOLOGY, labels.topology.clone()),
    ]
}

/// The component a span was marked with when it began.
fn component_of(span: &SpanData) -> String {
    let marked = span.attributes.iter().find(|attribute| attribute.key.as_str() == attr::COMPONENT);
    marked.map_or_else(|| runtime::scope::UNSCOPED.to_string(), |attribute| attribute.value.to_string())
}

impl SpanExporter for SplitExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut parts: HashMap<String, Vec<SpanData>> = HashMap::new();
        for span in batch {
            parts.entry(component_of(&span)).or_default().push(span);
        }
        let mut result = Ok(());
        for (component, spans) in parts {
            let count = spans.len() as u64;
            let outcome = match self.exporter(&component) {
                Some(exporter) => {
                    let sending = self.runtime.spawn(async move { exporter.export(spans).await });
                    // Only a runtime that is shutting down drops a task of its own.
                    sending.await.unwrap_or(Err(OTelSdkError::AlreadyShutdown))
                }
                None => Err(OTelSdkError::InternalFailure("no exporter".into())),
            };
            let counter = if outcome.is_ok() { &self.counters.exported } else { &self.counters.failed };
            counter.fetch_add(count, Ordering::AcqRel);
            result = result.and(outcome);
        }
        result
    }
}

/// The batch processor around a [`SplitExporter`], with a queue that holds a busy run.
pub(crate) fn batching(split: SplitExporter, queue: usize) -> BatchSpanProcessor {
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(queue)
        .with_max_export_batch_size(MAX_BATCH_SPANS.min(queue))
        .with_scheduled_delay(BATCH_DELAY)
        .build();
    BatchSpanProcessor::builder(split).with_batch_config(config).build()
}
