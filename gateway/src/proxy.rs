//! One request, from its first byte to its last.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use contract::{ComponentName, Deadline, Principal, Refusal, RefusalKind, TraceContext};
use futures_util::FutureExt;
use http::header::{ALLOW, AUTHORIZATION, CONNECTION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use policy::ClientOptions;
use runtime::cost::{self, Part};
use runtime::{clock, scope};
use telemetry::{Origin, Wait};
use tokio::time::{timeout, timeout_at};
use tower::ServiceExt;
use tracing::Instrument;
use transport::attempt::AttemptError;
use transport::stack::OutboundCall;
use transport::{Body, BodyError, headers, refusal_response, sanitize};

use crate::admission_queue::{Admission, Permit};
use crate::api_keys;
use crate::backend::Location;
use crate::clients::{ClientPlaces, ClientRequest};
use crate::exchange::{Exchange, failed_response};
use crate::failure_source::{FailureSource, attributed};
use crate::gateway::Gateway;
use crate::mirror::send_copy;
use crate::request_body::{BodyFailure, RequestBody};
use crate::request_context::{AttemptHeaders, Rejection, RequestContext, screen};
use crate::request_count::{RequestCount, Unsampled, count_unrouted};
#[cfg(feature = "response-cache")]
use crate::response_cache::Lookup;
use crate::table::{ResolvedRoute, RouteMatch};

/// When a shed client may come back.
const SHED_RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a body is read that is not wanted.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);
/// Largest content of a request that means nothing, bytes.
const MAX_IGNORED_BYTES: u64 = 64 * 1024;

impl Gateway {
    /// Answers one request of the public port.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let arrived = clock::now();
        let (head, body) = request.into_parts();
        let host = match screen(&head) {
            Ok(host) => host,
            Err(away) => return count_unrouted(&head, arrived, self.rejected(&head, away)),
        };
        if head.method == Method::OPTIONS && head.uri.path() == "*" {
            return count_unrouted(&head, arrived, status_only(StatusCode::NO_CONTENT));
        }
        let target = match self.target(&head) {
            Ok(target) => target,
            Err(response) => return count_unrouted(&head, arrived, *response),
        };

        let (method, path) = (head.method.as_str(), head.uri.path());
        let trace = self.trace(&head.headers);
        let version = headers::protocol_version(head.version);
        let span = telemetry::server_span(method, &target.route.path, path, version, trace, Origin::Client);
        let unsampled = span.is_disabled().then(|| Unsampled::of(&head, trace));
        let mut request_count = RequestCount::begin(target.clone(), &head.method, unsampled, arrived);
        let request = RequestContext::new(head, body.peer().map(Arc::as_ref), host, target, trace, arrived);
        let client =
            self.0.clients.begin(request.target.id, request.peer, || self.account(request.headers()));
        // Boxed: it is most of what a request takes here, and hyper and each future around it would move it along.
        let served = Box::pin(self.serve_request(&request, &client, body)).instrument(span.clone());
        let operation = request_count.metrics.operation;
        let (mut response, source) = scope::serving(operation, cost::part(Part::Business, served)).await;
        response.headers_mut().remove(headers::SHED);
        request_count.outcome = source.outcome(response.status());
        telemetry::server_end(&span, request_count.outcome);
        if let Some(held) = client.end(response.status(), source) {
            // The request is over: nothing but its client waits for what is left of it.
            drop(request_count);
            let response = taken_over(response).await;
            held.released().await;
            return response;
        }
        response.map(|body| body.guarded(request_count))
    }

    /// The trace that a request belongs to. One that is to be sampled, beyond those that clients may ask for, counts as none:
    /// then the gateway decides, as for any other.
    fn trace(&self, fields: &HeaderMap) -> TraceContext {
        let trace = headers::trace(fields);
        let are_limited = self.0.options.clients != ClientOptions::default();
        if trace.sampled && are_limited && !self.0.traces.admits(clock::now_ns()) {
            return TraceContext::default();
        }
        trace
    }

    fn target(&self, head: &Parts) -> Result<Arc<ResolvedRoute>, Box<Response<Body>>> {
        let table = self.0.table.load();
        match table.find(&head.method, head.uri.path()) {
            RouteMatch::Matched(target) => Ok(target.clone()),
            RouteMatch::Nothing => {
                let refusal = Refusal::new(RefusalKind::NotFound, "no_such_route", "no route has this path");
                Err(Box::new(refusal_response::encode(&refusal)))
            }
            RouteMatch::OtherMethods(methods) => {
                let away = Rejection {
                    status: StatusCode::METHOD_NOT_ALLOWED,
                    code: "method_not_allowed",
                    message: "this path exists, but not for this method; see `Allow`",
                };
                Err(Box::new(allowing(away.response(false), &methods)))
            }
        }
    }

    /// What the client gets of a request that goes no further than its head.
    fn rejected(&self, head: &Parts, away: Rejection) -> Response<Body> {
        let response = away.response(true);
        if away.status != StatusCode::METHOD_NOT_ALLOWED {
            return response;
        }
        allowing(response, &self.0.table.load().methods(head.uri.path()))
    }

    /// A routed request, and whose doing it is if it is not answered in time.
    async fn serve_request(
        &self,
        request: &RequestContext,
        client: &ClientRequest,
        body: Body,
    ) -> (Response<Body>, FailureSource) {
        let Some(deadline) = request.deadline else {
            telemetry::deadline_refused(ComponentName::GATEWAY);
            return (refusal_response::encode(&Refusal::too_late()), FailureSource::Client);
        };
        let body = match self.take_body(request, client, body, deadline).await {
            Ok(body) => body,
            Err(refused) => return (*refused, FailureSource::of(deadline)),
        };
        #[cfg(feature = "response-cache")]
        let (response, source) = self.answered(request, client, &body, deadline).await;
        #[cfg(not(feature = "response-cache"))]
        let places = client.places(deadline.instant()).await;
        #[cfg(not(feature = "response-cache"))]
        let (response, source) = self.forward(request, places, &body, deadline, Duration::ZERO).await;
        (within_streams(client, request, response), source)
    }

    /// An answer that is kept, or the component's.
    #[cfg(feature = "response-cache")]
    async fn answered(
        &self,
        request: &RequestContext,
        client: &ClientRequest,
        body: &RequestBody,
        deadline: Deadline,
    ) -> (Response<Body>, FailureSource) {
        let cache = &self.0.response_cache;
        let is_read = matches!(request.method, Method::GET | Method::HEAD);
        if !(request.target.route.cache && is_read && body.is_empty()) {
            let write = cache.begin_write(request);
            let places = client.places(deadline.instant()).await;
            let (response, source) = self.forward(request, places, body, deadline, Duration::ZERO).await;
            if let Some(write) = write {
                write.answered(&response);
            }
            return (response, source);
        }
        loop {
            let mut fill = match cache.look_up(request, client, deadline).await {
                Lookup::Answer(response) => return (*response, FailureSource::Condition),
                Lookup::Ask(fill) => fill,
            };
            let places = fill.places(client, deadline).await;
            let asked = self.forward(fill.request(request), places, body, deadline, fill.waited());
            let (response, source) = asked.await;
            if let Some(response) = fill.finish(request, response).await {
                return (response, source);
            }
        }
    }

    /// A request that its component is asked, once there is room for it. `waited` is how long it has waited for the answer to
    /// another one.
    async fn forward(
        &self,
        request: &RequestContext,
        places: ClientPlaces,
        body: &RequestBody,
        deadline: Deadline,
        waited: Duration,
    ) -> (Response<Body>, FailureSource) {
        let route_time = Duration::from_millis(request.target.route.deadline_ms);
        let deadline = attributed(deadline, route_time, waited, clock::now());
        let response = match places {
            Ok(_places) => match self.admit(deadline).await {
                Ok(_permit) => {
                    self.mirror(request, body);
                    self.exchange(request, body, deadline).await
                }
                Err(refusal) => refusal_response::encode(&refusal),
            },
            Err(refusal) => refusal_response::encode(&refusal),
        };
        (response, FailureSource::of(deadline))
    }

    /// Size, key and token, and then all of the body; or what the client gets in their place.
    async fn take_body(
        &self,
        request: &RequestContext,
        client: &ClientRequest,
        body: Body,
        deadline: Deadline,
    ) -> Result<RequestBody, Box<Response<Body>>> {
        let route = &request.target.route;
        let max_body = if request.ignores_content { MAX_IGNORED_BYTES } else { route.max_body };
        let refused = |failure| Box::new(body_refused(failure, max_body));
        if body.size_hint().lower() > max_body {
            return Err(refused(BodyFailure::TooLarge));
        }
        if let Err(refusal) = self.may_send(request, &body) {
            let mut response = refusal_response::encode(&refusal);
            if refusal.code == api_keys::REQUIRED {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(api_keys::SCHEME));
            }
            let is_over = !request.expects_continue && discard(body, max_body).await.is_ok();
            // What follows on the connection is unknown while the body has not ended.
            return Err(Box::new(if is_over { response } else { closing(response) }));
        }
        let body = if request.ignores_content && !body.is_end_stream() {
            discard(body, max_body).await.map_err(refused)?;
            Body::empty()
        } else {
            body.limited(max_body)
        };
        let taken = RequestBody::take(body, &self.0.bodies, request.peer, client, deadline.instant());
        cost::part(Part::Transport, taken).await.map_err(refused)
    }

    /// The component's answer. Places and permit are given back with its head: an answer that is on its way is work for no
    /// one but its reader.
    async fn exchange(
        &self,
        request: &RequestContext,
        body: &RequestBody,
        deadline: Deadline,
    ) -> Response<Body> {
        let (mut response, deadline) = match &request.target.backend.location {
            Location::Remote(stack) => {
                let exchange = Exchange { request, body };
                let outbound = OutboundCall::new(request.context(deadline), request.idempotency, exchange);
                let sent = cost::part(Part::Transport, stack.send(outbound));
                let response = sent.await.unwrap_or_else(failed_response);
                (response, passed_on(deadline, stack.edge().policy().deadline))
            }
            Location::Local { router, deadline: passes_on } => {
                let deadline = passed_on(deadline, *passes_on);
                let answer = call(router.clone(), request, body, deadline).await;
                (answer.unwrap_or_else(|refusal| refusal_response::encode(&refusal)), deadline)
            }
        };
        sanitize::strip_hop_by_hop(response.headers_mut());
        let left = deadline.remaining(clock::now()).unwrap_or_default();
        response.map(|body| body.waits_at_most(left))
    }

    /// Sends a copy of it along where its route says so.
    fn mirror(&self, request: &RequestContext, body: &RequestBody) {
        if let Some(mirror) = &request.target.mirror
            && let Some(tasks) = self.0.tasks.get()
        {
            send_copy(mirror, tasks, request, body);
        }
    }

    /// Whether a request may go on, as far as its headers show it before a byte of its body is read.
    fn may_send(&self, request: &RequestContext, body: &Body) -> Result<(), Refusal> {
        let route = &request.target.route;
        if route.api_key {
            self.0.api_keys.admit(request.headers())?;
        }
        if route.authenticated && !body.is_end_stream() {
            self.authorize(request.headers())?;
        }
        Ok(())
    }

    fn authorize(&self, fields: &HeaderMap) -> Result<(), Refusal> {
        match &self.0.options.authorize {
            Some(authorize) => authorize(fields).map(drop),
            None if fields.contains_key(AUTHORIZATION) => Ok(()),
            None => Err(Refusal::unauthenticated()),
        }
    }

    /// The account whose token a request carries; `None` without one, or where no secret is known here.
    fn account(&self, fields: &HeaderMap) -> Option<Principal> {
        let authorize = self.0.options.authorize.as_ref().filter(|_| fields.contains_key(AUTHORIZATION))?;
        authorize(fields).ok()
    }

    /// Shed before queueing: a late answer costs as much as none.
    async fn admit(&self, deadline: Deadline) -> Result<Permit, Refusal> {
        let overloaded = |message| Refusal::shed("overloaded", message, Some(SHED_RETRY_AFTER));
        match self.0.admission.request_permit() {
            Admission::Granted(permit) => Ok(permit),
            Admission::Shed => {
                Err(overloaded("the gateway serves and queues as many requests as its limits allow"))
            }
            Admission::Queued(turn) => {
                let waiting =
                    cost::part(Part::Queueing, timeout_at(deadline.instant().into(), turn.granted()));
                let started = clock::now();
                let permit = waiting.instrument(telemetry::wait_span(Wait::Queue)).await;
                telemetry::queue_wait(ComponentName::GATEWAY, "admission", clock::now() - started);
                permit
                    .map_err(|_| Refusal::too_late())?
                    .ok_or_else(|| overloaded("the admission queue is not moving"))
            }
        }
    }
}

/// The request's own deadline; the longest possible where the edge passes none on.
fn passed_on(deadline: Deadline, passes_on: bool) -> Deadline {
    if passes_on { deadline } else { Deadline::after(clock::now(), headers::MAX_DEADLINE) }
}

/// The component is in this process: the same request, and a function call.
async fn call(
    router: axum::Router,
    request: &RequestContext,
    body: &RequestBody,
    deadline: Deadline,
) -> Result<Response<Body>, Refusal> {
    let attempt_headers = AttemptHeaders::first(deadline, clock::now(), telemetry::current_trace());
    let body = body.lend().unwrap_or_default();
    #[cfg(feature = "response-cache")]
    if let Some(sent) = request.sent() {
        sent.add();
    }
    let request = request.request(body, None, &attempt_headers).map(axum::body::Body::from);
    let answered = AssertUnwindSafe(router.oneshot(request)).catch_unwind();
    match timeout_at(deadline.instant().into(), answered).await {
        Ok(Ok(Ok(response))) => Ok(response.map(Body::from)),
        // In another process it would have taken its connection with it.
        Ok(Err(_panic)) => {
            Err(Refusal::new(RefusalKind::Lost, "connection_lost", "the component broke off while answering"))
        }
        Err(_) => Err(AttemptError::TimedOut.refusal()),
    }
}

/// Reads a body that is not wanted: a client that is still sending when its connection is closed may
/// never see the answer (RFC 9112, section 9.6). Why it has not ended, where it has not.
async fn discard(body: Body, max_bytes: u64) -> Result<(), BodyFailure> {
    let mut body = body.limited(max_bytes);
    let reading = async {
        while let Some(frame) = body.frame().await {
            frame.map_err(|error| BodyFailure::from(&error))?;
        }
        Ok::<_, BodyFailure>(())
    };
    timeout(DISCARD_TIMEOUT, reading).await.unwrap_or(Err(BodyFailure::TooSlow))
}

/// A long answer is one of those that its client may be reading at once. What has been written has been, and is answered.
fn within_streams(
    client: &ClientRequest,
    request: &RequestContext,
    response: Response<Body>,
) -> Response<Body> {
    if !request.method.is_safe() || !response.body().is_long() {
        return response;
    }
    match client.begin_stream() {
        Ok(stream) => response.map(|body| body.guarded(stream)),
        Err(refusal) => refusal_response::encode(&refusal),
    }
}

/// An answer that holds nothing of its component's: read to its end, or one that breaks off where that fails.
async fn taken_over(response: Response<Body>) -> Response<Body> {
    let (head, body) = response.into_parts();
    let body = match timeout(DISCARD_TIMEOUT, body.bytes(MAX_IGNORED_BYTES)).await {
        Ok(Ok(bytes)) => Body::full(bytes),
        Ok(Err(failure)) => Body::failed(failure),
        Err(_) => Body::failed(BodyError::Late),
    };
    Response::from_parts(head, body)
}

/// What is wrong with the request's body, as the client receives it.
fn body_refused(body_failure: BodyFailure, max_body: u64) -> Response<Body> {
    match body_failure {
        BodyFailure::TooLarge => {
            let message = format!("this route takes bodies of up to {max_body} bytes");
            refusal_response::encode(&Refusal::new(RefusalKind::TooLarge, "body_too_large", message))
        }
        BodyFailure::TooSlow => Rejection {
            status: StatusCode::REQUEST_TIMEOUT,
            code: "body_too_slow",
            message: "the rest of the request's body did not come in time",
        }
        .response(true),
        BodyFailure::Broken => Rejection {
            status: StatusCode::BAD_REQUEST,
            code: "body_broken",
            message: "the request's body broke off or is framed wrongly",
        }
        .response(true),
        BodyFailure::NoRoom => {
            let message = "too many bytes of requests are under way; try again in a second";
            closing(refusal_response::encode(&Refusal::shed("bodies_busy", message, Some(SHED_RETRY_AFTER))))
        }
    }
}

/// The same, after which the connection cannot be used again.
fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

impl Rejection {
    /// As JSON; `close` where the connection cannot be trusted any further.
    fn response(self, close: bool) -> Response<Body> {
        let mut response =
            refusal_response::encode(&Refusal::new(RefusalKind::BadRequest, self.code, self.message));
        *response.status_mut() = self.status;
        if close { closing(response) } else { response }
    }
}

/// A 405, with the methods that its target is served for (RFC 9110, section 15.5.6).
fn allowing(mut response: Response<Body>, methods: &[Method]) -> Response<Body> {
    let allow = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    response.headers_mut().insert(ALLOW, HeaderValue::try_from(allow).expect("methods are visible"));
    response
}

fn status_only(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
