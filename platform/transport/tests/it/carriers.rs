//! The same call on every carrier.

use std::time::Duration;

use contract::{CallContext, Carrier, Principal, RefusalKind};
use fault::Match;

use crate::pair::{Greet, Pair, Sign, lease, patient, put, within};

/// One test per carrier for each body.
macro_rules! on_every_carrier {
    ($($body:ident),+ $(,)?) => {$(
        mod $body {
            use super::*;

            #[tokio::test]
            async fn local() {
                super::$body(Pair::start(Carrier::Local).await).await;
            }
            #[tokio::test]
            async fn wire() {
                super::$body(Pair::start(Carrier::Wire).await).await;
            }
            #[tokio::test]
            async fn http_json() {
                super::$body(Pair::start(Carrier::Json).await).await;
            }
            #[tokio::test]
            async fn http_binary() {
                super::$body(Pair::start(Carrier::Binary).await).await;
            }
            #[tokio::test]
            async fn http2_binary() {
                super::$body(Pair::start(Carrier::Http2Binary).await).await;
            }
        }
    )+};
}

on_every_carrier!(
    a_call_is_answered_and_its_context_goes_along,
    a_refusal_keeps_its_kind_code_and_sentence,
    a_late_call_is_refused_before_any_work,
    a_slow_component_is_slow_whatever_carries_the_call,
    an_aborted_component_does_no_work,
    large_replies_come_whole,
    calls_may_run_at_once,
);

async fn a_call_is_answered_and_its_context_goes_along(pair: Pair) {
    let cx = CallContext {
        principal: Some(Principal::new(77)),
        key: Some("once".into()),
        request: 0xfeed,
        attempt: 1,
        ..patient()
    };
    let greeting = pair.greet(&cx).await.expect("an answer");
    assert_eq!(greeting.text, "hello ada! ");
    assert_eq!(greeting.called_by, "host", "the one who asks, not the one who asked before");
    assert_eq!(greeting.principal, Some(Principal::new(77)));
    assert_eq!(greeting.key.as_deref(), Some("once"));
    assert_eq!((greeting.request, greeting.attempt), (0xfeed, 1));
}

async fn a_refusal_keeps_its_kind_code_and_sentence(pair: Pair) {
    let nameless = Greet { name: String::new(), times: 1 };
    let refusal = pair.ask::<Greet>().answer(&patient(), nameless).await.expect_err("no name");
    assert_eq!(refusal.kind, RefusalKind::BadRequest);
    assert_eq!(
        (refusal.code.as_ref(), refusal.message.as_ref()),
        ("name_missing", "a greeting needs a name")
    );
    assert_eq!(pair.greeter.begun(), 1, "a wrong question is not asked twice");
}

async fn a_late_call_is_refused_before_any_work(pair: Pair) {
    let refusal = pair.greet(&within(Duration::ZERO)).await.expect_err("too late");
    assert_eq!(refusal.kind, RefusalKind::DeadlineExceeded);
    assert_eq!(pair.greeter.begun(), 0);
}

async fn a_slow_component_is_slow_whatever_carries_the_call(pair: Pair) {
    let table = pair.component_faults.clone();
    put(&table, lease("greeter", "do = \"delay\"\nby = \"40ms\"", Match::default()));
    let started = runtime::clock::now();
    pair.greet(&patient()).await.expect("slow, not failed");
    assert!(runtime::clock::now() - started >= Duration::from_millis(40));
    assert_eq!(table.hits(), [("test".to_owned(), 1)]);
}

async fn an_aborted_component_does_no_work(pair: Pair) {
    put(&pair.component_faults, lease("greeter", "do = \"abort\"\nstatus = 500", Match::default()));
    let refusal =
        pair.ask::<Sign>().answer(&patient(), Sign { name: "ada".into() }).await.expect_err("aborted");
    assert_eq!((refusal.kind, refusal.code.as_ref()), (RefusalKind::Internal, "fault_injected"));
    assert_eq!(pair.greeter.begun(), 0);
}

async fn large_replies_come_whole(pair: Pair) {
    // 11 bytes a greeting: 1.1 MB, many times any buffer on the way.
    let many = Greet { name: "ada".into(), times: 100_000 };
    let greeting = pair.ask::<Greet>().answer(&patient(), many).await.expect("an answer");
    assert_eq!(greeting.text.len(), 1_100_000);
}

async fn calls_may_run_at_once(pair: Pair) {
    let calls = (0..20).map(|_| async { pair.greet(&patient()).await });
    for greeting in futures_util::future::join_all(calls).await {
        assert_eq!(greeting.expect("an answer").text, "hello ada! ");
    }
    assert_eq!(pair.greeter.done(), 20);
}
