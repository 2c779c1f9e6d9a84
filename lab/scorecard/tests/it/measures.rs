//! What an arm did, as numbers.

use std::collections::BTreeMap;

use record::{Edge, Entry, Event, EventKind, Host, Prices, Proc};

use crate::fixture::{Run, SECOND};

const MS: u64 = 1_000;

fn near(value: Option<f64>, expected: f64) {
    let value = value.expect("a figure");
    assert!((value - expected).abs() <= expected.abs() * 0.01 + 1e-12, "{value}, not {expected}");
}

#[test]
fn a_phase_that_is_not_measured_is_left_out_of_the_whole() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    for second in 0..5 {
        run.window('A', 1, second, "home-feed", 20, 0, 5 * MS);
    }
    assert_eq!(run.values("goodput(all)"), [Some(1.0), Some(1.0)]);
    assert_eq!(run.values("goodput(all) in warm"), [Some(0.5), Some(1.0)]);
}

#[test]
fn journeys_are_chosen_by_name_by_group_or_all() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    // Half of the 400 profiles of the steady phase fail, and no feed.
    for second in 5..25 {
        run.window('B', 1, second, "view-profile", 20, 10, 5 * MS);
    }
    let at_b = |measure: &str| run.values(&format!("{measure} in steady"))[1];
    assert_eq!(at_b("errors(view-profile)"), Some(0.5));
    assert_eq!(at_b("errors(lookups)"), Some(0.5), "a group");
    assert_eq!(at_b("errors(reads)"), Some(0.0));
    assert_eq!(at_b("errors(all)"), Some(0.25));
    assert_eq!(at_b("availability(all)"), Some(0.75));
    near(at_b("rate(all)"), 30.0);
}

#[test]
fn histograms_are_merged_and_never_averaged() {
    // Nine seconds in ten at 1 ms, one at 100 ms: the p95 of all is one of the slow ones,
    // and the mean of the seconds' own p95 would be 11 ms.
    let run = Run::new().quiet(|_, second| if second.is_multiple_of(10) { 100 * MS } else { MS });
    let p95 = run.values("p95(all) in steady")[0].expect("a figure");
    assert!(p95 >= 0.1, "{p95} s");
}

#[test]
fn a_second_that_is_written_again_counts_once() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    run.window('A', 1, 10, "home-feed", 20, 5, 5 * MS);
    run.window('A', 1, 10, "home-feed", 20, 20, 5 * MS);
    assert_eq!(run.values("goodput(all) in steady"), [Some(1.0), Some(1.0)]);
}

#[test]
fn recovery_is_counted_from_the_end_of_the_last_fault() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    // The kill is at 27 s; A fails until 29, recovers for a second, and from 31 on for good.
    for second in [27, 28, 30] {
        run.window('A', 1, second, "home-feed", 20, 0, 5 * MS);
    }
    assert_eq!(run.values("recovery(all)"), [Some(4.0), Some(0.0)]);
}

#[test]
fn what_never_recovers_lies_beyond_what_was_looked_at() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    for second in 27..35 {
        run.window('A', 1, second, "home-feed", 20, 0, 5 * MS);
        run.window('B', 1, second, "home-feed", 20, 0, 5 * MS);
    }
    let standing = |text: &str| run.checks(text)[0].clone();
    let check = standing("recovery(all) <= 6s");
    assert_eq!((check.verdict, check.value, check.is_censored), (record::Verdict::Fail, Some(8.0), true));
    assert_eq!(
        standing("recovery(all) <= 9s").verdict,
        record::Verdict::Inconclusive,
        "it was not looked so far"
    );
    let both = standing("recovery(all) for micro <= recovery(all) for mono");
    assert_eq!(both.verdict, record::Verdict::Inconclusive, "never is not at most never");
}

#[test]
fn a_month_is_priced_by_cores_memory_and_engineers_time() {
    let mut run = Run::new().quiet(|_, _| 5 * MS).cpu('A', 200_000_000).cpu('B', 400_000_000);
    assert_eq!(run.values("monthly_cost in steady"), [None, None], "at no prices");
    let free = Prices { utilisation: 0.5, ..Prices::default() };
    let mut priced = |prices: Prices| {
        run.header().prices = Some(prices);
        [run.values("monthly_cost in steady"), run.values("cpu in steady")]
    };
    let [costs, cores] = priced(Prices { core_hour: 0.04, ..free.clone() });
    // Half of the cores paid for are busy, in each of a month's 730.5 hours.
    for (cost, cores) in costs.iter().zip(&cores) {
        near(*cost, cores.expect("sampled") / 0.5 * 730.5 * 0.04);
    }
    let [costs, _] = priced(Prices { gib_hour: 2.0, ..free.clone() });
    near(costs[0], 730.5 * 2.0 / 1_024.0);
    // A monolith's process, and one for each of three components and the gateway.
    let [costs, _] = priced(Prices { engineer_hour: 10.0, operation_h: 3.0, ..free });
    near(costs[0], 30.0);
    near(costs[1], 120.0);
}

#[test]
fn the_blast_radius_is_of_journeys_that_did_not_need_what_was_hit() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    for second in 27..31 {
        // In A all fail, in B only what needs photo. 4 of the 8 s from the kill to the end of its phase.
        run.window('A', 1, second, "home-feed", 20, 0, 5 * MS);
        run.window('A', 1, second, "view-profile", 20, 0, 5 * MS);
        run.window('B', 1, second, "home-feed", 20, 0, 5 * MS);
    }
    assert_eq!(run.values("blast_radius(step dead-photo)"), [Some(0.5), Some(0.0)]);
}

#[test]
fn audits_of_all_rounds_add_up() {
    let run = Run::of_rounds(3).audit('A', 1, 0).audit('A', 2, 2).audit('A', 3, 0).audit('B', 1, 0);
    assert_eq!(run.values("lost_writes()"), [Some(2.0), Some(0.0)]);
    let checks = run.checks("lost_writes() == 0");
    assert_eq!((checks[0].verdict, checks[0].n), (record::Verdict::Fail, 300));
    assert_eq!(checks[1].verdict, record::Verdict::Pass);
}

#[test]
fn cpu_is_of_the_phase_and_of_the_journeys_in_it() {
    // 80 ms a second over 40 journeys a second: 2 ms each. B uses twice that.
    let run = Run::new().quiet(|_, _| 5 * MS).cpu('A', 80 * SECOND / 1_000).cpu('B', 160 * SECOND / 1_000);
    let values = run.values("cpu_per_journey in steady");
    near(values[0], 0.002);
    near(values[1], 0.004);
    near(run.values("cpu in steady")[1], 0.16);
    near(run.values("cpu(feed) in steady")[1], 0.16);
    near(run.values("cpu(photo) in steady")[1], 0.0);
}

#[test]
fn rounds_are_the_blocks_of_an_interleaved_run() {
    let run =
        Run::of_rounds(4).quiet(|_, _| 5 * MS).cpu('A', 80 * SECOND / 1_000).cpu('B', 160 * SECOND / 1_000);
    let text = "cpu_per_journey in steady for micro >= 1.9 * cpu_per_journey in steady for mono";
    let check = &run.checks(text)[0];
    assert_eq!(check.verdict, record::Verdict::Pass, "{check:?}");
    assert_eq!(check.n, 4 * 800);
    near(check.value, 0.004);
}

#[test]
fn memory_is_that_of_all_processes_at_once_however_often_they_are_sampled() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    for (at_ms, instance, pss_kib) in
        [(1_000, "feed#0", 100), (1_100, "photo#0", 200), (1_900, "feed#0", 150), (2_500, "photo#0", 260)]
    {
        run.memory('B', instance, at_ms, pss_kib);
    }
    assert_eq!(run.values("procs.pss")[1], Some(350.0 * 1_024.0), "150 and 200 in the first second");
    assert_eq!(run.values("pss(photo)")[1], Some(260.0 * 1_024.0), "of one component");
    assert_eq!(run.values("pss(search)"), [None, None], "no process holds it");
    run.memory('B', "photo#0", 7_000, 120);
    assert_eq!(run.values("pss(photo) in steady")[1], Some(120.0 * 1_024.0), "and of one phase");
}

#[test]
fn an_edge_is_measured_from_its_own_seconds() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    for second in 5..25_u32 {
        let edge = |callee: &str, actual_rps: f64, breaker: u8| Edge {
            arm: 'B',
            caller: "feed".into(),
            callee: callee.into(),
            effective_rps: 10.0,
            actual_rps,
            breaker,
            ..Edge::default()
        };
        let t = u64::from(second) * SECOND + SECOND / 2;
        // Half of the calls to photo are tried again; its breaker is open in the last 4 of the 20 s.
        run.add(t, Entry::Edge(edge("photo", 15.0, if second < 21 { 0 } else { 2 })));
        run.add(t, Entry::Edge(edge("profile", 10.0, 0)));
    }
    assert_eq!(run.values("attempts(feed->photo) in steady"), [None, Some(1.5)]);
    assert_eq!(run.values("attempts(feed->profile) in steady")[1], Some(1.0));
    assert_eq!(run.values("breaker_open(feed->photo) in steady")[1], Some(4.0));
    assert_eq!(run.checks("breaker_open(feed->photo)")[1].verdict, record::Verdict::Pass, "a condition");
}

#[test]
fn a_step_takes_from_its_first_mark_to_the_one_that_ends_it() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    for (second, mark) in [(27, "began"), (29, "detected"), (32, "rolled-back")] {
        let event = Event {
            number: 1,
            what: EventKind::Deploy,
            active: None,
            mark: Some(('B', mark.into())),
            targets: BTreeMap::new(),
            text: String::new(),
        };
        run.add(second * SECOND, Entry::Event(event));
    }
    assert_eq!(run.values("time_to_detect(step dead-photo)"), [None, Some(2.0)]);
    assert_eq!(run.values("time_to_rollback(step 1)"), [None, Some(5.0)], "by its number");
    // A deploy that is not taken back while the load goes on takes longer than that, and no claim of less holds.
    let mut kept = Run::new().quiet(|_, _| 5 * MS);
    let began = Event {
        number: 1,
        what: EventKind::Deploy,
        active: None,
        mark: Some(('B', "began".into())),
        targets: BTreeMap::new(),
        text: String::new(),
    };
    kept.add(27 * SECOND, Entry::Event(began));
    for measure in ["time_to_detect", "time_to_rollback"] {
        let check = |limit: &str| kept.checks(&format!("{measure}(step dead-photo) {limit}"))[1].clone();
        let within = check("<= 5s");
        assert_eq!((within.value, within.is_censored), (Some(7.0), true), "{measure}");
        assert_eq!(within.verdict, record::Verdict::Fail, "{measure}: it was watched for seven seconds");
        assert_eq!(check("<= 20s").verdict, record::Verdict::Inconclusive, "{measure}: not for twenty");
    }
    // The last that is known of the run is its second 34.
    let finished = run.checks("time_to_finish(step dead-photo) <= 5s");
    assert_eq!(finished[0].value, None, "it did not begin");
    assert_eq!((finished[1].value, finished[1].is_censored), (Some(7.0), true), "it was not done by then");
}

#[test]
fn capacity_lies_between_what_held_and_what_failed() {
    let mut run = Run::new().quiet(|_, second| 5 * MS + u64::from(second % 5));
    // 400 a second, and in the crash twice as many, of which A answers half.
    for second in 5..25 {
        for arm in ['A', 'B'] {
            run.window(arm, 1, second, "home-feed", 380, 380, 5 * MS + u64::from(second % 5));
        }
    }
    for second in 25..35 {
        run.window('A', 1, second, "home-feed", 780, 400, 5 * MS);
        run.window('B', 1, second, "home-feed", 780, 780, 5 * MS);
    }
    let standing = |text: &str| run.checks(text);
    let bounds = |text: &str| -> Vec<(f64, Option<f64>)> {
        let bounds = standing(text).into_iter().filter_map(|check| check.interval);
        bounds.map(|interval| (interval.low, interval.high)).collect()
    };
    assert_eq!(bounds("capacity(all 100ms) >= 1/s"), [(400.0, Some(800.0)), (800.0, None)]);
    assert_eq!(
        bounds("capacity(all 1ms) >= 1/s"),
        [(0.0, Some(400.0)), (0.0, Some(400.0))],
        "not even the lowest"
    );
    let verdict = |text: &str| standing(text)[0].verdict;
    assert_eq!(
        verdict("capacity(all 100ms) for micro >= capacity(all 100ms) for mono"),
        record::Verdict::Pass
    );
    assert_eq!(
        verdict("capacity(all 100ms) for micro >= 2 * capacity(all 100ms) for mono"),
        record::Verdict::Inconclusive
    );
    assert_eq!(run.values("slower(all 1ms) in steady"), [Some(1.0), Some(1.0)]);
}

#[test]
fn two_capacities_that_were_not_found_have_no_ratio() {
    let run = Run::new().quiet(|_, second| 5 * MS + u64::from(second % 5));
    let check = &run.checks("capacity(all 1s) for mono >= 0.9 * capacity(all 1s) for micro")[0];
    assert_eq!(check.verdict, record::Verdict::Inconclusive, "{check:?}");
    assert_eq!((check.value, check.interval.and_then(|interval| interval.high)), (None, None), "at least");
}

#[test]
fn shares_of_cumulative_counts_are_of_what_was_added_in_the_window() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    for second in 0..=36 {
        let count = |a: u64, b: u64| [("feed".to_owned(), [a * second, b * second])].into();
        // A second: 10 reads of which the cache answers 8; 20 pieces of work of which 1 is in vain.
        let proc = Proc {
            arm: 'A',
            pid: 7,
            instance: "app#0".into(),
            components: vec!["feed".into()],
            sockets: 3 + u32::from(second == 9),
            cache: count(8, 10),
            work: count(20, 1),
            spans: [80 * second, 0, 0, 0],
            ..Proc::default()
        };
        run.add(second * SECOND, Entry::from(proc));
    }
    assert_eq!(run.values("cache_hits(feed) in steady")[0], Some(0.8));
    assert_eq!(run.values("wasted(feed) in steady")[0], Some(0.05));
    assert_eq!(run.values("wasted(photo) in steady")[0], None, "no such work");
    near(run.values("spans in steady")[0], 2.0);
    assert_eq!(run.values("connections"), [Some(4.0), None], "at most");
}

#[test]
fn the_host_is_the_same_in_every_arm() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    for second in 5..25 {
        let host = Host {
            cpu_stall: Some(if second < 15 { 10.0 } else { 30.0 }),
            memory_available_mib: 250,
            ..Host::default()
        };
        run.add((second + 1) * SECOND + 1, Entry::Host(host));
    }
    let stall = run.values("host.cpu_stall in steady");
    assert_eq!(stall.len(), 1, "one check, of no arm");
    near(stall[0], 0.2);
    assert_eq!(run.values("host.mem_available in steady"), [Some(0.25)], "of 1,000 MiB");
    run.header().machine.memory_mib = 0;
    assert_eq!(run.values("host.mem_available in steady"), [None], "of a memory that is not known");
}
