//! A call to a component in another process, encoded as JSON or postcard and sent through its edge's stack.

use std::any::Any;
use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use contract::hash::{fnv1a64, fnv1a64_with, mix};
use contract::{Answer, Call, CallContext, Carrier, Pending, Refusal, RefusalKind, Repeat};
use fault::Corruption;
use http::header::{CONTENT_TYPE, HOST};
use http::uri::{self, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use policy::retry::Idempotency;
use runtime::clock;
use runtime::cost::{self, Part};
use tokio::time::timeout_at;
use tracing::Span;

use crate::attempt::AttemptError;
use crate::cluster::Endpoint;
use crate::codec::Codec;
use crate::edge::{CallFailure, Edge, Progress};
use crate::stack::{AttemptContext, EdgeStack, Message, OutboundCall, Outcome};
use crate::{Body, fault_injection, headers, refusal_response};

/// The version of messages that goes without saying.
const FIRST_SCHEMA: u32 = 1;
/// Largest reply, bytes.
const MAX_REPLY: u64 = 16 << 20;

/// Answers from another process, through the layers of its edge.
pub(crate) struct RemoteClient<C: Call> {
    stack: EdgeStack,
    target: CallTarget,
    call: PhantomData<fn(C)>,
}

/// What all calls of one client have in common.
pub(crate) struct CallTarget {
    /// Name of the call.
    name: &'static str,
    /// `/call/{NAME}`.
    uri: Uri,
    /// One that leaves the process.
    carrier: Carrier,
    codec: Codec,
    /// The run's token.
    token: Option<HeaderValue>,
    /// Version of the messages spoken here.
    schema: u32,
}

impl CallTarget {
    /// Of calls of one type.
    pub fn of<C: Call>(carrier: Carrier, token: &str, schema: u32) -> Self {
        let carrier = match carrier {
            Carrier::Local | Carrier::Wire | Carrier::Json => Carrier::Json,
            Carrier::Binary | Carrier::Http2Binary => carrier,
        };
        Self {
            name: C::NAME,
            uri: format!("/call/{}", C::NAME).parse().expect("names of calls are plain"),
            carrier,
            codec: Codec::of(carrier),
            token: HeaderValue::from_str(token).ok(),
            schema,
        }
    }
}

impl CallTarget {
    /// Where it is at an endpoint, as HTTP/2 has it.
    fn uri_at(&self, endpoint: &Endpoint) -> Uri {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(endpoint.authority().clone());
        parts.path_and_query = self.uri.path_and_query().cloned();
        Uri::from_parts(parts).expect("all three are there")
    }
}

/// Keeps what differs from call to call out of the table of headers that a connection keeps on both sides: there it would
/// take the place of what all calls have in common (RFC 7541, section 6.2.2). h2 cannot be asked for that; it sends what is
/// sensitive as section 6.2.3 has it, with the same effect here.
fn mark_passing(headers: &mut HeaderMap) {
    let is_common = |name: &HeaderName| {
        *name == CONTENT_TYPE
            || *name == headers::CALLER
            || *name == headers::TOKEN
            || *name == headers::SCHEMA
    };
    for (name, value) in headers.iter_mut() {
        value.set_sensitive(!is_common(name));
    }
}

/// A call, encoded once however often it is tried.
#[derive(Clone)]
struct EncodedCall<'a> {
    target: &'a CallTarget,
    body: Bytes,
}

impl<C: Call> RemoteClient<C> {
    pub fn new(edge: Arc<Edge>, target: CallTarget) -> Self {
        Self { stack: EdgeStack::new(edge), target, call: PhantomData }
    }
}

/// What repeating `C` may do, given the context it is made in.
fn idempotency<C: Call>(cx: &CallContext) -> Idempotency {
    match C::REPEAT {
        Repeat::Safe => Idempotency::Idempotent,
        Repeat::Keyed if cx.key.is_some() => Idempotency::Idempotent,
        Repeat::Keyed | Repeat::Never => Idempotency::NotIdempotent,
    }
}

impl<C: Call> Answer<C> for RemoteClient<C> {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: C) -> Pending<'a, C::Reply> {
        Box::pin(async move {
            let edge = self.stack.edge();
            let message = EncodedCall { target: &self.target, body: self.target.codec.encode(&call) };
            let outbound = OutboundCall::new(cx.called_by(edge.caller), idempotency::<C>(cx), message);
            // What policies and tries take is the way there: a call within the process has none of it.
            let reply = match cost::part(Part::Transport, self.stack.send(outbound)).await {
                Ok(reply) => reply,
                Err(failure) => {
                    let stead = edge.policy.fallback && failure.refusal.kind.is_failure();
                    let stead = stead.then(|| call.fallback()).flatten();
                    edge.metrics.fell_back(stead.is_some());
                    return stead.ok_or(failure.refusal);
                }
            };
            self.target.codec.decode(&reply).map_err(|why| {
                let message = format!("`{}` was answered with something else: {why}", C::NAME);
                Refusal::new(RefusalKind::Lost, "reply_unreadable", message)
            })
        })
    }
}

impl Message for EncodedCall<'_> {
    type Reply = Bytes;

    fn route(&self) -> Cow<'_, str> {
        self.target.name.into()
    }

    fn method_and_path(&self) -> (&str, &str) {
        ("POST", self.target.uri.path())
    }

    fn span(&self, edge: &Edge) -> Span {
        telemetry::call_span(self.target.name, edge.callee, self.target.carrier.as_str())
    }

    fn affinity(&self) -> u64 {
        mix(fnv1a64_with(&self.body, fnv1a64(self.target.name.as_bytes())))
    }

    fn is_replayable(&self) -> bool {
        true
    }

    fn is_multiplexed(&self) -> bool {
        self.target.carrier == Carrier::Http2Binary
    }

    fn is_unread(&self) -> bool {
        true
    }

    fn request(&self, attempt: &AttemptContext<'_>) -> Option<Request<Body>> {
        let mut request = Request::new(Body::full(self.body.clone()));
        *request.method_mut() = Method::POST;
        let is_multiplexed = self.is_multiplexed();
        if is_multiplexed {
            *request.uri_mut() = self.target.uri_at(attempt.endpoint);
            *request.version_mut() = Version::HTTP_2;
        } else {
            *request.uri_mut() = self.target.uri.clone();
        }
        let headers = request.headers_mut();
        headers.reserve(12);
        if !is_multiplexed {
            headers.insert(HOST, attempt.endpoint.host().clone());
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.target.codec.content_type()));
        headers::write_context(attempt.cx, clock::now(), headers);
        headers.insert(headers::DEADLINE, HeaderValue::from(attempt.deadline_ms()));
        if self.target.schema != FIRST_SCHEMA {
            headers.insert(headers::SCHEMA, HeaderValue::from(self.target.schema));
        }
        if let Some(token) = &self.target.token {
            headers.insert(headers::TOKEN, token.clone());
        }
        if is_multiplexed {
            mark_passing(headers);
        }
        Some(request)
    }

    async fn reply(&self, response: Response<Body>, until: Instant) -> Outcome<Self> {
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
        let refusal = refusal_response::decode(head.status, &head.headers, &body);
        let status = refusal.kind.status();
        Err(CallFailure::new(refusal, Progress::Answered(status)))
    }

    fn status(_: &Bytes) -> u16 {
        StatusCode::OK.as_u16()
    }

    /// All of the reply is here: nothing is to be kept for it.
    fn guarded(reply: Bytes, _guard: impl Any + Send) -> Bytes {
        reply
    }

    fn discard(_: Bytes) {}

    async fn corrupt(reply: Bytes, how: Corruption) -> Outcome<Self> {
        Ok(fault_injection::corrupt(how, &reply))
    }
}
