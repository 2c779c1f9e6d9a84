//! An arm as its slots share it: its client, its users, its figures and its clock.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use traffic::{Arrival, Journey, Schedule};

use crate::arrival_queue::{ArrivalQueue, Dispatched};
use crate::lead::Lead;
use crate::pacer::OverloadPolicy;
use crate::recorder::Recorder;
use crate::users::UserPool;

/// One arm, shared by its slots.
pub struct ArmContext {
    /// Arm name.
    pub name: String,
    /// Base URL of its gateway.
    pub url: String,
    /// One client for all slots: a client each would cost a connection pool each.
    pub client: reqwest::Client,
    /// Queue of dispatched arrivals.
    pub queue: Arc<ArrivalQueue>,
    /// Slots with a warm connection.
    pub ready: Arc<AtomicUsize>,
    /// Set when the load is cancelled.
    pub cancel: Arc<AtomicBool>,
    /// Its figures.
    pub recorder: Arc<Recorder>,
    /// The users, with their tokens and acknowledged writes.
    pub users: Arc<UserPool>,
    /// How much earlier than they are due arrivals come.
    pub lead: Arc<Lead>,
    /// Start of the load; slots are idle before it.
    pub start: Arc<std::sync::OnceLock<Instant>>,
    /// Attempts of a user in all.
    pub attempts: u32,
    /// The closed loop; none in an open loop.
    pub closed_loop: Option<ClosedLoop>,
    /// Longest wait of an arrival.
    pub overload: OverloadPolicy,
    /// Whether goose's rows carry the arm's name: they do if arms run side by side.
    pub paired: bool,
}

/// A closed loop: each slot is a user who starts the next journey after a think time.
pub struct ClosedLoop {
    /// Journeys in order; a journey is due when a user takes it.
    pub schedule: Mutex<Schedule>,
    /// Think time.
    pub think: Duration,
    /// No journey starts after it, microseconds since the load's start.
    pub end_us: u64,
}

impl ClosedLoop {
    /// The next journey, due now; `None` after the end.
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

impl ArmContext {
    /// Sends one unrecorded request that opens the connection and warms caches.
    pub async fn warm_up(&self) {
        // The response does not matter: readiness was checked before.
        if let Ok(answer) = self.client.get(format!("{}{}", self.url, self.users.warm_path())).send().await {
            let _ = answer.bytes().await;
        }
    }

    /// Whether the load was cancelled.
    pub fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// A row's name in goose's tables.
    pub fn goose_row(&self, journey: Journey) -> String {
        if self.paired { format!("{} [{}]", journey.name(), self.name) } else { journey.name().to_owned() }
    }

    /// Holds an arrival until it is due, with the thread: given away, it would be woken too late again. Returns the time.
    /// Called with the first request made, so that making it is part of the wait.
    pub(crate) fn hold(&self, dispatched: &Dispatched) -> u64 {
        let due = dispatched.arrival.due_ns / 1_000;
        let mut now = self.now_us();
        if dispatched.idle && self.closed_loop.is_none() {
            self.lead.learn(now > due);
        }
        while now < due {
            std::hint::spin_loop();
            now = self.now_us();
        }
        now
    }

    /// Microseconds since the load's start.
    pub fn now_us(&self) -> u64 {
        let start = self.start.get().copied().unwrap_or_else(runtime::clock::now);
        u64::try_from(runtime::clock::now().saturating_duration_since(start).as_micros()).unwrap_or(u64::MAX)
    }
}
