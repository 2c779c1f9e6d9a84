//! The live tab: charts, rates, map, score, timeline and events of the moment, as many as fit.
//!
//! - [`chart`]: a metric over time on a scale both arms share; [`series`] says which, [`scale`] how high, [`span`] when.
//! - [`rates`]: goodput and errors as sparklines. [`edges`], [`score`], [`timeline`], [`events`]: a panel each.

mod chart;
mod edges;
mod events;
mod rates;
mod scale;
pub(super) mod score;
mod series;
mod span;
mod timeline;

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span as Piece};

use self::scale::Scale;
use self::span::Span;
use super::frame::{framed, titled};
use super::page::Page;
use super::{PANELS, TWO_ARMS, WIDE, put};
use crate::figures::{cut, name_of, percent, width};
use crate::model::{Metric, Model, Panel};
use crate::run::Second;
use crate::style::Role;

pub(super) fn draw(model: &Model, area: Rect, page: &mut Page) {
    let whole = page.area;
    if whole.height < PANELS {
        tiny(model, area, page);
    } else if model.live.alone {
        panel(model, model.live.focus.unwrap_or_default(), area, page);
    } else if whole.width >= WIDE.0 && whole.height >= WIDE.1 {
        wide(model, area, page);
    } else if whole.width >= TWO_ARMS {
        narrow(model, area, page);
    } else {
        single(model, area, page);
    }
}

/// A panel's title; the focused one says so.
fn title(model: &Model, panel: Panel) -> impl Fn(&str) -> Line<'static> {
    let (look, focused) = (model.look, model.live.focus == Some(panel));
    move |text| {
        let sign = if focused { look.either("▸ ", "> ") } else { "" };
        titled(&look, &format!("{sign}{text}"))
    }
}

/// A panel in an area of its own.
fn panel(model: &Model, panel: Panel, area: Rect, page: &mut Page) {
    let title = title(model, panel);
    if panel != Panel::Charts {
        page.is_panel(area, panel);
    }
    match panel {
        Panel::Charts => both_charts(model, area, page),
        Panel::Map if area.width >= 64 => edges::map(model, title, area, page),
        Panel::Map => edges::worst_first(model, title, area, page),
        Panel::Score => score::draw(model, title, area, page),
        Panel::Timeline => timeline::draw(model, title, area, page),
        Panel::Events => events::draw(model, title, area, page),
    }
}

/// Everything.
fn wide(model: &Model, area: Rect, page: &mut Page) {
    // 36 rows is the least; what is more goes to the charts, the map and the events in turn.
    let more = area.height + 3 - WIDE.1;
    let [charts, map, events] = [11 + more.div_ceil(2), 9 + more / 4, 5 + more - more.div_ceil(2) - more / 4];
    let rows: [Rect; 5] = Layout::vertical([charts, 4, map, 4, events].map(Constraint::Length)).areas(area);
    both_charts(model, rows[0], page);
    let first = model.shown().map(|(first, _)| first);
    for (arm, place) in pair(model, rows[1]) {
        page.is_panel(place, Panel::Charts);
        let inner = framed(&model.look, rates::title(model, arm, first), place, page);
        rates::draw(model, arm, inner, page);
    }
    let [left, right]: [Rect; 2] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(52)]).areas(rows[2]);
    panel(model, Panel::Map, left, page);
    panel(model, Panel::Score, right, page);
    panel(model, Panel::Timeline, rows[3], page);
    panel(model, Panel::Events, rows[4], page);
}

/// Short titles, no timeline, edges worst first.
fn narrow(model: &Model, area: Rect, page: &mut Page) {
    let Heights { charts, score, events } = Heights::of(area.height);
    let rows: [Rect; 3] = Layout::vertical([charts, score, events].map(Constraint::Length)).areas(area);
    both_charts(model, rows[0], page);
    let [left, right]: [Rect; 2] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(rows[1]);
    panel(model, Panel::Score, left, page);
    panel(model, Panel::Map, right, page);
    if rows[2].height >= 3 {
        panel(model, Panel::Events, rows[2], page);
    }
}

/// One arm at a time and the score.
fn single(model: &Model, area: Rect, page: &mut Page) {
    let Heights { charts, score, events } = Heights::of(area.height);
    let rows: [Rect; 3] = Layout::vertical([charts, score, events].map(Constraint::Length)).areas(area);
    both_charts(model, rows[0], page);
    panel(model, Panel::Score, rows[1], page);
    if rows[2].height >= 3 {
        panel(model, Panel::Events, rows[2], page);
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
fn tiny(model: &Model, area: Rect, page: &mut Page) {
    let Some(bottom) = area.bottom().checked_sub(1).filter(|bottom| *bottom >= area.y) else { return };
    let letters = model.run.letters();
    // Goodput for all arms before errors for any.
    let rows = ((bottom - area.y) / letters.len().max(1) as u16).clamp(1, 2);
    for (arm, y) in letters.into_iter().zip((area.y..bottom).step_by(rows.into())) {
        let row = Rect { y, height: rows.min(bottom - y), ..area };
        put(page, row.x + 1, y, &arm.to_string(), model.look.style(Role::Strong));
        let inner = Rect { x: row.x + 3, width: row.width.saturating_sub(4), ..row };
        rates::draw(model, arm, inner, page);
    }
    score::line(model, Rect { y: bottom, height: 1, ..area }, page);
}

/// The arms shown, each with its share; where one fits, the first or the one asked for.
fn pair(model: &Model, area: Rect) -> Vec<(char, Rect)> {
    let arms = model.arms();
    let arms = if area.width < TWO_ARMS { &arms[..arms.len().min(1)] } else { &arms[..] };
    let parts = Layout::horizontal(arms.iter().map(|_| Constraint::Fill(1))).split(area);
    arms.iter().copied().zip(parts.iter().copied()).collect()
}

fn both_charts(model: &Model, area: Rect, page: &mut Page) {
    let parts = pair(model, area);
    let Some((first, _)) = model.shown() else { return };
    let Some((_, part)) = parts.first().copied() else { return };
    // Both arms are on one scale and one stretch of time, also where one is shown.
    let span = Span::of(model, part.width.saturating_sub(2 + chart::GUTTER));
    let scale = scale::shared(model, span);
    for (arm, part) in parts {
        page.is_panel(part, Panel::Charts);
        let against = (arm != first).then_some(first);
        arm_panel(model, arm, against, scale, span, part, page);
    }
}

/// An arm's chart; where there is no panel for its rates, with its goodput below.
fn arm_panel(
    model: &Model,
    arm: char,
    against: Option<char>,
    scale: Scale,
    span: Span,
    area: Rect,
    page: &mut Page,
) {
    let roomy = page.area.width >= WIDE.0 && page.area.height >= WIDE.1 && !model.live.alone;
    let inner = framed(&model.look, chart_title(model, arm, against, area.width), area, page);
    if roomy {
        chart::draw(model, arm, scale, span, inner, page);
    } else if inner.height < 5 {
        // A chart of three rows says nothing: the space is the sparklines'.
        rates::draw(model, arm, inner, page);
    } else {
        chart::draw(model, arm, scale, span, Rect { height: inner.height - 1, ..inner }, page);
        rates::draw(model, arm, Rect { y: inner.bottom() - 1, height: 1, ..inner }, page);
    }
}

/// `A monolith  p50 2.1  p99 9.4  p99.9 22 ms`: the newest closed second's.
fn chart_title(model: &Model, arm: char, against: Option<char>, room: u16) -> Line<'static> {
    let look = &model.look;
    let name = model.run.arm(arm).map_or("", |arm| arm.name.as_str());
    let metric = model.live.metric;
    let place = model.run.place(arm, model.at());
    let now = newest_closed_at(model, arm);
    let shown = series::of(metric, model.live.percentiles);
    let mut rest = Vec::new();
    // A narrow title has room for one figure: the tail's.
    let shown = if room >= 56 { shown } else { series::foremost(shown) };
    for series in shown {
        let value = |arm: char| {
            let (at, _) = newest_closed_at(model, arm)?;
            (series.of)(model, arm, model.run.place(arm, model.at())?, at)
        };
        let mine = now.and_then(|(at, _)| (series.of)(model, arm, place?, at));
        let than = against.and_then(value).map(|point| point.value);
        let role = if mine.is_some_and(|point| point.sure) { Role::Text } else { Role::Dim };
        let (sign, sign_role) = worse(metric, mine.map(|point| point.value), than);
        rest.push(Piece::styled(format!(" {} ", name_of(series.term)), look.style(Role::Dim)));
        rest.push(Piece::styled(series::shown(metric, mine.map(|point| point.value)), look.style(role)));
        rest.push(Piece::styled(sign, look.style(sign_role)));
    }
    let unit = series::unit(metric);
    if !unit.is_empty() {
        rest.push(Piece::styled(format!(" {unit} "), look.style(Role::Dim)));
    }
    if room < 56 && metric == Metric::Latency {
        let share = now.filter(|(_, s)| s.offered > 0).map(|(_, s)| s.failed as f64 / s.offered as f64);
        let role = if share.is_some_and(|s| s > 0.0) { Role::Error } else { Role::Text };
        rest.push(Piece::styled(format!(" {} ", name_of("errors")), look.style(Role::Dim)));
        rest.push(Piece::styled(percent(share), look.style(role)));
        rest.push(Piece::raw(" "));
    }
    let focused = model.live.focus == Some(Panel::Charts);
    let sign = if focused { look.either("▸", ">") } else { " " };
    let taken: usize = rest.iter().map(|piece| width(&piece.content)).sum();
    let name_room = usize::from(room).saturating_sub(taken + 8).max(5);
    let mut pieces = vec![
        Piece::styled(format!("{sign}{arm} "), look.style(Role::Strong)),
        Piece::styled(cut(name, name_room, look.ascii), look.style(Role::Strong)),
        Piece::raw(" "),
    ];
    pieces.extend(rest);
    Line::from(pieces)
}

/// The newest second that late answers can no longer change, within the last half minute.
pub(super) fn newest_closed(model: &Model, arm: char) -> Option<&Second> {
    newest_closed_at(model, arm).map(|(_, second)| second)
}

fn newest_closed_at(model: &Model, arm: char) -> Option<(u32, &Second)> {
    let (newest, _) = model.run.newest(arm, model.at())?;
    let round = model.run.place(arm, model.at())?.round;
    let recent = newest.saturating_sub(crate::run::P999_SECONDS)..=newest;
    recent
        .rev()
        .find_map(|at| model.run.second(arm, round, at).filter(|second| second.closed).map(|s| (at, s)))
}

/// A sign where a figure is more than a tenth worse than the other arm's.
fn worse(metric: Metric, mine: Option<f64>, other: Option<f64>) -> (&'static str, Role) {
    let (Some(mine), Some(other)) = (mine, other) else { return ("", Role::Text) };
    let worse = match metric {
        Metric::Goodput => mine < other * 0.9,
        _ => mine > other * 1.1,
    };
    if worse { ("!", Role::Error) } else { ("", Role::Text) }
}
