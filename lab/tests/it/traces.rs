//! Spans on their way out: to a collector of ours, from real processes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::cleave::{Cleave, wait_for};
use crate::collector::Collector;
use crate::http::Client;
use crate::up::Suite;

/// Feed requests of a test: enough that none is there by chance.
const ASKED: usize = 20;

/// What has become of a suite's spans, added up over its processes: ended, exported, failed, dropped.
fn counts(suite: &Suite) -> [u64; 4] {
    let mut sums = [0; 4];
    for addr in suite.instances() {
        let text = String::from_utf8(Client { addr, token: None }.get("/metrics").body).expect("text");
        for (sum, name) in sums.iter_mut().zip(["ended", "exported", "failed", "dropped"]) {
            let name = format!("otel_spans_{name}_total{{");
            let figures = text.lines().filter(|line| line.starts_with(&name));
            let figures = figures.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            *sum += figures.sum::<f64>() as u64;
        }
    }
    sums
}

/// Asks for the feed and waits until every span that ended is accounted for.
fn asked(suite: &Suite) -> [u64; 4] {
    let client = suite.seeded();
    for _ in 0..ASKED {
        client.get("/v1/feed?limit=5").expect(200);
    }
    wait_for("every span's fate", || {
        let [ended, exported, failed, dropped] = counts(suite);
        (ended > 0 && ended == exported + failed + dropped).then_some([ended, exported, failed, dropped])
    })
}

fn traces(spans: &[(String, Span)]) -> Vec<Vec<&(String, Span)>> {
    let mut traces: BTreeMap<&[u8], Vec<&(String, Span)>> = BTreeMap::new();
    for one in spans {
        traces.entry(&one.1.trace_id).or_default().push(one);
    }
    traces.into_values().collect()
}

/// The traces whose root is the door's answer to the feed.
fn of_the_feed<'a>(traces: &'a [Vec<&'a (String, Span)>]) -> Vec<&'a Vec<&'a (String, Span)>> {
    let is_root = |(service, span): &&(String, Span)| {
        span.parent_span_id.is_empty() && span.name == "GET /v1/feed" && service == "gateway"
    };
    traces.iter().filter(|trace| trace.iter().any(&is_root)).collect()
}

const FIVE: [&str; 5] = ["feed", "follower", "gateway", "photo", "profile"];

#[test]
fn one_trace_spans_the_services_and_no_span_is_lost_unseen() {
    let cleave = Cleave::shared();
    let collector = Collector::start();
    let suite =
        Suite::start_with(&cleave, "micro", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint())]);
    let [ended, exported, failed, dropped] = asked(&suite);
    assert_eq!((failed, dropped), (0, 0), "of {ended} spans");
    let spans = collector.spans();
    assert_eq!(spans.len() as u64, exported, "the collector has what was exported");

    let ids: HashMap<&[u8], &(String, Span)> =
        spans.iter().map(|one| (one.1.span_id.as_slice(), one)).collect();
    for (service, span) in &spans {
        if span.parent_span_id.is_empty() {
            continue;
        }
        let (parents, parent) = ids[span.parent_span_id.as_slice()];
        assert_eq!(parent.trace_id, span.trace_id, "a parent in another trace");
        let crossing = parents != service;
        let kinds = (parent.kind == SpanKind::Client as i32, span.kind == SpanKind::Server as i32);
        assert!(!crossing || kinds == (true, true), "`{}` of {service} below {parents}", span.name);
    }
    let traces = traces(&spans);
    let feeds = of_the_feed(&traces);
    assert_eq!(feeds.len(), ASKED);
    for trace in feeds {
        let services: BTreeSet<&str> = trace.iter().map(|one| one.0.as_str()).collect();
        assert_eq!(services.into_iter().collect::<Vec<_>>(), FIVE);
    }
    suite.end();
}

#[test]
fn inside_a_monolith_every_component_has_its_own_name() {
    let cleave = Cleave::shared();
    let collector = Collector::start();
    let suite = Suite::start_with(&cleave, "mono", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint())]);
    asked(&suite);
    let spans = collector.spans();
    let traces = traces(&spans);
    let feeds = of_the_feed(&traces);
    assert_eq!(feeds.len(), ASKED);
    for trace in feeds {
        let services: BTreeSet<&str> = trace.iter().map(|one| one.0.as_str()).collect();
        assert_eq!(services.into_iter().collect::<Vec<_>>(), FIVE);
        let crossing = trace.iter().filter(|one| one.1.kind == SpanKind::Client as i32);
        assert!(crossing.into_iter().all(|one| !one.1.name.contains("/call/")), "no call leaves the process");
    }
    suite.end();
}

#[test]
fn a_suite_for_which_opentelemetry_is_disabled_makes_no_span() {
    let cleave = Cleave::shared();
    let collector = Collector::start();
    let endpoint = collector.endpoint();
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_SDK_DISABLED", "TRUE")];
    let suite = Suite::start_with(&cleave, "mono", &environment);
    let client = suite.seeded();
    for _ in 0..ASKED {
        client.get("/v1/feed?limit=5").expect(200);
    }
    assert_eq!(counts(&suite), [0; 4]);
    // What waits to be exported is sent at the end.
    suite.end();
    assert!(collector.spans().is_empty());
}

#[test]
fn a_dead_collector_costs_spans_which_are_counted_and_no_request() {
    let cleave = Cleave::shared();
    // A port that was free a moment ago, and that no process listens on.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let endpoint = format!("http://{dead}");
    let suite = Suite::start_with(&cleave, "mono", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let [ended, exported, failed, dropped] = asked(&suite);
    assert_eq!(exported, 0);
    assert_eq!(failed + dropped, ended, "every span that is lost is counted");
    suite.end();
}
