//! What stands before a component's public routes: span, metrics, scope, deadline, faults.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use contract::hash::fnv1a64_with;
use contract::{ComponentName, Deadline, Refusal};
use http::HeaderMap;
use runtime::cost::{self, Operation, Part};
use runtime::{ShutdownPolicy, clock, scope};
use telemetry::{ServerMetrics, ServerOutcome};
use tower::{Layer, Service};
use tracing::Instrument;

use crate::call_router::{CallRouter, RouterState};
use crate::{headers, refusal_response};

/// A layer without faults and detached work: spans, metrics, deadline and cost
/// only. A node uses [`crate::CallRouter::server_layer`].
pub fn layer(component: ComponentName) -> ServerLayer {
    ServerLayer { component, router_state: None }
}

/// The layer around a component's public routes. Put it on the router with
/// `layer`, so that it sees which route matched.
#[derive(Clone)]
pub struct ServerLayer {
    component: ComponentName,
    router_state: Option<Arc<RouterState>>,
}

impl CallRouter {
    /// What a component's public routes stand behind: [`ServerLayer`] with this
    /// process's faults and cancellation policies.
    pub fn server_layer(&self, component: ComponentName) -> ServerLayer {
        ServerLayer { component, router_state: Some(self.0.clone()) }
    }
}

impl ServerLayer {
    async fn pass<S>(self, service: S, request: Request) -> Response
    where
        S: Service<Request, Response = Response, Error = Infallible> + Send + 'static,
        S::Future: Send,
    {
        let started = clock::now();
        let matched = request.extensions().get::<MatchedPath>().cloned();
        // Never the raw path: labels must not grow with what clients send.
        let route = matched.as_ref().map_or(telemetry::names::UNMATCHED, MatchedPath::as_str);
        let method = request.method().clone();
        let version = headers::protocol_version(request.version());
        let (trace, origin) = (headers::trace(request.headers()), headers::origin(request.headers()));
        let path = request.uri().path();
        let span = scope::enter(self.component, || {
            telemetry::server_span(method.as_str(), route, path, version, trace, origin)
        });
        let metrics = ServerMetrics::of(self.component, method.as_str(), route);
        let _active = metrics.begin();
        let admitted = self.admit(request.headers());
        let is_time_of_client = match &admitted {
            Ok(deadline) => deadline.is_chosen_by_client(),
            Err(_) => headers::is_public_deadline_of_client(request.headers()),
        };
        let response = match admitted {
            Err(refusal) => refusal_response::encode(&refusal).map(Into::into),
            Ok(deadline) => {
                self.work(service, request, route, metrics.operation, deadline).instrument(span.clone()).await
            }
        };
        let outcome = ServerOutcome::of(response.status().as_u16()).excused_if_late(|| is_time_of_client);
        telemetry::server_end(&span, outcome);
        metrics.record(outcome, clock::now() - started);
        response
    }

    /// The deadline of a request. Late ones are refused before any work.
    fn admit(&self, headers: &HeaderMap) -> Result<Deadline, Refusal> {
        headers::public_deadline(headers, clock::now()).ok_or_else(|| {
            telemetry::deadline_refused(self.component);
            Refusal::too_late()
        })
    }

    /// A place, the component's faults, then its work: all of it goes on in a task
    /// of its own where the edge detaches.
    async fn work<S>(
        &self,
        mut service: S,
        request: Request,
        route: &str,
        operation: &'static Operation,
        deadline: Deadline,
    ) -> Response
    where
        S: Service<Request, Response = Response, Error = Infallible> + Send + 'static,
        S::Future: Send,
    {
        let caller = headers::public_caller(request.headers());
        let server_stack =
            self.router_state.as_ref().map(|router_state| router_state.server_stack(self.component));
        let server_stack = server_stack.filter(|server_stack| !server_stack.is_clear());
        let route = server_stack.as_ref().map(|_| format!("{} {route}", request.method()));
        let handled = async move {
            let admitted = match server_stack.zip(route) {
                Some((server_stack, route)) => {
                    let (cx, key) = (headers::public_context(request.headers()), key_of(&request));
                    match server_stack.admit(&route, &cx, || key).await {
                        Ok(admitted) => Some(admitted),
                        Err(refusal) => return refusal_response::encode(&refusal).map(Into::into),
                    }
                }
                None => None,
            };
            let Ok(()) = std::future::poll_fn(|cx| service.poll_ready(cx)).await;
            let Ok(response) = cost::part(Part::Business, service.call(request)).await;
            if let Some(admitted) = admitted {
                admitted.finish().await;
            }
            response
        };
        let handled = scope::serving(operation, handled).until(deadline.instant());
        work(self.router_state.as_ref(), self.component, caller, handled, is_work).await
    }
}

/// Does a component's work in its scope. Where the edge says `detach`, the work
/// is a task of its own and goes on when the caller leaves; otherwise it is
/// dropped together with the caller's connection.
pub(crate) async fn work<T, F>(
    router_state: Option<&Arc<RouterState>>,
    component: ComponentName,
    caller: ComponentName,
    work: F,
    is_work: fn(&T) -> bool,
) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let work = scope::within(component, work);
    match router_state {
        Some(router_state) if router_state.detaches(caller, component) => {
            let waited_for = Arc::new(());
            let waiting = Arc::downgrade(&waited_for);
            let task = router_state.detached.spawn("transport.detached", ShutdownPolicy::Drain, async move {
                let output = work.await;
                if is_work(&output) {
                    telemetry::work_done(component, waiting.strong_count() == 0);
                }
                output
            });
            let result = task.await;
            // Gone with this future when the caller leaves first.
            drop(waited_for);
            match result {
                Ok(Some(output)) => output,
                // Work that finishes is never dropped; only the runtime's end does that.
                Ok(None) => std::future::pending().await,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => std::future::pending().await,
                },
            }
        }
        _ => {
            let output = work.await;
            if is_work(&output) {
                telemetry::work_done(component, false);
            }
            output
        }
    }
}

/// What a request asks for, as a cache would know it.
fn key_of(request: &Request) -> u64 {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    fnv1a64_with(path.as_bytes(), fnv1a64_with(request.method().as_str().as_bytes(), 0))
}

/// A call that was turned away before its work is not finished work.
fn is_work(response: &Response) -> bool {
    !matches!(response.status().as_u16(), 503 | 504)
}

impl<S> Layer<S> for ServerLayer {
    type Service = ServerLayerService<S>;

    fn layer(&self, service: S) -> ServerLayerService<S> {
        ServerLayerService { server_layer: self.clone(), service }
    }
}

/// A service behind a [`ServerLayer`].
#[derive(Clone)]
pub struct ServerLayerService<S> {
    server_layer: ServerLayer,
    service: S,
}

impl<S> Service<Request> for ServerLayerService<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (server_layer, service) = (self.server_layer.clone(), self.service.clone());
        Box::pin(async move { Ok(server_layer.pass(service, request).await) })
    }
}
