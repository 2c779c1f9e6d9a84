//! The newest events.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};

use super::super::events::{role, sentence};
use super::super::frame::{framed, line};
use super::super::page::{Page, Target};
use super::super::put;
use crate::figures::{cut, load_clock, width};
use crate::model::Model;
use crate::plain::kind;
use crate::style::Role;

pub(super) fn draw(model: &Model, title: impl Fn(&str) -> Line<'static>, area: Rect, page: &mut Page) {
    let look = &model.look;
    let inner = framed(look, title("events"), area, page);
    let events = model.run.events(model.at());
    let start = model.run.load_start();
    if events.is_empty() {
        put(page, inner.x, inner.y, " none yet", look.style(Role::Dim));
    }
    let newest = &events[events.len().saturating_sub(inner.height.into())..];
    for ((t, event), y) in newest.iter().zip(inner.top()..inner.bottom()) {
        let digits = if inner.width >= 100 { 3 } else { 1 };
        let time = format!(" {:>cells$} ", load_clock(*t, start, digits), cells = 6 + digits);
        let word = format!("{:<6} ", kind(event.what));
        let room = usize::from(inner.width).saturating_sub(width(&time) + 7);
        let pieces = vec![
            Piece::styled(time, look.style(Role::Dim)),
            Piece::styled(word, look.style(role(event))),
            Piece::raw(cut(&sentence(look, event), room, look.ascii)),
        ];
        line(pieces, inner.x, y, inner.width, page);
        page.answers(Rect { y, height: 1, ..inner }, Target::Moment(*t));
    }
}
