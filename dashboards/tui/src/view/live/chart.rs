//! A metric over time in braille, on a scale that both arms share; what is on it beside lines is `annotations`.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::canvas::{Canvas, put};
use super::super::page::Page;
use super::annotations;
use super::scale::Scale;
use super::series::{self, Series};
use super::time_axis::TimeAxis;
use crate::state::{Metric, Percentiles, State};
use crate::style::Role;
use crate::text::{clock, name_of, number, right, width};
use model::SECOND;
use model::moment::Position;
use scorecard::latency_limits;

/// Cells of the labels and the line left of the plot.
pub(super) const GUTTER: u16 = 5;
/// A shorter plot shows its median and p99 only.
const ROOM_FOR_P999: u16 = 6;

/// Draws an arm's chart: marks and limits first, lines over them, the tail last,
/// since the last colour of a cell wins.
pub(super) fn draw(state: &State, arm: char, scale: Scale, axis: TimeAxis, area: Rect, page: &mut Page) {
    let theme = &state.theme;
    if area.width <= GUTTER + 2 || area.height < 4 {
        return;
    }
    let plot = Rect { x: area.x + GUTTER, width: area.width - GUTTER, height: area.height - 2, ..area };
    axes(state, scale, axis, plot, page);
    let metric = state.live.metric;
    let limits = if metric == Metric::Latency { latency_limits(&state.run, arm) } else { Vec::new() };
    let rows: Vec<u16> = limits.iter().map(|limit| row_of(scale, limit.ms, plot)).collect();
    rows.iter().for_each(|y| annotations::limit(theme, *y, plot, page));
    let place = state.run.position_at(arm, state.at());
    let ends = place.map_or_else(Vec::new, |place| lines(state, arm, place, scale, axis, plot, page));
    marks(state, arm, place, axis, plot, page);
    for (name, x, y, role) in spread(ends, plot) {
        let x = (plot.x + x + 1).min(plot.right().saturating_sub(width(name) as u16));
        put(page, x, y, name, theme.style(role));
    }
    for (limit, y) in limits.iter().zip(rows) {
        let text = format!(" {}<{}", limit.percentile, series::label(metric, limit.ms));
        annotations::name_limit(theme, &text, y, plot, page);
    }
    match place {
        Some(place) if metric == Metric::Latency => {
            annotations::outage(state, arm, place, axis, plot, page);
        }
        Some(_) => {}
        None => annotations::not_begun(state, plot, page),
    }
    if let Some(place) = place {
        let moment = |second: u32| place.start + u64::from(second) * SECOND;
        page.is_time(plot, moment(axis.from), moment(axis.to));
    }
}

fn row_of(scale: Scale, value: f64, plot: Rect) -> u16 {
    let dots = f64::from(plot.height * 4 - 1);
    plot.y + ((1.0 - scale.share(value)) * dots).round() as u16 / 4
}

fn axes(state: &State, scale: Scale, axis: TimeAxis, plot: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let frame = theme.style(Role::Frame);
    for y in plot.top()..plot.bottom() {
        put(buffer, plot.x - 1, y, theme.either("│", "|"), frame);
    }
    put(buffer, plot.x - 1, plot.bottom(), theme.either("└", "+"), frame);
    for x in plot.left()..plot.right() {
        put(buffer, x, plot.bottom(), theme.either("─", "-"), frame);
    }
    let mut taken: Vec<u16> = Vec::new();
    let close = scale.close();
    for (i, value) in scale.ticks().into_iter().enumerate() {
        let y = row_of(scale, value, plot);
        if taken.iter().all(|other| other.abs_diff(y) > u16::from(i >= close)) {
            taken.push(y);
            let label = series::label(state.live.metric, value);
            put(buffer, plot.x - GUTTER, y, &right(&label, 4), theme.style(Role::Dim));
        }
    }
    let y = plot.bottom() + 1;
    let (first, last) = (clock(axis.from.into()), clock(axis.to.into()));
    put(buffer, plot.x, y, &first, theme.style(Role::Dim));
    if usize::from(plot.width) > width(&first) + width(&last) {
        put(buffer, plot.right() - width(&last) as u16, y, &last, theme.style(Role::Dim));
    }
    let middle = clock(u64::from(axis.from + axis.to) / 2);
    if usize::from(plot.width) > 4 * (width(&middle) + 2) && (axis.from + axis.to).is_multiple_of(2) {
        let x = plot.x + plot.width / 2 - width(&middle) as u16 / 2;
        put(buffer, x, y, &middle, theme.style(Role::Dim));
    }
}

/// A line's name, the column and row it ends at, its role.
type End = (&'static str, u16, u16, Role);

/// The lines; returns where each ends, for its name.
fn lines(
    state: &State,
    arm: char,
    place: Position,
    scale: Scale,
    axis: TimeAxis,
    plot: Rect,
    buffer: &mut Buffer,
) -> Vec<End> {
    let percentiles = match state.live.percentiles {
        Percentiles::All if plot.height < ROOM_FOR_P999 => Percentiles::Two,
        selected => selected,
    };
    let mut all: Vec<&Series> = series::of(state.live.metric, percentiles).iter().collect();
    // The last colour of a cell wins: the tail lies over the median, the far tail below both.
    all.sort_by_key(|series| match series.role {
        Role::FarTail => 0,
        Role::Tail => 2,
        _ => 1,
    });
    all.into_iter().filter_map(|series| line(state, arm, place, series, scale, axis, plot, buffer)).collect()
}

#[expect(clippy::too_many_arguments, reason = "what, whose, when, how high and where")]
fn line(
    state: &State,
    arm: char,
    place: Position,
    series: &Series,
    scale: Scale,
    axis: TimeAxis,
    plot: Rect,
    buffer: &mut Buffer,
) -> Option<End> {
    let mut canvas = Canvas::new(plot);
    let mut before: Option<u16> = None;
    let mut end = None;
    for at in axis.from..place.seconds.min(axis.to) {
        let Some(point) = (series.of)(state, arm, place, at) else {
            before = None;
            continue;
        };
        let (from, to) = (axis.dot(at, canvas.width()), axis.dot(at + 1, canvas.width()));
        let y = ((1.0 - scale.share(point.value)) * f64::from(canvas.height() - 1)).round() as u16;
        // Dotted where it is not sure, in the line's own colour: two lines that are unsure must still differ.
        let is_drawn = |dot: u16| point.sure || dot.is_multiple_of(2);
        for x in (from..to.max(from + 1)).filter(|x| is_drawn(*x)) {
            canvas.dot(x, y, series.role);
        }
        if let Some(before) = before {
            for y in (before.min(y)..=before.max(y)).filter(|y| is_drawn(*y)) {
                canvas.dot(from, y, series.role);
            }
        }
        before = Some(y);
        end = Some((plot.y + y / 4, from / 2));
    }
    canvas.draw(&state.theme, buffer);
    end.map(|(y, x)| (name_of(series.term), x, y, series.role))
}

/// Moves names apart that would share a row: the higher line keeps the higher row.
fn spread(mut ends: Vec<End>, plot: Rect) -> Vec<End> {
    ends.sort_by_key(|(name, _, y, _)| (*y, std::cmp::Reverse(width(name)), std::cmp::Reverse(*name)));
    let mut next = plot.y;
    for (_, _, y, _) in &mut ends {
        *y = (*y).max(next);
        next = *y + 1;
    }
    let mut limit = plot.bottom();
    for (_, _, y, _) in ends.iter_mut().rev() {
        *y = (*y).min(limit.saturating_sub(1)).max(plot.y);
        limit = *y;
    }
    ends
}

/// Steps at their times: number on top and on the axis, a dotted line where nothing
/// else is drawn, a heavy axis while a fault lasts; `n/a` where the arm has no such target.
fn marks(state: &State, arm: char, place: Option<Position>, axis: TimeAxis, plot: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let header = &state.run.header;
    let begun = place.map_or(0, |place| state.at().saturating_sub(place.start));
    for step in &header.steps {
        let Some(x) = axis.column(step.start_ns, plot.width).map(|x| plot.x + x) else { continue };
        let spared = step.not_applicable.contains_key(&arm);
        let style = theme.style(if spared || step.start_ns > begun { Role::Dim } else { Role::Fault });
        for y in plot.top()..plot.bottom() {
            if buffer.cell((x, y)).is_some_and(|cell| cell.symbol() == " ") {
                put(buffer, x, y, theme.either("╎", ":"), style);
            }
        }
        let name = number(step.number, theme.ascii);
        let top = if spared { format!("{name}n/a") } else { name.clone() };
        let fits = usize::from(plot.right() - x) >= width(&top);
        put(buffer, if fits { x } else { plot.right() - width(&top) as u16 }, plot.y, &top, style);
        if !spared {
            let end = axis
                .column((step.start_ns + step.length_ns).min(u64::from(axis.to) * SECOND - 1), plot.width);
            for x in x..=plot.x + end.unwrap_or(x - plot.x) {
                put(buffer, x, plot.bottom(), theme.either("━", "="), style);
            }
        }
        let x = x.min(plot.right() - (width(&name) as u16).min(plot.width));
        put(buffer, x, plot.bottom(), &name, style);
    }
}
