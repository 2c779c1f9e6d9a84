//! What the layers do when the other side does not answer well.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::{CallContext, Carrier, RefusalKind};
use fault::{Match, ShareOf};
use futures_util::future::join_all;
use policy::breaker::BreakerState;

use crate::pair::{
    GREETER, Greet, HOST, PATIENCE, Pair, Ponder, Sign, dead_port, lease, patient, put, until, within,
};

const ABORT: &str = "do = \"abort\"\nstatus = 503";

fn hits(pair: &Pair) -> u64 {
    pair.edge_faults.hits().iter().map(|(_, hits)| hits).sum()
}

#[tokio::test]
async fn a_retry_under_an_abort_really_retries() {
    let pair = Pair::start(Carrier::Json).await;
    put(&pair.edge_faults, lease("host->greeter", ABORT, Match::first(1)));
    let greeting = pair.greet(&patient()).await.expect("the second try comes through");
    assert_eq!(greeting.attempt, 1, "and carries the number of its try");
    assert_eq!((hits(&pair), pair.greeter.begun()), (1, 1));
}

#[tokio::test]
async fn a_refusal_by_the_callee_is_tried_again_as_well() {
    let pair = Pair::start(Carrier::Binary).await;
    pair.greeter.refusals.store(1, Ordering::SeqCst);
    pair.greet(&patient()).await.expect("the second try comes through");
    assert_eq!(pair.greeter.begun(), 2);
}

#[tokio::test]
async fn what_must_not_be_repeated_is_not() {
    let pair = Pair::start(Carrier::Json).await;
    pair.greeter.refusals.store(1, Ordering::SeqCst);
    let refusal =
        pair.ask::<Sign>().answer(&patient(), Sign { name: "ada".into() }).await.expect_err("refused");
    assert_eq!((refusal.kind, pair.greeter.begun()), (RefusalKind::Unavailable, 1));
}

#[tokio::test]
async fn a_retry_is_not_retried() {
    let pair = Pair::start(Carrier::Json).await;
    pair.greeter.refusals.store(1, Ordering::SeqCst);
    let retry = CallContext { attempt: 1, ..patient() };
    pair.greet(&retry).await.expect_err("the one before retries, not we");
    assert_eq!(pair.greeter.begun(), 1);
}

#[tokio::test]
async fn retries_stop_at_the_budget() {
    let policy =
        "attempts = 4\nbackoff = \"0s\"\nbudget = { ratio = \"10%\", min = \"1/s\", window = \"10s\" }";
    // A breaker would end the storm first.
    let pair = Pair::with(Carrier::Json, &format!("{policy}\nbreaker = {{ minimum = 10000 }}")).await;
    put(&pair.edge_faults, lease("host->greeter", ABORT, Match::default()));
    for _ in 0..100 {
        pair.greet(&patient()).await.expect_err("everything is aborted");
    }
    // 100 first tries. A window of 10 s holds a floor of 10 tokens and 100 deposits
    // of 0.1, so 20 retries in all; should the test take a second or more, each
    // second past the window's end could lose, never add, some of them.
    assert!((110..=120).contains(&hits(&pair)), "{} tries", hits(&pair));
}

#[tokio::test]
async fn without_a_budget_every_attempt_is_made() {
    let pair =
        Pair::with(Carrier::Json, "attempts = 4\nbackoff = \"0s\"\nbreaker = { minimum = 10000 }").await;
    put(&pair.edge_faults, lease("host->greeter", ABORT, Match::default()));
    for _ in 0..10 {
        pair.greet(&patient()).await.expect_err("everything is aborted");
    }
    assert_eq!(hits(&pair), 40);
}

#[tokio::test]
async fn a_breaker_opens_half_opens_and_closes() {
    let policy =
        "attempts = 1\nbreaker = { errors = \"50%\", window = \"10 calls\", open = \"3s\", probes = 2 }";
    let pair = Pair::with(Carrier::Json, policy).await;
    let edge = pair.here.edge(HOST, GREETER);
    put(&pair.edge_faults, lease("host->greeter", ABORT, Match::default()));
    for _ in 0..10 {
        pair.greet(&patient()).await.expect_err("everything is aborted");
    }
    assert_eq!(edge.circuit(), BreakerState::Open, "ten of ten failed");
    let refusal = pair.greet(&patient()).await.expect_err("open");
    assert_eq!((refusal.code.as_ref(), hits(&pair)), ("circuit_open", 10), "and nothing was sent");
    assert!(refusal.retry_after.is_some_and(|wait| wait <= Duration::from_secs(3)));

    pair.edge_faults.end("test");
    let probe = async {
        while let Err(refusal) = pair.greet(&patient()).await {
            assert_eq!(refusal.code, "circuit_open", "until it has rested");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, probe).await.expect("the first probe");
    assert_eq!(edge.circuit(), BreakerState::HalfOpen, "one of two probes is back");
    pair.greet(&patient()).await.expect("the second probe");
    assert_eq!(edge.circuit(), BreakerState::Closed);
}

#[tokio::test]
async fn a_probe_whose_caller_leaves_teaches_nothing_and_leaves_its_place_to_the_next() {
    let policy = "attempts = 1\nbreaker = { window = \"2 calls\", open = \"1ms\", probes = 1 }";
    let pair = Pair::with(Carrier::Json, policy).await;
    let edge = pair.here.edge(HOST, GREETER);
    put(&pair.edge_faults, lease("host->greeter", ABORT, Match::default()));
    for _ in 0..2 {
        pair.greet(&patient()).await.expect_err("everything is aborted");
    }
    assert_eq!(edge.circuit(), BreakerState::Open);
    pair.edge_faults.end("test");
    let (cx, asked) = (patient(), pair.ask::<Ponder>());
    loop {
        let call = asked.answer(&cx, Ponder);
        tokio::select! {
            refused = call => {
                let refusal = refused.expect_err("no call of this test is released");
                assert_eq!(refusal.code, "circuit_open", "until it has rested");
            }
            () = until("the probe arrives", || pair.greeter.begun() == 1) => break,
        }
    }
    assert_eq!(edge.circuit(), BreakerState::HalfOpen, "its caller has left");
    pair.greet(&patient()).await.expect("the next probe");
    assert_eq!(edge.circuit(), BreakerState::Closed);
}

#[tokio::test]
async fn an_open_breaker_ends_the_retries() {
    let policy = "attempts = 4\nbackoff = \"0s\"\nbreaker = { window = \"2 calls\", open = \"1m\" }";
    let pair = Pair::with(Carrier::Json, policy).await;
    put(&pair.edge_faults, lease("host->greeter", ABORT, Match::default()));
    let refusal = pair.greet(&patient()).await.expect_err("aborted, then open");
    // The window holds two calls: the second failure opens it, the third try meets it open.
    assert_eq!((refusal.code.as_ref(), hits(&pair)), ("circuit_open", 2));
}

#[tokio::test]
async fn a_bulkhead_and_an_adaptive_limit_let_so_many_in() {
    for (policy, code) in [
        ("bulkhead = 2", "bulkhead_full"),
        ("adaptive_concurrency = { initial = 2, max = 2, queue = 1 }", "concurrency_limited"),
    ] {
        let pair = Pair::with(Carrier::Json, policy).await;
        let (one, two) = (pair.ask::<Ponder>(), pair.ask::<Ponder>());
        let cx = patient();
        let both = async { tokio::join!(one.answer(&cx, Ponder), two.answer(&cx, Ponder)) };
        let third = async {
            until("two calls under way", || pair.greeter.begun() == 2).await;
            let refusal = pair.greet(&patient()).await.expect_err("two are under way");
            assert_eq!((refusal.kind, refusal.code.as_ref()), (RefusalKind::Unavailable, code));
            pair.greeter.release.notify_one();
            pair.greeter.release.notify_one();
        };
        let ((one, two), ()) = tokio::join!(both, third);
        one.expect("released");
        two.expect("released");
        pair.greet(&patient()).await.expect("the places are free again");
        assert_eq!(
            pair.here.edge(HOST, GREETER).circuit(),
            BreakerState::Closed,
            "{policy}: a call that found no place teaches nothing about the callee"
        );
    }
}

/// Sixteen greetings at once: how many were answered. Whatever else became of them is that they found no place.
async fn greet_at_once(pair: &Pair) -> u32 {
    let cx = patient();
    let greetings = join_all((0..16).map(|_| pair.greet(&cx))).await;
    let refused: Vec<_> = greetings.iter().filter_map(|greeting| greeting.as_ref().err()).collect();
    assert!(refused.iter().all(|refusal| refusal.code == "concurrency_limited"), "{refused:?}");
    16 - refused.len() as u32
}

#[tokio::test]
async fn an_adaptive_limit_falls_while_the_callee_is_slow_and_rises_again() {
    let options = "{ initial = 16, max = 16, queue = 2, window = \"1ms\" }";
    let policy = format!("attempts = 1\nadaptive_concurrency = {options}");
    let pair = Pair::with(Carrier::Json, &policy).await;
    let edge = pair.here.edge(HOST, GREETER);
    let limit = || edge.concurrency_limit().expect("the policy has one");
    assert_eq!(greet_at_once(&pair).await, 16, "as many as it has at first");
    // More windows than the average begins with: it knows how long a greeting takes.
    for _ in 0..40 {
        greet_at_once(&pair).await;
    }
    put(&pair.edge_faults, lease("host->greeter", "do = \"delay\"\nby = \"100ms\"", Match::default()));
    // A delay of many times what a greeting takes: half of the limit and a queue of 2, so that it goes on to 4.
    let fallen = async {
        while limit() > 8 {
            greet_at_once(&pair).await;
        }
    };
    tokio::time::timeout(PATIENCE, fallen).await.expect("a lower limit");
    let before = limit();
    assert!(greet_at_once(&pair).await <= before, "the others are refused");
    pair.edge_faults.end("test");
    let risen = async {
        while limit() < 12 {
            greet_at_once(&pair).await;
        }
    };
    tokio::time::timeout(PATIENCE, risen).await.expect("a higher limit");
    pair.here.reset();
    assert_eq!(limit(), 16, "as before the first call");
}

#[tokio::test]
async fn a_hang_ends_by_the_timeout_of_the_try() {
    // Long enough for the second try to be answered.
    let pair = Pair::with(Carrier::Json, "timeout = \"2s\"\nattempts = 2").await;
    put(&pair.edge_faults, lease("host->greeter", "do = \"hang\"", Match::first(1)));
    let greeting = pair.greet(&patient()).await.expect("the second try is not hit");
    assert_eq!((greeting.attempt, hits(&pair)), (1, 1));
}

#[tokio::test]
async fn a_hanging_callee_ends_by_the_timeout_of_the_try() {
    let pair = Pair::with(Carrier::Json, "timeout = \"30ms\"\nattempts = 2").await;
    put(&pair.component_faults, lease("greeter", "do = \"hang\"", Match::default()));
    let refusal = pair.greet(&patient()).await.expect_err("both tries hang");
    assert_eq!(refusal.kind, RefusalKind::DeadlineExceeded);
    assert_eq!(pair.greeter.begun(), 0);
}

#[tokio::test]
async fn a_hang_without_a_timeout_ends_with_the_request() {
    for carrier in [Carrier::Local, Carrier::Json] {
        let pair = Pair::start(carrier).await;
        put(&pair.component_faults, lease("greeter", "do = \"hang\"", Match::default()));
        let refusal = pair.greet(&within(Duration::from_millis(50))).await.expect_err("it hangs");
        assert_eq!(refusal.kind, RefusalKind::DeadlineExceeded, "{carrier:?}");
    }
}

/// Gives tries 100 ms of a component that takes a second, until one of them has
/// arrived. Answers how many arrived, and how much work was begun in the end.
async fn abandon(deadline: bool) -> (u64, u64) {
    let policy = format!("timeout = \"100ms\"\nattempts = 1\ncancel = \"detach\"\ndeadline = {deadline}");
    let pair = Pair::with(Carrier::Json, &policy).await;
    put(&pair.component_faults, lease("greeter", "do = \"delay\"\nby = \"1s\"", Match::default()));
    let arrived = || pair.component_faults.hits()[0].1;
    while arrived() == 0 {
        pair.greet(&patient()).await.expect_err("100 ms are over before the delay");
    }
    until("the caller's connection ends", || pair.server.as_ref().is_some_and(|s| s.connections() == 0))
        .await;
    assert_eq!(pair.there.detached().finish(Duration::from_secs(10)).await, 0);
    (arrived(), pair.greeter.begun())
}

#[tokio::test]
async fn abandoned_work_is_not_begun_where_deadlines_travel() {
    let (arrived, begun) = abandon(true).await;
    assert_eq!(begun, 0, "of {arrived}");
}

#[tokio::test]
async fn abandoned_work_is_done_in_vain_where_they_do_not() {
    let (arrived, begun) = abandon(false).await;
    assert_eq!(arrived, begun);
}

/// Leaves in the middle of a call, and answers how many calls were begun and done.
async fn leave(policy: &str) -> (u64, u64) {
    let pair = Pair::with(Carrier::Json, policy).await;
    let cx = patient();
    let asked = pair.ask::<Ponder>();
    {
        let call = asked.answer(&cx, Ponder);
        tokio::select! {
            _ = call => panic!("it was not released"),
            () = until("the call arrives", || pair.greeter.begun() == 1) => {}
        }
    }
    // The caller is gone. A callee that still works may finish.
    until("the connection ends", || pair.server.as_ref().is_some_and(|s| s.connections() == 0)).await;
    pair.greeter.release.notify_one();
    pair.there.detached().finish(Duration::from_secs(10)).await;
    (pair.greeter.begun(), pair.greeter.done())
}

#[tokio::test]
async fn propagate_drops_the_work_of_a_caller_that_left() {
    assert_eq!(leave("cancel = \"propagate\"").await, (1, 0));
}

#[tokio::test]
async fn detach_finishes_it() {
    assert_eq!(leave("cancel = \"detach\"").await, (1, 1));
}

#[tokio::test]
async fn a_dead_callee_is_unavailable_and_anything_may_be_tried_again() {
    let pair = Pair::with(Carrier::Json, "attempts = 3\nbackoff = \"0s\"").await;
    let (_kept, dead) = dead_port();
    pair.clusters.get(GREETER).update(vec![transport::Instance::new("greeter#0", dead)]);
    let refusal = pair.ask::<Sign>().answer(&patient(), Sign { name: "ada".into() }).await.expect_err("dead");
    assert_eq!((refusal.kind, refusal.code.as_ref()), (RefusalKind::Unavailable, "unreachable"));
    pair.clusters.get(GREETER).update(Vec::new());
    let refusal = pair.greet(&patient()).await.expect_err("no endpoint");
    assert_eq!((refusal.kind, refusal.code.as_ref()), (RefusalKind::Unavailable, "no_endpoint"));
}

#[tokio::test]
async fn a_retry_goes_to_another_copy() {
    let pair = Pair::with(Carrier::Json, "attempts = 2\nbackoff = \"0s\"\nbalance = \"round-robin\"").await;
    let alive = pair.server.as_ref().expect("remote").addr();
    let (_kept, dead) = dead_port();
    let instance = transport::Instance::new;
    pair.clusters.get(GREETER).update(vec![instance("greeter#0", dead), instance("greeter#1", alive)]);
    for _ in 0..20 {
        pair.ask::<Sign>()
            .answer(&patient(), Sign { name: "ada".into() })
            .await
            .expect("one of two is alive");
    }
}

/// The requests that a 30 % share hits when they are sent from so many threads.
fn hit_requests(threads: usize) -> BTreeSet<u64> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let pair = Arc::new(Pair::with(Carrier::Json, "attempts = 1\nbreaker = { minimum = 10000 }").await);
        let share = Match::share("30%".parse().expect("a share"), ShareOf::Requests);
        put(&pair.edge_faults, lease("host->greeter", ABORT, share));
        let hit = Arc::new(Mutex::new(BTreeSet::new()));
        let lanes = (0..8).map(|lane| {
            let (pair, hit) = (pair.clone(), hit.clone());
            runtime.handle().spawn(async move {
                for request in (1..=200).filter(|n| n % 8 == lane) {
                    let cx = CallContext { request, ..patient() };
                    let call = Greet { name: "ada".into(), times: 1 };
                    if pair.ask::<Greet>().answer(&cx, call).await.is_err() {
                        hit.lock().expect("no panic while held").insert(request);
                    }
                }
            })
        });
        for lane in lanes.collect::<Vec<_>>() {
            lane.await.expect("no panic");
        }
        let hit = hit.lock().expect("no panic while held");
        hit.clone()
    })
}

#[test]
fn the_same_seed_hits_the_same_requests_on_one_thread_and_on_eight() {
    let alone = hit_requests(1);
    // Binomial(200, 0.3): 60, standard deviation 6.5.
    assert!((30..=90).contains(&alone.len()), "{} of 200", alone.len());
    assert_eq!(alone, hit_requests(8));
}

#[tokio::test]
async fn a_partition_names_the_direction_it_cuts() {
    let cut = [("from", 1), ("to", 0), ("both", 0)].map(|(direction, done)| async move {
        let pair = Pair::with(Carrier::Json, "attempts = 1").await;
        let fault = format!("do = \"partition\"\ndirection = \"{direction}\"");
        put(&pair.edge_faults, lease("host->greeter", &fault, Match::default()));
        let sign = pair.ask::<Sign>();
        // Long enough for the write to arrive.
        sign.answer(&within(Duration::from_secs(3)), Sign { name: "ada".into() })
            .await
            .expect_err("the caller sees an error either way");
        assert_eq!(pair.greeter.done(), done, "`{direction}`: whether the write exists");
    });
    join_all(cut).await;
}
