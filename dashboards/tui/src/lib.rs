//! The terminal dashboard: pure views of the run record.
//!
//! - [`plain`]: piped output, one row a second and events as they come.
//! - [`card`]: the scorecard as text, printed when the run is over.
//! - [`run()`]: the live screen, on a thread of its own; [`restore`] gives the terminal back.
//! - [`model`]: its state, and `update`, which alone changes it. Start here.
//! - [`view`]: the screen as a pure function of the model.
//! - [`keymap`]: every key, for dispatch, footer and help.
//! - [`style`]: roles, themes, ASCII.
//! - [`screen`]: the terminal taken and given back.

pub mod card;
mod figures;
pub mod keymap;
pub mod model;
pub mod plain;
mod run;
pub mod screen;
pub mod style;
mod sweep;
pub mod view;

pub use self::run::Run;
pub use self::screen::{restore, run};
pub use self::style::Theme;

/// How the dashboard looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Only ASCII: for fonts without braille and locales where circled digits are wide.
    pub ascii: bool,
    /// The terminal's background.
    pub theme: Theme,
    /// No colour at all.
    pub no_color: bool,
    /// Whether the run is somebody else's, or over: leaving the screen leaves it alone.
    pub guest: bool,
}

/// The user wants to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quit {
    /// `q`: end the run in order.
    Asked,
    /// Ctrl-C once: the same, and the screen stays until it has ended.
    Interrupt,
    /// Ctrl-C twice: leave at once.
    AtOnce,
}
