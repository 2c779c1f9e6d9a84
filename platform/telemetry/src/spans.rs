//! Every span, named once. Attribute names follow the semantic conventions 1.42.0. Numbers are `i64`: of an unsigned one the
//! layer makes a text.
//!
//! A request is sampled or not as it arrives ([`server_span`]); everything below it is traced where there is a span around it
//! ([`is_traced`]). What is not traced has the span [`Span::none`]: nothing is allocated, and no clock is read.

use std::time::Duration;

use contract::{ComponentName, TraceContext};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use runtime::cost::{self, Part};
use tracing::field::Empty;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::metrics::known_method;
use crate::sampling::{self, Origin};
use crate::server_outcome::ServerOutcome;

/// Whether what runs now belongs to something that is traced.
pub fn is_traced() -> bool {
    tracing::dispatcher::get_default(|dispatch| dispatch.current_span().id().is_some())
}

/// The span that `make` makes where something traced runs; none elsewhere.
fn below(make: impl FnOnce() -> Span) -> Span {
    if is_traced() { cost::run(Part::Telemetry, make) } else { Span::none() }
}

/// The context of the current span, for requests that are passed on; none where nothing is traced.
pub fn current_trace() -> TraceContext {
    if is_traced() { context_of(&Span::current()) } else { TraceContext::default() }
}

/// The context of a span; none where nothing is traced.
pub fn context_of(span: &Span) -> TraceContext {
    let context = span.context();
    let span = context.span();
    let context = span.span_context();
    if !context.is_valid() {
        return TraceContext::default();
    }
    TraceContext {
        trace_id: u128::from_be_bytes(context.trace_id().to_bytes()),
        span_id: u64::from_be_bytes(context.span_id().to_bytes()),
        sampled: context.is_sampled(),
    }
}

/// The span of a caller in another process.
pub(crate) fn remote(trace: TraceContext) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(trace.trace_id.to_be_bytes()),
        SpanId::from_bytes(trace.span_id.to_be_bytes()),
        if trace.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() },
        true,
        TraceState::default(),
    )
}

/// A request being served, by the component in whose scope this is called; none where it is not sampled. The parent is set
/// before the span is entered.
pub fn server_span(
    method: &str,
    route: &str,
    path: &str,
    version: &str,
    parent: TraceContext,
    origin: Origin,
) -> Span {
    if !sampling::samples(parent, origin) {
        return Span::none();
    }
    cost::run(Part::Telemetry, || {
        let known = known_method(method);
        let span = info_span!(
            "http.server",
            otel.name = %format_args!("{known} {route}"),
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = known,
            http.route = route,
            url.path = path,
            url.scheme = "http",
            network.protocol.version = version,
            http.response.status_code = Empty,
            error.type = Empty,
        );
        if parent.is_valid() {
            // Without a tracing layer there is nothing to hang the parent on.
            let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(remote(parent)));
        }
        // Begun now: otherwise it begins when it is first polled, and belongs to the connection's component.
        let _ = span.context();
        span
    })
}

/// The request was answered.
pub fn server_end(span: &Span, outcome: ServerOutcome) {
    if span.is_disabled() {
        return;
    }
    span.record("http.response.status_code", i64::from(outcome.status));
    if let Some(error_type) = outcome.error_type() {
        span.record("error.type", error_type.as_str());
        span.record("otel.status_code", "ERROR");
    }
}

/// One try at another component. `resend` counts tries before it.
pub fn client_span(method: &str, template: &str, peer: ComponentName, addr: &str, resend: u32) -> Span {
    below(|| {
        let known = known_method(method);
        let (host, port) = addr.rsplit_once(':').unwrap_or((addr, ""));
        let span = info_span!(
            "http.client",
            otel.name = %format_args!("{known} {template}"),
            otel.kind = "client",
            otel.status_code = Empty,
            http.request.method = known,
            url.template = template,
            server.address = host,
            server.port = port.parse::<i64>().ok(),
            peer.service = peer.as_str(),
            http.request.resend_count = Empty,
            http.response.status_code = Empty,
            error.type = Empty,
        );
        if resend > 0 {
            span.record("http.request.resend_count", i64::from(resend));
        }
        span
    })
}

/// The try came to an end: any 4xx, 5xx or broken connection is the caller's error.
pub fn client_end(span: &Span, result: Result<u16, &str>) {
    if span.is_disabled() {
        return;
    }
    match result {
        Ok(status) => {
            span.record("http.response.status_code", i64::from(status));
            if status >= 400 {
                span.record("error.type", status.to_string().as_str());
                span.record("otel.status_code", "ERROR");
            }
        }
        Err(kind) => {
            span.record("error.type", kind);
            span.record("otel.status_code", "ERROR");
        }
    }
}

/// A call within the process.
pub fn call_span(call: &str, callee: ComponentName, carrier: &str) -> Span {
    below(|| {
        info_span!(
            "call",
            otel.name = call,
            otel.kind = "internal",
            otel.status_code = Empty,
            cleave.edge = %format_args!("{}->{callee}", runtime::scope::component()),
            cleave.carrier = carrier,
            error.type = Empty,
        )
    })
}

/// A database operation; `system` is the product, as OpenTelemetry names it.
pub fn db_span(system: &'static str, operation: &'static str, table: &'static str) -> Span {
    below(|| {
        info_span!(
            "db",
            otel.name = %format_args!("{operation} {table}"),
            otel.kind = "client",
            otel.status_code = Empty,
            db.system.name = system,
            db.operation.name = operation,
            db.collection.name = table,
            error.type = Empty,
        )
    })
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A place among those being served.
    Queue,
    /// A connection.
    Pool,
    /// The one writer of a database.
    Tx,
}

/// Waiting, which is no component's work.
pub fn wait_span(wait: Wait) -> Span {
    below(|| match wait {
        Wait::Queue => info_span!("queue.wait"),
        Wait::Pool => info_span!("pool.acquire"),
        Wait::Tx => info_span!("tx.wait"),
    })
}

/// Time a fault takes: labelled, never mistaken for work.
pub fn fault_span(kind: &str, delay: Duration) -> Span {
    let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    below(|| info_span!("fault.inject", cleave.fault.kind = kind, cleave.fault.delay_ms = delay_ms))
}

/// An event being published.
pub fn producer_span(topic: &str, id: &str) -> Span {
    below(|| {
        info_span!(
            "publish",
            otel.name = %format_args!("send {topic}"),
            otel.kind = "producer",
            messaging.system = "cleave-outbox",
            messaging.destination.name = topic,
            messaging.operation.type = "send",
            messaging.message.id = id,
        )
    })
}

/// What applying an event of a topic is called, as a span and as an operation.
/// Source: <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#span-name>.
pub fn process_name(topic: &str) -> String {
    format!("process {topic}")
}

/// An event being applied: a trace of its own, linked to the producer's, or one
/// upload to 5,000 followers would be one trace that stays open for minutes.
/// Sampled only if the producer was. `system` names what carried it.
pub fn consumer_span(system: &'static str, topic: &str, producer: TraceContext) -> Span {
    if !producer.sampled {
        return Span::none();
    }
    let span = info_span!(
        parent: None,
        "consume",
        otel.name = process_name(topic),
        otel.kind = "consumer",
        messaging.system = system,
        messaging.destination.name = topic,
        messaging.operation.type = "process",
        cleave.linked = true,
    );
    span.add_link(remote(producer));
    span
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::Value;
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanProcessor};
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Keeps the spans that ended.
    #[derive(Clone, Debug, Default)]
    struct Ended(Arc<Mutex<Vec<SpanData>>>);

    impl SpanProcessor for Ended {
        fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {}

        fn on_end(&self, span: SpanData) {
            self.0.lock().expect("no panic while held").push(span);
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    impl Ended {
        /// An attribute of any of them.
        fn attribute(&self, name: &str) -> Option<Value> {
            let spans = self.0.lock().expect("no panic while held");
            let mut attributes = spans.iter().flat_map(|span| &span.attributes);
            attributes.find(|attribute| attribute.key.as_str() == name).map(|found| found.value.clone())
        }
    }

    #[test]
    fn numbers_are_exported_as_numbers() {
        let ended = Ended::default();
        let provider = SdkTracerProvider::builder().with_span_processor(ended.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let parent = TraceContext { trace_id: 7, span_id: 9, sampled: true };
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            let server = server_span("GET", "/v1/feed", "/v1/feed", "1.1", parent, Origin::Suite);
            server.in_scope(|| {
                let client = client_span("GET", "/v1/feed", ComponentName::GATEWAY, "127.0.0.1:80", 2);
                client_end(&client, Ok(503));
                let _fault = fault_span("delay", Duration::from_millis(150));
            });
        });
        for (name, number) in [
            ("http.response.status_code", 503),
            ("http.request.resend_count", 2),
            ("server.port", 80),
            ("cleave.fault.delay_ms", 150),
        ] {
            assert_eq!(ended.attribute(name), Some(Value::I64(number)), "{name}");
        }
    }
}
