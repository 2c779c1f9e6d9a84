//! A line of every kind, each field filled, so that nothing a writer may write is left out.

use std::collections::BTreeMap;

use record::*;

fn map<V>(key: &str, value: V) -> BTreeMap<String, V> {
    BTreeMap::from([(key.to_owned(), value)])
}

fn by_arm<V>(value: V) -> BTreeMap<char, V> {
    BTreeMap::from([('A', value)])
}

fn speed() -> MachineSpeed {
    MachineSpeed { probe_ns: 2, low_ns: 1, high_ns: 3 }
}

fn prediction() -> Prediction {
    Prediction {
        run_id: "p".into(),
        digest: "0".into(),
        calibration: CalibrationIdentity {
            digest: "0".into(),
            wall_us: 1,
            sources: vec!["hop-tax r".into()],
            version: "0".into(),
            kernel: "6".into(),
            cpu: "c".into(),
            cores: 2,
            profile: "release".into(),
            error_p50: Some(0.5),
            error_p99: Some(0.5),
            error_cpu: Some(0.5),
            speed: Some(speed()),
        },
        hosts: "one".into(),
        cores: 2,
        replications: 10,
        validity: Validity::Extrapolated,
        because: vec!["b".into()],
        not_simulated: vec!["n".into()],
        band: vec![Sensitivity {
            arm: 'A',
            measure: "latency_p99".into(),
            unit: "s".into(),
            value: 1.5,
            low: 0.5,
            high: 2.5,
            parameter: "wake".into(),
            interval: Some(Interval::new(0.5, 2.5)),
        }],
        band_copies: Some(1_000),
        saturation: by_arm(1.5),
        diverged: Some("d".into()),
        sweep: Some(SweepResult {
            holds: "errors(all) < 1%".into(),
            replications: 10,
            axes: vec![SweptKey { name: "load".into(), key: "load.rate".into(), values: vec!["1/s".into()] }],
            cells: vec![SweepCell {
                arms: by_arm(SweepCount { held: 1, judged: 2, interval: Some(Interval::new(0.5, 0.5)) }),
            }],
        }),
    }
}

fn header() -> Header {
    Header {
        schema_version: SCHEMA_VERSION,
        source: Provenance::Simulated,
        prediction: Some(prediction()),
        run_id: "r".into(),
        scenario: "s".into(),
        title: "t".into(),
        why: "w".into(),
        scenario_text: "x".into(),
        seed: 1,
        version: "0".into(),
        command: vec!["cleave".into()],
        labels: vec!["main".into()],
        wall_us: 1,
        way: "side by side".into(),
        rounds: 1,
        machine: Machine { speed: Some(speed()), ..Machine::default() },
        arms: vec![Arm {
            letter: 'A',
            name: "mono".into(),
            topology: "mono".into(),
            variant: String::new(),
            instances: vec![Instance {
                name: "app#0".into(),
                copies: 1,
                hosts: vec!["feed".into()],
                port: 1,
                public_port: Some(2),
            }],
            local_edges: vec!["feed->photo".into()],
            remote_edges: vec!["gateway->feed".into()],
            network: Some(Network { rtt_ns: 1, jitter_ns: 1 }),
            policies: map("gateway->feed", serde_json::json!({ "timeout": "1s" })),
            databases: 1,
            servers: 1,
            server_ports: 1,
            backups: 1,
            server_ready_ms: 1,
            store_per_component: true,
            config_keys: 1,
            ready_ms: 1,
            resources: Some(Resources {
                readers: 10,
                extra_readers: 1,
                writers: 1,
                workers: 7,
                extra_workers: 1,
                cut_workers: 1,
                cpu_weight: Some(33),
                telemetry: "full".into(),
                durability: "full".into(),
                allocator: "MALLOC_ARENA_MAX=2".into(),
                declared: ["workers".to_owned()].into(),
            }),
            builds: vec![Build {
                seconds: 7.5,
                crates: vec!["feed".into()],
                bytes: 1,
                programs: vec![BuiltProgram { name: "feed".into(), bytes: 1 }],
                tests: vec!["feed".into()],
                test_seconds: Some(1.5),
            }],
        }],
        base: Some('A'),
        phases: vec![PhasePlan { name: "steady".into(), start_ns: 0, length_ns: 1, measure: true }],
        further: vec![PhasePlan { name: "further-1".into(), start_ns: 2, length_ns: 1, measure: true }],
        journeys: vec![JourneyPlan { name: "home-feed".into(), needs: vec!["feed".into()], groups: vec![] }],
        steps: vec![StepPlan {
            number: 1,
            id: "slow".into(),
            text: "feed is slow".into(),
            hits: vec!["feed".into()],
            start_ns: 0,
            length_ns: 1,
            is_fault: true,
            build: Some("changed".into()),
            not_applicable: by_arm("a function call".to_owned()),
        }],
        expectations: vec![ExpectationPlan {
            id: 0,
            list: "valid".into(),
            text: "errors(all) < 1%".into(),
            why: String::new(),
            line: 1,
        }],
        schedule_digest: "00".into(),
        planned: 1,
        planned_measured: vec![1],
        good_within_us: 1,
        timeout_us: 1,
        probe_us: 1,
        load_start_ns: 1,
        ready_ms: 1,
        telemetry: "full".into(),
        collector: Some("127.0.0.1:4317".into()),
        budget_memory: Some(1),
        closed: true,
        popularity: (0.8, 1.0),
        has_copies: true,
        copies: vec!["mono-x3".into()],
        drops: true,
        overloaded: vec!["rush".into()],
        slots: (1, 2),
        prices: Some(Prices {
            currency: "EUR".into(),
            core_hour: 0.5,
            gib_hour: 0.5,
            engineer_hour: 80.5,
            utilisation: 0.5,
            teams: 5,
            changes_a_week: 4.5,
            deploy_h: 0.5,
            retest_h: 2.5,
            coordination_h: 0.5,
            contract_share: 0.5,
            operation_h: 4.5,
        }),
    }
}

fn window() -> Window {
    let some = || [1_000_u64].into_iter().collect::<Latencies>();
    Window {
        arm: 'A',
        journey: "home-feed".into(),
        errors: map("timeout", 1),
        intended: some(),
        service: some(),
        failed: some(),
        pace_lag: some(),
        own_wait: some(),
        slot_wait: some(),
        staleness: some(),
        finished: Some(1),
        ..Window::default()
    }
}

fn trace() -> Trace {
    Trace {
        arm: 'A',
        round: 1,
        phase: 0,
        journey: "home-feed".into(),
        request: 7,
        trace_id: "0".repeat(32),
        kept: KeepReason::Slow,
        error: "timeout".into(),
        due: 1,
        user_latency: 2,
        start: 1,
        spans: vec![Span {
            parent: Some(0),
            of: "feed".into(),
            at: "feed#0".into(),
            name: "GET /v1/feed".into(),
            place: "feed".into(),
            start: 0,
            length: 2,
            class: Class::Work,
            error: "timeout".into(),
        }],
        path: vec![Segment { span: 0, start: 0, length: 2 }],
        clipped: 1,
        orphans: 1,
    }
}

fn end() -> End {
    End {
        verdict: Some(Verdict::Pass),
        exit_code: 0,
        lints: vec![Lint { name: "pace".into(), verdict: Verdict::Invalid, text: "late".into() }],
        generator_saturated: false,
        noisy: false,
        pss_mib_peak: 1.0,
        lines: map("window", 1),
        dropped_updates: 0,
        tracing: Tracing::default(),
        speed: Some(speed()),
    }
}

/// One of each.
pub fn lines() -> Vec<Line> {
    let measured = Measured {
        value: Some(1.0),
        n: 1,
        interval: Some(Interval::new(0.5, 1.5)),
        is_censored: true,
        note: Some(Note::Censored),
    };
    let contrast = Contrast {
        ratio: Some(measured),
        difference: Some(measured),
        finding: Some(Finding::Differs),
        note: Some(Note::WithinThisRun),
        differs_alone: true,
        could_see: Some(0.1),
        error: Some(0.01),
    };
    let entries = vec![
        Entry::Header(Box::new(header())),
        Entry::Phase(Phase { index: 0, name: "steady".into(), round: 1, arms: "A".into() }),
        Entry::from(window()),
        Entry::Edge(Edge { arm: 'A', p50_ms: Some(1.0), p99_ms: Some(2.0), ..Edge::default() }),
        Entry::from(Proc {
            arm: '-',
            is_server: true,
            cpu_workers_ns: 1,
            cpu_timer_ns: 1,
            scraped: true,
            parts: map("business", 1),
            requests: 1,
            operations: map(
                "feed/GET /v1/feed",
                OperationCost {
                    served: 1,
                    business_ns: 1,
                    blocking_ns: 1,
                    database_ns: 1,
                    published: map("photo.liked", 1),
                },
            ),
            work: map("feed", [1, 0]),
            cache: map("feed", [1, 1]),
            longest_waits: map("feed tx", 1),
            ..Proc::default()
        }),
        Entry::Host(Host { cpu_stall: Some(1.0), io_stall: Some(1.0), ..Host::default() }),
        Entry::Event(Event {
            number: 1,
            what: EventKind::Deploy,
            active: Some(true),
            mark: Some(('A', "canary".into())),
            targets: by_arm("feed#0".to_owned()),
            text: "a canary".into(),
        }),
        Entry::Check(Check {
            id: 0,
            text: "errors(all) < 1%".into(),
            arm: 'A',
            value: Some(0.0),
            limit: Some(0.01),
            unit: "%".into(),
            margin: Some(0.01),
            n: 1,
            verdict: Verdict::Pass,
            reason: String::new(),
            interval: Some(Interval::from(0.5)),
            is_censored: true,
            note: Some(Note::ThisEvent),
            since_ns: Some(1),
        }),
        Entry::Score(Box::new(Score {
            id: "latency_p50".into(),
            claim: "network".into(),
            measure: "p50".into(),
            unit: "s".into(),
            better: Better::Lower,
            window: "steady".into(),
            part_of: Some("latency".into()),
            arms: by_arm(measured),
            margin: Some(1.1),
            contrasts: by_arm(contrast),
            ratio: Some(measured),
            notes: vec!["bad again".into()],
            context: Some("work 1 ms".into()),
            finding: "differs".into(),
        })),
        Entry::Start(Start { arm: 'B', round: 2, ready_ms: 120, server_ready_ms: 40 }),
        Entry::Cost(Box::new(Cost { arm: 'A', cpu_parts_ns: map("business", 1), ..Cost::default() })),
        Entry::from(trace()),
        Entry::Split(Box::new(Split {
            arm: 'A',
            round: 1,
            phase: 0,
            journey: "home-feed".into(),
            n: 1,
            mean: 1.0,
            slowest: 1.0,
            parts: vec![Part {
                place: "feed".into(),
                class: Class::Queue,
                mean: 1.0,
                variance: 0.0,
                slowest: 1.0,
            }],
        })),
        Entry::TraceSecond(Box::new(TraceSecond {
            arm: 'A',
            round: 1,
            second: 3,
            journey: "home-feed".into(),
            pairs: 2,
            unpaired: 1,
            parts: vec![PartSum { place: "feed".into(), class: Class::Queue, ns: 1 }],
        })),
        Entry::Delay(Delay { arm: 'A', round: 1, step: 1, n: 1, asked_us: 1, late_us: 1 }),
        Entry::Audit(Audit { arm: 'A', state_digest: Some("00".into()), ..Audit::default() }),
        Entry::End(Box::new(end())),
    ];
    entries.into_iter().enumerate().map(|(t, entry)| Line { t: t as u64, entry }).collect()
}
