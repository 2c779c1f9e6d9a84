//! One try at one endpoint: what was sent, what came back, and what the endpoint learns from it.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use contract::{CallContext, Deadline, Refusal, RefusalKind};
use http::header::HOST;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use runtime::clock;
use runtime::cost::{self, Part};
use tokio::time::timeout_at;

use crate::body::is_long;
use crate::cluster::{Cluster, Endpoint, InFlight};
use crate::pool::PooledConnection;
use crate::{Body, headers, refusal_response};

pub use crate::attempt_error::{AttemptError, NotSentReason};

/// A response's body may be silent this long.
pub(crate) const BODY_IDLE: Duration = Duration::from_secs(10);
/// Largest answer of [`get`], bytes.
const MAX_ANSWER: u64 = 16 << 20;

/// How many tries of a request have gone out: what is handed to a connection, an endpoint may have seen. An extension of the
/// request, whose clones count together.
#[derive(Clone, Debug, Default)]
pub struct SentTries(Arc<AtomicUsize>);

impl SentTries {
    /// So many until now.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// One more goes out.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// It has come back whole, and no endpoint has seen it.
    fn take_back(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Sends `request` to `endpoint` and waits for the head of its response until
/// `until`. The endpoint counts as in use until the response's body has ended.
///
/// A kept connection may have been closed by the other side in the meantime. What
/// was not taken is sent again at once, on a new connection and without charge to
/// any budget; what may have been taken only if `again` makes the
/// request anew, which callers allow for what may be repeated.
///
/// # Errors
/// When there is no response; the endpoint's load has recorded it.
pub async fn send(
    endpoint: &Arc<Endpoint>,
    request: Request<Body>,
    until: Instant,
    again: impl FnOnce() -> Option<Request<Body>>,
) -> Result<Response<Body>, AttemptError> {
    let (deadline, sure) = (Deadline::after(until, Duration::ZERO), !request.method().is_idempotent());
    send_in_flight(endpoint.begin_request(clock::now()), endpoint, request, deadline, sure, again).await
}

/// [`send`], with its arguments spelled out: who chose the deadline, and `sure` where a request must not
/// meet a connection that has been closed.
pub(crate) async fn send_in_flight(
    flight: InFlight,
    endpoint: &Endpoint,
    request: Request<Body>,
    deadline: Deadline,
    sure: bool,
    again: impl FnOnce() -> Option<Request<Body>>,
) -> Result<Response<Body>, AttemptError> {
    observe(flight, deadline, exchange(endpoint, request, deadline.instant(), sure, again)).await
}

/// What comes of an exchange: the endpoint learns from it, and counts as in use until the response's body has ended.
pub(crate) async fn observe(
    flight: InFlight,
    deadline: Deadline,
    exchange: impl Future<Output = Result<Response<Body>, AttemptError>>,
) -> Result<Response<Body>, AttemptError> {
    match cost::part(Part::Transport, exchange).await {
        Ok(response) => {
            let (head, body) = response.into_parts();
            flight.on_response(&head, deadline);
            Ok(Response::from_parts(head, body.guarded(flight)))
        }
        Err(failed) => {
            flight.on_failure(&failed, deadline);
            Err(failed)
        }
    }
}

async fn exchange(
    endpoint: &Endpoint,
    mut request: Request<Body>,
    until: Instant,
    sure: bool,
    again: impl FnOnce() -> Option<Request<Body>>,
) -> Result<Response<Body>, AttemptError> {
    let mut again = Some(again);
    loop {
        // One free retry; it must not meet another connection of the same age.
        let fresh = again.is_none();
        let checkout = if fresh {
            endpoint.pool.connect_new(until).await
        } else {
            endpoint.pool.checkout(until, sure).await
        };
        let mut pooled = checkout.map_err(|why| AttemptError::NotSent(why.into()))?;
        if !endpoint.network.is_loopback() {
            before(until, endpoint.network.one_way()).await?;
            // On the way of the request the other side may have closed a kept connection.
            if sure && pooled.is_reused() && !pooled.is_alive(sure).await {
                let fresh = endpoint.pool.connect_new(until).await;
                pooled = fresh.map_err(|why| AttemptError::NotSent(why.into()))?;
            }
        }
        let sent = request.extensions().get::<SentTries>().cloned();
        if let Some(sent) = &sent {
            sent.add();
        }
        let mut error = match pooled.send(request, until).await.ok_or(AttemptError::TimedOut)? {
            Ok(response) => {
                // The connection goes with it: what follows on it may be anything.
                headers::check_framing(response.status(), response.headers())
                    .map_err(AttemptError::Malformed)?;
                if !endpoint.network.is_loopback() {
                    before(until, endpoint.network.one_way()).await?;
                }
                return attach(response, pooled, sure).await;
            }
            Err(_) if pooled.is_flooded() => {
                return Err(AttemptError::Malformed("it sends interim responses without end"));
            }
            Err(error) => error,
        };
        let message = error.take_message();
        if let Some(sent) = sent.filter(|_| message.is_some()) {
            sent.take_back();
        }
        let again = again.take().filter(|_| pooled.is_reused());
        request = match (message, again) {
            (Some(message), Some(_)) => message,
            (Some(_), None) => {
                return Err(AttemptError::NotSent(NotSentReason::Closed(error.into_error().into())));
            }
            (None, Some(again)) => {
                again().ok_or_else(|| AttemptError::ConnectionLost(error.into_error().into()))?
            }
            (None, None) => return Err(AttemptError::ConnectionLost(error.into_error().into())),
        };
    }
}

/// What comes of `waiting`, unless the time is over before.
async fn before<T>(until: Instant, waiting: impl Future<Output = T>) -> Result<T, AttemptError> {
    timeout_at(until.into(), waiting).await.map_err(|_| AttemptError::TimedOut)
}

/// The connection goes with the body; back to the pool at once if there is none. A long answer for which there is no room
/// is dropped, unless it is that of a request which `sure` must not be sent twice.
async fn attach(
    response: Response<Incoming>,
    mut pooled: PooledConnection,
    sure: bool,
) -> Result<Response<Body>, AttemptError> {
    let (head, incoming) = response.into_parts();
    if is_long(&incoming) && !pooled.begin_streaming() && !sure {
        return Err(AttemptError::StreamsBusy);
    }
    let mut body = Body::from_wire(incoming, pooled).idle_after(BODY_IDLE);
    poll_fn(|cx| {
        body.finish_if_empty(cx);
        Poll::Ready(())
    })
    .await;
    Ok(Response::from_parts(head, body))
}

/// `GET path` at whichever copy is best, with the run's token: for what runs
/// beside the calls, such as outboxes. One try; the caller has a loop anyway.
/// It may wait as long as it likes: the endpoint's latency is left alone.
///
/// # Errors
/// The callee's refusal, or why there was no answer.
pub async fn get(cluster: &Cluster, cx: &CallContext, path: &str, token: &str) -> Result<Bytes, Refusal> {
    let endpoint = cluster
        .pick(None)
        .ok_or_else(|| AttemptError::NotSent(NotSentReason::NoEndpoint(cluster.name())).refusal())?;
    let make = || {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = path.parse().ok()?;
        headers::write_context(cx, clock::now(), request.headers_mut());
        request.headers_mut().insert(headers::TOKEN, HeaderValue::from_str(token).ok()?);
        request.headers_mut().insert(HOST, endpoint.host().clone());
        Some(request)
    };
    let request = make().ok_or_else(|| Refusal::internal(format!("invalid path `{path}`")))?;
    let until = cx.deadline.instant();
    let flight = endpoint.begin_unmeasured();
    let response = send_in_flight(flight, &endpoint, request, cx.deadline, false, make)
        .await
        .map_err(|failed| failed.refusal())?;
    let (head, body) = response.into_parts();
    let bytes = timeout_at(until.into(), body.bytes(MAX_ANSWER))
        .await
        .map_err(|_| AttemptError::TimedOut.refusal())?;
    let bytes = bytes.map_err(|why| {
        Refusal::new(RefusalKind::Lost, "answer_broken_off", format!("`{}`: {why}", cluster.name()))
    })?;
    if head.status == StatusCode::OK {
        Ok(bytes)
    } else {
        Err(refusal_response::decode(head.status, &head.headers, &bytes))
    }
}
