//! Goodput and errors as sparklines on the scale of what was offered.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};

use super::super::put;
use super::chart::GUTTER;
use super::newest_closed;
use super::span::Span;
use crate::figures::{count, name_of, percent};
use crate::model::Model;
use crate::run::Second;
use crate::style::Role;

/// Zero is drawn, no data is not: the lowest sign is a zero.
const LEVELS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII_LEVELS: [&str; 8] = ["_", ".", ":", "-", "=", "+", "*", "#"];

/// `offered 480  good/s 431!  err 9.8%  timeout 22`: the newest closed second.
pub(super) fn title(model: &Model, arm: char, against: Option<char>) -> Line<'static> {
    let look = &model.look;
    let dim = look.style(Role::Dim);
    let second = newest_closed(model, arm);
    let other = against.filter(|other| *other != arm).and_then(|other| newest_closed(model, other));
    let share = |s: &Second| (s.offered > 0).then(|| s.failed as f64 / s.offered as f64);
    let less = second.zip(other).is_some_and(|(one, other)| (one.good as f64) < other.good as f64 * 0.95);
    let name = |gap: &str, id: &str| Piece::styled(format!("{gap}{} ", name_of(id)), dim);
    let failing = second.and_then(share).is_some_and(|share| share > 0.0);
    Line::from(vec![
        name(" ", "offered"),
        Piece::raw(count(second.map(|s| s.offered as f64))),
        name("  ", "rate"),
        Piece::styled(
            count(second.map(|s| s.good as f64)),
            look.style(if less { Role::Error } else { Role::Text }),
        ),
        Piece::styled(if less { "!" } else { "" }, look.style(Role::Error)),
        name("  ", "errors"),
        Piece::styled(
            percent(second.and_then(share)),
            look.style(if failing { Role::Error } else { Role::Text }),
        ),
        name("  ", "timeout"),
        Piece::raw(count(second.map(|s| s.timeouts as f64))),
        Piece::raw(" "),
    ])
}

/// Rows for goodput and, where there are two, errors.
pub(super) fn draw(model: &Model, arm: char, area: Rect, buffer: &mut Buffer) {
    if area.width <= GUTTER + 1 {
        return;
    }
    row(model, arm, "goodput", Role::Good, |second| second.good, area, buffer);
    if area.height > 1 {
        let below = Rect { y: area.y + 1, height: 1, ..area };
        row(model, arm, "errors", Role::Error, |second| second.failed, below, buffer);
    }
}

fn row(
    model: &Model,
    arm: char,
    term: &str,
    role: Role,
    of: fn(&Second) -> u64,
    area: Rect,
    buffer: &mut Buffer,
) {
    let look = &model.look;
    put(buffer, area.x, area.y, name_of(term), look.style(Role::Dim));
    let columns = area.width - GUTTER;
    let span = Span::of(model, columns);
    let Some(place) = model.run.place(arm, model.at()) else { return };
    let levels = if look.ascii { ASCII_LEVELS } else { LEVELS };
    for column in 0..columns {
        let covered = span.seconds(column, columns);
        let to = covered.end.min(place.seconds);
        let (mut part, mut offered, mut closed) = (0, 0, true);
        for second in model.run.seconds(arm, place.round, covered.start, to) {
            part += of(second);
            offered += second.offered;
            closed &= second.closed;
        }
        if offered == 0 {
            continue;
        }
        // Whatever is more than nothing is drawn as more than nothing.
        let level = (part as f64 / offered as f64 * 7.0).round().clamp(if part > 0 { 1.0 } else { 0.0 }, 7.0);
        let role = match (closed, part) {
            (false, _) | (true, 0) => Role::Dim,
            (true, _) => role,
        };
        put(buffer, area.x + GUTTER + column, area.y, levels[level as usize], look.style(role));
    }
}
