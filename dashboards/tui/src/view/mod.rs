//! The screen as a pure function of the state: one file or folder a tab.
//!
//! - [`live`], [`map`], [`score`], [`traces`], [`procs`], [`events`]: the tabs.
//! - [`startup`]: before there is anything for them. [`header`], [`tabs`], [`footer`]: the rows around them. [`help`], [`leave`]: what lies over them.
//! - [`page`]: what is drawn on, and what answers to a click. [`table`], [`graph`], [`canvas`], [`frame`]: parts.
//!
//! What keys need to know of a screen (how many rows a list has, which one is chosen) is found here too, so that
//! only a tab's own file knows its rows.

mod canvas;
mod events;
mod footer;
mod frame;
mod graph;
mod header;
mod help;
mod leave;
mod live;
mod map;
mod page;
mod procs;
mod score;
mod startup;
mod table;
mod tabs;
mod traces;

use std::sync::Arc;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use record::Trace;

use self::canvas::put;
use self::page::Page;
pub(crate) use self::page::{Target, text, visible};
use crate::state::{Overlay, Panel, State};
use crate::style::Role;
use crate::tab::Tab;

/// From here on everything is shown.
const WIDE: (u16, u16) = (120, 36);
/// Below, one arm at a time.
pub(crate) const TWO_ARMS: u16 = 80;
/// Fewer rows hold a header, a sparkline per arm and a line of the score; a list without its frame.
const PANELS: u16 = 12;
/// Anything smaller than this is one line of text.
const SMALLEST: (u16, u16) = (40, 6);

/// Draws the state; never fails, at any size.
pub fn view(state: &State, frame: &mut Frame) {
    let area = frame.area();
    draw(state, area, &mut Page::new(frame.buffer_mut()));
    if state.theme.ascii {
        // Figures are written once for every view: only the terminal knows that it has no `µ`.
        for cell in &mut frame.buffer_mut().content {
            if cell.symbol() == "µ" {
                cell.set_symbol("u");
            }
        }
    }
}

fn draw(state: &State, area: Rect, page: &mut Page) {
    if area.is_empty() {
        return;
    }
    page.set_style(area, state.theme.style(Role::Text));
    if !state.run.has_begun() || state.shown().is_none() {
        startup::draw(state, area, page);
    } else if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        header::one_line(state, area, page);
    } else {
        header::draw(state, area, page);
        tabs::draw(state, Rect { y: area.y + 1, height: 1, ..area }, page);
        // On a screen of few rows the live tab's last line is worth more than hints.
        let sparklines = state.tab == Tab::Live && area.height < PANELS;
        let hints = u16::from(!sparklines || !state.status.is_empty());
        let below = Rect { y: area.y + 2, height: area.height - 2 - hints, ..area };
        let mark = header::mark(state, below, page);
        let below = Rect { y: below.y + mark, height: below.height - mark, ..below };
        let reason = header::reason(state, below, page);
        body(state, Rect { y: below.y + reason, height: below.height - reason, ..below }, page);
        if hints > 0 {
            footer::draw(state, Rect { y: area.bottom() - 1, height: 1, ..area }, page);
        }
    }
    match state.overlay {
        Overlay::Help => help::draw(state, area, page),
        Overlay::Leave => leave::draw(state, area, page),
        Overlay::Nothing | Overlay::Typing => {}
    }
}

fn body(state: &State, area: Rect, page: &mut Page) {
    match state.tab {
        Tab::Live => live::draw(state, area, page),
        Tab::Map => map::draw(state, area, page),
        Tab::Score => score::draw(state, area, page),
        Tab::Traces => traces::draw(state, area, page),
        Tab::Procs => procs::draw(state, area, page),
        Tab::Events => events::draw(state, area, page),
    }
}

/// Whether there is no room for frames.
const fn is_low(area: Rect) -> bool {
    area.height < PANELS - 3
}

/// Draws the state on a buffer of its own and reads it.
fn drawn<R>(state: &State, read: impl FnOnce(&Page, Rect) -> R) -> R {
    let area = Rect::new(0, 0, state.size.0, state.size.1);
    let mut buffer = Buffer::empty(area);
    let mut page = Page::new(&mut buffer);
    draw(state, area, &mut page);
    read(&page, area)
}

/// The screen as a buffer: what a screenshot is made of.
pub(crate) fn screen(state: &State) -> Buffer {
    let area = Rect::new(0, 0, state.size.0, state.size.1);
    let mut buffer = Buffer::empty(area);
    draw(state, area, &mut Page::new(&mut buffer));
    buffer
}

/// What a cell answers to.
pub(crate) fn target(state: &State, x: u16, y: u16) -> Option<Target> {
    drawn(state, |page, _| page.target(x, y))
}

/// The live tab's panels on this screen.
pub(crate) fn panels(state: &State) -> Vec<Panel> {
    drawn(state, |page, _| page.panels())
}

/// The text to copy: the focused panel's, or all of a tab without panels.
pub(crate) fn focused_text(state: &State) -> String {
    drawn(state, |page, area| {
        let focused =
            (state.tab == Tab::Live).then(|| page.place_of(state.live.focus.unwrap_or_default())).flatten();
        page.text(focused.unwrap_or(area))
    })
}

/// Rows that can be chosen.
pub(crate) fn count(state: &State) -> usize {
    match state.tab {
        Tab::Live => 0,
        Tab::Map => map::count(state),
        Tab::Score => score::count(state),
        Tab::Traces => traces::rows(state).len(),
        Tab::Procs => procs::count(state),
        Tab::Events => events::rows(state).len(),
    }
}

/// Columns a tab's rows can be sorted by.
pub(crate) fn sortable(tab: Tab) -> usize {
    match tab {
        Tab::Traces => traces::COLUMNS.len(),
        Tab::Procs => procs::COLUMNS.len(),
        _ => 0,
    }
}

/// Rows of the help.
pub(crate) fn help_rows(state: &State) -> usize {
    help::count(state)
}

/// The trace chosen, or shown whole.
pub(crate) fn chosen_trace(state: &State) -> Option<Arc<Trace>> {
    traces::chosen(state)
}

/// The component whose row is chosen on the map.
pub(crate) fn chosen_component(state: &State) -> Option<String> {
    map::chosen_component(state)
}

/// When the event chosen happened, ns since the run's start.
pub(crate) fn chosen_moment(state: &State) -> Option<u64> {
    events::chosen(state)
}

/// Ids of the terms of the tables' figures: a test looks each up in the glossary. Labels outside tables are looked up
/// where they are written.
pub fn figures_shown() -> Vec<&'static str> {
    let tables = [traces::COLUMNS, procs::COLUMNS, map::COLUMNS, score::CHECKS].concat();
    tables.iter().filter_map(|column| column.term).collect()
}
