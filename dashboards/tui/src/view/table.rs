//! Tables that scroll: columns that know what their figures are, rows of which one is chosen.

use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::page::{Page, Target};
use super::put;
use crate::list::first_shown;
use crate::style::{Role, Theme};
use crate::text::{cut, left, name_of, right, width};

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Id of its figures' term in the glossary; words have none.
    pub term: Option<&'static str>,
    /// What stands over words.
    words: &'static str,
    /// Cells it takes; the one that grows has the first of those that are left.
    cells: usize,
    grows: bool,
    right: bool,
    /// Where there is no room the highest goes first; 0 never goes.
    rank: u8,
}

impl Column {
    /// Figures of a term, on the right.
    pub(super) const fn figure(term: &'static str, cells: usize, rank: u8) -> Self {
        Self { term: Some(term), words: "", cells, grows: false, right: true, rank }
    }

    /// Words, on the left.
    pub(super) const fn words(head: &'static str, cells: usize, rank: u8) -> Self {
        Self { term: None, words: head, cells, grows: false, right: false, rank }
    }

    /// Values of many units, on the right.
    pub(super) const fn values(head: &'static str, cells: usize, rank: u8) -> Self {
        Self { term: None, words: head, cells, grows: false, right: true, rank }
    }

    /// Words that take what the longest needs, `cells` at least.
    pub(super) const fn rest(head: &'static str, cells: usize) -> Self {
        Self { term: None, words: head, cells, grows: true, right: false, rank: 0 }
    }

    /// The same, where there is room for it at all.
    pub(super) const fn rest_if_any(head: &'static str, cells: usize, rank: u8) -> Self {
        Self { rank, ..Self::rest(head, cells) }
    }

    /// What stands over it, as the glossary has it.
    pub(super) fn head(&self) -> &'static str {
        self.term.map_or(self.words, name_of)
    }
}

/// A row.
pub(super) enum Row {
    /// One that can be chosen: a cell a column.
    Cells(Vec<(String, Role)>),
    /// A line over or between them.
    Text(String, Role),
}

impl Row {
    /// Its text, for searches.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Cells(cells) => cells.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(" "),
            Self::Text(text, _) => text.clone(),
        }
    }
}

/// How many columns found no room, in words.
pub(super) fn more_columns(missing: usize) -> String {
    format!("{missing} more column{}", if missing == 1 { "" } else { "s" })
}

/// What is drawn how.
pub(super) struct Table<'a> {
    pub columns: &'a [Column],
    pub rows: &'a [Row],
    /// Which of the rows with cells is chosen.
    pub chosen: usize,
    /// The column rows are sorted by.
    pub sort: Option<usize>,
    /// Rows with cells that other tables of the tab have before.
    pub before: usize,
}

/// Cells between two columns, and before the first for the sign of the chosen row.
const GAP: usize = 1;
const SIGN: usize = 2;

impl Table<'_> {
    /// Columns that fit into `room` cells, by index, with their widths.
    fn fitting(&self, room: usize) -> Vec<(usize, usize)> {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let taken = |shown: &[usize]| {
            SIGN + shown.iter().map(|i| self.columns[*i].cells + GAP).sum::<usize>().saturating_sub(GAP)
        };
        while taken(&shown) > room {
            let least = shown
                .iter()
                .copied()
                .filter(|i| self.columns[*i].rank > 0)
                .max_by_key(|i| (self.columns[*i].rank, *i));
            let Some(least) = least else { break };
            shown.retain(|i| *i != least);
        }
        let mut spare = room.saturating_sub(taken(&shown));
        let mut widths: Vec<(usize, usize)> = shown.iter().map(|i| (*i, self.columns[*i].cells)).collect();
        // No column is wider than what it holds: figures stand beside what they are of, and the rest of a wide screen is blank.
        for grows in [true, false] {
            for (i, cells) in widths.iter_mut().filter(|(i, _)| self.columns[*i].grows == grows) {
                let more = self.widest(*i).saturating_sub(*cells).min(spare);
                *cells += more;
                spare -= more;
            }
        }
        widths
    }

    /// Cells of a column's longest words; figures have the room they need.
    fn widest(&self, column: usize) -> usize {
        if self.columns[column].right {
            return 0;
        }
        let cells = self.rows.iter().filter_map(|row| match row {
            Row::Cells(cells) => cells.get(column).map(|(text, _)| width(text)),
            Row::Text(..) => None,
        });
        cells.max().unwrap_or(0)
    }

    /// Heads in the first row, rows below it; returns how many columns found no room.
    pub(super) fn draw(&self, theme: &Theme, area: Rect, page: &mut Page) -> usize {
        if area.is_empty() {
            return 0;
        }
        let columns = self.fitting(area.width.into());
        self.heads(theme, &columns, area, page);
        let room = usize::from(area.height.saturating_sub(1));
        let is_cells = |row: &&Row| matches!(row, Row::Cells(_));
        let mut next = self.before;
        let numbered: Vec<(&Row, usize)> = self
            .rows
            .iter()
            .map(|row| {
                let number = next;
                next += usize::from(is_cells(&row));
                (row, number)
            })
            .collect();
        let place = numbered.iter().position(|(row, n)| is_cells(row) && *n == self.chosen).unwrap_or(0);
        let first = first_shown(place, numbered.len(), room);
        for ((row, number), y) in numbered.iter().skip(first).zip(area.y + 1..area.bottom()) {
            let line = Rect { y, height: 1, ..area };
            match row {
                Row::Text(text, role) => {
                    put(page, area.x, y, &cut(text, area.width.into(), theme.ascii), theme.style(*role));
                }
                Row::Cells(cells) => {
                    self.cells(theme, &columns, cells, line, page);
                    page.answers(line, Target::Row(*number));
                    if *number == self.chosen {
                        put(page, area.x, y, theme.either("▸", ">"), theme.style(Role::Strong));
                        page.set_style(line, Modifier::REVERSED);
                    }
                }
            }
        }
        // A sign counts the rows below.
        let below = numbered.len().saturating_sub(first + room);
        if below > 0 && room > 1 && area.width > 12 {
            let text = format!(" {}{below} ", theme.either("↓", "v"));
            let x = area.right().saturating_sub(width(&text) as u16);
            put(page, x, area.bottom() - 1, &text, theme.style(Role::Dim));
        }
        self.columns.len() - columns.len()
    }

    fn heads(&self, theme: &Theme, columns: &[(usize, usize)], area: Rect, page: &mut Page) {
        let mut x = area.x + SIGN as u16;
        for (i, cells) in columns.iter().filter(|(_, cells)| *cells > 0) {
            let column = &self.columns[*i];
            let sorted = self.sort == Some(*i);
            let sign = if sorted { theme.either("▾", "v") } else { "" };
            let head = format!("{}{sign}", column.head());
            let head = if column.right { right(&head, *cells) } else { left(&head, *cells, theme.ascii) };
            let role = if sorted { Role::Strong } else { Role::Dim };
            if x < area.right() {
                put(page, x, area.y, &cut(&head, (area.right() - x).into(), theme.ascii), theme.style(role));
            }
            x = x.saturating_add((*cells + GAP) as u16);
        }
    }

    fn cells(
        &self,
        theme: &Theme,
        columns: &[(usize, usize)],
        cells: &[(String, Role)],
        line: Rect,
        page: &mut Page,
    ) {
        let mut x = line.x + SIGN as u16;
        for (i, room) in columns.iter().filter(|(_, room)| *room > 0) {
            let column = &self.columns[*i];
            if let Some((text, role)) = cells.get(*i)
                && x < line.right()
            {
                let text = if column.right { right(text, *room) } else { left(text, *room, theme.ascii) };
                put(page, x, line.y, &cut(&text, (line.right() - x).into(), theme.ascii), theme.style(*role));
            }
            x = x.saturating_add((*room + GAP) as u16);
        }
    }
}
