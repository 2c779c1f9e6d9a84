//! Spans and journeys of tests: milliseconds since the journey was sent.

use trace::{Journey, Kind, ReceivedSpan};

/// When journeys of tests are sent, ns since the Unix epoch.
pub const WALL: u64 = 1_785_000_000_000_000_000;
pub const MS: u64 = 1_000_000;

/// A journey of one request that took `ms`.
pub fn journey(request: u64, ms: u64) -> Journey {
    Journey {
        arm: 'B',
        round: 1,
        phase: 1,
        second: 3,
        name: "home-feed".into(),
        request,
        trace: u128::from(request) + 1,
        span: 1,
        due: 5_000 * MS,
        sent: 5_001 * MS,
        done: (5_001 + ms) * MS,
        sent_wall: WALL,
        exchanges: std::iter::once(0..ms * MS).collect(),
        error: String::new(),
    }
}

/// A span of `service` from one millisecond to another.
pub fn span(id: u64, parent: u64, service: &str, name: &str, kind: Kind, from: u64, to: u64) -> ReceivedSpan {
    ReceivedSpan {
        trace: 1,
        id,
        parent,
        service: service.into(),
        instance: format!("{service}#0").into(),
        name: name.into(),
        kind,
        start: WALL + from * MS,
        end: WALL + to * MS,
        error: String::new(),
        peer: String::new(),
        edge: String::new(),
        local: false,
        database: false,
    }
}

/// A try of `service` at `peer`.
pub fn client(id: u64, parent: u64, service: &str, peer: &str, from: u64, to: u64) -> ReceivedSpan {
    ReceivedSpan { peer: peer.into(), ..span(id, parent, service, "POST /call/x", Kind::Client, from, to) }
}

/// A call of `caller` around its tries, or within the process.
pub fn call(id: u64, parent: u64, edge: &str, local: bool, from: u64, to: u64) -> ReceivedSpan {
    let caller = edge.split("->").next().expect("a caller");
    ReceivedSpan {
        edge: edge.into(),
        local,
        ..span(id, parent, caller, "followers-of", Kind::Internal, from, to)
    }
}

/// A query.
pub fn query(id: u64, parent: u64, service: &str, from: u64, to: u64) -> ReceivedSpan {
    ReceivedSpan { database: true, ..span(id, parent, service, "SELECT t", Kind::Client, from, to) }
}
