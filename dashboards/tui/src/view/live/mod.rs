//! The live tab: charts, rates, map, score, timeline and events of the moment, as many as fit.
//!
//! - [`chart`]: a metric over time on a scale both arms share; [`series`] is which, [`scale`] how high, [`time_axis`] when,
//!   [`annotations`] what stands on it in words.
//! - [`rates`]: goodput and errors as sparklines. [`map`], [`score`], [`timeline`], [`events`]: a panel each.

mod annotations;
mod chart;
mod events;
mod map;
mod rates;
mod scale;
pub(super) mod score;
mod series;
mod time_axis;
mod timeline;

use model::outcome::is_much_worse;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span as Piece};

use record::Better;

use self::scale::Scale;
use self::time_axis::TimeAxis;
use super::frame::{framed, titled};
use super::page::Page;
use super::{PANELS, TWO_ARMS, WIDE, put};
use crate::state::{Metric, Panel, State};
use crate::style::Role;
use crate::text::{cut, name_of, percent, width};

pub(super) fn draw(state: &State, area: Rect, page: &mut Page) {
    let whole = page.area;
    if whole.height < PANELS {
        tiny(state, area, page);
    } else if state.live.alone {
        panel(state, state.live.focus.unwrap_or_default(), area, page);
    } else if whole.width >= WIDE.0 && whole.height >= WIDE.1 {
        wide(state, area, page);
    } else if whole.width >= TWO_ARMS {
        narrow(state, area, page);
    } else {
        single(state, area, page);
    }
}

/// A panel's title, with a sign on the focused one.
fn title(state: &State, panel: Panel) -> impl Fn(&str) -> Line<'static> {
    let (theme, focused) = (state.theme, state.live.focus == Some(panel));
    move |text| {
        let sign = if focused { theme.either("▸ ", "> ") } else { "" };
        titled(&theme, &format!("{sign}{text}"))
    }
}

/// A panel in an area of its own.
fn panel(state: &State, panel: Panel, area: Rect, page: &mut Page) {
    let title = title(state, panel);
    if panel != Panel::Charts {
        page.is_panel(area, panel);
    }
    match panel {
        Panel::Charts => both_charts(state, area, page),
        Panel::Map if area.width >= 64 => map::map(state, title, area, page),
        Panel::Map => map::worst_first(state, title, area, page),
        Panel::Score => score::draw(state, title, area, page),
        Panel::Timeline => timeline::draw(state, title, area, page),
        Panel::Events => events::draw(state, title, area, page),
    }
}

/// Everything.
fn wide(state: &State, area: Rect, page: &mut Page) {
    // 36 rows is the least; what is more goes to the charts, the map and the events in turn.
    let more = area.height + 3 - WIDE.1;
    let [charts, map, events] = [11 + more.div_ceil(2), 9 + more / 4, 5 + more - more.div_ceil(2) - more / 4];
    let rows: [Rect; 5] = Layout::vertical([charts, 4, map, 4, events].map(Constraint::Length)).areas(area);
    both_charts(state, rows[0], page);
    let first = state.shown().map(|(first, _)| first);
    for (arm, place) in pair(state, rows[1]) {
        page.is_panel(place, Panel::Charts);
        let inner = framed(&state.theme, rates::title(state, arm, first), place, page);
        rates::draw(state, arm, inner, page);
    }
    let [left, right]: [Rect; 2] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(52)]).areas(rows[2]);
    panel(state, Panel::Map, left, page);
    panel(state, Panel::Score, right, page);
    panel(state, Panel::Timeline, rows[3], page);
    panel(state, Panel::Events, rows[4], page);
}

/// Short titles, no timeline, edges worst first.
fn narrow(state: &State, area: Rect, page: &mut Page) {
    let Heights { charts, score, events } = Heights::of(area.height);
    let rows: [Rect; 3] = Layout::vertical([charts, score, events].map(Constraint::Length)).areas(area);
    both_charts(state, rows[0], page);
    let [left, right]: [Rect; 2] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(rows[1]);
    panel(state, Panel::Score, left, page);
    panel(state, Panel::Map, right, page);
    if rows[2].height >= 3 {
        panel(state, Panel::Events, rows[2], page);
    }
}

/// One arm at a time and the score.
fn single(state: &State, area: Rect, page: &mut Page) {
    let Heights { charts, score, events } = Heights::of(area.height);
    let rows: [Rect; 3] = Layout::vertical([charts, score, events].map(Constraint::Length)).areas(area);
    both_charts(state, rows[0], page);
    panel(state, Panel::Score, rows[1], page);
    if rows[2].height >= 3 {
        panel(state, Panel::Events, rows[2], page);
    }
}

/// How rows are shared where there are few: score before charts before events.
struct Heights {
    charts: u16,
    score: u16,
    events: u16,
}

impl Heights {
    fn of(rest: u16) -> Self {
        if rest < 14 {
            // No room for a chart: two sparklines in a frame, the rest is the score's.
            let charts = rest.min(4);
            return Self { charts, score: rest - charts, events: 0 };
        }
        let score = 7;
        let left = rest - score;
        let events = match left {
            0..12 => 0,
            12..=14 => left - 9,
            more => 5 + (more - 14) / 3,
        };
        Self { charts: left - events, score, events }
    }
}

/// A sparkline per arm, a line of the score.
fn tiny(state: &State, area: Rect, page: &mut Page) {
    let Some(bottom) = area.bottom().checked_sub(1).filter(|bottom| *bottom >= area.y) else { return };
    let letters = state.run.letters();
    // Goodput for all arms before errors for any.
    let rows = ((bottom - area.y) / letters.len().max(1) as u16).clamp(1, 2);
    for (arm, y) in letters.into_iter().zip((area.y..bottom).step_by(rows.into())) {
        let row = Rect { y, height: rows.min(bottom - y), ..area };
        put(page, row.x + 1, y, &arm.to_string(), state.theme.style(Role::Strong));
        let inner = Rect { x: row.x + 3, width: row.width.saturating_sub(4), ..row };
        rates::draw(state, arm, inner, page);
    }
    score::line(state, Rect { y: bottom, height: 1, ..area }, page);
}

/// The arms shown, each with its share; where one fits, the first or the selected one.
fn pair(state: &State, area: Rect) -> Vec<(char, Rect)> {
    let arms = state.arms();
    let arms = if area.width < TWO_ARMS { &arms[..arms.len().min(1)] } else { &arms[..] };
    let parts = Layout::horizontal(arms.iter().map(|_| Constraint::Fill(1))).split(area);
    arms.iter().copied().zip(parts.iter().copied()).collect()
}

fn both_charts(state: &State, area: Rect, page: &mut Page) {
    let parts = pair(state, area);
    let Some((first, _)) = state.shown() else { return };
    let Some((_, part)) = parts.first().copied() else { return };
    // Both arms are on one scale and one stretch of time, also where one is shown.
    let axis = TimeAxis::of(state, part.width.saturating_sub(2 + chart::GUTTER));
    let scale = scale::shared(state, axis);
    for (arm, part) in parts {
        page.is_panel(part, Panel::Charts);
        let against = (arm != first).then_some(first);
        arm_panel(state, arm, against, scale, axis, part, page);
    }
}

/// An arm's chart; where there is no panel for its rates, with its goodput below.
fn arm_panel(
    state: &State,
    arm: char,
    against: Option<char>,
    scale: Scale,
    axis: TimeAxis,
    area: Rect,
    page: &mut Page,
) {
    let roomy = page.area.width >= WIDE.0 && page.area.height >= WIDE.1 && !state.live.alone;
    let inner = framed(&state.theme, chart_title(state, arm, against, area.width), area, page);
    if roomy {
        chart::draw(state, arm, scale, axis, inner, page);
    } else if inner.height < 5 {
        // A chart of three rows shows nothing: the space is the sparklines'.
        rates::draw(state, arm, inner, page);
    } else {
        chart::draw(state, arm, scale, axis, Rect { height: inner.height - 1, ..inner }, page);
        rates::draw(state, arm, Rect { y: inner.bottom() - 1, height: 1, ..inner }, page);
    }
}

/// `A monolith  p50 2.1  p99 9.4  p99.9 22 ms`: the newest closed second's.
fn chart_title(state: &State, arm: char, against: Option<char>, room: u16) -> Line<'static> {
    let theme = &state.theme;
    let name = state.run.arm(arm).map_or("", |arm| arm.name.as_str());
    let metric = state.live.metric;
    let place = state.run.position_at(arm, state.at());
    let newest = |arm: char| state.run.newest_closed_at(arm, state.at());
    let now = newest(arm);
    let shown = series::of(metric, state.live.percentiles);
    let mut rest = Vec::new();
    // A narrow title has room for one figure: the tail's.
    let shown = if room >= 56 { shown } else { series::foremost(shown) };
    for series in shown {
        let value = |arm: char| {
            let (at, _) = newest(arm)?;
            (series.of)(state, arm, state.run.position_at(arm, state.at())?, at)
        };
        let mine = now.and_then(|(at, _)| (series.of)(state, arm, place?, at));
        let than = against.and_then(value).map(|point| point.value);
        let role = if mine.is_some_and(|point| point.sure) { Role::Text } else { Role::Dim };
        let (sign, sign_role) = worse(metric, mine.map(|point| point.value), than);
        rest.push(Piece::styled(format!(" {} ", name_of(series.term)), theme.style(Role::Dim)));
        rest.push(Piece::styled(series::shown(metric, mine.map(|point| point.value)), theme.style(role)));
        rest.push(Piece::styled(sign, theme.style(sign_role)));
    }
    let unit = series::unit(metric);
    if !unit.is_empty() {
        rest.push(Piece::styled(format!(" {unit} "), theme.style(Role::Dim)));
    }
    if room < 56 && metric == Metric::Latency {
        let share = now.and_then(|(_, second)| second.error_ratio());
        let role = if share.is_some_and(|s| s > 0.0) { Role::Error } else { Role::Text };
        rest.push(Piece::styled(format!(" {} ", name_of("errors")), theme.style(Role::Dim)));
        rest.push(Piece::styled(percent(share), theme.style(role)));
        rest.push(Piece::raw(" "));
    }
    let focused = state.live.focus == Some(Panel::Charts);
    let sign = if focused { theme.either("▸", ">") } else { " " };
    let taken: usize = rest.iter().map(|piece| width(&piece.content)).sum();
    let name_room = usize::from(room).saturating_sub(taken + 8).max(5);
    let mut pieces = vec![
        Piece::styled(format!("{sign}{arm} "), theme.style(Role::Strong)),
        Piece::styled(cut(name, name_room, theme.ascii), theme.style(Role::Strong)),
        Piece::raw(" "),
    ];
    pieces.extend(rest);
    Line::from(pieces)
}

/// A sign where a figure is more than a tenth worse than the other arm's.
fn worse(metric: Metric, mine: Option<f64>, other: Option<f64>) -> (&'static str, Role) {
    let (Some(mine), Some(other)) = (mine, other) else { return ("", Role::Text) };
    let better = if metric == Metric::Goodput { Better::Higher } else { Better::Lower };
    let worse = is_much_worse(better, mine, other);
    if worse { ("!", Role::Error) } else { ("", Role::Text) }
}
