//! Runs goose: a goose user is a slot for one request in flight, a goose scenario is an arm.
//!
//! goose is closed-loop and has no seeds, so the clock, the arrivals and the latencies are ours. goose
//! provides the users, the transport of their metrics and an independent count.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::BoxFuture;
use goose::config::GooseConfiguration;
use goose::prelude::*;

use crate::arm_context::ArmContext;
use crate::arrival_queue::Dispatched;
use crate::slot;

/// Why the load did not run to its end.
#[derive(Debug, thiserror::Error)]
#[error("goose failed: {0}")]
pub struct AttackError(String);

/// Runs all slots of all arms until their queues close. Boxed, so that callers do not compile its
/// future again.
pub fn run(
    arms: Vec<Arc<ArmContext>>,
    pool: usize,
    timeout_s: u64,
) -> BoxFuture<'static, Result<GooseMetrics, AttackError>> {
    Box::pin(async move {
        let mut config = GooseConfiguration::default();
        config.users = Some(pool * arms.len());
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
        for arm in arms {
            let name = arm.name.clone();
            let url = arm.url.clone();
            let body: TransactionFunction = Arc::new(move |user: &mut GooseUser| {
                let arm = arm.clone();
                Box::pin(async move { run_slot(&arm, user).await })
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

/// Runs a slot: warms up, then performs arrivals until the queue closes.
async fn run_slot(arm: &ArmContext, user: &mut GooseUser) -> TransactionResult {
    user.client = arm.client.clone();
    arm.warm_up().await;
    arm.ready.fetch_add(1, Ordering::Release);
    while let Some(closed_loop) = &arm.closed_loop {
        let Some(start) = arm.start.get() else {
            // The start time is not known yet; it arrives within a second.
            tokio::time::sleep(Duration::from_millis(1)).await;
            if arm.cancelled() {
                return Ok(());
            }
            continue;
        };
        tokio::time::sleep_until((*start).into()).await;
        let dispatched = closed_loop.next(arm.now_us()).filter(|_| !arm.cancelled());
        let Some(dispatched) = dispatched else { return Ok(()) };
        arm.recorder.offered(dispatched.arrival.journey, dispatched.arrival.due_ns / 1_000);
        run_journey(arm, user, dispatched).await?;
        tokio::time::sleep(closed_loop.think).await;
    }
    while let Some(dispatched) = arm.queue.take().await {
        if arm.cancelled() {
            arm.recorder.abandoned(dispatched.arrival.journey, dispatched.arrival.due_ns / 1_000);
            continue;
        }
        if arm.overload.is_late(dispatched.dispatched_us, arm.now_us()) {
            arm.recorder.dropped(dispatched.arrival.journey, dispatched.arrival.due_ns / 1_000);
            continue;
        }
        run_journey(arm, user, dispatched).await?;
    }
    Ok(())
}

/// Performs a journey, and records it in goose as well.
async fn run_journey(arm: &ArmContext, user: &mut GooseUser, dispatched: Dispatched) -> TransactionResult {
    let completion = slot::perform(arm, dispatched).await;
    user.record_custom_request_duration(
        "GET",
        &arm.goose_row(dispatched.arrival.journey),
        completion.user_latency,
        completion.cause.is_none(),
        None,
        completion.cause.map(crate::recorder::Cause::as_str),
    )
    .await
}
