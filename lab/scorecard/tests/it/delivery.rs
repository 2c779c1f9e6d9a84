//! What a change cost: builds before the load, and deploys of it.

use std::collections::BTreeMap;

use record::{Build, BuiltProgram, Entry, Event, EventKind, Score};
use scorecard::scorecard;

use crate::fixture::{Run, SECOND};

/// A build of `crates` that took so long and made a program of a MiB.
fn build(seconds: f64, crates: &[&str], program: &str) -> Build {
    Build {
        seconds,
        crates: crates.iter().map(|&name| name.into()).collect(),
        bytes: 3 << 20,
        programs: vec![BuiltProgram { name: program.into(), bytes: 1 << 20 }],
        tests: crates.iter().map(|&name| name.into()).collect(),
    }
}

/// Builds of a second more or less in turns; `photo` alone takes a quarter of the time.
fn built(rounds: u32, builds: usize) -> Run {
    let mut run = Run::of_rounds(rounds).quiet(|_, _| 5_000);
    let times = [20.0, 21.0, 20.0, 21.0, 20.0];
    let arms = &mut run.header().arms;
    arms[0].builds =
        times[..builds].iter().map(|seconds| build(*seconds, &["photo", "suite"], "monolith")).collect();
    arms[1].builds =
        times[..builds].iter().map(|seconds| build(seconds / 4.0, &["photo"], "photo")).collect();
    run
}

fn score<'s>(scores: &'s [Score], id: &str) -> &'s Score {
    scores.iter().find(|score| score.id == id).unwrap_or_else(|| panic!("no row `{id}`"))
}

fn values(score: &Score) -> Vec<f64> {
    score.arms.values().map(|arm| arm.value.expect("a value")).collect()
}

#[test]
fn repeated_builds_have_an_interval_and_a_finding() {
    let scores = scorecard(built(1, 5).tally());
    let time = score(&scores, "build_time");
    assert_eq!(
        (time.claim.as_str(), time.window.as_str()),
        ("independent deployment and delivery", "builds")
    );
    assert_eq!(values(time), [20.4, 5.1]);
    assert!(time.arms.values().all(|arm| arm.interval.is_some() && arm.n == 5), "{time:?}");
    assert_eq!(time.finding, "differs");
    let ratio = time.ratio.as_ref().and_then(|ratio| ratio.value).expect("a ratio");
    assert!((ratio - 0.25).abs() < 1e-9, "{ratio}");
}

#[test]
fn one_build_is_seen_once() {
    let scores = scorecard(built(1, 1).tally());
    let time = score(&scores, "build_time");
    assert!(time.arms.values().all(|arm| arm.interval.is_none()), "{time:?}");
    assert_ne!(time.finding, "differs");
}

#[test]
fn what_builds_make_is_counted() {
    let scores = scorecard(built(1, 5).tally());
    for (id, expected) in [
        ("rebuilt_crates", [2.0, 1.0]),
        ("shipped_bytes", [1_048_576.0; 2]),
        ("selected_tests", [2.0, 1.0]),
        // One process of four runs it in services, and the only one in the monolith.
        ("replaced", [1.0, 1.0]),
    ] {
        assert_eq!(values(score(&scores, id)), expected, "{id}");
    }
    let without = scorecard(Run::new().quiet(|_, _| 5_000).tally());
    assert!(without.iter().all(|score| !score.claim.contains("delivery")), "nothing was built");
}

#[test]
fn the_lead_time_is_build_and_deploy() {
    let mut run = built(3, 5);
    for round in 0..3 {
        for arm in ['A', 'B'] {
            for (second, mark) in [(27, "began"), (28, "first-served"), (30, "fully-served")] {
                let event = Event {
                    number: 1,
                    what: EventKind::Deploy,
                    active: None,
                    mark: Some((arm, mark.into())),
                    targets: BTreeMap::new(),
                    text: String::new(),
                };
                run.add((round * 100 + second) * SECOND, Entry::Event(event));
            }
        }
    }
    let scores = scorecard(run.tally());
    assert_eq!(values(score(&scores, "first_served_dead-photo")), [1.0, 1.0]);
    assert_eq!(values(score(&scores, "fully_served_dead-photo")), [3.0, 3.0]);
    let lead = values(score(&scores, "lead_time_dead-photo"));
    assert!((lead[0] - 23.4).abs() < 1e-9 && (lead[1] - 8.1).abs() < 1e-9, "{lead:?}");
}
