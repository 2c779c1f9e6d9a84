//! What a change cost: builds before the load, and deploys of it.

use std::collections::BTreeMap;

use record::{Build, BuiltProgram, Entry, Event, EventKind, Score, Verdict};
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
        test_seconds: None,
    }
}

/// Builds of a second more or less in turns; `photo` alone takes a quarter of the time.
fn built(rounds: u32, builds: usize) -> Run {
    let mut run = Run::of_rounds(rounds).quiet(|_, _| 5_000);
    let times = [20.0, 21.0, 20.0, 21.0, 20.0];
    run.header().steps[0].build = Some("changed".into());
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
fn tests_have_a_time_where_they_were_run() {
    let mut run = built(1, 5);
    assert!(scorecard(run.tally()).iter().all(|score| score.id != "test_time"), "they were not run");
    for (arm, seconds) in run.header().arms.iter_mut().zip([9.0, 3.0]) {
        for (number, build) in arm.builds.iter_mut().enumerate() {
            build.test_seconds = Some(seconds + 0.1 * number as f64);
        }
    }
    let scores = scorecard(run.tally());
    let time = score(&scores, "test_time");
    let of = values(time);
    assert!((of[0] - 9.2).abs() < 1e-9 && (of[1] - 3.2).abs() < 1e-9, "{of:?}");
    assert!(time.arms.values().all(|arm| arm.interval.is_some() && arm.n == 5), "{time:?}");
    assert_eq!(time.finding, "differs");
}

#[test]
fn processes_of_one_program_are_replaced_where_they_hold_what_changed() {
    let mut run = built(1, 5);
    // Both run the monolith; only the second holds photo.
    let whole = &mut run.header().arms[0].instances;
    let mut people = whole[0].clone();
    people.name = "people#0".into();
    people.hosts = vec!["profile".into(), "follower".into()];
    whole.insert(0, people);
    assert_eq!(values(score(&scorecard(run.tally()), "replaced")), [1.0, 1.0]);
}

/// Marks of the deploy in an arm, each in a second of a round.
fn mark(run: &mut Run, round: u64, arm: char, marks: &[(u64, &str)]) {
    for (second, mark) in marks {
        let event = Event {
            number: 1,
            what: EventKind::Deploy,
            active: None,
            mark: Some((arm, (*mark).into())),
            targets: BTreeMap::new(),
            text: String::new(),
        };
        run.add((round * 100 + second) * SECOND, Entry::Event(event));
    }
}

const SERVED: [(u64, &str); 4] = [(27, "began"), (27, "watched"), (28, "first-served"), (30, "fully-served")];

/// Three rounds in which the change is served 3 s after its deploy began.
fn served() -> Run {
    let mut run = built(3, 5);
    for round in 0..3 {
        for arm in ['A', 'B'] {
            mark(&mut run, round, arm, &SERVED);
        }
    }
    run
}

#[test]
fn the_lead_time_is_build_and_deploy() {
    let run = served();
    let scores = scorecard(run.tally());
    assert_eq!(values(score(&scores, "first_served_dead-photo")), [1.0, 1.0]);
    assert_eq!(values(score(&scores, "fully_served_dead-photo")), [3.0, 3.0]);
    let lead = score(&scores, "lead_time_dead-photo");
    let of = values(lead);
    assert!((of[0] - 23.4).abs() < 1e-9 && (of[1] - 8.1).abs() < 1e-9, "{of:?}");
    // All deploys take as long: what its interval is made of are the builds.
    for arm in lead.arms.values() {
        let interval = arm.interval.as_ref().expect("three rounds");
        assert!(interval.low < interval.high.expect("all are served"), "{interval:?}");
    }
}

#[test]
fn a_change_that_several_steps_deploy_has_no_lead_time() {
    let mut run = served();
    let more = record::StepPlan { number: 2, id: "new-feed".into(), ..run.header().steps[0].clone() };
    run.header().steps.push(more);
    let scores = scorecard(run.tally());
    assert_eq!(values(score(&scores, "fully_served_dead-photo")), [3.0, 3.0]);
    assert!(scores.iter().all(|score| !score.id.starts_with("lead_time")), "the first is not the end of it");
}

#[test]
fn a_round_in_which_the_change_was_not_served_in_time_counts_as_long_as_it_was_watched() {
    let mut run = built(3, 5);
    for round in 0..3 {
        mark(&mut run, round, 'B', &SERVED);
        // In the last round the monolith is not fully served when the load ends, at 35 s.
        mark(&mut run, round, 'A', if round < 2 { &SERVED } else { &SERVED[..3] });
    }
    run.add(300 * SECOND, Entry::Host(record::Host::default()));
    let scores = scorecard(run.tally());
    let served = &score(&scores, "fully_served_dead-photo").arms;
    assert_eq!((served[&'A'].value, served[&'A'].is_censored), (Some((3.0 + 3.0 + 8.0) / 3.0), true));
    assert_eq!((served[&'B'].value, served[&'B'].is_censored), (Some(3.0), false));
    let lead = &score(&scores, "lead_time_dead-photo").arms;
    assert!(lead[&'A'].is_censored && !lead[&'B'].is_censored);
    let verdicts = |text: &str| run.checks(text).iter().map(|check| check.verdict).collect::<Vec<_>>();
    let limited = verdicts("time_to_fully_served(step dead-photo) <= 6s");
    assert_eq!(limited, [Verdict::Inconclusive, Verdict::Pass], "the quick rounds are not all there are");
}

#[test]
fn a_change_that_is_served_later_than_its_limit_fails() {
    let mut run = built(1, 5);
    mark(&mut run, 0, 'A', &SERVED[..2]);
    mark(&mut run, 0, 'B', &SERVED);
    run.add(40 * SECOND, Entry::Host(record::Host::default()));
    let checks = run.checks("time_to_fully_served(step dead-photo) <= 6s");
    assert_eq!((checks[0].verdict, checks[0].value, checks[0].is_censored), (Verdict::Fail, Some(8.0), true));
    assert_eq!((checks[1].verdict, checks[1].value), (Verdict::Pass, Some(3.0)));
    let at = run.checks("time_to_fully_served(step dead-photo) <= 8s");
    assert_eq!(at[0].verdict, Verdict::Fail, "it was not served in the eight seconds that were watched");
    let beyond = run.checks("time_to_fully_served(step dead-photo) <= 9s");
    assert_eq!(beyond[0].verdict, Verdict::Inconclusive, "it was not watched so far");
}
