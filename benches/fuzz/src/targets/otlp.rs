//! Spans that come in over the network, put together to the requests of a run. The first byte says how they are sent.

use bytes::Bytes;
use conductor::observe::collector::exported_spans;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use trace::{Gatherer, Journey, ReceivedSpan};

use super::Target;

pub(super) const TARGET: Target = Target { name: "otlp", run, seeds, words: WORDS };

const WORDS: &[&[u8]] = &[
    b"service.name",
    b"service.instance.id",
    b"run/micro/feed#1",
    b"server.address",
    b"\x0a\x10",
    b"\x12\x08",
    b"\x22\x08",
    b"\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07",
    b"\0\0\0\0\0\0\0\x01",
    b"\0\0\0\0\0\0\0\x02",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x39\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
];

/// The trace of the journey whose spans these may be.
const TRACE: u128 = 0x0707_0707_0707_0707_0707_0707_0707_0707;
/// The journey's own span.
const ROOT: u64 = 1;

fn run(input: &[u8]) {
    let Some((how, body)) = input.split_first() else { return };
    let (content, encoding) = match how {
        b'z' => ("application/x-protobuf", "gzip"),
        b'j' => ("application/json", ""),
        b'?' => ("application/x-protobuf; charset=x", "zstd"),
        _ => ("application/x-protobuf", "identity"),
    };
    match exported_spans(content, encoding, Bytes::copy_from_slice(body)) {
        Ok(spans) => assemble(spans),
        Err((status, reason)) => {
            assert!(status.is_client_error() && !reason.is_empty(), "{status} {reason}");
        }
    }
}

/// Spans of any shape, cycles included, become what is kept of a journey, and its parts are never longer than it was.
fn assemble(spans: Vec<ReceivedSpan>) {
    let count = spans.len() as u64;
    let mut gatherer = Gatherer::default();
    gatherer.set_arms(['A']);
    gatherer.begin(1, &['A'], 0);
    gatherer.spans(spans);
    gatherer.journey(journey());
    let mut entries = gatherer.settle(u64::MAX);
    entries.extend(gatherer.conclude(1, &['A']));
    assert_eq!(gatherer.counts().spans, count, "every span is counted");
    for entry in entries {
        let line = record::Line { t: 0, entry };
        let text = serde_json::to_string(&line).expect("a line of the record");
        let read: record::Line = serde_json::from_str(&text).expect("what is written can be read");
        assert_eq!(serde_json::to_string(&read).expect("a line"), text);
    }
}

fn journey() -> Journey {
    Journey {
        arm: 'A',
        round: 1,
        phase: 0,
        second: 0,
        name: "home-feed".into(),
        request: 1,
        trace: TRACE,
        span: ROOT,
        due: 0,
        sent: 1_000,
        done: 1_000_000,
        sent_wall: 1_700_000_000_000_000_000,
        exchanges: std::iter::once(0..999_000).collect(),
        error: String::new(),
    }
}

/// Three spans below the journey, and three that are each other's parents.
fn seeds() -> Vec<Vec<u8>> {
    [[(2, ROOT), (3, 2), (4, 3)], [(2, 4), (3, 2), (4, 3)], [(2, 2), (2, 3), (3, 2)]]
        .into_iter()
        .map(|edges| {
            let spans = edges.into_iter().map(|(id, parent)| span(id, parent)).collect();
            let scope = ScopeSpans { spans, ..ScopeSpans::default() };
            let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
            let request = ExportTraceServiceRequest { resource_spans: vec![resource] };
            [&b"p"[..], &request.encode_to_vec()].concat()
        })
        .collect()
}

fn span(id: u64, parent: u64) -> Span {
    let began = 1_700_000_000_000_000_000 + id * 1_000;
    let value = AnyValue { value: Some(Value::StringValue("photo".into())) };
    let peer = KeyValue { key: "server.address".into(), value: Some(value), ..KeyValue::default() };
    Span {
        trace_id: TRACE.to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: parent.to_be_bytes().to_vec(),
        name: "GET /v1/feed".into(),
        kind: 1 + i32::try_from(id % 5).expect("small"),
        start_time_unix_nano: began,
        end_time_unix_nano: began + 500_000,
        attributes: vec![peer],
        ..Span::default()
    }
}
