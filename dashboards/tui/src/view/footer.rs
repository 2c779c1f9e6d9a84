//! The last row: what the keys of this place will do, help first; or what the last one did.

use ratatui::layout::Rect;
use ratatui::text::Span as Piece;

use super::frame;
use super::page::{Page, Target};
use super::put;
use crate::keymap::{Action, Binding, KEYS};
use crate::state::{Overlay, Solo, State};
use crate::style::{Role, Theme};
use crate::tab::Tab;
use crate::text::{cut, width};

/// How a binding is written.
pub(super) fn written(theme: &Theme, binding: &Binding) -> &'static str {
    theme.either(binding.shown, binding.shown_ascii)
}

/// As many hints as fit.
pub(super) fn draw(state: &State, area: Rect, page: &mut Page) {
    let theme = &state.theme;
    let room = usize::from(area.width);
    if let (Overlay::Typing, Some(list)) = (state.overlay, state.list()) {
        let text = format!(" /{}{}  Enter keeps it, Esc drops it", list.filter, theme.either("▏", "_"));
        put(page, area.x, area.y, &cut(&text, room, theme.ascii), theme.style(Role::Strong));
        return;
    }
    if !state.status.is_empty() {
        let text = format!(" {}", state.status);
        put(page, area.x, area.y, &cut(&text, room, theme.ascii), theme.style(Role::Strong));
        return;
    }
    let mut pieces = Vec::new();
    let mut used = 0;
    for binding in KEYS.iter().filter(|binding| binding.within & state.context() != 0) {
        let hint = hint(state, binding);
        if hint.is_empty() {
            continue;
        }
        let key = format!(" {}", written(theme, binding));
        let hint = format!(" {hint} ");
        let cells = width(&key) + width(&hint);
        if used + cells > room {
            break;
        }
        let place = Rect { x: area.x + used as u16, width: cells as u16, ..area };
        page.answers(place, Target::Act(binding.action));
        pieces.push(Piece::styled(key, theme.style(Role::Strong)));
        pieces.push(Piece::styled(hint, theme.style(Role::Dim)));
        used += cells;
    }
    frame::line(pieces, area.x, area.y, area.width, page);
}

/// What a key does here and now; empty where it would do nothing.
fn hint(state: &State, binding: &Binding) -> &'static str {
    let arms = state.run.letters().len();
    match binding.action {
        Action::Pause if state.cursor.is_some() => "resume",
        Action::NextArm if arms < 3 => "",
        Action::Solo if arms < 2 => "",
        Action::Solo if state.solo == Solo::First => "other arm",
        Action::Solo if state.solo == Solo::Other => "both arms",
        Action::Pace(_) if state.pace.is_none() => "",
        Action::Jaeger if !state.run.is_in_jaeger() => "",
        Action::Open if state.tab == Tab::Live && state.live.alone => "all panels",
        Action::Close if is_in(state) => "back",
        Action::Scale if state.live.other_scale => "own scale",
        _ => binding.hint,
    }
}

/// Whether Esc leads out of something on this tab.
fn is_in(state: &State) -> bool {
    let list = state.list().is_some_and(|list| list.open || !list.filter.is_empty());
    let trace = state.tab == Tab::Traces && state.traces.shown.is_some();
    let panel = state.tab == Tab::Live && state.live.alone;
    state.overlay == Overlay::Nothing && (list || trace || panel)
}
