//! The declared network: what crosses it, and how often.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::{CallContext, Carrier, RefusalKind};
use fault::{DelayCounts, Match};
use policy::NetworkOptions;
use policy::breaker::BreakerState;
use runtime::clock;
use transport::{Network, attempt};

use crate::pair::{GREETER, HOST, Pair, TOKEN, lease, patient, put, within};

fn network(rtt: &str) -> Network {
    Network::new(toml::from_str::<NetworkOptions>(&format!("rtt = \"{rtt}\"")).expect("a network"))
}

fn asked(delays: &DelayCounts) -> Vec<(u64, u64)> {
    delays.asked_us.iter().map(|(us, count)| (*us, *count)).collect()
}

#[tokio::test]
async fn a_call_between_processes_crosses_twice_and_a_connection_once_more() {
    for carrier in [Carrier::Json, Carrier::Binary, Carrier::Http2Binary] {
        let network = network("200us");
        let pair = Pair::across(carrier, network.clone()).await;
        for _ in 0..3 {
            pair.greet(&patient()).await.expect("an answer");
        }
        // Three calls there and back at 100 us a way; one connection for all of them at 200 us.
        assert_eq!(asked(&network.delays()), [(100, 6), (200, 1)]);
        assert_eq!(network.delays().late_us.values().sum::<u64>(), 7, "each was measured");
    }
}

#[tokio::test]
async fn a_function_call_does_not_cross() {
    for carrier in [Carrier::Local, Carrier::Wire] {
        let network = network("200us");
        let pair = Pair::across(carrier, network.clone()).await;
        pair.greet(&patient()).await.expect("an answer");
        assert_eq!(network.delays(), DelayCounts::default());
    }
}

#[tokio::test]
async fn loopback_adds_and_counts_nothing() {
    assert!(network("0").is_loopback());
    let pair = Pair::across(Carrier::Json, network("0")).await;
    pair.greet(&patient()).await.expect("an answer");
}

#[tokio::test]
async fn what_is_pulled_crosses_as_well() {
    let network = network("200us");
    let pair = Pair::across(Carrier::Json, network.clone()).await;
    // There is no such path, and that answer travels, too.
    attempt::get(&pair.clusters.get(GREETER), &patient(), "/outbox/none", TOKEN)
        .await
        .expect_err("no such path");
    assert_eq!(asked(&network.delays()), [(100, 2), (200, 1)]);
}

#[tokio::test]
async fn a_call_that_has_less_time_than_a_round_trip_reaches_no_callee() {
    let pair = Pair::across(Carrier::Json, network("200ms")).await;
    let refusal = pair.greet(&within(Duration::from_millis(20))).await.expect_err("200 ms to connect");
    assert!(refusal.kind.is_failure(), "{refusal:?}");
    assert_eq!(pair.greeter.begun(), 0);
}

#[tokio::test]
async fn a_client_without_the_time_to_connect_counts_against_no_callee() {
    let pair = Pair::across(Carrier::Json, network("200ms")).await;
    for _ in 0..20 {
        let cx = within(Duration::from_millis(5));
        let theirs = CallContext { deadline: cx.deadline.chosen_by_client(), ..cx };
        let refusal = pair.greet(&theirs).await.expect_err("200 ms to connect");
        assert_eq!(refusal.kind, RefusalKind::DeadlineExceeded, "{refusal:?}");
    }
    let endpoint = &pair.clusters.get(GREETER).endpoints()[0];
    assert!(!endpoint.load.is_ejected(clock::now_ns()) && endpoint.load.fail_streak() == 0);
    assert_eq!(pair.here.edge(HOST, GREETER).circuit(), BreakerState::Closed);
    pair.greet(&patient()).await.expect("for one that waits it is well");
}

#[tokio::test]
async fn a_lease_counts_the_delays_it_asked_for() {
    let pair = Pair::start(Carrier::Json).await;
    put(&pair.edge_faults, lease("host->greeter", "do = \"delay\"\nby = \"300us\"", Match::default()));
    for _ in 0..4 {
        pair.greet(&patient()).await.expect("an answer");
    }
    let delays: BTreeMap<String, DelayCounts> = pair.edge_faults.delays().into_iter().collect();
    assert_eq!(asked(&delays["test"]), [(300, 4)]);
    assert_eq!(delays["test"].late_us.values().sum::<u64>(), 4);
    // A call whose caller leaves during its delay has not waited for it.
    put(&pair.edge_faults, lease("host->greeter", "do = \"delay\"\nby = \"10s\"", Match::default()));
    pair.greet(&within(Duration::from_millis(20))).await.expect_err("20 ms are over");
    assert_eq!(asked(&pair.edge_faults.delays()[0].1), [(300, 4)]);
}
