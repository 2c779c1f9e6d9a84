//! The pacer: an operating-system thread that dispatches every arrival to every arm, a [lead](Lead) before it is due.
//!
//! Timers of the async runtime are a millisecond late on every request, which is more than our services
//! take. The thread sleeps; it never spins and never blocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use traffic::load::Overload;
use traffic::{Arrival, Load};

use crate::arrival_queue::{ArrivalQueue, Dispatched};
use crate::gate::Gate;
use crate::lead::Lead;
use crate::recorder::Recorder;

/// Longest single sleep, so that a cancellation is noticed.
const MAX_SLEEP: Duration = Duration::from_millis(50);

/// The queue of an arm, as the pacer uses it. Dropped, it is closed: the slots end.
pub struct ArmQueue {
    /// Where arrivals are handed over.
    pub arrivals: Arc<ArrivalQueue>,
    /// Counts offered and dropped arrivals.
    pub recorder: Arc<Recorder>,
}

impl Drop for ArmQueue {
    fn drop(&mut self) {
        self.arrivals.close();
    }
}

/// What happens to an arrival that finds no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverloadPolicy {
    /// Most arrivals that may wait for a slot.
    pub queue_limit: usize,
    /// Longest wait for a slot, microseconds; `None` for no limit.
    pub max_wait_us: Option<u64>,
}

/// Queue length under `drop`: a slot that has just finished is not idle yet, and without a queue
/// arrivals would be lost to that.
const DROP_QUEUE_LENGTH: usize = 8;
/// Longest wait under `drop`, microseconds. Below 2 ms it would be the generator's own jitter.
const DROP_MAX_WAIT_US: u64 = 5_000;

impl OverloadPolicy {
    /// The policy of a scenario's load.
    pub fn of(load: &Load) -> Self {
        match load.overload {
            Overload::Queue => Self { queue_limit: load.queue_limit(), max_wait_us: None },
            Overload::Drop => Self { queue_limit: DROP_QUEUE_LENGTH, max_wait_us: Some(DROP_MAX_WAIT_US) },
        }
    }

    /// Whether an arrival dispatched at `dispatched_us` has waited too long at `now_us`.
    pub fn is_late(&self, dispatched_us: u64, now_us: u64) -> bool {
        self.max_wait_us.is_some_and(|limit| now_us.saturating_sub(dispatched_us) > limit)
    }
}

/// Source of time: the kernel, or a test.
pub trait Clock {
    /// Microseconds since the load's start; negative before it.
    fn now_us(&mut self) -> i64;
    /// Sleeps for about `length`.
    fn sleep(&mut self, length: Duration);
}

/// The kernel's monotonic clock.
pub struct MonotonicClock {
    /// When the load starts.
    pub start: Instant,
}

impl Clock for MonotonicClock {
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

/// Dispatches the schedule until it ends, is cancelled, or comes to a rate that was not requested. Dropping the queues
/// afterwards ends the slots.
pub fn pace(
    schedule: impl Iterator<Item = Arrival>,
    queues: &[ArmQueue],
    cancel: &AtomicBool,
    gate: &Gate,
    lead: &Lead,
    clock: &mut impl Clock,
) {
    for arrival in schedule {
        let due_us = arrival.due_ns / 1_000;
        let is_over = || cancel.load(Ordering::Relaxed) || gate.is_closed(due_us);
        if !sleep_until(due_us.saturating_sub(lead.us()), is_over, clock) || !gate.is_open(due_us) {
            return;
        }
        // The first arm rotates, so that none is always slightly later.
        let first = arrival.seq as usize % queues.len().max(1);
        for queue in queues[first..].iter().chain(&queues[..first]) {
            let dispatched_us = u64::try_from(clock.now_us()).unwrap_or(0).max(due_us);
            queue.recorder.offered(arrival.journey, due_us);
            if !queue.arrivals.offer(Dispatched { arrival, dispatched_us, idle: false }) {
                queue.recorder.dropped(arrival.journey, due_us);
            }
        }
    }
}

/// False when the load is over.
fn sleep_until(until_us: u64, is_over: impl Fn() -> bool, clock: &mut impl Clock) -> bool {
    loop {
        if is_over() {
            return false;
        }
        let left = i64::try_from(until_us).unwrap_or(i64::MAX) - clock.now_us();
        match u64::try_from(left) {
            Ok(left) if left > 0 => clock.sleep(Duration::from_micros(left).min(MAX_SLEEP)),
            _ => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use traffic::Journey;

    use super::*;

    /// Time that advances only in sleeps, and in one jump.
    #[derive(Default)]
    struct FakeClock {
        now_us: i64,
        slept: u32,
        /// At which sleep, and by how much more than was asked for.
        jump: Option<(u32, i64)>,
    }

    impl Clock for FakeClock {
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

    /// What the schedule is paced with.
    #[derive(Default)]
    struct Pacing {
        is_cancelled: bool,
        gate: Gate,
        lead: Lead,
        clock: FakeClock,
    }

    impl Pacing {
        /// Hands the schedule out; when that ended, in microseconds.
        fn run(mut self, queues: &[ArmQueue]) -> i64 {
            let cancel = AtomicBool::new(self.is_cancelled);
            pace(schedule(), queues, &cancel, &self.gate, &self.lead, &mut self.clock);
            self.clock.now_us
        }
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

    fn arm_queue(limit: usize) -> (ArmQueue, Arc<ArrivalQueue>) {
        let arrivals = ArrivalQueue::new(limit);
        let recorder = Arc::new(Recorder::new('A', 1, 1_000_000, 1));
        (ArmQueue { arrivals: arrivals.clone(), recorder }, arrivals)
    }

    /// What waits in a closed queue.
    fn drain(arrivals: &ArrivalQueue) -> impl Iterator<Item = Dispatched> {
        std::iter::from_fn(|| arrivals.take().now_or_never().flatten())
    }

    #[test]
    fn every_arm_is_handed_every_arrival_when_it_is_due() {
        let ((one, ours), (other, theirs)) = (arm_queue(100), arm_queue(100));
        Pacing::default().run(&[one, other]);
        let dispatched = |queue: Arc<ArrivalQueue>| {
            drain(&queue)
                .map(|dispatched| (dispatched.arrival.seq, dispatched.dispatched_us))
                .collect::<Vec<_>>()
        };
        let ours = dispatched(ours);
        assert_eq!(ours, (0..10).map(|n| (n, (n + 1) * 10_000)).collect::<Vec<_>>());
        assert_eq!(ours, dispatched(theirs), "at the same instants");
    }

    #[test]
    fn with_a_lead_an_arrival_is_dispatched_before_it_is_due_and_counts_from_then() {
        let (queue, arrivals) = arm_queue(100);
        let lead = Lead::default();
        (0..20).for_each(|_| lead.learn(true));
        let ended_us = Pacing { lead, ..Pacing::default() }.run(&[queue]);
        assert!(drain(&arrivals).all(|one| one.dispatched_us == one.arrival.due_ns / 1_000));
        assert_eq!(ended_us, 100_000 - 60, "the last arrival is due at 100 ms");
    }

    #[test]
    fn a_stalled_pacer_shows_its_lag() {
        let (queue, arrivals) = arm_queue(100);
        // The third sleep ends 50 ms late: arrivals 3 to 8 are handed over at once, at 80 ms.
        let clock = FakeClock { jump: Some((3, 50_000)), ..FakeClock::default() };
        Pacing { clock, ..Pacing::default() }.run(&[queue]);
        let lag: Vec<u64> = drain(&arrivals)
            .map(|dispatched| dispatched.dispatched_us - dispatched.arrival.due_ns / 1_000)
            .collect();
        assert_eq!(lag, [0, 0, 50_000, 40_000, 30_000, 20_000, 10_000, 0, 0, 0]);
    }

    #[test]
    fn what_no_queue_holds_is_dropped_and_counted() {
        let (queue, arrivals) = arm_queue(4);
        let recorder = queue.recorder.clone();
        Pacing::default().run(&[queue]);
        assert_eq!(drain(&arrivals).count(), 4);
        let totals = recorder.totals();
        assert_eq!((totals.offered, totals.dropped), (10, 6));
    }

    #[test]
    fn a_cancelled_pacer_hands_out_nothing_more() {
        let (queue, arrivals) = arm_queue(100);
        Pacing { is_cancelled: true, ..Pacing::default() }.run(&[queue]);
        assert_eq!(drain(&arrivals).count(), 0);
    }

    #[test]
    fn a_rate_that_is_not_requested_ends_the_load() {
        // The fourth arrival is the first of one rate, the seventh of another.
        let sent = |requests: u32, is_over: bool| {
            let (queue, arrivals) = arm_queue(100);
            let gate = Gate::new(vec![40_000, 70_000]);
            (0..requests).for_each(|_| gate.request());
            if is_over {
                gate.end();
            }
            let ended_us = Pacing { gate, ..Pacing::default() }.run(&[queue]);
            (drain(&arrivals).count(), ended_us)
        };
        assert_eq!(sent(0, false), (3, 40_000), "waited for until it is due");
        assert_eq!(sent(0, true), (3, 30_000), "not waited for where none will come");
        assert_eq!((sent(1, false).0, sent(2, true).0), (6, 10));
    }

    #[test]
    fn only_the_drop_policy_limits_the_wait() {
        let load = |text: &str| toml::from_str::<Load>(text).expect("a load");
        let waiting = OverloadPolicy::of(&load("rate = \"100/s\""));
        assert!(!waiting.is_late(0, 9_000_000));
        assert_eq!(waiting.queue_limit, 1_000, "ten seconds of the peak");
        let drop = OverloadPolicy::of(&load("rate = \"100/s\"\noverload = \"drop\""));
        assert!(!drop.is_late(1_000, 6_000) && drop.is_late(1_000, 6_001));
    }
}
