//! What passes, what fails, what is inconclusive, and what is invalid.

use record::{Entry, Lint, Resources, Verdict, Window};
use scorecard::inference::StoredStarts;
use scorecard::inference::noise::StoredStart;
use scorecard::lints::Doubt;
use scorecard::{Circumstances, Engine, exit_code, verdict};

use crate::fixture::Run;

const MS: u64 = 1_000;

fn quiet() -> Run {
    Run::new().quiet(|_, _| 5 * MS)
}

#[test]
fn a_check_passes_fails_or_is_inconclusive() {
    let run = quiet();
    // 20 s of 40 a second: 800 samples, all good.
    for check in run.checks("goodput(all) in steady >= 99%") {
        assert_eq!((check.verdict, check.n), (Verdict::Pass, 800));
    }
    assert_eq!(run.checks("p50(all) in steady <= 1ms")[0].verdict, Verdict::Fail);
    let few = &run.checks("p99(all) in steady <= 1s")[0];
    assert_eq!(few.verdict, Verdict::Inconclusive, "a p99 of 800 samples is eight of them");
    assert!(few.reason.contains("800 samples; it takes 1000"), "{}", few.reason);
    let none = &run.checks("p50(home-feed) in nowhere <= 1s");
    assert_eq!((none[0].verdict, none[0].value), (Verdict::Inconclusive, None), "no data is never 0");
}

#[test]
fn a_check_that_fails_has_an_onset() {
    let mut run = Run::new();
    for second in 25_u32..35 {
        // Four seconds are good, and the next one takes what is good so far to 80 of 100.
        run.window('A', 1, second, "home-feed", 20, if second < 29 { 20 } else { 0 }, 5 * MS);
    }
    let standing = |text: &str| run.checks(text)[0].clone();
    let failed = standing("goodput(all) in crash >= 90%");
    assert_eq!((failed.verdict, failed.since_ns), (Verdict::Fail, Some(29 * crate::fixture::SECOND)));
    assert_eq!(standing("goodput(all) in crash >= 10%").since_ns, None, "what holds has no such moment");
    let from_the_start = &quiet().checks("p50(all) in steady <= 1ms")[0];
    assert_eq!(from_the_start.since_ns, Some(5 * crate::fixture::SECOND), "where its phase begins");
    assert_eq!(Run::of_rounds(3).quiet(|_, _| 5 * MS).checks("p50(all) in steady <= 1ms")[0].since_ns, None);
}

#[test]
fn a_limit_inside_the_interval_is_inconclusive() {
    let mut run = Run::new();
    for second in 5_u32..25 {
        // 190 of 200 every other second, all of them else: 97.5 % of 4,000, give or take half a percent.
        let good = if second.is_multiple_of(2) { 190 } else { 200 };
        run.window('A', 1, second, "home-feed", 200, good, 5 * MS);
    }
    let standing = |text: &str| run.checks(text)[0].clone();
    assert_eq!(standing("goodput(all) in steady >= 95%").verdict, Verdict::Pass);
    assert_eq!(standing("goodput(all) in steady >= 99%").verdict, Verdict::Fail);
    let between = standing("goodput(all) in steady >= 97.6%");
    assert_eq!(between.verdict, Verdict::Inconclusive);
    assert!(between.reason.contains("straddles"), "{}", between.reason);
}

#[test]
fn arms_are_compared_second_by_second() {
    // B is a fifth slower in every second, and both swing together by half.
    let swing = |second: u32| if second.is_multiple_of(2) { 4 * MS } else { 6 * MS };
    let run = Run::new().quiet(|arm, second| swing(second) * if arm == 'A' { 10 } else { 12 } / 10);
    let compared = |factor: &str| {
        run.checks(&format!("p50(all) in steady for micro >= {factor} * p50(all) in steady for mono"))[0]
            .clone()
    };
    assert_eq!(compared("1.1").verdict, Verdict::Pass, "{:?}", compared("1.1"));
    assert_eq!(compared("1.3").verdict, Verdict::Fail);
    let unbound = run.checks("p50(all) in steady > p50(all) in crash");
    assert_eq!(unbound.iter().map(|check| check.arm).collect::<String>(), "AB", "every arm must meet it");
}

#[test]
fn arms_are_compared_over_the_seconds_that_both_have() {
    // Both spend 80 ms a second, but from 10 s to 15 s: then A spends three times as much, and B's process is replaced every
    // second, so that what it spends is not known.
    let mut run = quiet();
    for arm in ['A', 'B'] {
        let mut spent = 0;
        for second in 0..=36_u64 {
            let is_busy = (10..15).contains(&second);
            let proc = record::Proc {
                arm,
                pid: if arm == 'B' && (11..15).contains(&second) { second as u32 } else { 7 },
                instance: format!("{arm}#0"),
                cpu_ns: spent,
                scraped: true,
                ..record::Proc::default()
            };
            run.add(second * crate::fixture::SECOND, Entry::from(proc));
            spent += if is_busy && arm == 'A' { 240_000_000 } else { 80_000_000 };
        }
    }
    let same = "cpu_per_journey in steady for micro >= 0.99 * cpu_per_journey in steady for mono";
    let check = &run.checks(same)[0];
    assert_eq!(check.verdict, Verdict::Pass, "{check:?}");
    let (value, limit) = (check.value.expect("fifteen seconds"), check.limit.expect("of them"));
    assert!((value - 0.002).abs() < 1e-9 && (limit - 0.99 * 0.002).abs() < 1e-9, "{value} {limit}");
    // By itself A has all twenty.
    let mono = run.checks("cpu_per_journey in steady for mono <= 1s")[0].value;
    assert!(mono.is_some_and(|seconds| (seconds - 0.003).abs() < 1e-9), "{mono:?}");
}

#[test]
fn a_factor_of_a_share_counts() {
    // 95 % of A's are good, and 80 % of B's.
    let mut run = quiet();
    for second in 5_u32..25 {
        for (arm, good) in [('A', 190), ('B', 160)] {
            run.window(arm, 1, second, "home-feed", 200, good, 5 * MS);
        }
    }
    let verdict = |text: &str| {
        let goodput = |arm: &str| format!("goodput(home-feed) in steady for {arm}");
        let text = text.replace("micro", &goodput("micro")).replace("mono", &goodput("mono"));
        run.checks(&text)[0].verdict
    };
    assert_eq!(verdict("micro >= mono"), Verdict::Fail);
    assert_eq!(verdict("micro >= 0.7 * mono"), Verdict::Pass, "66.5 %");
    assert_eq!(verdict("micro >= 0.95 * mono"), Verdict::Fail, "90.3 %");
    assert_eq!(verdict("1.3 * micro >= mono"), Verdict::Pass, "104 %");
    assert_eq!(verdict("1.1 * micro >= mono"), Verdict::Fail, "88 %");
    assert_eq!(verdict("2 * micro >= 1.5 * mono"), Verdict::Pass, "160 and 142.5 %");
    assert_eq!(verdict("2 * micro >= 1.9 * mono"), Verdict::Fail, "160 and 180.5 %");
}

#[test]
fn a_claim_between_arms_allows_for_what_starts_are_known_to_differ_by() {
    let swing = |second: u32| if second.is_multiple_of(2) { 4 * MS } else { 6 * MS };
    let run = Run::new().quiet(|arm, second| swing(second) * if arm == 'A' { 10 } else { 12 } / 10);
    let verdict = |claim: &str, window: &str| {
        // Starts of one program were up to a sixth apart.
        let log_ratios = vec![0.15, -0.15, 0.15, -0.15, 0.15, -0.15];
        let mut starts = StoredStarts::default();
        starts.insert("latency_p50", window, StoredStart::new(log_ratios, 0.0, 20.0).expect("six"));
        run.checks_with(claim, &Engine::new(starts))[0].verdict
    };
    let arms = "p50(all) in steady for micro >= 1.1 * p50(all) in steady for mono";
    assert_eq!(run.checks(arms)[0].verdict, Verdict::Pass);
    assert_eq!(verdict(arms, "steady"), Verdict::Inconclusive, "a fifth may be a start's");
    assert_eq!(verdict(arms, "whole"), Verdict::Pass, "known of another window");
    // A journey has no row; within an arm there is one start; a limit is about these processes.
    let journey = "p50(home-feed) in steady for micro >= 1.1 * p50(home-feed) in steady for mono";
    for alone in [journey, "p50(all) in steady <= 8ms", "p50(all) in steady <= 1.5 * p50(all) in crash"] {
        let known = verdict(alone, "steady");
        assert_eq!(known, run.checks(alone)[0].verdict, "{alone}");
        assert_eq!(known, Verdict::Pass, "{alone}");
    }
}

#[test]
fn what_never_ended_is_beyond_every_limit_and_compares_with_nothing() {
    let mut run = quiet();
    for second in 5_u32..25 {
        run.window('A', 1, second, "home-feed", 100, 40, 5 * MS);
        run.window('B', 1, second, "home-feed", 100, 40, 5 * MS);
    }
    // Six in ten failed: the median is no number, and no limit holds it.
    let median = &run.checks("p50(home-feed) in steady <= 10s")[0];
    assert_eq!((median.verdict, median.is_censored), (Verdict::Fail, true), "{median:?}");
    let compared =
        &run.checks("p50(home-feed) in steady for micro <= 2 * p50(home-feed) in steady for mono")[0];
    assert_eq!(compared.verdict, Verdict::Inconclusive, "{compared:?}");
}

#[test]
fn what_lies_beyond_what_was_looked_at_is_beyond_that_very_limit() {
    use scorecard::judge::condition_in;
    let mut run = quiet();
    for second in 25_u32..35 {
        run.window('A', 1, second, "home-feed", 20, 0, 5 * MS);
    }
    // All of them failed, and their users waited for two seconds at most.
    let found = |limit: &str| {
        let text = format!("p50(home-feed) in crash {limit}");
        let verdict = run.checks(&text)[0].verdict;
        (verdict, condition_in(run.tally(), 'A', &text.parse().expect("an expectation")))
    };
    for limit in ["<= 2s", "< 2s", "<= 1s"] {
        assert_eq!(found(limit), (Verdict::Fail, Some((Verdict::Fail, false))), "{limit}");
    }
    for limit in [">= 2s", "> 2s", "> 1s"] {
        assert_eq!(found(limit), (Verdict::Pass, Some((Verdict::Pass, true))), "{limit}");
    }
    // It may be more than three seconds as well: no build is promoted by that.
    let beyond = (Verdict::Inconclusive, Some((Verdict::Inconclusive, false)));
    assert_eq!([found("<= 3s"), found("> 3s")], [beyond, beyond]);
    let doubled = &run.checks("2 * p50(home-feed) in crash <= 4s")[0];
    let began = Some(25 * crate::fixture::SECOND);
    assert_eq!((doubled.verdict, doubled.since_ns), (Verdict::Fail, began), "{doubled:?}");
}

#[test]
fn an_open_comparison_names_the_ratio_that_it_claims_and_the_side_that_lacks_samples() {
    let run = Run::new().quiet(|arm, second| {
        let swing = |by: u64| u64::from(4 + second % 2) * MS + u64::from(second) * by % 400;
        if arm == 'A' { swing(7_919) } else { 2 * swing(104_729) }
    });
    for claim in ["micro <= 2 * mono", "2 * micro <= 4 * mono"] {
        let p50 = |arm: &str| format!("p50(all) in steady for {arm}");
        let text = claim.replace("micro", &p50("micro")).replace("mono", &p50("mono"));
        let check = &run.checks(&text)[0];
        assert_eq!(check.verdict, Verdict::Inconclusive, "{check:?}");
        let ends = check
            .reason
            .strip_prefix("the ratio's interval ")
            .and_then(|rest| rest.strip_suffix(" holds 2.00"));
        let (low, high) = ends.and_then(|ends| ends.split_once(" to ")).expect(&check.reason);
        let [low, high] = [low, high].map(|end| end.parse::<f64>().expect("a number"));
        assert!((1.5..=2.0).contains(&low) && (2.0..2.5).contains(&high), "{claim}: {}", check.reason);
    }
    // 800 are enough of a median, and too few of a p99.
    let few = &run.checks("p50(all) in steady <= p99(all) in steady")[0];
    assert_eq!((few.verdict, few.reason.as_str()), (Verdict::Inconclusive, "800 samples; it takes 1000"));
}

#[test]
fn under_a_fault_a_claim_is_judged_on_what_was_seen() {
    let mut run = quiet();
    for second in 27_u32..30 {
        run.window('A', 1, second, "home-feed", 20, 0, 5 * MS);
    }
    // 60 of 400 in the phase of the crash.
    let seen = &run.checks("errors(all) in crash <= 20%")[0];
    assert_eq!((seen.verdict, seen.note), (Verdict::Pass, Some(record::Note::ThisEvent)));
    assert_eq!((seen.value, seen.interval), (Some(0.15), None), "one event");
}

#[test]
fn a_short_window_decides_nothing_but_a_condition_on_it_is_met() {
    let run = quiet();
    let warm = "goodput(all) in warm >= 99%";
    let claim = &run.checks(warm)[0];
    assert_eq!((claim.verdict, claim.value), (Verdict::Inconclusive, Some(1.0)), "five seconds");
    let condition: scorecard::Expectation = warm.parse().expect("an expectation");
    let met = scorecard::judge::conditions(run.tally(), &condition);
    assert_eq!(met[0].verdict, Verdict::Pass, "{met:?}");
}

#[test]
fn a_premise_states_what_was_so_in_this_run() {
    let run = quiet();
    // None of 400 failed: a claim about a rate is bounded by how such failures cluster, the premise is met.
    let rare = "errors(all) in crash < 1%";
    let premise: scorecard::Expectation = rare.parse().expect("an expectation");
    let met = scorecard::judge::premises(run.tally(), 7, &premise);
    let stand: Vec<_> = met.iter().map(|check| (check.id, check.arm, check.verdict)).collect();
    assert_eq!(stand, [(7, 'A', Verdict::Pass), (7, 'B', Verdict::Pass)]);
    assert_eq!((met[0].interval, met[0].note), (None, Some(record::Note::ThisEvent)));
    // Without samples nothing was so.
    let empty: scorecard::Expectation = "errors(upload) in crash < 1%".parse().expect("an expectation");
    let unmet = scorecard::judge::premises(run.tally(), 7, &empty);
    assert!(unmet.iter().all(|check| check.verdict == Verdict::Inconclusive), "{unmet:?}");
}

#[test]
fn one_phase_against_another_is_judged_in_every_arm() {
    let run = Run::new().quiet(|arm, second| match (arm, second) {
        // In B the second phase is three times as slow, in A as fast.
        ('B', 25..) => 15 * MS,
        _ => 5 * MS,
    });
    let arms =
        |text: &str| run.checks(text).into_iter().map(|check| (check.arm, check.verdict)).collect::<Vec<_>>();
    let unbound = arms("p50(all) in crash <= 2 * p50(all) in steady");
    assert_eq!(unbound, [('A', Verdict::Pass), ('B', Verdict::Fail)]);
    assert_eq!(arms("p50(all) in crash <= 2 * p50(all) in steady for micro").len(), 1, "one arm is bound");
}

#[test]
fn a_claim_without_an_arm_is_listed_as_not_judged() {
    let run = quiet();
    for (text, axis) in [
        ("p50(all) in steady <= 1s for pairs", "`pairs`"),
        ("p50(all) in steady for mono, pairs <= 1s", "`mono` and `pairs`"),
        ("p50(all) in crash <= 2 * p50(all) in steady for pairs", "`pairs`"),
        ("p50(all) for mono <= 2 * p50(all) for pairs", "`pairs`"),
    ] {
        let checks = run.checks(text);
        let [check] = checks.as_slice() else { panic!("{text}: {checks:?}") };
        assert_eq!((check.arm, check.verdict, check.value), ('-', Verdict::Inconclusive, None), "{text}");
        assert_eq!(check.reason, format!("not judged: no arm of this run is {axis}"), "{text}");
        let busy = {
            let mut busy = checks.clone();
            let doubt = Doubt { lint: "noisy", reason: "busy".into() };
            let claim = text.parse().expect("an expectation");
            scorecard::judge::limit_checks(run.tally(), &claim, &[doubt], &mut busy);
            busy
        };
        assert_eq!(busy, checks, "{text}: the reason stays");
    }
}

#[test]
fn a_run_that_wrote_nothing_does_not_pass_for_one_that_lost_nothing() {
    let audited = |acknowledged, unverified| {
        let mut run = quiet();
        for arm in ['A', 'B'] {
            let found = acknowledged - unverified;
            let audit =
                record::Audit { arm, round: 1, acknowledged, found, unverified, ..record::Audit::default() };
            run.add(40 * crate::fixture::SECOND, Entry::Audit(audit));
        }
        run
    };
    let verdicts =
        |run: Run| ["lost_writes() == 0", "duplicated_writes() == 0"].map(|text| run.checks(text)[0].verdict);
    assert_eq!(verdicts(audited(100, 0)), [Verdict::Pass; 2]);
    for (acknowledged, unverified) in [(0, 0), (100, 100)] {
        assert_eq!(verdicts(audited(acknowledged, unverified)), [Verdict::Inconclusive; 2]);
    }
}

#[test]
fn a_verdict_is_the_worst_that_is_known() {
    let run = quiet();
    let pass = run.checks("errors(all) in steady < 1%");
    let fail = run.checks("p50(all) in steady <= 1ms");
    let open = run.checks("p99(all) in steady <= 1s");
    let void = [Lint { name: "x".into(), verdict: Verdict::Invalid, text: String::new() }];
    assert_eq!(verdict(&[], &pass, &[]), Verdict::Pass);
    assert_eq!(verdict(&[], &[pass.clone(), open.clone()].concat(), &[]), Verdict::Inconclusive);
    assert_eq!(verdict(&[], &[pass.clone(), open, fail.clone()].concat(), &[]), Verdict::Fail);
    assert_eq!(verdict(&[], &[pass, fail].concat(), &void), Verdict::Invalid);
    let codes = [Verdict::Pass, Verdict::Fail, Verdict::Invalid, Verdict::Inconclusive].map(exit_code);
    assert_eq!(codes, [0, 1, 3, 4]);
}

#[test]
fn a_quiet_run_is_valid() {
    assert_eq!(quiet().lints(&Circumstances::default()), Vec::<String>::new());
}

/// Lints of a run whose arms were given the same but for a change in B, with a claim that compares them.
fn given(change: impl FnOnce(&mut Resources)) -> Vec<String> {
    let mut run = quiet().claiming("goodput(all) for micro <= 2 * goodput(all) for mono");
    let equal = Resources {
        readers: 10,
        writers: 1,
        workers: 7,
        cpu_weight: Some(33),
        telemetry: "full".into(),
        durability: "full".into(),
        allocator: "MALLOC_ARENA_MAX=2".into(),
        ..Resources::default()
    };
    let mut other = Resources { writers: 5, ..equal.clone() };
    change(&mut other);
    for (arm, resources) in run.header().arms.iter_mut().zip([equal, other]) {
        arm.resources = Some(resources);
    }
    run.lints(&Circumstances::default())
}

#[test]
fn arms_that_were_not_given_the_same_decide_no_claim_that_compares_them() {
    let (equal, unequal) = ([""; 0], ["unequal_resources"]);
    assert_eq!(given(|_| ()), equal, "writers differ by nature: one for each database");
    assert_eq!(given(|b| b.readers = 2), unequal);
    assert_eq!(given(|b| (b.readers, b.extra_readers) = (12, 2)), equal, "each process has at least one");
    assert_eq!(given(|b| b.workers = 14), unequal);
    assert_eq!(given(|b| (b.workers, b.extra_workers) = (14, 7)), equal);
    assert_eq!(given(|b| (b.workers, b.cut_workers) = (2, 5)), equal, "one process has no cores for seven");
    assert_eq!(given(|b| b.workers = 2), unequal, "two for another reason");
    assert_eq!(given(|b| (b.workers, b.cut_workers) = (2, 4)), unequal, "six where the other has seven");
    let declare = |b: &mut Resources| (b.workers, b.declared) = (2, ["workers".to_owned()].into());
    assert_eq!(given(declare), equal, "the scenario says so");
    let other = |b: &mut Resources| (b.workers, b.declared) = (2, ["readers".to_owned()].into());
    assert_eq!(given(other), unequal, "of something else");
    assert_eq!(given(|b| b.cpu_weight = None), unequal);
    assert_eq!(given(|b| b.telemetry = "off".into()), unequal);
    assert_eq!(given(|b| b.durability = "normal".into()), unequal);
    assert_eq!(given(|b| b.allocator = String::new()), unequal);
}

#[test]
fn without_a_claim_that_compares_arms_what_they_were_given_is_shown_and_not_judged() {
    let mut run = quiet().claiming("p50(all) <= 1s");
    for (arm, readers) in run.header().arms.iter_mut().zip([2, 10]) {
        arm.resources = Some(Resources { readers, ..Resources::default() });
    }
    assert_eq!(run.lints(&Circumstances::default()), Vec::<String>::new());
    let rows = scorecard::scorecard(run.tally());
    let row = rows.iter().find(|row| row.id == "db_readers").expect("it is known");
    assert_eq!((row.arms[&'A'].value, row.arms[&'B'].value), (Some(2.0), Some(10.0)));
    let records_without = scorecard::scorecard(quiet().tally());
    assert!(!records_without.iter().any(|row| row.id == "db_readers"), "what is not known has no row");
}

#[test]
fn failures_without_a_fault_are_named_with_their_share() {
    let failing = |second: u32, change: &dyn Fn(&mut Run)| {
        let mut run = quiet();
        run.window('B', 1, second, "home-feed", 20, 4, 5 * MS);
        change(&mut run);
        run.lints(&Circumstances::default())
    };
    // 16 of the 1,080 arrivals before the step at second 27.
    assert_eq!(failing(1, &|_| ()), ["failures_without_cause"], "before anything is measured as well");
    assert_eq!(failing(26, &|_| ()), ["failures_without_cause"]);
    assert_eq!(failing(27, &|_| ()), [""; 0], "a fault is in force");
    assert_eq!(failing(34, &|_| ()), [""; 0], "or it is the fault's recovery or relapse");
    let elsewhere = |run: &mut Run| {
        run.header().steps[0].not_applicable.insert('B', "nothing here".into());
    };
    // 16 of 1,400.
    assert_eq!(failing(34, &elsewhere), ["failures_without_cause"], "no step acts on this arm");
    assert_eq!(failing(10, &|run| run.header().closed = true), [""; 0], "a closed loop goes to the limit");
}

#[test]
fn an_arm_in_turns_is_ready_after_its_first_start() {
    let mut run = quiet();
    run.header().arms[1].ready_ms = 0;
    for (round, ready_ms) in [(1, 120), (2, 500)] {
        let start = record::Start { arm: 'B', round, ready_ms, server_ready_ms: ready_ms / 2 };
        run.add(0, Entry::Start(start));
    }
    assert_eq!(run.checks("start_up for micro <= 1s")[0].value, Some(0.12));
    assert_eq!(run.checks("server_start_up for micro <= 1s")[0].value, Some(0.06));
}

#[test]
fn drops_by_design_are_no_defect_of_the_run() {
    let mut run = quiet();
    run.header().drops = true;
    let window = Window {
        arm: 'A',
        round: 1,
        journey: "home-feed".into(),
        second: 34,
        offered: 20,
        sent: 15,
        ok: 15,
        good: 15,
        dropped: 5,
        closed: true,
        ..Window::default()
    };
    run.add(34, Entry::from(window));
    assert_eq!(run.lints(&Circumstances::default()), Vec::<String>::new());
    assert!(run.values("goodput(home-feed) in crash")[0] < Some(1.0), "they hurt goodput all the same");
}

#[test]
fn a_margin_is_negative_beyond_the_limit() {
    // Medians lie a little above 5 ms.
    let run = Run::new().quiet(|_, _| 5_000);
    for (text, sign) in [
        ("p50(all) in steady < 8ms", 1.0),
        ("p50(all) in steady < 4ms", -1.0),
        ("p50(all) in steady >= 4ms", 1.0),
        ("p50(all) in steady for micro <= 2 * p50(all) in steady for mono", 1.0),
        ("p50(all) in steady for micro >= 2 * p50(all) in steady for mono", -1.0),
    ] {
        let check = &run.checks(text)[0];
        let (value, limit) = (check.value.expect("samples"), check.limit.expect("a limit"));
        let apart = if value < limit { limit - value } else { value - limit };
        assert!(apart > 0.001, "{text}: {apart}");
        assert_eq!(check.margin, Some(sign * apart), "{text}");
    }
}

#[test]
fn a_watch_ends_early_only_where_the_condition_is_broken() {
    use scorecard::judge::watch_result;
    assert_eq!(watch_result(Some((Verdict::Fail, false)), false), Some(false));
    assert_eq!(watch_result(Some((Verdict::Pass, true)), false), None, "the hold is not over");
    assert_eq!(watch_result(Some((Verdict::Pass, true)), true), Some(true));
    assert_eq!(watch_result(Some((Verdict::Inconclusive, true)), true), Some(true), "its value meets it");
    assert_eq!(watch_result(Some((Verdict::Inconclusive, false)), true), Some(false));
    assert_eq!(watch_result(None, true), Some(false), "nothing was measured");
}
