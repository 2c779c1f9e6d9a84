//! A model after some lines, and its screen.

use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use record::Line;
use tui::model::Model;
use tui::style::{Look, Palette};
use tui::update::{Msg, update};
use tui::view::view;

/// A model that has heard these lines; its colours are the roles' numbers.
pub fn after(lines: Vec<Line>) -> Model {
    let look = Look { palette: Palette::numbered(), ascii: false };
    let mut model = Model { look, size: (120, 40), ..Model::default() };
    update(&mut model, Msg::Lines(lines.into_iter().map(Arc::new).collect()));
    model
}

/// Its screen.
pub fn drawn(model: &Model, width: u16, height: u16) -> Buffer {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| view(model, frame));
    terminal.backend().buffer().clone()
}

/// A buffer row by row, a text a cell.
pub fn rows(buffer: &Buffer, of: impl Fn(&Cell) -> String) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let rows =
        buffer.content.chunks(width).map(|row| row.iter().map(&of).collect::<String>().trim_end().to_owned());
    rows.collect::<Vec<_>>().join("\n")
}

/// What it says.
pub fn text(buffer: &Buffer) -> String {
    rows(buffer, |cell| cell.symbol().to_owned())
}
