//! What a scenario declares of a component: places, queues, caches; and second tries, and held back ones.

use std::sync::atomic::Ordering;
use std::time::Duration;

use contract::{Carrier, Refusal, RefusalKind};
use fault::Match;

use crate::pair::{GREETER, Greet, Greeting, HOST, Pair, Ponder, Sign, lease, patient, put, until, within};

/// Longer than any test waits.
const FOR_EVER: &str = "do = \"delay\"\nby = \"30s\"";

async fn shaped(service: &str) -> Pair {
    Pair::shaped(Carrier::Json, "attempts = 1", service).await
}

async fn greet_as(pair: &Pair, name: &str) -> Result<Greeting, Refusal> {
    pair.ask::<Greet>().answer(&patient(), Greet { name: name.into(), times: 1 }).await
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_those_in_it_are_served() {
    let pair = shaped("slots = 1\nqueue = 1").await;
    let (one, two) = (pair.ask::<Ponder>(), pair.ask::<Ponder>());
    let cx = patient();
    let served = async { tokio::join!(one.answer(&cx, Ponder), two.answer(&cx, Ponder)) };
    let third = async {
        until("one holds the slot", || pair.greeter.begun() == 1).await;
        // The second is in the queue once a third is turned away.
        let mut refusal = None;
        while refusal.is_none() {
            refusal = pair
                .ask::<Greet>()
                .answer(&within(Duration::from_millis(50)), Greet { name: "ada".into(), times: 1 })
                .await
                .err()
                .filter(|refusal| refusal.code == "queue_full");
        }
        assert_eq!(pair.greeter.begun(), 1, "nothing was begun for those who waited or were turned away");
        pair.greeter.release.notify_one();
        until("the second was let in", || pair.greeter.begun() == 2).await;
        pair.greeter.release.notify_one();
    };
    let ((one, two), ()) = tokio::join!(served, third);
    one.expect("served");
    two.expect("served");
}

#[tokio::test]
async fn who_asks_itself_needs_no_second_slot() {
    let pair = shaped("slots = 1\nqueue = 0").await;
    let cx = patient();
    let ponder = pair.ask::<Ponder>();
    let itself = async {
        until("the slot is taken", || pair.greeter.begun() == 1).await;
        let call = Greet { name: "ada".into(), times: 1 };
        pair.there.ask::<Greet>(GREETER).answer(&cx, call.clone()).await.expect("it is inside already");
        let other = pair.here.ask::<Greet>(HOST).answer(&cx, call).await.expect_err("no slot is free");
        assert_eq!(other.code, "queue_full");
        pair.greeter.release.notify_one();
    };
    tokio::join!(ponder.answer(&cx, Ponder), itself).0.expect("done");
}

#[tokio::test]
async fn a_slow_component_is_slow_by_the_product_of_its_faults() {
    // 20 ms of declared work, twice and three times as long.
    let pair = shaped("slots = 4\nwork = { dist = \"constant\", mean = \"20ms\" }").await;
    let took = || async {
        let began = runtime::clock::now();
        pair.greet(&patient()).await.expect("slow, not broken");
        began.elapsed()
    };
    for (id, by) in [("two", 2), ("three", 3)] {
        let mut lease = lease("greeter", &format!("do = \"slow\"\nby = \"{by}x\""), Match::default());
        lease.id = id.into();
        put(&pair.component_faults, lease);
    }
    assert!(took().await >= Duration::from_millis(120), "six times");
    pair.component_faults.end("two");
    assert!(took().await >= Duration::from_millis(60), "the other goes on as it was");
}

/// A store that serves one fill at a time, and turns away those that come meanwhile.
/// Two calls that are sent at once come within a second of each other.
const STORE: &str = "store = { slots = 1, queue = 0, work = { dist = \"constant\", mean = \"1s\" } }";

#[tokio::test]
async fn a_key_is_read_from_the_store_once() {
    let pair = shaped(&format!("cache = {{ warm = false }}\n{STORE}")).await;
    greet_as(&pair, "ada").await.expect("from the store");
    let (again, other) = tokio::join!(greet_as(&pair, "ada"), greet_as(&pair, "eve"));
    again.expect("warm");
    other.expect("a key of its own, and the store was free");
}

#[tokio::test]
async fn one_flight_serves_all_who_ask_meanwhile() {
    let two = |single_flight: bool| async move {
        let pair =
            shaped(&format!("cache = {{ warm = false, single_flight = {single_flight} }}\n{STORE}")).await;
        let (one, two) = tokio::join!(greet_as(&pair, "ada"), greet_as(&pair, "ada"));
        [one, two]
            .into_iter()
            .filter_map(Result::err)
            .map(|refusal| refusal.code.into_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(two(true).await, Vec::<String>::new());
    assert_eq!(two(false).await, ["store_full"], "each asks the store, which has one slot");
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_fill_is_lost_unless_it_is_kept_late() {
    let slow = "store = { slots = 8, work = { dist = \"constant\", mean = \"150ms\" }, timeout = \"20ms\" }";
    // Function calls, so that nothing but these times passes.
    let shaped = async |service: &str| Pair::shaped(Carrier::Local, "attempts = 1", service).await;
    let pair = shaped(&format!("cache = {{ warm = false, keep_late = true }}\n{slow}")).await;
    assert_eq!(pair.greet(&patient()).await.expect_err("too late").code, "store_timeout");
    let mut warm = false;
    for _ in 0..200 {
        warm |= pair.greet(&patient()).await.is_ok();
    }
    assert!(warm, "one of the fills came in");

    let pair = shaped(&format!("cache = {{ warm = false }}\n{slow}")).await;
    for _ in 0..20 {
        // Twenty times 20 ms: the first fills have long been done.
        assert_eq!(pair.greet(&patient()).await.expect_err("never warm").code, "store_timeout");
    }
}

#[tokio::test]
async fn a_flushed_cache_may_serve_what_it_had() {
    let store = "store = { slots = 1, work = { dist = \"constant\", mean = \"10s\" }, timeout = \"20ms\" }";
    for (stale, code) in [(true, None), (false, Some("store_timeout"))] {
        let pair = shaped(&format!("cache = {{ warm = true, serve_stale = {stale} }}\n{store}")).await;
        pair.greet(&patient()).await.expect("warm from the beginning");
        put(&pair.component_faults, lease("greeter", "do = \"cache-flush\"", Match::default()));
        let reported = pair.greet(&patient()).await.err().map(|refusal| refusal.code.into_owned());
        assert_eq!(reported.as_deref(), code, "serve_stale = {stale}");
    }
}

#[tokio::test]
async fn a_second_try_overtakes_a_slow_first() {
    let hedge = "attempts = 1\nhedge = { after = \"5ms\" }";
    let pair = Pair::with(Carrier::Json, hedge).await;
    put(&pair.edge_faults, lease("host->greeter", FOR_EVER, Match::first(1)));
    let greeting = pair.greet(&patient()).await.expect("the second answers");
    assert_ne!(greeting.attempt, 0, "and has a number of its own");
    assert_eq!(pair.greeter.begun(), 1);

    pair.edge_faults.end("test");
    put(&pair.edge_faults, lease("host->greeter", FOR_EVER, Match::first(1)));
    let sign = pair.ask::<Sign>();
    sign.answer(&within(Duration::from_millis(100)), Sign { name: "ada".into() })
        .await
        .expect_err("what must not happen twice is not sent twice");
}

#[tokio::test]
async fn second_tries_are_paid_for() {
    let pair = Pair::with(Carrier::Json, "attempts = 1\nhedge = { after = \"1ms\", extra = \"0%\" }").await;
    put(&pair.edge_faults, lease("host->greeter", "do = \"delay\"\nby = \"10ms\"", Match::default()));
    let (mut second, began) = (0, runtime::clock::now());
    for _ in 0..60 {
        second += u64::from(pair.greet(&patient()).await.expect("an answer").attempt != 0);
    }
    // One a second is always allowed, ten at once.
    let most = 11 + began.elapsed().as_secs();
    assert!(second <= most, "{second} of 60 second tries, at most {most}");
}

#[tokio::test]
async fn a_callee_that_turns_calls_away_is_asked_less() {
    let pair = Pair::with(
        Carrier::Json,
        "attempts = 1\nthrottle = { k = 2.0, probe = \"1%\" }\nbreaker = { minimum = 10000 }",
    )
    .await;
    pair.greeter.refusals.store(1_000, Ordering::SeqCst);
    let mut held_back = 0;
    for _ in 0..300 {
        let refusal = pair.greet(&patient()).await.expect_err("turned away");
        assert_eq!(refusal.kind, RefusalKind::Unavailable);
        held_back += u64::from(refusal.code == "throttled");
    }
    assert_eq!(held_back + pair.greeter.begun(), 300, "held back means not sent");
    assert!(held_back > 200, "{held_back} of 300 held back");
}

#[tokio::test]
async fn calls_are_duplicated_aborted_and_corrupted_in_every_encoding() {
    for carrier in [Carrier::Json, Carrier::Binary, Carrier::Http2Binary] {
        let connection_fault = |fault: &'static str| async move {
            let pair = Pair::with(carrier, "attempts = 1\nbreaker = { minimum = 10000 }").await;
            put(&pair.edge_faults, lease("host->greeter", fault, Match::default()));
            let reported = pair
                .greet(&patient())
                .await
                .map(|greeting| greeting.attempt)
                .map_err(|refusal| refusal.code.into_owned());
            (reported, pair.greeter.begun())
        };
        assert_eq!(connection_fault("do = \"duplicate\"").await, (Ok(0), 2), "{carrier:?}");
        assert_eq!(connection_fault("do = \"abort\"\nstatus = 503").await.1, 0, "{carrier:?}");
        let (reset, begun) = connection_fault("do = \"reset\"").await;
        assert_eq!((reset, begun), (Err("connection_lost".into()), 0), "{carrier:?}");
        let (corrupt, begun) = connection_fault("do = \"corrupt\"").await;
        assert!(corrupt.is_err() && begun == 1, "{carrier:?}: {corrupt:?}");
    }
}
