//! Spans on their way out: to a collector of ours, from real processes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::cleave::{Cleave, wait_for};
use crate::collector::{Collector, DeadCollector};
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

/// What the collector has, once that is all that was exported, with every request for the feed: a part ends its span after it has
/// answered.
fn received(
    suite: &Suite,
    collector: &Collector,
    is_whole: impl Fn(&[(String, Span)]) -> bool,
) -> Vec<(String, Span)> {
    wait_for("every span", || {
        let spans = collector.spans();
        let [ended, exported, failed, dropped] = counts(suite);
        let is_all = ended == exported + failed + dropped && spans.len() as u64 == exported;
        let has_feeds = of_the_feed(&traces(&spans)).len() >= ASKED;
        (is_all && has_feeds && is_whole(&spans)).then_some(spans)
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

/// Asserts that a request for the feed went through all five, unless one of its calls failed: on a busy machine one may come too
/// late.
#[track_caller]
fn went_through_five(trace: &[&(String, Span)]) {
    let services: BTreeSet<&str> = trace.iter().map(|one| one.0.as_str()).collect();
    let failed = |one: &&(String, Span)| {
        one.1.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32)
    };
    assert!(services.iter().eq(&FIVE) || trace.iter().any(failed), "{services:?}");
}

#[test]
fn one_trace_spans_the_services_and_no_span_is_lost_unseen() {
    let cleave = Cleave::shared();
    let collector = Collector::start();
    let suite =
        Suite::start_with(&cleave, "micro", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint())]);
    let [ended, exported, failed, dropped] = asked(&suite);
    assert_eq!((failed, dropped), (0, 0), "of {ended} spans");
    assert_eq!(ended, exported);
    let spans = received(&suite, &collector, |spans| {
        let ids: BTreeSet<&[u8]> = spans.iter().map(|one| one.1.span_id.as_slice()).collect();
        let has_parent =
            |span: &Span| span.parent_span_id.is_empty() || ids.contains(span.parent_span_id.as_slice());
        spans.iter().all(|one| has_parent(&one.1))
    });

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
    for trace in feeds {
        went_through_five(trace);
    }
    suite.end();
}

#[test]
fn inside_a_monolith_every_component_has_its_own_name() {
    let cleave = Cleave::shared();
    let collector = Collector::start();
    let suite = Suite::start_with(&cleave, "mono", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint())]);
    asked(&suite);
    let spans = received(&suite, &collector, |_| true);
    let traces = traces(&spans);
    let feeds = of_the_feed(&traces);
    for trace in feeds {
        went_through_five(trace);
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
    let dead = DeadCollector::new();
    let endpoint = format!("http://{}", dead.addr());
    let suite = Suite::start_with(&cleave, "mono", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let [ended, exported, failed, dropped] = asked(&suite);
    assert_eq!(exported, 0);
    assert_eq!(failed + dropped, ended, "every span that is lost is counted");
    suite.end();
}
