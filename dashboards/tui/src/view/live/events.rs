//! The newest events.

use model::events::kind_name;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};

use super::super::events::{role, sentence};
use super::super::frame::{framed, line};
use super::super::page::{Page, Target};
use super::super::put;
use crate::state::State;
use crate::style::Role;
use crate::text::{cut, load_clock, width};

pub(super) fn draw(state: &State, title: impl Fn(&str) -> Line<'static>, area: Rect, page: &mut Page) {
    let theme = &state.theme;
    let inner = framed(theme, title("events"), area, page);
    let events = state.run.events_until(state.at());
    let start = state.run.load_start();
    if events.is_empty() {
        put(page, inner.x, inner.y, " none yet", theme.style(Role::Dim));
    }
    let newest = &events[events.len().saturating_sub(inner.height.into())..];
    for ((t, event), y) in newest.iter().zip(inner.top()..inner.bottom()) {
        let digits = if inner.width >= 100 { 3 } else { 1 };
        let time = format!(" {:>cells$} ", load_clock(*t, start, digits), cells = 6 + digits);
        let word = format!("{:<6} ", kind_name(event.what));
        let room = usize::from(inner.width).saturating_sub(width(&time) + 7);
        let pieces = vec![
            Piece::styled(time, theme.style(Role::Dim)),
            Piece::styled(word, theme.style(role(event))),
            Piece::raw(cut(&sentence(theme, event), room, theme.ascii)),
        ];
        line(pieces, inner.x, y, inner.width, page);
        page.answers(Rect { y, height: 1, ..inner }, Target::Moment(*t));
    }
}
