//! What a chart has in words: limits, an outage, and why there is no line yet.

use model::SECOND;
use model::Second;
use model::moment::Position;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::put;
use super::time_axis::TimeAxis;
use crate::state::State;
use crate::style::{Role, Theme};
use crate::text::{cut, width};

/// A sentence for seconds without any latency to draw.
const OUTAGE: &str = "no successful requests";

/// A limit's line, across the plot; data is drawn over it.
pub(super) fn limit(theme: &Theme, y: u16, plot: Rect, buffer: &mut Buffer) {
    for x in plot.left()..plot.right() {
        put(buffer, x, y, dash(theme), theme.style(Role::Limit));
    }
}

const fn dash(theme: &Theme) -> &'static str {
    theme.either("┄", "-")
}

/// Writes what a limit is in its row or the one next to it, where nothing else is; on the right first, where data comes last.
pub(super) fn name_limit(theme: &Theme, text: &str, y: u16, plot: Rect, buffer: &mut Buffer) {
    let cells = width(text) as u16;
    if cells + 4 >= plot.width {
        return;
    }
    let rows =
        [Some(y), y.checked_sub(1).filter(|y| *y >= plot.y), Some(y + 1).filter(|y| *y < plot.bottom())];
    let mut places = rows.into_iter().flatten().flat_map(|y| {
        let columns = plot.left()..=plot.right() - cells;
        columns.rev().map(move |x| (x, y))
    });
    let is_free = |(x, y): &(u16, u16)| (*x..*x + cells).all(|x| is_blank(theme, x, *y, buffer));
    // On a plot that is full the name matters more than a piece of a line.
    let (x, y) = places.find(is_free).unwrap_or((plot.right() - cells, y));
    put(buffer, x, y, text, theme.style(Role::Limit));
}

/// Whether a cell of the plot holds nothing but a limit's line, or that of a step.
fn is_blank(theme: &Theme, x: u16, y: u16, buffer: &Buffer) -> bool {
    let background = [" ", dash(theme), theme.either("╎", ":")];
    buffer.cell((x, y)).is_some_and(|cell| background.contains(&cell.symbol()))
}

/// Marks the seconds in which requests were due and none succeeded, at the foot of the plot, and calls the longest stretch
/// what it is: a gap alone looks as if nothing had been asked.
pub(super) fn outage(
    state: &State,
    arm: char,
    place: Position,
    axis: TimeAxis,
    plot: Rect,
    buffer: &mut Buffer,
) {
    let theme = &state.theme;
    let style = theme.style(Role::Error);
    let column = |second: u32| axis.column(u64::from(second) * SECOND, plot.width).unwrap_or(plot.width);
    let foot = plot.bottom().saturating_sub(1);
    let mut longest: Option<(u16, u16)> = None;
    for (from, to) in outages(state, arm, place, axis) {
        let (from, to) = (column(from), column(to).max(column(from) + 1).min(plot.width));
        for x in plot.x + from..plot.x + to {
            if is_blank(theme, x, foot, buffer) {
                put(buffer, x, foot, theme.either("×", "x"), style);
            }
        }
        if longest.is_none_or(|(start, end)| to - from > end - start) {
            longest = Some((from, to));
        }
    }
    let Some((from, to)) = longest else { return };
    let cells = width(OUTAGE) as u16;
    let is_free = |x: u16, y: u16, buffer: &Buffer| {
        x + cells <= plot.width && (x..x + cells).all(|x| is_blank(theme, plot.x + x, y, buffer))
    };
    // Within the stretch where it fits, else behind it or before it, from the foot up.
    let within = from + (to - from).saturating_sub(cells) / 2;
    let columns = [within, to + 1, from.saturating_sub(cells + 1)];
    let mut places = (plot.top()..foot).rev().flat_map(|y| columns.map(|x| (x, y)));
    if let Some((x, y)) = places.find(|(x, y)| is_free(*x, *y, buffer)) {
        put(buffer, plot.x + x, y, OUTAGE, style);
    }
}

/// Stretches of seconds, from one to another, the end not included.
fn outages(state: &State, arm: char, place: Position, axis: TimeAxis) -> Vec<(u32, u32)> {
    let mut found: Vec<(u32, u32)> = Vec::new();
    for second in axis.from..place.seconds.min(axis.to) {
        if !state.run.second(arm, place.round, second).is_some_and(Second::has_no_success) {
            continue;
        }
        match found.last_mut() {
            Some((_, end)) if *end == second => *end = second + 1,
            _ => found.push((second, second + 1)),
        }
    }
    found
}

/// Why an arm has no line at all.
pub(super) fn not_begun(state: &State, plot: Rect, buffer: &mut Buffer) {
    let has_load_begun = state.run.progress_at(state.at()).is_some();
    let text =
        if has_load_begun { "its turn has not come yet" } else { "at rest: the load begins in a moment" };
    let text = cut(text, usize::from(plot.width), state.theme.ascii);
    let x = plot.x + (plot.width - width(&text) as u16) / 2;
    put(buffer, x, plot.y + plot.height / 2, &text, state.theme.style(Role::Dim));
}
