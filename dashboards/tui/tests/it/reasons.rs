//! What a run that decides nothing shows, and figures that are words.

use tui::tab::Tab;

use crate::fixture::endings;
use crate::still::{after, drawn, text};

/// A text as one line, without frames: what is wrapped is whole again.
fn in_one_line(screen: &str) -> String {
    let words = screen.split(|c: char| c.is_whitespace() || c == '│').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Why a run decides nothing is below the tabs whichever is shown, and whole where the answer and the events are.
#[test]
fn an_invalid_run_has_its_reason_on_every_tab() {
    let mut state = after(endings::late_generator());
    let sentence = scorecard::reason::sentence(&state.run).expect("invalid");
    for (width, height) in [(120, 40), (80, 24)] {
        for tab in Tab::ALL {
            state.tab = tab;
            let screen = text(&drawn(&state, width, height));
            let begins = screen.lines().nth(2).unwrap_or_default();
            assert!(
                begins.starts_with(" invalid: micro: the generator was 9000 us late"),
                "{tab:?}:\n{screen}"
            );
            if matches!(tab, Tab::Score | Tab::Events) {
                let line = in_one_line(&screen);
                assert!(line.contains(&sentence), "{sentence}\n{screen}");
            }
        }
    }
    state.tab = Tab::Score;
    insta::assert_snapshot!("score_invalid_80x24", text(&drawn(&state, 80, 24)));
    state.tab = Tab::Events;
    insta::assert_snapshot!("events_invalid_120x40", text(&drawn(&state, 120, 40)));
    let passes = after(endings::first_look());
    assert!(text(&drawn(&passes, 80, 24)).lines().nth(2).is_some_and(|line| line.starts_with('╭')));
}

#[test]
fn an_arm_that_never_recovers_is_called_so() {
    let mut state = after(endings::retry_storm());
    state.tab = Tab::Score;
    let row = |screen: &str| screen.lines().find(|line| line.contains("recovery")).expect("a row").to_owned();
    for (width, height) in [(160, 50), (120, 40), (80, 30)] {
        let shown = row(&text(&drawn(&state, width, height)));
        assert!(shown.contains(" never (30 s watched) ") && shown.contains(" 2.00s "), "{shown}");
    }
}
