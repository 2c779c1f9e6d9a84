//! Outlier ejection: endpoints that keep failing are taken out for a while.

use crate::balance::EndpointLoad;

/// Failures in a row (Envoy's default).
pub const CONSECUTIVE_FAILURES: u32 = 5;
/// First time out, ns; the n-th time is n times as long. Times are forgiven ([`crate::balance::FORGIVEN_AFTER_NS`]).
pub const BASE_EJECTION_NS: u64 = 3_000_000_000;
/// Longest time out, ns.
pub const MAX_EJECTION_NS: u64 = 30_000_000_000;
/// Share of a cluster that may be out at once; one always may.
pub const MAX_EJECTED_SHARE: f64 = 0.5;

/// Whether an endpoint's latest failure takes it out, and until when, ns.
/// `refused` means it did not accept the connection: no use asking again at once.
pub fn ejected_until_ns(
    load: &EndpointLoad,
    refused: bool,
    ejected: usize,
    cluster: usize,
    now_ns: u64,
) -> Option<u64> {
    let streak = load.fail_streak() >= CONSECUTIVE_FAILURES || refused;
    let room = ejected == 0 || ((ejected + 1) as f64) <= MAX_EJECTED_SHARE * cluster as f64;
    // The last one standing is asked even when it fails: its answer is better than none.
    (streak && room && cluster > 1 && !load.is_ejected(now_ns))
        .then(|| now_ns + (BASE_EJECTION_NS * u64::from(load.ejections(now_ns) + 1)).min(MAX_EJECTION_NS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::FORGIVEN_AFTER_NS;

    fn failing(times: u32) -> EndpointLoad {
        let load = EndpointLoad::first();
        (0..times).for_each(|_| load.failed(0, 0, None));
        load
    }

    #[test]
    fn five_in_a_row_or_one_refused_connection() {
        assert_eq!(ejected_until_ns(&failing(4), false, 0, 3, 0), None);
        assert_eq!(ejected_until_ns(&failing(5), false, 0, 3, 0), Some(BASE_EJECTION_NS));
        assert_eq!(ejected_until_ns(&failing(1), true, 0, 3, 0), Some(BASE_EJECTION_NS));
        let mended = failing(4);
        mended.succeeded(0, 1);
        mended.failed(0, 0, None);
        assert_eq!(ejected_until_ns(&mended, false, 0, 3, 0), None, "a success breaks the streak");
    }

    #[test]
    fn each_time_it_is_out_longer() {
        let load = failing(5);
        load.eject(0, BASE_EJECTION_NS);
        (0..5).for_each(|_| load.failed(BASE_EJECTION_NS, 0, None));
        assert_eq!(
            ejected_until_ns(&load, false, 0, 3, BASE_EJECTION_NS),
            Some(BASE_EJECTION_NS + 2 * BASE_EJECTION_NS)
        );
    }

    #[test]
    fn what_was_long_ago_is_forgiven() {
        let load = EndpointLoad::first();
        (1..=3).for_each(|turn| load.eject(0, turn * BASE_EJECTION_NS));
        let back_ns = 3 * BASE_EJECTION_NS;
        assert_eq!(load.ejections(back_ns), 3);
        assert_eq!(load.ejections(back_ns + FORGIVEN_AFTER_NS), 2);
        assert_eq!(load.ejections(back_ns + 60 * FORGIVEN_AFTER_NS), 0);
        let late_ns = back_ns + 60 * FORGIVEN_AFTER_NS;
        (0..5).for_each(|_| load.failed(late_ns, 0, None));
        assert_eq!(ejected_until_ns(&load, false, 0, 3, late_ns), Some(late_ns + BASE_EJECTION_NS));
    }

    #[test]
    fn what_an_endpoint_sheds_takes_it_out_never() {
        let load = EndpointLoad::first();
        (0..100).for_each(|_| load.shed(0, 0, None));
        assert_eq!((ejected_until_ns(&load, false, 0, 3, 0), load.fail_streak()), (None, 0));
        assert!(load.ewma_ns(0) >= 1e9, "though others are asked first");
    }

    #[test]
    fn half_of_a_cluster_at_most_and_never_the_only_one() {
        assert_eq!(ejected_until_ns(&failing(5), false, 2, 4, 0), None);
        assert!(ejected_until_ns(&failing(5), false, 1, 4, 0).is_some());
        assert!(ejected_until_ns(&failing(5), false, 0, 2, 0).is_some(), "one of two may go");
        assert_eq!(ejected_until_ns(&failing(5), true, 0, 1, 0), None);
    }
}
