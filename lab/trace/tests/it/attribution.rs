//! Where the time of one request went.

use std::collections::BTreeMap;

use proptest::prelude::*;
use record::{Class, Segment, Span};
use trace::{Journey, Kind, ReceivedSpan, path, tree};

use crate::shapes::{MS, call, client, journey, query, span};

/// What a request's time was spent on, ms by place and class.
fn spent(request_ms: u64, spans: Vec<ReceivedSpan>) -> BTreeMap<(String, Class), u64> {
    let tree = tree::grow(&journey(0, request_ms), spans);
    let mut sums = BTreeMap::new();
    for segment in path::critical(&tree.spans) {
        let of = &tree.spans[segment.span as usize];
        *sums.entry((of.place.clone(), of.class)).or_default() += segment.length / MS;
    }
    sums
}

fn parts(parts: &[(&str, Class, u64)]) -> BTreeMap<(String, Class), u64> {
    parts.iter().map(|(place, class, ms)| (((*place).to_owned(), *class), *ms)).collect()
}

#[test]
fn a_slow_follower_is_named_by_its_edge_and_as_injected() {
    // The user waits 200 ms: 2 on the way, the feed 10 of its own, 4 of the database, and 150 that a fault
    // added on the edge to follower, whose own work is 20, between 6 ms of sockets and encoding.
    let spans = vec![
        span(10, 1, "gateway", "GET /v1/feed", Kind::Server, 1, 199),
        client(11, 10, "gateway", "feed", 4, 197),
        span(12, 11, "feed", "GET /v1/feed", Kind::Server, 6, 195),
        query(13, 12, "feed", 10, 14),
        call(14, 12, "feed->follower", false, 15, 192),
        span(15, 14, "feed", "fault.inject", Kind::Internal, 16, 166),
        client(16, 14, "feed", "follower", 166, 191),
        span(17, 16, "follower", "POST /call/x", Kind::Server, 169, 189),
    ];
    let expected = parts(&[
        ("client->gateway", Class::Network, 2),
        ("gateway", Class::Work, 5),
        ("gateway->feed", Class::Network, 4),
        ("feed", Class::Work, 8),
        ("feed", Class::Database, 4),
        ("feed->follower", Class::Network, 7),
        ("feed->follower", Class::Injected, 150),
        ("follower", Class::Work, 20),
    ]);
    assert_eq!(spent(200, spans), expected);
}

#[test]
fn of_parallel_calls_the_one_that_was_waited_for_counts() {
    let spans = vec![
        span(10, 1, "feed", "GET /v1/feed", Kind::Server, 0, 100),
        query(11, 10, "feed", 10, 40),
        query(12, 10, "feed", 10, 90),
    ];
    let expected = parts(&[("feed", Class::Work, 20), ("feed", Class::Database, 80)]);
    assert_eq!(spent(100, spans), expected);
}

#[test]
fn in_a_monolith_a_call_is_its_callees_work() {
    let spans = vec![
        span(10, 1, "gateway", "GET /v1/feed", Kind::Server, 0, 50),
        call(11, 10, "feed->follower", true, 5, 45),
        query(12, 11, "follower", 10, 20),
    ];
    let expected = parts(&[
        ("gateway", Class::Work, 10),
        ("follower", Class::Work, 30),
        ("follower", Class::Database, 10),
    ]);
    assert_eq!(spent(50, spans), expected);
}

#[test]
fn an_unanswered_call_is_not_network_time_and_backoff_is_waiting() {
    // Two tries of 20 ms that were not answered, 10 ms apart.
    let spans = vec![
        span(10, 1, "feed", "GET /v1/feed", Kind::Server, 0, 50),
        call(11, 10, "feed->follower", false, 0, 50),
        client(12, 11, "feed", "follower", 0, 20),
        client(13, 11, "feed", "follower", 30, 50),
    ];
    let expected = parts(&[("feed->follower", Class::Unanswered, 40), ("feed->follower", Class::Queue, 10)]);
    assert_eq!(spent(50, spans), expected);
}

#[test]
fn detached_work_is_cut_off_and_counted() {
    let spans = vec![
        span(10, 1, "feed", "GET /v1/feed", Kind::Server, 0, 40),
        span(11, 10, "feed", "later", Kind::Internal, 30, 140),
        span(12, 99, "feed", "lost parent", Kind::Internal, 42, 44),
    ];
    let tree = tree::grow(&journey(0, 50), spans);
    assert_eq!((tree.clipped, tree.orphans), (100 * MS, 1));
    let lost = tree.spans.iter().find(|span| span.name == "lost parent").expect("it is kept");
    assert_eq!(lost.parent, Some(1), "it hangs from the request in which it lies");
}

#[test]
fn between_its_requests_a_journeys_time_is_the_clients() {
    // Two requests of 20 and 18 ms of which the door had 18 and 16; 12 ms between them, 3 before and 7 after both.
    let exchanges = vec![3 * MS..23 * MS, 35 * MS..53 * MS];
    let spans = vec![
        span(10, 1, "gateway", "POST /v1/photos", Kind::Server, 4, 22),
        span(11, 1, "gateway", "GET /v1/feed", Kind::Server, 36, 52),
    ];
    let tree = tree::grow(&Journey { exchanges, ..journey(0, 60) }, spans);
    let order: Vec<_> = tree.spans.iter().map(|span| (span.name.as_str(), span.parent)).collect();
    let expected = [
        ("home-feed", None),
        ("request", Some(0)),
        ("POST /v1/photos", Some(1)),
        ("request", Some(0)),
        ("GET /v1/feed", Some(3)),
    ];
    assert_eq!(order, expected, "parents before children, each with its own");
    let of_class = |class: Class| -> u64 {
        let path = path::critical(&tree.spans);
        let segments = path.iter().filter(|segment| tree.spans[segment.span as usize].class == class);
        segments.map(|segment| segment.length / MS).sum()
    };
    assert_eq!(
        [Class::Client, Class::Network, Class::Work].map(of_class),
        [3 + 12 + 7, 2 + 2, 18 + 16],
        "the network is one hop for each request"
    );
}

#[test]
fn a_request_without_a_span_of_the_door_was_not_answered() {
    let exchanges = vec![0..10 * MS, 10 * MS..50 * MS];
    let first = vec![span(10, 1, "gateway", "GET /v1/feed", Kind::Server, 1, 9)];
    let tree = tree::grow(&Journey { exchanges, ..journey(0, 50) }, first);
    let classes: Vec<_> = tree.spans.iter().map(|span| (span.place.as_str(), span.class)).collect();
    let expected = [
        ("client", Class::Client),
        ("client->gateway", Class::Network),
        ("gateway", Class::Work),
        ("client->gateway", Class::Unanswered),
    ];
    assert_eq!(classes, expected);
}

#[test]
fn a_span_that_another_clock_puts_outside_its_request_belongs_to_the_nearest() {
    let exchanges = vec![0..10 * MS, 20 * MS..30 * MS];
    let late = vec![span(10, 1, "gateway", "GET /v1/feed", Kind::Server, 31, 32)];
    let tree = tree::grow(&Journey { exchanges, ..journey(0, 40) }, late);
    let answered: Vec<_> = tree.spans.iter().filter(|span| span.class == Class::Network).collect();
    assert_eq!(answered.iter().map(|span| span.start / MS).collect::<Vec<_>>(), [20]);
}

/// A monolith in a storm: the user gives up after 100 ms and asks again; what was asked first runs on for half a second.
fn storm() -> (Journey, Vec<ReceivedSpan>) {
    let exchanges = vec![0..100 * MS, 100 * MS..260 * MS];
    let first = vec![
        span(10, 1, "gateway", "GET /v1/feed", Kind::Server, 1, 560),
        query(11, 10, "feed", 5, 15),
        call(12, 10, "feed->follower", true, 20, 550),
        span(13, 12, "follower", "queue.wait", Kind::Internal, 21, 61),
        query(14, 12, "follower", 70, 85),
        // After the user left.
        span(15, 12, "follower", "tx.wait", Kind::Internal, 130, 170),
        query(16, 12, "follower", 170, 500),
    ];
    let second = vec![
        span(20, 1, "gateway", "GET /v1/feed", Kind::Server, 101, 259),
        query(21, 20, "feed", 105, 120),
        call(22, 20, "feed->follower", true, 122, 256),
        span(23, 22, "follower", "queue.wait", Kind::Internal, 122, 152),
        query(24, 22, "follower", 160, 166),
    ];
    (Journey { exchanges, ..journey(0, 260) }, [first, second].concat())
}

#[test]
fn in_a_storm_an_attempt_is_billed_with_what_it_did_until_it_was_cut_off() {
    let (journey, spans) = storm();
    let tree = tree::grow(&journey, spans);
    let mut billed: BTreeMap<(u64, &str, Class), u64> = BTreeMap::new();
    for segment in path::critical(&tree.spans) {
        let of = &tree.spans[segment.span as usize];
        let attempt = if segment.start < 100 * MS { 1 } else { 2 };
        *billed.entry((attempt, of.place.as_str(), of.class)).or_default() += segment.length / MS;
    }
    let expected = BTreeMap::from([
        ((1, "client->gateway", Class::Network), 1),
        // 4 before its query, and 5 until the call.
        ((1, "gateway", Class::Work), 9),
        ((1, "feed", Class::Database), 10),
        ((1, "follower", Class::Queue), 40),
        ((1, "follower", Class::Database), 15),
        // 1 before its queue, 9 and 15 around its query: cut off at 100.
        ((1, "follower", Class::Work), 1 + 9 + 15),
        ((2, "client->gateway", Class::Network), 2),
        ((2, "gateway", Class::Work), 4 + 2 + 3),
        ((2, "feed", Class::Database), 15),
        ((2, "follower", Class::Queue), 30),
        ((2, "follower", Class::Database), 6),
        ((2, "follower", Class::Work), 8 + 90),
    ]);
    assert_eq!(billed, expected);
    assert_eq!(billed.values().sum::<u64>(), 260, "all of the user's time, and no more");
}

#[test]
fn work_that_runs_on_hangs_from_the_attempt_that_asked_for_it_and_counts_as_cut_off() {
    let (journey, spans) = storm();
    let tree = tree::grow(&journey, spans);
    let doors: Vec<_> = tree.spans.iter().filter(|span| span.of == "gateway").collect();
    let cut: Vec<_> = doors.iter().map(|span| (span.start / MS, span.length / MS)).collect();
    assert_eq!(cut, [(1, 99), (101, 158)], "each within its own attempt");
    assert_ne!(doors[0].parent, doors[1].parent);
    // Beyond 100 ms: 460 of the door, 450 of the call; 40 and 330 that began after it.
    assert_eq!((tree.clipped, tree.orphans), ((460 + 450 + 40 + 330) * MS, 0));
}

#[test]
fn a_span_that_seems_to_begin_before_its_request_is_still_its_own() {
    let exchanges = vec![0..10 * MS, 10 * MS..50 * MS];
    let mut door = span(10, 1, "gateway", "GET /v1/feed", Kind::Server, 10, 49);
    door.start -= 5_000;
    let tree = tree::grow(&Journey { exchanges, ..journey(0, 50) }, vec![door]);
    let answered: Vec<_> = tree.spans.iter().filter(|span| span.class == Class::Network).collect();
    assert_eq!(answered.iter().map(|span| span.start / MS).collect::<Vec<_>>(), [10], "5 µs are two clocks");
}

/// Trees of spans that overlap, nest, reach out, and have no length.
fn trees() -> impl Strategy<Value = (u64, Vec<ReceivedSpan>)> {
    let one = (0_u64..120, 0_u64..60, any::<prop::sample::Index>(), 0_u8..5);
    (1_u64..100, prop::collection::vec(one, 0..24)).prop_map(|(length, shapes)| {
        let spans = shapes.iter().enumerate().map(|(i, (from, long, parent, kind))| {
            let id = i as u64 + 10;
            // Any earlier span, or the root.
            let parent = match parent.index(i + 1) {
                0 => 1,
                earlier => earlier as u64 + 9,
            };
            match kind {
                0 => span(id, parent, "feed", "GET /x", Kind::Server, *from, from + long),
                1 => client(id, parent, "feed", "photo", *from, from + long),
                2 => query(id, parent, "feed", *from, from + long),
                3 => call(id, parent, "feed->photo", false, *from, from + long),
                _ => span(id, parent, "feed", "fault.inject", Kind::Internal, *from, from + long),
            }
        });
        (length, spans.collect())
    })
}

fn described(spans: &[Span], path: &[Segment]) -> Vec<(String, u64, u64)> {
    let of = |segment: &Segment| {
        let span = &spans[segment.span as usize];
        (
            format!("{} {:?} {} {}", span.place, span.class, span.start, span.length),
            segment.start,
            segment.length,
        )
    };
    path.iter().map(of).collect()
}

proptest! {
    #[test]
    fn the_path_fills_the_root_exactly((length, spans) in trees()) {
        let tree = tree::grow(&journey(0, length), spans);
        let path = path::critical(&tree.spans);
        let mut cursor = 0;
        for segment in &path {
            prop_assert_eq!(segment.start, cursor, "without gap or overlap");
            prop_assert!(segment.length > 0);
            let span = &tree.spans[segment.span as usize];
            prop_assert!(span.start <= segment.start);
            prop_assert!(segment.start + segment.length <= span.start + span.length);
            cursor += segment.length;
        }
        prop_assert_eq!(cursor, length * MS);
    }

    #[test]
    fn the_order_of_arrival_changes_nothing((length, spans) in trees(), swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..20)) {
        let mut shuffled = spans.clone();
        for (a, b) in swaps {
            if !shuffled.is_empty() {
                let (a, b) = (a.index(shuffled.len()), b.index(shuffled.len()));
                shuffled.swap(a, b);
            }
        }
        // A batch that was sent twice.
        shuffled.extend(spans.iter().take(3).cloned());
        let (one, other) = (tree::grow(&journey(0, length), spans), tree::grow(&journey(0, length), shuffled));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(path::critical(&one.spans), path::critical(&other.spans));
    }

    #[test]
    fn a_detached_span_may_take_longer(from in 10_u64..40, to in 60_u64..90, begin in 0_u64..20, end in 0_u64..9, more in 0_u64..10) {
        // Beside a call that is waited for until `to`, another that begins later and ends at least a
        // millisecond earlier: as much longer as it has slack, nothing waits for it.
        let (begin, end) = (from + begin, to - 10 + end);
        let longer = (end + more).min(to - 1);
        let siblings = |end| vec![
            span(10, 1, "feed", "GET /v1/feed", Kind::Server, 0, 100),
            query(11, 10, "feed", from, to),
            client(12, 10, "feed", "photo", begin, end),
        ];
        let (one, other) = (tree::grow(&journey(0, 100), siblings(end)), tree::grow(&journey(0, 100), siblings(longer)));
        prop_assert_eq!(described(&one.spans, &path::critical(&one.spans)), described(&other.spans, &path::critical(&other.spans)));
    }
}
