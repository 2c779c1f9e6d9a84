//! The registry's HTTP API: register, renew, drain, deregister, list, watch.
//!
//! | call | does |
//! |---|---|
//! | `PUT /v1/services/{s}/instances/{id}` | registers, idempotently: `{rev, ttl_ms, epoch}` |
//! | `POST /v1/services/{s}/instances/{id}/renew` `{epoch}` | renews one lease; 404 if the instance must register again |
//! | `POST /v1/renew` `{leases: [{service, id, epoch}]}` | renews many: `{rev, ttl_ms, registry, rejoin_ms, unknown: [..]}` |
//! | `POST /v1/services/{s}/instances/{id}/drain` `{epoch}` | excludes it from new requests |
//! | `DELETE /v1/services/{s}/instances/{id}?epoch=` | deregisters |
//! | `GET /v1/services?services=a,b` | the snapshot |
//! | `GET /v1/watch?services=a,b` | server-sent events: `snapshot`, then `delta`s |
//!
//! Mutating calls need `x-cleave-token`. Health and metrics belong to the
//! hosting process; this router can be merged into any other.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event as WatchEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use fault::active::RegistryAnswer;
use futures_util::stream::{self, Stream};
use runtime::timer;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

use crate::instance::{
    Announcement, Delta, Epoch, EventId, InstanceId, Key, RegistryEpoch, Revision, ServiceName, Snapshot,
    WatchFilter,
};
use crate::registry::{Registry, RegistryFault, Shared};
use crate::registry_state::{CatchUp, Command, CommandError};

/// Header that carries the run's token.
pub const TOKEN_HEADER: &str = "x-cleave-token";

/// A registration has some hundred bytes, a batch of renewals some thousand.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Response to a registration or renewal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseGrant {
    /// Current revision of the registry.
    pub rev: Revision,
    /// Remaining time of the lease, milliseconds.
    pub ttl_ms: u64,
    /// Epoch of the instance that holds it.
    pub epoch: Epoch,
}

/// A batch of leases to renew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewalRequest {
    /// Their holders.
    pub leases: Vec<LeaseHolder>,
}

/// The holder of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is described at `Instance`")]
pub struct LeaseHolder {
    pub service: ServiceName,
    pub id: InstanceId,
    pub epoch: Epoch,
}

/// Response to a batch of renewals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewalReply {
    /// Current revision of the registry.
    pub rev: Revision,
    /// Remaining time of the leases, milliseconds.
    pub ttl_ms: u64,
    /// Epoch of the registry.
    pub registry: RegistryEpoch,
    /// How long its watchers may still take to come back after its restart, milliseconds: what leaves before is registered as
    /// draining, and serves on, until then.
    #[serde(default)]
    pub rejoin_ms: u64,
    /// Instances that must register again.
    pub unknown: Vec<Key>,
}

impl Registry {
    /// Its HTTP API.
    pub fn router(&self) -> Router {
        router(self.shared.clone())
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let mutating = Router::new()
        .route("/v1/services/{service}/instances/{id}", put(register).delete(deregister))
        .route("/v1/services/{service}/instances/{id}/renew", post(renew))
        .route("/v1/services/{service}/instances/{id}/drain", post(drain))
        .route("/v1/renew", post(renew_many))
        .route_layer(middleware::from_fn_with_state(shared.clone(), require_token));
    Router::new()
        .merge(mutating)
        .route("/v1/services", get(list))
        .route("/v1/watch", get(watch_changes))
        .layer(middleware::from_fn_with_state(shared.clone(), inject_fault))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(shared)
}

/// An error response as JSON: `{"error":{"code","message"}}`.
struct ApiError(StatusCode, &'static str, String);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": { "code": self.1, "message": self.2 } }))).into_response()
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        let (status, code) = match error {
            CommandError::Superseded { .. } => (StatusCode::CONFLICT, "superseded"),
            CommandError::Unknown => (StatusCode::NOT_FOUND, "not_registered"),
        };
        Self(status, code, error.to_string())
    }
}

macro_rules! api_error_from {
    ($($rejection:ty => $code:literal),*) => {$(
        impl From<$rejection> for ApiError {
            fn from(rejection: $rejection) -> Self {
                Self(rejection.status(), $code, rejection.body_text())
            }
        }
    )*};
}
api_error_from!(JsonRejection => "body_invalid", PathRejection => "path_invalid", QueryRejection => "query_invalid");

async fn require_token(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if !transport::headers::has_token(request.headers(), &shared.options.token) {
        let message = format!("send the admin token as `{TOKEN_HEADER}`");
        return ApiError(StatusCode::UNAUTHORIZED, "token_required", message).into_response();
    }
    next.run(request).await
}

/// Responds with an error, or late, while a fault is injected.
async fn inject_fault(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mode = shared.fault_mode();
    if mode == Some(RegistryAnswer::Error) {
        let message = "error injected by a fault".to_owned();
        return ApiError(StatusCode::SERVICE_UNAVAILABLE, "fault_injected", message).into_response();
    }
    if let Some(RegistryAnswer::Slow(by)) = mode {
        timer::sleep(by).await;
    }
    next.run(request).await
}

type InstancePath = Result<Path<(ServiceName, InstanceId)>, PathRejection>;

#[derive(Deserialize)]
struct EpochBody {
    epoch: Epoch,
}

async fn register(
    State(shared): State<Arc<Shared>>,
    path: InstancePath,
    body: Result<Json<Announcement>, JsonRejection>,
) -> Result<Json<LeaseGrant>, ApiError> {
    let (Path((service, id)), Json(announcement)) = (path?, body?);
    if announcement.addr.port() == 0 || announcement.addr.ip().is_unspecified() {
        let message = format!(
            "invalid address `{}`: expected a specific IP address and a port above 0",
            announcement.addr
        );
        return Err(ApiError(StatusCode::UNPROCESSABLE_ENTITY, "addr_invalid", message));
    }
    let epoch = announcement.epoch;
    let at = shared.apply(Command::Register(announcement.of(service, id)))?;
    Ok(Json(shared.grant(at, epoch)))
}

async fn renew(
    State(shared): State<Arc<Shared>>,
    path: InstancePath,
    body: Result<Json<EpochBody>, JsonRejection>,
) -> Result<Json<LeaseGrant>, ApiError> {
    let (Path((service, id)), Json(EpochBody { epoch })) = (path?, body?);
    let at = shared.apply(Command::Renew(Key { service, id }, epoch))?;
    Ok(Json(shared.grant(at, epoch)))
}

async fn renew_many(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<RenewalRequest>, JsonRejection>,
) -> Result<Json<RenewalReply>, ApiError> {
    let Json(RenewalRequest { leases }) = body?;
    let mut unknown = Vec::new();
    for LeaseHolder { service, id, epoch } in leases {
        let key = Key { service, id };
        if shared.apply(Command::Renew(key.clone(), epoch)).is_err() {
            unknown.push(key);
        }
    }
    let at = *shared.changes().borrow();
    let (ttl_ms, rejoin_ms) = (shared.ttl_ms(), shared.rejoin_ms());
    Ok(Json(RenewalReply { rev: at.rev, ttl_ms, registry: at.registry, rejoin_ms, unknown }))
}

async fn drain(
    State(shared): State<Arc<Shared>>,
    path: InstancePath,
    body: Result<Json<EpochBody>, JsonRejection>,
) -> Result<Json<LeaseGrant>, ApiError> {
    let (Path((service, id)), Json(EpochBody { epoch })) = (path?, body?);
    let at = shared.apply(Command::Drain(Key { service, id }, epoch))?;
    Ok(Json(shared.grant(at, epoch)))
}

#[derive(Deserialize)]
struct EpochQuery {
    epoch: Option<Epoch>,
}

async fn deregister(
    State(shared): State<Arc<Shared>>,
    path: InstancePath,
    query: Result<Query<EpochQuery>, QueryRejection>,
) -> Result<StatusCode, ApiError> {
    let (Path((service, id)), Query(EpochQuery { epoch })) = (path?, query?);
    shared.apply(Command::Deregister(Key { service, id }, epoch))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct ServicesQuery {
    /// Comma-separated names; absent for all.
    services: Option<String>,
}

impl ServicesQuery {
    fn watched(self) -> Result<WatchFilter, ApiError> {
        let Some(names) = self.services else { return Ok(WatchFilter::All) };
        let names: Result<Vec<_>, _> = names.split(',').map(ServiceName::new).collect();
        names
            .map(WatchFilter::Only)
            .map_err(|error| ApiError(StatusCode::BAD_REQUEST, "query_invalid", error.to_string()))
    }
}

async fn list(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ServicesQuery>, QueryRejection>,
) -> Result<Json<Snapshot>, ApiError> {
    let watched = query?.0.watched()?;
    Ok(Json(shared.falsified_snapshot(&watched).unwrap_or_else(|| shared.snapshot(&watched))))
}

async fn watch_changes(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ServicesQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let watched = query?.0.watched()?;
    let seen = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let heartbeat = KeepAlive::new().interval(shared.options.heartbeat_interval);
    let events = Sse::new(watch_stream(shared, watched, seen)).keep_alive(heartbeat);
    Ok(([(header::CACHE_CONTROL, "no-store")], events).into_response())
}

/// One watch: its position and unsent events. It reads the log of deltas at its own pace; if it falls
/// too far behind, it gets a new snapshot.
struct WatchStream {
    shared: Arc<Shared>,
    watched: WatchFilter,
    seen: Option<EventId>,
    changes: watch::Receiver<EventId>,
    closed: watch::Receiver<bool>,
    injected: watch::Receiver<Option<RegistryFault>>,
    unsent: VecDeque<WatchEvent>,
}

fn watch_stream(
    shared: Arc<Shared>,
    watched: WatchFilter,
    seen: Option<EventId>,
) -> impl Stream<Item = Result<WatchEvent, Infallible>> {
    let mut changes = shared.changes();
    changes.mark_changed();
    let (closed, mut injected) = (shared.closed(), shared.injected());
    if injected.borrow().is_some() {
        injected.mark_changed();
    }
    let stream = WatchStream { shared, watched, seen, changes, closed, injected, unsent: VecDeque::new() };
    stream::unfold(stream, |mut stream| async move {
        let event = stream.next().await?;
        Some((Ok(event), stream))
    })
}

impl WatchStream {
    async fn next(&mut self) -> Option<WatchEvent> {
        loop {
            if let Some(event) = self.unsent.pop_front() {
                return Some(event);
            }
            tokio::select! {
                _ = self.closed.wait_for(|closed| *closed) => return None,
                changed = self.injected.changed() => {
                    changed.ok()?;
                    let mode = self.injected.borrow_and_update().as_ref().map(|fault| fault.mode);
                    match mode {
                        Some(RegistryAnswer::Error) => return None,
                        // The watch continues from its position, with a delay.
                        Some(RegistryAnswer::Slow(_)) => continue,
                        _ => {}
                    }
                    // Start over with a snapshot, false while the fault lasts and true afterwards.
                    self.seen = None;
                    self.changes.mark_changed();
                    let Some(snapshot) = self.shared.falsified_snapshot(&self.watched) else { continue };
                    let at = *self.shared.changes().borrow();
                    self.unsent.push_back(event("snapshot", at, &snapshot));
                    continue;
                }
                changed = self.changes.changed() => changed.ok()?,
            }
            match self.shared.fault_mode() {
                Some(RegistryAnswer::Slow(by)) => timer::sleep(by).await,
                Some(_) => continue,
                None => {}
            }
            let (catch_up, at) = self.shared.since(self.seen, &self.watched);
            self.seen = Some(at);
            match catch_up {
                CatchUp::Snapshot(snapshot) => self.unsent.push_back(event("snapshot", at, &snapshot)),
                CatchUp::Deltas(deltas) => {
                    let to_event = |delta: &Delta| event("delta", EventId { rev: delta.rev, ..at }, delta);
                    self.unsent.extend(deltas.iter().map(to_event));
                }
            }
        }
    }
}

fn event<T: Serialize>(kind: &str, id: EventId, data: &T) -> WatchEvent {
    let data = serde_json::to_string(data).expect("the model is plain data");
    WatchEvent::default().event(kind).id(id.to_string()).data(data)
}

impl Shared {
    /// The injected fault, if any.
    fn fault_mode(&self) -> Option<RegistryAnswer> {
        self.injected().borrow().as_ref().map(|fault| fault.mode)
    }

    fn ttl_ms(&self) -> u64 {
        self.options.rules.lease_ns / 1_000_000
    }

    fn grant(&self, at: EventId, epoch: Epoch) -> LeaseGrant {
        LeaseGrant { rev: at.rev, ttl_ms: self.ttl_ms(), epoch }
    }
}
