//! One request put together: a tree of thirty spans, its critical path, where its time went.

use std::hint::black_box;

use criterion::Criterion;
use trace::{Journey, Kind, ReceivedSpan, path, tree};

/// Calls of a home feed in microservices.
const CALLS: u64 = 6;
const US: u64 = 1_000;

fn span(id: u64, parent: u64, service: &str, name: &str, kind: Kind, us: (u64, u64)) -> ReceivedSpan {
    ReceivedSpan {
        trace: 7,
        id,
        parent,
        service: service.into(),
        instance: format!("{service}#0").into(),
        name: name.into(),
        kind,
        start: us.0 * US,
        end: us.1 * US,
        error: String::new(),
        peer: String::new(),
        edge: String::new(),
        local: false,
        database: false,
    }
}

/// The door, the feed, and six calls of it: around the call, the try, the server, a query, a wait.
fn spans() -> Vec<ReceivedSpan> {
    let mut spans = vec![
        span(2, 1, "gateway", "GET /v1/feed", Kind::Server, (10, 4_990)),
        ReceivedSpan {
            peer: "feed".into(),
            ..span(3, 2, "gateway", "GET /v1/feed", Kind::Client, (50, 4_950))
        },
        span(4, 3, "feed", "GET /v1/feed", Kind::Server, (100, 4_900)),
    ];
    for call in 0..CALLS {
        let (id, from) = (10 + call * 5, 200 + call * 700);
        let edge = || "feed->photo".to_owned();
        spans.extend([
            ReceivedSpan {
                edge: edge(),
                ..span(id, 4, "feed", "photos-of", Kind::Internal, (from, from + 650))
            },
            ReceivedSpan {
                peer: "photo".into(),
                ..span(id + 1, id, "feed", "POST /call/photos-of", Kind::Client, (from + 20, from + 630))
            },
            span(id + 2, id + 1, "photo", "POST /call/photos-of", Kind::Server, (from + 100, from + 560)),
            span(id + 3, id + 2, "photo", "pool.acquire", Kind::Internal, (from + 120, from + 140)),
            ReceivedSpan {
                database: true,
                ..span(id + 4, id + 2, "photo", "SELECT photo_photos", Kind::Client, (from + 140, from + 500))
            },
        ]);
    }
    spans
}

pub fn trace(criterion: &mut Criterion) {
    let journey = Journey {
        second: 0,
        arm: 'B',
        round: 1,
        phase: 1,
        name: "home-feed".into(),
        request: 7,
        trace: 7,
        span: 1,
        due: 0,
        sent: 0,
        done: 5_000 * US,
        sent_wall: 0,
        exchanges: std::iter::once(0..5_000 * US).collect(),
        error: String::new(),
    };
    criterion.bench_function("trace/tree and critical path of 33 spans", |b| {
        b.iter_batched(
            spans,
            |spans| {
                let tree = tree::grow(&journey, spans);
                black_box(path::critical(&tree.spans))
            },
            criterion::BatchSize::SmallInput,
        );
    });
}
