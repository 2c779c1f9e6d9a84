//! The laws of an adaptive limit, over any history of calls.

use policy::adaptive_concurrency::{AdaptiveConcurrency, AdaptiveConcurrencyOptions, GradientLimit};
use policy::units::HumanDuration;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
/// Calls of a window, at least.
const CALLS: u32 = 10;

/// What its reader accepts, with windows of 100 ms.
fn options() -> impl Strategy<Value = AdaptiveConcurrencyOptions> {
    (1_u32..50, 0_u32..200, 0_u32..250, 1_u32..20, 1.0..4.0_f64).prop_map(
        |(min, more, at, queue, tolerance)| {
            let max = min + more;
            let (initial, queue) = (min + at % (more + 1), queue.min(max));
            let window = HumanDuration::from_millis(100);
            AdaptiveConcurrencyOptions { initial, min, max, queue, tolerance, window }
        },
    )
}

/// A limit, and the clock of its calls.
struct Watched {
    limit: GradientLimit,
    now_ns: u64,
}

impl Watched {
    fn new(options: AdaptiveConcurrencyOptions) -> Self {
        assert_eq!(options.diagnostics(), [""; 0], "{options:?}");
        Self { limit: GradientLimit::new(options), now_ns: SECOND }
    }

    /// Ends so many windows of calls that take so long, of which `in_flight` are under way. Returns the last limit.
    fn windows(&mut self, count: u32, took_ns: u64, in_flight: impl Fn(u32) -> u32) -> u32 {
        for _ in 0..count {
            let in_flight = in_flight(self.limit.limit());
            for _ in 0..CALLS {
                self.now_ns += 12 * MS;
                self.limit.observe(self.now_ns, took_ns, in_flight);
            }
        }
        self.limit.limit()
    }
}

/// As much is asked for as the limit lets through.
fn held(limit: u32) -> u32 {
    limit
}

proptest! {
    #[test]
    fn it_stays_within_its_bounds_whatever_its_clock_did(
        options in options(),
        calls in proptest::collection::vec((any::<bool>(), 0..SECOND, any::<u64>(), any::<u32>()), 0..300),
    ) {
        prop_assert_eq!(options.diagnostics(), [""; 0]);
        let mut limit = GradientLimit::new(options);
        prop_assert_eq!(limit.limit(), options.initial);
        let mut now = 100 * SECOND;
        for (is_back, gap, took_ns, in_flight) in calls {
            now = if is_back { now.saturating_sub(gap) } else { now + gap };
            let reported = limit.observe(now, took_ns, in_flight);
            prop_assert!(reported.is_none_or(|reported| reported == limit.limit()));
            prop_assert!((options.min..=options.max).contains(&limit.limit()), "{}", limit.limit());
        }
    }

    #[test]
    fn options_that_contradict_each_other_are_bent_and_still_let_a_call_through(
        initial: u32, min: u32, max: u32, took_ns: u64, tolerance in any::<f64>(),
    ) {
        let options = AdaptiveConcurrencyOptions { initial, min, max, tolerance, ..Default::default() };
        let mut limit = GradientLimit::new(options);
        for call in 0..50 {
            limit.observe(call * 20 * MS, took_ns, u32::MAX);
            prop_assert!(limit.limit() >= min.max(1));
        }
    }

    #[test]
    fn it_grows_to_its_upper_end_while_calls_take_what_they_did(options in options(), took_ns in 1..10 * SECOND) {
        let mut watched = Watched::new(options);
        let mut before = options.initial;
        // A fifth of the queue a window: 0.2 at least, for at most 199 calls.
        for _ in 0..1_000 {
            let after = watched.windows(1, took_ns, held);
            prop_assert!(after >= before, "{before} became {after}");
            before = after;
        }
        prop_assert_eq!(before, options.max);
    }

    #[test]
    fn it_falls_when_calls_take_longer_with_the_load_held_and_recovers_when_they_do_not(
        options in options(), took_ns in MS..SECOND, times in 20_u64..100,
    ) {
        // What it takes to be cut to a half, also with an average that drifts for 60 windows: 18 % of the way.
        let options = AdaptiveConcurrencyOptions { tolerance: options.tolerance.min(1.6), ..options };
        let mut watched = Watched::new(options);
        let well = watched.windows(1_000, took_ns, held);
        prop_assert_eq!(well, options.max);
        let (mut before, floor) = (well, options.min.max(2 * options.queue).min(options.max));
        for _ in 0..60 {
            let after = watched.windows(1, times * took_ns, held);
            prop_assert!(after <= before, "{before} became {after} although calls take {times} times as long");
            before = after;
        }
        // 0.5 x limit + queue = limit, but for the last of the way there, a tenth of which is left after 22 windows.
        prop_assert!(before <= floor + 1, "{before} of {floor}");
        prop_assert!(before >= options.min);
        // Its average comes down to what calls take, and it grows as it did.
        let recovered = watched.windows(1_000, took_ns, held);
        prop_assert_eq!(recovered, options.max);
    }

    #[test]
    fn an_idle_edge_does_not_move_it(
        options in options(),
        busy in proptest::collection::vec(MS..SECOND, 0..50),
        idle in proptest::collection::vec((1..10 * SECOND, 1..10 * SECOND), 1..300),
    ) {
        let mut watched = Watched::new(options);
        for took_ns in busy {
            watched.windows(1, took_ns, held);
        }
        let before = watched.limit.limit();
        prop_assume!(before > 2);
        for (gap, took_ns) in idle {
            watched.now_ns += gap;
            watched.limit.observe(watched.now_ns, took_ns, (before - 1) / 2);
            prop_assert_eq!(watched.limit.limit(), before, "fewer than half of {} are under way", before);
        }
    }

    #[test]
    fn no_more_calls_are_under_way_than_the_limit_allows_when_they_begin(
        options in options(),
        steps in proptest::collection::vec((any::<bool>(), 0..SECOND, 1..SECOND), 0..400),
    ) {
        let concurrency = AdaptiveConcurrency::new(options);
        let (mut now, mut out) = (SECOND, std::collections::VecDeque::new());
        for (begins, gap, took_ns) in steps {
            now += gap;
            if begins {
                let permit = concurrency.try_acquire();
                prop_assert_eq!(permit.is_some(), (out.len() as u32) < concurrency.limit());
                out.extend(permit);
            } else if let Some(permit) = out.pop_front() {
                concurrency.observe(&permit, now, took_ns);
            }
            prop_assert!((options.min..=options.max).contains(&concurrency.limit()));
        }
    }
}
