//! A search for capacity: its row, and what each rate showed.

use record::Entry;
use scorecard::figure::figure;
use scorecard::ladder::{RungStanding, ladders};

use crate::fixture::{Run, SECOND};

const MS: u64 = 1_000;

/// 40 a second, then 800, of which A answers half.
fn search(text: &str) -> Run {
    let mut run = Run::new().quiet(|_, second| 5 * MS + u64::from(second % 5)).claiming(text);
    for second in 25..35 {
        run.window('A', 1, second, "home-feed", 780, 400, 5 * MS);
        run.window('B', 1, second, "home-feed", 780, 780, 5 * MS);
    }
    for row in scorecard::scorecard(run.tally()) {
        run.add(40 * SECOND, Entry::Score(Box::new(row)));
    }
    run
}

#[test]
fn capacity_comes_first_where_it_was_asked_for() {
    let run = search("capacity(all 100ms) for micro >= capacity(all 100ms) for mono");
    let scores = run.tally().scores();
    assert_eq!((scores[0].id.as_str(), scores[0].claim.as_str()), ("capacity", "scalability"));
    assert_eq!(scores[0].measure, "capacity at p99 < 100 ms");
    assert_eq!(scores[0].finding, "differs", "they are apart: {:?}", scores[0]);
    let shown = ['A', 'B'].map(|arm| figure(run.tally(), scores[0], arm));
    assert_eq!(shown, ["40.0/s to 800/s", "at least 800/s (highest rate tried)"]);
    assert_eq!(scores[0].notes.len(), 1, "where the search ended: {:?}", scores[0].notes);
    assert!(
        scores[0].notes[0].starts_with("B: no rate up to 800/s, the highest tried, failed"),
        "{:?}",
        scores[0].notes
    );
    let answer = scorecard::answer::answer(run.tally());
    let expected = "it buys: capacity at least 800/s (highest rate tried) for 40.0/s to 800/s";
    assert!(answer[1].starts_with(expected), "{answer:#?}");
}

#[test]
fn without_a_claim_about_it_there_is_no_capacity() {
    let run = search("errors(all) < 60%");
    assert!(run.tally().scores().iter().all(|score| !score.id.starts_with("capacity")));
    assert_eq!(ladders(run.tally()), []);
}

#[test]
fn each_rate_of_the_search_is_a_line_with_what_it_showed() {
    let run = search("capacity(all 100ms) >= 1/s");
    let [ladder] = &ladders(run.tally())[..] else { panic!("one limit") };
    let rates: Vec<(&str, f64)> = ladder.rungs.iter().map(|rung| (rung.phase.as_str(), rung.rate)).collect();
    assert_eq!(rates, [("steady", 40.0), ("crash", 800.0)], "the warm-up is not measured");
    let of = |rung: usize, arm: char| &ladder.rungs[rung].arms[&arm];
    assert_eq!((of(0, 'A').standing, of(1, 'A').standing), (RungStanding::Held, RungStanding::Failed));
    assert_eq!(of(1, 'B').standing, RungStanding::Held);
    // 380 of 800 did not end.
    let late = of(1, 'A').late.value.expect("eight thousand arrivals");
    assert!((late - 0.475).abs() < 1e-9 && of(1, 'A').p99.is_censored, "{late}");
}
