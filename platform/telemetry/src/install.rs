//! Sets a process's telemetry up, once, and takes it down in order.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Sampler, SdkTracerProvider};
use runtime::cost::{OperationCost, Part};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::export::{Counters, CountingProcessor, SpanCounts, SplitExporter, batching};
use crate::histograms::{HistogramRecorder, Histograms};
use crate::names;
use crate::options::{LogTarget, Options};
use crate::{sampling, tail};

/// Spans that may wait for the exporter where all requests are traced: 65,536 (about 25 MB, the queue is laid
/// out when it is made) lost nothing at 40,000 spans a second, the SDK's 2,048 lost up to half.
const MAX_QUEUE_SPANS: f64 = 65_536.0;
/// And at least: two batches of one export.
const MIN_QUEUE_SPANS: f64 = 2_048.0;
/// The exporter's own library events must not become spans: that would feed back.
const SPAN_FILTER: &str = "info,opentelemetry=off,opentelemetry_sdk=off,opentelemetry_otlp=off,hyper=off,hyper_util=off,h2=off,tonic=off,tower=off";

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It was set up before.
    #[error("telemetry is set up once in a process")]
    Twice,
    /// The log file.
    #[error("the log cannot be written")]
    Log(#[source] std::io::Error),
}

/// A process's telemetry.
pub struct Telemetry {
    metrics: Option<Metrics>,
    provider: Option<SdkTracerProvider>,
    counters: Arc<Counters>,
}

/// What is recorded and rendered.
struct Metrics {
    prometheus: PrometheusHandle,
    histograms: Histograms,
}

/// Sets telemetry up. With a collector configured it must be called inside the
/// async runtime, which the exporter's connections live in.
///
/// # Errors
/// When called twice, or the log cannot be written.
pub fn install(options: Options) -> Result<Telemetry, InstallError> {
    let options = Options { level: options.level.as_permitted(), ..options };
    let counters = Arc::new(Counters::default());
    let metrics = match options.level {
        crate::Level::Off => None,
        _ => Some(install_metrics(&options)?),
    };
    let provider = options.level.traces().then(|| {
        let queue = queue(options.level);
        let exporting: Option<BatchSpanProcessor> = options.otlp_endpoint.clone().map(|endpoint| {
            batching(SplitExporter::new(endpoint, options.labels.clone(), counters.clone()), queue)
        });
        SdkTracerProvider::builder()
            // What comes this far has been sampled or is kept.
            .with_sampler(Sampler::AlwaysOn)
            .with_span_processor(CountingProcessor::new(exporting, counters.clone()))
            .build()
    });
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("cleave"))
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(EnvFilter::new(SPAN_FILTER))
    });
    let log = log_layer(&options.log)?;
    Registry::default().with(traces).with(log).try_init().map_err(|_| InstallError::Twice)?;
    sampling::set_ratio(options.level.ratio());
    if let Some(provider) = &provider {
        tail::set_tracer(provider.tracer("cleave"));
    }
    Ok(Telemetry { metrics, provider, counters })
}

/// A queue for the spans of the share that is sampled.
fn queue(level: crate::Level) -> usize {
    (MAX_QUEUE_SPANS * level.ratio()).max(MIN_QUEUE_SPANS) as usize
}

fn install_metrics(options: &Options) -> Result<Metrics, InstallError> {
    let labels = [(names::ARM, &options.labels.arm), (names::INSTANCE, &options.labels.instance)];
    let builder = labels.into_iter().fold(PrometheusBuilder::new(), |builder, (name, value)| {
        builder.add_global_label(name, value.clone())
    });
    let others = builder.build_recorder();
    let histograms = Histograms::new(&labels.map(|(name, value)| (name, value.as_str())));
    let metrics = Metrics { prometheus: others.handle(), histograms: histograms.clone() };
    let recorder = HistogramRecorder { others, histograms };
    metrics::set_global_recorder(recorder).map_err(|_| InstallError::Twice)?;
    describe();
    Ok(metrics)
}

/// Gives every metric its help; the kind is that of its first value.
fn describe() {
    // The library's first: those of its metrics that are on our list have our help.
    metrics_process::Collector::default().describe();
    for (name, help) in names::NODE {
        if names::is_counter(name) {
            describe_counter!(*name, *help);
        } else {
            describe_gauge!(*name, *help);
        }
    }
}

/// The recorder counts in whole numbers, so that seconds of CPU are kept as gauges: their type is what the name says.
fn with_counters_by_name(exposition: &str) -> String {
    let mut text = String::with_capacity(exposition.len());
    for line in exposition.split_inclusive('\n') {
        let family = line.strip_prefix("# TYPE ").and_then(|rest| rest.strip_suffix(" gauge\n"));
        match family.filter(|name| names::is_counter(name)) {
            Some(name) => text.extend(["# TYPE ", name, " counter\n"]),
            None => text.push_str(line),
        }
    }
    text
}

fn log_layer<S>(log: &LogTarget) -> Result<Option<Box<dyn Layer<S> + Send + Sync>>, InstallError>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a> + Send + Sync,
{
    // Warnings and worse: a log line a request would be a cost of its own.
    let filter = || EnvFilter::try_from_env("CLEAVE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let json = tracing_subscriber::fmt::layer().event_format(crate::log::JsonFormat);
    Ok(match log {
        LogTarget::Nowhere => None,
        LogTarget::Stderr => Some(json.with_writer(std::io::stderr).with_filter(filter()).boxed()),
        LogTarget::File(path) => {
            let file = File::options().create(true).append(true).open(path).map_err(InstallError::Log)?;
            Some(json.with_writer(Arc::new(file)).with_filter(filter()).boxed())
        }
    })
}

impl Telemetry {
    /// What became of the spans so far.
    pub fn span_counts(&self) -> SpanCounts {
        self.counters.read()
    }

    /// All metrics, in the Prometheus text format.
    pub fn render(&self) -> String {
        let Some(metrics) = &self.metrics else { return String::new() };
        self.collect();
        with_counters_by_name(&metrics.prometheus.render()) + &metrics.histograms.render()
    }

    /// Figures that are read rather than recorded.
    fn collect(&self) {
        for (component, parts) in runtime::cost::cpu_by_component() {
            for (part, ns) in Part::ALL.into_iter().zip(parts) {
                gauge!(names::COST_CPU, names::SERVICE => component.as_str(), names::PART => part.as_str())
                    .set(ns as f64 / 1e9);
            }
        }
        runtime::cost::cost_by_operation().iter().for_each(collect_operation);
        crate::metrics::collect_longest_waits();
        let spans = self.span_counts();
        counter!(names::SPANS_ENDED).absolute(spans.ended);
        counter!(names::SPANS_EXPORTED).absolute(spans.exported);
        counter!(names::SPANS_FAILED).absolute(spans.failed);
        counter!(names::SPANS_DROPPED).absolute(spans.dropped);
        metrics_process::Collector::default().collect();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let figures = runtime.metrics();
            let workers = figures.num_workers();
            let busy: Duration = (0..workers).map(|worker| figures.worker_total_busy_duration(worker)).sum();
            gauge!(names::TOKIO_WORKERS).set(workers as f64);
            gauge!(names::TOKIO_ALIVE_TASKS).set(figures.num_alive_tasks() as f64);
            gauge!(names::TOKIO_QUEUE_DEPTH).set(figures.global_queue_depth() as f64);
            gauge!(names::TOKIO_BUSY).set(busy.as_secs_f64());
        }
    }

    /// Sends what waits, so that counts are exact up to now.
    pub async fn flush(&self) -> SpanCounts {
        if let Some(provider) = self.provider.clone() {
            // Blocks, and deadlocks a runtime of one thread if called on it.
            // Its result cannot be trusted; the counters can.
            let _ = runtime::blocking(move || provider.force_flush()).await;
        }
        self.counters.flushed();
        self.counters.read()
    }

    /// Sends what waits and stops the exporter. Call after the servers are
    /// drained and the consumers stopped.
    pub async fn shutdown(&self) -> SpanCounts {
        if let Some(provider) = self.provider.clone() {
            let _ = runtime::blocking(move || provider.shutdown()).await;
        }
        self.counters.flushed();
        self.counters.read()
    }
}

/// What an operation took, once it was asked for; what belongs to none of a component's is in the component's sums alone.
fn collect_operation(cost: &OperationCost) {
    let (service, operation) = (cost.component.as_str(), cost.name);
    if operation.is_empty() || cost.served == 0 {
        return;
    }
    let parts = Part::ALL.into_iter().map(Part::as_str).zip(cost.parts_ns);
    let spent = parts.chain([(names::BLOCKING, cost.blocking_ns)]).filter(|(_, ns)| *ns > 0);
    for (part, ns) in spent {
        let labels = [(names::SERVICE, service), (names::OPERATION, operation), (names::PART, part)];
        gauge!(names::OPERATION_CPU, &labels).set(ns as f64 / 1e9);
    }
    counter!(names::OPERATIONS, names::SERVICE => service, names::OPERATION => operation)
        .absolute(cost.served);
    for (topic, count) in &cost.published {
        let labels = [(names::SERVICE, service), (names::OPERATION, operation), (names::DESTINATION, *topic)];
        counter!(names::OPERATION_EVENTS, &labels).absolute(*count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_that_only_rise_are_counters_and_the_rest_stays_as_it_is() {
        let text = "# HELP cleave_cost_cpu_seconds_total CPU.\n# TYPE cleave_cost_cpu_seconds_total gauge\n\
                    cleave_cost_cpu_seconds_total{service=\"feed\"} 0.5\n\n# TYPE cleave_tokio_workers gauge\ncleave_tokio_workers 2\n";
        assert_eq!(
            with_counters_by_name(text),
            text.replace("cleave_cost_cpu_seconds_total gauge", "cleave_cost_cpu_seconds_total counter")
        );
    }
}
