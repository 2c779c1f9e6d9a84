//! A request to another process: HTTP/1.1 with JSON or postcard.

use std::sync::Arc;

use bytes::Bytes;
use contract::{Answer, Call, CallContext, Pending, Refusal, RefusalKind};
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use policy::retry::Idempotency;
use runtime::clock;
use runtime::cost::{self, Part};
use tokio::time::timeout_at;
use tracing::Instrument;

use crate::attempt::{self, AttemptError, NotSentReason};
use crate::cluster::Endpoint;
use crate::codec::Codec;
use crate::edge::{CallFailure, Edge, Progress};
use crate::stack::{CallFuture, Layer, OutboundCall, stack};
use crate::{Body, headers, refusal_response};

/// The version of messages that goes without saying.
pub(crate) const FIRST_SCHEMA: u32 = 1;
/// Largest reply, bytes.
const MAX_REPLY: u64 = 16 << 20;

/// Answers from another process, through the layers.
pub(crate) struct RemoteClient<C: Call> {
    edge: Arc<Edge>,
    stack: Arc<dyn Layer>,
    codec: Codec,
    uri: Uri,
    call: std::marker::PhantomData<fn(C)>,
}

impl<C: Call> RemoteClient<C> {
    pub fn new(edge: Arc<Edge>, codec: Codec) -> Self {
        let uri = format!("/call/{}", C::NAME).parse().expect("names of calls are plain");
        Self { stack: stack(&edge), edge, codec, uri, call: std::marker::PhantomData }
    }
}

impl<C: Call> Answer<C> for RemoteClient<C> {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: C) -> Pending<'a, C::Reply> {
        Box::pin(async move {
            let outbound = OutboundCall {
                name: C::NAME,
                uri: self.uri.clone(),
                idempotency: OutboundCall::idempotency::<C>(cx),
                cx: cx.called_by(self.edge.caller),
                codec: self.codec,
                body: self.codec.encode(&call),
                avoid: None,
                to: None,
            };
            let reply = match self.stack.send(outbound).await {
                Ok(reply) => reply,
                Err(failure) => {
                    let stead = self.edge.policy.fallback && failure.refusal.kind.is_failure();
                    let stead = stead.then(|| call.fallback()).flatten();
                    self.edge.metrics.fell_back(stead.is_some());
                    return stead.ok_or(failure.refusal);
                }
            };
            self.codec.decode(&reply).map_err(|why| {
                let message = format!("`{}` was answered with something else: {why}", C::NAME);
                Refusal::new(RefusalKind::Lost, "reply_unreadable", message)
            })
        })
    }
}

/// The innermost layer: one try at one endpoint.
pub(crate) struct HttpCarrier {
    edge: Arc<Edge>,
}

impl HttpCarrier {
    pub fn new(edge: Arc<Edge>) -> Self {
        Self { edge }
    }

    async fn exchange(
        &self,
        endpoint: &Arc<Endpoint>,
        outbound: &OutboundCall,
    ) -> Result<Bytes, CallFailure> {
        let until = outbound.cx.deadline.instant();
        let make = || self.request(endpoint, outbound);
        let again = || (outbound.idempotency == Idempotency::Idempotent).then(make);
        let response =
            attempt::send(endpoint, make(), until, again).await.map_err(|failed| failure(&failed))?;
        let (head, body) = response.into_parts();
        let body = timeout_at(until.into(), body.bytes(MAX_REPLY));
        let body = match cost::part(Part::Transport, body).await {
            Ok(Ok(body)) => body,
            Ok(Err(why)) => {
                let refusal = Refusal::new(RefusalKind::Lost, "reply_broken_off", why.to_string());
                return Err(CallFailure::new(refusal, Progress::ResponseStarted));
            }
            Err(_) => {
                return Err(CallFailure::new(AttemptError::TimedOut.refusal(), Progress::ResponseStarted));
            }
        };
        if head.status == StatusCode::OK {
            return Ok(body);
        }
        Err(CallFailure::new(refusal_response::decode(head.status, &head.headers, &body), Progress::Answered))
    }

    fn request(&self, endpoint: &Endpoint, outbound: &OutboundCall) -> Request<Body> {
        let mut request = Request::new(Body::full(outbound.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = outbound.uri.clone();
        let headers = request.headers_mut();
        headers.reserve(12);
        headers.insert(HOST, endpoint.host().clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(outbound.codec.content_type()));
        headers::write_context(&outbound.cx, clock::now(), headers);
        if !self.edge.policy.deadline {
            // The callee is told nothing of the caller's patience, and works on without it.
            headers.insert(headers::DEADLINE, HeaderValue::from(headers::MAX_DEADLINE.as_millis() as u64));
        }
        if self.edge.schema != FIRST_SCHEMA {
            headers.insert(headers::SCHEMA, HeaderValue::from(self.edge.schema));
        }
        if let Some(token) = &self.edge.token {
            headers.insert(headers::TOKEN, token.clone());
        }
        request
    }
}

impl Layer for HttpCarrier {
    fn send(&self, outbound: OutboundCall) -> CallFuture<'_> {
        Box::pin(async move {
            let settled = outbound.to.clone();
            let Some(endpoint) = settled.or_else(|| self.edge.pick(outbound.avoid.as_ref())) else {
                return Err(failure(&AttemptError::NotSent(NotSentReason::NoEndpoint(self.edge.callee))));
            };
            let addr = endpoint.host().to_str().unwrap_or_default();
            let resend = u32::from(outbound.cx.attempt);
            let span = telemetry::client_span("POST", outbound.uri.path(), self.edge.callee, addr, resend);
            let result = self.exchange(&endpoint, &outbound).instrument(span.clone()).await;
            telemetry::client_end(&span, result.as_ref().map_or_else(CallFailure::result, |_| Ok(200)));
            result.map_err(|failure| CallFailure { endpoint: Some(endpoint.clone()), ..failure })
        })
    }
}

fn failure(failed: &AttemptError) -> CallFailure {
    let kind = failed.kind();
    let progress = match failed {
        AttemptError::NotSent(_) => Progress::NotSent(kind),
        AttemptError::ConnectionLost(_) | AttemptError::TimedOut => Progress::Unanswered(kind),
    };
    CallFailure::new(failed.refusal(), progress)
}
