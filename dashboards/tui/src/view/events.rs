//! What happened, to be searched; Enter goes there.

use ratatui::layout::{Constraint, Layout, Rect};
use record::{Event, EventKind};

use super::frame::{foot, framed, titled};
use super::page::Page;
use super::table::{Column, Row, Table};
use super::{is_low, put};
use crate::figures::{load_clock, number, width, wrap};
use crate::model::Model;
use crate::plain::kind;
use crate::style::{Look, Role};

const COLUMNS: &[Column] =
    &[Column::words("time", 9, 0), Column::words("kind", 6, 0), Column::rest("what", 12)];

/// Cells of a row that are not its sentence's: frame, sign, time, kind and the gaps between them.
const FIXED: usize = 2 + 2 + 9 + 1 + 6 + 1;

/// The events that pass the filter, with their moments.
pub(super) fn rows(model: &Model) -> Vec<&(u64, Event)> {
    let passes = |(_, event): &&(u64, Event)| {
        model.events.passes(&format!("{} {}", kind(event.what), sentence(&model.look, event)))
    };
    model.run.events(model.at()).iter().filter(passes).collect()
}

/// When the event chosen happened.
pub(super) fn chosen(model: &Model) -> Option<u64> {
    let rows = rows(model);
    rows.get(model.events.at(rows.len(), true)).map(|(t, _)| *t)
}

pub(super) fn draw(model: &Model, area: Rect, page: &mut Page) {
    let look = &model.look;
    let rows = rows(model);
    let chosen = model.events.at(rows.len(), true);
    // What finds no room in its row is told whole below it.
    let whole = rows.get(chosen).map(|(_, event)| sentence(look, event)).unwrap_or_default();
    let room = usize::from(area.width).saturating_sub(FIXED);
    let lines = if width(&whole) > room {
        wrap(&whole, usize::from(area.width).saturating_sub(4))
    } else {
        Vec::new()
    };
    let below =
        if lines.is_empty() || is_low(area) { 0 } else { (lines.len() as u16 + 2).min(area.height / 2) };
    let [upper, lower]: [Rect; 2] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(area);
    if below > 0 {
        let inner = framed(look, titled(look, "the one chosen"), lower, page);
        for (line, y) in lines.iter().zip(inner.top()..inner.bottom()) {
            put(page, inner.x + 1, y, line, look.style(Role::Text));
        }
    }
    let all = model.run.events(model.at()).len();
    let title = match model.events.filter.as_str() {
        "" => format!("{all} events"),
        filter => format!("{} of {all} events with `{filter}`", rows.len()),
    };
    let inner = if is_low(area) { area } else { framed(look, titled(look, &title), upper, page) };
    let start = model.run.load_start();
    let cells = |(t, event): &&(u64, Event)| {
        Row::Cells(vec![
            (load_clock(*t, start, 3), Role::Dim),
            (kind(event.what).to_owned(), role(event)),
            (sentence(look, event), Role::Text),
        ])
    };
    let mut shown: Vec<Row> = rows.iter().map(cells).collect();
    if shown.is_empty() {
        let text = if all == 0 { " none yet" } else { " none with this text; Esc shows all" };
        shown.push(Row::Text(text.into(), Role::Dim));
    }
    Table { columns: COLUMNS, rows: &shown, chosen, sort: None, before: 0 }.draw(look, inner, page);
    if !is_low(area) && model.cursor.is_some() {
        foot(look, "up to the moment shown; g shows all there are", Role::Dim, upper, page);
    }
}

/// What an event means.
pub(super) const fn role(event: &Event) -> Role {
    match event.what {
        EventKind::Fault => Role::Fault,
        EventKind::Health | EventKind::Break | EventKind::Check => Role::Warn,
        EventKind::Scale | EventKind::Deploy => Role::Strong,
        EventKind::Log => Role::Dim,
    }
}

/// Number, sentence, and what it hit in every arm.
pub(super) fn sentence(look: &Look, event: &Event) -> String {
    let number = if event.number > 0 { number(event.number, look.ascii) + " " } else { String::new() };
    let targets: String = event.targets.iter().map(|(arm, target)| format!("  {arm} {target}")).collect();
    format!("{number}{}{targets}", event.text)
}
