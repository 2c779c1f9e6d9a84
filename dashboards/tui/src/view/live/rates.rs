//! Goodput and errors as sparklines on the scale of what was offered.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};

use model::outcome::is_much_worse;
use model::second::{Counts, Second};
use record::Better;

use super::super::put;
use super::chart::GUTTER;
use super::time_axis::TimeAxis;
use crate::state::State;
use crate::style::Role;
use crate::text::{count, name_of, percent};

/// Zero is drawn, no data is not: the lowest sign is a zero.
const LEVELS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII_LEVELS: [&str; 8] = ["_", ".", ":", "-", "=", "+", "*", "#"];

/// `offered 480  good/s 431!  err 9.8%  timeout 22`: the newest closed second.
pub(super) fn title(state: &State, arm: char, against: Option<char>) -> Line<'static> {
    let theme = &state.theme;
    let dim = theme.style(Role::Dim);
    let newest = |arm: char| state.run.newest_closed_at(arm, state.at()).map(|(_, second)| second);
    let second = newest(arm);
    let other = against.filter(|other| *other != arm).and_then(newest);
    let is_worse =
        |one: &Second, other: &Second| is_much_worse(Better::Higher, one.good as f64, other.good as f64);
    let less = second.zip(other).is_some_and(|(one, other)| is_worse(one, other));
    let name = |gap: &str, id: &str| Piece::styled(format!("{gap}{} ", name_of(id)), dim);
    let failing = second.and_then(Second::error_ratio).is_some_and(|share| share > 0.0);
    Line::from(vec![
        name(" ", "offered"),
        Piece::raw(count(second.map(|s| s.offered as f64))),
        name("  ", "rate"),
        Piece::styled(
            count(second.map(|s| s.good as f64)),
            theme.style(if less { Role::Error } else { Role::Text }),
        ),
        Piece::styled(if less { "!" } else { "" }, theme.style(Role::Error)),
        name("  ", "errors"),
        Piece::styled(
            percent(second.and_then(Second::error_ratio)),
            theme.style(if failing { Role::Error } else { Role::Text }),
        ),
        name("  ", "timeout"),
        Piece::raw(count(second.map(|s| s.timeouts as f64))),
        Piece::raw(" "),
    ])
}

/// Rows for goodput and, where there are two, errors.
pub(super) fn draw(state: &State, arm: char, area: Rect, buffer: &mut Buffer) {
    if area.width <= GUTTER + 1 {
        return;
    }
    row(state, arm, "goodput", Role::Good, |counts| (counts.good, counts.goodput()), area, buffer);
    if area.height > 1 {
        let below = Rect { y: area.y + 1, height: 1, ..area };
        row(state, arm, "errors", Role::Error, |counts| (counts.failed, counts.error_ratio()), below, buffer);
    }
}

fn row(
    state: &State,
    arm: char,
    term: &str,
    role: Role,
    of: fn(&Counts) -> (u64, Option<f64>),
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = &state.theme;
    put(buffer, area.x, area.y, name_of(term), theme.style(Role::Dim));
    let columns = area.width - GUTTER;
    let axis = TimeAxis::of(state, columns);
    let Some(place) = state.run.position_at(arm, state.at()) else { return };
    let levels = if theme.ascii { ASCII_LEVELS } else { LEVELS };
    for column in 0..columns {
        let covered = axis.seconds(column, columns);
        let to = covered.end.min(place.seconds);
        let counts = state.run.counts_between(arm, place.round, covered.start, to);
        let (part, Some(share)) = of(&counts) else { continue };
        // Whatever is more than nothing is drawn as more than nothing.
        let level = (share * 7.0).round().clamp(if part > 0 { 1.0 } else { 0.0 }, 7.0);
        let role = match (counts.closed, part) {
            (false, _) | (true, 0) => Role::Dim,
            (true, _) => role,
        };
        put(buffer, area.x + GUTTER + column, area.y, levels[level as usize], theme.style(role));
    }
}
