//! Performs an arrival in a slot, and records its instants.

use std::time::Duration;

use load_protocol::TracedJourney;

use crate::arm_context::ArmContext;
use crate::arrival_queue::Dispatched;
use crate::journeys;
use crate::recorder::{Cause, Instants};

/// How a journey ended, as recorded in goose.
pub struct Completion {
    /// Counted from when the request was due.
    pub user_latency: Duration,
    /// `None` means ok.
    pub cause: Option<Cause>,
}

/// Performs a journey and records it.
pub async fn perform(arm: &ArmContext, dispatched: Dispatched) -> Completion {
    let arrival = dispatched.arrival;
    let due = arrival.due_ns / 1_000;
    let mut outcome = journeys::perform(arm, &arrival, Some(&dispatched)).await;
    let mut exchanges = std::mem::take(&mut outcome.exchanges);
    let sent = exchanges.first().map_or_else(|| arm.now_us(), |(sent, _)| *sent);
    // A user reloads a failed page at once; latency counts from the first attempt.
    for _refresh in 1..arm.attempts {
        if outcome.cause.is_none() || arm.cancelled() {
            break;
        }
        outcome = journeys::perform(arm, &arrival, None).await;
        exchanges.append(&mut outcome.exchanges);
    }
    let done = arm.now_us();
    let at = Instants { due, dispatched: dispatched.dispatched_us, sent, done };
    arm.recorder.finished(arrival.journey, at, dispatched.idle, &outcome);
    let trace = arm.users.trace(arrival.seq);
    if trace.sampled {
        arm.recorder.traced(TracedJourney {
            arm: arm.recorder.arm(),
            journey: arrival.journey.name().to_owned(),
            request: arrival.seq,
            context: trace.header(),
            due,
            sent,
            done,
            exchanges,
            error: outcome.cause.map_or("", Cause::as_str).to_owned(),
        });
    }
    Completion { user_latency: Duration::from_micros(done.saturating_sub(due)), cause: outcome.cause }
}
