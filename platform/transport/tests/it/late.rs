//! Whose failure a 504 is, as metrics have it: that of the component that served it, of the edge, or of neither.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use contract::{Answer, Call, CallContext, Carrier, ComponentName, Pending, Refusal, RefusalKind, Repeat};
use fault::LeaseTable;
use http::{Request, StatusCode};
use runtime::Tasks;
use serde::{Deserialize, Serialize};
use telemetry::{Level, LogTarget, Options, Telemetry};
use tower::ServiceExt;
use transport::{CallRouter, CallRouterOptions, Clusters, Instance, serve, server_layer};

use crate::pair::{TOKEN, everywhere, options, patient};

// No other test has these: handles that were made before the recorder was installed count nowhere.
const ASKER: ComponentName = ComponentName::of("asker");
const TARRIER: ComponentName = ComponentName::of("tarrier");

/// A read that is never in time.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tarry;

impl Call for Tarry {
    const NAME: &'static str = "tarrier.tarry";
    const COMPONENT: &'static str = "tarrier";
    const REPEAT: Repeat = Repeat::Safe;
    type Reply = ();
}

struct Tarrier;

impl Answer<Tarry> for Tarrier {
    fn answer<'a>(&'a self, _: &'a CallContext, _: Tarry) -> Pending<'a, ()> {
        Box::pin(async { Err(Refusal::too_late()) })
    }
}

#[tokio::test]
async fn a_clients_deadline_is_no_failure_and_the_timeout_of_an_edge_is_its_callees() {
    let recorded = Options { level: Level::Metrics, log: LogTarget::Nowhere, ..Options::default() };
    let telemetry = telemetry::install(recorded).expect("once a process");
    let served = |is_failure| {
        count(&telemetry, "server", &["tarrier", "http_response_status_code=\"504\""], is_failure)
    };
    let tried = |result: &str, is_error| count(&telemetry, "client", &["asker", "tarrier", result], is_error);

    let (own, theirs) = (patient(), patient());
    let theirs = CallContext { deadline: theirs.deadline.chosen_by_client(), ..theirs };
    ask(&theirs, "attempts = 1").await;
    assert_eq!((served(false), served(true)), (1, 0), "the client was too hasty");
    assert_eq!(tried("error_type=\"client_deadline\"", true), 1);
    ask(&own, "attempts = 1").await;
    assert_eq!((served(false), served(true)), (1, 1));
    assert_eq!(tried("http_response_status_code=\"504\"", false), 1);
    // The edge gives it 10 s, which is less than the 20 s of the client.
    ask(&theirs, "attempts = 1\ntimeout = \"10s\"").await;
    assert_eq!((served(false), served(true)), (1, 2));
    assert_eq!(tried("http_response_status_code=\"504\"", false), 2);

    let public = |is_failure| count(&telemetry, "server", &["/v1/late", "\"504\""], is_failure);
    for hurried in [
        &[("x-deadline-ms", "5")][..],
        &[("x-deadline-ms", "0")],
        &[("x-deadline-ms", "0"), ("x-cleave-caller", "gateway"), ("x-cleave-deadline-by", "client")],
    ] {
        visit(hurried).await;
    }
    assert_eq!((public(false), public(true)), (3, 0));
    visit(&[]).await;
    visit(&[("x-deadline-ms", "5"), ("x-cleave-caller", "gateway")]).await;
    assert_eq!((public(false), public(true)), (3, 2));
}

/// Requests or tries of which a line of metrics has all of `parts`, and an `error_type` or none.
fn count(telemetry: &Telemetry, side: &str, parts: &[&str], has_error_type: bool) -> u64 {
    let name = format!("http_{side}_request_duration_seconds_count{{");
    let text = telemetry.render();
    let is_counted = |line: &&str| {
        line.starts_with(&name)
            && parts.iter().all(|part| line.contains(part))
            && line.contains("error_type=") == has_error_type
    };
    let counts =
        text.lines().filter(is_counted).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    counts.sum()
}

/// A call from one process to another, over an edge with this policy.
async fn ask(cx: &CallContext, policy: &str) {
    let (tasks, clusters) = (Tasks::new(), Clusters::new());
    let router = |hosts: Vec<ComponentName>| {
        CallRouter::new(CallRouterOptions {
            carrier: Carrier::Json,
            clusters: clusters.clone(),
            services: [].into(),
            copy: "test#0".into(),
            schema: 1,
            policies: everywhere(policy),
            faults: Arc::new(LeaseTable::new()),
            token: TOKEN.into(),
            hosts,
            seed: 42,
        })
    };
    let there = router(vec![TARRIER]);
    there.answer::<Tarry>(Arc::new(Tarrier));
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("loopback has a free port");
    let serving = serve::serve(&tasks, listener, there.router(), options(Carrier::Json));
    clusters.get(TARRIER).update(vec![Instance::new("tarrier#0", serving.addr())]);
    let refusal = router(vec![ASKER]).ask::<Tarry>(ASKER).answer(cx, Tarry).await.expect_err("never in time");
    assert_eq!(refusal.kind, RefusalKind::DeadlineExceeded, "{refusal:?}");
    tasks.close();
}

/// A request at a public route whose answer is late.
async fn visit(headers: &[(&str, &str)]) {
    let late = || async { StatusCode::GATEWAY_TIMEOUT };
    let router = Router::new().route("/v1/late", get(late)).layer(server_layer::layer(TARRIER));
    let mut request = Request::builder().uri("/v1/late");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.oneshot(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(response.expect("routers do not fail").status(), StatusCode::GATEWAY_TIMEOUT);
}
