//! What a simulation predicts beside the measurement: a sentence, since no record holds a prediction.

use ratatui::layout::Rect;

use super::frame::{framed, titled};
use super::page::Page;
use super::{is_low, put};
use crate::state::State;
use crate::style::Role;
use crate::text::wrap;

/// No line of a record holds a prediction: the sentence is true of every record there is.
const SENTENCE: &str = "This record holds no prediction: no simulation was run beside it.";
const WILL: &str = "Where one was, each arm's predicted curve stands here beside the measured one, with its error, and \
                    sizes that no machine here can run.";

pub(super) fn draw(state: &State, area: Rect, page: &mut Page) {
    let theme = &state.theme;
    let inner = if is_low(area) {
        area
    } else {
        framed(theme, titled(theme, "predicted against measured"), area, page)
    };
    let room = usize::from(inner.width.saturating_sub(2)).min(100);
    let lines = [(SENTENCE, Role::Text), (WILL, Role::Dim)];
    let rows =
        lines.into_iter().flat_map(|(text, role)| wrap(text, room).into_iter().map(move |line| (line, role)));
    for ((line, role), y) in rows.zip(inner.top()..inner.bottom()) {
        put(page, inner.x + 1, y, &line, theme.style(role));
    }
}
