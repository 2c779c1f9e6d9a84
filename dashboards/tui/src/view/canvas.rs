//! Dots in braille cells, and text that stays inside the buffer.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use crate::style::{Role, Theme};

/// Writes text at a cell; what does not fit into the buffer is left out.
pub(super) fn put(buffer: &mut Buffer, x: u16, y: u16, text: &str, style: Style) {
    let area = buffer.area;
    if !area.contains((x, y).into()) {
        return;
    }
    let room = usize::from(area.right() - x);
    buffer.set_stringn(x, y, text, room.min(text.width()), style);
}

/// Two by four dots a cell; the last role drawn in a cell gives its colour.
pub(super) struct Canvas {
    area: Rect,
    cells: Vec<(u8, Role)>,
}

/// Bits of a braille pattern by row and column (Unicode, block U+2800).
const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Canvas {
    pub(super) fn new(area: Rect) -> Self {
        Self { area, cells: vec![(0, Role::Text); usize::from(area.width) * usize::from(area.height)] }
    }

    /// Dots across.
    pub(super) fn width(&self) -> u16 {
        self.area.width * 2
    }

    /// Dots down.
    pub(super) fn height(&self) -> u16 {
        self.area.height * 4
    }

    /// Sets a dot; outside the canvas nothing happens.
    pub(super) fn dot(&mut self, x: u16, y: u16, role: Role) {
        if x >= self.width() || y >= self.height() {
            return;
        }
        let cell = usize::from(y / 4) * usize::from(self.area.width) + usize::from(x / 2);
        let (bits, last) = &mut self.cells[cell];
        *bits |= BITS[usize::from(y % 4)][usize::from(x % 2)];
        *last = role;
    }

    /// Puts the dots over what is in the buffer; dots already there stay.
    pub(super) fn draw(&self, theme: &Theme, buffer: &mut Buffer) {
        for (i, (bits, role)) in self.cells.iter().enumerate().filter(|(_, (bits, _))| *bits != 0) {
            let x = self.area.x + (i % usize::from(self.area.width)) as u16;
            let y = self.area.y + (i / usize::from(self.area.width)) as u16;
            let Some(cell) = buffer.cell_mut((x, y)) else { continue };
            let there = match cell.symbol().chars().next().map(u32::from) {
                Some(pattern @ 0x2800..=0x28FF) => (pattern - 0x2800) as u8,
                _ => 0,
            };
            let symbol = if theme.ascii { ascii(*bits, *role) } else { braille(bits | there) };
            cell.set_char(symbol).set_style(theme.style(*role));
        }
    }
}

fn braille(bits: u8) -> char {
    char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ')
}

/// A cell in ASCII: the line's own letter, so that two lines differ without colour, and a thin one where it is dotted.
fn ascii(bits: u8, role: Role) -> char {
    let is_dotted = bits.count_ones() == 1;
    match role {
        Role::Median if is_dotted => ',',
        Role::Median => '.',
        Role::Tail if is_dotted => '+',
        Role::Tail => '#',
        Role::FarTail if is_dotted => '\'',
        Role::FarTail => '^',
        _ if bits.count_ones() > 4 => '|',
        _ => '-',
    }
}
