//! `POST /call/{name}`: where remote calls arrive.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::post;
use bytes::Bytes;
use contract::{CallContext, Refusal, RefusalKind};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response};
use runtime::cost::{self, Part};
use runtime::{clock, scope};
use telemetry::{Origin, ServerOutcome};
use tracing::Instrument;

use crate::call_route::CallRoute;
use crate::call_router::{CallRouter, RouterState};
use crate::codec::Codec;
use crate::server_layer::work;
use crate::{Body, BodyError, headers, refusal_response};

/// Largest call, bytes. Photos do not travel by call.
const MAX_CALL: u64 = 8 << 20;

impl CallRouter {
    /// `POST /call/{name}` for everything answered here. Needs the run's token.
    pub fn router(&self) -> Router {
        Router::new().route("/call/{name}", post(call)).with_state(self.0.clone())
    }
}

async fn call(State(router_state): State<Arc<RouterState>>, request: Request) -> Response<axum::body::Body> {
    let started = clock::now();
    let (head, body) = request.into_parts();
    let response = match open(&router_state, &head) {
        Err(refusal) => refusal_response::encode(&refusal),
        Ok(entry) => {
            let path = head.uri.path();
            let trace = headers::trace(&head.headers);
            let version = headers::protocol_version(head.version);
            let _active = entry.metrics.begin();
            let span = scope::enter(entry.component, || {
                telemetry::server_span("POST", &entry.route, path, version, trace, Origin::Suite)
            });
            let response = answer(&router_state, &entry, &head, body.into()).instrument(span.clone()).await;
            // An edge's own timeout is no deadline of the client's: a callee that is too slow for it has failed.
            let outcome = ServerOutcome::of(response.status().as_u16())
                .excused_if_late(|| headers::is_deadline_of_client(&head.headers));
            telemetry::server_end(&span, outcome);
            entry.metrics.record(outcome, clock::now() - started);
            response
        }
    };
    response.map(Into::into)
}

/// Only with the run's token; a call that is not answered here is refused as not found.
fn open(router_state: &RouterState, head: &Parts) -> Result<Arc<CallRoute>, Refusal> {
    if !headers::has_token(&head.headers, &router_state.options.token) {
        let message = "calls between components carry the admin token";
        return Err(Refusal::new(RefusalKind::Unauthenticated, "run_token_required", message));
    }
    let (spoken, understood) = (headers::schema(&head.headers), router_state.options.schema);
    if spoken != understood {
        let message = format!("messages of version {spoken} are not understood here, only {understood}");
        return Err(Refusal::bad_request("schema_unknown", message));
    }
    let name = head.uri.path().strip_prefix("/call/").unwrap_or_default();
    router_state.entry(name).ok_or_else(|| Refusal::not_found("call"))
}

async fn answer(
    router_state: &Arc<RouterState>,
    entry: &Arc<CallRoute>,
    head: &Parts,
    body: Body,
) -> Response<Body> {
    let (cx, codec, body) = match read(entry, head, body).await {
        Ok(read) => read,
        Err(refusal) => return refusal_response::encode(&refusal),
    };
    let caller = cx.from;
    let asked = {
        let entry = entry.clone();
        async move { cost::part(Part::Business, entry.raw_handler.handle_raw(&cx, codec, body)).await }
    };
    match work(Some(router_state), entry.component, caller, asked, is_work).await {
        Ok(bytes) => {
            let mut response = Response::new(Body::full(bytes));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(codec.content_type()));
            response
        }
        Err(refusal) => refusal_response::encode(&refusal),
    }
}

/// A call that was turned away before its work is not finished work.
fn is_work(output: &Result<Bytes, Refusal>) -> bool {
    output.as_ref().err().is_none_or(|refusal| {
        !matches!(refusal.kind, RefusalKind::Unavailable | RefusalKind::DeadlineExceeded)
    })
}

/// The deadline is looked at first: a late call's body is not worth reading.
async fn read(entry: &CallRoute, head: &Parts, body: Body) -> Result<(CallContext, Codec, Bytes), Refusal> {
    let deadline = headers::deadline(&head.headers, clock::now()).ok_or_else(|| {
        telemetry::deadline_refused(entry.component);
        Refusal::too_late()
    })?;
    let codec = head.headers.get(CONTENT_TYPE).and_then(Codec::read_content_type).ok_or_else(|| {
        let message = "send application/json or application/x-postcard";
        Refusal::new(RefusalKind::Unsupported, "encoding_unknown", message)
    })?;
    let body = body.bytes(MAX_CALL).await.map_err(|why| match why {
        BodyError::TooLarge(limit) => {
            Refusal::new(RefusalKind::TooLarge, "call_too_large", format!("a call is at most {limit} bytes"))
        }
        other => Refusal::bad_request("call_broken_off", other.to_string()),
    })?;
    Ok((headers::call_context(&head.headers, deadline), codec, body))
}
