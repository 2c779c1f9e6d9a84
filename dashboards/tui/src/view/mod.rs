//! The screen as a pure function of the model: one file or folder a tab.
//!
//! - [`live`], [`map`], [`score`], [`traces`], [`procs`], [`events`], [`predict`]: the tabs.
//! - [`header`], [`tabs`], [`footer`]: the rows around them. [`help`], [`leave`]: what lies over them.
//! - [`page`]: what is drawn on, and what answers to a click. [`table`], [`graph`], [`canvas`], [`frame`]: parts.
//!
//! What keys need to know of a screen (how many rows a list has, which one is chosen) is asked here too, so that
//! nobody but a tab's own file knows its rows.

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
mod predict;
mod procs;
mod score;
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
use crate::model::{Model, Over, Panel};
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

/// Draws the model; never fails, at any size.
pub fn view(model: &Model, frame: &mut Frame) {
    let area = frame.area();
    draw(model, area, &mut Page::new(frame.buffer_mut()));
}

fn draw(model: &Model, area: Rect, page: &mut Page) {
    if area.is_empty() {
        return;
    }
    page.set_style(area, model.look.style(Role::Text));
    if model.run.header.is_none() || model.shown().is_none() {
        put(page, area.x, area.y, " cleave: waiting for the run to begin", model.look.style(Role::Text));
    } else if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        header::one_line(model, area, page);
    } else {
        header::draw(model, area, page);
        tabs::draw(model, Rect { y: area.y + 1, height: 1, ..area }, page);
        // On a screen of few rows the live tab's last line is worth more than hints.
        let sparklines = model.tab == Tab::Live && area.height < PANELS;
        let hints = u16::from(!sparklines || !model.status.is_empty());
        body(model, Rect { y: area.y + 2, height: area.height - 2 - hints, ..area }, page);
        if hints > 0 {
            footer::draw(model, Rect { y: area.bottom() - 1, height: 1, ..area }, page);
        }
    }
    match model.over {
        Over::Help => help::draw(model, area, page),
        Over::Leave => leave::draw(model, area, page),
        Over::Nothing | Over::Typing => {}
    }
}

fn body(model: &Model, area: Rect, page: &mut Page) {
    match model.tab {
        Tab::Live => live::draw(model, area, page),
        Tab::Map => map::draw(model, area, page),
        Tab::Score => score::draw(model, area, page),
        Tab::Traces => traces::draw(model, area, page),
        Tab::Procs => procs::draw(model, area, page),
        Tab::Events => events::draw(model, area, page),
        Tab::Predict => predict::draw(model, area, page),
    }
}

/// Whether there is no room for frames.
const fn is_low(area: Rect) -> bool {
    area.height < PANELS - 3
}

/// Draws the model on a buffer of its own and asks about it.
fn drawn<R>(model: &Model, ask: impl FnOnce(&Page, Rect) -> R) -> R {
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    let mut buffer = Buffer::empty(area);
    let mut page = Page::new(&mut buffer);
    draw(model, area, &mut page);
    ask(&page, area)
}

/// The screen as a buffer: what a screenshot is made of.
pub(crate) fn screen(model: &Model) -> Buffer {
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    let mut buffer = Buffer::empty(area);
    draw(model, area, &mut Page::new(&mut buffer));
    buffer
}

/// What a cell answers to.
pub(crate) fn target(model: &Model, x: u16, y: u16) -> Option<Target> {
    drawn(model, |page, _| page.target(x, y))
}

/// The live tab's panels on this screen.
pub(crate) fn panels(model: &Model) -> Vec<Panel> {
    drawn(model, |page, _| page.panels())
}

/// The text somebody means who copies: the focused panel's, or all of a tab that has none.
pub(crate) fn focused_text(model: &Model) -> String {
    drawn(model, |page, area| {
        let focused =
            (model.tab == Tab::Live).then(|| page.place_of(model.live.focus.unwrap_or_default())).flatten();
        page.text(focused.unwrap_or(area))
    })
}

/// Rows that can be chosen.
pub(crate) fn count(model: &Model) -> usize {
    match model.tab {
        Tab::Live | Tab::Predict => 0,
        Tab::Map => map::count(model),
        Tab::Score => score::count(model),
        Tab::Traces => traces::rows(model).len(),
        Tab::Procs => procs::count(model),
        Tab::Events => events::rows(model).len(),
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
pub(crate) fn help_rows(model: &Model) -> usize {
    help::count(model)
}

/// The trace chosen, or shown whole.
pub(crate) fn chosen_trace(model: &Model) -> Option<Arc<Trace>> {
    traces::chosen(model)
}

/// The component whose row is chosen on the map.
pub(crate) fn chosen_component(model: &Model) -> Option<String> {
    map::chosen_component(model)
}

/// When the event chosen happened, ns since the run's start.
pub(crate) fn chosen_moment(model: &Model) -> Option<u64> {
    events::chosen(model)
}

/// Ids of the terms of the tables' figures: a test looks each up in the glossary. Labels outside tables are looked up
/// where they are written.
pub fn figures_shown() -> Vec<&'static str> {
    let tables = [traces::COLUMNS, procs::COLUMNS, map::COLUMNS, score::CHECKS].concat();
    tables.iter().filter_map(|column| column.term).collect()
}
