//! The record of a prediction: what it holds, what it leaves out, and that it is the same every time.

use std::collections::BTreeMap;

use contract::broker::EventCarrier;
use contract::placement::Limits;
use contract::store::{StoreChoice, StoreProduct};
use model::Window;
use policy::service::ServiceOptions;
use record::{Entry, Validity, Verdict};
use scenario::{DataRetention, Scenario};
use traffic::load::Overload;

use super::{Made, calibration, call, operation, scenario};

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
fn a_predicted_figure_is_that_of_its_record_over_all_rounds_failures_included() {
    let kill = "[[step]]\nid = \"dead\"\nin = \"steady\"\nat = \"+3s\"\ndo = \"kill\"\non = \"photo\"\n";
    for more in ["", kill] {
        let Made { run, predicted, .. } = Made::of(&scenario(more), |predictor| predictor.rounds = 3);
        let scores = run.scores();
        for row in &predicted.prediction.band {
            let recorded = run.figure_of_whole(row.arm, &row.measure).expect("in the record");
            assert!((row.value / recorded - 1.0).abs() < 1e-6, "{row:?}, in the record {recorded}");
            let shown = scores.iter().find(|score| score.id == row.measure && more.is_empty());
            let shown = shown.and_then(|score| score.arms[&row.arm].value).unwrap_or(row.value);
            assert!((row.value / shown - 1.0).abs() < 1e-3, "{row:?}, on the card {shown}");
        }
        let p99 = predicted.prediction.band.iter().find(|row| row.measure == "latency_p99").expect("a band");
        // Photos are away for 1.2 of 6 s: of all journeys 0.2 * 0.4 fail, more than one in a hundred.
        assert_eq!(p99.value >= 1.0, !more.is_empty(), "{p99:?}");
    }
}

#[test]
fn every_core_is_busy_at_the_rate_that_the_cpu_of_arm_and_generator_allows() {
    let mut known = calibration();
    let photo = || vec![call("gateway/GET /v1/photos/{id}")];
    known.operations.insert("client/view-photo".into(), operation(50, vec![photo(), photo()]));
    let Made { predicted, .. } = Made::with(&known, &scenario(""), |_| {});
    let prediction = predicted.prediction;
    for row in prediction.band.iter().filter(|row| row.measure == "cpu_per_journey") {
        // 0.6 home feeds of one request and 0.4 photos of two, each of 200 us in the generator, on two cores.
        let expected = 2.0 / (row.value + 1.4 * 200e-6);
        assert!((prediction.saturation[&row.arm] / expected - 1.0).abs() < 1e-9, "{row:?}: {prediction:?}");
    }
    assert_eq!(prediction.saturation.len(), 2);
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
fn what_an_arm_has_and_the_model_does_not_is_named() {
    let predicted = |change: &dyn Fn(&mut Scenario)| {
        let mut plan = scenario("");
        change(&mut plan);
        Made::of(&plan, |_| {}).predicted.prediction
    };
    let missing = |change: &dyn Fn(&mut Scenario)| predicted(change).not_simulated;
    let with = |options: ServiceOptions| {
        missing(&|plan| {
            plan.arms[1].services = BTreeMap::from([("photo".to_owned(), options.clone())]);
        })
    };
    let declared = scenario("").load.feed.push_below;
    for (seen, expected) in [
        (
            missing(&|plan| {
                let half = Limits { cpu: Some(0.5), ..Limits::default() };
                plan.arms[1].placement.limits = BTreeMap::from([("*".to_owned(), half)]);
            }),
            "mono: limits of processes",
        ),
        (
            with(ServiceOptions { calls_in_transaction: Some(true), ..ServiceOptions::default() }),
            "mono: calls inside a write transaction",
        ),
        (
            with(ServiceOptions { outbox: Some(false), ..ServiceOptions::default() }),
            "mono: events that are published after their transaction",
        ),
        (
            with(ServiceOptions { push_below: Some(0), ..ServiceOptions::default() }),
            "mono: its own threshold of fan-out on write",
        ),
        (
            with(ServiceOptions { pool: Some(4), ..ServiceOptions::default() }),
            "mono: how many connections read its databases",
        ),
        (missing(&|plan| plan.data = DataRetention::Kept), "data that grow from round to round"),
        (missing(&|plan| plan.budget.cores = Some(1)), "the cores and the memory of its `budget`"),
        (
            missing(&|plan| plan.load.overload = Overload::Drop),
            "slots of the load generator, and arrivals that find none",
        ),
    ] {
        assert_eq!(seen, [expected]);
    }
    let none: Vec<String> = Vec::new();
    let as_all =
        ServiceOptions { push_below: Some(declared), outbox: Some(true), ..ServiceOptions::default() };
    assert_eq!(with(as_all), none, "it is what the others have");

    let on_server =
        predicted(&|plan| plan.arms[1].placement.store = StoreChoice::All(StoreProduct::Postgres));
    let missing = on_server.not_simulated;
    assert!(
        matches!(missing.as_slice(), [one] if one.starts_with("mono: data on a PostgreSQL")),
        "{missing:?}"
    );
    let because = on_server.because;
    assert!(
        on_server.validity == Validity::Assumed && because[0].starts_with("mono: data on a PostgreSQL"),
        "{because:?}"
    );
    let with_broker = predicted(&|plan| plan.arms[0].placement.events = EventCarrier::Nats);
    let (missing, because) = (with_broker.not_simulated, with_broker.because);
    assert!(matches!(missing.as_slice(), [one] if one.contains("events through a broker")), "{missing:?}");
    assert!(
        with_broker.validity == Validity::Assumed && because[0].contains("events through a broker"),
        "{because:?}"
    );
    // Memory is not known, and so stops nothing.
    let stops = scenario("[stop]\nwhen = [\"host.mem_available < 10%\", \"errors(all) > 90% held 2s\"]\n");
    let missing = Made::of(&stops, |_| {}).predicted.prediction.not_simulated;
    assert!(matches!(missing.as_slice(), [one] if one.contains("errors(all) > 90%")), "{missing:?}");
    let search = scenario("[expect]\ncheck = [\"capacity(all 50ms) >= 1/s\"]\n");
    let missing = Made::of(&search, |_| {}).predicted.prediction.not_simulated;
    assert!(matches!(missing.as_slice(), [one] if one.contains("search for capacity")), "{missing:?}");
}

#[test]
fn what_a_simulation_does_not_know_has_no_value_and_decides_nothing() {
    let claims = [
        "procs.pss for micro >= 2 * procs.pss for mono",
        "pss(feed) < 1GiB",
        "connections < 10",
        "writer_wait < 5ms",
        "host.mem_available > 1%",
    ];
    let Made { run, .. } = Made::of(&scenario(&format!("[expect]\ncheck = {claims:?}\n")), |_| {});
    let checks = run.checks();
    assert!(checks.len() >= claims.len(), "{checks:?}");
    for check in checks {
        assert_eq!((check.verdict, check.value), (Verdict::Inconclusive, None), "{check:?}");
        assert!(check.reason.contains("is not simulated"), "{check:?}");
    }
    let scores = run.scores();
    let rows: Vec<&str> = scores.iter().map(|score| score.id.as_str()).collect();
    for id in ["memory", "rate_per_gib", "connections", "spans", "telemetry_cpu", "staleness_p50", "start_up"]
    {
        assert!(!rows.contains(&id), "{rows:?}");
    }
    for id in ["latency_p50", "cpu_per_journey", "hops", "idle_cpu", "processes"] {
        assert!(rows.contains(&id), "{rows:?}");
    }
    assert_eq!(run.peak_pss_mib(), None);
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
fn side_by_side_arms_are_not_compared_on_a_simulated_machine_that_is_full_either() {
    let claim = "[expect]\ncheck = [\"p50(all) in steady for micro > p50(all) in steady for mono\"]\n";
    let seen = |factor: f64, hosts: &str| {
        let Made { run, .. } = Made::with(&calibration().with_cpu(factor), &scenario(claim), |predictor| {
            (predictor.interleaved, predictor.rounds) = (false, 1);
            predictor.hosts = hosts.parse().expect("hosts");
        });
        let stalls: Vec<f64> = run.all_hosts().filter_map(|host| host.cpu_stall).collect();
        let mean = stalls.iter().sum::<f64>() / stalls.len() as f64;
        let is_noisy = run.end.as_ref().is_some_and(|end| end.lints.iter().any(|lint| lint.name == "noisy"));
        (stalls.is_empty(), mean, is_noisy, run.checks()[0].verdict)
    };
    // Both arms and the generator take about a tenth of two cores, and thirty times that is more than there is.
    let (_, idle, is_noisy, _) = seen(1.0, "one");
    assert!(idle < 20.0 && !is_noisy, "{idle} %");
    let (_, full, is_noisy, verdict) = seen(30.0, "one");
    assert!(full > 50.0 && is_noisy, "{full} %");
    assert_eq!(verdict, Verdict::Inconclusive);
    // On hosts of their own arms do not meet.
    let (is_unknown, _, is_noisy, _) = seen(30.0, "per-component");
    assert!(is_unknown && !is_noisy);
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
