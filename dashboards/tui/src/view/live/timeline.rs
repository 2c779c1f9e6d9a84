//! The plan of the run: phases to scale, steps by number, how far it is.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::frame::framed;
use super::super::header::bar;
use super::super::page::Page;
use super::super::put;
use crate::state::State;
use crate::style::Role;
use crate::text::{cut, number, width};

pub(super) fn draw(state: &State, title: impl Fn(&str) -> Line<'static>, area: Rect, page: &mut Page) {
    let theme = &state.theme;
    let header = &state.run.header;
    let inner = framed(theme, title("timeline"), area, page);
    if inner.height == 0 || inner.width < 4 {
        return;
    }
    let length = state.run.length_ns().max(1);
    let inner = Rect { x: inner.x + 1, width: inner.width - 2, ..inner };
    let column = |ns: u64| (u128::from(ns) * u128::from(inner.width) / u128::from(length)) as u16;
    let (at, now) = state.run.progress_at(state.at()).unwrap_or((0, 0));
    for (index, phase) in header.phases.iter().enumerate() {
        let (from, to) = (column(phase.start_ns), column(phase.start_ns + phase.length_ns));
        let room = usize::from(to.saturating_sub(from));
        let mark = if index == 0 { "" } else { theme.either("│", "|") };
        put(page, inner.x + from, inner.y, &cut(mark, room, theme.ascii), theme.style(Role::Frame));
        let role = match (index == now, phase.measure) {
            (true, _) => Role::Strong,
            (false, true) => Role::Text,
            (false, false) => Role::Dim,
        };
        let name = cut(&phase.name, room.saturating_sub(2), theme.ascii);
        put(page, inner.x + from + 1, inner.y, &name, theme.style(role));
    }
    // A click goes to the moment, in the round that is shown.
    if let Some(place) = state.shown().and_then(|(first, _)| state.run.position_at(first, state.at())) {
        page.is_time(inner, place.start, place.start + length);
    }
    let progress = bar(at as f64 / length as f64, inner.width.into(), theme.ascii);
    for step in &header.steps {
        let name = number(step.number, theme.ascii);
        let x = inner.x + column(step.start_ns).min(inner.width.saturating_sub(width(&name) as u16));
        let style = theme.style(if step.start_ns <= at { Role::Fault } else { Role::Dim });
        // On a phase's name the number would cut it: then it stands on the bar alone.
        if page.cell((x, inner.y)).is_some_and(|cell| cell.symbol() == " ") {
            put(page, x, inner.y, &name, style);
        }
    }
    if inner.height > 1 {
        put(page, inner.x, inner.y + 1, &progress, theme.style(Role::Text));
        for step in &header.steps {
            let name = number(step.number, theme.ascii);
            let x = inner.x + column(step.start_ns).min(inner.width.saturating_sub(width(&name) as u16));
            let style = theme.style(if step.start_ns <= at { Role::Fault } else { Role::Dim });
            put(page, x, inner.y + 1, &name, style);
        }
    }
    let steps: Vec<String> = header
        .steps
        .iter()
        .map(|step| format!("{} {}", number(step.number, theme.ascii), step.text))
        .collect();
    if !steps.is_empty() && area.width > 8 {
        let text = format!(" {} ", cut(&steps.join("  "), usize::from(area.width) - 8, theme.ascii));
        put(page, area.x + 2, area.bottom() - 1, &text, theme.style(Role::Fault));
    }
}
