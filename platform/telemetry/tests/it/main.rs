//! What tracing costs a request that is not sampled, counted: nothing is allocated, and no span is made unless it failed.
//!
//! Telemetry is set up once in a process, so all of it is one story.

use std::time::Duration;

use allocation_counter::measure;
use contract::{ComponentName, TraceContext};
use telemetry::tail::SLOW;
use telemetry::{
    Level, LogTarget, Options, Origin, ServerOutcome, Telemetry, UnsampledRequest, Wait, call_span,
    client_end, client_span, current_trace, db_span, fault_span, producer_span, server_end, server_span,
    wait_span,
};

const FEED: ComponentName = ComponentName::of("feed");
const NO_TRACE: TraceContext = TraceContext { trace_id: 0, span_id: 0, sampled: false };
/// As many spans as a request makes below.
const SPANS: u64 = 7;

fn trace(sampled: bool) -> TraceContext {
    TraceContext { trace_id: 7, span_id: 9, sampled }
}

/// A request with one of each span; returns the trace that it passes on.
fn request(parent: TraceContext, origin: Origin) -> TraceContext {
    let span = server_span("GET", "/v1/feed", "/v1/feed", "1.1", parent, origin);
    let passed_on = span.in_scope(|| {
        let client = client_span("GET", "/v1/feed", FEED, "127.0.0.1:80", 0);
        let passed_on = client.in_scope(current_trace);
        client_end(&client, Ok(500));
        let _call = call_span("home-feed", FEED, "local");
        let _statement = db_span("sqlite", "SELECT", "feed_entries");
        let _wait = wait_span(Wait::Pool);
        let _fault = fault_span("delay", Duration::from_millis(1));
        let _event = producer_span("PhotoPosted", "PhotoPosted/7");
        passed_on
    });
    server_end(&span, ServerOutcome::of(500));
    passed_on
}

/// How many spans ended in `work`.
fn ended(telemetry: &Telemetry, work: impl FnOnce()) -> u64 {
    let before = telemetry.span_counts().ended;
    work();
    telemetry.span_counts().ended - before
}

fn over(status: u16, took: Duration) {
    let request = UnsampledRequest {
        component: ComponentName::GATEWAY,
        method: "GET",
        route: "/v1/feed",
        path: "/v1/feed",
        outcome: ServerOutcome::of(status),
        took,
        parent: trace(false),
    };
    request.keep_if_notable();
}

#[test]
fn a_request_that_is_not_sampled_allocates_nothing_and_is_kept_if_it_failed() {
    let options = Options { level: Level::Sampled(0.0), log: LogTarget::Nowhere, ..Options::default() };
    let telemetry = telemetry::install(options).expect("once a process");

    // The first time anything is used it may be set up.
    request(NO_TRACE, Origin::Client);
    let unsampled = [(NO_TRACE, Origin::Client), (NO_TRACE, Origin::Suite), (trace(false), Origin::Client)];
    for (parent, origin) in unsampled {
        let spans = ended(&telemetry, || {
            let counted = measure(|| assert_eq!(request(parent, origin), NO_TRACE));
            assert_eq!(counted.count_total, 0, "{parent:?} from {origin:?}");
        });
        assert_eq!(spans, 0, "{parent:?} from {origin:?}");
    }

    // The same request, sampled: what is counted above is there to be counted.
    let spans = ended(&telemetry, || {
        let counted = measure(|| {
            let passed_on = request(trace(true), Origin::Suite);
            assert_eq!((passed_on.trace_id, passed_on.sampled), (7, true));
        });
        assert!(counted.count_total > 0);
    });
    assert_eq!(spans, SPANS);

    let quick = Duration::from_millis(3);
    assert_eq!(ended(&telemetry, || over(200, quick)), 0);
    assert_eq!(measure(|| over(200, quick)).count_total, 0);
    assert_eq!(ended(&telemetry, || over(503, quick)), 1);
    assert_eq!(ended(&telemetry, || over(200, SLOW)), 1);
    let storm = ended(&telemetry, || (0..100_000).for_each(|_| over(503, quick)));
    assert!(storm < 100_000 / 2, "{storm} are kept of a storm");
}
