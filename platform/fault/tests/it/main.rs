//! What leases do to calls, seen from outside.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use contract::{ComponentName, Principal};
use fault::kinds::{Abort, Delay, Hang};
use fault::{CallSite, End, Fault, Lease, LeaseTable, Match, ShareOf, Side};

const FEED: ComponentName = ComponentName::of("feed");
const FOLLOWER: ComponentName = ComponentName::of("follower");
const SECOND: u64 = 1_000_000_000;
const TTL: Duration = Duration::from_secs(3);

fn lease(id: &str, target: &str, fault: Fault) -> Lease {
    Lease {
        id: id.into(),
        order: 0,
        fault,
        target: target.parse().expect("a target"),
        matching: Match::default(),
        copies: Vec::new(),
        detours: Vec::new(),
        ramp_ms: 0,
        seed: 42,
    }
}

fn delay(ms: u64) -> Fault {
    Fault::Delay(Delay::by(Duration::from_millis(ms)))
}

fn abort(status: u16) -> Fault {
    Fault::Abort(Abort::with(status).expect("a failure"))
}

fn call(side: Side, request: u64) -> CallSite<'static> {
    CallSite {
        caller: FEED,
        callee: FOLLOWER,
        side,
        route: "follower.followers_of",
        request,
        attempt: 0,
        principal: Some(Principal::new(request % 10)),
        copy: None,
    }
}

fn hit(table: &LeaseTable, site: &CallSite<'_>) -> bool {
    !table.call_fault(site, 0).is_clear()
}

#[test]
fn edges_hit_callers_and_components_hit_callees() {
    for (target, caller, callee) in [
        ("feed->follower", true, false),
        ("*->follower", true, false),
        ("feed->*", true, false),
        ("follower->feed", false, false),
        ("follower", false, true),
        ("follower#0", false, true),
        ("feed", false, false),
    ] {
        let table = LeaseTable::new();
        table.put(lease("x", target, delay(1)), TTL, 0).expect("room");
        assert_eq!(hit(&table, &call(Side::Caller, 1)), caller, "{target}");
        assert_eq!(hit(&table, &call(Side::Callee, 1)), callee, "{target}");
    }
}

#[test]
fn a_lease_lapses_unless_renewed() {
    let table = LeaseTable::new();
    table.put(lease("slow", "follower", delay(1)), TTL, 0).expect("room");
    let is_hit = |now_ns| !table.call_fault(&call(Side::Callee, 1), now_ns).is_clear();
    // Three seconds from 0, the end itself excluded.
    assert!(is_hit(3 * SECOND - 1));
    assert!(!is_hit(3 * SECOND));
    assert!(table.renew("slow", TTL, 2 * SECOND));
    assert!(is_hit(5 * SECOND - 1));
    assert!(!is_hit(5 * SECOND));
    // Too late: what has lapsed stays so.
    assert!(!table.renew("slow", TTL, 5 * SECOND));
    assert!(!table.is_empty());
    table.sweep(5 * SECOND);
    assert!(table.is_empty());
    assert_eq!(table.hits(), [("slow".to_owned(), 2)], "hits outlive the lease");
}

#[test]
fn no_lease_is_granted_for_longer_than_half_a_minute() {
    let table = LeaseTable::new();
    table.put(lease("slow", "follower", delay(1)), Duration::from_secs(3_600), 0).expect("room");
    assert!(table.call_fault(&call(Side::Callee, 1), 30 * SECOND).is_clear());
}

#[test]
fn overlapping_delays_add_and_the_sum_is_recomputed() {
    let table = LeaseTable::new();
    let total = || table.call_fault(&call(Side::Callee, 1), 0).delay.as_millis();
    table.put(lease("one", "follower", delay(100)), TTL, 0).expect("room");
    table.put(lease("two", "follower", delay(30)), TTL, 0).expect("room");
    assert_eq!(total(), 130);
    assert!(table.end("one"));
    assert_eq!(total(), 30);
    assert!(table.end("two"));
    assert!(!table.end("two"));
    assert_eq!(total(), 0);
}

#[test]
fn overlapping_slows_multiply_and_each_ends_by_itself() {
    let table = LeaseTable::new();
    let slow = |by: f64| Fault::Slow(toml::from_str(&format!("by = \"{by}x\"")).expect("a factor"));
    for (id, by) in [("two", 2.0), ("three", 3.0)] {
        table.put(lease(id, "follower", slow(by)), TTL, 0).expect("room");
    }
    let now = || table.call_fault(&call(Side::Callee, 1), 0).slow;
    assert_eq!(now(), 6.0);
    table.end("two");
    assert_eq!(now(), 3.0, "exactly what the other alone does");
    table.end("three");
    assert_eq!(now(), 1.0);
}

#[test]
fn the_first_end_in_file_order_wins() {
    let table = LeaseTable::new();
    let at = |order, lease: Lease| Lease { order, ..lease };
    // Put in another order than they apply in.
    table.put(at(3, lease("c", "follower", delay(7))), TTL, 0).expect("room");
    table.put(at(2, lease("b", "follower", abort(503))), TTL, 0).expect("room");
    table.put(at(4, lease("d", "follower", Fault::Hang(Hang {}))), TTL, 0).expect("room");
    table.put(at(1, lease("a", "follower", delay(5))), TTL, 0).expect("room");
    let fault = table.call_fault(&call(Side::Callee, 1), 0);
    assert_eq!(fault.delay, Duration::from_millis(5), "the delay behind the abort is never reached");
    assert_eq!(fault.end, Some(End::Abort(503)));
    let hits = table.hits().into_iter().filter(|(_, n)| *n > 0).map(|(id, _)| id).collect::<BTreeSet<_>>();
    assert_eq!(hits.into_iter().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_lease_put_again_keeps_its_count_and_another_of_its_name_replaces_it() {
    let table = LeaseTable::new();
    let first = Lease { matching: Match::first(2), ..lease("x", "follower", abort(500)) };
    table.put(first.clone(), TTL, 0).expect("room");
    assert!(hit(&table, &call(Side::Callee, 1)));
    table.put(first, TTL, SECOND).expect("room");
    assert!(hit(&table, &call(Side::Callee, 2)));
    assert!(!hit(&table, &call(Side::Callee, 3)), "two is two, renewed or not");
    table.put(lease("x", "follower", delay(1)), TTL, SECOND).expect("room");
    assert_eq!(table.list(0).len(), 1);
    assert!(hit(&table, &call(Side::Callee, 4)));
    assert_eq!(table.hits(), [("x".to_owned(), 3)]);
}

#[test]
fn a_full_table_refuses() {
    let table = LeaseTable::new();
    for n in 0..64 {
        table.put(lease(&n.to_string(), "follower", delay(1)), TTL, 0).expect("room for 64");
    }
    let more = lease("one more", "follower", delay(1));
    table.put(more.clone(), TTL, 0).expect_err("64 is the limit");
    table.put(more, TTL, 3 * SECOND).expect("lapsed leases make room");
}

#[test]
fn every_third_is_exact_on_each_edge() {
    let table = LeaseTable::new();
    table
        .put(Lease { matching: Match::every(3), ..lease("x", "*->follower", abort(500)) }, TTL, 0)
        .expect("room");
    let other = |request| CallSite { caller: ComponentName::of("search"), ..call(Side::Caller, request) };
    // 9 calls on one edge and 4 on another: 3 + 1 hits, counted apart.
    let feed = (0..9).filter(|&n| hit(&table, &call(Side::Caller, n))).count();
    let search = (0..4).filter(|&n| hit(&table, &other(n))).count();
    assert_eq!((feed, search), (3, 1));
}

#[test]
fn a_route_narrows_the_target() {
    let table = LeaseTable::new();
    let matching = Match::default().on_route("follower.followers_of");
    table.put(Lease { matching, ..lease("x", "follower", delay(1)) }, TTL, 0).expect("room");
    assert!(hit(&table, &call(Side::Callee, 1)));
    assert!(!hit(&table, &CallSite { route: "follower.counts", ..call(Side::Callee, 1) }));
}

fn thirty_percent(of: ShareOf) -> LeaseTable {
    let table = LeaseTable::new();
    let matching = Match::share("30%".parse().expect("a ratio"), of);
    table.put(Lease { matching, ..lease("x", "feed->follower", abort(503)) }, TTL, 0).expect("room");
    table
}

#[test]
fn a_share_is_a_share() {
    let table = thirty_percent(ShareOf::Calls);
    let hits = (1..=10_000).filter(|&n| hit(&table, &call(Side::Caller, n))).count();
    // Binomial(10,000, 0.3): standard deviation 46; five of them is 230.
    assert!((2_770..=3_230).contains(&hits), "{hits} of 10,000");
}

#[test]
fn a_retry_draws_again_only_where_calls_are_counted() {
    let retry = |n| CallSite { attempt: 1, ..call(Side::Caller, n) };
    let differs = |of| {
        let table = thirty_percent(of);
        (1..=1_000).filter(|&n| hit(&table, &call(Side::Caller, n)) != hit(&table, &retry(n))).count()
    };
    // Two independent draws differ with probability 2 x 0.3 x 0.7 = 0.42.
    assert!((340..=500).contains(&differs(ShareOf::Calls)));
    assert_eq!(differs(ShareOf::Requests), 0);
    assert_eq!(differs(ShareOf::Users), 0);
}

#[test]
fn users_are_hit_throughout_or_never() {
    let table = thirty_percent(ShareOf::Users);
    let user =
        |n: u64, user: u64| CallSite { principal: Some(Principal::new(user)), ..call(Side::Caller, n) };
    for number in 0..50 {
        let outcomes: BTreeSet<bool> = (1..20).map(|n| hit(&table, &user(n, number))).collect();
        assert_eq!(outcomes.len(), 1, "user {number}");
    }
}

#[test]
fn the_same_seed_hits_the_same_requests_on_one_thread_and_on_eight() {
    let run = |threads: u64| {
        let table = thirty_percent(ShareOf::Requests);
        let hits = Mutex::new(BTreeSet::new());
        thread::scope(|scope| {
            for thread in 0..threads {
                let (table, hits) = (&table, &hits);
                scope.spawn(move || {
                    for request in (1..=2_000).filter(|n| n % threads == thread) {
                        if hit(table, &call(Side::Caller, request)) {
                            hits.lock().expect("no panic while held").insert(request);
                        }
                    }
                });
            }
        });
        hits.into_inner().expect("no panic while held")
    };
    let alone = run(1);
    assert!(!alone.is_empty());
    assert_eq!(alone, run(8));
}

#[test]
fn another_seed_hits_others() {
    let with = |seed| {
        let table = LeaseTable::new();
        let matching = Match::share("30%".parse().expect("a ratio"), ShareOf::Requests);
        table
            .put(Lease { matching, seed, ..lease("x", "feed->follower", abort(503)) }, TTL, 0)
            .expect("room");
        (1..=500).filter(|&n| hit(&table, &call(Side::Caller, n))).collect::<Vec<_>>()
    };
    assert_ne!(with(1), with(2));
}

#[test]
fn background_work_is_hit_by_its_share_as_well() {
    let table = thirty_percent(ShareOf::Requests);
    let hits = (0..10_000).filter(|_| hit(&table, &call(Side::Caller, 0))).count();
    assert!((2_770..=3_230).contains(&hits), "{hits} of 10,000");
}

#[test]
fn hits_are_counted_each_and_a_lasting_state_once() {
    let table = LeaseTable::new();
    let fault = |text: &str| toml::from_str::<Fault>(text).expect(text);
    table.put(lease("full", "db:follower", fault("do = \"disk-full\"")), TTL, 0).expect("room");
    table.put(lease("burn", "follower", fault("do = \"cpu\"")), TTL, 0).expect("room");
    let hits = |id: &str| table.list(0).into_iter().find(|listed| listed.lease.id == id).map(|l| l.hits);
    assert_eq!((hits("full"), hits("burn")), (Some(0), Some(1)));
    table.count_hits("disk-full", 3);
    assert_eq!((hits("full"), hits("burn")), (Some(3), Some(1)), "no write before");
}
