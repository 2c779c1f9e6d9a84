//! A search for capacity: its row, and what each rate showed.

use record::{Entry, Latencies, Phase, PhasePlan, Window};
use scorecard::figure::figure;
use scorecard::ladder::{RungStanding, ladders};
use scorecard::search::{SearchDecision, Stop, next};

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
    let expected = "it buys: capacity at least 800/s (highest rate tried) vs 40.0/s to 800/s";
    assert!(answer[1].starts_with(expected), "{answer:#?}");
}

#[test]
fn a_capacity_of_which_no_rate_is_known_is_not_decided() {
    let mut run =
        Run::new().quiet(|_, second| 5 * MS + u64::from(second % 5)).claiming("capacity(all 100ms) >= 1/s");
    for second in 5..35 {
        // B fails one in a hundred at both rates, as many as may be: 8 of 800, and 8 of each 800.
        let failed = if second >= 25 { 8 } else { u64::from(second % 5 < 2) };
        let offered = if second >= 25 { 780 } else { 20 };
        run.window('A', 1, second, "home-feed", offered, if second >= 25 { 400 } else { 20 }, 5 * MS);
        run.window('B', 1, second, "home-feed", offered, offered - failed, 5 * MS);
    }
    let row = capacity(&run);
    let shown = ['A', 'B'].map(|arm| figure(run.tally(), &row, arm));
    assert_eq!(shown, ["40.0/s to 800/s", "not decided (highest rate tried: 800/s)"]);
    let verdict = run.checks("capacity(all 100ms) for micro >= 1/s")[0].verdict;
    assert_eq!(verdict, record::Verdict::Inconclusive);
}

#[test]
fn a_difference_from_what_has_no_upper_end_has_no_lower_one() {
    let text = "capacity(all 100ms) for mono >= 0.9 * capacity(all 100ms) for micro";
    let check = &search(text).checks(text)[0];
    // 800 less nine tenths of at least 800.
    let reason = "the difference's interval up to 80.0/s holds 0; the other side is at least 720/s";
    assert_eq!((check.verdict, check.reason.as_str()), (record::Verdict::Inconclusive, reason));
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

/// 40 a second in the declared phases, carried by both; then 800 in a further one, of which A answers half. The generator was
/// so late there.
fn further(lag_us: u64) -> Run {
    let mut run =
        Run::new().quiet(|_, second| 5 * MS + u64::from(second % 5)).claiming("capacity(all 100ms) >= 1/s");
    let plan = |number: u64| PhasePlan {
        name: format!("further-{number}"),
        start_ns: (30 + 8 * number) * SECOND,
        length_ns: 8 * SECOND,
        measure: true,
    };
    run.header().further = vec![plan(1), plan(2)];
    run.add(
        38 * SECOND,
        Entry::Phase(Phase { index: 3, name: "further-1".into(), round: 1, arms: "AB".into() }),
    );
    for (second, arm) in (38..46).flat_map(|second| [(second, 'A'), (second, 'B')]) {
        let ok = if arm == 'A' { 400 } else { 800 };
        let window = Window {
            arm,
            round: 1,
            journey: "home-feed".into(),
            second,
            offered: 800,
            sent: 800,
            ok,
            good: ok,
            errors: [("timeout".to_owned(), 800 - ok)].into(),
            intended: (0..ok).map(|n| 5 * MS + n).collect::<Latencies>(),
            pace_lag: (0..800).map(|_| lag_us).collect::<Latencies>(),
            closed: true,
            ..Window::default()
        };
        run.add(u64::from(second + 1) * SECOND, Entry::from(window));
    }
    run
}

fn capacity(run: &Run) -> record::Score {
    scorecard::scorecard(run.tally()).into_iter().find(|row| row.id == "capacity").expect("it was asked for")
}

#[test]
fn a_further_rate_is_a_rung_like_the_others_and_of_no_other_row() {
    let run = further(100);
    let [ladder] = &ladders(run.tally())[..] else { panic!("one limit") };
    let last = ladder.rungs.last().expect("rates");
    assert_eq!((last.phase.as_str(), last.rate), ("further-1", 800.0), "and none that was not offered");
    assert_eq!(
        (last.arms[&'A'].standing, last.arms[&'B'].standing),
        (RungStanding::Failed, RungStanding::Held)
    );
    assert_eq!(last.arms[&'A'].goodput.value, Some(400.0));
    let row = capacity(&run);
    let shown = ['A', 'B'].map(|arm| figure(run.tally(), &row, arm));
    assert_eq!(shown, ["40.0/s to 800/s", "at least 800/s (highest rate tried)"]);
    assert!(row.notes[0].contains("declare higher rates, or more `further_rates`"), "{:?}", row.notes);
    let errors = |run: &Run| {
        let row =
            scorecard::scorecard(run.tally()).into_iter().find(|row| row.id == "goodput").expect("a row");
        row.arms
    };
    let mut declared = Run::new().quiet(|_, second| 5 * MS + u64::from(second % 5));
    declared = declared.claiming("capacity(all 100ms) >= 1/s");
    assert_eq!(errors(&run), errors(&declared), "goodput is that of the declared rates");
}

#[test]
fn what_the_generator_sent_late_shows_nothing_of_an_arm() {
    let run = further(20 * MS);
    let [ladder] = &ladders(run.tally())[..] else { panic!("one limit") };
    assert!(ladder.rungs.iter().all(|rung| rung.phase != "further-1"), "a tenth of the limit is 10 ms");
    assert!(capacity(&run).notes[0].contains("the load generator was late"), "{:?}", capacity(&run).notes);
}

#[test]
fn a_search_goes_on_for_the_arm_that_has_failed_no_rate() {
    let run = further(100);
    assert_eq!(next(run.tally(), &['A', 'B'], 0), SearchDecision::Offer, "both carry what is declared");
    assert_eq!(next(run.tally(), &['A', 'B'], 1), SearchDecision::Offer, "B carries 800 as well");
    assert_eq!(next(run.tally(), &['A'], 1), SearchDecision::Stop(Stop::Found));
    assert_eq!(next(run.tally(), &['A', 'B'], 2), SearchDecision::Stop(Stop::Exhausted), "there is no third");
    let late = further(20 * MS);
    assert_eq!(next(late.tally(), &['A', 'B'], 1), SearchDecision::Stop(Stop::Late));
    assert_eq!(next(late.tally(), &['A'], 1), SearchDecision::Stop(Stop::Found), "it failed all the same");
}
