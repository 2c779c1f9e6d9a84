//! Shipped scenarios predicted from a machine that is known, as `cleave predict` does it: which variants recover, and which
//! groupings are worth having.

use std::collections::BTreeMap;
use std::sync::Arc;

use conductor::process::host;
use model::sweep::FrontPlace;
use record::{Header, Validity, Verdict};
use simulator::calibrate::{
    Activity, ActivityKind, Hop, Operation, Origin, Parameter, Parameters, SourceRun, Stage, Times,
};
use simulator::validate::Agreement;

use super::*;
use crate::{execution, scenario_files};

/// An operation that takes so much CPU, us, and waits for stages of calls at the same time; those that begin with a number are
/// statements of so many us.
fn operation(own_us: u32, stages: &[&[&str]]) -> Operation {
    let times = |us: u32| Times::constant(1, f64::from(us) * 1e3);
    let what = |text: &str| match text.parse::<u32>() {
        Ok(us) => ActivityKind::Read(times(us)),
        Err(_) => ActivityKind::Call(text.to_owned()),
    };
    let lane = |text: &&str| vec![Activity { share: 1.0, what: what(text) }];
    let stage = |lanes: &&[&str]| Stage { lanes: lanes.iter().map(lane).collect() };
    Operation {
        is_idempotent: true,
        own: times(own_us),
        before: 0.5,
        stages: stages.iter().map(stage).collect(),
        ..Operation::default()
    }
}

/// A calibration of the machine and the program of a run to come: a call takes 60 us of CPU in the callee and 80 in the caller,
/// and a home feed waits for `follower`, a user's own does not.
fn known(here: &Header) -> Calibration {
    let client = |call: &str| operation(100, &[&[call]]);
    let gateway = |call: &str| operation(30, &[&[call]]);
    let operations = [
        ("client/home-feed", client("gateway/GET /v1/feed")),
        ("client/user-feed", client("gateway/GET /v1/users/{id}/feed")),
        ("client/view-photo", client("gateway/GET /v1/photos/{id}")),
        ("client/view-profile", client("gateway/GET /v1/profiles/{id}")),
        ("client/search", client("gateway/GET /v1/search")),
        ("gateway/GET /v1/feed", gateway("feed/GET /v1/feed")),
        ("gateway/GET /v1/users/{id}/feed", gateway("feed/GET /v1/users/{id}/feed")),
        ("gateway/GET /v1/photos/{id}", gateway("photo/photo.by_id")),
        ("gateway/GET /v1/profiles/{id}", gateway("profile/profile.by_id")),
        ("gateway/GET /v1/search", gateway("search/search.photos")),
        (
            "feed/GET /v1/feed",
            operation(
                120,
                &[
                    &["150"],
                    &["follower/follower.followed"],
                    &["photo/photo.by_ids", "profile/profile.by_ids"],
                ],
            ),
        ),
        (
            "feed/GET /v1/users/{id}/feed",
            operation(90, &[&["100"], &["photo/photo.by_ids", "profile/profile.by_ids"]]),
        ),
        ("follower/follower.followed", operation(40, &[&["80"]])),
        ("photo/photo.by_ids", operation(60, &[&["100"]])),
        ("photo/photo.by_id", operation(50, &[&["80"]])),
        ("profile/profile.by_ids", operation(40, &[&["60"]])),
        ("profile/profile.by_id", operation(40, &[&["60"]])),
        ("search/search.photos", operation(150, &[&["200"]])),
    ];
    let held = |value| Parameter::fixed(value, Origin::Held);
    Calibration {
        schema_version: simulator::calibrate::document::VERSION,
        wall_us: here.wall_us,
        version: cli::VERSION.to_owned(),
        machine: here.machine.clone(),
        sources: vec![SourceRun {
            run_id: "r0".into(),
            scenario: "known".into(),
            groupings: vec![
                "feed follower gateway photo profile search".into(),
                "feed+follower+gateway+photo+profile+search".into(),
            ],
            interleaved: true,
            rates: (60.0, 180.0),
            mix: BTreeMap::from([("home-feed".into(), 1.0)]),
            ..SourceRun::default()
        }],
        size: "small".into(),
        telemetry: here.telemetry.clone(),
        operations: operations.map(|(name, of)| (name.to_owned(), of)).into(),
        hops: BTreeMap::from([("http+json".into(), Hop { served_ns: 60e3, called_ns: 80e3 })]),
        generator_ns: 100e3,
        idle_ns_per_s: 1e6,
        is_rest_known: true,
        lab_ns_per_s: 20e6,
        start_ns: 200_000_000,
        sync: Times::constant(1, 500e3),
        parameters: Parameters {
            quantum_ns: held(1.4e6),
            wake_cpu_ns: held(20e3),
            contention: held(0.02),
            wake_ns: held(60e3),
            lock_hold: held(1.0),
            span_ns: held(4e3),
            cold_cpu: held(0.0),
            cooling_ns: held(1.0),
        },
        ..Calibration::default()
    }
}

/// A prediction of a shipped scenario, with some of its arms, all those of its file where none is named.
fn predicted(name: &str, arms: &[&str]) -> Run {
    let out = tempfile::TempDir::new().expect("a folder");
    let run = cli::Run {
        out: out.path().to_owned(),
        arms: arms.iter().map(|arm| (*arm).to_owned()).collect(),
        ..cli::Run::default()
    };
    let scenario = scenario_files::find(name).expect("it is shipped");
    let options = execution::run_options(&run, scenario, runtime::clock::now()).expect("a program that runs");
    let here = planned::plan(&options, host::cores()).expect("its arms are known").header;
    let calibration = known(&here);
    let question = Question {
        options: &options,
        calibration: &calibration,
        hosts: Hosts::One,
        cores: None,
        replications: 2,
        combinations: &[],
        progress: &Arc::default(),
    };
    let answer = question.answer(None).unwrap_or_else(|code| panic!("no prediction of {name}: {code:?}"));
    run_files::fold(&answer.outcome.folder).expect("a record")
}

/// The claims of a run that do not hold, each with its arm, its verdict and the reason.
fn open(run: &Run) -> Vec<String> {
    let open = run.checks().into_iter().filter(|check| check.verdict != Verdict::Pass);
    open.map(|check| format!("{} {}: {} {}", check.arm, check.text, check.verdict.word(), check.reason))
        .collect()
}

/// Seconds until an arm's goodput is back, `None` where it was not while the run watched.
fn recovery(run: &Run, name: &str) -> Option<f64> {
    let arm = run.header.arms.iter().find(|arm| arm.name == name).expect("it is an arm").letter;
    let scores = run.scores();
    let row = scores.iter().find(|score| score.id == "recovery").expect("there is a fault");
    let measured = row.arms.get(&arm).expect("it is judged");
    measured.value.filter(|_| !measured.is_censored)
}

#[test]
fn a_retry_storm_is_predicted_claim_by_claim() {
    let run = predicted("retry-storm", &[]);
    let prediction = run.header.prediction.as_ref().expect("it is one");
    assert_eq!(prediction.validity, Validity::Extrapolated, "{:?}", prediction.because);
    assert_eq!(prediction.not_simulated, Vec::<String>::new());
    assert_eq!(open(&run), Vec::<String>::new());
    assert_eq!(run.end.as_ref().and_then(|end| end.verdict), Some(Verdict::Pass));
    assert_eq!(recovery(&run, "naive/micro"), None);
    for cured in ["budget/micro", "shed/micro"] {
        assert!(recovery(&run, cured).is_some_and(|seconds| seconds <= 4.0), "{cured}");
    }
}

#[test]
fn a_cure_of_a_retry_storm_differs_from_what_is_none() {
    // 105 calls a second of 150 that are possible. Without retries the backlog of 450 calls drains at 45 a second, and with
    // work that ends with its caller there is none. Three retries after a pause ask for as much as without one.
    let arms = ["retries-off/micro", "cancel/micro", "backoff/micro"];
    let run = predicted("retry-storm", &arms);
    let slow = recovery(&run, "retries-off/micro");
    assert!(slow.is_some_and(|seconds| (5.0..15.0).contains(&seconds)), "{slow:?}");
    let fast = recovery(&run, "cancel/micro");
    assert!(fast.is_some_and(|seconds| seconds <= 3.0), "{fast:?}");
    assert_eq!(recovery(&run, "backoff/micro"), None);
}

#[test]
fn a_slow_dependency_is_predicted_claim_by_claim() {
    let run = predicted("slow-dependency", &[]);
    let prediction = run.header.prediction.as_ref().expect("it is one");
    assert_eq!(prediction.not_simulated, Vec::<String>::new());
    assert_eq!(open(&run), Vec::<String>::new());
    // Its lease ends it, and what waited has been given up within the second in which users do.
    for arm in ["nothing/mono", "nothing/micro", "timeout/micro", "bulkhead/micro", "all/micro"] {
        assert!(recovery(&run, arm).is_some_and(|seconds| seconds <= 3.0), "{arm}");
    }
}

#[test]
fn all_groupings_are_predicted_from_two_with_a_front() {
    let run = predicted("groupings", &[]);
    assert!(run.mark().is_some_and(|mark| mark.contains("validity: extrapolated")), "{:?}", run.mark());
    let limits = run.prediction_limits();
    assert!(limits.iter().any(|text| text.contains("50 of 52 groupings")), "{limits:?}");
    assert!(limits.len() <= 5, "a line for each of 52 arms is none: {limits:?}");
    let rows = run.sweep_rows();
    assert_eq!(rows.len(), 52);
    let (mono, micro) = ("profile-follower-feed-search-photo", "profile.follower.feed.search.photo");
    let places = run.front_places();
    let place = |name: &str| {
        let arm = run.header.arms.iter().find(|arm| arm.name == name).expect("it is an arm");
        places.get(&arm.letter).copied()
    };
    // Nothing takes less CPU than one process. Each journey of this mix needs feed and follower or neither of them: with both
    // in one process nothing more fails when one dies than with five, for less CPU.
    let fused = "profile.follower-feed.search.photo";
    let found = [mono, fused, micro].map(place);
    assert_eq!(found, [FrontPlace::On, FrontPlace::On, FrontPlace::Off].map(Some));
    assert!(places.values().filter(|place| **place == FrontPlace::Off).count() > 26, "{places:?}");
    let cpu = |name: &str| rows.iter().find(|row| row.arm.name == name).expect("a row").values[1].clone();
    assert_ne!(cpu(mono), cpu(micro));
    let agreement = Agreement::of(&run, &run).expect("all are in common");
    assert_eq!((agreement.common, agreement.cpu), (52, Some(1.0)));
    assert!(agreement.members.iter().all(|(_, place)| *place == FrontPlace::On));
}
