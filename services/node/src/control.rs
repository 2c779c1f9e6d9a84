//! What the lab may ask a node, with the run's token: faults are routed by
//! [`transport::control`]; here are the state digest, the reset before a load and the drain.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use component::web::RefusalResponse;
use contract::Refusal;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use transport::CallRouter;

use crate::PublicGateway;
use crate::stores::Store;

/// What a node keeps, component by component, as digests without wall-clock fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateDigest {
    /// Component and the hex digest of its tables.
    pub components: std::collections::BTreeMap<String, String>,
    /// Events published here that a consumer in another database has not applied yet, as far as this copy knows.
    pub waiting: u64,
}

/// What the control routes reach.
pub struct ControlState {
    /// The node's databases and the services on them; none without components.
    pub stores: Vec<Store>,
    /// Calls between components.
    pub calls: CallRouter,
    /// The public door, if it is here.
    pub gateway: Option<Arc<dyn PublicGateway>>,
    /// Asks the node to drain and leave.
    pub leave: Arc<Notify>,
    /// The run's token.
    pub token: String,
}

/// `GET /control/digest`, `POST /control/reset`, `POST /control/drain`.
pub fn router(state: Arc<ControlState>) -> Router {
    Router::new()
        .route("/control/digest", get(digest))
        .route("/control/reset", post(reset))
        .route("/control/drain", post(drain))
        .layer(middleware::from_fn_with_state(Arc::<str>::from(state.token.as_str()), with_token))
        .with_state(state)
}

/// Lets only requests with the run's token through. An empty token opens nothing.
pub(crate) async fn with_token(State(token): State<Arc<str>>, request: Request, next: Next) -> Response {
    if transport::headers::has_token(request.headers(), &token) {
        next.run(request).await
    } else {
        RefusalResponse(Refusal::unauthenticated()).into_response()
    }
}

async fn digest(State(state): State<Arc<ControlState>>) -> Result<Json<StateDigest>, RefusalResponse> {
    let mut components = std::collections::BTreeMap::new();
    let mut waiting = 0;
    for store in &state.stores {
        for service in &store.services {
            let digest = (service.digest)(&store.db).await?;
            components.insert(service.name.to_string(), format!("{digest:016x}"));
        }
        waiting += store.bus.outbox().waiting().await?;
    }
    Ok(Json(StateDigest { components, waiting }))
}

/// Caches as declared, breakers closed, latencies forgotten: whatever was asked before the load teaches nothing about it.
async fn reset(State(state): State<Arc<ControlState>>) -> &'static str {
    state.calls.reset();
    if let Some(gateway) = &state.gateway {
        gateway.reset_edges();
    }
    "reset\n"
}

async fn drain(State(state): State<Arc<ControlState>>) -> &'static str {
    state.leave.notify_one();
    "draining\n"
}
