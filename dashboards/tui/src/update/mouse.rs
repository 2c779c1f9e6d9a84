//! Clicks and the wheel. The view that draws a cell knows what a click on it does.

use super::{Cmd, hit, rows};
use crate::state::{Overlay, State};
use crate::view;

/// Rows a step of the wheel moves.
const WHEEL: isize = 3;

pub(super) fn click(state: &mut State, x: u16, y: u16) -> Vec<Cmd> {
    state.status.clear();
    // What lies over a tab is left by a click beside what it offers.
    match view::target(state, x, y) {
        Some(target) => hit(state, target),
        None if matches!(state.overlay, Overlay::Help | Overlay::Leave) => {
            state.overlay = Overlay::Nothing;
            vec![Cmd::Draw]
        }
        None => Vec::new(),
    }
}

pub(super) fn wheel(state: &mut State, down: bool) -> Vec<Cmd> {
    // Nothing scrolls there.
    if state.overlay != Overlay::Help && state.list().is_none() {
        return Vec::new();
    }
    rows::step(state, if down { WHEEL } else { -WHEEL });
    vec![Cmd::Draw]
}
