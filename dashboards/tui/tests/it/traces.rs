//! The synthetic run's kept requests: told as they come in, and where the time of all of them went at a phase's end.

use record::{CLIENT, Class, Entry, Kept, Part, Segment, Span, Split, Trace};

use super::{LOAD_START, SECOND};

const MS: u64 = 1_000_000;

/// What is told when a load second is over.
pub fn told(second: u32) -> Vec<Entry> {
    let mut told = Vec::new();
    for arm in ['A', 'B'] {
        match second {
            // Steady: a slow home-feed and a slow view-photo, kept in both arms.
            12 => told.extend([feed(arm, 1_412, second, 1, 0, ""), photo(arm, 1_437, second, "")]),
            // The slow phase: B waits for follower, A was kept since its twin was.
            25 => told.push(feed(arm, 3_031, second, 2, if arm == 'B' { 180 } else { 0 }, "")),
            29 if arm == 'B' => told.push(feed(arm, 3_509, second, 2, 180, "timeout")),
            38 if arm == 'B' => told.push(photo(arm, 4_560, second, "connect")),
            36 => told.push(split(arm)),
            _ => {}
        }
    }
    told
}

fn span(parent: Option<u32>, of: &str, name: &str, start: u64, length: u64, class: Class) -> Span {
    Span {
        parent,
        of: of.to_owned(),
        at: if of == CLIENT { String::new() } else { format!("{of}#0") },
        name: name.to_owned(),
        place: match class {
            Class::Network => format!("gateway->{of}"),
            _ => of.to_owned(),
        },
        start,
        length,
        class,
        error: String::new(),
    }
}

fn trace(
    arm: char,
    request: u64,
    second: u32,
    phase: u32,
    journey: &str,
    spans: Vec<Span>,
    path: &[(u32, u64, u64)],
) -> Entry {
    let due = LOAD_START + u64::from(second) * SECOND;
    let length = spans[0].length;
    let segment =
        |(span, start, length): &(u32, u64, u64)| Segment { span: *span, start: *start, length: *length };
    let path: Vec<Segment> = path.iter().map(segment).collect();
    assert_eq!(path.iter().map(|s| s.length).sum::<u64>(), length, "the path fills the root");
    let error =
        spans.iter().find(|span| !span.error.is_empty()).map_or(String::new(), |span| span.error.clone());
    let kept = match (error.is_empty(), arm) {
        (false, _) => Kept::Error,
        (true, 'A') if phase == 2 => Kept::Pair,
        (true, _) => Kept::Slow,
    };
    Entry::Trace(Box::new(Trace {
        arm,
        round: 1,
        phase,
        journey: journey.to_owned(),
        request,
        trace_id: format!("{request:031x}{}", if arm == 'A' { 'a' } else { 'b' }),
        kept,
        error,
        due,
        felt: length + MS,
        start: due + MS,
        spans,
        path,
        clipped: 0,
        orphans: 0,
    }))
}

/// gateway 1 ms to the feed, which asks follower (queue 2 ms, `slow` ms injected, 1 ms in its database), then profile
/// beside its own work. In the monolith nothing is on the wire.
fn feed(arm: char, request: u64, second: u32, phase: u32, slow: u64, error: &str) -> Entry {
    let wire = if arm == 'B' { 1 } else { 0 };
    let (begin, queue) = (wire, wire + 2);
    let (database, back) = (queue + slow, queue + slow + 1);
    let total = back + 4 + wire;
    let mut follower =
        span(Some(1), "follower", "followers of", begin * MS, (back - begin) * MS, Class::Work);
    follower.error = error.to_owned();
    let mut spans = vec![
        span(None, CLIENT, "GET /v1/feed", 0, total * MS, Class::Network),
        span(Some(0), "feed", "GET /v1/feed", begin * MS, (total - 2 * wire) * MS, Class::Work),
        follower,
        span(Some(2), "follower", "queue.wait", begin * MS, 2 * MS, Class::Queue),
        span(Some(2), "follower", "fault.delay", queue * MS, slow * MS, Class::Injected),
        span(Some(2), "follower", "SELECT follower_edges", database * MS, MS, Class::Database),
        span(Some(1), "profile", "profiles of", (back + 1) * MS, 2 * MS, Class::Work),
    ];
    // Without a fault there is no span of it.
    let delayed = u32::from(slow > 0);
    if slow == 0 {
        spans.remove(4);
    }
    let path = [
        (0, 0, wire * MS),
        (3, begin * MS, 2 * MS),
        (4, queue * MS, slow * MS),
        (4 + delayed, database * MS, MS),
        (1, back * MS, (total - wire - back) * MS),
        (0, (total - wire) * MS, wire * MS),
    ];
    trace(arm, request, second, phase, "home-feed", spans, &path)
}

fn photo(arm: char, request: u64, second: u32, error: &str) -> Entry {
    let mut root = span(None, CLIENT, "GET /v1/photos/{id}", 0, 9 * MS, Class::Network);
    let class = if error.is_empty() { Class::Work } else { Class::Unanswered };
    let mut inner = span(Some(0), "photo", "GET /v1/photos/{id}", MS, 7 * MS, class);
    (root.error, inner.error) = (error.to_owned(), error.to_owned());
    let phase = if error.is_empty() { 1 } else { 3 };
    trace(
        arm,
        request,
        second,
        phase,
        "view-photo",
        vec![root, inner],
        &[(0, 0, MS), (1, MS, 7 * MS), (0, 8 * MS, MS)],
    )
}

/// All home-feeds of the slow phase: their parts' means add up to the whole's.
fn split(arm: char) -> Entry {
    let part = |place: &str, class, mean_ms: f64| Part {
        place: place.to_owned(),
        class,
        mean: mean_ms * 1e6,
        variance: 1e12,
        slowest: mean_ms * 2e6,
    };
    let mut parts = vec![part("feed", Class::Work, 2.0), part("follower", Class::Database, 0.5)];
    if arm == 'B' {
        parts.splice(
            0..0,
            [part("follower", Class::Injected, 120.0), part("gateway->feed", Class::Network, 1.5)],
        );
    }
    Entry::Split(Box::new(Split {
        arm,
        round: 1,
        phase: 2,
        journey: "home-feed".to_owned(),
        n: 748,
        mean: parts.iter().map(|part| part.mean).sum(),
        slowest: parts.iter().map(|part| part.slowest).sum(),
        parts,
    }))
}
