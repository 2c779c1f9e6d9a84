//! The keys: a row at the bottom, and all of them on demand.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::{Clear, Widget};

use super::{framed, put, titled};
use crate::figures::{cut, left, width};
use crate::keymap::{Action, Binding, KEYS};
use crate::model::Model;
use crate::style::{Look, Role};

fn shown(look: &Look, binding: &Binding) -> &'static str {
    look.either(binding.shown, binding.shown_ascii)
}

/// As many hints as fit, help first.
pub(super) fn footer(model: &Model, area: Rect, buffer: &mut Buffer) {
    let look = &model.look;
    let arms = model.run.letters().len();
    let one = area.width < super::TWO_ARMS;
    let mut pieces = Vec::new();
    let mut used = 0;
    for binding in KEYS.iter().filter(|binding| !binding.hint.is_empty()) {
        let means_nothing = match binding.action {
            Action::NextArm => arms < 3,
            Action::Swap => !one || arms < 2,
            _ => false,
        };
        if means_nothing {
            continue;
        }
        let hint = match binding.action {
            Action::Pause if model.cursor.is_some() => "resume",
            _ => binding.hint,
        };
        let key = format!(" {}", shown(look, binding));
        let hint = format!(" {hint} ");
        used += width(&key) + width(&hint);
        if used > usize::from(area.width) {
            break;
        }
        pieces.push(Piece::styled(key, look.style(Role::Strong)));
        pieces.push(Piece::styled(hint, look.style(Role::Dim)));
    }
    Line::from(pieces).render(area, buffer);
}

/// What a key will do.
fn means(binding: &Binding, guest: bool) -> &'static str {
    match binding.action {
        Action::Quit | Action::Interrupt if guest => {
            "leaves the dashboard; the run and its record stay as they are"
        }
        _ => binding.help,
    }
}

/// A box over the middle with every key and what it will do.
pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    let look = &model.look;
    let bindings: Vec<&Binding> = KEYS.iter().filter(|binding| !binding.shown.is_empty()).collect();
    let notes = [
        "latencies: ms from the intended start; p50 of 1 s, p99 of 5 s, p99.9 of 30 s",
        "dim: too few samples, or still open; - no data; a gap: nothing was answered",
    ];
    let wide = 82.min(area.width);
    let high = (bindings.len() as u16 + notes.len() as u16 + 3).min(area.height);
    let area = Rect {
        x: area.x + (area.width - wide) / 2,
        y: area.y + (area.height - high) / 2,
        width: wide,
        height: high,
    };
    Clear.render(area, buffer);
    buffer.set_style(area, look.style(Role::Text));
    let inner = framed(look, titled(look, "keys"), area, buffer);
    let room = usize::from(inner.width);
    let rows = bindings
        .iter()
        .map(|binding| {
            (
                format!(" {} {}", left(shown(look, binding), 7, look.ascii), means(binding, model.guest)),
                Role::Text,
            )
        })
        .chain([(String::new(), Role::Text)])
        .chain(notes.iter().map(|note| (format!(" {note}"), Role::Dim)));
    for ((text, role), y) in rows.zip(inner.top()..inner.bottom()) {
        put(buffer, inner.x, y, &cut(&text, room, look.ascii), look.style(role));
    }
}
