//! The answer names as cost or gain only what the run shows.

use record::Entry;

use crate::fixture::{JOURNEYS, Run, SECOND};
use crate::lint_records::{MS, with_header};

/// With its scorecard.
fn judged(mut run: Run) -> Run {
    for row in scorecard::scorecard(run.tally()) {
        run.add(40 * SECOND, Entry::Score(Box::new(row)));
    }
    run
}

/// The answer by the scorecard of the run itself.
fn answer(run: Run) -> Vec<String> {
    scorecard::answer::answer(judged(run).tally())
}

fn line<'a>(lines: &'a [String], head: &str) -> &'a str {
    lines.iter().find(|line| line.starts_with(head)).map_or("", String::as_str)
}

/// In each of two rounds B holds twice the memory of A.
fn two_rounds(way: &str) -> Run {
    let mut run = with_header(Run::of_rounds(2).quiet(|_, _| 5 * MS), |header| header.way = way.into());
    for at_ms in [10_000, 110_000] {
        run.memory('A', "app#0", at_ms, 30_000);
        run.memory('B', "app#0", at_ms, 60_000);
    }
    run
}

#[test]
fn arms_that_took_turns_once_or_twice_cost_and_buy_what_is_exact() {
    let (turns, side_by_side) = (answer(two_rounds("interleaved")), answer(two_rounds("side by side")));
    assert!(line(&side_by_side, "it costs: ").contains("memory 58.6MiB vs 29.3MiB"), "{side_by_side:#?}");
    assert!(!line(&turns, "it costs: ").contains("memory"), "{turns:#?}");
    let short = scorecard::answer::in_short(judged(two_rounds("interleaved")).tally(), 99, &|_| 1);
    assert!(line(&short, "undecided: ").contains("memory"), "{short:#?}");
    assert!(line(&turns, "it costs: ").contains("processes 4 vs 1"), "{turns:#?}");
}

#[test]
fn a_recovery_that_did_not_happen_in_one_round_is_not_the_shorter_one() {
    let mut run = Run::of_rounds(2).quiet(|_, _| 5 * MS);
    // Photo dies at 27 s of 35. A is back after five seconds in both rounds; B at once in the second, in the first never.
    let bad = [('A', 1, 27..32), ('A', 2, 27..32), ('B', 1, 27..35)];
    for (arm, round, seconds) in bad {
        for second in seconds {
            for (journey, ..) in JOURNEYS {
                run.window(arm, round, second, journey, 20, 0, 5 * MS);
            }
        }
    }
    let rows = scorecard::scorecard(run.tally());
    let recovery = rows.iter().find(|row| row.id == "recovery").expect("there is a fault");
    let known = |arm| (recovery.arms[&arm].value, recovery.arms[&arm].is_censored);
    assert_eq!((known('A'), known('B')), ((Some(5.0), false), (Some(4.0), true)));
    let lines = answer(run);
    assert!(!line(&lines, "it buys: ").contains("recovery"), "{lines:#?}");
    assert!(
        line(&lines, "not decided by this run: ").contains("recovery (not all samples ended"),
        "{lines:#?}"
    );
}
