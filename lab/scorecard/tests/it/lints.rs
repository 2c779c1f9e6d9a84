//! Every lint has a record that it catches and a clean one that it does not, and the effect that the catalogue states.

use record::{Check, Entry, Resources, Verdict, Window};
use scorecard::lints::{CATALOGUE, Effect, doubts};
use scorecard::{Circumstances, Expectation, judge};

use crate::fixture::{Run, SECOND};
use crate::lint_records::{
    MS, Recorded, claiming, known, plain, quiet, with_checkpoints, with_databases, with_drops, with_failures,
    with_generator, with_header, with_hosts, with_lag, with_parts, with_seconds, with_spans_lost,
    with_traces,
};

/// A claim that services are no slower than twice the monolith.
const NOT_TWICE: &str = "p50(all) in steady for micro <= 2 * p50(all) in steady for mono";
const WINS: &str = "p50(all) in steady for micro < p50(all) in steady for mono";

fn in_turns(rounds: u32, text: &str) -> Run {
    let run = Run::of_rounds(rounds).quiet(|_, _| 5 * MS);
    with_header(run, |header| header.way = "interleaved".into()).claiming(text)
}

/// B by `us` slower in each second than in the one before.
fn drifting(us: u64) -> Run {
    let slower = move |arm, second: u32| 5 * MS + if arm == 'B' { u64::from(second) * us } else { 0 };
    Run::new().quiet(slower).claiming(NOT_TWICE)
}

/// A record that a lint catches, and a clean one.
fn records(name: &str) -> (Recorded, Recorded) {
    let texts = || vec!["photo in B".to_owned()];
    let clean = || plain(quiet());
    let of_seconds = |change: fn(&mut Window)| plain(with_seconds(quiet(), 'A', change));
    match name {
        "conservation" => (of_seconds(|window| window.ok = 19), clean()),
        "no_samples" => (plain(Run::new()), clean()),
        "empty_pages" => {
            (of_seconds(|window| window.empty_pages = 2), of_seconds(|window| window.empty_pages = 1))
        }
        "mostly_errors" => {
            let failing = |failed| {
                let run = ['A', 'B'].into_iter().fold(Run::new(), |run, arm| with_failures(run, arm, failed));
                plain(with_header(run, |header| header.steps.clear()))
            };
            (failing(12), failing(8))
        }
        "unequal_load" => (of_seconds(|window| (window.offered, window.ok) = (21, 21)), clean()),
        "queue_cap" => {
            let dropping = || with_drops(quiet(), 'A', 5);
            (plain(with_header(dropping(), |header| header.drops = false)), plain(dropping()))
        }
        "over_budget" => {
            let holding = |kib| {
                let mut run = with_header(quiet(), |header| header.budget_memory = Some(100 << 20));
                run.memory('A', "app#0", 10_000, kib);
                plain(run)
            };
            (holding(120 << 10), holding(80 << 10))
        }
        "stale_data" => (known(|known| known.stale_data = texts()), clean()),
        "final_states_differ" => (known(|known| known.states_differ = Some("A, B".into())), clean()),
        "final_states_unclear" => (known(|known| known.states_unclear = Some("A, B".into())), clean()),
        "fault_without_hits" => (known(|known| known.unhit = texts()), clean()),
        "fault_without_target" => (known(|known| known.inapplicable = texts()), clean()),
        "no_symptom" => (known(|known| known.no_symptom = texts()), clean()),
        "not_ready" => (known(|known| known.unready = texts()), clean()),
        // Before the step of the fixture, at second 27.
        "failures_without_cause" => (plain(with_failures(quiet(), 'A', 5)), clean()),
        "unequal_resources" => {
            let given = |(workers, cut_workers)| {
                plain(with_header(claiming(NOT_TWICE), |header| {
                    for (arm, (workers, cut_workers)) in
                        header.arms.iter_mut().zip([(7, 0), (workers, cut_workers)])
                    {
                        arm.resources = Some(Resources { workers, cut_workers, ..Resources::default() });
                    }
                }))
            };
            (given((2, 0)), given((2, 5)))
        }
        "gate" => (known(|known| known.withheld = texts()), clean()),
        "degraded" => (known(|known| known.degraded = vec![(1, "no group".into())]), clean()),
        "clean_up_unconfirmed" => (known(|known| known.left_behind = texts()), clean()),
        "generator" => (known(|known| known.generator = texts()), clean()),
        "generator_skew" => (known(|known| known.skewed = texts()), clean()),
        "pace" => {
            // 30 s that count, 40 a second; 98 % of 1,224 is 1,200.
            let planned = |count| plain(with_header(quiet(), |header| header.planned_measured = vec![count]));
            (planned(1_225), planned(1_224))
        }
        // Half of the journeys take 5 ms, the others 5 ms to 6 ms.
        "generator_lag" => (plain(with_lag(quiet(), 600)), plain(with_lag(quiet(), 400))),
        "late_sends" => {
            let late = |us| {
                let claim = "p50(all) in steady for mono <= 4700us";
                let run = with_seconds(claiming(claim), 'A', |window| {
                    window.intended = std::iter::repeat_n(5 * MS, 20).collect();
                    window.service = std::iter::repeat_n(5 * MS - us, 20).collect();
                });
                plain(run)
            };
            (late(600), late(400))
        }
        "generator_slots" => {
            let waiting = |slots| {
                let run = with_seconds(quiet(), 'A', |window| {
                    window.slot_wait = std::iter::repeat_n(5 * MS, 40).collect();
                });
                plain(with_header(run, |header| header.slots = (slots, 200)))
            };
            (waiting(1), waiting(200))
        }
        "generator_cpu" => {
            let busy = |ns| plain(with_generator(quiet(), ns));
            (busy(1_200_000_000), busy(800_000_000))
        }
        "not_judged" => {
            let claim = "p50(all) in steady for pairs <= 1s";
            let mut run = claiming(claim);
            for check in run.checks(claim) {
                run.add(40 * SECOND, Entry::Check(check));
            }
            (plain(run), plain(claiming(NOT_TWICE)))
        }
        "audit_incomplete" => {
            let audited = |unverified| {
                let audit = record::Audit {
                    arm: 'A',
                    round: 1,
                    acknowledged: 100,
                    found: 100 - unverified,
                    unverified,
                    ..record::Audit::default()
                };
                let mut run = quiet();
                run.add(40 * SECOND, Entry::Audit(audit));
                plain(run)
            };
            (audited(3), audited(0))
        }
        "popularity" => {
            let popular = |photo| plain(with_header(quiet(), |header| header.popularity.1 = photo));
            (popular(0.0), popular(0.8))
        }
        "closed_loop" => {
            let claim = "p99(all) in steady <= 5s";
            (plain(with_header(claiming(claim), |header| header.closed = true)), plain(claiming(claim)))
        }
        "one_round" => (plain(in_turns(1, NOT_TWICE)), plain(in_turns(3, NOT_TWICE))),
        // Busy while the claim looks, and quiet over the whole run.
        "noisy" => {
            let busy =
                |of| plain(with_hosts(claiming(NOT_TWICE), 5..25, move |host| host.cpu_stall = Some(of)));
            (busy(60.0), busy(40.0))
        }
        "steal" => {
            let taken = |of| plain(with_hosts(claiming(NOT_TWICE), 5..25, move |host| host.steal = of));
            (taken(6.0), taken(2.0))
        }
        "other_cpu" => {
            let used = |of| plain(with_hosts(claiming(NOT_TWICE), 5..25, move |host| host.other_cpu = of));
            (used(30.0), used(10.0))
        }
        "io_pressure" => {
            let waited =
                |of| plain(with_hosts(claiming(NOT_TWICE), 5..25, move |host| host.io_stall = Some(of)));
            (waited(70.0), waited(30.0))
        }
        "hollow_ratio" => (plain(claiming(NOT_TWICE)), plain(with_parts(claiming(NOT_TWICE)))),
        "no_copies" => {
            let alone = |claim| plain(with_header(claiming(claim), |header| header.has_copies = false));
            // A bound of a price is no win.
            (alone(WINS), alone(NOT_TWICE))
        }
        "one_copy" => {
            let costs = "p50(all) in steady for micro >= 2 * p50(all) in steady for mono";
            (plain(claiming(WINS)), plain(claiming(costs)))
        }
        "unequal_errors" => (plain(with_failures(claiming(NOT_TWICE), 'B', 5)), plain(claiming(NOT_TWICE))),
        "drops" => (plain(with_drops(claiming(NOT_TWICE), 'B', 5)), plain(claiming(NOT_TWICE))),
        "delay_off_target" => {
            let late = |late_us| {
                let mut run = claiming("p50(all) in crash < 1s");
                let delay = record::Delay { arm: 'B', round: 1, step: 1, n: 500, asked_us: 300, late_us };
                run.add(40 * SECOND, Entry::Delay(delay));
                plain(run)
            };
            (late(1_100), late(50))
        }
        "unpaired_traces" => (plain(with_traces(quiet(), 11)), plain(with_traces(quiet(), 10))),
        "not_steady" => (plain(drifting(300)), plain(drifting(100))),
        "drift" => (plain(drifting(100)), plain(drifting(0))),
        "pressure_unknown" => {
            let reported = |stall| plain(with_hosts(quiet(), 0..35, move |host| host.cpu_stall = stall));
            (reported(None), reported(Some(0.0)))
        }
        "spans_lost" => (plain(with_spans_lost(quiet(), 3)), plain(with_spans_lost(quiet(), 0))),
        "build" => {
            let of = |profile: &str, version: &str| {
                plain(with_header(quiet(), |header| {
                    header.machine.profile = profile.into();
                    header.version = version.into();
                }))
            };
            (of("release", "0.1.0+3f2a9c41d07b.dirty"), of("release", "0.1.0+3f2a9c41d07b"))
        }
        "periodic_work" => {
            let of = |checkpoints: [u64; 2]| plain(with_checkpoints(claiming(NOT_TWICE), checkpoints));
            (of([2, 0]), of([1, 1]))
        }
        "simulated" | "not_simulated" | "assumed" | "diverged" => {
            let predicted = |validity, what: &[&str], diverged: Option<&str>| {
                plain(with_header(quiet(), |header| {
                    header.source = record::Provenance::Simulated;
                    header.prediction = Some(record::Prediction {
                        validity,
                        because: vec!["another CPU".into()],
                        not_simulated: what.iter().map(|what| (*what).to_owned()).collect(),
                        diverged: diverged.map(str::to_owned),
                        ..record::Prediction::default()
                    });
                }))
            };
            let caught = predicted(record::Validity::Assumed, &["step 1"], Some("in second 3"));
            let without = predicted(record::Validity::Interpolated, &[], None);
            (caught, if name == "simulated" { clean() } else { without })
        }
        // 500 MiB are left.
        "page_cache" => (plain(with_databases(quiet(), 20 << 20)), plain(with_databases(quiet(), 900 << 20))),
        other => panic!("`{other}` has no record that it catches"),
    }
}

/// The conductor adds these: it knows the checks (`lab/conductor/src/run/finish.rs`).
const OF_THE_CONDUCTOR: [&str; 2] = ["valid", "nothing_judged"];

#[test]
fn every_lint_catches_a_record_and_leaves_a_clean_one() {
    for lint in CATALOGUE.iter().filter(|lint| !OF_THE_CONDUCTOR.contains(&lint.name)) {
        let ((caught, circumstances), (clean, without)) = records(lint.name);
        let found = scorecard::lints(caught.tally(), &circumstances);
        let verdict = match lint.effect {
            Effect::Invalid => Verdict::Invalid,
            Effect::Inconclusive | Effect::Claims => Verdict::Inconclusive,
            Effect::Note => Verdict::Pass,
        };
        let its: Vec<_> = found.iter().filter(|found| found.name == lint.name).collect();
        assert!(its.iter().any(|found| found.verdict == verdict), "{}: {found:?}", lint.name);
        assert!(its.iter().all(|found| !found.text.is_empty()), "{}: {found:?}", lint.name);
        let left = scorecard::lints(clean.tally(), &without);
        assert!(left.iter().all(|found| found.name != lint.name), "{}: {left:?}", lint.name);
    }
}

#[test]
fn names_are_in_the_catalogue_once() {
    let mut names: Vec<&str> = CATALOGUE.iter().map(|lint| lint.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// How a claim stands after what limits it.
fn limited(run: &Run, text: &str) -> Vec<Check> {
    let claim: Expectation = text.parse().expect("an expectation");
    let mut checks = run.checks(text);
    judge::limit_checks(run.tally(), &claim, &doubts(run.tally(), &claim), &mut checks);
    checks
}

#[test]
fn a_claim_that_is_touched_is_inconclusive_with_the_reason() {
    let swinging = || {
        let run = Run::new().quiet(|_, second| (5 + u64::from(second % 3)) * MS);
        with_parts(run.claiming(NOT_TWICE))
    };
    let busy = with_hosts(swinging(), 5..25, |host| host.cpu_stall = Some(60.0));
    let check = &limited(&busy, NOT_TWICE)[0];
    assert_eq!(check.verdict, Verdict::Inconclusive);
    assert_eq!(check.reason, "side by side, tasks waited for a CPU 60 % of the time in steady");
    // Another window, another measure, one arm alone: not touched.
    for text in [
        "p50(all) in steady <= 1s",
        "cpu_per_journey in steady for micro >= 0.1 * cpu_per_journey in steady for mono",
    ] {
        assert!(limited(&busy, text).iter().all(|check| check.verdict == Verdict::Pass), "{text}");
    }
    let later = with_hosts(swinging(), 25..35, |host| host.cpu_stall = Some(90.0));
    assert_eq!(limited(&later, NOT_TWICE)[0].verdict, Verdict::Pass);
}

#[test]
fn arms_that_took_turns_once_decide_no_claim_about_what_a_turn_may_change() {
    let is_doubted = |rounds: u32, text: &str| {
        let claim: Expectation = text.parse().unwrap_or_else(|_| panic!("`{text}` is none"));
        let found = doubts(in_turns(rounds, text).tally(), &claim);
        found.iter().any(|doubt| doubt.lint == "one_round")
    };
    for text in [
        NOT_TWICE,
        "goodput(all) in steady for micro >= goodput(all) in steady for mono",
        "errors(all) in steady for micro <= errors(all) in steady for mono",
        "rate(all) in steady for micro >= 0.9 * rate(all) in steady for mono",
        "goodput(all) in crash for micro >= goodput(all) in crash for mono",
        "recovery(all) for micro <= recovery(all) for mono",
        "lost_writes() for micro <= lost_writes() for mono",
        "longest_wait for micro <= longest_wait for mono",
    ] {
        assert_eq!([1, 2, 3].map(|rounds| is_doubted(rounds, text)), [true, true, false], "{text}");
    }
    for text in [
        "processes for micro >= 2 * processes for mono",
        "capacity(all 50ms) for micro <= capacity(all 50ms) for mono",
        "procs.pss for micro >= 2 * procs.pss for mono",
        "goodput(all) in steady for micro >= 90%",
        "goodput(all) in steady for micro >= goodput(all) in crash for micro",
    ] {
        assert!(!is_doubted(1, text), "{text}");
    }
    // What both rounds show of goodput is not judged, whichever way it went.
    let much_worse = "goodput(all) in steady for micro >= 0.5 * goodput(all) in steady for mono";
    let verdicts = [2, 3].map(|rounds| limited(&in_turns(rounds, much_worse), much_worse)[0].verdict);
    assert_eq!(verdicts, [Verdict::Inconclusive, Verdict::Pass]);
}

#[test]
fn what_touches_no_claim_is_a_note() {
    let busy = with_hosts(quiet(), 5..35, |host| (host.cpu_stall, host.steal) = (Some(80.0), 10.0));
    let found = scorecard::lints(busy.tally(), &Circumstances::default());
    let notes: Vec<_> = found.iter().map(|lint| (lint.name.as_str(), lint.word())).collect();
    assert_eq!(notes, [("noisy", "note"), ("steal", "note")]);
    assert_eq!(scorecard::verdict(&[], &[], &found), Verdict::Pass, "the verdict stays");
}

#[test]
fn under_a_fault_one_arm_fails_what_the_other_answers() {
    let mut run = with_traces(quiet(), 11);
    run.header().steps[0].start_ns = 10 * SECOND;
    assert!(!run.lints(&Circumstances::default()).contains(&"unpaired_traces".to_owned()));
}

#[test]
fn the_arm_that_fails_more_and_is_slower_is_no_reason_to_doubt() {
    let run = with_failures(claiming(NOT_TWICE), 'A', 5);
    let found = scorecard::lints(run.tally(), &Circumstances::default());
    let its: Vec<_> = found.iter().filter(|lint| lint.name == "unequal_errors").collect();
    assert!(its.len() == 1 && its[0].is_note() && its[0].text.contains("mono failed"), "{found:?}");
}

#[test]
fn a_round_that_lacks_arrivals_is_found_among_six() {
    // In the fourth of six rounds a twentieth is missing: less than a hundredth of all.
    let mut run = Run::of_rounds(6).quiet(|_, _| 5 * MS);
    run.header().planned_measured = vec![1_200; 6];
    assert_eq!(run.lints(&Circumstances::default()), Vec::<String>::new());
    run.header().planned_measured[3] = 1_260;
    let found = scorecard::lints(run.tally(), &Circumstances::default());
    assert!(found.iter().all(|lint| lint.name == "pace"), "{found:?}");
    assert_eq!(found[0].text, "mono: 1200 sent of 1260 planned in round 4");
}
