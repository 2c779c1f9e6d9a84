//! The terminal dashboard: pure views of the run record.
//!
//! - [`plain`]: piped output, one row a second and events as they come.
//! - [`card`]: the scorecard as text, printed when the run is over.
//! - [`run()`]: the live screen, on a thread of its own; [`restore`] restores the terminal.
//! - [`state`]: its state; [`update`] alone changes it. Start here.
//! - [`view`]: the screen as a pure function of the state, one file or folder a [`tab`].
//! - [`keymap`]: every key, for dispatch, footer, help and docs/keys.md. [`list`]: the state of a list.
//! - [`shot`]: the screen as files.
//! - [`style`]: roles, themes, ASCII.
//! - [`screen`]: the terminal taken and restored.

pub mod card;
pub mod keymap;
pub mod list;
pub mod plain;
pub mod screen;
pub mod shot;
pub mod state;
pub mod style;
mod sweep;
pub mod tab;
mod text;
pub mod update;
pub mod view;

use std::path::PathBuf;

/// Columns of the terminal; `None` where there is none.
pub fn columns() -> Option<u16> {
    crossterm::terminal::size().ok().map(|(columns, _)| columns).filter(|columns| *columns > 0)
}

pub use self::screen::{Exit, restore, run};
pub use self::style::ColorScheme;

/// How the dashboard looks, and what it may do.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only ASCII: for fonts without braille and locales where circled digits are wide.
    pub ascii: bool,
    /// The terminal's background.
    pub theme: ColorScheme,
    /// No colour at all.
    pub no_color: bool,
    /// The mouse stays the terminal's, so that text can be selected with it.
    pub no_mouse: bool,
    /// Whether the screen closes when the run has ended, unless the view is paused; else it stays until the user leaves it.
    pub closes: bool,
    /// Whether the run belongs to another program, or is over: leaving the screen does not end it.
    pub guest: bool,
    /// How many times as fast as the run a record is replayed; `None` for a run that is not replayed.
    pub pace: Option<f64>,
    /// Where screenshots go: the run's folder.
    pub folder: Option<PathBuf>,
}

/// What the user requests of the program that runs or replays the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Request {
    /// To end it.
    Quit(Quit),
    /// To write its report now.
    Report,
    /// To replay it so many times as fast as it went.
    Pace(f64),
}

/// The user wants to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quit {
    /// `q`: end the run in order.
    InOrder,
    /// Ctrl-C once: the same, and the screen stays until it has ended.
    Interrupt,
    /// Ctrl-C twice: leave at once.
    AtOnce,
}
