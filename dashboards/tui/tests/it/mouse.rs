//! Clicks land on what is drawn under them; the wheel moves.

use crossterm::event::{KeyCode, KeyModifiers};
use tui::model::{Metric, Model, Over, Panel};
use tui::tab::Tab;
use tui::update::{Cmd, Msg, update};

use crate::fixture::{self, LOAD_START, SECOND};
use crate::still::{after, drawn, text};

/// Where a text begins on the screen.
fn find(model: &Model, sought: &str) -> (u16, u16) {
    let screen = text(&drawn(model, model.size.0, model.size.1));
    for (y, line) in screen.lines().enumerate() {
        if let Some(at) = line.find(sought) {
            return (line[..at].chars().count() as u16, y as u16);
        }
    }
    panic!("`{sought}` is not on the screen:\n{screen}");
}

fn click(model: &mut Model, sought: &str) -> Vec<Cmd> {
    let (x, y) = find(model, sought);
    update(model, Msg::Click(x, y))
}

#[test]
fn a_click_on_a_tab_or_a_hint_is_its_key() {
    let mut model = after(fixture::until(43));
    click(&mut model, "5 Procs");
    assert_eq!(model.tab, Tab::Procs);
    click(&mut model, "1 Live");
    click(&mut model, "metric");
    assert_eq!((model.tab, model.live.metric), (Tab::Live, Metric::Goodput));
    click(&mut model, "? help");
    assert_eq!(model.over, Over::Help);
    update(&mut model, Msg::Click(0, 0));
    assert_eq!(model.over, Over::Nothing, "a click beside it closes it");
}

#[test]
fn a_click_on_a_chart_goes_to_that_moment() {
    let mut model = after(fixture::until(43));
    // 53 columns behind frame and gutter for 60 s: the middle of column 20 is at 20.5 / 53 of it.
    update(&mut model, Msg::Click(6 + 20, 6));
    let seconds = model.cursor.map(|t| (t - LOAD_START) as f64 / SECOND as f64);
    assert!(seconds.is_some_and(|s| (22.0..24.5).contains(&s)), "{seconds:?}");
    assert_eq!(model.tab, Tab::Live);
    let now = after(fixture::until(43)).at();
    update(&mut model, Msg::Click(6 + 52, 6));
    assert_eq!(model.cursor, Some(now), "nobody sees the future");
}

#[test]
fn a_click_chooses_a_row_and_a_second_opens_it() {
    let mut model = after(fixture::until(43));
    model.tab = Tab::Events;
    click(&mut model, "photo kill");
    assert_eq!((model.events.selected, model.cursor), (Some(2), None));
    click(&mut model, "photo kill");
    let at = model.cursor.map(|t| t - LOAD_START);
    assert_eq!(at, Some(37_002_000_000), "it goes to where it happened");
}

#[test]
fn a_click_focuses_a_panel() {
    let mut model = after(fixture::until(43));
    click(&mut model, "scorecard, this");
    assert_eq!(model.live.focus, Some(Panel::Score));
    let Some(Cmd::Copy(text)) =
        update(&mut model, Msg::Key(KeyCode::Char('y'), KeyModifiers::NONE)).into_iter().next()
    else {
        panic!("y copies")
    };
    assert!(text.contains("CPU/journey") && !text.contains("timeline"), "{text}");
}

#[test]
fn the_wheel_moves_the_choice() {
    let mut model = after(fixture::until(43));
    model.tab = Tab::Procs;
    update(&mut model, Msg::Wheel(true));
    assert_eq!(model.procs.selected, Some(3));
    update(&mut model, Msg::Wheel(false));
    update(&mut model, Msg::Wheel(false));
    assert_eq!(model.procs.selected, Some(0));
    model.tab = Tab::Live;
    assert_eq!(update(&mut model, Msg::Wheel(true)), [], "nothing scrolls there");
}

#[test]
fn no_click_anywhere_panics() {
    let mut model = after(fixture::lines());
    for tab in Tab::ALL {
        for (width, height) in [(120, 40), (80, 24), (40, 12), (40, 6), (12, 3)] {
            for at in 0..20 {
                // A click before may have gone anywhere.
                (model.tab, model.size, model.over, model.cursor) =
                    (tab, (width, height), Over::Nothing, None);
                update(&mut model, Msg::Click(at * 17 % (width + 2), at * 7 % (height + 2)));
            }
        }
    }
}
