//! Steps that change copies in a prediction: the record has of them what that of a live run has.

use model::{Run, Window};
use record::{Entry, EventKind, StepPlan, Validity};
use scenario::Scenario;
use scorecard::{Expectation, judge};

use super::{Made, calibration, scenario};

/// A step that begins a second into the phase `steady`, two seconds into the load.
fn step(id: &str, text: &str) -> String {
    format!("[[step]]\nid = \"{id}\"\nin = \"steady\"\nat = \"+1s\"\n{text}\n")
}

fn deploy(build: &str, strategy: &str) -> String {
    let text = format!("do = \"deploy\"\non = \"photo\"\nbuild = \"{build}\"\nstrategy = {{ {strategy} }}");
    step("new", &text)
}

fn made(more: &str) -> Made {
    Made::of(&scenario(more), |_| {})
}

/// The marks of an arm with the numbers of their steps, in both rounds.
fn marks(run: &Run, arm: char) -> Vec<(u32, &str)> {
    let events = run.events().iter();
    let marked = events.filter_map(|(_, event)| Some((event.number, event.mark.as_ref()?)));
    marked.filter(|(_, (of, _))| *of == arm).map(|(number, (_, mark))| (number, mark.as_str())).collect()
}

/// Journeys of an arm that failed in some seconds of the load, in both rounds.
fn failed(run: &Run, arm: char, seconds: std::ops::Range<u32>) -> u64 {
    let range = run.whole(&Window::Seconds(seconds.start, seconds.end));
    run.sum(arm, &range, "all", |window| window.errors.values().sum())
}

/// Whether a copy is in the record of some seconds of the first round.
fn is_sampled(run: &Run, copy: &str, seconds: std::ops::Range<u32>) -> bool {
    let start = |second| run.unit_time('A', 1, second).expect("in the load").start;
    let range = start(seconds.start)..start(seconds.end - 1) + 1_000_000_000;
    let samples = run.processes('A').filter(|(name, _)| *name == copy).flat_map(|(_, samples)| samples);
    samples.into_iter().any(|(t, _)| range.contains(t))
}

/// The value of a measure by arm, once the header has the steps, as that of a run has.
fn values(made: &Made, scenario: &Scenario, claim: &str) -> Vec<f64> {
    let mut lines = made.lines.clone();
    let plan = |step: &scenario::Step| StepPlan {
        number: step.number,
        id: step.id.clone(),
        text: step.action.to_string(),
        hits: Vec::new(),
        start_ns: step.start_ns,
        length_ns: step.length_ns,
        is_fault: false,
        build: None,
        not_applicable: std::collections::BTreeMap::new(),
    };
    if let Entry::Header(header) = &mut lines[0].entry {
        header.steps = scenario.steps.iter().map(plan).collect();
    }
    let run = Run::of(&lines).expect("a header");
    let claim: Expectation = claim.parse().unwrap_or_else(|error| panic!("{claim}: {error}"));
    judge::premises(&run, 0, &claim).into_iter().filter_map(|check| check.value).collect()
}

#[test]
fn a_deploy_replaces_copies_as_a_live_one_does_and_is_measured_alike() {
    let plan = scenario(&deploy("good", "kind = \"rolling\""));
    let made = Made::of(&plan, |_| {});
    let (run, prediction) = (&made.run, &made.predicted.prediction);
    assert_eq!(prediction.not_simulated, Vec::<String>::new());
    assert_eq!(prediction.validity, Validity::Extrapolated, "{:?}", prediction.because);
    for arm in ['A', 'B'] {
        assert_eq!(marks(run, arm), [(1, "began"), (1, "done"), (1, "began"), (1, "done")], "two rounds");
    }
    let texts: Vec<&str> = run.events().iter().map(|(_, event)| event.text.as_str()).collect();
    assert!(texts.contains(&"A photo deploy good") && texts.contains(&"B photo deploy is over"), "{texts:?}");
    // Services go on; the program that holds the public port is down while it starts.
    assert_eq!(failed(run, 'A', 1..7), 0);
    assert!(failed(run, 'B', 2..3) > 0 && failed(run, 'B', 4..7) == 0);
    let copies = [is_sampled(run, "photo#0", 0..2), is_sampled(run, "photo#1", 0..2)];
    assert_eq!(copies, [true, false]);
    let copies = [is_sampled(run, "photo#0", 4..6), is_sampled(run, "photo#1", 4..6)];
    assert_eq!(copies, [false, true]);
    let mut processes = run.processes('A');
    let last = processes.find(|(name, _)| *name == "photo#1").and_then(|(_, samples)| samples.last());
    assert!(last.is_some_and(|(_, proc)| proc.work["photo"][0] > 0 && proc.cpu_ns > 0), "{last:?}");
    // 0.2 s to start, and 0.1 s of draining.
    let took = values(&made, &plan, "time_to_finish(step new) <= 2s");
    assert!(took.len() == 2 && took.iter().all(|took| (0.29..0.34).contains(took)), "{took:?}");
}

#[test]
fn copies_are_scaled_where_they_can_be() {
    let Made { run, predicted, .. } = made(&step("more", "do = \"scale\"\non = \"photo\"\nto = 3"));
    assert_eq!(predicted.prediction.not_simulated, Vec::<String>::new());
    let scaled = |arm: &str| -> Vec<(EventKind, String)> {
        let events = run.events().iter().filter(|(_, event)| event.text.starts_with(&format!("{arm} ")));
        events.take(2).map(|(_, event)| (event.what, event.text.clone())).collect()
    };
    let event = |text: &str| (EventKind::Scale, text.to_owned());
    assert_eq!(scaled("A"), [event("A photo: 1 to 3 copies"), event("A photo: 3 copies serve")]);
    let refused = event("B app: it has one port and cannot be copied");
    assert_eq!(scaled("B")[0], refused);
    assert!(["photo#0", "photo#1", "photo#2"].iter().all(|copy| is_sampled(&run, copy, 4..6)));
    assert_eq!(failed(&run, 'A', 1..7), 0);
}

#[test]
fn an_autoscaler_adds_copies_by_what_they_serve() {
    let text = "do = \"autoscale\"\non = \"photo\"\nrequests = \"20/s\"\nmax = 4\nfor = \"4s\"";
    let Made { run, predicted, .. } = made(&step("auto", text));
    assert_eq!(predicted.prediction.not_simulated, Vec::<String>::new());
    // 60 calls a second reach photo, at 20 for each copy.
    let mut events = run.events().iter().map(|(_, event)| event);
    let first = events.find(|event| event.text.starts_with("A photo: 1 to ")).expect("it is scaled");
    assert!(first.what == EventKind::Scale && first.mark.is_none(), "{first:?}");
    assert!(first.text.ends_with("/s at 20/s each"), "{first:?}");
    assert!(is_sampled(&run, "photo#2", 4..6));
}

#[test]
fn what_a_bad_build_does_it_does_until_it_is_taken_back() {
    let back = "[[step]]\nid = \"back\"\nin = \"steady\"\nat = \"+4s\"\ndo = \"rollback\"\nof = \"new\"\n";
    let deployed = deploy("bad-errors", "kind = \"blue-green\"");
    let Made { run, predicted, .. } = made(&format!("{deployed}{back}"));
    assert_eq!(predicted.prediction.not_simulated, Vec::<String>::new());
    assert!(failed(&run, 'A', 1..2) == 0 && failed(&run, 'A', 3..5) > 0);
    // The mark belongs to the deploy: that is where its time to roll back is measured.
    assert_eq!(marks(&run, 'A')[..3], [(1, "began"), (1, "done"), (1, "rolled-back")]);
    assert!(is_sampled(&run, "photo#2", 6..7) && !is_sampled(&run, "photo#1", 6..7));
}

#[test]
fn a_build_is_taken_back_whose_condition_does_not_hold_and_stays_where_it_does() {
    let condition = "promote_if = \"p50(all) < 300ms\", hold = \"2s\"";
    let plan = scenario(&deploy("bad-slow", condition));
    let made = Made::of(&plan, |_| {});
    assert_eq!(made.predicted.prediction.not_simulated, Vec::<String>::new());
    for arm in ['A', 'B'] {
        let round = ["began", "detected", "rolled-back", "done"].map(|mark| (1_u32, mark));
        assert_eq!(marks(&made.run, arm), [round, round].concat());
    }
    let texts: Vec<&str> = made.run.events().iter().map(|(_, event)| event.text.as_str()).collect();
    assert!(texts.contains(&"A `p50(all) < 300ms` does not hold"), "{texts:?}");
    assert!(is_sampled(&made.run, "photo#2", 6..7) && !is_sampled(&made.run, "photo#1", 6..7));
    // It is watched for two seconds at most, of which the record has whole ones.
    let took = values(&made, &plan, "time_to_rollback(step new) <= 9s");
    assert!(took.len() == 2 && took.iter().all(|took| (1.0..4.5).contains(took)), "{took:?}");

    let good = Made::of(&scenario(&deploy("good", condition)), |_| {});
    assert_eq!(marks(&good.run, 'A')[..2], [(1, "began"), (1, "done")]);
    let canary = format!("kind = \"canary\", {condition}");
    let promoted = Made::of(&scenario(&deploy("good", &canary)), |_| {});
    let round = [(1, "began"), (1, "canary"), (1, "promoted"), (1, "done")];
    assert_eq!(marks(&promoted.run, 'A')[..4], round);
}

#[test]
fn what_of_a_change_is_not_simulated_is_named() {
    let policy = "policy = { \"feed->photo\" = { timeout = \"250ms\" } }";
    for (more, expected) in [
        (
            step("new", &format!("do = \"reconfigure\"\non = \"feed\"\n{policy}")),
            "step 1 (`new`): reconfigure feed->photo",
        ),
        (deploy("incompatible-schema", ""), "step 1 (`new`): deploy incompatible-schema, rolling"),
        (deploy("bad-leak", ""), "the memory that what step 1 (`new`) deploys leaks"),
    ] {
        assert_eq!(made(&more).predicted.prediction.not_simulated, [expected]);
    }
    let dead = "[[step]]\nid = \"dead\"\nin = \"steady\"\nat = \"+3s\"\ndo = \"kill\"\non = \"photo\"\n";
    let missing = made(&format!("{}{dead}", deploy("good", ""))).predicted.prediction.not_simulated;
    let [one] = missing.as_slice() else { panic!("{missing:?}") };
    assert!(one.starts_with("step 2 (`dead`)"), "{one}");
    assert!(one.ends_with("on copies that another step changes"), "{one}");
}

#[test]
fn how_long_copies_take_to_start_is_assumed_where_no_run_had_it() {
    let mut unknown = calibration();
    unknown.start_ns = 0;
    let because = |more: &str| Made::with(&unknown, &scenario(more), |_| {}).predicted.prediction;
    let prediction = because(&deploy("good", ""));
    assert_eq!(prediction.validity, Validity::Assumed);
    assert!(prediction.because[0].starts_with("copies serve 500 ms after their start"), "{prediction:?}");
    assert_eq!(because("").validity, Validity::Interpolated);
}

#[test]
fn a_seed_gives_the_same_changes_on_any_number_of_threads() {
    let auto = "do = \"autoscale\"\non = \"feed\"\nrequests = \"20/s\"\nmax = 3\nfor = \"4s\"";
    let deployed = deploy("bad-slow", "kind = \"canary\", hold = \"1s\"");
    let plan = scenario(&format!("{deployed}{}", step("auto", auto)));
    let on = |threads| -> Vec<String> {
        let Made { lines, .. } = Made::of(&plan, |predictor| predictor.threads = threads);
        lines.iter().map(|line| serde_json::to_string(line).expect("json")).collect()
    };
    let one = on(1);
    assert_eq!(one, on(3));
    assert!(one.iter().any(|line| line.contains("is the canary, with 10 %")));
}
