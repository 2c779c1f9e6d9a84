//! The laws of ejection, over any history of a cluster.
//!
//! Compared with Envoy's outlier detection (`consecutive_5xx`, `base_ejection_time`, `max_ejection_percent`): five failures
//! in a row, a time out that grows with each, a share of the cluster at most. Stricter in one thing: a refused connection
//! ejects at once.

use policy::EndpointLoad;
use policy::outlier::{CONSECUTIVE_FAILURES, MAX_EJECTED_SHARE, MAX_EJECTION_NS, ejected_until_ns};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

/// How a request to an endpoint ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Success,
    Failure,
    /// It did not accept the connection.
    Refused,
    /// It protected itself.
    Shed,
}

fn history() -> impl Strategy<Value = Vec<(u64, usize, Ending)>> {
    let ending = prop_oneof![
        2 => Just(Ending::Success), 6 => Just(Ending::Failure), 1 => Just(Ending::Refused), 2 => Just(Ending::Shed)
    ];
    proptest::collection::vec((0..SECOND, any::<usize>(), ending), 0..400)
}

/// An endpoint, and its failures since its last success or ejection.
struct Endpoint {
    load: EndpointLoad,
    streak: u32,
}

proptest! {
    #[test]
    fn only_failures_in_a_row_eject_and_never_more_than_half(steps in history(), size in 1_usize..8) {
        let mut cluster: Vec<_> = (0..size).map(|_| Endpoint { load: EndpointLoad::first(), streak: 0 }).collect();
        let mut now = SECOND;
        for (gap, index, ending) in steps {
            now += gap;
            let ejected = cluster.iter().filter(|endpoint| endpoint.load.is_ejected(now)).count();
            let endpoint = &mut cluster[index % size];
            let was_out = endpoint.load.is_ejected(now);
            let until = match ending {
                Ending::Success => {
                    endpoint.load.succeeded(now, 1);
                    endpoint.streak = 0;
                    None
                }
                Ending::Shed => {
                    endpoint.load.shed(now, 1, None);
                    None
                }
                Ending::Failure | Ending::Refused => {
                    endpoint.load.failed(now, 1, None);
                    endpoint.streak += 1;
                    ejected_until_ns(&endpoint.load, ending == Ending::Refused, ejected, size, now)
                }
            };
            let is_due = endpoint.streak >= CONSECUTIVE_FAILURES || ending == Ending::Refused;
            let Some(until) = until else {
                let has_room = ejected == 0 || (ejected + 1) as f64 <= MAX_EJECTED_SHARE * size as f64;
                let fails = matches!(ending, Ending::Failure | Ending::Refused);
                prop_assert!(!(fails && is_due && has_room && size > 1 && !was_out), "it has to go");
                continue;
            };
            prop_assert!(is_due, "{} failures in a row", endpoint.streak);
            prop_assert!(size > 1 && !was_out);
            prop_assert!(until > now && until - now <= MAX_EJECTION_NS, "it comes back");
            endpoint.load.eject(now, until);
            endpoint.streak = 0;
            let out = cluster.iter().filter(|endpoint| endpoint.load.is_ejected(now)).count();
            prop_assert!(out <= 1 || out * 2 <= size, "{out} of {size}");
        }
        // Whatever has been, all are back once the longest time out has passed.
        now += MAX_EJECTION_NS + 1;
        prop_assert!(cluster.iter().all(|endpoint| !endpoint.load.is_ejected(now)));
    }

    #[test]
    fn each_time_out_is_longer_until_it_is_forgiven(times in 1_u32..20) {
        let load = EndpointLoad::first();
        let (mut now, mut last) = (SECOND, 0);
        for _ in 0..times {
            for _ in 0..CONSECUTIVE_FAILURES {
                load.failed(now, 1, None);
            }
            let until = ejected_until_ns(&load, false, 0, 2, now).expect("five in a row");
            prop_assert!(until - now >= last, "not shorter than the one before");
            last = until - now;
            load.eject(now, until);
            now = until;
        }
    }
}
