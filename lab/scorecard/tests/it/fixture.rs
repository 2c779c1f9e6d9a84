//! A run of two arms, second by second.

use std::collections::BTreeMap;

use record::{
    Arm, Audit, Class, Entry, ExpectationPlan, Header, Instance, JourneyPlan, Latencies, Line, Machine, Part,
    PartSum,
};
use record::{Phase, PhasePlan, Proc, Split, StepPlan, TraceSecond, Window};
use scorecard::{Circumstances, Engine, Expectation};

pub const SECOND: u64 = 1_000_000_000;

/// 5 s of warming up, 20 s that count, and 10 s in which `photo` is killed 2 s in.
pub const PHASES: [(&str, u64, bool); 3] = [("warm", 5, false), ("steady", 20, true), ("crash", 10, true)];

/// Reads feeds, which need photo, and profiles, which do not.
pub const JOURNEYS: [(&str, &[&str], &str); 2] =
    [("home-feed", &["feed", "photo"], "reads"), ("view-profile", &["profile"], "lookups")];

pub fn header(rounds: u32) -> Header {
    let mut start_ns = 0;
    let phases = PHASES.map(|(name, seconds, measure)| {
        let phase = PhasePlan { name: name.into(), start_ns, length_ns: seconds * SECOND, measure };
        start_ns += seconds * SECOND;
        phase
    });
    let journeys = JOURNEYS.map(|(name, needs, group)| JourneyPlan {
        name: name.into(),
        needs: needs.iter().map(|&need| need.into()).collect(),
        groups: vec![group.into()],
    });
    let arm = |letter, name: &str, hosts: &[&[&str]]| Arm {
        letter,
        name: name.into(),
        topology: name.into(),
        instances: hosts
            .iter()
            .map(|hosts| Instance {
                name: format!("{}#0", hosts[0]),
                copies: 1,
                hosts: hosts.iter().map(|&host| host.into()).collect(),
                port: 1,
                public_port: hosts.contains(&"gateway").then_some(2),
            })
            .collect(),
        databases: hosts.len() as u32,
        config_keys: 10 * hosts.len() as u32,
        ready_ms: 30,
        ..Arm::default()
    };
    Header {
        schema_version: record::SCHEMA_VERSION,
        run_id: "test".into(),
        scenario: "test".into(),
        seed: 42,
        way: "side by side".into(),
        rounds,
        machine: Machine { cores: 2, memory_mib: 1_000, ..Machine::default() },
        arms: vec![
            arm('A', "mono", &[&["gateway", "profile", "feed", "photo"]]),
            arm('B', "micro", &[&["gateway"], &["profile"], &["feed"], &["photo"]]),
        ],
        phases: phases.into(),
        journeys: journeys.into(),
        steps: vec![StepPlan {
            number: 1,
            id: "dead-photo".into(),
            text: "photo kill".into(),
            hits: vec!["photo".into()],
            start_ns: 27 * SECOND,
            length_ns: 0,
            is_fault: true,
            build: None,
            not_applicable: BTreeMap::new(),
        }],
        planned: u64::from(rounds) * 35 * 40,
        planned_measured: vec![30 * 40; rounds as usize],
        good_within_us: 1_000_000,
        timeout_us: 2_000_000,
        probe_us: 2_000_000,
        ready_ms: 100,
        telemetry: "metrics".into(),
        popularity: (0.8, 1.0),
        has_copies: true,
        copies: vec!["mono-x3".into()],
        slots: (200, 200),
        ..Header::default()
    }
}

/// A run as it goes on.
pub struct Run {
    tally: model::Run,
    rounds: u32,
}

impl Run {
    /// Side by side: both arms from the first second on.
    pub fn new() -> Self {
        Self::of_rounds(1)
    }

    pub fn of_rounds(rounds: u32) -> Self {
        let mut run = Self { tally: model::Run::new(header(rounds)), rounds };
        for round in 1..=rounds {
            for (index, phase) in run.tally.header.phases.clone().iter().enumerate() {
                let entry = Entry::Phase(Phase {
                    index: index as u32,
                    name: phase.name.clone(),
                    round,
                    arms: "AB".into(),
                });
                run.add(u64::from(round - 1) * 100 * SECOND + phase.start_ns, entry);
            }
        }
        run
    }

    pub fn add(&mut self, t: u64, entry: Entry) {
        self.tally.add(&Line { t, entry });
    }

    /// Every second of both arms: 20 of each journey, all good, answered by `latency_us`.
    pub fn quiet(mut self, latency_us: impl Fn(char, u32) -> u64) -> Self {
        for round in 1..=self.rounds {
            for arm in ['A', 'B'] {
                for second in 0..35 {
                    for (journey, ..) in JOURNEYS {
                        self.window(arm, round, second, journey, 20, 20, latency_us(arm, second));
                    }
                }
            }
        }
        self
    }

    /// One second of one journey: so many offered, so many of them good, the rest failed.
    #[expect(clippy::too_many_arguments, reason = "a second has that many sides")]
    pub fn window(
        &mut self,
        arm: char,
        round: u32,
        second: u32,
        journey: &str,
        offered: u64,
        good: u64,
        latency_us: u64,
    ) {
        let mut histogram = record::histogram::recorder();
        // Spread by a percent each, so that quantiles have neighbours.
        (0..good).for_each(|n| histogram.saturating_record(latency_us + n * latency_us / 100));
        let failed = offered - good;
        let window = Window {
            arm,
            round,
            journey: journey.into(),
            second,
            offered,
            sent: offered,
            ok: good,
            good,
            errors: [("status_5xx".to_owned(), failed)].into_iter().filter(|(_, n)| *n > 0).collect(),
            pages: if journey == "home-feed" { good } else { 0 },
            intended: Latencies::of(&histogram),
            service: Latencies::of(&histogram),
            finished: Some(offered),
            closed: true,
            ..Window::default()
        };
        let t = u64::from(round - 1) * 100 * SECOND + u64::from(second) * SECOND;
        self.add(t, Entry::from(window));
    }

    /// CPU of the arm's one sampled process: so many ns every second of a round, one part in ten more or less.
    pub fn cpu(self, arm: char, ns_a_second: u64) -> Self {
        self.parts(arm, 1, &[("business", ns_a_second)])
    }

    /// The same by part, and so many requests a journey.
    pub fn parts(mut self, arm: char, hops: u64, parts: &[(&str, u64)]) -> Self {
        let total: u64 = parts.iter().map(|(_, ns)| ns).sum();
        for round in 0..u64::from(self.rounds) {
            let mut spent = round * 37 * total;
            let mut of_parts: BTreeMap<String, u64> = BTreeMap::new();
            for second in 0..=36 {
                let proc = Proc {
                    arm,
                    pid: 7,
                    instance: format!("{arm}#0"),
                    components: vec!["feed".into()],
                    cpu_ns: spent,
                    cpu_workers_ns: spent,
                    scraped: true,
                    parts: of_parts.clone(),
                    requests: (round * 37 + second) * 40 * hops,
                    pss_kib: 1_024,
                    ..Proc::default()
                };
                self.add((round * 100 + second) * SECOND, Entry::from(proc));
                // A tenth more in one second, less in the next.
                let swing = |ns: u64| if second % 2 == 0 { ns * 11 / 10 } else { ns * 9 / 10 };
                for (part, ns) in parts {
                    *of_parts.entry((*part).to_owned()).or_default() += swing(*ns);
                    spent += swing(*ns);
                }
            }
        }
        self
    }

    /// What a process held at a moment.
    pub fn memory(&mut self, arm: char, instance: &str, at_ms: u64, pss_kib: u64) {
        let components = instance.split('#').take(1).map(str::to_owned).collect();
        let proc = Proc { arm, instance: instance.into(), components, pss_kib, ..Proc::default() };
        self.add(at_ms * 1_000_000, Entry::from(proc));
    }

    /// Where the time of 400 home feeds went in a phase, ms by place and class; every trace deviates by a tenth.
    pub fn split(mut self, arm: char, phase: u32, parts_ms: &[(&str, Class, f64)]) -> Self {
        let part = |(place, class, ms): &(&str, Class, f64)| Part {
            place: (*place).to_owned(),
            class: *class,
            mean: ms * 1e6,
            variance: (ms * 1e5).powi(2),
            slowest: ms * 2e6,
        };
        let mean = parts_ms.iter().map(|(.., ms)| ms * 1e6).sum();
        let parts = parts_ms.iter().map(part).collect();
        let journey = JOURNEYS[0].0.to_owned();
        let split = Split { arm, round: 1, phase, journey, n: 400, mean, slowest: 2.0 * mean, parts };
        self.add(40 * SECOND, Entry::Split(Box::new(split)));
        self
    }

    /// Ten traced requests a second, whole in both arms: 4 ms of work, and so many of the network, a tenth more or less.
    pub fn trace_seconds(mut self, arm: char, network_ms: f64) -> Self {
        for second in 0..35 {
            let swing = if second % 2 == 0 { 1.1 } else { 0.9 };
            let part = |place: &str, class, ms: f64| PartSum {
                place: place.into(),
                class,
                ns: (ms * 10.0 * 1e6 * swing) as u64,
            };
            let line = TraceSecond {
                arm,
                round: 1,
                second,
                journey: JOURNEYS[0].0.into(),
                pairs: 10,
                unpaired: 0,
                parts: vec![
                    part("client->gateway", Class::Network, network_ms),
                    part("feed", Class::Work, 4.0),
                ],
            };
            self.add(40 * SECOND, Entry::TraceSecond(Box::new(line)));
        }
        self
    }

    pub fn audit(mut self, arm: char, round: u32, lost: u64) -> Self {
        let audit = Audit { arm, round, acknowledged: 100, found: 100 - lost, lost, ..Audit::default() };
        self.add(40 * SECOND, Entry::Audit(audit));
        self
    }

    pub fn tally(&self) -> &model::Run {
        &self.tally
    }

    /// With one claim.
    pub fn claiming(mut self, text: &str) -> Self {
        self.tally.header.expectations = vec![ExpectationPlan {
            id: 0,
            list: "check".into(),
            text: text.into(),
            why: String::new(),
            line: 1,
        }];
        self
    }

    pub fn header(&mut self) -> &mut Header {
        &mut self.tally.header
    }

    /// How an expectation stands, arm by arm.
    pub fn checks(&self, text: &str) -> Vec<record::Check> {
        let expectation: Expectation = text.parse().unwrap_or_else(|_| panic!("`{text}` is none"));
        scorecard::checks(&self.tally, 0, &expectation)
    }

    /// The same where this is known.
    pub fn checks_with(&self, text: &str, engine: &Engine) -> Vec<record::Check> {
        let expectation: Expectation = text.parse().unwrap_or_else(|_| panic!("`{text}` is none"));
        scorecard::checks_with(&self.tally, 0, &expectation, engine)
    }

    /// The values of a measure in both arms, as an expectation sees them.
    pub fn values(&self, measure: &str) -> Vec<Option<f64>> {
        self.checks(&format!("{measure} >= 0")).into_iter().map(|check| check.value).collect()
    }

    /// Names of what makes the run unbelievable.
    pub fn lints(&self, circumstances: &Circumstances) -> Vec<String> {
        scorecard::lints(&self.tally, circumstances).into_iter().map(|lint| lint.name).collect()
    }
}
