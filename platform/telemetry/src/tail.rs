//! What was not sampled and is kept all the same: requests at the door that failed or were slow, one span each.
//!
//! Decided when a request is over, from what its metrics have measured: one that is neither costs two comparisons.

use std::sync::OnceLock;
use std::time::Duration;

use contract::{ComponentName, TraceContext};
use opentelemetry::trace::{Span as _, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use runtime::cost::{self, Part};
use runtime::{clock, scope};

use crate::metrics::known_method;
use crate::names::attr;
use crate::second_budget::SecondBudget;
use crate::server_outcome::ServerOutcome;
use crate::spans::remote;

/// A request that took so long is slow: users notice a second, and a page asks for more than one thing.
pub const SLOW: Duration = Duration::from_millis(500);
/// Spans kept in one second by one process: a storm has thousands that look alike.
const MAX_PER_SECOND: u32 = 50;

static TRACER: OnceLock<SdkTracer> = OnceLock::new();
static BUDGET: SecondBudget = SecondBudget::new(MAX_PER_SECOND);

/// Where kept spans go from now on; without it none is kept.
pub(crate) fn set_tracer(tracer: SdkTracer) {
    let _second = TRACER.set(tracer);
}

/// A request that is over and was not sampled.
#[derive(Clone, Copy, Debug)]
pub struct UnsampledRequest<'a> {
    /// The component that served it.
    pub component: ComponentName,
    /// Its method, as it was sent.
    pub method: &'a str,
    /// The template of its route.
    pub route: &'a str,
    /// Its path.
    pub path: &'a str,
    /// How it was answered.
    pub outcome: ServerOutcome,
    /// From its arrival to the end of its answer.
    pub took: Duration,
    /// The trace of its client, if it has one.
    pub parent: TraceContext,
}

impl UnsampledRequest<'_> {
    /// Why it is worth a span; `None` for most.
    fn reason(&self) -> Option<&'static str> {
        match self {
            Self { outcome: ServerOutcome { is_failure: true, .. }, .. } => Some("error"),
            Self { took, .. } if *took >= SLOW => Some("slow"),
            _ => None,
        }
    }

    /// Keeps it as one span if it failed or was slow, and not too many have been kept in this second.
    pub fn keep_if_notable(&self) {
        let Some(reason) = self.reason() else { return };
        let Some(tracer) = TRACER.get() else { return };
        if BUDGET.admits(clock::now_ns()) {
            cost::run(Part::Telemetry, || scope::enter(self.component, || self.keep(tracer, reason)));
        }
    }

    fn keep(&self, tracer: &SdkTracer, reason: &'static str) {
        let ended = opentelemetry::time::now();
        let method = known_method(self.method);
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.route", self.route.to_owned()),
            KeyValue::new("url.path", self.path.to_owned()),
            KeyValue::new("url.scheme", "http"),
            KeyValue::new("network.protocol.version", "1.1"),
            KeyValue::new("http.response.status_code", i64::from(self.outcome.status)),
            KeyValue::new(attr::KEPT, reason),
        ];
        let error_type = self.outcome.error_type();
        let is_error = error_type.is_some();
        attributes.extend(error_type.map(|error_type| KeyValue::new("error.type", error_type)));
        let builder = tracer
            .span_builder(format!("{method} {}", self.route))
            .with_kind(SpanKind::Server)
            .with_start_time(ended.checked_sub(self.took).unwrap_or(ended))
            .with_attributes(attributes);
        let context = match self.parent.is_valid() {
            true => Context::new().with_remote_span_context(remote(self.parent)),
            false => Context::new(),
        };
        let mut span = tracer.build_with_context(builder, &context);
        if is_error {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(outcome: ServerOutcome, took: Duration) -> UnsampledRequest<'static> {
        UnsampledRequest {
            component: ComponentName::GATEWAY,
            method: "GET",
            route: "/v1/feed",
            path: "/v1/feed",
            outcome,
            took,
            parent: TraceContext::default(),
        }
    }

    #[test]
    fn what_failed_or_was_slow_is_notable() {
        let quick = Duration::from_millis(3);
        let reason = |status, took| ended(ServerOutcome::of(status), took).reason();
        assert_eq!(reason(200, quick), None);
        assert_eq!(reason(404, quick), None, "the client's doing");
        assert_eq!(reason(503, quick), Some("error"));
        assert_eq!(reason(200, SLOW), Some("slow"));
        let of_client = ServerOutcome { status: 504, is_failure: false };
        assert_eq!(ended(of_client, quick).reason(), None, "so is this, for all its status");
        assert_eq!(ended(of_client, SLOW).reason(), Some("slow"));
    }
}
