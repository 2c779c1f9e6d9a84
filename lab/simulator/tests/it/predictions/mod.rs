//! Predictions of a small application, from a calibration that is known.

mod changes;
mod cpu_parts;
mod learning;
mod records;
mod scaled;
mod sweeps;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use contract::ComponentName;
use contract::resources::EqualWorkers;
use model::Run;
use policy::units::Rate;
use record::{Header, JourneyPlan, Line, Machine, MachineSpeed, Validity};
use scenario::{Application, Scenario, TelemetryLevel};
use simulator::calibrate::document::{OLDEST_VERSION, VERSION};
use simulator::calibrate::{
    Activity, ActivityKind, Calibration, Hop, Operation, Origin, Parameter, Parameters, SourceRun, Stage,
    Times,
};
use simulator::predict::lines::{self, RecordContents};
use simulator::predict::{Circumstances, Hosts, Layout, PredictedRun, Predictor, judgement};
use traffic::load::{Rates, Shape};
use traffic::{Dataset, Seed};

/// Processes of an arm of services: gateway, registry and five components.
const SERVICES: u32 = 7;
const COMPONENTS: [ComponentName; 5] = [
    ComponentName::of("profile"),
    ComponentName::of("follower"),
    ComponentName::of("feed"),
    ComponentName::of("search"),
    ComponentName::of("photo"),
];
const CALLS: [(ComponentName, ComponentName); 4] = [
    (ComponentName::GATEWAY, ComponentName::of("feed")),
    (ComponentName::GATEWAY, ComponentName::of("photo")),
    (ComponentName::of("feed"), ComponentName::of("photo")),
    (ComponentName::of("feed"), ComponentName::of("profile")),
];

/// A scenario of these components.
fn read(text: String) -> Scenario {
    let application = Application { components: &COMPONENTS, calls: &CALLS, events: &[], tables: &[] };
    let read = scenario::read(Path::new("small.toml"), text, &application);
    read.unwrap_or_else(|errors| panic!("{errors}"))
}

/// A scenario of two arms, of home feeds and photos at 60 a second, with what is added to its end.
fn scenario(more: &str) -> Scenario {
    let text = format!(
        "schema = 1\nname = \"small\"\ntitle = \"Small\"\nwhy = \"For tests\"\nway = \"interleaved\"\nrepeats = 2\n\
         phases = [{{ name = \"warm\", for = \"1s\", measure = false }}, {{ name = \"steady\", for = \"6s\" }}]\n\
         [load]\nrate = \"60/s\"\nsize = \"tiny\"\nmix = {{ home-feed = 60, view-photo = 40 }}\ntimeout = \"1s\"\n\
         [topology.micro]\nprocesses = {{ each = [\"*\"] }}\nrestart = {{ after = \"1s\" }}\n\
         [topology.mono]\nprocesses = {{ app = [\"gateway\", \"*\"] }}\nrestart = {{ after = \"1s\" }}\n{more}\n"
    );
    read(text)
}

/// Always the same time, us.
fn times(us: u64) -> Times {
    let ns = us * 1_000;
    Times { n: 1, mean_ns: ns as f64, bins: vec![(ns, ns, 1)] }
}

fn operation(own_us: u64, stages: Vec<Vec<ActivityKind>>) -> Operation {
    let lane = |what| vec![Activity { share: 1.0, what }];
    let stage = |whats: Vec<ActivityKind>| Stage { lanes: whats.into_iter().map(lane).collect() };
    Operation {
        is_idempotent: true,
        own: times(own_us),
        before: 0.5,
        stages: stages.into_iter().map(stage).collect(),
        ..Operation::default()
    }
}

fn call(name: &str) -> ActivityKind {
    ActivityKind::Call(name.to_owned())
}

/// A known machine: a call takes 60 us of CPU in the callee and 80 in the caller.
fn calibration() -> Calibration {
    let read = |us| ActivityKind::Read(times(us));
    let operations = [
        ("client/home-feed", operation(100, vec![vec![call("gateway/GET /v1/feed")]])),
        ("client/view-photo", operation(50, vec![vec![call("gateway/GET /v1/photos/{id}")]])),
        ("gateway/GET /v1/feed", operation(30, vec![vec![call("feed/GET /v1/feed")]])),
        ("gateway/GET /v1/photos/{id}", operation(30, vec![vec![call("photo/GET /v1/photos/{id}")]])),
        (
            "feed/GET /v1/feed",
            operation(
                120,
                vec![vec![read(150)], vec![call("photo/photo.by_ids"), call("profile/profile.by_ids")]],
            ),
        ),
        ("photo/photo.by_ids", operation(40, vec![vec![read(100)]])),
        ("profile/profile.by_ids", operation(40, vec![vec![read(60)]])),
        ("photo/GET /v1/photos/{id}", operation(50, vec![vec![read(80)]])),
    ];
    let held = |value| Parameter::fixed(value, Origin::Held);
    Calibration {
        schema_version: VERSION,
        version: "1".into(),
        machine: machine(),
        sources: vec![SourceRun {
            run_id: "r0".into(),
            scenario: "small".into(),
            groupings: vec![
                "feed follower gateway photo profile search".into(),
                "feed+follower+gateway+photo+profile+search".into(),
            ],
            interleaved: true,
            rates: (60.0, 60.0),
            mix: BTreeMap::from([("home-feed".into(), 0.6), ("view-photo".into(), 0.4)]),
            ..SourceRun::default()
        }],
        size: "tiny".into(),
        telemetry: "sampled(0.1)".into(),
        operations: operations.map(|(name, of)| (name.to_owned(), of)).into(),
        hops: BTreeMap::from([("http+json".into(), Hop { served_ns: 60e3, called_ns: 80e3 })]),
        generator_ns: 200e3,
        idle_ns_per_s: 1e6,
        is_rest_known: true,
        lab_ns_per_s: 20e6,
        start_ns: 200_000_000,
        sync: times(500),
        parameters: Parameters {
            quantum_ns: held(1.4e6),
            wake_cpu_ns: held(20e3),
            contention: held(0.02),
            wake_ns: held(60e3),
            lock_hold: held(1.0),
            span_ns: held(4e3),
            cold_cpu: held(0.0),
            cooling_ns: held(0.0),
        },
        ..Calibration::default()
    }
}

fn machine() -> Machine {
    Machine {
        cpu: "a CPU".into(),
        cores: 2,
        kernel: "6".into(),
        profile: "release".into(),
        ..Machine::default()
    }
}

/// A prediction of a scenario and its record.
struct Made {
    predicted: PredictedRun,
    lines: Vec<Line>,
    run: Run,
}

impl Made {
    fn of(scenario: &Scenario, change: impl FnOnce(&mut Predictor<'_>)) -> Self {
        Self::with(&calibration(), scenario, change)
    }

    fn with(calibration: &Calibration, scenario: &Scenario, change: impl FnOnce(&mut Predictor<'_>)) -> Self {
        let layout = |(letter, arm): (char, &scenario::Arm)| {
            let processes = arm.placement.resolve(&COMPONENTS).expect("placed");
            // Of the two cores that are simulated below.
            let workers = EqualWorkers::new([SERVICES], 2).of(&processes);
            let layout = Layout { letter, arm: arm.clone(), processes, workers, scale: None };
            match &scenario.scale {
                Some(scale) => layout.at_scale(scale, 1.0),
                None => layout,
            }
        };
        let load = &scenario.load;
        let data = Dataset::generate(Seed(scenario.seed), load.size, &load.graph);
        let letters = ('A'..='Z').chain('a'..='z');
        let layouts: Vec<Layout> = letters.zip(scenario.default_arms()).map(layout).collect();
        let planned = header(scenario, &layouts);
        let mut predictor = Predictor {
            calibration,
            scenario,
            layouts,
            data: Arc::new(data),
            interleaved: true,
            rounds: 2,
            seed: scenario.seed,
            hosts: Hosts::One,
            cores: 2,
            replications: 2,
            threads: 2,
            here: Circumstances { machine: machine(), version: "1".into(), wall_us: 0 },
            progress: Arc::default(),
            header: &planned,
        };
        change(&mut predictor);
        let predicted = predictor.predict().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(predictor.progress.share(), Some(1.0), "as much as was expected");
        let mut lines = lines::lines(&RecordContents {
            header: Header {
                rounds: predictor.rounds,
                way: if predictor.interleaved { "interleaved" } else { "side by side" }.into(),
                ..header(scenario, &predictor.layouts)
            },
            scenario,
            layouts: &predictor.layouts,
            calibration,
            blocks: &predicted.blocks,
            prediction: &predicted.prediction,
        });
        let run = Run::of(&lines).expect("a header");
        lines.extend(judgement::conclude(&run, scenario, &predicted.prediction));
        let run = Run::of(&lines).expect("a header");
        Self { predicted, lines, run }
    }
}

/// The header of a live run of a scenario, as far as these tests need it.
fn header(scenario: &Scenario, layouts: &[Layout]) -> Header {
    let arm = |layout: &Layout| {
        let is_micro = layout.processes.len() > 1;
        let edges: Vec<String> = CALLS.iter().map(|(from, to)| format!("{from}->{to}")).collect();
        let hosts = |process: &contract::ProcessPlan| {
            let registry = process.registry.then(|| "registry".to_owned());
            let gateway = process.gateway.then(|| "gateway".to_owned());
            registry.into_iter().chain(gateway).chain(process.hosts.iter().map(ToString::to_string)).collect()
        };
        let instance = |process: &contract::ProcessPlan| record::Instance {
            name: format!("{}#0", process.name),
            copies: 1,
            hosts: hosts(process),
            port: 0,
            public_port: None,
        };
        record::Arm {
            letter: layout.letter,
            name: layout.arm.name.clone(),
            topology: layout.arm.topology.clone(),
            instances: layout.processes.iter().map(instance).collect(),
            local_edges: if is_micro { Vec::new() } else { edges.clone() },
            remote_edges: if is_micro { edges } else { Vec::new() },
            resources: Some(record::Resources {
                workers: layout.workers,
                cut_workers: SERVICES.saturating_sub(layout.workers),
                ..record::Resources::default()
            }),
            ..record::Arm::default()
        }
    };
    let journey = |journey: traffic::Journey| JourneyPlan {
        name: journey.name().to_owned(),
        needs: Vec::new(),
        groups: Vec::new(),
    };
    Header {
        schema_version: record::SCHEMA_VERSION,
        run_id: "r1".into(),
        scenario: scenario.name.clone(),
        seed: scenario.seed,
        version: "1".into(),
        way: "interleaved".into(),
        rounds: 2,
        machine: machine(),
        arms: layouts.iter().map(arm).collect(),
        phases: scenario.plan(),
        journeys: scenario.load.journeys().into_iter().map(journey).collect(),
        good_within_us: 1_000_000,
        timeout_us: 1_000_000,
        telemetry: "sampled(0.1)".into(),
        prices: scenario.prices.as_ref().map(scenario::Prices::record),
        ..Header::default()
    }
}

#[test]
fn a_calibration_is_written_and_read_alike_and_another_version_is_refused() {
    let known = calibration();
    assert_eq!(Calibration::read(&known.text()).expect("reads"), known);
    let of_version = |version: u32| {
        let (own, other) =
            (format!("\"schema_version\": {VERSION}"), format!("\"schema_version\": {version}"));
        Calibration::read(&known.text().replacen(&own, &other, 1)).map_err(|error| error.to_string())
    };
    // Those before this one have no levels: what they say of CPU is of one rate.
    for version in [1, 2, 99] {
        let error = of_version(version).expect_err("another");
        let named =
            error.contains(&format!("version {version}")) && error.contains("cleave calibrate hop-tax");
        assert!(named, "{error}");
    }
    assert_eq!(of_version(VERSION), Ok(known.clone()));
    // The one before has no speed of the machine.
    let before = of_version(OLDEST_VERSION).expect("read as before");
    assert_eq!((before.schema_version, before.speed, &before.operations), (3, None, &known.operations));
    assert!(Calibration::read("{}").expect_err("none").to_string().contains("cleave calibrate"));
    // One of 1 ns would make an event of every nanosecond.
    let mut edited = known;
    edited.parameters.quantum_ns.value = 1.0;
    let error = Calibration::read(&edited.text()).expect_err("edited").to_string();
    assert!(error.contains("`parameters.quantum_ns` is 1") && error.contains("cleave calibrate"), "{error}");
}

#[test]
fn the_committed_schema_is_that_of_the_document() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/calibration.json");
    let schema = format!("{:#}\n", simulator::calibrate::document::schema());
    assert!(!schema.contains("[`"), "a description links to code");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &schema).expect("a folder of ours");
    }
    let committed = std::fs::read_to_string(path).expect("it is committed");
    assert!(committed == schema, "stale; write it: UPDATE_SCHEMA=1 cargo test -p simulator --test it schema");
}

/// Of one round, once: what a label rests on is not simulated.
fn brief(predictor: &mut Predictor<'_>) {
    (predictor.rounds, predictor.replications) = (1, 1);
}

#[test]
fn a_label_is_no_better_than_what_was_calibrated() {
    let of = |plan: &Scenario, change: fn(&mut Predictor<'_>)| {
        let Made { predicted, .. } = Made::of(plan, |predictor| {
            brief(predictor);
            change(predictor);
        });
        (predicted.prediction.validity, predicted.prediction.because)
    };
    let validity = |more: &str, change: fn(&mut Predictor<'_>)| of(&scenario(more), change);
    assert_eq!(validity("", |_| {}), (Validity::Interpolated, Vec::new()));
    let (label, because) = validity("", |predictor| predictor.hosts = Hosts::PerComponent);
    assert!(label == Validity::Extrapolated && because[0].contains("hosts: per-component"), "{because:?}");
    let (label, because) = validity("", |predictor| predictor.here.machine.cpu = "another".into());
    assert!(label == Validity::Assumed && because[0].contains("CPU another"), "{because:?}");
    // The machine is as fast as it was within 5 %, or not.
    let timed = |now: Option<u64>| {
        let probe = |ns: u64| MachineSpeed { probe_ns: ns, low_ns: ns - 10, high_ns: ns + 10 };
        let calibration = Calibration { speed: Some(probe(3_000)), ..calibration() };
        let made = Made::with(&calibration, &scenario(""), |predictor| {
            brief(predictor);
            predictor.here.machine.speed = now.map(probe);
        });
        (made.predicted.prediction.validity, made.predicted.prediction.because)
    };
    for same in [Some(3_000), Some(3_120), None] {
        assert_eq!(timed(same), (Validity::Interpolated, Vec::new()), "{same:?}");
    }
    let (label, because) = timed(Some(3_270));
    assert!(label == Validity::Assumed && because[0].starts_with("the machine is 9 % slower"), "{because:?}");
    let mut restless = calibration();
    restless.is_rest_known = false;
    let prediction = Made::with(&restless, &scenario(""), brief).predicted.prediction;
    assert!(prediction.validity == Validity::Assumed && prediction.because[0].contains("was at rest"));
    let (label, because) = validity("[network]\nrtt = \"1ms\"", |_| {});
    assert!(label == Validity::Assumed && because[0].contains("round trip of 1ms"), "{because:?}");
    let (label, because) = validity("", |predictor| predictor.cores = 64);
    assert!(label == Validity::Assumed && because[0].contains("64 cores, calibrated with 2"), "{because:?}");
    let (label, because) =
        validity("", |predictor| predictor.layouts[1].arm.telemetry = Some(TelemetryLevel::Full));
    assert!(label == Validity::Assumed && because[0].contains("mono: telemetry full"), "{because:?}");
    let with = |change: &dyn Fn(&mut Scenario)| {
        let mut plan = scenario("");
        change(&mut plan);
        of(&plan, |_| {})
    };
    let (label, because) = with(&|plan| plan.load.popularity.photo = 2.0);
    assert!(label == Validity::Assumed && because[0].contains("`popularity`"), "{because:?}");
    let rate = |rate| Rates::One(Shape::level(Rate::per_second(rate)));
    assert_eq!(with(&|plan| plan.load.rate = rate(55.0)), (Validity::Interpolated, Vec::new()));
    let (label, because) = with(&|plan| plan.load.rate = rate(30.0));
    assert!(label == Validity::Extrapolated && because[0].contains("calibrated from 60"), "{because:?}");
    // The highest of its phases is known, and another is far below what is.
    let low = |plan: &mut Scenario| {
        let mut first = plan.phases[1].clone();
        first.name = "first".into();
        plan.phases.insert(1, first);
        let level = |rate| Shape::level(Rate::per_second(rate));
        plan.load.rate =
            Rates::ByPhase([("first".into(), level(20.0)), ("steady".into(), level(60.0))].into());
    };
    let (label, because) = with(&low);
    assert!(label == Validity::Extrapolated && because[0].contains("from 20 arrivals"), "{because:?}");
    let mix = |home: f64, photo: f64| {
        let weights = [("home-feed".to_owned(), home), ("view-photo".to_owned(), photo)];
        traffic::load::Mix::Weights(weights.into_iter().collect())
    };
    assert_eq!(with(&|plan| plan.load.mix = mix(65.0, 35.0)), (Validity::Interpolated, Vec::new()));
    let (label, because) = with(&|plan| plan.load.mix = mix(100.0, 0.0));
    assert!(
        label == Validity::Extrapolated && because[0].contains("another mix of journeys: 40 %"),
        "{because:?}"
    );
    // Between two mixes that were calibrated, at rates of either.
    let mut two = calibration();
    two.sources.push(SourceRun {
        run_id: "r1".into(),
        rates: (150.0, 200.0),
        mix: BTreeMap::from([("view-photo".into(), 1.0)]),
        ..two.sources[0].clone()
    });
    let between = |photo: f64, at: f64| {
        let mut plan = scenario("");
        (plan.load.mix, plan.load.rate) = (mix(100.0 - photo, photo), rate(at));
        let prediction = Made::with(&two, &plan, brief).predicted.prediction;
        (prediction.validity, prediction.because)
    };
    assert_eq!(between(70.0, 120.0), (Validity::Interpolated, Vec::new()));
    let (label, because) = between(70.0, 250.0);
    assert!(label == Validity::Extrapolated && because[0].contains("calibrated up to 200"), "{because:?}");
    // The first of the two alone was at 60 a second.
    let (label, because) = between(40.0, 120.0);
    assert!(label == Validity::Extrapolated && because[0].contains("calibrated up to 60"), "{because:?}");
    // A load that rises is in the rates; what acts on an arm is in no calibration.
    let surge = "[[step]]\nin = \"steady\"\nat = \"+1s\"\nfor = \"1s\"\ndo = \"load\"\nby = \"1.05x\"\n";
    assert_eq!(validity(surge, |_| {}), (Validity::Interpolated, Vec::new()));
    let slow = "[[step]]\nin = \"steady\"\ndo = \"delay\"\non = \"profile\"\nby = \"8ms\"\nfor = \"1s\"\n";
    let (label, because) = validity(slow, |_| {});
    assert!(label == Validity::Extrapolated && because[0].contains("steps"), "{because:?}");
}
