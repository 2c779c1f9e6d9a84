//! What is drawn on, and what of it answers to a click.

use std::ops::{Deref, DerefMut};

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect};

use crate::keymap::Action;
use crate::state::Panel;
use crate::text::width;

/// What a cell answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// As if its key was pressed.
    Act(Action),
    /// A row of the tab's list.
    Row(usize),
    /// A moment, ns since the run's start.
    Moment(u64),
    /// A panel of the live tab.
    Panel(Panel),
}

enum Hit {
    Target(Target),
    /// A stretch of time from left to right, ns since the run's start.
    Stretch(u64, u64),
}

/// A buffer, and beside it what was drawn where.
pub(super) struct Page<'a> {
    buffer: &'a mut Buffer,
    hits: Vec<(Rect, Hit)>,
    panels: Vec<(Rect, Panel)>,
}

impl Deref for Page<'_> {
    type Target = Buffer;

    fn deref(&self) -> &Buffer {
        self.buffer
    }
}

impl DerefMut for Page<'_> {
    fn deref_mut(&mut self) -> &mut Buffer {
        self.buffer
    }
}

impl<'a> Page<'a> {
    pub(super) fn new(buffer: &'a mut Buffer) -> Self {
        Self { buffer, hits: Vec::new(), panels: Vec::new() }
    }

    /// From here on `area` answers to a click.
    pub(super) fn answers(&mut self, area: Rect, target: Target) {
        self.hits.push((area, Hit::Target(target)));
    }

    /// From here on `area` is a stretch of time.
    pub(super) fn is_time(&mut self, area: Rect, from: u64, to: u64) {
        self.hits.push((area, Hit::Stretch(from, to)));
    }

    /// From here on `area` belongs to a panel, which can be focused.
    pub(super) fn is_panel(&mut self, area: Rect, panel: Panel) {
        self.panels.push((area, panel));
        self.answers(area, Target::Panel(panel));
    }

    /// Nothing drawn before answers any more: something lies over it.
    pub(super) fn covered(&mut self) {
        self.hits.clear();
    }

    /// What a cell answers to: what was drawn there last.
    pub(super) fn target(&self, x: u16, y: u16) -> Option<Target> {
        let (area, hit) = self.hits.iter().rfind(|(area, _)| area.contains(Position { x, y }))?;
        Some(match hit {
            Hit::Target(target) => *target,
            // The middle of the column's share.
            Hit::Stretch(from, to) => {
                let halves = u128::from(2 * (x - area.x) + 1);
                let after = halves * u128::from(to.saturating_sub(*from)) / (2 * u128::from(area.width));
                Target::Moment(from + u64::try_from(after).unwrap_or(u64::MAX))
            }
        })
    }

    /// The panels drawn, each once, in order.
    pub(super) fn panels(&self) -> Vec<Panel> {
        let mut panels: Vec<Panel> = Vec::new();
        for (_, panel) in &self.panels {
            if !panels.contains(panel) {
                panels.push(*panel);
            }
        }
        panels
    }

    /// Where a panel is: all of its parts together.
    pub(super) fn place_of(&self, panel: Panel) -> Option<Rect> {
        self.panels.iter().filter(|(_, of)| *of == panel).map(|(area, _)| *area).reduce(Rect::union)
    }

    /// The text in `area`, blanks at the ends of lines left out.
    pub(super) fn text(&self, area: Rect) -> String {
        text(self.buffer, area)
    }
}

/// The text in `area` of a buffer, blanks at the ends of lines left out.
pub(crate) fn text(buffer: &Buffer, area: Rect) -> String {
    let area = area.intersection(buffer.area);
    let row = |y| {
        let cells: Vec<&Cell> = (area.left()..area.right()).map(|x| &buffer[(x, y)]).collect();
        visible(cells).map(|(_, cell, _)| cell.symbol()).collect::<String>()
    };
    (area.top()..area.bottom()).map(|y| row(y).trim_end().to_owned() + "\n").collect()
}

/// The cells of a row that show something of their own, each with its column and how many it takes: behind a wide
/// character lies a cell that does not.
pub(crate) fn visible<'a>(
    row: impl IntoIterator<Item = &'a Cell>,
) -> impl Iterator<Item = (u32, &'a Cell, u32)> {
    let mut hidden = 0;
    (0..).zip(row).filter_map(move |(x, cell)| {
        if hidden > 0 {
            hidden -= 1;
            return None;
        }
        let cells = (width(cell.symbol()) as u32).max(1);
        hidden = cells - 1;
        Some((x, cell, cells))
    })
}
