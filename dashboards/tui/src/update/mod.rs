//! The one function that changes the state, by what happened.
//!
//! - [`time`]: the moment shown and the stretch around it.
//! - [`rows`]: what is chosen, searched for, sorted and opened.
//! - [`leave`]: how to leave, and what becomes of the run.
//! - [`mouse`]: clicks and the wheel.

mod leave;
mod mouse;
mod rows;
mod time;

use crossterm::event::{KeyCode, KeyModifiers};
use model::Run;
use model::source::{Progress, Source};

use crate::keymap::{self, Action};
use crate::state::{Metric, Overhead, Overlay, Past, Percentiles, Solo, State};
use crate::tab::Tab;
use crate::view::{self, Target};
use crate::{Quit, Request};
use model::SECOND;

/// What happened.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyCode, KeyModifiers),
    /// The mouse was pressed at a column and a row.
    Click(u16, u16),
    /// The wheel went down, or up.
    Wheel(bool),
    /// The terminal has so many columns and rows.
    Resized(u16, u16),
    /// What the dashboard took in the second that is over.
    Overhead(Overhead),
    /// The outcome of a request, for the status line.
    Status(String),
}

/// What is to be done about it.
#[derive(Clone, Debug, PartialEq)]
pub enum Cmd {
    /// Draw: something visible changed.
    Draw,
    /// Pass a request to the program that runs or replays the run.
    Request(Request),
    /// Put this on the clipboard.
    Copy(String),
    /// Write the screen to files.
    Shot,
    /// Give the terminal back until the process is woken.
    Suspend,
    /// Leave the screen; true where the run goes on and is still to be watched.
    Leave(bool),
}

/// Changes the state; returns what is to be done.
pub fn update(state: &mut State, msg: Msg) -> Vec<Cmd> {
    match msg {
        Msg::Key(code, modifiers) => {
            state.status.clear();
            match keymap::action(state.context(), code, modifiers) {
                Some(action) => act(state, action),
                None => rows::typed(state, code, modifiers),
            }
        }
        Msg::Click(x, y) => mouse::click(state, x, y),
        Msg::Wheel(down) => mouse::wheel(state, down),
        Msg::Resized(width, height) => {
            state.size = (width, height);
            vec![Cmd::Draw]
        }
        // Shown with the next frame: it is no reason for one, or an idle screen would pay for saying that it is idle.
        Msg::Overhead(own) => {
            state.overhead = own;
            Vec::new()
        }
        Msg::Status(text) => {
            state.status = text;
            vec![Cmd::Draw]
        }
    }
}

/// Adds what a source has to the run; returns what it had, and what is to be done.
pub fn advance(state: &mut State, source: &mut dyn Source) -> (Progress, Vec<Cmd>) {
    let shown = |run: &Run| (run.now / SECOND, run.end.is_some());
    let before = shown(&state.run);
    let startup = source.startup();
    let progress = source.advance(&mut state.run);
    // Paused, only the distance to now changes, which is shown in seconds.
    let is_visible = state.cursor.is_none() || shown(&state.run) != before;
    let is_changed = (progress == Progress::Advanced && is_visible) || startup.is_some();
    if let Some(startup) = startup {
        state.startup = startup;
    }
    // How to leave a run is no question any more when it has ended.
    if state.overlay == Overlay::Leave && state.is_over() {
        state.overlay = Overlay::Nothing;
    }
    (progress, if is_changed { vec![Cmd::Draw] } else { Vec::new() })
}

/// Reads back from the record what the moment shown needs; returns what is to be done.
pub fn read_back(state: &mut State, source: &mut dyn Source) -> Vec<Cmd> {
    let Some(range) = state.missing_past() else { return Vec::new() };
    let run = source.read_back(&state.run, range.clone());
    state.past = Some(Past { range, run });
    vec![Cmd::Draw]
}

fn act(state: &mut State, action: Action) -> Vec<Cmd> {
    match action {
        Action::Help => {
            state.overlay = if state.overlay == Overlay::Help { Overlay::Nothing } else { Overlay::Help };
            state.help = Default::default();
        }
        Action::Show(tab) => show(state, tab),
        Action::NextTab => show(state, state.tab.further(1)),
        Action::PreviousTab => show(state, state.tab.further(Tab::ALL.len() - 1)),
        Action::Pause | Action::Step(_) | Action::NextEvent | Action::PreviousEvent => {
            time::act(state, action)
        }
        Action::Start | Action::Live => time::act(state, action),
        Action::ZoomIn | Action::ZoomOut | Action::Fit | Action::ZoomPhase => time::zoom(state, action),
        Action::Solo => solo(state),
        Action::NextArm => {
            state.other = (state.other + 1) % state.run.letters().len().saturating_sub(1).max(1);
        }
        Action::Metric => {
            let at = state.live.metric as usize;
            state.live.metric = Metric::ALL[(at + 1) % Metric::ALL.len()];
            state.live.other_scale = false;
        }
        Action::Scale => state.live.other_scale = !state.live.other_scale,
        Action::Percentiles => {
            state.live.percentiles = match state.live.percentiles {
                Percentiles::All => Percentiles::Two,
                Percentiles::Two => Percentiles::Tail,
                Percentiles::Tail => Percentiles::All,
            };
        }
        Action::Rows(by) => rows::step(state, by.into()),
        Action::Screens(by) => {
            let screen = isize::try_from(state.size.1 / 2).unwrap_or(10).max(1);
            rows::step(state, screen * isize::from(by));
        }
        Action::Filter | Action::Open | Action::Close | Action::Sort(_) | Action::SlowTraces => {
            rows::act(state, action)
        }
        Action::Jaeger => return jaeger(state),
        Action::Copy => {
            state.status = "copied".into();
            return vec![Cmd::Copy(view::focused_text(state)), Cmd::Draw];
        }
        Action::Shot => return vec![Cmd::Shot],
        Action::Report => return vec![Cmd::Request(Request::Report)],
        Action::Pace(faster) => return pace(state, faster),
        Action::Suspend => return vec![Cmd::Suspend],
        Action::Quit | Action::Detach | Action::Abort | Action::Interrupt => {
            return leave::act(state, action);
        }
    }
    vec![Cmd::Draw]
}

fn show(state: &mut State, tab: Tab) {
    state.tab = tab;
    state.overlay = Overlay::Nothing;
}

/// Where one arm fits there are two states only: every press must show.
fn solo(state: &mut State) {
    let one_fits = state.size.0 > 0 && state.size.0 < view::TWO_ARMS;
    state.solo = match state.solo {
        Solo::Both if one_fits => Solo::Other,
        Solo::Other if one_fits => Solo::First,
        Solo::Both => Solo::First,
        Solo::First => Solo::Other,
        Solo::Other => Solo::Both,
    };
}

fn jaeger(state: &mut State) -> Vec<Cmd> {
    let Some(trace) = view::chosen_trace(state) else {
        state.status = "no request is chosen".into();
        return vec![Cmd::Draw];
    };
    match state.run.jaeger_address(&trace) {
        Ok(address) => {
            state.status.clone_from(&address);
            vec![Cmd::Copy(address), Cmd::Draw]
        }
        Err(reason) => {
            state.status = reason.to_string();
            vec![Cmd::Draw]
        }
    }
}

/// Speeds a record is replayed at, and what `--speed` takes.
const PACES: [f64; 7] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

fn pace(state: &mut State, faster: bool) -> Vec<Cmd> {
    let Some(pace) = state.pace else {
        state.status = "only a replay has a pace".into();
        return vec![Cmd::Draw];
    };
    let next = if faster { PACES.iter().find(|p| **p > pace) } else { PACES.iter().rfind(|p| **p < pace) };
    let pace = next.copied().unwrap_or(pace);
    state.pace = Some(pace);
    vec![Cmd::Request(Request::Pace(pace)), Cmd::Draw]
}

/// What a click on something does, or Enter where it is focused.
fn hit(state: &mut State, target: Target) -> Vec<Cmd> {
    match target {
        Target::Act(action) => act(state, action),
        Target::Moment(t) => {
            state.cursor = Some(t.clamp(time::earliest(state), state.run.now));
            vec![Cmd::Draw]
        }
        Target::Row(row) => rows::click(state, row),
        Target::Panel(panel) => {
            state.live.focus = Some(panel);
            vec![Cmd::Draw]
        }
    }
}

/// The request that leaving makes of the run.
const fn quit(quit: Quit) -> Cmd {
    Cmd::Request(Request::Quit(quit))
}
