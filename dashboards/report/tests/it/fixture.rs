//! Twenty seconds of two arms; in B a fault from the tenth to the fifteenth makes answers slow.

use std::collections::BTreeMap;

use model::Run;
use record::{
    Arm, Better, Check, Class, Contrast, Edge, End, Entry, Event, EventKind, ExpectationPlan, Finding,
    Header, Instance, Interval, JourneyPlan, KeepReason, Latencies, Line, Lint, Machine, Measured, Part,
    Phase, PhasePlan, Proc, Score, Segment, Span, Split, StepPlan, Trace, Verdict, Window,
};

const SECOND: u64 = 1_000_000_000;

fn header() -> Header {
    let phase = |name: &str, from: u64, length: u64| PhasePlan {
        name: name.into(),
        start_ns: from * SECOND,
        length_ns: length * SECOND,
        measure: true,
    };
    let arm = |letter, name: &str, processes: &[&str]| Arm {
        letter,
        name: name.into(),
        topology: name.into(),
        instances: processes
            .iter()
            .map(|process| Instance {
                name: format!("{process}#0"),
                copies: 1,
                hosts: vec![(*process).into()],
                port: 1,
                public_port: None,
            })
            .collect(),
        local_edges: if letter == 'A' { vec!["feed->follower".into()] } else { Vec::new() },
        remote_edges: if letter == 'B' { vec!["feed->follower".into()] } else { Vec::new() },
        databases: 1,
        config_keys: 10,
        ready_ms: 30,
        ..Arm::default()
    };
    let plan = |id, text: &str, line| ExpectationPlan {
        id,
        list: "check".into(),
        text: text.into(),
        why: "<script>alert(1)</script>".into(),
        line,
    };
    Header {
        schema_version: record::SCHEMA_VERSION,
        run_id: "20260101-000000-test".into(),
        scenario: "slow-follower".into(),
        title: "a slow follower | and a bar".into(),
        why: "because".into(),
        scenario_text: "schema = 1".into(),
        seed: 42,
        version: "0.1.0".into(),
        command: vec!["cleave".into(), "run".into(), "slow-follower".into()],
        way: "side by side".into(),
        rounds: 1,
        machine: Machine { cpu: "a CPU".into(), cores: 2, memory_mib: 1_000, ..Machine::default() },
        arms: vec![arm('A', "mono", &["app"]), arm('B', "micro", &["feed", "follower"])],
        phases: vec![phase("steady", 0, 10), phase("fault", 10, 10)],
        journeys: vec![JourneyPlan {
            name: "home-feed".into(),
            needs: vec!["feed".into(), "follower".into()],
            groups: vec!["feed".into()],
        }],
        steps: vec![StepPlan {
            number: 1,
            id: "slow".into(),
            text: "feed->follower delay by 180ms".into(),
            hits: vec!["follower".into()],
            start_ns: 10 * SECOND,
            length_ns: 5 * SECOND,
            is_fault: true,
            build: None,
            not_applicable: BTreeMap::from([('A', "a function call here".into())]),
        }],
        expectations: vec![
            plan(0, "p99(all) < 150ms", 12),
            plan(1, "goodput(all) > 90%", 13),
            plan(2, "errors(all) < 1%", 14),
        ],
        schedule_digest: "00".into(),
        planned: 400,
        good_within_us: 1_000_000,
        timeout_us: 2_000_000,
        probe_us: 2_000_000,
        load_start_ns: SECOND,
        ready_ms: 100,
        telemetry: "sampled".into(),
        popularity: (0.8, 1.0),
        has_copies: true,
        slots: (32, 32),
        ..Header::default()
    }
}

/// Its record.
pub fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    let mut say = |t: u64, entry: Entry| lines.push(Line { t, entry });
    say(0, Entry::Header(Box::new(header())));
    for (index, name) in [(0, "steady"), (1, "fault")] {
        let phase = Phase { index, name: name.into(), round: 1, arms: String::new() };
        say(SECOND * (1 + 10 * u64::from(index)), Entry::Phase(phase));
    }
    say(
        11 * SECOND,
        Entry::Event(Event {
            number: 1,
            what: EventKind::Fault,
            active: Some(true),
            mark: None,
            targets: BTreeMap::from([('A', "n/a (a function call here)".into()), ('B', "feed#0".into())]),
            text: "feed->follower delay by 180ms".into(),
        }),
    );
    for second in 0..20_u32 {
        let t = SECOND * (1 + u64::from(second));
        for arm in ['A', 'B'] {
            let slow = arm == 'B' && (10..15).contains(&second);
            let us: u64 = if slow { 187_000 } else { 9_400 };
            let intended: Latencies = std::iter::repeat_n(us, 20).collect();
            let window = Window {
                arm,
                round: 1,
                journey: "home-feed".into(),
                second,
                offered: 20,
                sent: 20,
                ok: 20,
                good: if slow { 15 } else { 20 },
                intended,
                closed: true,
                ..Window::default()
            };
            say(t, Entry::from(window));
            let proc = Proc {
                arm,
                instance: "follower#0".into(),
                components: vec!["follower".into()],
                state: if slow { "paused".into() } else { "up".into() },
                cpu_ns: u64::from(second) * 100_000_000,
                pss_kib: 30_000,
                ..Proc::default()
            };
            say(t, Entry::from(proc));
        }
        let edge = Edge {
            arm: 'B',
            caller: "feed".into(),
            callee: "follower".into(),
            effective_rps: 20.0,
            actual_rps: 22.0,
            errors_rps: 2.0,
            p99_ms: Some(5.0),
            ..Edge::default()
        };
        say(t, Entry::Edge(edge));
    }
    let check = |id, text: &str, value: f64, limit: f64, unit: &str, verdict, reason: &str| {
        let sign = if verdict == Verdict::Fail { -1.0 } else { 1.0 };
        Entry::Check(Check {
            margin: Some(sign * (limit - value).abs()),
            id,
            text: text.into(),
            arm: 'B',
            value: Some(value),
            limit: Some(limit),
            unit: unit.into(),
            n: 4_812,
            verdict,
            reason: reason.into(),
            interval: None,
            is_censored: false,
            note: None,
            since_ns: None,
        })
    };
    let end = 22 * SECOND;
    // It held once; what counts is how it stands in the end.
    for arm in ['A', 'B'] {
        say(end, Entry::from(trace(arm)));
        say(end, Entry::Split(Box::new(split(arm))));
    }
    say(15 * SECOND, check(0, "p99(all) < 150ms", 0.1, 0.15, "s", Verdict::Pass, ""));
    say(end, check(0, "p99(all) < 150ms", 0.187, 0.15, "s", Verdict::Fail, ""));
    let straddles = "the interval 88.0% to 92.0% straddles the limit";
    say(end, check(1, "goodput(all) > 90%", 0.9, 0.9, "%", Verdict::Inconclusive, straddles));
    say(end, check(2, "errors(all) < 1%", 0.0, 0.01, "%", Verdict::Pass, ""));
    let measured = |value: f64, low, high| Measured {
        value: Some(value),
        n: 4_812,
        interval: Some(Interval::new(low, high)),
        ..Measured::default()
    };
    let about = |value: f64| measured(value, value * 0.9, value * 1.1);
    let ratio = Some(measured(19.9, 17.1, 23.0));
    let score = Score {
        id: "latency_p99".into(),
        claim: "network latency between services".into(),
        measure: "p99 of ok journeys".into(),
        unit: "s".into(),
        better: Better::Lower,
        window: "fault".into(),
        part_of: None,
        notes: vec!["B: bursts < 5% of the seconds".into()],
        arms: BTreeMap::from([('A', about(0.0094)), ('B', about(0.187))]),
        margin: Some(1.1),
        contrasts: BTreeMap::from([(
            'B',
            Contrast { ratio, finding: Some(Finding::Differs), ..Contrast::default() },
        )]),
        ratio,
        context: Some("work 1 ms".into()),
        finding: "differs".into(),
    };
    say(end, Entry::Score(Box::new(score)));
    let lint =
        Lint { name: "generator_lag".into(), verdict: Verdict::Invalid, text: "3 ms late at p99".into() };
    let end_line = End {
        verdict: Some(Verdict::Fail),
        exit_code: 1,
        lints: vec![lint],
        generator_saturated: false,
        noisy: false,
        pss_mib_peak: 120.0,
        lines: BTreeMap::new(),
        dropped_updates: 0,
        tracing: record::Tracing {
            spans: 90,
            requests: 40,
            kept: 2,
            strays: 3,
            ..record::Tracing::default()
        },
        speed: None,
    };
    say(end, Entry::End(Box::new(end_line)));
    lines
}

/// So many seconds of so many arms, no two alike, six journeys and five slow requests of forty operations each: as much
/// as a run has to show.
pub fn long(seconds: u32, arms: usize) -> Vec<Line> {
    let mut header = header();
    let letters: Vec<char> = ('A'..).take(arms).collect();
    let first = header.arms[1].clone();
    header.arms = letters.iter().map(|letter| Arm { letter: *letter, ..first.clone() }).collect();
    header.phases[1].length_ns = u64::from(seconds - 10) * SECOND;
    // Making a histogram takes longer than all else here.
    let kept: Vec<Latencies> =
        (0..16_u64).map(|k| (0..18).map(|i| 1_000 + k * 2_900 * i).collect()).collect();
    let mut lines = vec![Line { t: 0, entry: Entry::Header(Box::new(header)) }];
    let mut say = |t: u64, entry: Entry| lines.push(Line { t, entry });
    for (index, name) in [(0, "steady"), (1, "fault")] {
        let phase = Phase { index, name: name.into(), round: 1, arms: String::new() };
        say(SECOND * (1 + 10 * u64::from(index)), Entry::Phase(phase));
    }
    for (second, arm) in (0..seconds).flat_map(|second| letters.iter().map(move |arm| (second, *arm))) {
        let t = SECOND * (1 + u64::from(second));
        let varied = |of: u64| (u64::from(second) * 7_919 + u64::from(u32::from(arm)) * 104_729) % of;
        for journey in 0..6_u64 {
            let window = Window {
                arm,
                round: 1,
                journey: format!("journey-{journey}"),
                second,
                offered: 20,
                sent: 20,
                ok: 18,
                good: 10 + varied(9),
                intended: kept[varied(16) as usize].clone(),
                staleness: kept[varied(15) as usize].clone(),
                closed: true,
                ..Window::default()
            };
            say(t, Entry::from(window));
        }
        let (cpu_ns, pss_kib) =
            (u64::from(second) * 100_000_000 + varied(90_000_000), 30_000 + varied(9_000));
        say(t, Entry::from(Proc { arm, instance: "feed#0".into(), cpu_ns, pss_kib, ..Proc::default() }));
        let (caller, callee) = ("feed".to_owned(), "follower".to_owned());
        say(
            t,
            Entry::Edge(Edge { arm, caller, callee, actual_rps: 20.0, queue: varied(40), ..Edge::default() }),
        );
    }
    for (request, arm) in (0..5).flat_map(|request| letters.iter().map(move |arm| (request, *arm))) {
        let mut trace = Trace { request, arm, ..trace('B') };
        let child = trace.spans[1].clone();
        trace.spans.extend((0..40_u64).map(|i| Span {
            start: i * 1_000,
            length: 9_000_000 + i,
            ..child.clone()
        }));
        say(u64::from(seconds) * SECOND, Entry::from(trace));
    }
    lines
}

/// The same request in either arm: in B its call of the follower is slowed by the fault.
fn trace(arm: char) -> Trace {
    let slow = if arm == 'B' { 180_000_000 } else { 0 };
    let span = |parent, name: &str, start: u64, length: u64, class| Span {
        parent,
        of: if parent.is_some() { "follower".into() } else { "client".into() },
        at: String::new(),
        name: name.into(),
        place: "feed->follower".into(),
        start,
        length,
        class,
        error: String::new(),
    };
    let (work, root) = (2_000_000, 8_000_000 + slow);
    let mut spans = vec![
        span(None, "GET /v1/feed", 0, root, Class::Network),
        span(Some(0), "followers", 0, work, Class::Work),
    ];
    let mut path = vec![Segment { span: 1, start: 0, length: work }];
    if slow > 0 {
        spans.push(span(Some(0), "injected.delay", work, slow, Class::Injected));
        path.push(Segment { span: 2, start: work, length: slow });
    }
    path.push(Segment { span: 0, start: work + slow, length: root - work - slow });
    Trace {
        arm,
        round: 1,
        phase: 1,
        journey: "home-feed".into(),
        request: 217,
        trace_id: format!("{:032x}", u32::from(arm)),
        kept: if arm == 'B' { KeepReason::Slow } else { KeepReason::Pair },
        error: String::new(),
        due: 12 * SECOND,
        user_latency: root + 1_000_000,
        start: 12 * SECOND + 1_000_000,
        spans,
        path,
        clipped: 0,
        orphans: 0,
    }
}

fn split(arm: char) -> Split {
    let part =
        |class, mean| Part { place: "feed->follower".into(), class, mean, variance: 0.0, slowest: mean };
    let mut parts = vec![part(Class::Network, 6e6), part(Class::Work, 2e6)];
    parts.extend((arm == 'B').then(|| part(Class::Injected, 90e6)));
    let mean = parts.iter().map(|part| part.mean).sum();
    Split { arm, round: 1, phase: 1, journey: "home-feed".into(), n: 200, mean, slowest: 2.0 * mean, parts }
}

/// The run of it.
pub fn run() -> Run {
    reported(&lines())
}

/// The run of a record.
pub fn reported(lines: &[Line]) -> Run {
    Run::of(lines).expect("it has a header")
}

/// Another run of it: B is faster, beyond what the intervals allow for; another seed, and a scenario with a line more.
pub fn other_lines() -> Vec<Line> {
    let mut lines = lines();
    for line in &mut lines {
        match &mut line.entry {
            Entry::Header(header) => {
                header.run_id = "20260102-000000-othr".into();
                header.seed = 43;
                header.scenario_text += "\n# cured";
            }
            Entry::Score(score) => {
                let b = score.arms.get_mut(&'B').expect("measured");
                b.value = Some(0.02);
                b.interval = Some(Interval::new(0.018, 0.023));
                let ratio = Measured {
                    value: Some(2.1),
                    interval: Some(Interval::new(1.9, 2.4)),
                    ..Measured::default()
                };
                score.ratio = Some(ratio);
                score.contrasts.get_mut(&'B').expect("compared").ratio = Some(ratio);
            }
            Entry::Check(check) if check.id == 0 => {
                check.value = Some(0.02);
                check.verdict = Verdict::Pass;
            }
            _ => {}
        }
    }
    lines
}

/// The rows of the scorecard among the lines.
pub fn scores(lines: &mut [Line]) -> Vec<&mut Score> {
    let entries = lines.iter_mut().map(|line| &mut line.entry);
    let of = entries.filter_map(|entry| match entry {
        Entry::Score(score) => Some(&mut **score),
        _ => None,
    });
    of.collect()
}

/// The checks among the lines.
pub fn checks(lines: &mut [Line]) -> Vec<&mut Check> {
    let entries = lines.iter_mut().map(|line| &mut line.entry);
    let of = entries.filter_map(|entry| match entry {
        Entry::Check(check) => Some(check),
        _ => None,
    });
    of.collect()
}
