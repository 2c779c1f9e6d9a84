//! Journeys that do not need what a fault hits, and are slowed all the same; and what is waited for longest.

use record::{Entry, Note, Proc, Score, Verdict};

use crate::fixture::{Run, SECOND};

const MS: u64 = 1_000;

/// Photo dies at 27 s. Profiles, which do not need it, take 5 ms, and from then on in mono 50 ms for a third of them.
fn run() -> Run {
    let mut run = Run::new().quiet(|_, _| 5 * MS);
    for second in (27..35).filter(|second| second % 3 == 0) {
        run.window('A', 1, second, "view-profile", 20, 20, 50 * MS);
    }
    run
}

fn waits(run: &mut Run, arm: char, second: u64, waits: &[(&str, u64)]) {
    let proc = Proc {
        arm,
        instance: "app#0".into(),
        components: vec!["photo".into()],
        scraped: true,
        longest_waits: waits.iter().map(|(queue, us)| ((*queue).to_owned(), *us)).collect(),
        ..Proc::default()
    };
    run.add(second * SECOND, Entry::from(proc));
}

fn row(run: &Run, id: &str) -> Score {
    let rows = scorecard::scorecard(run.tally());
    rows.into_iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no row `{id}`"))
}

#[test]
fn who_waits_and_does_not_fail_is_hurt_as_well() {
    let run = run();
    assert_eq!(run.values("blast_radius(step dead-photo)"), [Some(0.0), Some(0.0)]);
    // Seconds 27, 30 and 33 of the eight from 27 to 34.
    assert_eq!(run.values("bystander_slower(step dead-photo)"), [Some(3.0 / 8.0), Some(0.0)]);
    let p99 = run.values("bystander_p99(step dead-photo)");
    assert!(p99[0].expect("160 arrivals") > 0.050 && p99[1].expect("160 arrivals") < 0.007, "{p99:?}");
    let slowed = row(&run, "bystander_slower_dead-photo");
    assert_eq!(slowed.arms[&'A'].note, Some(Note::ThisEvent));
    assert_eq!(slowed.arms[&'A'].n, 160);
}

#[test]
fn bystanders_that_fail_are_slower_than_any() {
    let mut run = run();
    for second in 27..35 {
        run.window('B', 1, second, "view-profile", 20, 15, 5 * MS);
    }
    assert_eq!(run.values("bystander_slower(step dead-photo)")[1], Some(0.25));
    let check = &run.checks("bystander_p99(step dead-photo) < 1s")[1];
    assert!(check.is_censored, "a quarter did not end: {check:?}");
}

#[test]
fn a_share_of_a_handful_of_bystanders_decides_nothing() {
    // So many profiles a second in the eight seconds from the step on; none is hurt.
    let of = |profiles: u64| {
        let mut run = Run::new().quiet(|_, _| 5 * MS);
        for (arm, second) in (27..35).flat_map(|second| [('A', second), ('B', second)]) {
            run.window(arm, 1, second, "view-profile", profiles, profiles, 5 * MS);
        }
        run
    };
    let (few, enough) = (of(6), of(7));
    let check = few.checks("blast_radius(step dead-photo) <= 1%")[0].clone();
    assert_eq!((check.verdict, check.value, check.n), (Verdict::Inconclusive, Some(0.0), 48));
    assert_eq!(check.reason, "48 samples; it takes 50");
    for claim in [
        "blast_radius(step dead-photo) <= 1%",
        "bystander_slower(step dead-photo) <= 1%",
        "blast_radius(step dead-photo) for micro <= blast_radius(step dead-photo) for mono",
    ] {
        assert_eq!(few.checks(claim)[0].verdict, Verdict::Inconclusive, "{claim}");
        assert_eq!(enough.checks(claim)[0].verdict, Verdict::Pass, "{claim}");
    }
    // A p99 of 160 is the second longest of them.
    let tail = &of(20).checks("bystander_p99(step dead-photo) < 1s")[0];
    assert_eq!(tail.verdict, Verdict::Inconclusive, "{tail:?}");
}

#[test]
fn a_phase_with_a_fault_has_latencies_of_its_own() {
    let run = run();
    let rows = scorecard::scorecard(run.tally());
    let windows = |id: &str| {
        let its = rows.iter().filter(|row| row.id == id);
        its.map(|row| row.window.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(windows("latency_p50"), ["steady"]);
    assert_eq!(windows("latency_p50_crash"), ["crash"]);
    assert_eq!(row(&run, "latency_p50_crash").arms[&'A'].note, Some(Note::ThisEvent));
    assert!(windows("latency_p50_warm").is_empty(), "not measured");
}

#[test]
fn the_longest_wait_has_the_name_of_what_was_waited_for() {
    let mut run = run();
    for arm in ['A', 'B'] {
        waits(&mut run, arm, 10, &[("photo tx", 3_000), ("feed readers", 2_000)]);
        waits(&mut run, arm, 30, &[("photo tx", if arm == 'A' { 974_000 } else { 200 })]);
    }
    assert_eq!(run.values("longest_wait in steady"), [Some(0.003), Some(0.003)]);
    assert_eq!(run.values("writer_wait in crash"), [Some(0.974), Some(0.0002)]);
    let usual = row(&run, "longest_wait");
    assert_eq!(
        usual.context.as_deref(),
        Some("A: photo's writer in app#0 3.0ms; B: photo's writer in app#0 3.0ms")
    );
    let under_fault = row(&run, "longest_wait_dead-photo");
    assert!(under_fault.context.expect("words").starts_with("A: photo's writer in app#0 974"));
    assert_eq!(under_fault.arms[&'A'].value, Some(0.974));
}

#[test]
fn over_rounds_row_and_claim_are_of_the_mean_and_the_words_of_the_longest() {
    let mut run = Run::of_rounds(6).quiet(|_, _| 5 * MS);
    for round in 0..6 {
        let us = if round == 3 { 200_000 } else { 10_000 };
        waits(&mut run, 'A', round * 100 + 10, &[("photo tx", us)]);
        waits(&mut run, 'A', round * 100 + 30, &[("photo tx", 5_000)]);
    }
    // 250 ms in six rounds; after the step, of the crash's seconds alone.
    let claimed = run.checks("longest_wait in steady for mono <= 1s")[0].clone();
    let row_of = |id: &str| row(&run, id).arms[&'A'];
    let usual = row_of("longest_wait");
    assert_eq!((usual.value, usual.interval), (claimed.value, claimed.interval));
    assert!(usual.value.is_some_and(|seconds| (seconds - 0.25 / 6.0).abs() < 1e-9), "{usual:?}");
    assert!(usual.interval.is_some() && usual.note.is_none());
    assert_eq!(row_of("longest_wait_dead-photo").value, Some(0.005));
    assert_eq!(row(&run, "longest_wait").context.as_deref(), Some("A: photo's writer in app#0 200.0ms"));
}

#[test]
fn a_process_that_was_not_asked_has_no_waits() {
    let run = run();
    assert_eq!(run.values("longest_wait in steady"), [None, None]);
    assert!(scorecard::scorecard(run.tally()).iter().all(|row| !row.id.starts_with("longest_wait")));
}
