//! The one function that changes the model, by what happened.
//!
//! - [`time`]: the moment shown and the stretch around it.
//! - [`rows`]: what is chosen, sought, sorted and opened.
//! - [`leave`]: how to leave, and what becomes of the run.
//! - [`mouse`]: clicks and the wheel.

mod leave;
mod mouse;
mod rows;
mod time;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyModifiers};
use record::Line;

use crate::keymap::{self, Action};
use crate::model::{Metric, Model, Over, Own, Percentiles, Solo};
use crate::run::SECOND;
use crate::tab::Tab;
use crate::view::{self, Target};
use crate::{Ask, Quit};

/// What happened.
#[derive(Clone, Debug)]
pub enum Msg {
    /// Lines of the record, in order.
    Lines(Vec<Arc<Line>>),
    /// A key was pressed.
    Key(KeyCode, KeyModifiers),
    /// The mouse was pressed at a column and a row.
    Click(u16, u16),
    /// The wheel went down, or up.
    Wheel(bool),
    /// The terminal has so many columns and rows.
    Resized(u16, u16),
    /// What the dashboard took in the second that is over.
    Own(Own),
    /// How something asked for went.
    Said(String),
}

/// What is to be done about it.
#[derive(Clone, Debug, PartialEq)]
pub enum Cmd {
    /// Draw: something visible changed.
    Draw,
    /// Ask whoever runs the run.
    Tell(Ask),
    /// Put this on the clipboard.
    Copy(String),
    /// Write the screen to files.
    Shot,
    /// Give the terminal back until the process is woken.
    Suspend,
    /// Leave the screen; true where the run goes on and is still to be watched.
    Leave(bool),
}

/// Changes the model, says what is to be done.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Cmd> {
    match msg {
        Msg::Lines(lines) if lines.is_empty() => Vec::new(),
        Msg::Lines(lines) => {
            let before = model.run.now / SECOND;
            model.run.take(lines.iter().map(AsRef::as_ref));
            // Paused, only the distance to now changes, which is told in seconds.
            let seen = model.cursor.is_none() || model.run.now / SECOND != before;
            if seen { vec![Cmd::Draw] } else { Vec::new() }
        }
        Msg::Key(code, modifiers) => {
            model.status.clear();
            match keymap::action(model.context(), code, modifiers) {
                Some(action) => act(model, action),
                None => rows::typed(model, code, modifiers),
            }
        }
        Msg::Click(x, y) => mouse::click(model, x, y),
        Msg::Wheel(down) => mouse::wheel(model, down),
        Msg::Resized(width, height) => {
            model.size = (width, height);
            vec![Cmd::Draw]
        }
        // Shown with the next frame: it is no reason for one, or an idle screen would pay for saying that it is idle.
        Msg::Own(own) => {
            model.own = own;
            Vec::new()
        }
        Msg::Said(text) => {
            model.status = text;
            vec![Cmd::Draw]
        }
    }
}

fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    match action {
        Action::Help => {
            model.over = if model.over == Over::Help { Over::Nothing } else { Over::Help };
            model.help = Default::default();
        }
        Action::Show(tab) => show(model, tab),
        Action::NextTab => show(model, model.tab.further(1)),
        Action::PreviousTab => show(model, model.tab.further(Tab::ALL.len() - 1)),
        Action::Pause | Action::Step(_) | Action::NextEvent | Action::PreviousEvent => {
            time::act(model, action)
        }
        Action::Start | Action::Live => time::act(model, action),
        Action::ZoomIn | Action::ZoomOut | Action::Fit | Action::ZoomPhase => time::zoom(model, action),
        Action::Solo => solo(model),
        Action::NextArm => {
            model.other = (model.other + 1) % model.run.letters().len().saturating_sub(1).max(1);
        }
        Action::Metric => {
            let at = model.live.metric as usize;
            model.live.metric = Metric::ALL[(at + 1) % Metric::ALL.len()];
            model.live.other_scale = false;
        }
        Action::Scale => model.live.other_scale = !model.live.other_scale,
        Action::Percentiles => {
            model.live.percentiles = match model.live.percentiles {
                Percentiles::All => Percentiles::Two,
                Percentiles::Two => Percentiles::Tail,
                Percentiles::Tail => Percentiles::All,
            };
        }
        Action::Rows(by) => rows::step(model, by.into()),
        Action::Screens(by) => {
            let screen = isize::try_from(model.size.1 / 2).unwrap_or(10).max(1);
            rows::step(model, screen * isize::from(by));
        }
        Action::Filter | Action::Open | Action::Close | Action::Sort(_) | Action::SlowTraces => {
            rows::act(model, action)
        }
        Action::Jaeger => return jaeger(model),
        Action::Copy => {
            model.status = "copied".into();
            return vec![Cmd::Copy(view::focused_text(model)), Cmd::Draw];
        }
        Action::Shot => return vec![Cmd::Shot],
        Action::Report => return vec![Cmd::Tell(Ask::Report)],
        Action::Pace(faster) => return pace(model, faster),
        Action::Suspend => return vec![Cmd::Suspend],
        Action::Quit | Action::Detach | Action::Abort | Action::Interrupt => {
            return leave::act(model, action);
        }
    }
    vec![Cmd::Draw]
}

fn show(model: &mut Model, tab: Tab) {
    model.tab = tab;
    model.over = Over::Nothing;
}

/// Where one arm fits there are two states only: every press must show.
fn solo(model: &mut Model) {
    let one_fits = model.size.0 > 0 && model.size.0 < view::TWO_ARMS;
    model.solo = match model.solo {
        Solo::Both if one_fits => Solo::Other,
        Solo::Other if one_fits => Solo::First,
        Solo::Both => Solo::First,
        Solo::First => Solo::Other,
        Solo::Other => Solo::Both,
    };
}

/// Where Jaeger's own page listens unless told otherwise.
const JAEGER: &str = "http://127.0.0.1:16686/trace";

fn jaeger(model: &mut Model) -> Vec<Cmd> {
    let Some(trace) = view::chosen_trace(model) else {
        model.status = "no request is chosen".into();
        return vec![Cmd::Draw];
    };
    let address = format!("{JAEGER}/{}", trace.trace_id);
    model.status.clone_from(&address);
    vec![Cmd::Copy(address), Cmd::Draw]
}

/// Speeds a record is replayed at, and what `--speed` takes.
const PACES: [f64; 7] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

fn pace(model: &mut Model, faster: bool) -> Vec<Cmd> {
    let Some(pace) = model.pace else {
        model.status = "only a replay has a pace".into();
        return vec![Cmd::Draw];
    };
    let next = if faster { PACES.iter().find(|p| **p > pace) } else { PACES.iter().rfind(|p| **p < pace) };
    let pace = next.copied().unwrap_or(pace);
    model.pace = Some(pace);
    vec![Cmd::Tell(Ask::Pace(pace)), Cmd::Draw]
}

/// What a click on something does, or Enter where it is focused.
fn hit(model: &mut Model, target: Target) -> Vec<Cmd> {
    match target {
        Target::Act(action) => act(model, action),
        Target::Moment(t) => {
            model.cursor = Some(t.clamp(time::earliest(model), model.run.now));
            vec![Cmd::Draw]
        }
        Target::Row(row) => rows::click(model, row),
        Target::Panel(panel) => {
            model.live.focus = Some(panel);
            vec![Cmd::Draw]
        }
    }
}

/// What a run is asked by leaving.
const fn quit(quit: Quit) -> Cmd {
    Cmd::Tell(Ask::Quit(quit))
}
