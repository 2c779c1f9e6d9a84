//! The rows of the scorecard.

use record::{Better, Class, Finding, Note, Proc, Score};

use crate::fixture::{Run, SECOND};

const MS: u64 = 1_000;

/// B is a fifth slower and uses twice the CPU; its parts are known.
fn run() -> Run {
    let ms = |ms: u64| ms * SECOND / 1_000;
    Run::new()
        .quiet(|arm, second| (5 + u64::from(second % 3)) * MS * if arm == 'A' { 10 } else { 12 } / 10)
        .parts('A', 1, &[("business", ms(40)), ("database", ms(40))])
        .parts('B', 4, &[("business", ms(40)), ("database", ms(44)), ("transport", ms(76))])
        .audit('A', 1, 0)
        .audit('B', 1, 0)
}

fn scorecard() -> Vec<Score> {
    scorecard::scorecard(run().tally())
}

fn row<'a>(rows: &'a [Score], id: &str) -> &'a Score {
    rows.iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no row `{id}`"))
}

fn value(row: &Score, arm: char) -> f64 {
    row.arms[&arm].value.unwrap_or_else(|| panic!("`{}` has no figure for {arm}", row.id))
}

#[test]
fn every_row_has_claim_words_and_samples() {
    let rows = scorecard();
    assert!(rows.len() > 20, "{}", rows.len());
    let mut ids = std::collections::BTreeSet::new();
    for row in &rows {
        assert!(ids.insert((&row.id, &row.window)), "`{}` stands twice", row.id);
        assert!(!row.claim.is_empty() && !row.measure.is_empty(), "`{}` tests nothing", row.id);
        for (arm, measured) in &row.arms {
            let samples = measured.n > 0 || measured.value.is_none();
            assert!(samples, "`{}` has a figure for {arm} from no sample", row.id);
        }
    }
}

#[test]
fn a_difference_has_its_ratio_and_interval() {
    let rows = scorecard();
    let p50 = row(&rows, "latency_p50");
    assert_eq!((p50.better, p50.finding.as_str()), (Better::Lower, "differs"));
    let interval = p50.ratio.and_then(|ratio| ratio.interval).expect("twenty paired seconds");
    assert!(
        1.15 < interval.low && interval.low <= interval.upper() && interval.upper() < 1.25,
        "{interval:?}"
    );
    assert!(p50.context.as_ref().is_some_and(|text| text.contains("work")), "what it sits on: {p50:?}");
    // Side by side each process started once, and another start may be a little slower.
    assert_eq!(p50.contrasts[&'B'].note, Some(Note::WithinThisRun));

    let goodput = row(&rows, "goodput");
    assert_eq!((goodput.finding.as_str(), goodput.better), ("equivalent", Better::Higher));
    let bound = goodput.arms[&'A'].interval.expect("800 trials");
    assert!(
        bound.low < 1.0 && bound.upper() >= 1.0 - 1e-9,
        "all of 800 were good, of others not all may be: {bound:?}"
    );
}

#[test]
fn the_parts_add_up_to_the_whole() {
    let rows = scorecard();
    let difference = |id: &str| value(row(&rows, id), 'B') - value(row(&rows, id), 'A');
    let parts: Vec<&Score> =
        rows.iter().filter(|row| row.part_of.as_deref() == Some("cpu_per_journey")).collect();
    // 160 less 80 ms a second over 40 journeys: 2 ms.
    let total = difference("cpu_per_journey");
    assert!((total - 0.002).abs() < 1e-6, "{total}");
    let sum: f64 = parts.iter().map(|part| difference(&part.id)).sum();
    assert!((sum - total).abs() < 1e-9, "{sum}");
    assert!(difference("cpu_business").abs() < 1e-9, "the work is the same");
    let transport = row(&rows, "cpu_transport").contrasts[&'B'];
    let more = transport.difference.and_then(|difference| difference.interval).expect("twenty seconds");
    assert!(more.holds(0.0019), "76 ms a second over 40 journeys: {more:?}");
    assert_eq!(transport.finding, Some(Finding::Differs), "more than a twentieth of A's 2 ms");
}

#[test]
fn what_injected_delays_cost_is_not_the_arms() {
    let ms = |ms: u64| ms * SECOND / 1_000;
    let run = |injected| {
        Run::new().quiet(|_, _| 5 * MS).parts('A', 1, &[("business", ms(40)), ("injected", 0)]).parts(
            'B',
            4,
            &[("business", ms(40)), ("transport", ms(40)), ("injected", injected)],
        )
    };
    let rows = |injected| scorecard::scorecard(run(injected).tally());
    let (with, without) = (rows(ms(20)), rows(0));
    for id in ["cpu_per_journey", "rate_per_core"] {
        assert!(value(row(&with, id), 'B') > 0.0, "{id}");
        assert_eq!(row(&with, id).arms, row(&without, id).arms, "{id}");
    }
    let injected = row(&with, "cpu_injected");
    // 20 ms a second over 40 journeys.
    assert!(
        (value(injected, 'B') - 0.000_5).abs() < 1e-6 && value(injected, 'A').abs() < 1e-9,
        "{injected:?}"
    );
    assert_eq!(injected.part_of, None, "it stands beside the total");
    assert!(scorecard::glossary::term_of("cpu_injected").is_some());
    assert!(!without.iter().any(|row| row.id == "cpu_injected"), "nothing was injected");
}

#[test]
fn notes_list_relapses_and_what_bursts_allow() {
    let mut run = run();
    // 27 s is the fault's; good for three seconds, bad for two, good to the end.
    for second in [27, 31, 32] {
        run.window('B', 1, second, "home-feed", 20, 0, 5 * MS);
    }
    let rows = scorecard::scorecard(run.tally());
    let notes = |id: &str| row(&rows, id).notes.clone();
    assert_eq!(notes("recovery"), ["B: goodput was bad again from 4s to 6s after the fault"]);
    // 1 - 0.05^(1/20).
    assert_eq!(
        notes("goodput"),
        ["A and B: no bad second of 20; bursts may hurt up to 13.9% of the seconds"]
    );
    assert_eq!(notes("latency_p50"), [""; 0]);
}

#[test]
fn an_arm_without_database_servers_leaves_those_of_the_other_their_figures() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    run.header().arms[1].servers = 1;
    for second in 0..=36_u64 {
        let server = Proc {
            arm: 'B',
            pid: 9,
            instance: "server-feed".into(),
            is_server: true,
            cpu_ns: second * SECOND / 100,
            pss_kib: 2_048,
            ..Proc::default()
        };
        run.add(second * SECOND, record::Entry::from(server));
    }
    let rows = scorecard::scorecard(run.tally());
    // 10 ms a second over 40 journeys.
    for (id, expected) in [("server_memory", 2_048.0 * 1_024.0), ("server_cpu", 0.000_25)] {
        let row = row(&rows, id);
        assert!((value(row, 'B') / expected - 1.0).abs() < 0.01, "{row:?}");
        // Of its processes there are no samples here, and so no CPU.
        let without = (id == "server_memory").then_some(0.0);
        assert_eq!(row.arms[&'A'].value, without, "{id}: it has no server");
    }
    assert!(row(&rows, "server_cpu").arms[&'B'].interval.is_some());
}

#[test]
fn each_product_has_its_part_of_what_servers_take() {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    run.header().arms[1].servers = 3;
    let servers = [(9, "postgres#0", 2_048, 100), (10, "postgres#1", 1_024, 100), (11, "nats#0", 512, 200)];
    for second in 0..=36_u64 {
        for (pid, name, pss_kib, share) in servers {
            let server = Proc {
                arm: 'B',
                pid,
                instance: name.into(),
                is_server: true,
                cpu_ns: second * SECOND / share,
                pss_kib,
                ..Proc::default()
            };
            run.add(second * SECOND, record::Entry::from(server));
        }
    }
    let rows = scorecard::scorecard(run.tally());
    for (id, words, expected) in [
        ("server_memory_postgres", "PostgreSQL", 3_072.0 * 1_024.0),
        ("server_memory_nats", "NATS", 512.0 * 1_024.0),
        // 20 ms a second, and 5 ms, over 40 journeys.
        ("server_cpu_postgres", "PostgreSQL", 0.000_5),
        ("server_cpu_nats", "NATS", 0.000_125),
    ] {
        let row = row(&rows, id);
        assert_eq!((row.measure.as_str(), row.claim.as_str()), (words, "technology per service"));
        assert!(row.part_of.as_deref().is_some_and(|total| id.starts_with(total)), "{row:?}");
        assert!((value(row, 'B') / expected - 1.0).abs() < 0.01, "{row:?}");
    }
    assert_eq!(row(&rows, "server_memory_nats").arms[&'A'].value, Some(0.0), "it has none");
}

#[test]
fn servers_are_started_backed_up_and_upgraded_and_a_broker_has_a_port() {
    let without = scorecard::scorecard(Run::new().quiet(|_, _| 5 * MS).tally());
    for id in ["server_start_up", "backups", "upgrades"] {
        assert!(without.iter().all(|row| row.id != id), "`{id}` is of arms with servers");
    }
    let ports = value(row(&without, "ports"), 'B');
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    let [mono, micro] = &mut run.header().arms[..] else { panic!("two arms") };
    // A server of databases that keeps all of them, and a broker.
    (micro.servers, micro.server_ports, micro.backups, micro.server_ready_ms) = (2, 1, 1, 340);
    let (databases, programs) = (f64::from(mono.databases), micro.instances.len() as f64);
    let rows = scorecard::scorecard(run.tally());
    let of = |id: &str, arm: char| row(&rows, id).arms[&arm].value;
    assert_eq!(of("ports", 'B'), Some(ports + 1.0));
    assert_eq!((of("backups", 'A'), of("backups", 'B')), (Some(databases), Some(1.0)));
    assert_eq!((of("upgrades", 'A'), of("upgrades", 'B')), (Some(1.0), Some(programs + 2.0)));
    assert_eq!((of("server_start_up", 'A'), of("server_start_up", 'B')), (None, Some(0.34)));
}

#[test]
fn a_margin_of_a_count_is_in_writes() {
    // Half a point of 100 acknowledged writes.
    assert_eq!(row(&scorecard(), "lost_writes").margin, Some(0.5));
}

#[test]
fn without_work_and_hops_there_is_no_latency_ratio() {
    let run = Run::new().quiet(|arm, _| if arm == 'A' { 5 * MS } else { 6 * MS });
    let rows = scorecard::scorecard(run.tally());
    let p50 = row(&rows, "latency_p50");
    assert_eq!((p50.ratio, p50.finding.as_str()), (None, Note::NoContext.words()));
}

#[test]
fn what_was_not_measured_is_not_zero() {
    let run = Run::new().quiet(|_, _| 5 * MS);
    let rows = scorecard::scorecard(run.tally());
    for id in ["cpu_per_journey", "hops", "lost_writes", "stale_reads"] {
        assert!(rows.iter().all(|row| row.id != id), "`{id}` was not measured");
    }
}

#[test]
fn a_count_by_plan_is_a_fact() {
    let rows = scorecard();
    let processes = row(&rows, "processes");
    assert_eq!((value(processes, 'A'), value(processes, 'B')), (1.0, 4.0));
    assert_eq!(processes.finding, "exact");
    assert_eq!(processes.contrasts[&'B'].finding, None, "nothing is estimated");
    assert_eq!(row(&rows, "latency_p999").finding, Note::TooFew.words(), "0.8 samples beyond it");
}

#[test]
fn what_was_seen_once_is_not_called_different() {
    // Both arms use what they use, give or take; one holds a little more memory.
    let mut run = run();
    run.memory('A', "app#0", 10_000, 30_000);
    run.memory('B', "app#0", 10_000, 31_000);
    let rows = scorecard::scorecard(run.tally());
    for id in ["memory", "connections"] {
        assert_eq!(row(&rows, id).finding, Note::OncePerRun.words(), "`{id}`");
    }
    // A row in another guise takes the finding of what it is.
    let [cpu, rate] = ["cpu_per_journey", "rate_per_core"].map(|id| row(&rows, id).contrasts[&'B']);
    assert_eq!((cpu.finding, rate.finding), (Some(Finding::Differs), Some(Finding::Differs)));
    // 40 journeys a second over 80 ms of CPU a second.
    assert_eq!(row(&rows, "rate_per_core").arms[&'A'].value.map(f64::round), Some(500.0));
}

/// Six rounds in which B answers so many of twenty in time, and spends so much CPU a second; A 20, and 80 ms.
fn with_good_of_twenty(good: u64, cpu_ms: u64) -> Vec<Score> {
    let mut run = Run::of_rounds(6).quiet(|_, _| 5 * MS);
    for round in 1..=6 {
        for second in 5..25 {
            for journey in ["home-feed", "view-profile"] {
                run.window('B', round, second, journey, 20, good, 5 * MS);
            }
        }
    }
    let run = run.cpu('A', 80 * SECOND / 1_000).cpu('B', cpu_ms * SECOND / 1_000);
    scorecard::scorecard(run.tally())
}

#[test]
fn a_row_in_another_guise_has_its_finding_only_where_its_own_figures_bear_it_out() {
    let found = |rows: &[Score], id: &str| {
        let contrast = row(rows, id).contrasts[&'B'];
        (contrast.finding, contrast.ratio.and_then(|ratio| ratio.value).map(|ratio| (ratio * 10.0).round()))
    };
    let (same, apart) = (Some(Finding::Equivalent), Some(Finding::Differs));
    let open = Some(Finding::Undecided);
    // The CPU of each journey that ended is the same, and of five only three were good.
    let failing = with_good_of_twenty(12, 80);
    assert_eq!(found(&failing, "cpu_per_journey"), (same, Some(10.0)));
    assert_eq!(found(&failing, "rate_per_core"), (open, Some(6.0)));
    assert!(row(&failing, "rate_per_core").contrasts[&'B'].differs_alone);
    // Three fifths of the CPU, for three fifths of the good journeys.
    let cheaper = with_good_of_twenty(12, 48);
    assert_eq!(found(&cheaper, "cpu_per_journey"), (apart, Some(6.0)));
    assert_eq!(found(&cheaper, "rate_per_core"), (open, Some(10.0)));
    // Four fifths of the CPU, for three fifths of them: better in one, worse in the other.
    let worse = with_good_of_twenty(12, 64);
    assert_eq!((found(&worse, "cpu_per_journey").0, found(&worse, "rate_per_core").0), (apart, open));
    // All are good.
    let sound = with_good_of_twenty(20, 64);
    assert_eq!((found(&sound, "cpu_per_journey").0, found(&sound, "rate_per_core").0), (apart, apart));
    assert_eq!((found(&failing, "goodput").0, found(&failing, "rate").0), (apart, apart));
}

#[test]
fn good_journeys_per_gib_are_compared_over_rounds() {
    let mut run = Run::of_rounds(6).quiet(|_, _| 5 * MS);
    for round in 0..6 {
        run.memory('A', "app#0", round * 100_000 + 10_000, 30_000 + round * 10);
        run.memory('B', "app#0", round * 100_000 + 10_000, 60_000);
    }
    let rows = scorecard::scorecard(run.tally());
    let contrast = row(&rows, "rate_per_gib").contrasts[&'B'];
    assert_eq!(contrast.finding, Some(Finding::Differs), "half as many a GiB: {contrast:?}");
    let interval = contrast.ratio.and_then(|ratio| ratio.interval).expect("six rounds");
    assert!(0.49 < interval.low && interval.upper() < 0.51, "{interval:?}");
}

#[test]
fn shares_of_an_event_are_compared_by_their_difference_over_rounds() {
    // Photo dies in each of six rounds; for three seconds A answers as many of twenty as the round's number.
    let mut run = Run::of_rounds(6).quiet(|_, _| 5 * MS);
    for (round, second) in (1..=6).flat_map(|round| [27, 28, 29].map(|second| (round, second))) {
        run.window('A', round, second, "home-feed", 20, u64::from(round), 5 * MS);
    }
    let rows = scorecard::scorecard(run.tally());
    let contrast = row(&rows, "goodput_dead-photo").contrasts[&'B'];
    let difference = contrast.difference.expect("of shares");
    // 3 x (20 - 3.5) of 400 on average; from 57 to 42.
    let (value, interval) = (difference.value.expect("seen"), difference.interval.expect("six rounds"));
    assert!(contrast.ratio.is_none() && (value - 0.123_75).abs() < 1e-9, "{contrast:?}");
    assert!(interval.holds(value) && 0.10 < interval.low && interval.upper() < 0.15, "{interval:?}");
    assert_eq!(contrast.finding, Some(Finding::Differs));
    // The standard error is in points, too: 2.5706 is the 97.5 % point of t with five degrees of freedom.
    let error = (interval.upper() - interval.low) / 2.0 / 2.570_6;
    assert!((contrast.error.expect("judged") - error).abs() < 1e-5, "{contrast:?}");
}

#[test]
fn no_share_is_more_than_all_however_far_rounds_are_apart() {
    // In one of three rounds nothing succeeds for eight of the ten seconds of the crash.
    let mut run = Run::of_rounds(3).quiet(|_, _| 5 * MS);
    for second in 27..35 {
        for journey in ["home-feed", "view-profile"] {
            run.window('A', 2, second, journey, 20, 0, 5 * MS);
        }
    }
    let rows = scorecard::scorecard(run.tally());
    let of_row = row(&rows, "goodput_dead-photo").arms[&'A'];
    let of_check = run.checks("goodput(all) in crash for mono >= 1%")[0].measured();
    let doubled = run.checks("2 * goodput(all) in crash for mono >= 1%")[0].measured();
    for (of, all) in [(of_row, 1.0), (of_check, 1.0), (doubled, 2.0)] {
        // (1 + 0.2 + 1) / 3.
        assert!((of.value.expect("seen") / all - 2.2 / 3.0).abs() < 1e-9, "{of:?}");
        assert_eq!(of.interval.expect("three rounds").high, Some(all), "{of:?}");
    }
}

#[test]
fn arms_that_fail_differently_have_no_ratio_of_latencies() {
    let mut run = run();
    for second in 5..25 {
        run.window('B', 1, second, "home-feed", 20, 18, 6 * MS);
    }
    let rows = scorecard::scorecard(run.tally());
    let p50 = row(&rows, "latency_p50");
    assert_eq!((p50.ratio, p50.finding.as_str()), (None, Note::ArmsFailDifferently.words()));
    assert!(row(&rows, "latency_p99").arms[&'B'].is_censored, "one in twenty failed");
}

#[test]
fn a_window_that_drifts_has_no_finding() {
    let drifting =
        |arm: char, second: u32| (100 + u64::from(second)) * MS / 20 * if arm == 'A' { 1 } else { 2 };
    let ms = |ms: u64| ms * SECOND / 1_000;
    let run = Run::new()
        .quiet(drifting)
        .parts('A', 1, &[("business", ms(40)), ("transport", ms(40))])
        .parts('B', 1, &[("business", ms(40)), ("transport", ms(80))])
        .trace_seconds('A', 1.0)
        .trace_seconds('B', 3.0);
    let rows = scorecard::scorecard(run.tally());
    // Neither a total nor its parts, which are made of the same seconds.
    for id in ["latency_p50", "cpu_per_journey", "cpu_transport", "trace_total", "trace_network"] {
        let contrast = row(&rows, id).contrasts[&'B'];
        assert_eq!((contrast.finding, contrast.note), (None, Some(Note::NotSteady)), "{id}");
    }
}

/// B crosses sockets for 3 ms where A crosses them for 1; in the crash B waits for a photo that does not answer.
fn traced() -> Run {
    let steady = |network| [("client->gateway", Class::Network, network), ("feed", Class::Work, 4.0)];
    let dead = [
        ("client->gateway", Class::Network, 3.0),
        ("feed", Class::Work, 4.0),
        ("feed->photo", Class::Unanswered, 90.0),
    ];
    run()
        .split('A', 1, &steady(1.0))
        .split('B', 1, &steady(3.0))
        .split('A', 2, &steady(1.2))
        .split('B', 2, &dead)
        .trace_seconds('A', 1.0)
        .trace_seconds('B', 3.0)
}

#[test]
fn traces_show_where_time_went_and_what_a_fault_hit() {
    let rows = scorecard::scorecard(traced().tally());
    let network = row(&rows, "trace_network");
    assert!((value(network, 'A') - 0.001).abs() < 1e-9 && (value(network, 'B') - 0.003).abs() < 1e-9);
    let contrast = network.contrasts[&'B'];
    let more = contrast.difference.and_then(|difference| difference.interval).expect("twenty paired seconds");
    assert!(more.holds(0.002), "{more:?}");
    assert_eq!(contrast.finding, Some(Finding::Differs));
    assert_eq!(network.arms[&'A'].note, Some(Note::Nominal), "means of time are short");
    assert_ne!(row(&rows, "trace_work").contrasts[&'B'].finding, Some(Finding::Differs));
    assert!(
        rows.iter().all(|row| row.id != "trace_unanswered"),
        "no call went unanswered in the steady phase"
    );

    let culprit = row(&rows, "culprit_dead-photo");
    assert_eq!((value(culprit, 'A'), value(culprit, 'B')), (0.0, 1.0), "in A nothing is to be seen");
    assert_eq!(
        culprit.context.as_deref(),
        Some("A: nothing grew by a tenth; B: feed->photo unanswered +90.0ms")
    );
}

#[test]
fn lost_spans_make_no_finding() {
    let mut run = traced();
    let lost = Proc { arm: 'B', instance: "feed#0".into(), spans: [100, 90, 4, 6], ..Proc::default() };
    run.add(30 * SECOND, record::Entry::from(lost));
    let rows = scorecard::scorecard(run.tally());
    let network = row(&rows, "trace_network");
    assert_eq!((network.finding.as_str(), network.contrasts[&'B'].finding), (Note::SpansLost.words(), None));
}

#[test]
fn every_row_has_its_term_in_the_glossary() {
    let rows = scorecard().into_iter().chain(scorecard::scorecard(traced().tally()));
    for row in rows {
        let term = scorecard::glossary::term_of(&row.id);
        assert!(term.is_some(), "`{}` is not in the glossary", row.id);
    }
}

#[test]
fn the_answer_has_six_lines_at_most_and_shows_which_way_things_went() {
    let mut run = run();
    for row in scorecard::scorecard(run.tally()) {
        run.add(40 * SECOND, record::Entry::Score(Box::new(row)));
    }
    let lines = scorecard::answer::answer(run.tally());
    assert!((2..=6).contains(&lines.len()), "{lines:#?}");
    assert!(lines[0].starts_with("micro against one copy of mono: test"), "{lines:#?}");
    let of = |head: &str| lines.iter().find(|line| line.starts_with(head)).cloned().unwrap_or_default();
    assert!(of("it costs: ").contains("CPU/journey 4.0ms vs 2.0ms"), "{lines:#?}");
    assert!(!of("it buys: ").contains("CPU/journey"), "{lines:#?}");
    assert!(of("it changes nothing in: ").contains("lost 0 in both"), "{lines:#?}");
}

/// Photo dies at 27 s; in A nothing succeeds from then to the end of the load, eight seconds later.
#[test]
fn an_arm_that_does_not_recover_is_called_so_with_how_long_was_watched() {
    let mut run = Run::new().quiet(|_, _| 5_000);
    for second in 27..35 {
        for journey in ["home-feed", "view-profile"] {
            run.window('A', 1, second, journey, 20, 0, 5_000);
        }
    }
    let rows = scorecard::scorecard(run.tally());
    let row = rows.iter().find(|row| row.id == "recovery").expect("there is a fault");
    let shown = ['A', 'B'].map(|arm| scorecard::figure::figure(run.tally(), row, arm));
    assert_eq!(shown, ["never (8 s watched)", "0s"], "{row:?}");
}
