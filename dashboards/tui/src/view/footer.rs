//! The last row: what the keys of this place will do, help first; or what the last one did.

use ratatui::layout::Rect;
use ratatui::text::Span as Piece;

use super::frame;
use super::page::{Page, Target};
use super::put;
use crate::figures::{cut, width};
use crate::keymap::{Action, Binding, KEYS};
use crate::model::{Model, Over, Solo};
use crate::style::{Look, Role};
use crate::tab::Tab;

/// How a binding is written.
pub(super) fn written(look: &Look, binding: &Binding) -> &'static str {
    look.either(binding.shown, binding.shown_ascii)
}

/// As many hints as fit.
pub(super) fn draw(model: &Model, area: Rect, page: &mut Page) {
    let look = &model.look;
    let room = usize::from(area.width);
    if let (Over::Typing, Some(list)) = (model.over, model.list()) {
        let text = format!(" /{}{}  Enter keeps it, Esc drops it", list.filter, look.either("▏", "_"));
        put(page, area.x, area.y, &cut(&text, room, look.ascii), look.style(Role::Strong));
        return;
    }
    if !model.status.is_empty() {
        let text = format!(" {}", model.status);
        put(page, area.x, area.y, &cut(&text, room, look.ascii), look.style(Role::Strong));
        return;
    }
    let mut pieces = Vec::new();
    let mut used = 0;
    for binding in KEYS.iter().filter(|binding| binding.within & model.context() != 0) {
        let hint = hint(model, binding);
        if hint.is_empty() {
            continue;
        }
        let key = format!(" {}", written(look, binding));
        let hint = format!(" {hint} ");
        let cells = width(&key) + width(&hint);
        if used + cells > room {
            break;
        }
        let place = Rect { x: area.x + used as u16, width: cells as u16, ..area };
        page.answers(place, Target::Act(binding.action));
        pieces.push(Piece::styled(key, look.style(Role::Strong)));
        pieces.push(Piece::styled(hint, look.style(Role::Dim)));
        used += cells;
    }
    frame::line(pieces, area.x, area.y, area.width, page);
}

/// What a key does here and now; empty where it would do nothing.
fn hint(model: &Model, binding: &Binding) -> &'static str {
    let arms = model.run.letters().len();
    match binding.action {
        Action::Pause if model.cursor.is_some() => "resume",
        Action::NextArm if arms < 3 => "",
        Action::Solo if arms < 2 => "",
        Action::Solo if model.solo == Solo::First => "other arm",
        Action::Solo if model.solo == Solo::Other => "both arms",
        Action::Pace(_) if model.pace.is_none() => "",
        Action::Open if model.tab == Tab::Live && model.live.alone => "all panels",
        Action::Close if is_in(model) => "back",
        Action::Scale if model.live.other_scale => "own scale",
        _ => binding.hint,
    }
}

/// Whether Esc leads out of something on this tab.
fn is_in(model: &Model) -> bool {
    let list = model.list().is_some_and(|list| list.open || !list.filter.is_empty());
    let trace = model.tab == Tab::Traces && model.traces.shown.is_some();
    let panel = model.tab == Tab::Live && model.live.alone;
    model.over == Over::Nothing && (list || trace || panel)
}
