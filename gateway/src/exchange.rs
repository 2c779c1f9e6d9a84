//! A request and its response as the stack of an edge sees them: answers stream, and nothing is parsed.

use std::any::Any;
use std::borrow::Cow;
use std::time::Instant;

use contract::{Refusal, RefusalKind};
use fault::Corruption;
use futures_util::FutureExt;
use http::header::CONTENT_LENGTH;
use http::{Request, Response};
use tracing::Span;
use transport::edge::{CallFailure, Edge, Progress};
use transport::stack::{AttemptContext, Message, Outcome};
use transport::{Body, fault_injection, refusal_response};

use crate::request_body::RequestBody;
use crate::request_context::{AttemptHeaders, RequestContext};

/// A failed answer up to this long is read to its end, so that its connection can be kept.
const MAX_DISCARDED_BYTES: u64 = 16 * 1024;
/// An answer that a fault damages is read whole, up to this length.
const MAX_CORRUPTED_BYTES: u64 = 16 << 20;

/// A request on its way through the gateway, sent once or more often.
#[derive(Clone, Copy)]
pub(crate) struct Exchange<'a> {
    pub request: &'a RequestContext,
    pub body: &'a RequestBody,
}

impl Message for Exchange<'_> {
    type Reply = Response<Body>;

    fn route(&self) -> Cow<'_, str> {
        format!("{} {}", self.request.method, self.request.target.route.path).into()
    }

    fn method_and_path(&self) -> (&str, &str) {
        (self.request.method.as_str(), &self.request.target.route.path)
    }

    /// The server span of the request is that of its caller already; only the spans of
    /// faults need one of the edge to belong to.
    fn span(&self, edge: &Edge) -> Span {
        if edge.has_faults() {
            telemetry::call_span(&self.request.target.route.path, edge.callee(), "http")
        } else {
            Span::none()
        }
    }

    fn affinity(&self) -> u64 {
        self.request.affinity()
    }

    fn is_replayable(&self) -> bool {
        self.body.is_replayable()
    }

    fn is_unread(&self) -> bool {
        self.body.is_unread()
    }

    fn request(&self, attempt: &AttemptContext<'_>) -> Option<Request<Body>> {
        let headers = AttemptHeaders {
            deadline_ms: attempt.deadline_ms(),
            by_client: attempt.cx.deadline.is_chosen_by_client(),
            attempt: attempt.cx.attempt,
            trace: telemetry::current_trace(),
        };
        Some(self.request.request(self.body.lend()?, Some(attempt.endpoint.host()), &headers))
    }

    async fn reply(&self, response: Response<Body>, _until: Instant) -> Outcome<Self> {
        let status = response.status();
        if !status.is_server_error() {
            return Ok(response);
        }
        let kind = RefusalKind::from_status(status.as_u16());
        let mut refusal = Refusal::new(kind, "unexplained", "the component answered with a failure");
        refusal.is_shed = response.headers().contains_key(transport::headers::SHED);
        let failure = CallFailure::new(refusal, Progress::Answered(status.as_u16()));
        // It goes to the client as the component wrote it, unless another try does better.
        Err(CallFailure { reply: Some(Box::new(response)), ..failure })
    }

    fn status(reply: &Response<Body>) -> u16 {
        reply.status().as_u16()
    }

    fn guarded(reply: Response<Body>, guard: impl Any + Send) -> Response<Body> {
        reply.map(|body| body.guarded(guard))
    }

    /// A failed answer that is here already is read, which keeps its connection; else it is dropped.
    fn discard(reply: Response<Body>) {
        let _whole = reply.into_body().bytes(MAX_DISCARDED_BYTES).now_or_never();
    }

    async fn corrupt(reply: Response<Body>, how: Corruption) -> Outcome<Self> {
        let (mut head, body) = reply.into_parts();
        let body = body.bytes(MAX_CORRUPTED_BYTES).await.map_err(|why| {
            let refusal = Refusal::new(RefusalKind::Lost, "reply_broken_off", why.to_string());
            CallFailure::new(refusal, Progress::ResponseStarted)
        })?;
        head.headers.remove(CONTENT_LENGTH);
        Ok(Response::from_parts(head, Body::full(fault_injection::corrupt(how, &body))))
    }
}

/// What a client gets for a request that failed: the component's own answer where there is one.
pub(crate) fn failed_response(failure: CallFailure<Response<Body>>) -> Response<Body> {
    match failure.reply {
        Some(response) => *response,
        None => refusal_response::encode(&failure.refusal),
    }
}
