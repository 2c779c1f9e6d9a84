//! Events across processes: `GET /outbox/{topics}` on the publisher, pulled by consumers.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::middleware;
use axum::routing::get;
use axum::{Json, Router};
use component::web::RefusalResponse;
use contract::{CallContext, ComponentName, Deadline, Pending, Refusal, RefusalKind};
use serde::Deserialize;
use storage::{Batch, Bus, Position, Source};
use transport::Clusters;

use crate::control;

/// Events in one answer at most.
const MAX_ROWS: u32 = 256;
/// Longest wait for a first event. The conductor's drain is shorter, and cancels it.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Time for the answer to travel, on top of the wait.
const TRAVEL_ALLOWANCE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Pull {
    /// Names the database of which the consumer has applied everything up to `after`.
    #[serde(default)]
    epoch: String,
    after: i64,
    limit: u32,
    wait_ms: u64,
    consumer: String,
}

/// The publishers' side, over the databases of a process; needs the run's token.
pub fn router(buses: Vec<Bus>, token: Arc<str>) -> Router {
    let buses: Arc<[Bus]> = buses.into();
    Router::new()
        .route("/outbox/{topics}", get(pull))
        .layer(middleware::from_fn_with_state(token, control::with_token))
        .with_state(buses)
}

async fn pull(
    State(buses): State<Arc<[Bus]>>,
    Path(topics): Path<String>,
    Query(pull): Query<Pull>,
) -> Result<Json<Batch>, RefusalResponse> {
    let wait = Duration::from_millis(pull.wait_ms).min(MAX_WAIT);
    // The topics of one publisher are in one database; of a topic that none keeps, each has no rows.
    let bus = buses.iter().find(|bus| bus.outbox().keeps(&topics)).or(buses.first());
    let outbox = bus.ok_or_else(|| Refusal::not_found("outbox"))?.outbox();
    let (consumer, limit) = (ComponentName::intern(&pull.consumer), pull.limit.clamp(1, MAX_ROWS));
    let after = Position { epoch: pull.epoch, seq: pull.after };
    Ok(Json(outbox.pull_for(consumer, &topics, &after, limit, wait).await?))
}

/// The consumer's side: one publisher, reached through whichever copy is up.
pub struct HttpSource {
    /// The publishing component.
    pub publisher: ComponentName,
    /// The consuming component.
    pub consumer: ComponentName,
    /// Instances of all components.
    pub clusters: Clusters,
    /// The run's token.
    pub token: Arc<str>,
}

impl Source for HttpSource {
    fn pull<'a>(
        &'a self,
        topics: &'a str,
        after: &'a Position,
        limit: u32,
        wait: Duration,
    ) -> Pending<'a, Batch> {
        Box::pin(async move {
            let (wait_ms, consumer) = (wait.as_millis(), self.consumer);
            let Position { epoch, seq } = after;
            let path = format!(
                "/outbox/{topics}?epoch={epoch}&after={seq}&limit={limit}&wait_ms={wait_ms}&consumer={consumer}"
            );
            let deadline = Deadline::after(runtime::clock::now(), wait + TRAVEL_ALLOWANCE);
            let cx = CallContext::background(self.consumer, deadline);
            let body =
                transport::attempt::get(&self.clusters.get(self.publisher), &cx, &path, &self.token).await?;
            serde_json::from_slice(&body).map_err(|why| {
                Refusal::new(
                    RefusalKind::Lost,
                    "outbox_unreadable",
                    format!("`{}` answered no batch: {why}", self.publisher),
                )
            })
        })
    }
}
