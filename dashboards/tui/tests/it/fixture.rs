//! A synthetic run, the same every time: two arms, a slow component, a crash and a restart.
//!
//! One minute of load at 120/s. Phases: warm 0-5 s, steady to 20 s, slow to 35 s,
//! crash to 45 s, recovery to 60 s. Step 1 makes `follower` 180 ms slower from
//! 22 s to 32 s; in the monolith that is a function call, so it has no target there.
//! Step 2 kills what holds `photo` at 37 s; it is back at 40 s.

use std::collections::BTreeMap;

#[path = "traces.rs"]
pub mod traces;

use record::{
    Arm, Audit, Better, Check, Edge, End, Entry, Event, EventKind, ExpectationPlan, Header, Host, Instance,
    JourneyPlan, Line, Lint, Machine, Measured, Phase, PhasePlan, Proc, Score, StepPlan, Verdict, Window,
};

pub const SECOND: u64 = 1_000_000_000;
/// When the load starts: both arms had to come up first.
pub const LOAD_START: u64 = 3 * SECOND;
/// Seconds of load.
pub const LENGTH: u32 = 60;
const PHASES: [(&str, u64, u64); 5] =
    [("warm", 0, 5), ("steady", 5, 15), ("slow", 20, 15), ("crash", 35, 10), ("recovery", 45, 15)];
const JOURNEYS: [(&str, u64, &[&str]); 4] = [
    ("home-feed", 50, &["feed", "follower", "profile"]),
    ("search", 30, &["search"]),
    ("view-photo", 25, &["photo"]),
    ("view-profile", 15, &["profile"]),
];
const COMPONENTS: [&str; 5] = ["profile", "follower", "feed", "search", "photo"];
const EDGES: [(&str, &str, f64, f64); 5] = [
    ("gateway", "feed", 50.0, 9.0),
    ("feed", "follower", 50.0, 3.0),
    ("feed", "profile", 48.0, 2.5),
    ("gateway", "search", 30.0, 4.0),
    ("gateway", "photo", 25.0, 8.0),
];

/// Noise between 0 and 1: the high bits of a SplitMix64 step (Steele, Lea, Flood, OOPSLA 2014).
fn noise(of: u64) -> f64 {
    let z = of.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 40) as f64 / (1_u64 << 24) as f64
}

fn slow(second: u32) -> bool {
    (22..32).contains(&second)
}

fn dead(second: u32) -> bool {
    (37..40).contains(&second)
}

/// The whole record, first line to last.
pub fn lines() -> Vec<Line> {
    let mut lines = vec![Line { t: LOAD_START, entry: Entry::Header(Box::new(header())) }];
    for (index, (name, start, _)) in PHASES.iter().enumerate() {
        let phase = Phase { index: index as u32, name: (*name).to_owned(), round: 1, arms: "AB".to_owned() };
        lines.push(Line { t: LOAD_START + start * SECOND + 1_000_000, entry: Entry::Phase(phase) });
    }
    lines.extend(events());
    for second in 0..LENGTH + 3 {
        // A second is told when it is over, open; two seconds later it is final.
        let t = LOAD_START + (u64::from(second) + 1) * SECOND + 20_000_000;
        let mut say = |entry| lines.push(Line { t, entry });
        for arm in ['A', 'B'] {
            for (journey, (name, rate, needs)) in JOURNEYS.iter().enumerate() {
                if second < LENGTH {
                    say(Entry::Window(Box::new(window(
                        arm,
                        second,
                        journey as u64,
                        name,
                        *rate,
                        needs,
                        false,
                    ))));
                }
                if let Some(second) = second.checked_sub(2).filter(|second| *second < LENGTH) {
                    say(Entry::Window(Box::new(window(
                        arm,
                        second,
                        journey as u64,
                        name,
                        *rate,
                        needs,
                        true,
                    ))));
                }
            }
            if second < LENGTH {
                edges(arm, second).into_iter().for_each(|edge| say(Entry::Edge(edge)));
                procs(arm, second).into_iter().for_each(|proc| say(Entry::Proc(proc)));
            }
        }
        ours(second).into_iter().for_each(|proc| say(Entry::Proc(proc)));
        traces::told(second).into_iter().for_each(&mut say);
        let cpu_stall = 12.0 + 3.0 * noise(u64::from(second));
        say(Entry::Host(Host {
            cpu_stall,
            memory_available_mib: 2_048,
            pss_kib: 400_000,
            ..Host::default()
        }));
    }
    lines.sort_by_key(|line| line.t);
    let t = LOAD_START + u64::from(LENGTH + 4) * SECOND;
    lines.extend(conclusion().into_iter().map(|entry| Line { t, entry }));
    lines
}

/// Lines said until a load second is over.
pub fn until(second: u32) -> Vec<Line> {
    let t = LOAD_START + u64::from(second) * SECOND + 500_000_000;
    lines().into_iter().filter(|line| line.t <= t).collect()
}

fn edge_names() -> Vec<String> {
    EDGES.iter().map(|(caller, callee, ..)| format!("{caller}->{callee}")).collect()
}

fn header() -> Header {
    let arm = |letter, name: &str, instances: Vec<Instance>| Arm {
        letter,
        name: name.to_owned(),
        topology: name.to_owned(),
        variant: String::new(),
        policies: BTreeMap::new(),
        databases: if letter == 'A' { 1 } else { 5 },
        config_keys: instances.len() as u32 * 9,
        instances,
        local_edges: if letter == 'A' { edge_names() } else { Vec::new() },
        remote_edges: if letter == 'A' { Vec::new() } else { edge_names() },
        ready_ms: if letter == 'A' { 412 } else { 1_630 },
    };
    let instance = |name: String, hosts: Vec<&str>, port| Instance {
        name,
        hosts: hosts.into_iter().map(str::to_owned).collect(),
        port,
        public_port: None,
    };
    let micro = ["gateway"].iter().chain(&COMPONENTS).enumerate();
    let micro = micro.map(|(i, name)| instance(format!("{name}#0"), vec![name], 7_101 + i as u16)).collect();
    let expectation = |id, text: &str, why: &str| ExpectationPlan {
        id,
        list: "check".to_owned(),
        text: text.to_owned(),
        why: why.to_owned(),
        line: 40 + id,
    };
    Header {
        schema_version: record::SCHEMA_VERSION,
        run_id: "slow-then-dead-1".to_owned(),
        scenario: "slow-then-dead".to_owned(),
        title: "follower 180 ms slower for ten seconds, then kill -9 of photo, restarted after two seconds"
            .to_owned(),
        why: "A split house loses less when a part fails.".to_owned(),
        scenario_text: String::new(),
        seed: 42,
        version: "0.1.0".to_owned(),
        command: vec!["cleave".to_owned(), "run".to_owned(), "slow-then-dead".to_owned()],
        wall_us: 1_785_000_000_000_000,
        way: "side by side".to_owned(),
        rounds: 1,
        machine: Machine { cores: 2, profile: "lab".to_owned(), ..Machine::default() },
        arms: vec![
            arm(
                'A',
                "mono",
                vec![instance(
                    "app#0".to_owned(),
                    ["gateway"].into_iter().chain(COMPONENTS).collect(),
                    7_001,
                )],
            ),
            arm('B', "micro", micro),
        ],
        phases: PHASES
            .iter()
            .map(|(name, start, length)| PhasePlan {
                name: (*name).to_owned(),
                start_ns: start * SECOND,
                length_ns: length * SECOND,
                measure: *name != "warm",
            })
            .collect(),
        journeys: JOURNEYS
            .iter()
            .map(|(name, _, needs)| JourneyPlan {
                name: (*name).to_owned(),
                needs: needs.iter().map(|need| (*need).to_owned()).collect(),
                groups: Vec::new(),
            })
            .collect(),
        steps: vec![
            StepPlan {
                number: 1,
                id: "slow-follower".to_owned(),
                text: "*->follower delay 180ms".to_owned(),
                hits: vec!["follower".to_owned()],
                start_ns: 22 * SECOND,
                length_ns: 10 * SECOND,
                is_fault: true,
                not_applicable: BTreeMap::from([(
                    'A',
                    "every call to follower is a function call here".to_owned(),
                )]),
            },
            StepPlan {
                number: 2,
                id: "dead-photo".to_owned(),
                text: "photo kill".to_owned(),
                hits: vec!["photo".to_owned()],
                start_ns: 37 * SECOND,
                length_ns: 0,
                is_fault: true,
                not_applicable: BTreeMap::new(),
            },
        ],
        expectations: vec![
            expectation(0, "p99(all) in steady < 150ms", "a page that takes longer is left"),
            expectation(1, "availability(search) in crash for micro >= 99%", "search does not need photo"),
            expectation(
                2,
                "p50(all) in steady for micro <= 2 * p50(all) in steady for mono",
                "hops cost, not double",
            ),
        ],
        schedule_digest: "5f3c".to_owned(),
        planned: 7_200,
        good_within_us: 500_000,
        load_start_ns: LOAD_START,
        ready_ms: 2_100,
        telemetry: "metrics".to_owned(),
        budget_memory: None,
        closed: false,
        popularity: (0.8, 1.0),
        has_copies: true,
        drops: false,
        slots: (200, 200),
    }
}

/// What a journey's user saw in one second. Answers within half a second are good.
fn window(
    arm: char,
    second: u32,
    journey: u64,
    name: &str,
    rate: u64,
    needs: &[&str],
    closed: bool,
) -> Window {
    let base_us = if arm == 'A' { 2_000.0 } else { 5_000.0 };
    let struck = dead(second) && (arm == 'A' || needs.contains(&"photo"));
    let delayed = arm == 'B' && slow(second) && needs.contains(&"follower");
    // An open second lacks some of its answers.
    let answered = if closed { rate } else { rate * 4 / 5 };
    let mut window = Window {
        arm,
        round: 1,
        journey: name.to_owned(),
        second,
        offered: rate,
        sent: rate,
        closed,
        ..Window::default()
    };
    if struck {
        window.errors = BTreeMap::from([("connect".to_owned(), answered)]);
        return window;
    }
    let seed =
        |i: u64| noise(u64::from(second) * 1_000 + journey * 100 + i + u64::from(arm as u32) * 1_000_000);
    let failed = if delayed { answered / 10 } else { 0 };
    if failed > 0 {
        window.errors = BTreeMap::from([("timeout".to_owned(), failed)]);
    }
    let latency = |i: u64| {
        let tail = if seed(i) > 0.985 { 3.0 + 4.0 * seed(i + 80) } else { 1.0 };
        (base_us * (0.6 + 0.8 * seed(i + 50)) * tail) as u64 + if delayed { 180_000 } else { 0 }
    };
    window.ok = answered - failed;
    window.good = window.ok;
    window.intended = (0..window.ok).map(latency).collect();
    window.pace_lag = (0..window.ok).map(|i| 40 + (seed(i + 7) * 200.0) as u64).collect();
    if journey == 0 {
        window.probes = 5;
        window.stale = u64::from(arm == 'B' && second.is_multiple_of(4));
        window.staleness =
            (0..5).map(|i| if arm == 'B' { 20_000 + (seed(i + 30) * 60_000.0) as u64 } else { 1 }).collect();
    }
    window
}

fn edges(arm: char, second: u32) -> Vec<Edge> {
    // In the monolith every call is a function call.
    let of_arm = EDGES.iter().filter(|_| arm == 'B');
    of_arm
        .map(|(caller, callee, rps, ms)| {
            let delayed = slow(second) && ["follower", "feed"].contains(callee);
            let struck = dead(second) && *callee == "photo";
            let wobble = 1.0 + 0.2 * noise(u64::from(second) + *rps as u64);
            Edge {
                arm,
                caller: (*caller).to_owned(),
                callee: (*callee).to_owned(),
                local: false,
                effective_rps: *rps,
                // Every second call to what is slow is tried again.
                actual_rps: if delayed && *callee == "follower" { rps * 1.5 } else { *rps },
                errors_rps: if struck {
                    *rps
                } else if delayed {
                    rps * 0.1
                } else {
                    0.0
                },
                retries_rps: if delayed && *callee == "follower" { rps * 0.5 } else { 0.0 },
                p50_ms: (!struck).then_some(ms * wobble / 2.0 + if delayed { 180.0 } else { 0.0 }),
                p99_ms: (!struck).then_some(ms * wobble * 2.0 + if delayed { 180.0 } else { 0.0 }),
                breaker: if *callee == "photo" && struck { 2 } else { 0 },
                queue: if delayed { u64::from(second - 21) * 12 } else { 0 },
            }
        })
        .collect()
}

fn procs(arm: char, second: u32) -> Vec<Proc> {
    let held: Vec<(&str, Vec<&str>)> = if arm == 'A' {
        vec![("app#0", ["gateway"].into_iter().chain(COMPONENTS).collect())]
    } else {
        let names = ["gateway#0", "profile#0", "follower#0", "feed#0", "search#0", "photo#0"];
        names.iter().map(|name| (*name, vec![name.trim_end_matches("#0")])).collect()
    };
    let mut procs = Vec::new();
    for (i, (name, components)) in held.into_iter().enumerate() {
        let hit = arm == 'A' || name == "photo#0";
        let (state, restarts) = match second {
            37 | 38 if hit => ("down", 0),
            39 if hit => ("starting", 1),
            40.. if hit => ("up", 1),
            _ => ("up", 0),
        };
        // A restarted process counts its CPU from zero again.
        let age = if restarts > 0 { second - 39 } else { second };
        procs.push(Proc {
            arm,
            pid: 41_000 + i as u32 + restarts * 100 + if arm == 'A' { 0 } else { 10 },
            instance: name.to_owned(),
            components: components.into_iter().map(str::to_owned).collect(),
            state: state.to_owned(),
            cpu_ns: u64::from(age) * if arm == 'A' { 150_000_000 } else { 70_000_000 },
            run_queue_ns: u64::from(age) * 11_000_000,
            pss_kib: if state == "down" { 0 } else { 24_000 + u64::from(second) * 40 },
            threads: 7,
            fds: 40 + i as u32,
            switches: u64::from(age) * 1_900,
            db_bytes: if name.starts_with("gateway") { 0 } else { 3_000_000 + u64::from(second) * 4_096 },
            restarts,
            ..Proc::default()
        });
    }
    procs
}

/// The generator and the lab itself, which are no arm's.
fn ours(second: u32) -> Vec<Proc> {
    let proc = |pid, instance: &str, cpu_ms: u64, pss_kib| Proc {
        arm: '-',
        pid,
        instance: instance.to_owned(),
        state: "up".to_owned(),
        cpu_ns: u64::from(second) * cpu_ms * 1_000_000,
        pss_kib,
        threads: 4,
        fds: 60,
        switches: u64::from(second) * 4_000,
        ..Proc::default()
    };
    vec![proc(40_990, "generator", 210, 61_000), proc(40_980, "cleave", 42, 25_000)]
}

fn events() -> Vec<Line> {
    let event = |seconds: f64, number, what, active, targets: &[(char, &str)], text: &str| Line {
        t: LOAD_START + (seconds * 1e9) as u64,
        entry: Entry::Event(Event {
            mark: None,
            number,
            what,
            active,
            targets: targets.iter().map(|(arm, target)| (*arm, (*target).to_owned())).collect(),
            text: text.to_owned(),
        }),
    };
    let away = "n/a (every call to follower is a function call here)";
    vec![
        event(
            22.001,
            1,
            EventKind::Fault,
            Some(true),
            &[('A', away), ('B', "feed#0")],
            "*->follower delay 180ms",
        ),
        event(32.001, 1, EventKind::Fault, Some(false), &[], "*->follower delay 180ms ended"),
        event(37.002, 2, EventKind::Fault, None, &[('A', "app#0"), ('B', "photo#0")], "photo kill"),
        event(37.005, 0, EventKind::Health, None, &[], "A app#0 went down: killed by signal 9"),
        event(37.006, 0, EventKind::Health, None, &[], "B photo#0 went down: killed by signal 9"),
        event(37.9, 0, EventKind::Break, None, &[], "B gateway->photo closed -> open"),
        event(39.4, 0, EventKind::Health, None, &[], "B photo#0 down -> up after 2.39s"),
        event(39.9, 0, EventKind::Health, None, &[], "A app#0 down -> up after 2.90s"),
    ]
}

fn conclusion() -> Vec<Entry> {
    let check = |id, text: &str, arm, value, limit, unit: &str, n, verdict, reason: &str| {
        Entry::Check(Check {
            id,
            text: text.to_owned(),
            arm,
            value,
            limit,
            unit: unit.to_owned(),
            n,
            verdict,
            reason: reason.to_owned(),
            since_ns: None,
        })
    };
    let latency = "network latency between services";
    let isolation = "fault isolation";
    let beside = "A: work 1.1ms CPU, hop 0us CPU x 1.0 hops; B: work 1.2ms CPU, hop 210us CPU x 2.9 hops";
    let m = |value: f64, n| Measured { value: Some(value), n, interval: None };
    let score =
        |id: &str, claim: &str, measure: &str, unit: &str, better, window: &str, a, b, finding: &str| Score {
            id: id.to_owned(),
            claim: claim.to_owned(),
            measure: measure.to_owned(),
            unit: unit.to_owned(),
            better,
            window: window.to_owned(),
            arms: BTreeMap::from([('A', a), ('B', b)]),
            ratio: None,
            beside: None,
            finding: finding.to_owned(),
        };
    let ratio = |value, low, high| Some(Measured { value: Some(value), n: 15, interval: Some((low, high)) });
    let p = "of ok journeys, from the intended start";
    let mut scores = vec![
        score(
            "latency_p50",
            latency,
            &format!("p50 {p}"),
            "s",
            Better::Lower,
            "steady",
            m(0.0021, 1_800),
            m(0.0053, 1_800),
            "differs",
        ),
        score(
            "latency_p99",
            latency,
            &format!("p99 {p}"),
            "s",
            Better::Lower,
            "steady",
            m(0.0094, 1_800),
            m(0.0262, 1_800),
            "differs",
        ),
        score(
            "hops",
            latency,
            "requests on the wire per journey",
            "",
            Better::Neither,
            "steady",
            m(1.0, 1_800),
            m(2.9, 1_800),
            "differs",
        ),
        score(
            "goodput",
            "scalability",
            "journeys answered ok and in time",
            "%",
            Better::Higher,
            "steady",
            m(1.0, 1_800),
            m(1.0, 1_800),
            "no difference",
        ),
        score(
            "goodput_dead-photo",
            isolation,
            "goodput while dead-photo lasts",
            "%",
            Better::Higher,
            "crash",
            m(0.7, 1_200),
            m(0.937, 1_200),
            "differs",
        ),
        score(
            "blast_radius_dead-photo",
            isolation,
            "journeys hurt that do not need what dead-photo hits",
            "",
            Better::Lower,
            "crash",
            m(3.0, 4),
            m(0.0, 4),
            "differs",
        ),
        score(
            "recovery",
            isolation,
            "from the last fault's end to 95 % goodput",
            "s",
            Better::Lower,
            "whole",
            m(f64::INFINITY, 1),
            Measured::default(),
            "not measured",
        ),
        score(
            "memory",
            "operational complexity",
            "PSS of the arm at its highest",
            "B",
            Better::Lower,
            "whole",
            m(27e6, 60),
            m(161e6, 60),
            "differs",
        ),
    ];
    scores[0].ratio = ratio(2.52, 2.41, 2.63);
    scores[1].ratio = ratio(2.79, 2.1, 3.66);
    scores[0].beside = Some(beside.to_owned());
    scores[1].beside = Some(beside.to_owned());
    scores[3].ratio = ratio(1.0, 0.99, 1.01);
    scores[4].ratio = ratio(1.34, 1.2, 1.51);
    let text = ["p99(all) in steady < 150ms", "availability(search) in crash for micro >= 99%"];
    let ratio_text = "p50(all) in steady for micro <= 2 * p50(all) in steady for mono";
    let mut entries = vec![
        check(0, text[0], 'A', Some(0.0094), Some(0.15), "s", 1_800, Verdict::Pass, ""),
        check(0, text[0], 'B', Some(0.0262), Some(0.15), "s", 1_800, Verdict::Pass, ""),
        check(
            1,
            text[1],
            'B',
            Some(1.0),
            Some(0.99),
            "%",
            300,
            Verdict::Inconclusive,
            "300 samples, 500 are needed",
        ),
        check(2, ratio_text, '-', Some(0.0053), Some(0.0042), "s", 1_800, Verdict::Fail, ""),
    ];
    entries.extend(scores.into_iter().map(|score| Entry::Score(Box::new(score))));
    // Told twice: once counted, once with the final state's digest.
    let audit = |arm, lost, digest: Option<&str>| {
        Entry::Audit(Audit {
            round: 1,
            arm,
            acknowledged: 840,
            found: 840 - lost,
            lost,
            unacknowledged: 2,
            state_digest: digest.map(str::to_owned),
            ..Audit::default()
        })
    };
    entries.extend([audit('A', 0, None), audit('B', 1, None)]);
    entries.extend([audit('A', 0, Some("feed=74e92db0")), audit('B', 1, Some("feed=74e92db1"))]);
    entries.push(Entry::End(Box::new(End {
        verdict: Some(Verdict::Fail),
        exit_code: 1,
        lints: vec![Lint {
            name: "cpu_stall".to_owned(),
            verdict: Verdict::Inconclusive,
            text: "runnable tasks waited 14 % of the time; arms side by side share two cores".to_owned(),
        }],
        generator_saturated: false,
        noisy: false,
        pss_mib_peak: 391.0,
        lines: BTreeMap::new(),
        dropped_updates: 0,
        tracing: record::Tracing::default(),
    })));
    entries
}
