//! Queues of events hand out one order.

use proptest::prelude::*;
use simulator::engine::adaptive::{RADIX_FROM, WHEEL_BELOW};
use simulator::engine::{AdaptiveQueue, EventQueue, HeapQueue, RadixQueue, Rng, Scheduler, WheelQueue};

/// Puts events in and takes some out, as `steps` say: a delay, and how many to take. Returns the order.
fn order<Q: EventQueue>(queue: Q, steps: &[(u64, u8)]) -> Vec<(u64, u32, u32)> {
    let mut events = Scheduler::new(queue);
    let mut seen = Vec::new();
    for ((delay_ns, take), number) in steps.iter().zip(0..) {
        events.after(*delay_ns, 0, number);
        for _ in 0..*take {
            seen.extend(events.next(u64::MAX).map(|event| (event.time_ns, event.seq, event.index)));
        }
    }
    while let Some(event) = events.next(u64::MAX) {
        seen.push((event.time_ns, event.seq, event.index));
    }
    assert_eq!(events.pending(), 0);
    seen
}

proptest! {
    #[test]
    fn all_queues_agree(steps in proptest::collection::vec(
        (prop_oneof![Just(0), 0..50_u64, 0..5_000_000_u64, 0..100_000_000_000_u64], 0..3_u8), 1..400,
    )) {
        let expected = order(HeapQueue::default(), &steps);
        prop_assert!(expected.is_sorted());
        prop_assert_eq!(&order(WheelQueue::default(), &steps), &expected);
        prop_assert_eq!(&order(WheelQueue::with_width(0), &steps), &expected);
        prop_assert_eq!(&order(WheelQueue::with_width(30), &steps), &expected);
        prop_assert_eq!(&order(RadixQueue::default(), &steps), &expected);
        prop_assert_eq!(&order(AdaptiveQueue::default(), &steps), &expected);
    }
}

/// The hold model: as many events as asked are pending, and each that happens schedules another. The hash of the order.
fn hold<Q: EventQueue>(queue: Q, pending: u32, turns: u32, mean_ns: f64) -> (u64, Scheduler<Q>) {
    let (mut events, mut rng) = (Scheduler::new(queue), Rng::new(1, "hold"));
    let mut delay_ns = move || (rng.exp() * mean_ns) as u64;
    for number in 0..pending {
        events.after(delay_ns(), 0, number);
    }
    let mut hash = 0_u64;
    for _ in 0..turns {
        let event = events.next(u64::MAX).expect("events are pending");
        hash = hash.rotate_left(5) ^ event.time_ns.wrapping_mul(31) ^ u64::from(event.index);
        events.after(delay_ns(), 0, event.index);
    }
    (hash, events)
}

#[test]
fn the_width_follows_the_load_and_changes_nothing() {
    // From 1,000 events in 10 ms, one in 10 us, to one in 100 ns and back to one in 10 ms.
    for (pending, mean_ns) in [(1_000, 1e7), (20_000, 2e6), (10, 1e8)] {
        let (expected, _) = hold(HeapQueue::default(), pending, 200_000, mean_ns);
        assert_eq!(hold(WheelQueue::default(), pending, 200_000, mean_ns).0, expected, "{pending} pending");
        assert_eq!(hold(RadixQueue::default(), pending, 200_000, mean_ns).0, expected, "{pending} pending");
    }
}

#[test]
fn very_many_events_are_handed_to_the_radix_heap_and_back() {
    let pending = RADIX_FROM as u32 + 10_000;
    let (expected, mut heap) = hold(HeapQueue::default(), pending, 50_000, 1e9);
    let (seen, mut adaptive) = hold(AdaptiveQueue::default(), pending, 50_000, 1e9);
    assert_eq!(seen, expected);
    assert!(adaptive.queue().is_radix(), "{pending} are pending");
    while let Some(event) = heap.next(u64::MAX) {
        assert_eq!(adaptive.next(u64::MAX), Some(event));
    }
    assert!(!adaptive.queue().is_radix(), "fewer than {WHEEL_BELOW} were, before the last");
}

#[test]
fn events_after_the_end_stay() {
    let mut events = Scheduler::new(AdaptiveQueue::default());
    events.at(100, 0, 1);
    events.at(10, 0, 2);
    assert_eq!(events.next(50).map(|event| event.index), Some(2));
    assert_eq!(events.next(50), None);
    // Scheduled after the look, and before what was looked at.
    events.at(70, 0, 3);
    assert_eq!(events.next(100).map(|event| event.index), Some(3));
    assert_eq!(events.next(100).map(|event| event.index), Some(1));
}
