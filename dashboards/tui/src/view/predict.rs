//! What a simulation says beside the measurement: nothing yet, and that is said.

use ratatui::layout::Rect;

use super::frame::{framed, titled};
use super::page::Page;
use super::{is_low, put};
use crate::figures::wrap;
use crate::model::Model;
use crate::style::Role;

/// No line of a record holds a prediction: the sentence is true of every record there is.
const SENTENCE: &str = "This record holds no prediction: no simulation was run beside it.";
const WILL: &str = "Where one was, each arm's predicted curve stands here beside the measured one, with its error, and \
                    sizes that no machine here can run.";

pub(super) fn draw(model: &Model, area: Rect, page: &mut Page) {
    let look = &model.look;
    let inner = if is_low(area) {
        area
    } else {
        framed(look, titled(look, "predicted against measured"), area, page)
    };
    let room = usize::from(inner.width.saturating_sub(2)).min(100);
    let lines = [(SENTENCE, Role::Text), (WILL, Role::Dim)];
    let rows =
        lines.into_iter().flat_map(|(text, role)| wrap(text, room).into_iter().map(move |line| (line, role)));
    for ((line, role), y) in rows.zip(inner.top()..inner.bottom()) {
        put(page, inner.x + 1, y, &line, look.style(role));
    }
}
