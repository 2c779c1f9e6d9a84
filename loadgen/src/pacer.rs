//! The pacer: an operating-system thread that hands every arrival to every arm when it is due.
//!
//! Timers of the async runtime are a millisecond late on every request, which is
//! more than our services take. The thread sleeps, never spins, never blocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use traffic::load::Overload;
use traffic::{Arrival, Load};

use crate::recorder::Recorder;

/// Longest single sleep, so that a cancel is seen.
const SLICE: Duration = Duration::from_millis(50);

/// An arrival handed to an arm.
#[derive(Clone, Copy, Debug)]
pub struct Handed {
    /// What is to be done.
    pub arrival: Arrival,
    /// When it was handed over, microseconds since the load's start.
    pub handed_us: u64,
    /// Whether a slot was free then.
    pub idle: bool,
}

/// An arm as the pacer sees it.
pub struct Lane {
    /// Where arrivals wait for a slot.
    pub queue: flume::Sender<Handed>,
    /// Slots that wait for an arrival.
    pub idle: Arc<AtomicUsize>,
    /// Counts what is offered and dropped.
    pub recorder: Arc<Recorder>,
}

/// What becomes of an arrival that finds no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Arrivals that may wait for a slot.
    pub limit: usize,
    /// How late one may be taken, microseconds; `None` as late as it gets.
    pub late_us: Option<u64>,
}

/// Under `drop`: a slot that has just finished is not parked yet, and a strict
/// rendezvous would lose arrivals to that.
const DROP_QUEUE: usize = 8;
/// Later than this an arrival has found no slot. Below 2 ms it would be the
/// generator's own jitter.
const DROP_LATE_US: u64 = 5_000;

impl Waiting {
    /// What a scenario asks for.
    pub fn of(load: &Load) -> Self {
        match load.overload {
            Overload::Queue => Self { limit: load.queue_limit(), late_us: None },
            Overload::Drop => Self { limit: DROP_QUEUE, late_us: Some(DROP_LATE_US) },
        }
    }

    /// Whether an arrival handed over at `handed_us` comes too late at `now_us`.
    pub fn is_late(&self, handed_us: u64, now_us: u64) -> bool {
        self.late_us.is_some_and(|limit| now_us.saturating_sub(handed_us) > limit)
    }
}

/// Where time comes from: the kernel, or a test.
pub trait Clock {
    /// Microseconds since the load's start; negative before it.
    fn now_us(&mut self) -> i64;
    /// Sleeps about as long.
    fn sleep(&mut self, length: Duration);
}

/// The kernel's monotonic clock.
pub struct Monotonic {
    /// When the load starts.
    pub start: Instant,
}

impl Clock for Monotonic {
    fn now_us(&mut self) -> i64 {
        let now = runtime::clock::now();
        match now.checked_duration_since(self.start) {
            Some(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            None => -i64::try_from((self.start - now).as_micros()).unwrap_or(i64::MAX),
        }
    }

    fn sleep(&mut self, length: Duration) {
        std::thread::sleep(length);
    }
}

/// Hands out the schedule until it ends or is cancelled. Dropping the lanes
/// afterwards tells the slots that nothing more will come.
pub fn pace(
    schedule: impl Iterator<Item = Arrival>,
    lanes: &[Lane],
    cancel: &AtomicBool,
    clock: &mut impl Clock,
) {
    for arrival in schedule {
        let due_us = arrival.due_ns / 1_000;
        if !sleep_until(due_us, cancel, clock) {
            return;
        }
        // Which arm goes first rotates, so that none is always a little later.
        let first = arrival.seq as usize % lanes.len().max(1);
        for lane in lanes[first..].iter().chain(&lanes[..first]) {
            let handed_us = u64::try_from(clock.now_us()).unwrap_or(0);
            let idle = lane.idle.load(Ordering::Relaxed) > lane.queue.len();
            lane.recorder.offered(arrival.journey, due_us);
            if lane.queue.try_send(Handed { arrival, handed_us, idle }).is_err() {
                lane.recorder.dropped(arrival.journey, due_us);
            }
        }
    }
}

/// False when cancelled.
fn sleep_until(due_us: u64, cancel: &AtomicBool, clock: &mut impl Clock) -> bool {
    loop {
        if cancel.load(Ordering::Relaxed) {
            return false;
        }
        let left = i64::try_from(due_us).unwrap_or(i64::MAX) - clock.now_us();
        match u64::try_from(left) {
            Ok(left) if left > 0 => clock.sleep(Duration::from_micros(left).min(SLICE)),
            _ => return true,
        }
    }
}
