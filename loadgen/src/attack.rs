//! The one place where goose runs: a user is an in-flight slot, a scenario an arm.
//!
//! goose is closed-loop and keeps no seeds; clock, arrivals and latencies are
//! ours. It brings the users, the transport of their metrics and their reports.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::BoxFuture;
use goose::config::GooseConfiguration;
use goose::prelude::*;

use crate::pacer::Handed;
use crate::slot::Lane;

/// Why the load did not run to its end.
#[derive(Debug, thiserror::Error)]
#[error("goose gave up: {0}")]
pub struct AttackError(String);

/// Runs all slots of all arms until their queues close. Boxed, so that callers
/// do not compile its future again.
pub fn run(
    lanes: Vec<Arc<Lane>>,
    pool: usize,
    timeout_s: u64,
) -> BoxFuture<'static, Result<GooseMetrics, AttackError>> {
    Box::pin(async move {
        let mut config = GooseConfiguration::default();
        config.users = Some(pool * lanes.len());
        config.iterations = Some(1);
        config.increase_rate = Some("100000".to_owned());
        config.no_telnet = true;
        config.quiet = 1;
        config.no_print_metrics = true;
        config.no_transaction_metrics = true;
        config.no_scenario_metrics = true;
        config.no_reset_metrics = false;
        config.timeout = Some(timeout_s.to_string());
        let fail = |error: GooseError| AttackError(error.to_string());
        let mut attack = GooseAttack::initialize_with_config(config)
            .map_err(fail)?
            .set_client_builder_without_cookies(goose::client::GooseClientBuilder::new().without_cookies())
            .map_err(fail)?;
        for lane in lanes {
            let name = lane.name.clone();
            let url = lane.url.clone();
            let body: TransactionFunction = Arc::new(move |user: &mut GooseUser| {
                let lane = lane.clone();
                Box::pin(async move { serve(&lane, user).await })
            });
            attack = attack.register_scenario(
                Scenario::new(&name)
                    .set_host(&url)
                    .register_transaction(Transaction::new(body).set_name("arrivals")),
            );
        }
        attack.execute().await.map_err(fail)
    })
}

/// A slot's life: warm up, then take arrivals until no more come.
async fn serve(lane: &Lane, user: &mut GooseUser) -> TransactionResult {
    user.client = lane.client.clone();
    lane.warm_up().await;
    lane.ready.fetch_add(1, Ordering::Release);
    while let Some(closed) = &lane.closed {
        let Some(start) = lane.start.get() else {
            // Until the word is given there is nothing to do; it comes within a second.
            tokio::time::sleep(Duration::from_millis(1)).await;
            if lane.cancelled() {
                return Ok(());
            }
            continue;
        };
        tokio::time::sleep_until((*start).into()).await;
        let handed = closed.next(lane.now_us()).filter(|_| !lane.cancelled());
        let Some(handed) = handed else { return Ok(()) };
        lane.recorder.offered(handed.arrival.journey, handed.arrival.due_ns / 1_000);
        take(lane, user, handed).await?;
        tokio::time::sleep(closed.think).await;
    }
    loop {
        lane.idle.fetch_add(1, Ordering::Relaxed);
        let handed = lane.queue.recv_async().await;
        lane.idle.fetch_sub(1, Ordering::Relaxed);
        let Ok(handed) = handed else { return Ok(()) };
        if lane.cancelled() {
            lane.recorder.abandoned(handed.arrival.journey, handed.arrival.due_ns / 1_000);
            continue;
        }
        if lane.waiting.is_late(handed.handed_us, lane.now_us()) {
            lane.recorder.dropped(handed.arrival.journey, handed.arrival.due_ns / 1_000);
            continue;
        }
        take(lane, user, handed).await?;
    }
}

/// Performs a journey, also for goose's own books.
async fn take(lane: &Lane, user: &mut GooseUser, handed: Handed) -> TransactionResult {
    let done = lane.perform(handed).await;
    user.record_custom_request_duration(
        "GET",
        &lane.row(handed.arrival.journey),
        done.felt,
        done.cause.is_none(),
        None,
        done.cause.map(crate::recorder::Cause::as_str),
    )
    .await
}
