//! Who is asked: somebody whenever there is somebody, and the healthy first.

use policy::balance::{PANIC_BELOW, PENALTY_MAX_NS};
use policy::{Balance, EndpointLoad, Picker};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

proptest! {
    #[test]
    fn somebody_is_asked_and_the_healthy_and_untried_first(
        ejected in proptest::collection::vec(any::<bool>(), 0..7),
        avoid in proptest::option::of(0_usize..8),
        draws in proptest::collection::vec(any::<u64>(), 1..20),
        round_robin in any::<bool>(),
    ) {
        let n = ejected.len();
        let loads: Vec<_> = ejected.iter().map(|out| {
            let load = EndpointLoad::first();
            if *out { load.eject(9 * SECOND) }
            load
        }).collect();
        let healthy = ejected.iter().filter(|out| !**out).count();
        let panic = (healthy as f64) < PANIC_BELOW * n as f64;
        let wanted = |i: usize| Some(i) != avoid && (panic || !ejected[i]);
        let picker = Picker::new(if round_robin { Balance::RoundRobin } else { Balance::P2cEwma });
        for bits in draws {
            let picked = picker.pick(&loads, |load| load, SECOND, bits, avoid);
            prop_assert_eq!(picked.is_none(), n == 0, "nobody only of none");
            let Some(i) = picked else { continue };
            prop_assert!(i < n);
            prop_assert!(wanted(i) || !(0..n).any(wanted), "{i} was asked though a better one stands by");
            // Where only the one tried before is healthy, it is better than an ejected one.
            prop_assert!(!ejected[i] || panic || n == 1, "{i} is out, and there is no panic");
        }
    }

    #[test]
    fn an_average_stays_between_nothing_and_the_slowest_sample(
        samples in proptest::collection::vec((0..SECOND, 0..60 * SECOND, any::<bool>()), 1..60),
    ) {
        let load = EndpointLoad::first();
        let (mut now, mut slowest) = (0, 0);
        for (gap, took, ok) in samples {
            now += gap;
            if ok { load.succeeded(now, took) } else { load.failed(now, took, Some(99 * SECOND)) }
            slowest = slowest.max(if ok { took } else { took.max(PENALTY_MAX_NS) });
            let average = load.ewma_ns(now);
            prop_assert!((0.0..=slowest as f64).contains(&average), "{average} of at most {slowest}");
            prop_assert!(load.cost(now).is_finite());
        }
    }
}

#[test]
fn threads_share_an_endpoint_without_losing_count() {
    let load = EndpointLoad::first();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let load = &load;
            scope.spawn(move || {
                for turn in 0..10_000 {
                    load.begin();
                    load.succeeded(turn * 1_000 + thread, 1_000_000 + turn);
                    load.end();
                }
            });
        }
    });
    assert_eq!(load.inflight(), 0);
    // Updates may be lost, never mixed: all samples lie between 1.00 and 1.01 ms.
    let last_ns = 9_999 * 1_000 + 3;
    assert!((0.99e6..1.02e6).contains(&load.ewma_ns(last_ns)), "{}", load.ewma_ns(last_ns));
}
