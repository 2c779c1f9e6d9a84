//! A state after some lines, and its screen.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use record::Line;
use tui::state::State;
use tui::style::{Palette, Theme};
use tui::update::advance;
use tui::view::view;

/// A state that has heard these lines; its colours are the roles' numbers.
pub fn after(lines: Vec<Line>) -> State {
    let theme = Theme { palette: Palette::numbered(), ascii: false };
    let mut state = State { theme, size: (120, 40), ..State::default() };
    advance(&mut state, &mut lines.into_iter());
    state
}

/// Its screen.
pub fn drawn(state: &State, width: u16, height: u16) -> Buffer {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| view(state, frame));
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
