//! A run that goes on for hours: what is held of it is flat, and what is asked of its phases stays exact.

use std::sync::OnceLock;

use model::retention::{DETAIL_SECONDS, LONG_DETAIL_SECONDS, LONG_THINNED_SECONDS};
use model::{Run, SECOND, TimeRange, Window};
use record::{
    Class, Edge, Entry, Event, EventKind, Header, Host, KeepReason, Latencies, Line, PartSum, Phase, Proc,
    Trace, TraceSecond,
};

use crate::allocator::held_bytes;
use crate::retention::phase;

/// An hour.
const LENGTH_S: u32 = 3_600;
/// The second phase begins here.
const CRASH_S: u32 = 1_000;
const JOURNEYS: [&str; 6] = ["follow", "home-feed", "like", "next-page", "search", "view-photo"];
const MIB: i64 = 1 << 20;

fn header() -> Header {
    Header {
        phases: vec![phase("steady", 0, CRASH_S), phase("crash", CRASH_S, LENGTH_S)],
        rounds: 1,
        ..Header::default()
    }
}

/// Latencies of thirty answers, other ones in each of a hundred seconds.
fn latencies(second: u32) -> &'static Latencies {
    static POOL: OnceLock<Vec<Latencies>> = OnceLock::new();
    let of = |second: u64| (0..30).map(|i| 1_500 + (second * 131 + i * i * 97) % 40_000).collect();
    &POOL.get_or_init(|| (0..100).map(of).collect())[second as usize % 100]
}

fn window(arm: char, second: u32, journey: &str) -> Entry {
    Entry::from(record::Window {
        arm,
        round: 1,
        journey: journey.into(),
        second,
        offered: 31,
        sent: 31,
        ok: 30,
        good: 30,
        errors: [("timeout".to_owned(), 1)].into(),
        intended: latencies(second).clone(),
        service: latencies(second + 1).clone(),
        pace_lag: latencies(second + 2).clone(),
        own_wait: latencies(second + 3).clone(),
        finished: Some(31),
        closed: true,
        ..record::Window::default()
    })
}

fn process(arm: char, second: u32, number: u32) -> Entry {
    let counted = |name: &str| (name.to_owned(), u64::from(second) * 1_000);
    Entry::from(Proc {
        arm,
        instance: format!("service{number}#0"),
        pid: number + 1,
        components: vec!["service".into()],
        state: "up".into(),
        cpu_ns: u64::from(second) * SECOND / 100,
        cpu_workers_ns: u64::from(second) * SECOND / 200,
        scraped: true,
        parts: ["business", "encoding", "transport", "queueing"].map(counted).into(),
        requests: u64::from(second) * 20,
        work: [("service".to_owned(), [u64::from(second), 0])].into(),
        longest_waits: [("service tx".to_owned(), 40)].into(),
        ..Proc::default()
    })
}

fn trace_second(arm: char, second: u32, journey: &str) -> Entry {
    let part = PartSum { place: "service".into(), class: Class::Work, ns: 7 };
    Entry::TraceSecond(Box::new(TraceSecond {
        arm,
        round: 1,
        second,
        journey: journey.into(),
        pairs: 3,
        unpaired: 0,
        parts: vec![part],
    }))
}

fn breaker(text: String) -> Entry {
    Entry::Event(Event {
        number: 0,
        what: EventKind::Break,
        active: None,
        mark: None,
        targets: [('B', "service".to_owned())].into(),
        text,
    })
}

/// What two arms of eight processes and 24 edges write in a second, a breaker that opens and closes included.
fn second(s: u32) -> Vec<Line> {
    let t = u64::from(s + 1) * SECOND;
    let mut entries = vec![Entry::Host(Host::default())];
    for arm in ['A', 'B'] {
        entries.extend(JOURNEYS.iter().map(|journey| window(arm, s, journey)));
        entries.extend(JOURNEYS.iter().map(|journey| trace_second(arm, s, journey)));
    }
    entries.push(process('A', s, 0));
    entries.extend((0..7).map(|number| process('B', s, number)));
    entries.extend((0..24).map(|number| {
        let (caller, callee) = (format!("service{}", number % 5), format!("service{}", number / 5));
        Entry::Edge(Edge { arm: 'B', caller, callee, effective_rps: 20.0, ..Edge::default() })
    }));
    entries.extend((0..2).map(|change| breaker(format!("B feed->photo changed {s}.{change}"))));
    entries.into_iter().map(|entry| Line { t, entry }).collect()
}

/// A live run of an hour, and what it held after ten minutes and at its end, bytes.
struct Hour {
    run: Run,
    ten_minutes: i64,
    hour: i64,
}

fn hour() -> &'static Hour {
    static HOUR: OnceLock<Hour> = OnceLock::new();
    HOUR.get_or_init(|| {
        latencies(0);
        let before = held_bytes();
        let mut run = Run::new(header()).live();
        let mut ten_minutes = 0;
        for s in 0..LENGTH_S {
            for (index, name, begin) in [(0, "steady", 0), (1, "crash", CRASH_S)] {
                if s == begin {
                    let phase = Phase { index, name: name.into(), round: 1, arms: String::new() };
                    run.add(&Line { t: u64::from(s) * SECOND, entry: Entry::Phase(phase) });
                }
            }
            for line in second(s) {
                run.add(&line);
            }
            // A view brings percentiles up to date with every draw; every half minute is enough for what is held.
            if s % 30 == 29 {
                run.settle();
            }
            if u64::from(s) + 1 == LONG_THINNED_SECONDS {
                ten_minutes = held_bytes() - before;
            }
        }
        run.settle();
        let hour = held_bytes() - before;
        Hour { run, ten_minutes, hour }
    })
}

#[test]
fn a_live_run_holds_a_fixed_amount_after_ten_minutes() {
    let Hour { ten_minutes, hour, .. } = hour();
    // Of each second: twelve windows of about 0.8 KB, eight processes of 2 KB, 24 edges and a second's own figures: 36 KB.
    assert!(*ten_minutes < 14 * MIB, "{ten_minutes} bytes after ten minutes");
    // The terminal and the conductor fold a run each, and both together may grow by 6 MiB an hour.
    let grown = hour - ten_minutes;
    assert!(grown < 3 * MIB, "{grown} bytes from minute ten to sixty");
}

/// The conductor's own run is asked for no percentile: nothing but its lines makes it let go of what is too old.
#[test]
fn a_live_run_that_no_view_settles_lets_go_of_detail_as_well() {
    let mut run = Run::new(header()).live();
    let steady = Phase { index: 0, name: "steady".into(), round: 1, arms: String::new() };
    run.add(&Line { t: 0, entry: Entry::Phase(steady) });
    for s in 0..800 {
        second(s).iter().for_each(|line| run.add(line));
        let in_detail = run.seconds_between('A', 1, 0, u32::MAX).filter(|(_, of)| of.windows().count() > 0);
        // Thirty-two seconds of arms are out of date at most: sixteen of each of two.
        let most = usize::try_from(LONG_DETAIL_SECONDS).expect("small") + 20;
        assert!(in_detail.count() <= most, "after {s} seconds");
    }
}

#[test]
fn a_live_run_keeps_samples_of_what_is_in_detail_and_seconds_without_windows() {
    let Hour { run, .. } = hour();
    let detail = usize::try_from(LONG_DETAIL_SECONDS).expect("small");
    let thinned = usize::try_from(LONG_THINNED_SECONDS).expect("small");
    let (_, samples) = run.processes('A').next().expect("one process");
    assert!((detail..=detail + 60).contains(&samples.len()), "{} samples of a process", samples.len());
    let now = u64::from(LENGTH_S) * SECOND;
    let edges = run.edge_between('B', "service0", "service0", 0, now).len();
    assert!((detail..=detail + 60).contains(&edges), "{edges} samples of an edge");
    let known: Vec<_> = run.seconds_between('A', 1, 0, u32::MAX).collect();
    assert!((thinned..thinned + 100).contains(&known.len()), "{} seconds", known.len());
    let (_, oldest) = known[0];
    assert_eq!((oldest.windows().count(), oldest.offered, oldest.ok), (0, 6 * 31, 6 * 30));
    assert!(oldest.p99().ms.is_some() && !oldest.has_no_success(), "a chart still draws it");
}

#[test]
fn phases_of_a_live_run_are_exact_and_the_judge_needs_its_record_again() {
    let Hour { run, .. } = hour();
    for (name, from, to) in [("steady", 0, CRASH_S), ("crash", CRASH_S, LENGTH_S)] {
        let range = run.whole(&Window::Phase(name.into()));
        let count = u64::from(to - from);
        assert_eq!(run.sum('A', &range, "all", |w| w.offered), 6 * 31 * count, "{name}");
        assert_eq!(run.sum('B', &range, "search", model::journeys::failed), count, "{name}");
        let all = Latencies::merged((from..to).map(latencies));
        assert_eq!(run.merged('A', &range, "search", |w| &w.intended), all, "{name}");
    }
    let of = |from, to| TimeRange { round: 1, seconds: from..to };
    // A hundredth of a core, as far back as samples are known.
    assert_eq!(run.cpu_ns('A', &of(LENGTH_S - 60, LENGTH_S)), Some(60 * SECOND / 100));
    assert_eq!(run.cpu_ns('A', &of(3_350, 3_550)), Some(2 * SECOND));
    // What is joined by steps is spread over their seconds.
    assert_eq!(run.unit_cpu_total('A', 1, 45), Some(SECOND / 100));
    let ended: u64 = (0..LENGTH_S).filter_map(|second| run.unit_finished('A', 1, second)).sum();
    assert_eq!(ended, 6 * 31 * u64::from(LENGTH_S));
    let traced: u64 = (0..LENGTH_S).filter_map(|second| run.unit_trace('B', 1, second)).map(|of| of.n).sum();
    assert_eq!(traced, 6 * 3 * u64::from(LENGTH_S));
    let totals = run.totals();
    assert_eq!(totals[&('A', "like".to_owned())].offered, 31 * u64::from(LENGTH_S));
    assert!(!run.is_judgeable());
    let planned = |seconds| Header { phases: vec![phase("steady", 0, seconds)], ..header() };
    let most = u32::try_from(DETAIL_SECONDS).expect("small");
    let short = Run::new(planned(most)).live();
    assert!(short.is_judgeable(), "a run that is kept whole needs no second reading");
    let cut_short = Run::new(planned(most + 1)).live();
    assert!(!cut_short.is_judgeable(), "what the judge alone asks of a longer one is in its record");
}

#[test]
fn the_oldest_events_make_room_unless_they_are_of_steps() {
    let mut run = Run::new(header()).live();
    let event = |number, text: &str| {
        let Entry::Event(event) = breaker(text.to_owned()) else { unreachable!("an event") };
        Entry::Event(Event { number, what: EventKind::Fault, ..event })
    };
    run.add(&Line { t: 0, entry: event(3, "a step") });
    for n in 0..20_000_u64 {
        run.add(&Line { t: n, entry: breaker(format!("change {n}")) });
    }
    assert!(run.events().len() <= 1_280, "{} events", run.events().len());
    assert_eq!(run.events()[0].1.text, "a step");
    assert_eq!(run.event_count(), 20_001);
    let (_, last) = run.event_after(20_000).expect("the newest is there");
    assert_eq!((last.text.as_str(), run.event_after(20_001)), ("change 19999", None));
}

/// A request of an arm that was kept, and how long it took, ns.
fn kept(arm: char, request: u64, user_latency: u64, error: &str) -> Entry {
    Entry::from(Trace {
        arm,
        round: 1,
        phase: 0,
        journey: "search".into(),
        request,
        trace_id: String::new(),
        kept: KeepReason::Slow,
        error: error.into(),
        due: 0,
        user_latency,
        start: 0,
        spans: Vec::new(),
        path: Vec::new(),
        clipped: 0,
        orphans: 0,
    })
}

#[test]
fn of_kept_requests_a_live_run_holds_those_that_a_view_of_the_last_ten_minutes_shows() {
    let fold = |mut run: Run| {
        for entry in [kept('A', 10_001, 7, "timeout"), kept('B', 10_002, 8, "timeout")] {
            run.add(&Line { t: 0, entry });
        }
        for s in 0..LENGTH_S {
            // Each is slower than all before it, as where answers take longer and longer; the other arm has the same request.
            let slower = 1_000 + u64::from(s);
            for entry in [kept('A', s.into(), slower, ""), kept('B', s.into(), 5, "")] {
                run.add(&Line { t: u64::from(s) * SECOND, entry });
            }
            if s % 30 == 29 {
                run.settle();
            }
        }
        run
    };
    let (live, judged) = (fold(Run::new(header()).live()), fold(Run::new(header())));
    assert_eq!(judged.known_traces().count(), 2 * 3_600 + 2);
    // Of both arms the last five minutes, and what was among the slowest three of either arm before; and the failed.
    assert_eq!(live.known_traces().count(), 2 * (301 + 3 + 3) + 2);
    for second in [3_299, 3_450, 3_599] {
        let t = second * SECOND;
        let shown = |run: &Run| -> Vec<_> {
            let of = |trace: &Trace| {
                let other = if trace.arm == 'A' { 'B' } else { 'A' };
                (trace.arm, trace.request, run.twin_until(trace, other, t).map(|twin| twin.request))
            };
            run.traces_until(t).into_iter().map(|trace| of(trace)).collect()
        };
        assert_eq!(shown(&live), shown(&judged), "at {second} s");
        assert_eq!(shown(&live)[0], ('A', second, Some(second)));
    }
}
