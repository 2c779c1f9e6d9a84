//! A request as it is counted: in metrics, and as a span where it was not sampled and is worth one.

use std::sync::Arc;
use std::time::Instant;

use contract::{ComponentName, TraceContext};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Response};
use runtime::clock;
use telemetry::metrics::ActiveRequestGuard;
use telemetry::{ServerMetrics, ServerOutcome, UnsampledRequest, names};
use transport::Body;

use crate::table::ResolvedRoute;

/// The status under which a request is counted whose client left before the
/// answer (nginx's convention).
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Counts a request when its answer has ended; one that never got an answer, as given up.
pub(crate) struct RequestCount {
    target: Arc<ResolvedRoute>,
    /// Of its route and method.
    pub metrics: Arc<ServerMetrics>,
    arrived: Instant,
    /// As far as it is known.
    pub outcome: ServerOutcome,
    unsampled: Option<Unsampled>,
    _active: ActiveRequestGuard,
}

/// What a request that is not sampled is known by, should it turn out to be worth a span.
pub(crate) struct Unsampled {
    method: Method,
    path: Option<PathAndQuery>,
    trace: TraceContext,
}

impl Unsampled {
    /// What `head` has, in the trace of its client.
    pub fn of(head: &Parts, trace: TraceContext) -> Self {
        Self { method: head.method.clone(), path: head.uri.path_and_query().cloned(), trace }
    }
}

impl RequestCount {
    /// A request that has come; `unsampled` where it has no span.
    pub fn begin(
        target: Arc<ResolvedRoute>,
        method: &Method,
        unsampled: Option<Unsampled>,
        arrived: Instant,
    ) -> Self {
        let metrics = target.metrics(method);
        let active = metrics.begin();
        let outcome = ServerOutcome::of(CLIENT_CLOSED_REQUEST);
        Self { target, metrics, arrived, outcome, unsampled, _active: active }
    }
}

impl Drop for RequestCount {
    fn drop(&mut self) {
        let took = clock::now() - self.arrived;
        self.metrics.record(self.outcome, took);
        if let Some(unsampled) = &self.unsampled {
            let request = UnsampledRequest {
                component: ComponentName::GATEWAY,
                method: unsampled.method.as_str(),
                route: &self.target.route.path,
                path: unsampled.path.as_ref().map_or("", PathAndQuery::path),
                outcome: self.outcome,
                took,
                parent: unsampled.trace,
            };
            request.keep_if_notable();
        }
    }
}

/// Counts a request that matched no route, under one label for all of them.
pub(crate) fn count_unrouted(head: &Parts, arrived: Instant, response: Response<Body>) -> Response<Body> {
    let metrics = ServerMetrics::of(ComponentName::GATEWAY, head.method.as_str(), names::UNMATCHED);
    metrics.record(ServerOutcome::of(response.status().as_u16()), clock::now() - arrived);
    response
}
