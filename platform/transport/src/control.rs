//! Where the lab puts faults. Needs the run's token; never behind the gateway.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, put};
use axum::{Json, Router};
use contract::{Refusal, RefusalKind};
use fault::LeaseTable;
use fault::control::{HitCounts, LeaseStatus, MAX_TTL_MS, PutLeases};
use http::StatusCode;
use runtime::clock;

use crate::{Network, headers, refusal_response};

/// What is injected here: the leases, and the network that is declared between processes.
#[derive(Clone)]
struct InjectionState {
    table: Arc<LeaseTable>,
    network: Network,
}

impl FromRef<InjectionState> for Arc<LeaseTable> {
    fn from_ref(injected: &InjectionState) -> Self {
        injected.table.clone()
    }
}

/// `PUT` and `GET /control/leases`, `DELETE /control/leases/{id}`, `GET /control/hits`.
pub fn router(table: Arc<LeaseTable>, network: Network, token: Arc<str>) -> Router {
    Router::new()
        .route("/control/leases", put(put_leases).get(list))
        .route("/control/leases/{id}", delete(end))
        .route("/control/hits", get(hits))
        .layer(middleware::from_fn_with_state(token, with_token))
        .with_state(InjectionState { table, network })
}

async fn with_token(State(token): State<Arc<str>>, request: Request, next: Next) -> Response {
    if headers::has_token(request.headers(), &token) {
        return next.run(request).await;
    }
    let refusal = Refusal::new(
        RefusalKind::Unauthenticated,
        "run_token_required",
        "fault and control endpoints need the admin token",
    );
    refusal_response::encode(&refusal).map(Into::into)
}

async fn put_leases(State(table): State<Arc<LeaseTable>>, Json(put): Json<PutLeases>) -> Response {
    if put.ttl_ms > MAX_TTL_MS {
        let message = format!("a lease holds at most {MAX_TTL_MS} ms; renew it");
        return refusal_response::encode(&Refusal::bad_request("ttl_too_long", message)).map(Into::into);
    }
    let now_ns = clock::now_ns();
    table.sweep(now_ns);
    let began_ns = now_ns.saturating_sub(put.age_ms.saturating_mul(1_000_000));
    for lease in put.leases {
        if let Err(full) = table.put_started(lease, Duration::from_millis(put.ttl_ms), began_ns, now_ns) {
            let refusal = Refusal::new(RefusalKind::Conflict, "table_full", full.to_string());
            return refusal_response::encode(&refusal).map(Into::into);
        }
    }
    Json(table.list(now_ns)).into_response()
}

async fn list(State(table): State<Arc<LeaseTable>>) -> Json<Vec<LeaseStatus>> {
    Json(table.list(clock::now_ns()))
}

async fn end(State(table): State<Arc<LeaseTable>>, Path(id): Path<String>) -> Response {
    if table.end(&id) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        refusal_response::encode(&Refusal::not_found("lease")).map(Into::into)
    }
}

async fn hits(State(InjectionState { table, network }): State<InjectionState>) -> Json<HitCounts> {
    table.sweep(clock::now_ns());
    Json(HitCounts { hits: table.hits(), delays: table.delays(), network: network.delays() })
}
