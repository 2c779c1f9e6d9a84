//! What keys do to the moment shown and to the run.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyModifiers};
use record::Line;
use tui::Quit;
use tui::model::{Cmd, Model, Msg, update};

use crate::fixture::{self, LOAD_START, SECOND};

fn after(lines: Vec<Line>) -> Model {
    let mut model = Model::default();
    take(&mut model, lines);
    model
}

fn take(model: &mut Model, lines: Vec<Line>) -> Vec<Cmd> {
    update(model, Msg::Lines(lines.into_iter().map(Arc::new).collect()))
}

fn press(model: &mut Model, key: KeyCode) -> Vec<Cmd> {
    update(model, Msg::Key(key, KeyModifiers::NONE))
}

#[test]
fn a_paused_view_stays_while_the_run_goes_on() {
    let mut model = after(fixture::until(30));
    let live = model.at();
    assert_eq!(press(&mut model, KeyCode::Char(' ')), [Cmd::Draw]);
    take(&mut model, fixture::until(40));
    assert_eq!(model.at(), live);
    press(&mut model, KeyCode::Char(' '));
    assert!(model.at() > live, "space again shows now");
}

#[test]
fn a_step_is_a_second_and_stays_inside_the_run() {
    let mut model = after(fixture::until(30));
    let now = model.at();
    press(&mut model, KeyCode::Left);
    assert_eq!(model.at(), now - SECOND);
    press(&mut model, KeyCode::Right);
    assert_eq!(model.at(), now, "one back and one on is nothing");
    press(&mut model, KeyCode::Right);
    assert_eq!(model.at(), now, "nobody sees the future");
    for _ in 0..100 {
        update(&mut model, Msg::Key(KeyCode::Left, KeyModifiers::SHIFT));
    }
    assert_eq!(model.at(), LOAD_START, "nor anything before the load");
    press(&mut model, KeyCode::Char('g'));
    assert_eq!((model.at(), model.cursor), (now, None));
}

#[test]
fn stepping_before_the_first_line_harms_nothing() {
    let mut model = Model::default();
    for key in [KeyCode::Left, KeyCode::Right, KeyCode::Char(' '), KeyCode::Char('c'), KeyCode::Char('g')] {
        press(&mut model, key);
    }
    assert_eq!(model.at(), 0);
}

#[test]
fn leaving_is_said_before_it_is_done() {
    let mut model = after(fixture::until(5));
    assert_eq!(press(&mut model, KeyCode::Char('q')), [Cmd::Tell(Quit::Asked), Cmd::Leave]);
    let mut interrupt = || update(&mut model, Msg::Key(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert_eq!(interrupt(), [Cmd::Tell(Quit::Interrupt), Cmd::Draw], "the screen shows how the run ends");
    assert_eq!(interrupt(), [Cmd::Tell(Quit::AtOnce), Cmd::Leave]);
}

#[test]
fn nothing_new_draws_nothing() {
    let mut model = after(fixture::until(5));
    assert_eq!(update(&mut model, Msg::Lines(Vec::new())), []);
    assert_eq!(press(&mut model, KeyCode::Char('~')), []);
}
