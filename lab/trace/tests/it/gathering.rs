//! Which requests are kept, and the sums of all of them.

use record::{Class, Entry, KeepReason, Trace};
use trace::gather::SETTLE_NS;
use trace::{Gatherer, Journey, Kind};

use crate::shapes::{MS, journey, query, span};

/// A journey's spans: 2 ms of the door, the rest the database's.
fn spans(journey: &Journey) -> Vec<trace::ReceivedSpan> {
    let ms = (journey.done - journey.sent) / MS;
    let mut spans =
        vec![span(10, 1, "gateway", "GET /v1/feed", Kind::Server, 0, ms), query(11, 10, "feed", 2, ms)];
    for span in &mut spans {
        span.trace = journey.trace;
    }
    spans
}

fn kept(entries: &[Entry]) -> Vec<&Trace> {
    let trace = |entry: &'_ Entry| matches!(entry, Entry::Trace(_));
    entries
        .iter()
        .filter(|entry| trace(entry))
        .map(|entry| match entry {
            Entry::Trace(trace) => &**trace,
            _ => unreachable!("only traces are left"),
        })
        .collect()
}

fn of_arm(arm: char, journey: Journey) -> Journey {
    let apart = u128::from(arm as u32) << 64;
    Journey { arm, trace: journey.trace + apart, ..journey }
}

#[test]
fn a_request_is_looked_at_when_its_spans_had_time_to_come() {
    let mut gatherer = Gatherer::default();
    let one = journey(7, 30);
    gatherer.journey(one.clone());
    assert!(gatherer.settle(one.done + SETTLE_NS - 1).is_empty());
    gatherer.spans(spans(&one));
    let entries = gatherer.settle(one.done + SETTLE_NS);
    let [trace] = kept(&entries)[..] else { panic!("one request: {entries:?}") };
    assert_eq!(
        (trace.kept, trace.request, trace.length(), trace.user_latency),
        (KeepReason::Slow, 7, 30 * MS, 31 * MS)
    );
    assert_eq!(trace.by_class().values().sum::<u64>(), trace.length());
    assert_eq!(trace.by_class()[&Class::Database], 28 * MS);
}

#[test]
fn the_slowest_so_far_every_error_and_the_same_request_elsewhere() {
    let mut gatherer = Gatherer::default();
    gatherer.set_arms(['A', 'B']);
    // Ten requests, each a millisecond faster than the one before: only the first three are ever the slowest.
    for i in 0..10 {
        for arm in ['A', 'B'] {
            let one = of_arm(arm, journey(i, 50 - i));
            let error = if (arm, i) == ('B', 9) { "timeout" } else { "" };
            gatherer.spans(spans(&one));
            gatherer.journey(Journey { error: error.into(), ..one });
        }
    }
    let entries = gatherer.settle(u64::MAX);
    let known: Vec<(char, u64, KeepReason)> =
        kept(&entries).iter().map(|t| (t.arm, t.request, t.kept)).collect();
    let slow = [0, 1, 2].into_iter().flat_map(|i| [('A', i, KeepReason::Slow), ('B', i, KeepReason::Slow)]);
    let last = [('B', 9, KeepReason::Error), ('A', 9, KeepReason::Pair)];
    assert_eq!(known, slow.chain(last).collect::<Vec<_>>());
    let entries = gatherer.conclude(1, &['A', 'B']);
    let splits: Vec<_> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Split(split) => {
                Some((split.arm, split.n, split.parts.iter().map(|part| part.mean).sum::<f64>() - split.mean))
            }
            _ => None,
        })
        .collect();
    assert_eq!(splits.len(), 2);
    let pairs: Vec<_> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::TraceSecond(line) => Some((line.arm, line.second, line.pairs, line.unpaired)),
            _ => None,
        })
        .collect();
    assert_eq!(pairs, [('A', 3, 10, 0), ('B', 3, 10, 0)]);
    for (arm, n, difference) in splits {
        assert_eq!(n, 10, "all are added up, kept or not: {arm}");
        assert!(difference.abs() < 1.0, "the parts add up to the whole: {difference} ns");
    }
    let counts = gatherer.counts();
    assert_eq!((counts.spans, counts.requests, counts.kept, counts.strays), (40, 20, 8, 0));
}

/// A gatherer that has seen so many requests whole in two arms, each faster than the one before: the first three are the
/// slowest there are.
fn after(requests: u64) -> Gatherer {
    let mut gatherer = Gatherer::default();
    gatherer.set_arms(['A', 'B']);
    for i in 0..requests {
        for arm in ['A', 'B'] {
            let one = of_arm(arm, journey(i, 900 - i));
            gatherer.spans(spans(&one));
            gatherer.journey(one);
        }
    }
    let entries = gatherer.settle(u64::MAX);
    assert_eq!(kept(&entries).len(), 6);
    gatherer
}

#[test]
fn what_no_arm_wants_is_not_held() {
    let mut gatherer = after(50);
    assert_eq!(after(3).held(), gatherer.held(), "47 requests more, and none of them is wanted");
    // A request in one arm alone may be wanted yet.
    let alone = of_arm('A', journey(50, 1));
    gatherer.spans(spans(&alone));
    gatherer.journey(alone);
    assert!(kept(&gatherer.settle(u64::MAX)).is_empty());
    assert!(gatherer.held() > after(50).held());
    let late = of_arm('B', journey(50, 1));
    gatherer.spans(spans(&late));
    gatherer.journey(Journey { error: "timeout".into(), ..late });
    let known: Vec<(char, KeepReason)> =
        kept(&gatherer.settle(u64::MAX)).iter().map(|trace| (trace.arm, trace.kept)).collect();
    assert_eq!(known, [('B', KeepReason::Error), ('A', KeepReason::Pair)]);
}

#[test]
fn a_storm_of_errors_is_counted_beyond_the_first_fifty() {
    let mut gatherer = Gatherer::default();
    for i in 0..60 {
        let one = journey(i, 20);
        gatherer.spans(spans(&one));
        gatherer.journey(Journey { error: "status_5xx".into(), ..one });
    }
    assert_eq!(kept(&gatherer.settle(u64::MAX)).len(), 50);
    assert_eq!(gatherer.counts().errors_beyond, 10);
}

#[test]
fn spans_without_a_journey_are_counted_and_bounded() {
    let mut gatherer = Gatherer::default();
    for i in 0..70_000_u64 {
        let stray = trace::ReceivedSpan { trace: u128::from(i) << 64, ..query(i, 0, "feed", 0, 1) };
        gatherer.spans(vec![stray]);
    }
    // A journey that was not traced is no request of ours.
    gatherer.journey(journey(1, 10));
    assert!(gatherer.conclude(1, &['A', 'B']).is_empty());
    let counts = gatherer.counts();
    assert_eq!((counts.requests, counts.spans), (0, 70_000));
    assert_eq!(counts.strays + counts.overflow, 70_000);
    assert!(counts.overflow > 0);
}

#[test]
fn three_hours_of_spans_hold_no_more_than_one() {
    let mut gatherer = Gatherer::default();
    gatherer.set_arms(['A', 'B']);
    gatherer.begin(1, &['A', 'B'], 0);
    let mut held = Vec::new();
    for second in 0..3 * 3_600_u64 {
        // Two requests a second, each in both arms, but for every tenth that B does not trace; and spans of no journey.
        for number in [2 * second, 2 * second + 1] {
            for arm in ['A', 'B'] {
                let of = journey(number, 20 + number % 7);
                let later = |t: u64| second * 1_000 * MS + t;
                let done = later(30 * MS);
                let at = u32::try_from(second).expect("small");
                let (due, sent) = (later(0), later(0));
                let one = of_arm(arm, Journey { second: at, due, sent, done, ..of });
                if arm == 'A' || number % 10 > 0 {
                    gatherer.spans(spans(&one));
                }
                gatherer.journey(one);
            }
        }
        let stray = trace::ReceivedSpan { trace: u128::from(second) << 96, ..query(9, 0, "feed", 0, 1) };
        gatherer.spans(vec![stray; 3]);
        gatherer.settle(second * 1_000 * MS);
        if second % 600 == 599 {
            held.push(gatherer.held());
        }
    }
    // What waits is bounded by time, and what is held for a twin as well where both arms have the load at once.
    let (hour, most) = (held[6], held.iter().max().copied().unwrap_or_default());
    assert!(most <= hour + hour / 20, "{held:?}");
    let counts = gatherer.counts();
    assert!(counts.strays > 3 * 3 * 3_600 - 1_000, "{} strays are forgotten", counts.strays);
    assert_eq!(counts.overflow, 0);
}
