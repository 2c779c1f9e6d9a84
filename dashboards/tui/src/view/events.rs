//! What happened, to be searched; Enter goes there.

use std::borrow::Cow;

use model::events::kind_name;
use ratatui::layout::{Constraint, Layout, Rect};
use record::{Event, EventKind};

use super::frame::{foot, framed, titled};
use super::page::Page;
use super::table::{Column, Row, Table};
use super::{header, is_low, put};
use crate::state::State;
use crate::style::{Role, Theme};
use crate::text::{load_clock, number, width, wrap};

const COLUMNS: &[Column] =
    &[Column::words("time", 9, 0), Column::words("kind", 6, 0), Column::rest("what", 12)];

/// Cells of a row that are not its sentence's: frame, sign, time, kind and the gaps between them.
const FIXED: usize = 2 + 2 + 9 + 1 + 6 + 1;

/// The events that pass the filter, with their moments; the last of a run that decides nothing is why.
pub(super) fn rows(state: &State) -> Vec<Cow<'_, (u64, Event)>> {
    let passes = |row: &Cow<'_, (u64, Event)>| {
        let event = &row.1;
        state.events.passes(&format!("{} {}", kind_name(event.what), sentence(&state.theme, event)))
    };
    all(state).filter(passes).collect()
}

fn all(state: &State) -> impl Iterator<Item = Cow<'_, (u64, Event)>> {
    let reason = |text| {
        let (active, mark, targets) = Default::default();
        Cow::Owned((state.run.now, Event { number: 0, what: EventKind::Check, active, mark, targets, text }))
    };
    let events = state.run.events_until(state.at()).iter().map(Cow::Borrowed);
    events.chain(header::reason_of(state).map(reason))
}

/// When the event chosen happened.
pub(super) fn chosen(state: &State) -> Option<u64> {
    let rows = rows(state);
    rows.get(state.events.at(rows.len(), true)).map(|row| row.0)
}

pub(super) fn draw(state: &State, area: Rect, page: &mut Page) {
    let theme = &state.theme;
    let rows = rows(state);
    let chosen = state.events.at(rows.len(), true);
    // What finds no room in its row is shown whole below it.
    let whole = rows.get(chosen).map(|row| sentence(theme, &row.1)).unwrap_or_default();
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
        let inner = framed(theme, titled(theme, "the event chosen"), lower, page);
        for (line, y) in lines.iter().zip(inner.top()..inner.bottom()) {
            put(page, inner.x + 1, y, line, theme.style(Role::Text));
        }
    }
    let all = all(state).count();
    let title = match state.events.filter.as_str() {
        "" if all == 1 => "1 event".to_owned(),
        "" => format!("{all} events"),
        filter => format!("{} of {all} events with `{filter}`", rows.len()),
    };
    let inner = if is_low(area) { area } else { framed(theme, titled(theme, &title), upper, page) };
    let start = state.run.load_start();
    let cells = |row: &Cow<'_, (u64, Event)>| {
        let (t, event) = (row.0, &row.1);
        Row::Cells(vec![
            (load_clock(t, start, 3), Role::Dim),
            (kind_name(event.what).to_owned(), role(event)),
            (sentence(theme, event), Role::Text),
        ])
    };
    let mut shown: Vec<Row> = rows.iter().map(cells).collect();
    if shown.is_empty() {
        let text = if all == 0 { " none yet" } else { " none with this text; Esc shows all" };
        shown.push(Row::Text(text.into(), Role::Dim));
    }
    Table { columns: COLUMNS, rows: &shown, chosen, sort: None, before: 0 }.draw(theme, inner, page);
    if !is_low(area) && state.cursor.is_some() {
        foot(theme, "up to the moment shown; g shows all there are", Role::Dim, upper, page);
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
pub(super) fn sentence(theme: &Theme, event: &Event) -> String {
    let number = if event.number > 0 { number(event.number, theme.ascii) + " " } else { String::new() };
    let targets: String = event.targets.iter().map(|(arm, target)| format!("  {arm} {target}")).collect();
    format!("{number}{}{targets}", event.text)
}
