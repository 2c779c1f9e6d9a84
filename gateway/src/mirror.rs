//! Mirroring: a copy of a read goes to a component as well, and nothing waits for its answer.

use std::time::Duration;

use contract::Deadline;
use contract::hash::mix;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use runtime::{ShutdownPolicy, Tasks, clock};
use tokio::time::timeout_at;
use tower::ServiceExt;
use transport::{Body, attempt, headers};

use crate::backend::{Backend, Location};
use crate::request_body::RequestBody;
use crate::request_context::{AttemptHeaders, RequestContext};
use crate::table::MirrorTarget;

/// An answer is read so far, bytes, so that its connection can be kept, and broken off there.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

/// Sends a copy of a request that is among those to be copied, in a task of its own; none where as many are under way as may
/// be, or where it has a body, whose room is given back with the request. The same request is copied in every run.
pub(crate) fn send_copy(target: &MirrorTarget, tasks: &Tasks, request: &RequestContext, body: &RequestBody) {
    if mix(request.request) % 100 >= u64::from(target.options.percent) || !body.is_empty() {
        return;
    }
    let name = target.backend.name;
    let Ok(permit) = target.room.clone().try_acquire_owned() else {
        return telemetry::mirrored(name, "dropped");
    };
    // Not the client's: where one soon stops waiting, the endpoint of its copy has not failed.
    let limit = Duration::from_millis(request.target.route.deadline_ms);
    let deadline = Deadline::after(clock::now(), limit);
    let Some(sending) = send(&target.backend, request, deadline) else {
        return telemetry::mirrored(name, "no_endpoint");
    };
    tasks.spawn_unspanned("gateway.mirror", ShutdownPolicy::Cancel, async move {
        let _permit = permit;
        let answer = async { sending.await?.into_body().bytes(MAX_ANSWER_BYTES).await.ok() };
        let answered = timeout_at(deadline.instant().into(), answer).await;
        let outcome = if matches!(answered, Ok(Some(_))) { "answered" } else { "failed" };
        telemetry::mirrored(name, outcome);
    });
}

/// One try, without the policies of the edge: what fails here is no request's failure. `None` where there is no copy to ask.
fn send(
    backend: &Backend,
    request: &RequestContext,
    deadline: Deadline,
) -> Option<BoxFuture<'static, Option<Response<Body>>>> {
    let fields = AttemptHeaders::first(deadline, clock::now(), telemetry::current_trace());
    Some(match &backend.location {
        Location::Remote(stack) => {
            let endpoint = stack.edge().cluster().pick(None)?;
            let request = marked(request.request(Body::empty(), Some(endpoint.host()), &fields));
            let until = deadline.instant();
            async move { attempt::send(&endpoint, request, until, || None).await.ok() }.boxed()
        }
        Location::Local { router, .. } => {
            let request = marked(request.request(Body::empty(), None, &fields));
            let request = request.map(axum::body::Body::from);
            let router = router.clone();
            async move { Some(router.oneshot(request).await.ok()?.map(Body::from)) }.boxed()
        }
    })
}

/// Components see that no client waits for it.
fn marked(mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert(headers::MIRROR, HeaderValue::from_static("1"));
    request
}
