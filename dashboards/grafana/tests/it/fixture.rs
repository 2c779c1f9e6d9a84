//! Five seconds of two arms; in B a component is slow from the second to the fourth.

use record::{Edge, Entry, Event, EventKind, Header, Host, KeepReason, Line, Phase, Proc, Trace, Window};
use serde_json::json;

pub const SECOND: u64 = 1_000_000_000;

pub fn header() -> Header {
    let arm = |letter: char, name: &str| {
        json!({
            "letter": letter, "name": name, "topology": name, "variant": "", "instances": [],
            "local_edges": [], "remote_edges": [], "databases": 1, "config_keys": 1, "ready_ms": 1,
        })
    };
    let phase = |name: &str, from: u64, length: u64| json!({ "name": name, "start_ns": from * SECOND, "length_ns": length * SECOND, "measure": true });
    let step = |number: u32, id: &str, is_fault: bool| {
        json!({
            "number": number, "id": id, "text": id, "hits": ["follower"], "start_ns": 2 * SECOND,
            "length_ns": 2 * SECOND, "is_fault": is_fault, "not_applicable": { "A": "a function call here" },
        })
    };
    let header = json!({
        "schema_version": record::SCHEMA_VERSION, "run_id": "r1", "scenario": "slow", "title": "", "why": "",
        "scenario_text": "", "seed": 1, "version": "0", "command": [], "wall_us": 1_000_000_000_i64,
        "way": "side by side", "rounds": 1,
        "machine": { "cpu": "", "cores": 2, "memory_mib": 1, "kernel": "", "load_average": 0.0, "profile": "" },
        "arms": [arm('A', "mono"), arm('B', "micro")],
        "phases": [phase("steady", 0, 2), phase("fault", 2, 3)],
        "journeys": [], "steps": [step(1, "slow-follower", true), step(2, "scale \"up\"", false)],
        "expectations": [], "schedule_digest": "", "planned": 0, "good_within_us": 100_000,
        "load_start_ns": 0, "ready_ms": 0, "telemetry": "metrics",
    });
    serde_json::from_value(header).expect("a header")
}

pub fn window(arm: char, second: u32, ok_us: &[u64], is_final: bool) -> Entry {
    let ok = ok_us.len() as u64;
    Entry::from(Window {
        arm,
        round: 1,
        journey: "home-feed".into(),
        second,
        offered: 4,
        sent: 4,
        ok,
        good: ok_us.iter().filter(|us| **us <= 100_000).count() as u64,
        intended: ok_us.iter().copied().collect(),
        pace_lag: [100; 4].into_iter().collect(),
        closed: is_final,
        ..Window::default()
    })
}

pub fn acts(number: u32, active: Option<bool>) -> Entry {
    Entry::Event(Event {
        number,
        what: EventKind::Fault,
        active,
        mark: None,
        targets: [('A', "n/a (a function call here)".into()), ('B', "follower#0".into())].into(),
        text: String::new(),
    })
}

pub fn process(instance: &str, arm: char, state: &str, cpu_ms: u64) -> Entry {
    Entry::from(Proc {
        arm,
        instance: instance.into(),
        state: state.into(),
        cpu_ns: cpu_ms * 1_000_000,
        pss_kib: 1_024,
        ..Proc::default()
    })
}

pub fn edge(rps: f64, p99_ms: Option<f64>) -> Entry {
    Entry::Edge(Edge {
        arm: 'B',
        caller: "feed".into(),
        callee: "follower".into(),
        effective_rps: rps,
        actual_rps: rps,
        p99_ms,
        ..Edge::default()
    })
}

pub fn trace(user_latency_us: u64) -> Entry {
    Entry::from(Trace {
        arm: 'B',
        round: 1,
        phase: 1,
        journey: "home-feed".into(),
        request: 7,
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        kept: KeepReason::Slow,
        error: String::new(),
        due: 0,
        user_latency: user_latency_us * 1_000,
        start: 0,
        spans: Vec::new(),
        path: Vec::new(),
        clipped: 0,
        orphans: 0,
    })
}

pub fn at(t_ms: u64, entry: Entry) -> Line {
    Line { t: t_ms * 1_000_000, entry }
}

pub fn lines() -> Vec<Line> {
    let phase =
        |index, name: &str| Entry::Phase(Phase { index, name: name.into(), round: 1, arms: String::new() });
    let host = Entry::Host(Host { cpu_stall: Some(25.0), other_cpu: 50.0, ..Host::default() });
    vec![
        at(0, Entry::Header(Box::new(header()))),
        at(0, phase(0, "steady")),
        at(1_000, process("app#0", 'A', "up", 100)),
        at(1_000, process("generator", '-', "up", 10)),
        at(1_000, edge(10.0, Some(3.0))),
        at(1_000, edge(5.0, Some(4.0))),
        at(1_000, host),
        at(1_100, window('A', 0, &[2_000, 3_000], false)),
        at(1_100, window('B', 0, &[2_000, 3_000, 3_000, 4_000], true)),
        at(2_000, phase(1, "fault")),
        at(2_000, acts(1, Some(true))),
        at(2_100, window('A', 0, &[2_000, 3_000, 3_000, 4_000], true)),
        at(2_500, acts(2, None)),
        at(3_100, window('B', 2, &[180_000, 190_000], true)),
        at(3_200, trace(190_000)),
        at(4_000, acts(1, Some(false))),
        at(5_000, process("app#0", 'A', "down", 0)),
    ]
}
