//! Frames and titles.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::symbols::border;
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::{Block, Widget};

use crate::style::{Role, Theme};
use crate::text::{cut, width};

const ASCII: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// Draws a frame with its title, returns what is inside. A title that does not fit ends with a sign that something is missing.
pub(super) fn framed(theme: &Theme, title: Line<'static>, area: Rect, buffer: &mut Buffer) -> Rect {
    let title = fitted(theme, title, usize::from(area.width.saturating_sub(2)));
    let set = if theme.ascii { ASCII } else { border::ROUNDED };
    let block = Block::bordered().border_set(set).border_style(theme.style(Role::Frame)).title(title);
    let inner = block.inner(area);
    block.render(area, buffer);
    inner
}

fn fitted(theme: &Theme, title: Line<'static>, room: usize) -> Line<'static> {
    if title.width() <= room {
        return title;
    }
    let mut left = room;
    let pieces = title.spans.into_iter().map(|piece| {
        let text = cut(&piece.content, left, theme.ascii);
        left -= width(&text);
        Piece::styled(text, piece.style)
    });
    Line::from(pieces.collect::<Vec<_>>())
}

/// A panel's plain title.
pub(super) fn titled(theme: &Theme, text: &str) -> Line<'static> {
    Line::from(Piece::styled(format!(" {text} "), theme.style(Role::Strong)))
}

/// Text in the frame's last row, on the left, if it fits whole.
pub(super) fn foot(theme: &Theme, text: &str, role: Role, area: Rect, buffer: &mut Buffer) {
    let text = format!(" {text} ");
    if area.height > 1 && width(&text) + 4 <= usize::from(area.width) {
        super::put(buffer, area.x + 2, area.bottom() - 1, &text, theme.style(role));
    }
}

/// One line made of pieces; what does not fit is left out.
pub(super) fn line(pieces: Vec<Piece<'static>>, x: u16, y: u16, room: u16, buffer: &mut Buffer) {
    if y < buffer.area.bottom() && room > 0 {
        Line::from(pieces).render(Rect { x, y, width: room, height: 1 }, buffer);
    }
}
