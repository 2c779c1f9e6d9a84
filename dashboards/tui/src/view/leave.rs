//! The question how to leave a run that goes on.

use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

use super::frame::{framed, titled};
use super::page::{Page, Target};
use super::put;
use crate::keymap::{KEYS, LEAVE};
use crate::state::State;
use crate::style::Role;
use crate::text::{cut, left, width};

pub(super) fn draw(state: &State, area: Rect, page: &mut Page) {
    let theme = &state.theme;
    let choices: Vec<_> = KEYS.iter().filter(|key| key.within == LEAVE).collect();
    page.covered();
    if area.height < 5 || area.width < 24 {
        // One line has to do.
        Clear.render(Rect { height: 1, ..area }, page);
        let text = "d detach  q abort  Esc stay";
        put(page, area.x, area.y, &cut(text, area.width.into(), theme.ascii), theme.style(Role::Strong));
        return;
    }
    let widest = choices.iter().map(|key| 7 + width(key.help)).max().unwrap_or(0);
    let (wide, high) = ((widest as u16 + 3).min(area.width), choices.len() as u16 + 2);
    let place = Rect {
        x: area.x + (area.width - wide) / 2,
        y: area.y + (area.height - high) / 2,
        width: wide,
        height: high,
    };
    Clear.render(place, page);
    page.set_style(place, theme.style(Role::Text));
    let inner = framed(theme, titled(theme, "the run goes on"), place, page);
    for (key, y) in choices.into_iter().zip(inner.top()..inner.bottom()) {
        let text = format!(" {} {}", left(key.shown, 4, theme.ascii), key.help);
        put(page, inner.x, y, &cut(&text, inner.width.into(), theme.ascii), theme.style(Role::Text));
        page.answers(Rect { y, height: 1, ..inner }, Target::Act(key.action));
    }
}
