//! The operator's side: what the gateway knows, and the few things to change, on a port of its own.
//!
//! | call | does |
//! |---|---|
//! | `GET /routes` | the table, its revision, and those one can go back to |
//! | `PUT /routes` | replaces the table; 422 lists every fault, and nothing changes |
//! | `POST /routes/rollback/{rev}` | makes an earlier table the newest |
//! | `GET /keys` | names of the API keys |
//! | `PUT /keys` | replaces all API keys; 422 lists every fault, and nothing changes |
//! | `GET /clusters` | endpoints with state, latency, requests in flight, ejections |
//! | `GET /breakers` | breaker, retry budget and adaptive limit by component |
//! | `GET /pools` | connections by endpoint |
//! | `POST /drain` | not ready from now on; clients are asked to go elsewhere |
//! | `GET /healthz`, `GET /readyz` | alive; wants requests |
//! | `GET /metrics` | Prometheus text |
//!
//! Changes need `x-cleave-token`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use policy::breaker;
use runtime::clock;
use serde::Deserialize;
use serde_json::{Value, json};
use telemetry::Telemetry;
use transport::edge::Edge;
use transport::headers;

use crate::backend::{Backend, Location};
use crate::config::RouteTable;
use crate::gateway::Gateway;

/// A table of a thousand routes is some hundred kilobytes.
const MAX_BODY_BYTES: usize = 1 << 20;

impl Gateway {
    /// The operator's side. `/metrics` is there if `telemetry` is.
    pub fn admin(&self, telemetry: Option<Arc<Telemetry>>) -> Router {
        let changes = Router::new()
            .route("/routes", axum::routing::put(replace))
            .route("/routes/rollback/{rev}", post(roll_back))
            .route("/keys", axum::routing::put(replace_keys))
            .route("/drain", post(drain))
            .route_layer(middleware::from_fn_with_state(self.clone(), token));
        let admin = Router::new()
            .route("/routes", get(routes))
            .route("/keys", get(keys))
            .route("/clusters", get(clusters))
            .route("/breakers", get(breakers))
            .route("/pools", get(pools))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(readyz))
            .merge(changes)
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(self.clone());
        match telemetry {
            Some(telemetry) => admin.merge(telemetry::router(telemetry)),
            None => admin,
        }
    }
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "error": { "code": code, "message": message } }))).into_response()
}

async fn token(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    if !headers::has_token(request.headers(), &gateway.0.options.token) {
        return error(StatusCode::UNAUTHORIZED, "token_required", "send the admin token as `x-cleave-token`");
    }
    next.run(request).await
}

async fn routes(State(gateway): State<Gateway>) -> Json<Value> {
    let table = gateway.table().load();
    Json(json!({ "rev": table.rev, "kept": gateway.table().revisions(), "routes": table.config.routes }))
}

async fn replace(State(gateway): State<Gateway>, body: Result<Json<RouteTable>, JsonRejection>) -> Response {
    let table = match body {
        Ok(Json(table)) => table,
        Err(rejection) => return error(rejection.status(), "table_unreadable", &rejection.body_text()),
    };
    match gateway.table().replace(table) {
        Ok(rev) => {
            tracing::info!(rev, "route table replaced");
            Json(json!({ "rev": rev })).into_response()
        }
        Err(errors) => {
            let message = format!("the table has {} errors; nothing has changed", errors.len());
            let body = json!({ "error": { "code": "table_invalid", "message": message }, "errors": errors });
            (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
        }
    }
}

async fn roll_back(State(gateway): State<Gateway>, Path(rev): Path<u64>) -> Response {
    match gateway.table().roll_back(rev) {
        Ok(now) => {
            tracing::info!(rev = now, of = rev, "route table rolled back");
            Json(json!({ "rev": now, "of": rev })).into_response()
        }
        Err(not_kept) => error(StatusCode::NOT_FOUND, "table_not_kept", &not_kept.to_string()),
    }
}

/// All API keys, by name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    keys: BTreeMap<String, String>,
}

/// Keys themselves are never shown.
async fn keys(State(gateway): State<Gateway>) -> Json<Value> {
    Json(json!({ "keys": gateway.0.api_keys.names() }))
}

async fn replace_keys(
    State(gateway): State<Gateway>,
    body: Result<Json<KeyTable>, JsonRejection>,
) -> Response {
    let keys = match body {
        Ok(Json(table)) => table.keys,
        Err(rejection) => return error(rejection.status(), "keys_unreadable", &rejection.body_text()),
    };
    match gateway.0.api_keys.replace(keys) {
        Ok(()) => {
            let names = gateway.0.api_keys.names();
            tracing::info!(keys = names.len(), "API keys replaced");
            Json(json!({ "keys": names })).into_response()
        }
        Err(errors) => {
            let message = format!("the keys have {} errors; nothing has changed", errors.len());
            let body = json!({ "error": { "code": "keys_invalid", "message": message }, "errors": errors });
            (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
        }
    }
}

async fn drain(State(gateway): State<Gateway>) -> Json<Value> {
    gateway.begin_drain();
    let (inside, waiting) = gateway.0.admission.counts();
    Json(json!({ "draining": true, "inside": inside, "waiting": waiting }))
}

async fn readyz(State(gateway): State<Gateway>) -> Response {
    if gateway.is_ready() {
        "ok\n".into_response()
    } else {
        error(StatusCode::SERVICE_UNAVAILABLE, "draining", "the gateway is draining")
    }
}

/// One JSON object per component behind a network, in order of name.
fn by_component(gateway: &Gateway, describe: impl Fn(&Edge) -> Value) -> Json<Value> {
    let describe = |backend: &Arc<Backend>| match &backend.location {
        Location::Remote(stack) => (backend.name.to_string(), describe(stack.edge())),
        Location::Local { .. } => (backend.name.to_string(), json!("local")),
    };
    Json(Value::Object(gateway.backends().iter().map(describe).collect()))
}

async fn clusters(State(gateway): State<Gateway>) -> Json<Value> {
    let now_ns = clock::now_ns();
    by_component(&gateway, |edge| {
        let endpoints = edge.cluster().endpoints();
        let describe = |endpoint: &Arc<transport::Endpoint>| {
            let load = &endpoint.load;
            json!({
                "id": endpoint.instance.id,
                "addr": endpoint.instance.addr,
                "state": format!("{:?}", endpoint.state()).to_lowercase(),
                "ewma_ms": load.ewma_ns(now_ns) / 1e6,
                "in_flight": load.inflight(),
                "fail_streak": load.fail_streak(),
                "ejected": load.is_ejected(now_ns),
                "ejections": load.ejections(now_ns),
            })
        };
        endpoints.iter().map(describe).collect()
    })
}

async fn breakers(State(gateway): State<Gateway>) -> Json<Value> {
    by_component(&gateway, |edge| {
        let state = match edge.circuit() {
            breaker::BreakerState::Closed => "closed",
            breaker::BreakerState::HalfOpen => "half-open",
            breaker::BreakerState::Open => "open",
        };
        json!({
            "breaker": state,
            "retries_left": edge.retries_left(),
            "concurrency_limit": edge.concurrency_limit(),
            "policy": edge.policy(),
        })
    })
}

async fn pools(State(gateway): State<Gateway>) -> Json<Value> {
    by_component(&gateway, |edge| {
        let describe = |endpoint: &Arc<transport::Endpoint>| {
            let figures = endpoint.pool.stats();
            json!({
                "id": endpoint.instance.id,
                "idle": figures.idle,
                "active": figures.active,
                "waiting": figures.waiting,
                "connects": figures.connects,
                "reused": figures.reused,
            })
        };
        edge.cluster().endpoints().iter().map(describe).collect()
    })
}
