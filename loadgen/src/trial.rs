//! The trial before the load: every arm answers one journey of every kind of the mix, with its content checked. What fails is
//! asked again under the same key: a service may still be starting. Nothing of it is in any figure but the audit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use load_protocol::LoadPlan;
use traffic::{Arrival, trial};

use crate::arm_context::ArmContext;
use crate::journeys;
use crate::recorder::Cause;

/// Longest an arm may take to answer all journeys once.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before a journey is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Tries all arms at once; returns a sentence for each journey that an arm did not answer as asked.
pub async fn run(plan: &LoadPlan, arms: &[Arc<ArmContext>], cancel: &AtomicBool) -> Vec<String> {
    let Some(first) = arms.first() else { return Vec::new() };
    let seed = traffic::Seed(plan.seed);
    let arrivals = trial::arrivals(seed, &plan.load.journeys(), first.users.dataset());
    let deadline = runtime::clock::now() + TRIAL_TIMEOUT;
    let tried = arms.iter().map(|arm| try_arm(arm, &arrivals, deadline, cancel));
    futures_util::future::join_all(tried).await.concat()
}

async fn try_arm(
    arm: &ArmContext,
    arrivals: &[Arrival],
    deadline: Instant,
    cancel: &AtomicBool,
) -> Vec<String> {
    let mut failures = Vec::new();
    for arrival in arrivals {
        while let Some(cause) = failure(arm, arrival, deadline).await {
            if runtime::clock::now() >= deadline || cancel.load(Ordering::Relaxed) {
                let (arm, journey) = (&arm.name, arrival.journey.name());
                failures.push(format!("{arm} did not answer `{journey}` before the load began: {cause}"));
                break;
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }
    failures
}

/// Why a journey failed, if it did.
async fn failure(arm: &ArmContext, arrival: &Arrival, deadline: Instant) -> Option<&'static str> {
    // A journey that looks for what it posted has no clock before the load.
    match tokio::time::timeout_at(deadline.into(), journeys::perform(arm, arrival, None)).await {
        Ok(outcome) => outcome.cause.map(Cause::as_str),
        Err(_) => Some("no answer in time"),
    }
}
