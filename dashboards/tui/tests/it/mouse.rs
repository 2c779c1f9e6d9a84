//! Clicks land on what is drawn under them; the wheel moves.

use crossterm::event::{KeyCode, KeyModifiers};
use tui::state::{Metric, Overlay, Panel, State};
use tui::tab::Tab;
use tui::update::{Cmd, Msg, update};

use crate::fixture::{self, LOAD_START, SECOND};
use crate::still::{after, drawn, text};

/// Where a text begins on the screen.
fn find(state: &State, query: &str) -> (u16, u16) {
    let screen = text(&drawn(state, state.size.0, state.size.1));
    for (y, line) in screen.lines().enumerate() {
        if let Some(at) = line.find(query) {
            return (line[..at].chars().count() as u16, y as u16);
        }
    }
    panic!("`{query}` is not on the screen:\n{screen}");
}

fn click(state: &mut State, query: &str) -> Vec<Cmd> {
    let (x, y) = find(state, query);
    update(state, Msg::Click(x, y))
}

#[test]
fn a_click_on_a_tab_or_a_hint_is_its_key() {
    let mut state = after(fixture::until(43));
    click(&mut state, "5 Procs");
    assert_eq!(state.tab, Tab::Procs);
    click(&mut state, "1 Live");
    click(&mut state, "metric");
    assert_eq!((state.tab, state.live.metric), (Tab::Live, Metric::Goodput));
    click(&mut state, "? help");
    assert_eq!(state.overlay, Overlay::Help);
    update(&mut state, Msg::Click(0, 0));
    assert_eq!(state.overlay, Overlay::Nothing, "a click beside it closes it");
}

#[test]
fn a_click_on_a_chart_goes_to_that_moment() {
    let mut state = after(fixture::until(43));
    // 53 columns behind frame and gutter for 60 s: the middle of column 20 is at 20.5 / 53 of it.
    update(&mut state, Msg::Click(6 + 20, 6));
    let seconds = state.cursor.map(|t| (t - LOAD_START) as f64 / SECOND as f64);
    assert!(seconds.is_some_and(|s| (22.0..24.5).contains(&s)), "{seconds:?}");
    assert_eq!(state.tab, Tab::Live);
    let now = after(fixture::until(43)).at();
    update(&mut state, Msg::Click(6 + 52, 6));
    assert_eq!(state.cursor, Some(now), "the future is not shown");
}

#[test]
fn a_click_chooses_a_row_and_a_second_opens_it() {
    let mut state = after(fixture::until(43));
    state.tab = Tab::Events;
    click(&mut state, "photo kill");
    assert_eq!((state.events.selected, state.cursor), (Some(2), None));
    click(&mut state, "photo kill");
    let at = state.cursor.map(|t| t - LOAD_START);
    assert_eq!(at, Some(37_002_000_000), "it goes to where it happened");
}

#[test]
fn a_click_focuses_a_panel() {
    let mut state = after(fixture::until(43));
    click(&mut state, "scorecard, this");
    assert_eq!(state.live.focus, Some(Panel::Score));
    let Some(Cmd::Copy(text)) =
        update(&mut state, Msg::Key(KeyCode::Char('y'), KeyModifiers::NONE)).into_iter().next()
    else {
        panic!("y copies")
    };
    assert!(text.contains("CPU/journey") && !text.contains("timeline"), "{text}");
}

#[test]
fn the_wheel_moves_the_choice() {
    let mut state = after(fixture::until(43));
    state.tab = Tab::Procs;
    update(&mut state, Msg::Wheel(true));
    assert_eq!(state.procs.selected, Some(3));
    update(&mut state, Msg::Wheel(false));
    update(&mut state, Msg::Wheel(false));
    assert_eq!(state.procs.selected, Some(0));
    state.tab = Tab::Live;
    assert_eq!(update(&mut state, Msg::Wheel(true)), [], "nothing scrolls there");
}

#[test]
fn no_click_anywhere_panics() {
    let mut state = after(fixture::lines());
    for tab in Tab::ALL {
        for (width, height) in [(120, 40), (80, 24), (40, 12), (40, 6), (12, 3)] {
            for at in 0..20 {
                // A click before may have gone anywhere.
                (state.tab, state.size, state.overlay, state.cursor) =
                    (tab, (width, height), Overlay::Nothing, None);
                update(&mut state, Msg::Click(at * 17 % (width + 2), at * 7 % (height + 2)));
            }
        }
    }
}
