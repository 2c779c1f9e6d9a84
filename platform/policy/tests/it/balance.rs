//! Which endpoint is asked: one whenever there is one, and the healthy first.

use policy::balance::{PANIC_BELOW, PENALTY_MAX_NS};
use policy::{Balance, EndpointLoad, Picker};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

/// Every cluster of up to five, every choice of who is out, every one to avoid: few enough to try all.
#[test]
fn an_endpoint_is_picked_and_the_healthy_and_untried_first() {
    for n in 0..=5_usize {
        for (out, avoid) in (0_u32..1 << n).flat_map(|out| (0..=n).map(move |avoid| (out, avoid))) {
            // `avoid == n` is no endpoint.
            let avoid = Some(avoid).filter(|i| *i < n);
            for balance in [Balance::RoundRobin, Balance::P2cEwma, Balance::BoundedHash] {
                check_picks(n, out, avoid, balance);
            }
        }
    }
}

/// Bit `i` of `out` says that endpoint `i` is ejected.
fn check_picks(n: usize, out: u32, avoid: Option<usize>, balance: Balance) {
    let is_out = |i: usize| out & (1 << i) != 0;
    let loads: Vec<_> = (0..n).map(|_| EndpointLoad::first()).collect();
    (0..n).filter(|i| is_out(*i)).for_each(|i| loads[i].eject(0, 9 * SECOND));
    let healthy = (0..n).filter(|i| !is_out(*i)).count();
    let panic = (healthy as f64) < PANIC_BELOW * n as f64;
    let wanted = |i: usize| Some(i) != avoid && (panic || !is_out(i));
    let case = format!("{n} endpoints, out {out:b}, avoid {avoid:?}, {balance:?}");
    let picker = Picker::new(balance);
    for turn in 0..32_u64 {
        // Multiplying by an odd constant spreads the turns over both halves of the word.
        let bits = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let Some(i) = picker.pick(&loads, |load| load, SECOND, bits, avoid) else {
            assert_eq!(n, 0, "no endpoint is picked: {case}");
            return;
        };
        assert!(i < n, "{case}");
        assert!(wanted(i) || !(0..n).any(wanted), "{i} is asked though a better one stands by: {case}");
        // The one tried before is better than one that is out.
        assert!(!is_out(i) || panic || n == 1, "{i} is out, and there is no panic: {case}");
    }
}

proptest! {
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
