//! The dashboard's state and the one function that changes it.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyModifiers};
use record::Line;

use crate::Quit;
use crate::keymap::{self, Action};
use crate::run::{Run, SECOND};
use crate::style::Look;

/// Everything the screen is drawn from.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The run so far.
    pub run: Run,
    /// How it is drawn.
    pub look: Look,
    /// The moment shown, ns since the run's start; `None` is now.
    pub cursor: Option<u64>,
    /// Index of the arm A is compared with, among the others.
    pub other: usize,
    /// Where only one arm fits: show the other one.
    pub swapped: bool,
    /// Whether the keys are shown.
    pub help: bool,
    /// Ctrl-C was pressed before.
    pub interrupted: bool,
    /// Whether leaving the screen leaves the run alone.
    pub guest: bool,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Msg {
    /// Lines of the record, in order.
    Lines(Vec<Arc<Line>>),
    /// A key was pressed.
    Key(KeyCode, KeyModifiers),
    /// The terminal has another size.
    Resized,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cmd {
    /// Draw: something visible changed.
    Draw,
    /// Tell whoever runs the run.
    Tell(Quit),
    /// Leave the screen.
    Leave,
}

impl Model {
    /// The moment shown, ns since the run's start.
    pub fn at(&self) -> u64 {
        self.cursor.unwrap_or(self.run.now)
    }

    /// The letters on the left and on the right; the same one if there is only one arm.
    pub(crate) fn shown(&self) -> Option<(char, char)> {
        let letters = self.run.letters();
        let (first, others) = letters.split_first()?;
        let other = if others.is_empty() { *first } else { others[self.other % others.len()] };
        Some((*first, other))
    }

    /// The earliest moment worth showing: the load's first second.
    fn earliest(&self) -> u64 {
        self.run.header.as_deref().map_or(0, |header| header.load_start_ns).min(self.run.now)
    }
}

/// Changes the model, says what is to be done.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Cmd> {
    match msg {
        Msg::Lines(lines) if lines.is_empty() => Vec::new(),
        Msg::Lines(lines) => {
            model.run.take(lines.iter().map(AsRef::as_ref));
            // Paused, only the distance to now changes; the header shows it.
            vec![Cmd::Draw]
        }
        Msg::Key(KeyCode::Esc, _) if model.help => {
            model.help = false;
            vec![Cmd::Draw]
        }
        Msg::Key(code, modifiers) => {
            keymap::action(code, modifiers).map_or_else(Vec::new, |action| act(model, action))
        }
        Msg::Resized => vec![Cmd::Draw],
    }
}

fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    match action {
        Action::Help => model.help = !model.help,
        Action::Pause => {
            model.cursor = match model.cursor {
                Some(_) => None,
                None => Some(model.run.now),
            };
        }
        Action::Live => model.cursor = None,
        Action::Back => step(model, -1),
        Action::FarBack => step(model, -10),
        Action::Forward => step(model, 1),
        Action::FarForward => step(model, 10),
        Action::NextArm => {
            model.other = (model.other + 1) % model.run.letters().len().saturating_sub(1).max(1)
        }
        Action::Swap => model.swapped = !model.swapped,
        Action::Quit => return vec![Cmd::Tell(Quit::Asked), Cmd::Leave],
        Action::Interrupt if model.guest => return vec![Cmd::Tell(Quit::Asked), Cmd::Leave],
        Action::Interrupt => {
            let quit = if model.interrupted { Quit::AtOnce } else { Quit::Interrupt };
            model.interrupted = true;
            return match quit {
                Quit::AtOnce => vec![Cmd::Tell(quit), Cmd::Leave],
                // The run ends in order, which takes a moment: the screen stays and shows it.
                Quit::Asked | Quit::Interrupt => vec![Cmd::Tell(quit), Cmd::Draw],
            };
        }
    }
    vec![Cmd::Draw]
}

/// Moves the cursor by whole seconds; it stays between the load's start and now.
fn step(model: &mut Model, seconds: i64) {
    let moved = model.at().saturating_add_signed(seconds * SECOND as i64);
    model.cursor = Some(moved.clamp(model.earliest(), model.run.now));
}
