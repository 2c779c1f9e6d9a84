//! What a slot does with an arrival: perform the journey, keep the five instants.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use traffic::{Arrival, Journey, Schedule};

use crate::journeys::{self, UserPool};
use crate::pacer::Dispatched;
use crate::pacer::OverloadPolicy;
use crate::protocol::TracedJourney;
use crate::recorder::{Cause, Instants, Recorder};

/// One arm, shared by its slots.
pub struct ArmContext {
    /// Arm name.
    pub name: String,
    /// Its door.
    pub url: String,
    /// One client for all slots: a client each would cost a connection pool each.
    pub client: reqwest::Client,
    /// Arrivals that wait.
    pub queue: flume::Receiver<Dispatched>,
    /// Slots that wait.
    pub idle: Arc<AtomicUsize>,
    /// Slots with a warm connection.
    pub ready: Arc<AtomicUsize>,
    /// Set when the load is cut short.
    pub cancel: Arc<AtomicBool>,
    /// Its figures.
    pub recorder: Arc<Recorder>,
    /// Who the users are, and what was acknowledged to them.
    pub users: Arc<UserPool>,
    /// When the load starts; slots are idle before.
    pub start: Arc<std::sync::OnceLock<Instant>>,
    /// Times a user tries in all.
    pub attempts: u32,
    /// Users who wait for answers; none in an open loop.
    pub closed_loop: Option<ClosedLoop>,
    /// How late an arrival may be taken.
    pub overload: OverloadPolicy,
    /// Whether rows carry the arm's name: they do when arms share a process.
    pub paired: bool,
}

/// A closed loop: each slot is a user, who takes the next journey when it has thought.
pub struct ClosedLoop {
    /// Journeys in order; when they are due is when somebody comes.
    pub schedule: Mutex<Schedule>,
    /// How long a user thinks.
    pub think: Duration,
    /// Nobody comes after it, microseconds since the load's start.
    pub end_us: u64,
}

impl ClosedLoop {
    /// What the next user does, now; `None` when it is over.
    pub fn next(&self, now_us: u64) -> Option<Dispatched> {
        let arrival = self.schedule.lock().expect("no panic while held").next();
        let due_ns = now_us.saturating_mul(1_000);
        let dispatched = |arrival| Dispatched {
            arrival: Arrival { due_ns, ..arrival },
            dispatched_us: now_us,
            idle: true,
        };
        arrival.filter(|_| now_us < self.end_us).map(dispatched)
    }
}

/// How a journey ended, for goose's own books.
pub struct Completion {
    /// From the intended start.
    pub user_latency: Duration,
    /// `None` means ok.
    pub cause: Option<Cause>,
}

impl ArmContext {
    /// One request that is not recorded: connections and caches.
    pub async fn warm_up(&self) {
        // Whatever comes of it, readiness was checked before.
        if let Ok(answer) = self.client.get(format!("{}{}", self.url, self.users.warm_path())).send().await {
            let _ = answer.bytes().await;
        }
    }

    /// Whether the load was cut short.
    pub fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// A row's name in goose's tables.
    pub fn goose_row(&self, journey: Journey) -> String {
        if self.paired { format!("{} [{}]", journey.name(), self.name) } else { journey.name().to_owned() }
    }

    /// Performs a journey and records it.
    pub async fn perform(&self, dispatched: Dispatched) -> Completion {
        let arrival = dispatched.arrival;
        let due = arrival.due_ns / 1_000;
        let sent = self.now_us();
        let mut outcome = journeys::perform(self, &arrival).await;
        // A user whose page failed loads it again at once; what is felt counts from the first try.
        for _refresh in 1..self.attempts {
            if outcome.cause.is_none() || self.cancelled() {
                break;
            }
            outcome = journeys::perform(self, &arrival).await;
        }
        let done = self.now_us();
        let at = Instants { due, dispatched: dispatched.dispatched_us, sent, done };
        self.recorder.finished(arrival.journey, at, dispatched.idle, &outcome);
        let trace = self.users.trace(arrival.seq);
        if trace.sampled {
            self.recorder.traced(TracedJourney {
                arm: self.recorder.arm(),
                journey: arrival.journey.name().to_owned(),
                request: arrival.seq,
                context: trace.header(),
                due,
                sent,
                done,
                error: outcome.cause.map_or("", Cause::as_str).to_owned(),
            });
        }
        Completion { user_latency: Duration::from_micros(done.saturating_sub(due)), cause: outcome.cause }
    }

    /// Microseconds since the load's start.
    pub fn now_us(&self) -> u64 {
        let start = self.start.get().copied().unwrap_or_else(runtime::clock::now);
        u64::try_from(runtime::clock::now().saturating_duration_since(start).as_micros()).unwrap_or(u64::MAX)
    }
}
