//! The question how to leave a run that goes on.

use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

use super::frame::{framed, titled};
use super::page::{Page, Target};
use super::put;
use crate::figures::{cut, left, width};
use crate::keymap::{KEYS, LEAVE};
use crate::model::Model;
use crate::style::Role;

pub(super) fn draw(model: &Model, area: Rect, page: &mut Page) {
    let look = &model.look;
    let choices: Vec<_> = KEYS.iter().filter(|key| key.within == LEAVE).collect();
    page.covered();
    if area.height < 5 || area.width < 24 {
        // One line has to do.
        Clear.render(Rect { height: 1, ..area }, page);
        let text = "d detach  q abort  Esc stay";
        put(page, area.x, area.y, &cut(text, area.width.into(), look.ascii), look.style(Role::Strong));
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
    page.set_style(place, look.style(Role::Text));
    let inner = framed(look, titled(look, "the run goes on"), place, page);
    for (key, y) in choices.into_iter().zip(inner.top()..inner.bottom()) {
        let text = format!(" {} {}", left(key.shown, 4, look.ascii), key.help);
        put(page, inner.x, y, &cut(&text, inner.width.into(), look.ascii), look.style(Role::Text));
        page.answers(Rect { y, height: 1, ..inner }, Target::Act(key.action));
    }
}
