//! What keys do to the moment shown, to the tabs and to the run.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyModifiers};
use record::Line;
use tui::keymap::{self, KEYS};
use tui::model::{Metric, Model, Over, Panel, Percentiles, Solo, Zoom};
use tui::tab::Tab;
use tui::update::{Cmd, Msg, update};
use tui::{Ask, Quit};

use crate::fixture::{self, LOAD_START, SECOND};
use crate::still::{after, drawn, text};

fn take(model: &mut Model, lines: Vec<Line>) -> Vec<Cmd> {
    update(model, Msg::Lines(lines.into_iter().map(Arc::new).collect()))
}

fn press(model: &mut Model, key: KeyCode) -> Vec<Cmd> {
    update(model, Msg::Key(key, KeyModifiers::NONE))
}

fn keys(model: &mut Model, text: &str) {
    text.chars().for_each(|key| drop(press(model, KeyCode::Char(key))));
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
fn a_paused_screen_is_drawn_once_a_second_at_most() {
    let mut model = after(fixture::until(30));
    press(&mut model, KeyCode::Char(' '));
    let line = |ms: u64| Line {
        t: LOAD_START + 31 * SECOND + ms * 1_000_000,
        entry: record::Entry::Host(record::Host::default()),
    };
    let drawn = (0..2_000).step_by(100).filter(|ms| !take(&mut model, vec![line(*ms)]).is_empty()).count();
    assert_eq!(drawn, 2, "in two seconds of ten lines each");
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
    press(&mut model, KeyCode::Home);
    assert_eq!(model.at(), LOAD_START);
}

#[test]
fn brackets_go_from_event_to_event() {
    let mut model = after(fixture::until(43));
    let mut seen = Vec::new();
    for _ in 0..9 {
        press(&mut model, KeyCode::Char('['));
        seen.push((model.at() - LOAD_START) as f64 / 1e9);
    }
    assert_eq!(seen[..3], [39.9, 39.4, 37.9]);
    assert_eq!(seen[7..], [22.001, 22.001], "before the first there is none");
    assert!(model.status.contains("no event"), "and that is said");
    press(&mut model, KeyCode::Char(']'));
    assert_eq!((model.at() - LOAD_START) / 1_000, 32_000_999, "a nanosecond short of 32.001 s in binary");
}

#[test]
fn zooming_ends_at_fifteen_seconds_and_at_the_whole_run() {
    let mut model = after(fixture::until(30));
    let mut seen = Vec::new();
    for _ in 0..3 {
        press(&mut model, KeyCode::Char('+'));
        seen.push(model.live.zoom);
    }
    assert_eq!(seen, [Zoom::Seconds(30), Zoom::Seconds(15), Zoom::Seconds(15)], "the plan is 60 s long");
    for _ in 0..3 {
        press(&mut model, KeyCode::Char('-'));
    }
    assert_eq!(model.live.zoom, Zoom::Seconds(60));
    press(&mut model, KeyCode::Char('z'));
    assert_eq!(model.live.zoom, Zoom::Phase(2), "slow, from 20 s to 35 s");
    let screen = text(&drawn(&model, 120, 40));
    assert!(screen.contains("00:20") && screen.contains("00:35"), "{screen}");
    press(&mut model, KeyCode::Char('0'));
    assert_eq!(model.live.zoom, Zoom::Fit);
}

#[test]
fn stepping_before_the_first_line_harms_nothing() {
    for tab in Tab::ALL {
        let mut model = Model { tab, ..Model::default() };
        for binding in KEYS {
            update(&mut model, Msg::Key(binding.key, binding.with));
            model.over = Over::Nothing;
        }
        assert_eq!(model.at(), 0);
    }
}

#[test]
fn charts_change_by_key() {
    let mut model = after(fixture::until(30));
    keys(&mut model, "cc");
    assert_eq!(model.live.metric, Metric::Errors);
    keys(&mut model, "l");
    assert!(model.live.other_scale);
    keys(&mut model, "cccc");
    assert_eq!(
        (model.live.metric, model.live.other_scale),
        (Metric::Latency, false),
        "each has its own scale"
    );
    keys(&mut model, "p");
    assert_eq!(model.live.percentiles, Percentiles::Two);
    assert!(!text(&drawn(&model, 120, 40)).contains("p99.9"), "{}", text(&drawn(&model, 120, 40)));
}

#[test]
fn solo_shows_one_arm_and_every_press_shows() {
    let mut model = after(fixture::until(30));
    let shown = |model: &Model| {
        let screen = text(&drawn(model, model.size.0, 40));
        (screen.contains("A mono"), screen.contains("B micro"))
    };
    assert_eq!(shown(&model), (true, true));
    let mut seen = Vec::new();
    for _ in 0..3 {
        keys(&mut model, "s");
        seen.push((model.solo, shown(&model)));
    }
    let (first, other) = ((Solo::First, (true, false)), (Solo::Other, (false, true)));
    assert_eq!(seen, [first, other, (Solo::Both, (true, true))]);
    model.size = (60, 40);
    assert_eq!(shown(&model), (true, false), "one fits");
    keys(&mut model, "s");
    assert_eq!(shown(&model), (false, true));
    keys(&mut model, "s");
    assert_eq!(shown(&model), (true, false));
}

#[test]
fn tabs_are_reached_by_number_and_in_turn() {
    let mut model = after(fixture::until(30));
    for tab in Tab::ALL {
        keys(&mut model, &tab.number().to_string());
        assert_eq!(model.tab, tab);
    }
    press(&mut model, KeyCode::Tab);
    assert_eq!(model.tab, Tab::Live, "after the last comes the first");
    update(&mut model, Msg::Key(KeyCode::BackTab, KeyModifiers::SHIFT));
    assert_eq!(model.tab, Tab::Predict);
}

#[test]
fn a_filter_is_typed_kept_and_dropped() {
    let mut model = after(fixture::until(43));
    keys(&mut model, "6/killed q");
    assert_eq!((model.over, model.events.filter.as_str()), (Over::Typing, "killed q"), "q is a letter here");
    press(&mut model, KeyCode::Backspace);
    press(&mut model, KeyCode::Backspace);
    press(&mut model, KeyCode::Enter);
    assert_eq!((model.over, model.events.filter.as_str()), (Over::Nothing, "killed"));
    let screen = text(&drawn(&model, 120, 40));
    assert!(screen.contains("2 of 8 events") && !screen.contains("photo kill "), "{screen}");
    // The last one is chosen, as in every log.
    press(&mut model, KeyCode::Enter);
    assert_eq!(model.cursor.map(|t| t - LOAD_START), Some(37_006_000_000));
    press(&mut model, KeyCode::Esc);
    assert_eq!(model.events.filter, "");
}

#[test]
fn processes_are_sorted_by_column() {
    let mut model = after(fixture::until(43));
    keys(&mut model, "5>>>>>");
    let screen = text(&drawn(&model, 160, 50));
    assert!(screen.contains("cpu▾"), "{screen}");
    let rows: Vec<&str> = screen.lines().filter(|row| row.contains("#0")).collect();
    assert_eq!(rows.len(), 7, "{screen}");
    keys(&mut model, "<<<<<");
    assert_eq!(model.procs.sort, None, "beyond the first column is the list's own order");
}

#[test]
fn from_an_edge_to_its_slow_requests_and_to_jaeger() {
    let mut model = after(fixture::lines());
    // A's row of users, then its five function calls, then B's users and gateway->feed, feed->follower.
    keys(&mut model, "2");
    model.solo = Solo::Other;
    keys(&mut model, "jjt");
    assert_eq!((model.tab, model.traces.list.filter.as_str()), (Tab::Traces, "follower"));
    let screen = text(&drawn(&model, 120, 40));
    assert!(screen.contains("home-feed") && !screen.contains("view-photo"), "{screen}");
    let commands = press(&mut model, KeyCode::Char('o'));
    let address = format!("http://127.0.0.1:16686/trace/{:031x}b", 3_031);
    assert_eq!(commands, [Cmd::Copy(address.clone()), Cmd::Draw]);
    assert_eq!(model.status, address);
    press(&mut model, KeyCode::Enter);
    assert_eq!(model.traces.shown, Some(('B', 1, 3_031)));
}

#[test]
fn a_request_is_seen_in_both_arms_where_they_fit_and_by_key_where_not() {
    let mut model = after(fixture::lines());
    keys(&mut model, "4");
    press(&mut model, KeyCode::Enter);
    assert_eq!(model.traces.shown, Some(('B', 1, 3_031)), "the slowest");
    let shown = |model: &Model, width: u16, height: u16| {
        let screen = text(&drawn(model, width, height));
        ['A', 'B'].map(|arm| screen.contains(&format!("{arm} home-feed request 3031")))
    };
    assert_eq!(shown(&model, 120, 40), [true, true], "beside each other");
    assert_eq!(shown(&model, 80, 24), [true, true], "one below the other");
    assert_eq!(shown(&model, 80, 16), [false, true], "one fits: the one chosen");
    keys(&mut model, "s");
    assert_eq!(shown(&model, 80, 16), [true, false]);
    keys(&mut model, "s");
    assert_eq!(shown(&model, 80, 16), [false, true]);
    press(&mut model, KeyCode::Esc);
    assert_eq!(model.traces.shown, None);
}

#[test]
fn enter_shows_the_focused_panel_alone() {
    let mut model = after(fixture::until(43));
    keys(&mut model, "jj");
    assert_eq!(model.live.focus, Some(Panel::Score));
    press(&mut model, KeyCode::Enter);
    let screen = text(&drawn(&model, 120, 40));
    assert!(screen.contains("scorecard") && !screen.contains("timeline"), "{screen}");
    press(&mut model, KeyCode::Esc);
    assert!(text(&drawn(&model, 120, 40)).contains("timeline"));
}

#[test]
fn a_replay_has_a_pace_and_a_live_run_none() {
    let mut model = after(fixture::until(30));
    press(&mut model, KeyCode::Char('.'));
    assert_eq!(model.status, "only a replay has a pace");
    model.pace = Some(1.0);
    assert_eq!(press(&mut model, KeyCode::Char('.')), [Cmd::Tell(Ask::Pace(2.0)), Cmd::Draw]);
    for _ in 0..9 {
        press(&mut model, KeyCode::Char(','));
    }
    assert_eq!(model.pace, Some(0.25));
}

#[test]
fn leaving_a_live_run_asks_and_says_what_becomes_of_it() {
    let mut model = after(fixture::until(5));
    assert_eq!(press(&mut model, KeyCode::Char('q')), [Cmd::Draw]);
    let screen = text(&drawn(&model, 80, 24));
    assert!(screen.contains("the run goes on") && screen.contains("ends the run in order"), "{screen}");
    press(&mut model, KeyCode::Esc);
    assert_eq!(model.over, Over::Nothing, "Esc stays");
    press(&mut model, KeyCode::Char('q'));
    assert_eq!(press(&mut model, KeyCode::Char('d')), [Cmd::Leave(true)]);
    assert_eq!(press(&mut model, KeyCode::Char('q')), [Cmd::Tell(Ask::Quit(Quit::Asked)), Cmd::Leave(false)]);
    let mut guest = Model { guest: true, ..after(fixture::until(5)) };
    assert_eq!(
        press(&mut guest, KeyCode::Char('q')),
        [Cmd::Leave(false)],
        "somebody else's run is left alone"
    );
}

#[test]
fn an_interrupt_is_told_at_once_and_a_second_leaves() {
    let mut model = after(fixture::until(5));
    let mut interrupt = || update(&mut model, Msg::Key(KeyCode::Char('c'), KeyModifiers::CONTROL));
    let told = |quit| Cmd::Tell(Ask::Quit(quit));
    assert_eq!(interrupt(), [told(Quit::Interrupt), Cmd::Draw], "the screen shows how the run ends");
    assert_eq!(interrupt(), [told(Quit::AtOnce), Cmd::Leave(false)]);
}

#[test]
fn nothing_new_draws_nothing() {
    let mut model = after(fixture::until(5));
    assert_eq!(update(&mut model, Msg::Lines(Vec::new())), []);
    assert_eq!(press(&mut model, KeyCode::Char('~')), []);
    assert_eq!(
        update(&mut model, Msg::Own(tui::model::Own::default())),
        [],
        "what drawing costs is no reason to draw"
    );
}

/// Whatever is bound does something: a message to draw, or one to carry out.
#[test]
fn every_key_does_something_where_it_is_bound() {
    let mut model = after(fixture::lines());
    for binding in KEYS {
        for tab in Tab::ALL.into_iter().filter(|tab| binding.within & keymap::of_tab(*tab) != 0) {
            (model.tab, model.over) = (tab, Over::Nothing);
            let commands = update(&mut model, Msg::Key(binding.key, binding.with));
            assert!(!commands.is_empty(), "{:?} on {tab:?}", binding.key);
        }
    }
}
