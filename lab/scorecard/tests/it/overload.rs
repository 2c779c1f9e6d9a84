//! More load than the arms can do: by mistake, and on purpose.

use scorecard::Circumstances;

use crate::fixture::Run;
use crate::lint_records::{MS, with_header, with_seconds};

/// A run of more load than its arms can do: most journeys fail, those that are answered waited for slots, some find no place
/// in the queue, and some are left behind; the generator hands each arrival over so late.
fn with_overload(late_us: u64) -> Run {
    let overload = |run, arm| {
        with_seconds(run, arm, |window| {
            (window.sent, window.ok, window.good) = (10, 4, 4);
            (window.dropped, window.abandoned) = (5, 5);
            window.errors = [("timeout".to_owned(), 6)].into();
            window.slot_wait = std::iter::repeat_n(5 * MS, 10).collect();
            window.pace_lag = std::iter::repeat_n(late_us, 20).collect();
        })
    };
    let run = ['A', 'B'].into_iter().fold(Run::new(), overload);
    with_header(run, |header| {
        header.steps.clear();
        header.slots = (100, 200);
        header.planned_measured = vec![600];
    })
}

#[test]
fn what_fails_in_an_overload_on_purpose_is_a_result_and_a_late_generator_is_not() {
    let lints = |run: &Run| run.lints(&Circumstances::default());
    let by_mistake = ["mostly_errors", "failures_without_cause", "queue_cap", "pace", "generator_slots"];
    let found = lints(&with_overload(100));
    assert!(by_mistake.iter().all(|name| found.contains(&(*name).to_owned())), "{found:?}");
    let on_purpose = |late_us| {
        with_header(with_overload(late_us), |header| {
            header.overloaded = vec!["steady".into(), "crash".into()]
        })
    };
    let found = lints(&on_purpose(100));
    assert!(by_mistake.iter().all(|name| !found.contains(&(*name).to_owned())), "{found:?}");
    assert!(lints(&on_purpose(900)).contains(&"generator_lag".to_owned()));
    // What comes after it is watched as ever, but for failures, which may be a relapse.
    let partly = with_header(with_overload(100), |header| header.overloaded = vec!["steady".into()]);
    let found = lints(&partly);
    for name in ["mostly_errors", "queue_cap", "pace", "generator_slots"] {
        assert!(found.contains(&name.to_owned()), "{name}: {found:?}");
    }
    assert!(!found.contains(&"failures_without_cause".to_owned()), "{found:?}");
}

#[test]
fn goodput_while_an_overload_lasts_is_a_row_of_one_event() {
    let run = with_header(with_overload(100), |header| header.overloaded = vec!["crash".into()]);
    let rows = scorecard::scorecard(run.tally());
    let row = rows.iter().find(|row| row.id == "goodput_crash").expect("a row");
    assert_eq!(row.measure, "goodput while crash lasts");
    assert_eq!(row.arms[&'A'].note, Some(record::Note::ThisEvent));
    let steady = rows.iter().filter(|row| row.id.starts_with("goodput")).count();
    assert_eq!(steady, 2, "the steady phase has its own");
}
