//! What is simulated is learnt back: a record of a known machine, with the traces that a live run would have.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use contract::hash::mix;
use contract::placement::Carrier;
use contract::store::{StoreChoice, StoreProduct};
use model::Run;
use policy::service::{Distribution, ServiceOptions, SimulatedWork};
use policy::units::{HumanDuration, Rate, Ratio};
use record::{Class, Entry, KeepReason, Line, Provenance, Span, Split, Trace, Verdict};
use scenario::Scenario;
use simulator::calibrate::{
    ActivityKind, CalibrateError, Calibration, MemoryUse, Operation, Parameters, Source, calibrate,
    journeys_scenario, knee, levels_scenario,
};

use traffic::load::{Mix, Rates, Shape};

use super::{COMPONENTS, Made, calibration, read, scenario, times};

/// Traces of a journey that are kept of a phase.
const TRACES: u64 = 10;

/// A trace being made: its spans, and the time at which the next begins, ns.
pub(super) struct Making {
    spans: Vec<Span>,
    now: u64,
}

impl Making {
    /// The spans of a journey that sends a request to the gateway, with what happens inside of it.
    pub fn journey(name: &str, request: &str, inside: impl FnOnce(&mut Self, u32)) -> Vec<Span> {
        let mut making = Self { spans: Vec::new(), now: 0 };
        let root = making.span(None, "client", name, "client", Class::Client);
        making.now += 50_000;
        making.call(root, "client", "gateway", request, 60, inside);
        making.now += 50_000;
        making.end(root);
        making.spans
    }

    fn span(&mut self, parent: Option<u32>, of: &str, name: &str, place: &str, class: Class) -> u32 {
        self.spans.push(Span {
            parent,
            of: of.into(),
            at: String::new(),
            name: name.into(),
            place: place.into(),
            start: self.now,
            length: 0,
            class,
            error: String::new(),
        });
        (self.spans.len() - 1) as u32
    }

    fn end(&mut self, span: u32) {
        let span = &mut self.spans[span as usize];
        span.length = self.now - span.start;
    }

    /// A call of `callee` with what it does: half of its own time, what is inside, the other half.
    pub fn call(
        &mut self,
        parent: u32,
        from: &str,
        callee: &str,
        name: &str,
        own_us: u64,
        inside: impl FnOnce(&mut Self, u32),
    ) {
        let place = format!("{from}->{callee}");
        let sent = self.span(Some(parent), from, name, &place, Class::Network);
        self.now += 90_000;
        let served = self.span(Some(sent), callee, name, callee, Class::Work);
        self.now += own_us * 500;
        inside(self, served);
        self.now += own_us * 500;
        self.end(served);
        self.now += 90_000;
        self.end(sent);
    }

    fn read(&mut self, parent: u32, of: &str, us: u64) {
        let read = self.span(Some(parent), of, "SELECT rows", of, Class::Database);
        self.now += us * 1_000;
        self.end(read);
    }
}

/// Spans are twice as long as the CPU in them: there is waiting in every one.
pub(super) fn spans(journey: &str) -> Vec<Span> {
    spans_with(journey, 80, 100)
}

/// The same where photo's own time is so long: for a list of photos, and for one.
fn spans_with(journey: &str, list_us: u64, one_us: u64) -> Vec<Span> {
    if journey == "home-feed" {
        Making::journey(journey, "GET /v1/feed", |making, gateway| {
            making.call(gateway, "gateway", "feed", "GET /v1/feed", 240, |making, feed| {
                making.read(feed, "feed", 300);
                let begin = making.now;
                making.call(feed, "feed", "photo", "POST /call/photo.by_ids", list_us, |making, photo| {
                    making.read(photo, "photo", 200);
                });
                // Beside it, and a little shorter.
                let end = std::mem::replace(&mut making.now, begin);
                making.call(feed, "feed", "profile", "POST /call/profile.by_ids", 80, |making, profile| {
                    making.read(profile, "profile", 120);
                });
                making.now = end;
            });
        })
    } else {
        Making::journey(journey, "GET /v1/photos/{id}", |making, gateway| {
            making.call(gateway, "gateway", "photo", "GET /v1/photos/{id}", one_us, |making, photo| {
                making.read(photo, "photo", 160);
            });
        })
    }
}

/// The record of a prediction as a live run would have written it, with traces of the services. Made once.
fn lived() -> Vec<Line> {
    static LIVED: OnceLock<Vec<Line>> = OnceLock::new();
    LIVED.get_or_init(|| lived_on(&calibration(), &scenario(""), spans)).clone()
}

/// The same of a machine, for a scenario, with the traces of its journeys.
pub(super) fn lived_on(known: &Calibration, plan: &Scenario, spans: fn(&str) -> Vec<Span>) -> Vec<Line> {
    let mut lines = Made::with(known, plan, |_| {}).lines;
    let t = lines.last().map_or(0, |line| line.t);
    for line in &mut lines {
        if let Entry::Header(header) = &mut line.entry {
            (header.source, header.prediction) = (Provenance::Live, None);
        }
    }
    for round in 1..=2_u32 {
        for phase in 0..plan.phases.len() as u32 {
            for (journey, request) in [("home-feed", 0), ("view-photo", 200)] {
                for number in 0..TRACES {
                    let request = request + number + u64::from(phase * 40 + round * 20);
                    let spans = spans(journey);
                    let length = spans[0].length;
                    let trace = Trace {
                        arm: 'A',
                        round,
                        phase,
                        journey: journey.into(),
                        request,
                        trace_id: format!("{:032x}", mix(request)),
                        kept: KeepReason::Slow,
                        error: String::new(),
                        due: 0,
                        user_latency: length,
                        start: 0,
                        path: Vec::new(),
                        spans,
                        clipped: 0,
                        orphans: 0,
                    };
                    lines.push(Line { t, entry: Entry::from(trace) });
                }
                let split = Split {
                    arm: 'A',
                    round,
                    phase,
                    journey: journey.into(),
                    n: 10,
                    mean: 0.0,
                    slowest: 0.0,
                    parts: Vec::new(),
                };
                lines.push(Line { t, entry: Entry::Split(Box::new(split)) });
            }
        }
    }
    lines
}

/// Learnt once: two tests look at it.
fn learnt() -> &'static Calibration {
    static LEARNT: OnceLock<Calibration> = OnceLock::new();
    LEARNT.get_or_init(|| learnt_from(&lived(), &scenario("")))
}

pub(super) fn learnt_from(lines: &[Line], plan: &Scenario) -> Calibration {
    let run = Run::of(lines).expect("a header");
    let source = Source { run: &run, scenario: plan };
    calibrate(&[source], &COMPONENTS, 2).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_known_machine_is_learnt_back() {
    let calibration = learnt();
    let of = |name: &str| &calibration.operations[name];
    // What it does, in which order, and what at the same time.
    let feed = of("feed/GET /v1/feed");
    let lanes: Vec<usize> = feed.stages.iter().map(|stage| stage.lanes.len()).collect();
    assert_eq!(lanes, [1, 2], "a read, then two calls at once");
    let calls = |stage: usize| -> Vec<String> {
        let activities = feed.stages[stage].lanes.iter().flatten();
        let mut names: Vec<String> = activities
            .filter_map(|activity| match &activity.what {
                ActivityKind::Call(name) => Some(name.clone()),
                ActivityKind::Read(_) | ActivityKind::Write(_) => None,
            })
            .collect();
        names.sort();
        names
    };
    assert_eq!(calls(1), ["photo/photo.by_ids", "profile/profile.by_ids"]);
    // CPU is that of the processes, not that of spans, which are twice as long. Within a tenth: what is simulated is
    // accounted by its means, and a second holds few requests.
    for (name, us) in
        [("feed/GET /v1/feed", 120.0), ("profile/profile.by_ids", 40.0), ("photo/photo.by_ids", 40.0)]
    {
        let seen = of(name).own.mean_ns / 1e3;
        assert!((seen / us - 1.0).abs() < 0.3, "{name}: {seen} us");
    }
    let ActivityKind::Read(read) = &feed.stages[0].lanes[0][0].what else { panic!("a read") };
    assert!((read.mean_ns / 150e3 - 1.0).abs() < 0.1, "{} ns", read.mean_ns);
    // Two journeys in the one measured phase of two rounds: the warm-up is in nothing.
    assert_eq!(calibration.sources[0].traces, 2 * 2 * TRACES);
    let hop = calibration.hops["http+json"];
    // 60 and 80 us, and wake-ups of up to 20 us twice, which a simulated record has in one sum.
    let both = (hop.served_ns + hop.called_ns) / 1e3;
    assert!((130.0..200.0).contains(&both), "{hop:?}");
    assert_eq!((calibration.size.as_str(), calibration.sources[0].interleaved), ("tiny", true));
}

#[test]
fn what_processes_hold_is_learnt_from_two_groupings_and_from_one_it_is_not() {
    let components = [("registry", 500.0), ("gateway", 3_000.0), ("feed", 4_000.0), ("photo", 2_500.0)];
    let components_kib = components.map(|(name, kib)| (name.to_owned(), kib)).into();
    let planted = MemoryUse { process_kib: 9_000.0, components_kib };
    let mut known = calibration();
    known.memory = Some(planted.clone());
    let lines = lived_on(&known, &scenario(""), spans);
    let found = learnt_from(&lines, &scenario("")).memory.expect("a monolith and services");
    assert!((found.process_kib - planted.process_kib).abs() < 2.0, "{found:?}");
    for (name, kib) in &planted.components_kib {
        let is_close = |found: &f64| (found - kib).abs() < 2.0;
        // A registry that is in the gateway's process cannot be known apart from the gateway.
        assert!(found.components_kib.get(name).is_none_or(is_close), "{name}: {found:?}");
    }
    assert!(found.components_kib.contains_key("feed"), "{found:?}");
    let mut one = lines;
    if let Entry::Header(header) = &mut one[0].entry {
        header.arms.truncate(1);
    }
    assert_eq!(learnt_from(&one, &scenario("")).memory, None);
}

#[test]
fn what_a_heavy_operation_takes_is_not_charged_to_a_light_one_of_its_component() {
    // A list of photos takes 40 us in spans of 400, one photo 20 ms in spans as long, and 5 ms more on a thread of its own.
    let mut known = calibration();
    let heavy = known.operations.get_mut("photo/GET /v1/photos/{id}").expect("it is there");
    (heavy.own, heavy.blocking) = (times(20_000), times(5_000));
    let weighted = |home: f64, photo: f64| {
        let mut plan = scenario("");
        let weights = [("home-feed".to_owned(), home), ("view-photo".to_owned(), photo)];
        plan.load.mix = Mix::Weights(weights.into_iter().collect());
        plan
    };
    let learnt = learnt_from(
        &lived_on(&known, &weighted(90.0, 10.0), |journey| spans_with(journey, 400, 20_000)),
        &weighted(90.0, 10.0),
    );
    let mean = |of: &dyn Fn(&Operation) -> f64| of(&learnt.operations["photo/GET /v1/photos/{id}"]) / 1e6;
    let (own, blocking) =
        (mean(&|operation| operation.own.mean_ns), mean(&|operation| operation.blocking.mean_ns));
    assert!((18.0..22.0).contains(&own) && (4.5..5.5).contains(&blocking), "{own} and {blocking} ms");
    // Of lists alone: by lengths of spans these would take 345 us each, and a journey a quarter more.
    let cpu = |calibration: &Calibration, letter: char| {
        let Made { predicted, .. } = Made::with(calibration, &weighted(100.0, 0.0), |_| {});
        let of_arm = |row: &&record::Sensitivity| row.arm == letter && row.measure == "cpu_per_journey";
        predicted.prediction.band.iter().find(of_arm).expect("a band").value
    };
    for letter in ['A', 'B'] {
        let (seen, expected) = (cpu(&learnt, letter), cpu(&known, letter));
        assert!((seen / expected - 1.0).abs() < 0.1, "{letter}: {seen} s, it takes {expected} s");
    }
}

#[test]
fn a_simulation_of_what_was_learnt_from_comes_close_and_an_arm_is_held_out() {
    let calibration = learnt();
    let arms: Vec<(&str, bool)> =
        calibration.fit.iter().map(|error| (error.arm.as_str(), error.is_fitted)).collect();
    assert!(arms.contains(&("micro", true)) && arms.contains(&("mono", false)), "{arms:?}");
    let p50 = calibration.error("latency_p50").expect("fitted");
    assert!(p50 < 0.15, "p50 is off by {p50}: {:?}", calibration.fit);
    // CPU is scaled to that of the services: only the monolith's shows how far it is off.
    assert_eq!(calibration.identity().error_cpu, calibration.held_out_error("cpu_per_journey"));
    let cpu = calibration.held_out_error("cpu_per_journey").expect("the monolith is held out");
    assert!(cpu < 0.15, "CPU is off by {cpu}: {:?}", calibration.fit);
}

/// Three loads of the same journeys: 60, 300 and 700 a second.
pub(super) fn at_levels() -> Scenario {
    let text = scenario("").source.text;
    let text = text.replace(
        "{ name = \"steady\", for = \"6s\" }",
        "{ name = \"low\", for = \"8s\" }, { name = \"middle\", for = \"3s\" }, { name = \"high\", for = \"2s\" }",
    );
    let rates = "{ warm = \"60/s\", low = \"60/s\", middle = \"300/s\", high = \"700/s\" }";
    read(text.replace("\"60/s\"", rates))
}

#[test]
fn cpu_that_falls_with_load_is_learnt_from_levels_and_predicted_between_them() {
    // In a cold process a call takes two and a half times as much; it is cold after 4 ms.
    let mut known = calibration();
    known.parameters.cold_cpu.value = 1.5;
    known.parameters.cooling_ns.value = 4e6;
    let plan = at_levels();
    let learnt = learnt_from(&lived_on(&known, &plan, spans), &plan);
    let levels_of = |arm: &str| learnt.levels.iter().filter(|level| level.arm == arm).collect::<Vec<_>>();
    for arm in ["micro", "mono"] {
        let levels = levels_of(arm);
        let [low, middle, high] = &levels[..] else { panic!("three levels: {levels:?}") };
        // 60, 300 and 700 calls a second find the gateway 0.89, 0.58 and 0.34 cold.
        let (first, second) =
            (middle.measured.cpu / low.measured.cpu, high.measured.cpu / middle.measured.cpu);
        assert!(first < 0.9 && second < 0.9, "{arm} falls to {first}, then to {second} of that");
        for level in levels {
            let (rate, error) = (level.rate, level.cpu_error());
            let limit = if level.is_fitted { 0.07 } else { 0.12 };
            assert!(error.abs() < limit, "{arm} at {rate}/s is off by {error}: {level:?}");
            assert_eq!(level.is_fitted, arm == "micro");
        }
    }
    let fall = |parameters: &Parameters, rate: f64| {
        let calls = rate * parameters.cooling_ns.value / 1e9;
        1.0 + parameters.cold_cpu.value * (1.0 - (-calls).exp()) / calls
    };
    let of = |parameters: &Parameters| fall(parameters, 500.0) / fall(parameters, 100.0);
    let (seen, planted) = (of(&learnt.parameters), of(&known.parameters));
    assert!((seen / planted - 1.0).abs() < 0.05, "{seen}, planted {planted}: {:?}", learnt.parameters);
    // Between the levels, in the arm that was learnt from and in the one that was held out.
    let mut between = scenario("");
    between.load.rate = Rates::One(Shape::level(Rate::per_second(500.0)));
    let cpu = |calibration: &Calibration, letter: char| {
        let band = Made::with(calibration, &between, |_| {}).predicted.prediction.band;
        let of_arm = |row: &&record::Sensitivity| row.arm == letter && row.measure == "cpu_per_journey";
        band.iter().find(of_arm).expect("a band").value
    };
    for letter in ['A', 'B'] {
        let (seen, planted) = (cpu(&learnt, letter), cpu(&known, letter));
        assert!((seen / planted - 1.0).abs() < 0.07, "{letter}: {seen} s, it takes {planted} s");
    }
}

#[test]
fn a_first_look_shows_about_which_rate_keeps_every_core_busy() {
    let lines = lived();
    let run = Run::of(&lines).expect("a header");
    let plan = scenario("");
    let knee = |journeys: &[(&str, f64)]| {
        let mix: BTreeMap<String, f64> =
            journeys.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
        knee(Source { run: &run, scenario: &plan }, &mix).expect("it is valid")
    };
    // A photo takes 30 + 50 + 80 us, two calls of 60 and 80 but for the client's side, and 200 of the load generator: 560 us, and
    // what wakes it; on two cores some 3,500 a second.
    let photos = knee(&[("view-photo", 1.0)]).expect("it was in the run");
    assert!((2_500.0..5_000.0).contains(&photos), "{photos}");
    assert!(knee(&[("home-feed", 1.0)]).is_some_and(|feeds| feeds < photos / 1.5));
    assert_eq!(knee(&[("search", 1.0)]), None);
}

#[test]
fn what_nothing_can_be_learnt_from_is_refused_with_what_helps() {
    let plan = scenario("");
    let learn = |lines: &[Line]| {
        let run = Run::of(lines).expect("a header");
        calibrate(&[Source { run: &run, scenario: &plan }], &COMPONENTS, 2).map(drop)
    };
    let simulated = Made::of(&plan, |_| {}).lines;
    assert_eq!(learn(&simulated), Err(CalibrateError::Simulated("r1".into())));
    let mut few = lived();
    few.retain(|line| !matches!(line.entry, Entry::Trace(_)));
    assert_eq!(learn(&few), Err(CalibrateError::FewTraces("r1".into(), 0)));
    let mut silent = lived();
    for line in &mut silent {
        if let Entry::Proc(process) = &mut line.entry
            && process.instance.starts_with("feed")
        {
            // As on a machine too busy for it to answer in time.
            std::sync::Arc::make_mut(process).scraped = false;
        }
    }
    assert_eq!(learn(&silent), Err(CalibrateError::NotMeasured("r1".into())));
    let first = Run::of(&lived()).expect("a header");
    let mut debug = lived();
    if let Entry::Header(header) = &mut debug[0].entry {
        header.machine.profile = "debug".into();
    }
    let second = Run::of(&debug).expect("a header");
    let both = [&first, &second].map(|run| Source { run, scenario: &plan });
    let different = CalibrateError::Different("r1".into(), "r1".into(), "builds");
    assert_eq!(calibrate(&both, &COMPONENTS, 2).map(drop), Err(different));
    let mut one = lived();
    if let Entry::Header(header) = &mut one[0].entry {
        header.arms.remove(0);
    }
    let error = learn(&one).expect_err("a monolith");
    assert!(error.to_string().contains("cleave calibrate hop-tax"), "{error}");
    let mut invalid = lived();
    for line in &mut invalid {
        if let Entry::End(end) = &mut line.entry {
            end.verdict = Some(Verdict::Invalid);
        }
    }
    assert_eq!(learn(&invalid), Err(CalibrateError::Invalid("r1".into())));
    invalid.retain(|line| !matches!(line.entry, Entry::End(_)));
    assert_eq!(learn(&invalid), Err(CalibrateError::Invalid("r1".into())), "it was cut short");
}

#[test]
fn what_a_scenario_declares_is_not_learnt_as_what_operations_take() {
    let run = Run::of(&lived()).expect("a header");
    let learn = |more: &str, change: &dyn Fn(&mut Scenario)| {
        let mut plan = scenario(more);
        change(&mut plan);
        calibrate(&[Source { run: &run, scenario: &plan }], &COMPONENTS, 2).map(drop)
    };
    let slow = "[[step]]\nin = \"steady\"\ndo = \"delay\"\non = \"profile\"\nby = \"80ms\"\nfor = \"2s\"\n";
    assert_eq!(learn(slow, &|_| {}), Err(CalibrateError::Steps("r1".into(), "small".into())));
    let no_arm = Err(CalibrateError::NoArm("r1".into()));
    let postgres = StoreChoice::All(StoreProduct::Postgres);
    assert_eq!(learn("", &|plan| plan.arms[0].placement.store = postgres.clone()), no_arm);
    let mean = HumanDuration::from_millis(5);
    let work = SimulatedWork { mean, cpu: true, dist: Distribution::Exp, offload: false, share: None };
    let options = ServiceOptions { work: Some(work), ..ServiceOptions::default() };
    let working = |plan: &mut Scenario| {
        plan.arms[0].services = BTreeMap::from([("photo".to_owned(), options.clone())]);
    };
    assert_eq!(learn("", &working), no_arm);
    // Nothing is offered of a share of what is not known, and so nothing can be fitted.
    let share = |plan: &mut Scenario| plan.load.rate = Rates::OfSlowest(Ratio::new(0.5));
    assert_eq!(learn("", &share), Err(CalibrateError::NotFitted("r1".into())));
}

#[test]
fn calibration_runs_have_every_journey_and_those_of_the_load_at_three_rates() {
    let of = scenario("");
    let journeys = read(journeys_scenario(&of));
    let all = journeys.load.journeys();
    assert!(of.load.journeys().iter().all(|journey| all.contains(journey)));
    assert!(all.len() > 8, "and those of a photo-sharing site: {all:?}");
    let levels = read(levels_scenario(&of, 1_000.0));
    assert_eq!(levels.load.weights().len(), 2, "its own and no other");
    assert!((levels.load.peak_rate() - 650.0).abs() < 1e-9, "65 % of 1,000");
    let measured = levels.phases.iter().filter(|phase| phase.measure).count();
    assert_eq!(measured, 3);
    // A load of 15 s is worth a look at the processes while they are at rest.
    assert!(levels.length_ns() >= 15_000_000_000);
    for made in [&journeys, &levels] {
        assert_eq!(made.load.size, of.load.size);
    }
    let load_ns =
        |made: &Scenario| u64::from(made.repeats) * made.default_arms().count() as u64 * made.length_ns();
    // Each turn takes some two seconds more: with two carriers and a monolith both stay under 90 s.
    assert!(load_ns(&journeys) + load_ns(&levels) <= 45_000_000_000);
    assert!((read(levels_scenario(&of, 1e6)).load.peak_rate() - 2_000.0).abs() < 1e-9, "one load generator");
}

#[test]
fn a_calibration_run_has_services_for_each_carrier_of_the_arms() {
    let topologies = "[topology.binary]\nprocesses = { each = [\"*\"] }\ncarrier = \"http+binary\"\n\
                      [topology.shared]\nprocesses = { each = [\"*\"] }\ncarrier = \"http2+binary\"\n\
                      [topology.wire]\nprocesses = { app = [\"gateway\", \"*\"] }\ncarrier = \"wire\"\n";
    let made = read(levels_scenario(&scenario(topologies), 1_000.0));
    let carriers: Vec<Carrier> = made.default_arms().map(|arm| arm.placement.carrier).collect();
    assert_eq!(carriers, [Carrier::Json, Carrier::Binary, Carrier::Http2Binary, Carrier::Json]);
}
