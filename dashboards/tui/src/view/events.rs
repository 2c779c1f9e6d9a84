//! What happened, the newest last.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::Widget;
use record::{Event, EventKind};

use super::{framed, titled};
use crate::figures::{cut, load_clock, number};
use crate::model::Model;
use crate::plain::kind;
use crate::style::Role;

pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let look = &model.look;
    let inner = framed(look, titled(look, "events"), area, buffer);
    let events = model.run.events(model.at());
    let start = model.run.header.as_deref().map_or(0, |header| header.load_start_ns);
    if events.is_empty() {
        super::put(buffer, inner.x, inner.y, " none yet", look.style(Role::Dim));
    }
    let newest = &events[events.len().saturating_sub(inner.height.into())..];
    for ((t, event), y) in newest.iter().zip(inner.top()..) {
        let digits = if inner.width >= 100 { 3 } else { 1 };
        let time = format!(" {:>digits$} ", load_clock(*t, start, digits), digits = 6 + digits);
        let word = format!("{:<6} ", kind(event.what));
        let room = usize::from(inner.width).saturating_sub(crate::figures::width(&time) + 7);
        Line::from(vec![
            Piece::styled(time, look.style(Role::Dim)),
            Piece::styled(word, look.style(role(event))),
            Piece::raw(cut(&text(model, event), room, look.ascii)),
        ])
        .render(Rect { y, height: 1, ..inner }, buffer);
    }
}

fn role(event: &Event) -> Role {
    match event.what {
        EventKind::Fault => Role::Fault,
        EventKind::Health | EventKind::Break | EventKind::Check => Role::Warn,
        EventKind::Scale | EventKind::Deploy => Role::Strong,
        EventKind::Log => Role::Dim,
    }
}

/// Number, sentence, and what it hit in every arm.
fn text(model: &Model, event: &Event) -> String {
    let number = if event.number > 0 { number(event.number, model.look.ascii) + " " } else { String::new() };
    let targets: String = event.targets.iter().map(|(arm, target)| format!("  {arm} {target}")).collect();
    format!("{number}{}{targets}", event.text)
}
