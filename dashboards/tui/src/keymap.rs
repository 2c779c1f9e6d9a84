//! One table of keys: dispatch, the footer and the help overlay are all drawn from it.

use crossterm::event::{KeyCode, KeyModifiers};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Shows or hides the keys.
    Help,
    /// Stops or resumes the view, not the run.
    Pause,
    /// One second back.
    Back,
    /// One second on.
    Forward,
    /// Ten seconds back.
    FarBack,
    /// Ten seconds on.
    FarForward,
    /// Shows what happens now.
    Live,
    /// The next arm to compare with A.
    NextArm,
    /// Where only one arm fits: the other one.
    Swap,
    /// Ends the run in order.
    Quit,
    /// Interrupts it; a second time leaves at once.
    Interrupt,
}

/// A key with what it does.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The key.
    pub key: KeyCode,
    /// With these held.
    pub with: KeyModifiers,
    /// How it is written; empty for a further key of the same action.
    pub shown: &'static str,
    /// In ASCII.
    pub shown_ascii: &'static str,
    /// A word for the footer.
    pub hint: &'static str,
    /// A sentence for the help: what will happen.
    pub help: &'static str,
    /// What it asks for.
    pub action: Action,
}

const fn key(
    key: KeyCode,
    shown: &'static str,
    hint: &'static str,
    help: &'static str,
    action: Action,
) -> Binding {
    Binding { key, with: KeyModifiers::NONE, shown, shown_ascii: shown, hint, help, action }
}

const fn also(key: KeyCode, action: Action) -> Binding {
    Binding { key, with: KeyModifiers::NONE, shown: "", shown_ascii: "", hint: "", help: "", action }
}

/// Every key there is. `? help` is first: a narrow footer never loses it.
pub const KEYS: &[Binding] = &[
    key(KeyCode::Char('?'), "?", "help", "shows these keys; again, or Esc, hides them", Action::Help),
    Binding {
        shown_ascii: "spc",
        ..key(
            KeyCode::Char(' '),
            "␣",
            "pause",
            "pauses the view; the run and its record go on",
            Action::Pause,
        )
    },
    Binding {
        shown_ascii: "<-",
        ..key(KeyCode::Left, "←", "back", "pauses and steps one second back; with Shift ten", Action::Back)
    },
    Binding {
        shown_ascii: "->",
        ..key(KeyCode::Right, "→", "on", "steps one second on; with Shift ten", Action::Forward)
    },
    key(KeyCode::Char('g'), "g", "live", "shows what happens now", Action::Live),
    key(KeyCode::Char('c'), "c", "arm", "compares A with the next of the other arms", Action::NextArm),
    key(KeyCode::Char('s'), "s", "swap", "shows the other arm where only one fits", Action::Swap),
    key(KeyCode::Char('q'), "q", "quit", "ends the run in order and leaves the dashboard", Action::Quit),
    Binding {
        with: KeyModifiers::CONTROL,
        ..key(
            KeyCode::Char('c'),
            "Ctrl-C",
            "",
            "interrupts the run; a second time leaves at once",
            Action::Interrupt,
        )
    },
    also(KeyCode::Char('h'), Action::Back),
    also(KeyCode::Char('l'), Action::Forward),
    also(KeyCode::End, Action::Live),
    Binding { with: KeyModifiers::SHIFT, ..also(KeyCode::Left, Action::FarBack) },
    Binding { with: KeyModifiers::SHIFT, ..also(KeyCode::Right, Action::FarForward) },
];

/// What a key press asks for, if anything. Shift is part of a character already.
pub fn action(code: KeyCode, modifiers: KeyModifiers) -> Option<Action> {
    let held = modifiers & (KeyModifiers::CONTROL | KeyModifiers::SHIFT | KeyModifiers::ALT);
    let held = if matches!(code, KeyCode::Char(_)) { held - KeyModifiers::SHIFT } else { held };
    KEYS.iter().find(|binding| binding.key == code && binding.with == held).map(|binding| binding.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things() {
        for (i, one) in KEYS.iter().enumerate() {
            for other in &KEYS[i + 1..] {
                assert!((one.key, one.with) != (other.key, other.with), "{:?} is bound twice", one.key);
            }
        }
    }

    #[test]
    fn ctrl_c_is_not_c() {
        assert_eq!(action(KeyCode::Char('c'), KeyModifiers::NONE), Some(Action::NextArm));
        assert_eq!(action(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Action::Interrupt));
        assert_eq!(action(KeyCode::Char('?'), KeyModifiers::SHIFT), Some(Action::Help));
        assert_eq!(action(KeyCode::Char('q'), KeyModifiers::ALT), None);
    }
}
