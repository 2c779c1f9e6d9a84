//! Every key and every term, with a search.

use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};
use record::Class;
use scorecard::glossary;

use super::footer::written;
use super::frame::{foot, framed, titled};
use super::page::Page;
use super::put;
use crate::keymap::{Action, Binding, KEYS, place};
use crate::state::State;
use crate::style::Role;
use crate::text::{cut, left, wrap};

/// Widest the overlay gets: longer lines are hard to read.
const WIDEST: u16 = 104;
/// Cells of a key and of a term's name.
const KEY: usize = 10;
const NAME: usize = 20;

/// What figures have in common.
const NOTES: [&str; 5] = [
    "latencies: ms, counted from when a request was due; p50 of 1 s, p99 of 5 s, p99.9 of 30 s",
    "dotted lines and dim figures: too few samples, or still open; - no data; a gap, x at its foot: no request succeeded",
    "better and worse while a run goes on: over 3 % apart, with enough samples; it is judged at the end",
    "! a tenth worse than the other arm, or the slowest edge; numbers in circles are steps of the plan",
    "a pause stops the view alone: the run and its record go on",
];

/// What a key will do.
fn means(binding: &Binding, guest: bool) -> &'static str {
    match binding.action {
        Action::Quit | Action::Interrupt if guest => {
            "leaves the dashboard; the run and its record stay as they are"
        }
        _ => binding.help,
    }
}

/// The rows that match the search text, in cells of `room`.
fn rows(state: &State, room: usize) -> Vec<(String, Role)> {
    let theme = &state.theme;
    let query = state.help.query.to_lowercase();
    let goes = |text: &str| text.to_lowercase().contains(&query);
    let mut rows = Vec::new();
    let part = |rows: &mut Vec<(String, Role)>, title: &str, found: Vec<(String, String)>, name: usize| {
        if found.is_empty() {
            return;
        }
        rows.push((title.to_owned(), Role::Strong));
        for (head, text) in found {
            let head = left(&head, name, theme.ascii);
            for (i, line) in wrap(&text, room.saturating_sub(name + 1).max(10)).into_iter().enumerate() {
                let lead = if i == 0 { head.clone() } else { " ".repeat(name) };
                rows.push((format!("{lead} {line}"), Role::Text));
            }
        }
    };
    let keys = KEYS.iter().filter(|binding| !binding.shown.is_empty());
    let keys = keys.map(|binding| {
        let within = place(binding.within);
        let within = if within == "everywhere" { String::new() } else { format!(" ({within})") };
        (written(theme, binding).to_owned(), format!("{}{within}", means(binding, state.guest)))
    });
    part(&mut rows, "keys", keys.filter(|(key, text)| goes(&format!("{key} {text}"))).collect(), KEY);
    let notes = NOTES.iter().map(|note| (String::new(), (*note).to_owned()));
    part(&mut rows, "figures", notes.filter(|(_, text)| goes(text)).collect(), 0);
    let unit = |unit: &str| if unit.is_empty() { String::new() } else { format!(" [{unit}]") };
    let terms = glossary::terms()
        .iter()
        .map(|term| (format!("{}{}", term.name, unit(term.unit)), term.meaning.to_owned()));
    part(&mut rows, "terms", terms.filter(|(name, text)| goes(&format!("{name} {text}"))).collect(), NAME);
    let classes = Class::ALL.into_iter().map(|class| (class.words().to_owned(), class.meaning().to_owned()));
    part(
        &mut rows,
        "parts of a trace",
        classes.filter(|(name, text)| goes(&format!("{name} {text}"))).collect(),
        NAME,
    );
    if rows.is_empty() {
        rows.push((format!("nothing goes with `{}`", state.help.query), Role::Dim));
    }
    rows
}

fn room(width: u16) -> usize {
    usize::from(WIDEST.min(width).saturating_sub(4))
}

pub(super) fn count(state: &State) -> usize {
    rows(state, room(state.size.0)).len()
}

pub(super) fn draw(state: &State, area: Rect, page: &mut Page) {
    let theme = &state.theme;
    let rows = rows(state, room(area.width));
    let wide = WIDEST.min(area.width);
    let high = (rows.len() as u16 + 2).min(area.height);
    let place = Rect {
        x: area.x + (area.width - wide) / 2,
        y: area.y + (area.height - high) / 2,
        width: wide,
        height: high,
    };
    page.covered();
    Clear.render(place, page);
    page.set_style(place, theme.style(Role::Text));
    let title = match state.help.query.as_str() {
        "" => "help: type to search".to_owned(),
        query => format!("help: {query}{}", theme.either("▏", "_")),
    };
    let inner = framed(theme, titled(theme, &title), place, page);
    let first = state.help.scroll.min(rows.len().saturating_sub(inner.height.into()));
    for ((text, role), y) in rows.iter().skip(first).zip(inner.top()..inner.bottom()) {
        let text = cut(text, usize::from(inner.width).saturating_sub(2), theme.ascii);
        put(page, inner.x + 1, y, &text, theme.style(*role));
    }
    let hidden = rows.len().saturating_sub(first + usize::from(inner.height));
    let more =
        if hidden > 0 { format!("{} {hidden} more rows  ", theme.either("↓", "v")) } else { String::new() };
    foot(theme, &format!("{more}Esc leaves"), Role::Dim, place, page);
}
