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

#[cfg(test)]
mod tests {
    use traffic::Journey;

    use super::*;

    /// Time that passes only in sleeps, and in one jump.
    struct Fake {
        now_us: i64,
        slept: u32,
        /// At which sleep, and by how much more than was asked for.
        jump: Option<(u32, i64)>,
    }

    impl Clock for Fake {
        fn now_us(&mut self) -> i64 {
            self.now_us
        }

        fn sleep(&mut self, length: Duration) {
            self.slept += 1;
            self.now_us += i64::try_from(length.as_micros()).expect("short");
            if let Some((_, by)) = self.jump.filter(|(at, _)| *at == self.slept) {
                self.now_us += by;
            }
        }
    }

    fn fake(jump: Option<(u32, i64)>) -> Fake {
        Fake { now_us: 0, slept: 0, jump }
    }

    /// An arrival every 10 ms, the first after 10.
    fn schedule() -> impl Iterator<Item = Arrival> {
        (1..=10_u64).map(|n| Arrival {
            seq: n - 1,
            due_ns: n * 10_000_000,
            journey: Journey::HomeFeed,
            user: 0,
            target: 0,
            payload_seed: n,
        })
    }

    fn lane(limit: usize) -> (Lane, flume::Receiver<Handed>) {
        let (queue, arrivals) = flume::bounded(limit);
        let recorder = Arc::new(Recorder::new('A', 1, 1_000_000));
        (Lane { queue, idle: Arc::new(AtomicUsize::new(1)), recorder }, arrivals)
    }

    #[test]
    fn every_arm_is_handed_every_arrival_when_it_is_due() {
        let ((one, ours), (other, theirs)) = (lane(100), lane(100));
        pace(schedule(), &[one, other], &AtomicBool::new(false), &mut fake(None));
        let handed = |queue: flume::Receiver<Handed>| {
            queue.drain().map(|handed| (handed.arrival.seq, handed.handed_us)).collect::<Vec<_>>()
        };
        let ours = handed(ours);
        assert_eq!(ours, (0..10).map(|n| (n, (n + 1) * 10_000)).collect::<Vec<_>>());
        assert_eq!(ours, handed(theirs), "at the same instants");
    }

    #[test]
    fn a_pacer_that_is_held_up_says_so() {
        let (lane, arrivals) = lane(100);
        // The third sleep ends 50 ms late: arrivals 3 to 8 are handed over at once, at 80 ms.
        pace(schedule(), &[lane], &AtomicBool::new(false), &mut fake(Some((3, 50_000))));
        let lag: Vec<u64> =
            arrivals.drain().map(|handed| handed.handed_us - handed.arrival.due_ns / 1_000).collect();
        assert_eq!(lag, [0, 0, 50_000, 40_000, 30_000, 20_000, 10_000, 0, 0, 0]);
    }

    #[test]
    fn what_no_queue_holds_is_dropped_and_counted() {
        let (lane, arrivals) = lane(4);
        let recorder = lane.recorder.clone();
        pace(schedule(), &[lane], &AtomicBool::new(false), &mut fake(None));
        assert_eq!(arrivals.drain().count(), 4);
        let totals = recorder.totals();
        assert_eq!((totals.offered, totals.dropped), (10, 6));
    }

    #[test]
    fn a_cancelled_pacer_hands_out_nothing_more() {
        let (lane, arrivals) = lane(100);
        pace(schedule(), &[lane], &AtomicBool::new(true), &mut fake(None));
        assert_eq!(arrivals.drain().count(), 0);
    }

    #[test]
    fn only_a_policy_that_drops_minds_the_wait() {
        let load = |text: &str| toml::from_str::<Load>(text).expect("a load");
        let queue = Waiting::of(&load("rate = \"100/s\""));
        assert!(!queue.is_late(0, 9_000_000));
        assert_eq!(queue.limit, 1_000, "ten seconds of the peak");
        let drop = Waiting::of(&load("rate = \"100/s\"\noverload = \"drop\""));
        assert!(!drop.is_late(1_000, 6_000) && drop.is_late(1_000, 6_001));
    }
}
