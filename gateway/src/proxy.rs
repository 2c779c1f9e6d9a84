//! One request, from its first byte to its last.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{ComponentName, Deadline, Refusal, RefusalKind};
use fault::Side;
use futures_util::FutureExt;
use http::header::{ALLOW, CONNECTION};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use policy::retry::{AttemptOutcome, Idempotency, backoff, may_retry};
use runtime::cost::{self, Part};
use runtime::{clock, random};
use telemetry::{ServerMetrics, Wait, names};
use tokio::time::{sleep, timeout_at};
use tower::ServiceExt;
use tracing::Instrument;
use transport::attempt::{self, AttemptError, NotSentReason};
use transport::fault_injection::{self, AppliedFault, FaultOutcome};
use transport::{Body, Endpoint, headers, refusal_response, sanitize};

use crate::admission_queue::{Admission, Permit};
use crate::backend::{Location, Remote};
use crate::gateway::Gateway;
use crate::request_body::{BodyFailure, RequestBody};
use crate::request_context::{AttemptHeaders, Rejection, RequestContext, screen};
use crate::table::{ResolvedRoute, RouteMatch};

/// The status under which a request is counted whose client left before the
/// answer (nginx's convention).
const CLIENT_CLOSED_REQUEST: u16 = 499;
/// When a shed client may come back.
const SHED_RETRY_AFTER: Duration = Duration::from_secs(1);
/// A failed answer up to this long is read to its end, so that its connection can be kept.
const MAX_DISCARDED_BYTES: u64 = 16 * 1024;

/// A damaged answer is read whole; nobody asks for larger ones under faults.
const MAX_CORRUPTED_BYTES: u64 = 16 << 20;

impl Gateway {
    /// Answers one request of the public port.
    pub(crate) async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let arrived = clock::now();
        let (head, body) = request.into_parts();
        let host = match screen(&head) {
            Ok(host) => host,
            Err(away) => return count_unrouted(&head, arrived, away.response(true)),
        };
        if head.method == Method::OPTIONS && head.uri.path() == "*" {
            return count_unrouted(&head, arrived, status_only(StatusCode::NO_CONTENT));
        }
        let target = match self.target(&head) {
            Ok(target) => target,
            Err(response) => return count_unrouted(&head, arrived, *response),
        };

        let path = head.uri.path();
        let trace = headers::trace(&head.headers);
        let span = telemetry::server_span(head.method.as_str(), &target.route.path, path, trace);
        let mut request_count = RequestCount::begin(target.metrics(&head.method), arrived);
        let request = RequestContext::new(head, host, target, arrived);
        let serving = self.serve_request(&request, body).instrument(span.clone());
        let response = if request.billed {
            let (response, bill) = cost::with_ledger(serving).await;
            telemetry::record_cost_breakdown(&request.target.route.path, &bill);
            response
        } else {
            serving.await
        };
        telemetry::server_end(&span, response.status().as_u16());
        request_count.status = response.status().as_u16();
        response.map(|body| body.guarded(request_count))
    }

    fn target(&self, head: &Parts) -> Result<Arc<ResolvedRoute>, Box<Response<Body>>> {
        let table = self.0.table.load();
        match table.find(&head.method, head.uri.path()) {
            RouteMatch::Matched(target) => Ok(target.clone()),
            RouteMatch::Nothing => {
                let refusal =
                    Refusal::new(RefusalKind::NotFound, "no_such_route", "there is no such path here");
                Err(Box::new(refusal_response::encode(&refusal)))
            }
            RouteMatch::OtherMethods(methods) => {
                let allow = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
                let away = Rejection {
                    status: StatusCode::METHOD_NOT_ALLOWED,
                    code: "method_not_allowed",
                    message: "this path is there, but not for this method; see `Allow`",
                };
                let mut response = away.response(false);
                response
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::try_from(allow).expect("methods are visible"));
                Err(Box::new(response))
            }
        }
    }

    /// A routed request: deadline, size, admission, body, and then the component.
    async fn serve_request(&self, request: &RequestContext, body: Body) -> Response<Body> {
        let route = &request.target.route;
        let Some(deadline) = request.deadline else {
            telemetry::deadline_refused(ComponentName::GATEWAY);
            return refusal_response::encode(&Refusal::too_late());
        };
        if body.size_hint().lower() > route.max_body {
            return body_refused(BodyFailure::TooLarge, route.max_body);
        }
        let permit = match self.enter(deadline).await {
            Ok(permit) => permit,
            Err(refusal) => return refusal_response::encode(&refusal),
        };
        let body = body.limited(route.max_body);
        let body = match RequestBody::take(body, self.0.options.keep_body, deadline.instant()).await {
            Ok(body) => body,
            Err(body_failure) => return body_refused(body_failure, route.max_body),
        };
        let answer = match &request.target.backend.location {
            Location::Remote(remote) => self.forward(remote, request, &body, deadline).await,
            Location::Local(router) => call(router.clone(), request, &body, deadline).await,
        };
        // Whatever the component made of half a body, the client is told what was wrong with it.
        if let Some(body_failure) = body.failure(deadline.remaining(clock::now()).is_none()) {
            return body_refused(body_failure, route.max_body);
        }
        let mut response = answer.unwrap_or_else(|refusal| refusal_response::encode(&refusal));
        sanitize::strip_hop_by_hop(response.headers_mut());
        if request.billed {
            response.headers_mut().remove(headers::SERVER_TIMING);
        }
        response.map(|body| body.guarded(permit))
    }

    /// Shed before queueing: a late answer costs as much as none.
    async fn enter(&self, deadline: Deadline) -> Result<Permit, Refusal> {
        let overloaded = |message| {
            let mut refusal = Refusal::unavailable("overloaded", message);
            refusal.retry_after = Some(SHED_RETRY_AFTER);
            refusal
        };
        match self.0.admission.request_permit() {
            Admission::Granted(permit) => Ok(permit),
            Admission::Shed => Err(overloaded("as many requests are inside and waiting as may be")),
            Admission::Queued(turn) => {
                let waiting =
                    cost::part(Part::Queueing, timeout_at(deadline.instant().into(), turn.granted()));
                let started = clock::now();
                let permit = waiting.instrument(telemetry::wait_span(Wait::Queue)).await;
                telemetry::queue_wait(ComponentName::GATEWAY, "admission", clock::now() - started);
                permit.map_err(|_| Refusal::too_late())?.ok_or_else(|| overloaded("the queue stands still"))
            }
        }
    }

    /// Tries, and tries again while that is allowed, paid for, and of use.
    async fn forward(
        &self,
        remote: &Remote,
        request: &RequestContext,
        body: &RequestBody,
        deadline: Deadline,
    ) -> Result<Response<Body>, Refusal> {
        remote.deposit();
        let mut tries = 0;
        let mut avoid = None;
        loop {
            let tried = self.try_once(remote, request, body, deadline, tries, avoid.as_ref()).await;
            tries += 1;
            let Some(wait) = again(remote, &tried, request, body, deadline, tries) else {
                return tried.answer;
            };
            discard(tried.answer);
            sleep(wait).await;
            remote.metrics.retry();
            avoid = tried.endpoint;
        }
    }

    /// Breaker, bulkhead, the best copy, its faults, and the wire.
    async fn try_once(
        &self,
        remote: &Remote,
        request: &RequestContext,
        body: &RequestBody,
        deadline: Deadline,
        tries: u32,
        avoid: Option<&Arc<Endpoint>>,
    ) -> Tried {
        let (probe, permit) = match remote.admit().and_then(|probe| Ok((probe, remote.enter()?))) {
            Ok(admitted) => admitted,
            Err(refusal) => return Tried::held_back(refusal),
        };
        let started = clock::now();
        let until = remote
            .policy
            .timeout
            .map_or(deadline, |limit| deadline.earlier(Deadline::after(started, limit.duration())));
        let Some(endpoint) = remote.pick(avoid) else {
            let failed = AttemptError::NotSent(NotSentReason::NoEndpoint(request.target.backend.name));
            remote.metrics.attempt(Err(failed.kind()), Duration::ZERO);
            return Tried {
                answer: Err(failed.refusal()),
                outcome: Some(AttemptOutcome::NotSent),
                endpoint: None,
            };
        };
        let addr = endpoint.host().to_str().unwrap_or_default();
        let (method, name) = (request.method.as_str(), request.target.backend.name);
        let span = telemetry::client_span(method, &request.target.route.path, name, addr, tries);
        let sent = self
            .send(&Trial { endpoint: &endpoint, request, body, until, tries })
            .instrument(span.clone())
            .await;

        let result = sent.as_ref().map(|response| response.status().as_u16()).map_err(AttemptError::kind);
        telemetry::client_end(&span, result);
        remote.metrics.attempt(result, clock::now() - started);
        let outcome = match &sent {
            Ok(response) => AttemptOutcome::Status(response.status().as_u16()),
            Err(AttemptError::NotSent(_)) => AttemptOutcome::NotSent,
            Err(_) => AttemptOutcome::SentNoResponse,
        };
        // A try that the client's own body has spoiled says nothing about the component.
        if body.failure(until.remaining(clock::now()).is_none()).is_none() {
            probe.report(result.is_ok_and(|status| status < 500));
        }
        let answer = sent.map(|response| response.map(|body| body.guarded(permit)));
        Tried {
            answer: answer.map_err(|failed| failed.refusal()),
            outcome: Some(outcome),
            endpoint: Some(endpoint),
        }
    }

    async fn send(&self, trial: &Trial<'_>) -> Result<Response<Body>, AttemptError> {
        let faults = &self.0.options.faults;
        if faults.is_empty() {
            return trial.reach().await;
        }
        let route = format!("{} {}", trial.request.method, trial.request.target.route.path);
        let cx = trial.request.context(trial.until, trial.tries);
        let callee = trial.request.target.backend.name;
        let copy = Some(trial.endpoint.instance.id.as_str());
        let point = fault_injection::InjectionPoint { side: Side::Caller, callee, route: &route, copy };
        // As if the component or the network had said so: the policies must not know better.
        match fault_injection::apply_faults(faults, point, &cx).await {
            Ok(AppliedFault::NONE) => trial.reach().await,
            Ok(applied) => trial.apply_faults(applied).await,
            Err(FaultOutcome::Aborted(refusal)) => Ok(refusal_response::encode(&refusal)),
            // A broken connection cannot be told from one whose answer was lost in time.
            Err(FaultOutcome::Hung | FaultOutcome::Reset) => Err(AttemptError::TimedOut),
            Err(FaultOutcome::Refused) => Err(AttemptError::NotSent(NotSentReason::NoEndpoint(callee))),
        }
    }
}

/// One try at one copy.
struct Trial<'a> {
    endpoint: &'a Arc<Endpoint>,
    request: &'a RequestContext,
    body: &'a RequestBody,
    until: Deadline,
    tries: u32,
}

impl Trial<'_> {
    async fn reach(&self) -> Result<Response<Body>, AttemptError> {
        let attempt_headers =
            AttemptHeaders::new(self.until, clock::now(), self.tries, telemetry::current_trace());
        let make =
            || Some(self.request.request(self.body.lend()?, Some(self.endpoint.host()), &attempt_headers));
        let request = make().unwrap_or_default();
        // One free try on another connection, for what may be repeated and has nothing to carry.
        let repeatable = self.request.idempotency == Idempotency::Idempotent && self.body.is_whole();
        let remake = || repeatable.then(make).flatten();
        attempt::send(self.endpoint, request, self.until.instant(), remake).await
    }

    /// What becomes of it and of its answer on the way back.
    async fn apply_faults(&self, applied: AppliedFault) -> Result<Response<Body>, AttemptError> {
        let sent = self.reach().await;
        if applied.twice && self.body.is_whole() {
            discard(self.reach().await.map_err(|failed| failed.refusal()));
        }
        if applied.answer_lost {
            fault_injection::hang_until(self.until).await;
            return Err(AttemptError::TimedOut);
        }
        let Some(how) = applied.spoilt else { return sent };
        let (mut head, body) = sent?.into_parts();
        let body = body.bytes(MAX_CORRUPTED_BYTES).await.map_err(|_| AttemptError::TimedOut)?;
        let body = fault_injection::corrupt(how, &body);
        head.headers.remove(http::header::CONTENT_LENGTH);
        Ok(Response::from_parts(head, Body::full(body)))
    }
}

/// How one try ended.
struct Tried {
    answer: Result<Response<Body>, Refusal>,
    /// `None` when it was held back here on purpose, and is not tried again.
    outcome: Option<AttemptOutcome>,
    endpoint: Option<Arc<Endpoint>>,
}

impl Tried {
    fn held_back(refusal: Refusal) -> Self {
        Self { answer: Err(refusal), outcome: None, endpoint: None }
    }
}

/// How long to wait before the next try; `None` to leave it at this one.
fn again(
    remote: &Remote,
    tried: &Tried,
    request: &RequestContext,
    body: &RequestBody,
    deadline: Deadline,
    tries: u32,
) -> Option<Duration> {
    let outcome = tried.outcome?;
    // A stream can be sent again only if nobody has read from it.
    let sendable = body.is_whole() || (outcome == AttemptOutcome::NotSent && body.is_untouched());
    if tries >= remote.policy.attempts || !sendable || !may_retry(outcome, request.idempotency) {
        return None;
    }
    let left = deadline.remaining(clock::now())?;
    let wait = backoff(
        remote.policy.backoff.nanos(),
        remote.policy.jitter,
        tries,
        random::bits(),
        left.as_nanos() as u64,
    )?;
    remote.withdraw().then(|| Duration::from_nanos(wait))
}

/// A failed answer that is here already is read, which keeps its connection; else it is dropped.
fn discard(answer: Result<Response<Body>, Refusal>) {
    if let Ok(response) = answer {
        let _whole = response.into_body().bytes(MAX_DISCARDED_BYTES).now_or_never();
    }
}

/// The component is in this process: the same request, and a function call.
async fn call(
    router: axum::Router,
    request: &RequestContext,
    body: &RequestBody,
    deadline: Deadline,
) -> Result<Response<Body>, Refusal> {
    let attempt_headers = AttemptHeaders::new(deadline, clock::now(), 0, telemetry::current_trace());
    let body = body.lend().unwrap_or_default();
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

/// What is wrong with the request's body, as the client is told.
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
    }
}

impl Rejection {
    /// As JSON; `close` where the connection cannot be trusted any further.
    fn response(self, close: bool) -> Response<Body> {
        let mut response =
            refusal_response::encode(&Refusal::new(RefusalKind::BadRequest, self.code, self.message));
        *response.status_mut() = self.status;
        if close {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn status_only(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Counts a request that matched no route, under one label for all of them.
fn count_unrouted(head: &Parts, arrived: Instant, response: Response<Body>) -> Response<Body> {
    let metrics = ServerMetrics::of(ComponentName::GATEWAY, head.method.as_str(), names::UNMATCHED);
    metrics.record(response.status().as_u16(), clock::now() - arrived);
    response
}

/// Counts a request when its answer has ended; one that never got an answer, as given up.
struct RequestCount {
    metrics: Arc<ServerMetrics>,
    arrived: Instant,
    status: u16,
    _active: telemetry::metrics::ActiveRequestGuard,
}

impl RequestCount {
    fn begin(metrics: Arc<ServerMetrics>, arrived: Instant) -> Self {
        Self { arrived, status: CLIENT_CLOSED_REQUEST, _active: metrics.begin(), metrics }
    }
}

impl Drop for RequestCount {
    fn drop(&mut self) {
        self.metrics.record(self.status, clock::now() - self.arrived);
    }
}
