//! The registry's HTTP API: announce, renew, drain, leave, list, watch.
//!
//! | call | does |
//! |---|---|
//! | `PUT /v1/services/{s}/instances/{id}` | registers, idempotently: `{rev, ttl_ms, epoch}` |
//! | `POST /v1/services/{s}/instances/{id}/renew` `{epoch}` | renews one lease; 404 asks to register again |
//! | `POST /v1/renew` `{leases: [{service, id, epoch}]}` | renews many: `{rev, ttl_ms, unknown: [..]}` |
//! | `POST /v1/services/{s}/instances/{id}/drain` `{epoch}` | no new picks |
//! | `DELETE /v1/services/{s}/instances/{id}?epoch=` | removes |
//! | `GET /v1/services?services=a,b` | the snapshot |
//! | `GET /v1/watch?services=a,b` | server-sent events: `snapshot`, then `delta`s |
//!
//! Mutating calls need `x-cleave-token`. Health and metrics are the host's: this
//! router can be merged into any other.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use fault::active::RegistryAnswer;
use futures_util::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

use crate::model::{
    Announcement, Delta, Epoch, EventId, InstanceId, Key, RegistryEpoch, Rev, ServiceName, Snapshot, Watched,
};
use crate::registry::{Ailment, Shared};
use crate::store::{CatchUp, Cmd, Refused};

/// The header that carries the run's token.
pub const TOKEN: &str = "x-cleave-token";

/// An announcement is some hundred bytes, a batch of renewals some thousand.
const BODY_MAX: usize = 64 * 1024;

/// The answer to a registration or renewal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leased {
    /// Where the registry's history stands.
    pub rev: Rev,
    /// How long the lease lasts from now, milliseconds.
    pub ttl_ms: u64,
    /// The epoch that holds it.
    pub epoch: Epoch,
}

/// Leases to renew together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewals {
    /// Who holds them.
    pub leases: Vec<Holder>,
}

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is described at `Instance`")]
pub struct Holder {
    pub service: ServiceName,
    pub id: InstanceId,
    pub epoch: Epoch,
}

/// The answer to a batch of renewals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// Where the registry's history stands.
    pub rev: Rev,
    /// How long the leases last from now, milliseconds.
    pub ttl_ms: u64,
    /// Which life of the registry answers.
    pub registry: RegistryEpoch,
    /// Those that must register again.
    pub unknown: Vec<Key>,
}

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let mutating = Router::new()
        .route("/v1/services/{service}/instances/{id}", put(register).delete(deregister))
        .route("/v1/services/{service}/instances/{id}/renew", post(renew))
        .route("/v1/services/{service}/instances/{id}/drain", post(drain))
        .route("/v1/renew", post(renew_many))
        .route_layer(middleware::from_fn_with_state(shared.clone(), token));
    Router::new()
        .merge(mutating)
        .route("/v1/services", get(list))
        .route("/v1/watch", get(watch_changes))
        .layer(middleware::from_fn_with_state(shared.clone(), ailing))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(shared)
}

/// A refusal as JSON: `{"error":{"code","message"}}`.
struct Refusal(StatusCode, &'static str, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": { "code": self.1, "message": self.2 } }))).into_response()
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let (status, code) = match refused {
            Refused::Superseded { .. } => (StatusCode::CONFLICT, "superseded"),
            Refused::Unknown => (StatusCode::NOT_FOUND, "not_registered"),
        };
        Self(status, code, refused.to_string())
    }
}

macro_rules! refusal_of {
    ($($rejection:ty => $code:literal),*) => {$(
        impl From<$rejection> for Refusal {
            fn from(rejection: $rejection) -> Self {
                Self(rejection.status(), $code, rejection.body_text())
            }
        }
    )*};
}
refusal_of!(JsonRejection => "body_invalid", PathRejection => "path_invalid", QueryRejection => "query_invalid");

async fn token(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(TOKEN).map_or(&b""[..], |value| value.as_bytes());
    if !same(given, shared.options.token.as_bytes()) {
        let message = format!("send the run's token as `{TOKEN}`");
        return Refusal(StatusCode::UNAUTHORIZED, "token_required", message).into_response();
    }
    next.run(request).await
}

/// A registry that answers errors, or late, because a fault says so.
async fn ailing(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let how = shared.ails();
    if how == Some(RegistryAnswer::Error) {
        let message = "an injected fault answers instead".to_owned();
        return Refusal(StatusCode::SERVICE_UNAVAILABLE, "fault_injected", message).into_response();
    }
    if let Some(RegistryAnswer::Slow(by)) = how {
        tokio::time::sleep(by).await;
    }
    next.run(request).await
}

/// Compares without telling by its duration how much was right.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}

type Where = Result<Path<(ServiceName, InstanceId)>, PathRejection>;

#[derive(Deserialize)]
struct OfEpoch {
    epoch: Epoch,
}

async fn register(
    State(shared): State<Arc<Shared>>,
    place: Where,
    body: Result<Json<Announcement>, JsonRejection>,
) -> Result<Json<Leased>, Refusal> {
    let (Path((service, id)), Json(announcement)) = (place?, body?);
    if announcement.addr.port() == 0 || announcement.addr.ip().is_unspecified() {
        let message = format!("`{}` is nowhere to connect to; announce a real address", announcement.addr);
        return Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, "addr_invalid", message));
    }
    let epoch = announcement.epoch;
    let at = shared.apply(Cmd::Register(announcement.of(service, id)))?;
    Ok(Json(shared.leased(at, epoch)))
}

async fn renew(
    State(shared): State<Arc<Shared>>,
    place: Where,
    body: Result<Json<OfEpoch>, JsonRejection>,
) -> Result<Json<Leased>, Refusal> {
    let (Path((service, id)), Json(OfEpoch { epoch })) = (place?, body?);
    let at = shared.apply(Cmd::Renew(Key { service, id }, epoch))?;
    Ok(Json(shared.leased(at, epoch)))
}

async fn renew_many(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Renewals>, JsonRejection>,
) -> Result<Json<Renewed>, Refusal> {
    let Json(Renewals { leases }) = body?;
    let mut unknown = Vec::new();
    for Holder { service, id, epoch } in leases {
        let key = Key { service, id };
        if shared.apply(Cmd::Renew(key.clone(), epoch)).is_err() {
            unknown.push(key);
        }
    }
    let at = *shared.changes().borrow();
    Ok(Json(Renewed { rev: at.rev, ttl_ms: shared.ttl_ms(), registry: at.registry, unknown }))
}

async fn drain(
    State(shared): State<Arc<Shared>>,
    place: Where,
    body: Result<Json<OfEpoch>, JsonRejection>,
) -> Result<Json<Leased>, Refusal> {
    let (Path((service, id)), Json(OfEpoch { epoch })) = (place?, body?);
    let at = shared.apply(Cmd::Drain(Key { service, id }, epoch))?;
    Ok(Json(shared.leased(at, epoch)))
}

#[derive(Deserialize)]
struct WhichEpoch {
    epoch: Option<Epoch>,
}

async fn deregister(
    State(shared): State<Arc<Shared>>,
    place: Where,
    query: Result<Query<WhichEpoch>, QueryRejection>,
) -> Result<StatusCode, Refusal> {
    let (Path((service, id)), Query(WhichEpoch { epoch })) = (place?, query?);
    shared.apply(Cmd::Deregister(Key { service, id }, epoch))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Which {
    /// Comma-separated; absent for all.
    services: Option<String>,
}

impl Which {
    fn watched(self) -> Result<Watched, Refusal> {
        let Some(names) = self.services else { return Ok(Watched::All) };
        let names: Result<Vec<_>, _> = names.split(',').map(ServiceName::new).collect();
        names
            .map(Watched::These)
            .map_err(|error| Refusal(StatusCode::BAD_REQUEST, "query_invalid", error.to_string()))
    }
}

async fn list(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Snapshot>, Refusal> {
    let watched = query?.0.watched()?;
    Ok(Json(shared.misled(&watched).unwrap_or_else(|| shared.snapshot(&watched))))
}

async fn watch_changes(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<Which>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let watched = query?.0.watched()?;
    let seen = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let heartbeat = KeepAlive::new().interval(shared.options.heartbeat);
    let events = Sse::new(follow(shared, watched, seen)).keep_alive(heartbeat);
    Ok(([(header::CACHE_CONTROL, "no-store")], events).into_response())
}

/// One watcher: where it stands and what it has not been sent yet. It reads
/// the store's ring at its own pace; too slow, and it gets a new snapshot.
struct Follower {
    shared: Arc<Shared>,
    watched: Watched,
    seen: Option<EventId>,
    changes: watch::Receiver<EventId>,
    closed: watch::Receiver<bool>,
    ailing: watch::Receiver<Option<Ailment>>,
    unsent: VecDeque<SseEvent>,
}

fn follow(
    shared: Arc<Shared>,
    watched: Watched,
    seen: Option<EventId>,
) -> impl Stream<Item = Result<SseEvent, Infallible>> {
    let mut changes = shared.changes();
    changes.mark_changed();
    let (closed, mut ailing) = (shared.closed(), shared.ailing());
    if ailing.borrow().is_some() {
        ailing.mark_changed();
    }
    let follower = Follower { shared, watched, seen, changes, closed, ailing, unsent: VecDeque::new() };
    stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    })
}

impl Follower {
    async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(event) = self.unsent.pop_front() {
                return Some(event);
            }
            tokio::select! {
                _ = self.closed.wait_for(|closed| *closed) => return None,
                changed = self.ailing.changed() => {
                    changed.ok()?;
                    let how = self.ailing.borrow_and_update().as_ref().map(|ailment| ailment.how);
                    match how {
                        Some(RegistryAnswer::Error) => return None,
                        // It goes on from where it is, later.
                        Some(RegistryAnswer::Slow(_)) => continue,
                        _ => {}
                    }
                    // Told anew, wrongly or rightly; well again, it begins with a snapshot.
                    self.seen = None;
                    self.changes.mark_changed();
                    let Some(snapshot) = self.shared.misled(&self.watched) else { continue };
                    let at = *self.shared.changes().borrow();
                    self.unsent.push_back(event("snapshot", at, &snapshot));
                    continue;
                }
                changed = self.changes.changed() => changed.ok()?,
            }
            match self.shared.ails() {
                Some(RegistryAnswer::Slow(by)) => tokio::time::sleep(by).await,
                Some(_) => continue,
                None => {}
            }
            let (catch_up, at) = self.shared.since(self.seen, &self.watched);
            self.seen = Some(at);
            match catch_up {
                CatchUp::Snapshot(snapshot) => self.unsent.push_back(event("snapshot", at, &snapshot)),
                CatchUp::Deltas(deltas) => {
                    let told = |delta: &Delta| event("delta", EventId { rev: delta.rev, ..at }, delta);
                    self.unsent.extend(deltas.iter().map(told));
                }
            }
        }
    }
}

fn event<T: Serialize>(kind: &str, id: EventId, data: &T) -> SseEvent {
    let data = serde_json::to_string(data).expect("the model is plain data");
    SseEvent::default().event(kind).id(id.to_string()).data(data)
}

impl Shared {
    /// How it ails, if it does.
    fn ails(&self) -> Option<RegistryAnswer> {
        self.ailing().borrow().as_ref().map(|ailment| ailment.how)
    }

    fn ttl_ms(&self) -> u64 {
        self.options.rules.lease_ns / 1_000_000
    }

    fn leased(&self, at: EventId, epoch: Epoch) -> Leased {
        Leased { rev: at.rev, ttl_ms: self.ttl_ms(), epoch }
    }
}
