//! More than two arms, and another base arm than the first.

use record::{Entry, Finding, Phase, Score};

use crate::fixture::{Run, SECOND};

const MS: u64 = 1_000;

/// A third arm that takes half as long again, and five databases for one.
fn three_arms() -> Run {
    let mut run = Run::new().quiet(|_, second| (5 + u64::from(second % 3)) * MS);
    let third =
        record::Arm { letter: 'C', name: "third".into(), databases: 5, ..run.header().arms[1].clone() };
    run.header().arms[1].databases = 1;
    run.header().arms.push(third);
    for (index, phase) in run.tally().header.phases.clone().iter().enumerate() {
        let index = u32::try_from(index).expect("three phases");
        let begins = Phase { index, name: phase.name.clone(), round: 1, arms: "C".into() };
        run.add(phase.start_ns, Entry::Phase(begins));
    }
    for second in 0..35 {
        for journey in ["home-feed", "view-profile"] {
            run.window('C', 1, second, journey, 20, 20, (5 + u64::from(second % 3)) * MS * 3 / 2);
        }
    }
    let ms = |ms: u64| ms * SECOND / 1_000;
    run.parts('A', 1, &[("business", ms(40)), ("database", ms(40))])
        .parts('B', 1, &[("business", ms(40)), ("database", ms(40))])
        .parts('C', 4, &[("business", ms(40)), ("database", ms(44)), ("transport", ms(76))])
}

fn row(run: &Run, id: &str) -> Score {
    let rows = scorecard::scorecard(run.tally());
    rows.into_iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no row `{id}`"))
}

/// With its scorecard.
fn judged(mut run: Run) -> Run {
    for row in scorecard::scorecard(run.tally()) {
        run.add(40 * SECOND, Entry::Score(Box::new(row)));
    }
    run
}

#[test]
fn each_arm_stands_against_the_first_in_every_row() {
    let run = three_arms();
    let databases = row(&run, "databases");
    let ratio = |arm| databases.contrasts[&arm].ratio.and_then(|ratio| ratio.value);
    assert_eq!((ratio('B'), ratio('C')), (Some(1.0), Some(5.0)));
    let p50 = row(&run, "latency_p50");
    assert_ne!(p50.contrasts[&'B'].finding, Some(Finding::Differs), "the same latencies");
    assert_eq!(p50.contrasts[&'C'].finding, Some(Finding::Differs), "half as long again: {p50:?}");
    let interval = p50.contrasts[&'C'].ratio.and_then(|ratio| ratio.interval).expect("twenty seconds");
    assert!(interval.holds(1.5), "{interval:?}");
}

#[test]
fn another_arm_may_be_the_one_that_the_others_are_compared_with() {
    let mut run = three_arms();
    let first = row(&run, "latency_p50").contrasts[&'C'].ratio.and_then(|ratio| ratio.value);
    run.header().base = Some('C');
    let p50 = row(&run, "latency_p50");
    assert_eq!(p50.contrasts.keys().collect::<String>(), "AB");
    let other = p50.contrasts[&'A'].ratio.and_then(|ratio| ratio.value);
    let product = first.zip(other).map(|(one, other)| one * other).expect("ratios");
    assert!((product - 1.0).abs() < 1e-9, "the inverse: {product}");
    let run = judged(run);
    let lines = scorecard::answer::answer(run.tally());
    assert!(lines[0].starts_with("mono and micro against third: test"), "{lines:#?}");
}

#[test]
fn the_answer_has_a_line_for_each_arm_with_what_it_costs_and_buys() {
    let run = judged(three_arms());
    let lines = scorecard::answer::answer(run.tally());
    assert!(lines[0].starts_with("micro and third against mono: test"), "{lines:#?}");
    let third = lines.iter().find(|line| line.starts_with("C third it costs: ")).expect("a line of its own");
    assert!(third.contains("p50 ") && third.contains("databases 5 vs 1"), "{third}");
    assert!(lines.iter().all(|line| !line.starts_with("B micro it costs: databases")), "{lines:#?}");
}

#[test]
fn in_short_the_answer_takes_the_rows_it_may() {
    let run = judged(three_arms());
    let rows = |line: &str| line.chars().count().div_ceil(80);
    for most in 3..8 {
        let lines = scorecard::answer::in_short(run.tally(), most, &rows);
        let height: usize = lines.iter().map(|line| rows(line)).sum();
        assert!(height <= most, "{height} rows of {most}: {lines:#?}");
    }
    let all = scorecard::answer::in_short(run.tally(), 99, &rows);
    assert!(all.iter().any(|line| line.starts_with("C third costs: p50 ×1.5")), "{all:#?}");
}

#[test]
fn the_headlines_are_the_weightiest_rows_of_each_claim() {
    let run = judged(three_arms());
    let groups = scorecard::headlines::headlines(run.tally());
    let ids: Vec<&str> = groups.iter().flat_map(|(_, rows)| rows).map(|row| row.score.id.as_str()).collect();
    for id in ["latency_p50", "cpu_per_journey", "databases", "blast_radius_dead-photo"] {
        assert!(ids.contains(&id), "no `{id}` in {ids:?}");
    }
    for id in ["latency_p90", "cpu_business", "latency_p50_crash", "ports"] {
        assert!(!ids.contains(&id), "`{id}` is folded away: {ids:?}");
    }
}
