//! Clicks and the wheel. What a cell answers to is the view's to say, which draws it.

use super::{Cmd, hit, rows};
use crate::model::{Model, Over};
use crate::view;

/// Rows a step of the wheel moves.
const WHEEL: isize = 3;

pub(super) fn click(model: &mut Model, x: u16, y: u16) -> Vec<Cmd> {
    model.status.clear();
    // What lies over a tab is left by a click beside what it offers.
    match view::target(model, x, y) {
        Some(target) => hit(model, target),
        None if matches!(model.over, Over::Help | Over::Leave) => {
            model.over = Over::Nothing;
            vec![Cmd::Draw]
        }
        None => Vec::new(),
    }
}

pub(super) fn wheel(model: &mut Model, down: bool) -> Vec<Cmd> {
    // Nothing scrolls there.
    if model.over != Over::Help && model.list().is_none() {
        return Vec::new();
    }
    rows::step(model, if down { WHEEL } else { -WHEEL });
    vec![Cmd::Draw]
}
