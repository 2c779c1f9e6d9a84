//! What charts draw.

use record::{Entry, Line, Verdict, Window};

use crate::fixture::run;

#[test]
fn a_second_without_responses_is_a_gap_in_every_line() {
    let mut run = run();
    let dead = Window {
        arm: 'A',
        round: 1,
        journey: "home-feed".into(),
        second: 12,
        offered: 20,
        closed: true,
        ..Window::default()
    };
    run.add(&Line { t: 0, entry: Entry::from(dead) });
    for q in [0.5, 0.99] {
        let series = run.latency_series('A', q);
        assert_eq!((series[11].is_some(), series[12], series[13].is_some()), (true, None, true), "{q}");
    }
    assert_eq!(run.good_series('A')[12], Some(0.0));
    assert_eq!((run.error_series('A')[12], run.dropped_series('A')[12]), (Some(100.0), Some(0.0)));
}

#[test]
fn what_is_sampled_from_outside_has_a_point_every_two_seconds() {
    let run = run();
    // One process of 30,000 KiB that uses a tenth of a core; an edge of B on which no call waits, and none in A.
    assert_eq!(run.memory_series('A').len(), 10);
    assert_eq!(run.memory_series('A')[3], Some(30_000.0 / 1024.0));
    assert!(
        run.cpu_series('A')[3].is_some_and(|cores| (cores - 0.1).abs() < 1e-9),
        "{:?}",
        run.cpu_series('A')
    );
    assert_eq!((run.queue_series('A')[3], run.queue_series('B')[3]), (None, Some(0.0)));
    assert!(run.staleness_series('A', 0.5).iter().all(Option::is_none), "no sample was taken");
}

#[test]
fn moments_are_before_the_fault_and_in_it() {
    let moments = run().moments();
    let reported: Vec<(&str, &str)> =
        moments.iter().map(|moment| (moment.name, moment.phase.as_str())).collect();
    assert_eq!(reported, [("baseline", "steady"), ("fault", "fault")], "the fault's phase is the last");
}

#[test]
fn a_record_without_its_end_is_invalid() {
    let mut cut = run();
    cut.end = None;
    assert_eq!(cut.verdict(), "invalid");
    assert!(report::page::page(&cut).contains("the run was cut short"));
    let whole = run();
    assert_eq!((whole.verdict(), whole.held()), ("fail", (1, 3)));
    assert_eq!(whole.checks()[0].verdict, Verdict::Fail, "the last word counts");
}
