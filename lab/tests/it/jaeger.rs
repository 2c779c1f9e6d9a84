//! Jaeger itself, with the configuration that `compose.yaml` gives it: it takes what a run sends on, and shows each kept
//! request with the same spans under the same parents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use record::{CLIENT, Entry, Line, Span, Trace};
use serde_json::Value;

use crate::attribution::{exported, tracing};
use crate::cleave::{Cleave, Started, wait_for};
use crate::http::Client;

/// Where to find Jaeger's program.
const PROGRAM: &str = "CLEAVE_JAEGER";
const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboards/jaeger/config.yaml");

/// What it listens on: the ports of `compose.yaml`, which links in pages and in the terminal lead to.
const OTLP: &str = "127.0.0.1:4317";
const PAGES: &str = "127.0.0.1:16686";
const HEALTH: &str = "127.0.0.1:13133";
const FIGURES: &str = "127.0.0.1:8888";

/// Its program, ended with the test.
struct Jaeger {
    _program: Started,
}

impl Jaeger {
    fn start(program: &str) -> Self {
        // A container has all addresses to itself; here they are those of this machine.
        let mut command = Command::new(program);
        command.arg("--config").arg(CONFIGURATION);
        for (key, address) in [
            ("receivers.otlp.protocols.grpc.endpoint", OTLP),
            ("receivers.otlp.protocols.http.endpoint", "127.0.0.1:4318"),
            ("extensions.jaeger_query.http.endpoint", PAGES),
            ("extensions.jaeger_query.grpc.endpoint", "127.0.0.1:16685"),
            ("extensions.healthcheckv2.http.endpoint", HEALTH),
        ] {
            command.arg(format!("--set={key}={address}"));
        }
        let jaeger = Self { _program: Started(command.spawn().expect("the program starts")) };
        wait_for("Jaeger's health", || {
            let is_listening = std::net::TcpStream::connect(HEALTH).is_ok();
            (is_listening && get(HEALTH, "/status").status == 200).then_some(())
        });
        jaeger
    }

    /// Spans its receiver took since its start.
    fn accepted(&self) -> u64 {
        let text = String::from_utf8(get(FIGURES, "/metrics").body).expect("text");
        let of_spans = |line: &&str| line.starts_with("otelcol_receiver_accepted_spans");
        let figures =
            text.lines().filter(of_spans).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        figures.sum::<f64>() as u64
    }

    /// A trace; `None` while it is not known.
    fn trace(&self, id: &str) -> Option<Value> {
        let reply = get(PAGES, &format!("/api/traces/{id}"));
        (reply.status == 200).then(|| reply.json()["data"][0].take())
    }
}

fn get(addr: &str, path: &str) -> crate::http::Reply {
    Client { addr: addr.parse().expect("an address"), token: None }.get(path)
}

/// Component and name of a span, and of the span above it.
type Under = (String, String, Option<(String, String)>);

/// What the lab kept of a request, counted. The requests of a journey have no spans of their own outside the lab: what is
/// below one hangs from the journey.
fn as_kept(trace: &Trace) -> BTreeMap<Under, usize> {
    let is_request = |span: &Span| span.of == CLIENT && span.parent.is_some();
    let parent = |span: &Span| span.parent.map(|index| &trace.spans[index as usize]);
    let named = |span: &Span| (span.of.clone(), span.name.clone());
    let mut counts = BTreeMap::new();
    for span in trace.spans.iter().filter(|span| !is_request(span)) {
        let above =
            parent(span).and_then(|above| if is_request(above) { parent(above) } else { Some(above) });
        let (of, name) = named(span);
        *counts.entry((of, name, above.map(named))).or_default() += 1;
    }
    counts
}

/// The same of what Jaeger has.
fn as_shown(trace: &Value) -> BTreeMap<Under, usize> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let spans = trace["spans"].as_array().expect("spans");
    let service = |span: &Value| text(&trace["processes"][text(&span["processID"])]["serviceName"]);
    let named: BTreeMap<String, (String, String)> = spans
        .iter()
        .map(|span| (text(&span["spanID"]), (service(span), text(&span["operationName"]))))
        .collect();
    let mut counts = BTreeMap::new();
    for span in spans {
        let above = span["references"].as_array().and_then(|references| references.first());
        let above = above.and_then(|above| named.get(above["spanID"].as_str()?)).cloned();
        let (of, name) = named[span["spanID"].as_str().expect("an id")].clone();
        *counts.entry((of, name, above)).or_default() += 1;
    }
    counts
}

fn kept(lines: &[Line]) -> impl Iterator<Item = &Trace> {
    lines.iter().filter_map(|line| match &line.entry {
        Entry::Trace(trace) => Some(&**trace),
        _ => None,
    })
}

#[test]
#[ignore = "needs Jaeger's program, which CLEAVE_JAEGER names: .ci/long builds it"]
fn jaeger_shows_every_kept_request_with_its_spans_and_their_parents() {
    let program = std::env::var(PROGRAM).unwrap_or_else(|_| panic!("{PROGRAM} names no program"));
    let jaeger = Jaeger::start(&program);
    let cleave = Cleave::new();
    let (document, lines) = exported(&cleave, "first-look", &format!("http://{OTLP}"));

    let tracing = tracing(&lines);
    assert!(tracing.forwarded > 500, "{tracing:?}");
    // And the journeys that they are of.
    assert!(tracing.forwarded + tracing.not_forwarded >= tracing.spans + tracing.requests, "{tracing:?}");
    wait_for("Jaeger to have what was sent", || (jaeger.accepted() == tracing.forwarded).then_some(()));

    let (mut whole, mut ids) = (0, BTreeSet::new());
    for trace in kept(&lines) {
        let id = &trace.trace_id;
        let shown = wait_for(&format!("trace {id}"), || jaeger.trace(id));
        ids.insert(id.as_str());
        // Operations whose callers' spans never came hang from the root here.
        if trace.orphans == 0 {
            assert_eq!(as_shown(&shown), as_kept(trace), "{id}");
            // It warns of such a span; of one that outlived its caller it warns as well, rightly.
            assert!(!shown.to_string().contains("invalid parent"), "a span of {id} hangs from none: {shown}");
            whole += 1;
        }
    }
    assert!(whole > 20, "{whole} whole requests of {}", ids.len());

    // The links of the page lead to requests that Jaeger has.
    let folder = document["run_dir"].as_str().expect("a folder");
    let report = cleave.run(&["report", folder, "--to", "page.html"]);
    assert!(report.status.success(), "{report:?}");
    let page = std::fs::read_to_string(cleave.folder().join("page.html")).expect("the page");
    let links: Vec<&str> = page.split(&format!("http://{PAGES}/trace/")).skip(1).collect();
    assert!(!links.is_empty(), "a page without links: {}", Path::new(folder).display());
    for link in links {
        let id = &link[..32];
        assert!(ids.contains(id) && jaeger.trace(id).is_some(), "{id}");
        assert_eq!(get(PAGES, &format!("/trace/{id}")).status, 200, "its page");
    }
    is_small(&cleave, &document);
}

/// What a finished `first-look` leaves: its record, the index, its page. After a failed claim its databases stay as well.
fn is_small(cleave: &Cleave, document: &Value) {
    let folder = document["run_dir"].as_str().expect("a folder");
    assert!(cleave.run(&["report", folder]).status.success(), "its page");
    let listed = cleave.run(&["runs", "--output", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("a document");
    let bytes = listed["runs"][0]["bytes"].as_u64().expect("its size");
    assert!(bytes < 3_000_000 || document["verdict"] == "fail", "a finished first-look leaves {bytes} bytes");
}
