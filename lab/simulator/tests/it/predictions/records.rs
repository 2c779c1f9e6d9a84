//! The record of a prediction: what it holds, what it leaves out, and that it is the same every time.

use model::Window;
use record::{Entry, Verdict};

use super::{Made, scenario};

const SECOND: u64 = 1_000_000_000;

/// The lines of a record as text.
fn text(made: &Made) -> String {
    made.lines.iter().map(|line| serde_json::to_string(line).expect("json") + "\n").collect()
}

#[test]
fn every_arrival_comes_to_an_end_and_every_arm_gets_the_same() {
    let Made { lines, run, .. } = Made::of(&scenario(""), |_| {});
    let mut offered = std::collections::BTreeMap::<(char, u32), u64>::new();
    for line in &lines {
        if let Entry::Window(window) = &line.entry {
            assert!(window.is_accounted_for(), "{window:?}");
            *offered.entry((window.arm, window.round)).or_default() += window.offered;
        }
    }
    assert_eq!(offered[&('A', 1)], offered[&('B', 1)]);
    assert_eq!(offered[&('A', 2)], offered[&('B', 2)]);
    assert_ne!(offered[&('A', 1)], offered[&('A', 2)], "rounds offer other arrivals");
    // 60/s over 7 s in two rounds, give or take five times the root.
    let all = offered[&('A', 1)] + offered[&('A', 2)];
    assert!(all.abs_diff(840) < 5 * 29, "{all}");
    assert!(lines.is_sorted_by_key(|line| line.t));
    assert!(run.is_simulated() && run.mark().is_some_and(|mark| mark.contains("small r0")));
}

#[test]
fn a_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let plan = scenario("");
    let on = |threads| text(&Made::of(&plan, |predictor| predictor.threads = threads));
    let one = on(1);
    assert_eq!(one, on(1));
    assert_eq!(one, on(3));
    assert_ne!(one, text(&Made::of(&plan, |predictor| predictor.seed = 7)));
}

#[test]
fn hops_cost_the_services_what_the_monolith_saves() {
    let Made { run, predicted, .. } = Made::of(&scenario(""), |_| {});
    let range = run.whole(&Window::Whole);
    let cpu = |arm| {
        let sent = run.sum(arm, &range, "all", |window| window.sent);
        run.cpu_ns(arm, &range).expect("sampled") as f64 / sent as f64
    };
    let p50 = |arm| run.latencies(arm, &Window::Whole).quantile(0.5).expect("answers");
    // A home feed has three hops more between processes, a photo one: 0.6 * 3 + 0.4 = 2.2 of them a journey, each 140 us and
    // two wake-ups of up to 20 us; and of the telemetry two spans of 4 us each.
    let more = cpu('A') - cpu('B');
    assert!((2.2 * 140e3..2.2 * 260e3).contains(&more), "{more} ns");
    assert!(p50('A') > p50('B'), "{} and {} us", p50('A'), p50('B'));
    let band = &predicted.prediction.band;
    assert_eq!(band.len(), 6, "three figures of two arms");
    assert!(band.iter().all(|row| row.low <= row.value && row.value <= row.high && row.interval.is_some()));
    assert!(band.iter().any(|row| !row.parameter.is_empty()), "something matters");
}

#[test]
fn a_slow_component_slows_what_needs_it_and_a_killed_one_fails_it() {
    let steps = "[[step]]\nid = \"slow\"\nin = \"steady\"\ndo = \"delay\"\non = \"profile\"\nby = \"80ms\"\nfor = \"2s\"\n\
                 [[step]]\nid = \"dead\"\nin = \"steady\"\nat = \"+3s\"\ndo = \"kill\"\non = \"photo\"\n";
    let Made { run, predicted, .. } = Made::of(&scenario(steps), |_| {});
    assert_eq!(predicted.prediction.not_simulated, Vec::<String>::new());
    let p50 = |journey: &str, seconds: std::ops::Range<u32>| {
        let range = run.whole(&Window::Seconds(seconds.start, seconds.end));
        run.merged('A', &range, journey, |window| &window.intended).quantile(0.5).expect("answers")
    };
    assert!(p50("home-feed", 1..3) > 80_000 && p50("view-photo", 1..3) < 20_000);
    let failed = |arm, journey: &str, from, to| {
        let range = run.whole(&Window::Seconds(from, to));
        run.sum(arm, &range, journey, |window| window.errors.values().sum())
    };
    // Photo is back after 1 s and 0.2 s of start-up.
    assert!(failed('A', "view-photo", 4, 5) > 0 && failed('B', "view-photo", 4, 5) > 0);
    assert_eq!((failed('A', "view-photo", 6, 7), failed('B', "home-feed", 6, 7)), (0, 0), "both are back");
    let down = run.processes_at('A', run.unit_time('A', 1, 4).expect("in the load").start + 3 * SECOND / 2);
    assert!(down.into_iter().any(|proc| proc.instance == "photo#0" && proc.state == "down"));
}

#[test]
fn what_is_not_simulated_is_named_and_decides_nothing() {
    let more = "[[step]]\nid = \"leak\"\nin = \"steady\"\ndo = \"leak\"\non = \"feed\"\nsize = \"1MiB\"\nfor = \"1s\"\n\
                [expect]\ncheck = [\"errors(all) in steady < 1%\"]\n";
    let mut plan = scenario(more);
    let Made { run, predicted, .. } = Made::of(&plan, |_| {});
    let missing = &predicted.prediction.not_simulated;
    assert!(matches!(missing.as_slice(), [one] if one.starts_with("step 1 (`leak`)")), "{missing:?}");
    let end = run.end.as_ref().expect("it ends");
    assert_eq!(end.verdict, Some(Verdict::Inconclusive));
    assert!(end.lints.iter().any(|lint| lint.name == "not_simulated"), "{:?}", end.lints);
    assert!(end.lints.iter().any(|lint| lint.name == "simulated" && lint.is_note()));
    // A journey that was never calibrated is not made up.
    plan.load.mix = traffic::load::Mix::Weights(
        [("home-feed".to_owned(), 1.0), ("search".to_owned(), 1.0)].into_iter().collect(),
    );
    let Made { predicted, .. } = Made::of(&plan, |_| {});
    assert!(predicted.prediction.not_simulated.iter().any(|what| what.starts_with("journey `search`")));
}

#[test]
fn a_claim_within_the_band_is_not_decided() {
    let check = |text: &str| {
        let Made { run, .. } = Made::of(&scenario(&format!("[expect]\ncheck = [\"{text}\"]\n")), |_| {});
        let check = run.checks().into_iter().find(|check| check.arm == 'A').expect("judged").clone();
        (check.verdict, check.value.expect("a value"), check.reason)
    };
    let (far, value, _) = check("p50(all) in steady < 900ms");
    assert_eq!(far, Verdict::Pass);
    let near = format!("p50(all) in steady < {:.4}ms", value * 1e3 * 1.001);
    let (verdict, _, reason) = check(&near);
    assert_eq!(verdict, Verdict::Inconclusive, "{reason}");
}

#[test]
fn an_assumption_decides_nothing() {
    let plan = scenario("[expect]\ncheck = [\"p50(all) in steady < 100us\"]\n");
    let verdict = |cpu: &str| {
        let made = Made::of(&plan, |predictor| predictor.here.machine.cpu = cpu.into());
        (made.run.checks()[0].verdict, made.run.end.as_ref().and_then(|end| end.verdict))
    };
    assert_eq!(verdict("a CPU"), (Verdict::Fail, Some(Verdict::Fail)));
    assert_eq!(verdict("another"), (Verdict::Inconclusive, Some(Verdict::Inconclusive)));
}

#[test]
fn on_hosts_of_their_own_processes_do_not_wait_for_each_other() {
    let p99 = |hosts: &str| {
        let hosts = hosts.parse().expect("hosts");
        let made = Made::of(&scenario(""), |predictor| predictor.hosts = hosts);
        made.run.latencies('A', &Window::Whole).quantile(0.99).expect("answers")
    };
    assert!(p99("per-component") <= p99("one"));
}
