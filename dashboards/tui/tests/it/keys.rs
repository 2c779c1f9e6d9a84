//! What keys do to the moment shown, to the tabs and to the run.

use std::ops::Range;

use crossterm::event::{KeyCode, KeyModifiers};
use model::Run;
use model::source::{Progress, Source};
use record::{Entry, Host, Line};
use tui::keymap::{self, KEYS};
use tui::state::{Metric, Overlay, Panel, Percentiles, Solo, State, Zoom};
use tui::tab::Tab;
use tui::update::{Cmd, Msg, advance, read_back, update};
use tui::{Quit, Request};

use crate::fixture::{self, LOAD_START, SECOND};
use crate::still::{after, drawn, text};

fn take(state: &mut State, lines: Vec<Line>) -> Vec<Cmd> {
    advance(state, &mut lines.into_iter()).1
}

fn press(state: &mut State, key: KeyCode) -> Vec<Cmd> {
    update(state, Msg::Key(key, KeyModifiers::NONE))
}

fn keys(state: &mut State, text: &str) {
    text.chars().for_each(|key| drop(press(state, KeyCode::Char(key))));
}

#[test]
fn a_paused_view_stays_while_the_run_goes_on() {
    let mut state = after(fixture::until(30));
    let live = state.at();
    assert_eq!(press(&mut state, KeyCode::Char(' ')), [Cmd::Draw]);
    take(&mut state, fixture::until(40));
    assert_eq!(state.at(), live);
    press(&mut state, KeyCode::Char(' '));
    assert!(state.at() > live, "space again shows now");
}

#[test]
fn a_paused_screen_is_drawn_once_a_second_at_most() {
    let mut state = after(fixture::until(30));
    press(&mut state, KeyCode::Char(' '));
    let line = |ms: u64| Line {
        t: LOAD_START + 31 * SECOND + ms * 1_000_000,
        entry: record::Entry::Host(record::Host::default()),
    };
    let drawn = (0..2_000).step_by(100).filter(|ms| !take(&mut state, vec![line(*ms)]).is_empty()).count();
    assert_eq!(drawn, 2, "in two seconds of ten lines each");
}

#[test]
fn a_step_is_a_second_and_stays_inside_the_run() {
    let mut state = after(fixture::until(30));
    let now = state.at();
    press(&mut state, KeyCode::Left);
    assert_eq!(state.at(), now - SECOND);
    press(&mut state, KeyCode::Right);
    assert_eq!(state.at(), now, "one back and one on is nothing");
    press(&mut state, KeyCode::Right);
    assert_eq!(state.at(), now, "the future is not shown");
    for _ in 0..100 {
        update(&mut state, Msg::Key(KeyCode::Left, KeyModifiers::SHIFT));
    }
    assert_eq!(state.at(), LOAD_START, "nor anything before the load");
    press(&mut state, KeyCode::Char('g'));
    assert_eq!((state.at(), state.cursor), (now, None));
    press(&mut state, KeyCode::Home);
    assert_eq!(state.at(), LOAD_START);
}

#[test]
fn brackets_go_from_event_to_event() {
    let mut state = after(fixture::until(43));
    let mut seen = Vec::new();
    for _ in 0..9 {
        press(&mut state, KeyCode::Char('['));
        seen.push((state.at() - LOAD_START) as f64 / 1e9);
    }
    assert_eq!(seen[..3], [39.9, 39.4, 37.9]);
    assert_eq!(seen[7..], [22.001, 22.001], "before the first there is none");
    assert!(state.status.contains("no event"), "and that is shown");
    press(&mut state, KeyCode::Char(']'));
    assert_eq!((state.at() - LOAD_START) / 1_000, 32_000_999, "a nanosecond short of 32.001 s in binary");
}

#[test]
fn zooming_ends_at_fifteen_seconds_and_at_the_whole_run() {
    let mut state = after(fixture::until(30));
    let mut seen = Vec::new();
    for _ in 0..3 {
        press(&mut state, KeyCode::Char('+'));
        seen.push(state.live.zoom);
    }
    assert_eq!(seen, [Zoom::Seconds(30), Zoom::Seconds(15), Zoom::Seconds(15)], "the plan is 60 s long");
    for _ in 0..3 {
        press(&mut state, KeyCode::Char('-'));
    }
    assert_eq!(state.live.zoom, Zoom::Seconds(60));
    press(&mut state, KeyCode::Char('z'));
    assert_eq!(state.live.zoom, Zoom::Phase(2), "slow, from 20 s to 35 s");
    let screen = text(&drawn(&state, 120, 40));
    assert!(screen.contains("00:20") && screen.contains("00:35"), "{screen}");
    press(&mut state, KeyCode::Char('0'));
    assert_eq!(state.live.zoom, Zoom::Fit);
}

#[test]
fn stepping_before_the_first_line_harms_nothing() {
    for tab in Tab::ALL {
        let mut state = State { tab, ..State::default() };
        for binding in KEYS {
            update(&mut state, Msg::Key(binding.key, binding.with));
            state.overlay = Overlay::Nothing;
        }
        assert_eq!(state.at(), 0);
    }
}

#[test]
fn charts_change_by_key() {
    let mut state = after(fixture::until(30));
    keys(&mut state, "cc");
    assert_eq!(state.live.metric, Metric::Errors);
    keys(&mut state, "l");
    assert!(state.live.other_scale);
    keys(&mut state, "cccc");
    assert_eq!(
        (state.live.metric, state.live.other_scale),
        (Metric::Latency, false),
        "each has its own scale"
    );
    keys(&mut state, "p");
    assert_eq!(state.live.percentiles, Percentiles::Two);
    assert!(!text(&drawn(&state, 120, 40)).contains("p99.9"), "{}", text(&drawn(&state, 120, 40)));
}

#[test]
fn solo_shows_one_arm_and_every_press_shows() {
    let mut state = after(fixture::until(30));
    let shown = |state: &State| {
        let screen = text(&drawn(state, state.size.0, 40));
        (screen.contains("A mono"), screen.contains("B micro"))
    };
    assert_eq!(shown(&state), (true, true));
    let mut seen = Vec::new();
    for _ in 0..3 {
        keys(&mut state, "s");
        seen.push((state.solo, shown(&state)));
    }
    let (first, other) = ((Solo::First, (true, false)), (Solo::Other, (false, true)));
    assert_eq!(seen, [first, other, (Solo::Both, (true, true))]);
    state.size = (60, 40);
    assert_eq!(shown(&state), (true, false), "one fits");
    keys(&mut state, "s");
    assert_eq!(shown(&state), (false, true));
    keys(&mut state, "s");
    assert_eq!(shown(&state), (true, false));
}

#[test]
fn tabs_are_reached_by_number_and_in_turn() {
    let mut state = after(fixture::until(30));
    for tab in Tab::ALL {
        keys(&mut state, &tab.number().to_string());
        assert_eq!(state.tab, tab);
    }
    press(&mut state, KeyCode::Tab);
    assert_eq!(state.tab, Tab::Live, "after the last comes the first");
    update(&mut state, Msg::Key(KeyCode::BackTab, KeyModifiers::SHIFT));
    assert_eq!(state.tab, Tab::Events);
}

#[test]
fn a_filter_is_typed_kept_and_dropped() {
    let mut state = after(fixture::until(43));
    keys(&mut state, "6/killed q");
    assert_eq!(
        (state.overlay, state.events.filter.as_str()),
        (Overlay::Typing, "killed q"),
        "q is a letter here"
    );
    press(&mut state, KeyCode::Backspace);
    press(&mut state, KeyCode::Backspace);
    press(&mut state, KeyCode::Enter);
    assert_eq!((state.overlay, state.events.filter.as_str()), (Overlay::Nothing, "killed"));
    let screen = text(&drawn(&state, 120, 40));
    assert!(screen.contains("2 of 8 events") && !screen.contains("photo kill "), "{screen}");
    // The last one is chosen, as in every log.
    press(&mut state, KeyCode::Enter);
    assert_eq!(state.cursor.map(|t| t - LOAD_START), Some(37_006_000_000));
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.events.filter, "");
}

#[test]
fn processes_are_sorted_by_column() {
    let mut state = after(fixture::until(43));
    keys(&mut state, "5>>>>>");
    let screen = text(&drawn(&state, 160, 50));
    assert!(screen.contains("cpu▾"), "{screen}");
    let rows: Vec<&str> = screen.lines().filter(|row| row.contains("#0")).collect();
    assert_eq!(rows.len(), 7, "{screen}");
    keys(&mut state, "<<<<<");
    assert_eq!(state.procs.sort, None, "beyond the first column is the list's own order");
}

#[test]
fn from_an_edge_to_its_slow_requests_and_to_jaeger() {
    let mut state = after(fixture::lines());
    // A's row of users, then its five function calls, then B's users and gateway->feed, feed->follower.
    keys(&mut state, "2");
    state.solo = Solo::Other;
    keys(&mut state, "jjt");
    assert_eq!((state.tab, state.traces.list.filter.as_str()), (Tab::Traces, "follower"));
    let screen = text(&drawn(&state, 120, 40));
    assert!(screen.contains("home-feed") && !screen.contains("view-photo"), "{screen}");
    assert_eq!(press(&mut state, KeyCode::Char('o')), [Cmd::Draw], "no span was sent anywhere");
    assert!(state.status.contains("OTEL_EXPORTER_OTLP_ENDPOINT was not set"), "{}", state.status);
    assert!(!text(&drawn(&state, 200, 40)).contains("o Jaeger"), "nor is it offered");
    state.run.header.collector = Some("127.0.0.1:4317".into());
    press(&mut state, KeyCode::Char('o'));
    assert_eq!(state.status, "the collector took no span of this run");
    if let Some(end) = &mut state.run.end {
        end.tracing.forwarded = 9;
    }
    let commands = press(&mut state, KeyCode::Char('o'));
    let address = format!("http://127.0.0.1:16686/trace/{:031x}b", 3_031);
    assert_eq!(commands, [Cmd::Copy(address.clone()), Cmd::Draw]);
    assert_eq!(state.status, address);
    press(&mut state, KeyCode::Enter);
    assert_eq!(state.traces.shown, Some(('B', 1, 3_031)));
}

#[test]
fn a_request_is_seen_in_both_arms_where_they_fit_and_by_key_where_not() {
    let mut state = after(fixture::lines());
    keys(&mut state, "4");
    press(&mut state, KeyCode::Enter);
    assert_eq!(state.traces.shown, Some(('B', 1, 3_031)), "the slowest");
    let shown = |state: &State, width: u16, height: u16| {
        let screen = text(&drawn(state, width, height));
        ['A', 'B'].map(|arm| screen.contains(&format!("{arm} home-feed request 3031")))
    };
    assert_eq!(shown(&state, 120, 40), [true, true], "beside each other");
    assert_eq!(shown(&state, 80, 24), [true, true], "one below the other");
    assert_eq!(shown(&state, 80, 16), [false, true], "one fits: the one chosen");
    keys(&mut state, "s");
    assert_eq!(shown(&state, 80, 16), [true, false]);
    keys(&mut state, "s");
    assert_eq!(shown(&state, 80, 16), [false, true]);
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.traces.shown, None);
}

#[test]
fn enter_shows_the_focused_panel_alone() {
    let mut state = after(fixture::until(43));
    keys(&mut state, "jj");
    assert_eq!(state.live.focus, Some(Panel::Score));
    press(&mut state, KeyCode::Enter);
    let screen = text(&drawn(&state, 120, 40));
    assert!(screen.contains("scorecard") && !screen.contains("timeline"), "{screen}");
    press(&mut state, KeyCode::Esc);
    assert!(text(&drawn(&state, 120, 40)).contains("timeline"));
}

#[test]
fn a_replay_has_a_pace_and_a_live_run_none() {
    let mut state = after(fixture::until(30));
    press(&mut state, KeyCode::Char('.'));
    assert_eq!(state.status, "only a replay has a pace");
    state.pace = Some(1.0);
    assert_eq!(press(&mut state, KeyCode::Char('.')), [Cmd::Request(Request::Pace(2.0)), Cmd::Draw]);
    for _ in 0..9 {
        press(&mut state, KeyCode::Char(','));
    }
    assert_eq!(state.pace, Some(0.25));
}

#[test]
fn leaving_a_live_run_asks_what_to_do_with_it() {
    let mut state = after(fixture::until(5));
    assert_eq!(press(&mut state, KeyCode::Char('q')), [Cmd::Draw]);
    let screen = text(&drawn(&state, 80, 24));
    assert!(screen.contains("the run goes on") && screen.contains("ends the run in order"), "{screen}");
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.overlay, Overlay::Nothing, "Esc stays");
    press(&mut state, KeyCode::Char('q'));
    assert_eq!(press(&mut state, KeyCode::Char('d')), [Cmd::Leave(true)]);
    assert_eq!(
        press(&mut state, KeyCode::Char('q')),
        [Cmd::Request(Request::Quit(Quit::InOrder)), Cmd::Leave(false)]
    );
    let mut guest = State { guest: true, ..after(fixture::until(5)) };
    assert_eq!(
        press(&mut guest, KeyCode::Char('q')),
        [Cmd::Leave(false)],
        "another user's run is left alone"
    );
}

#[test]
fn a_run_that_has_ended_is_left_at_once_and_stays_until_then() {
    let mut state = after(fixture::until(5));
    press(&mut state, KeyCode::Char('q'));
    assert!(!state.stays(false), "it goes on");
    take(&mut state, fixture::lines());
    assert_eq!(state.overlay, Overlay::Nothing, "how to leave the run is no question any more");
    let header = |state: &State| text(&drawn(state, 80, 24)).lines().next().map(str::to_owned);
    assert!(header(&state).is_some_and(|row| row.ends_with("ENDED fail, q leaves")), "{:?}", header(&state));
    assert_eq!((state.stays(false), state.stays(true)), (true, false));
    press(&mut state, KeyCode::Char(' '));
    assert!(state.stays(true), "a paused view is being read");
    press(&mut state, KeyCode::Char('g'));
    assert!(!state.stays(true));
    let interrupt = update(&mut state, Msg::Key(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert_eq!(interrupt, [Cmd::Leave(false)], "there is nothing to interrupt: its exit code is the run's");
    assert_eq!(press(&mut state, KeyCode::Char('q')), [Cmd::Leave(false)]);
    let interrupted = State { interrupted: true, ..after(fixture::lines()) };
    assert!(!interrupted.stays(false), "the user has ended it");
}

#[test]
fn an_interrupt_is_shown_at_once_and_a_second_leaves() {
    let mut state = after(fixture::until(5));
    let mut interrupt = || update(&mut state, Msg::Key(KeyCode::Char('c'), KeyModifiers::CONTROL));
    let reported = |quit| Cmd::Request(Request::Quit(quit));
    assert_eq!(interrupt(), [reported(Quit::Interrupt), Cmd::Draw], "the screen shows how the run ends");
    assert_eq!(interrupt(), [reported(Quit::AtOnce), Cmd::Leave(false)]);
}

#[test]
fn nothing_new_draws_nothing() {
    let mut state = after(fixture::until(5));
    assert_eq!(advance(&mut state, &mut Vec::new().into_iter()).1, []);
    assert_eq!(press(&mut state, KeyCode::Char('~')), []);
    assert_eq!(
        update(&mut state, Msg::Overhead(tui::state::Overhead::default())),
        [],
        "what drawing costs is no reason to draw"
    );
}

/// Whatever is bound does something: a message to draw, or one to carry out.
#[test]
fn every_key_does_something_where_it_is_bound() {
    let mut state = after(fixture::lines());
    for binding in KEYS {
        for tab in Tab::ALL.into_iter().filter(|tab| binding.within & keymap::of_tab(*tab) != 0) {
            (state.tab, state.overlay) = (tab, Overlay::Nothing);
            let commands = update(&mut state, Msg::Key(binding.key, binding.with));
            assert!(!commands.is_empty(), "{:?} on {tab:?}", binding.key);
        }
    }
}

/// A record on disk, as far as a view can read it back.
struct Recorded(Vec<Line>);

impl Source for Recorded {
    fn advance(&mut self, _: &mut Run) -> Progress {
        Progress::Waiting
    }

    fn step(&mut self, _: &mut Run) -> Progress {
        Progress::Ended
    }

    fn read_back(&mut self, run: &Run, range: Range<u64>) -> Option<Run> {
        let mut past = run.without_samples();
        past.take(self.0.iter().filter(|line| range.contains(&line.t)));
        Some(past)
    }
}

#[test]
fn a_moment_that_memory_has_thinned_is_read_back_from_the_record() {
    let cursor = Some(LOAD_START + 38 * SECOND + 100_000_000);
    let shown = |lines: Vec<Line>| State { cursor, tab: Tab::Map, ..after(lines) };
    // Below the rows that know how long ago it was.
    let body = |state: &State| text(&drawn(state, 120, 40)).lines().skip(2).collect::<Vec<_>>().join("\n");
    let fresh = shown(fixture::lines());
    let mut lines = fixture::lines();
    // A quarter of an hour later, of which ten minutes are in memory second by second.
    let t = LOAD_START + 900 * SECOND;
    lines.push(Line { t, entry: Entry::Host(Host::default()) });
    let mut old = shown(lines.clone());
    assert_eq!(read_back(&mut old, &mut Recorded(lines)), [Cmd::Draw]);
    assert_eq!(body(&old), body(&fresh));
    assert_eq!(read_back(&mut old, &mut Recorded(Vec::new())), [], "once is enough");
    press(&mut old, KeyCode::Char('g'));
    assert_eq!(read_back(&mut old, &mut Recorded(Vec::new())), [], "now is in memory");
}
