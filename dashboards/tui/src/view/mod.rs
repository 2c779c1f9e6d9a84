//! The screen as a pure function of the model: layouts by size, one file a panel.

mod canvas;
mod chart;
mod edges;
mod events;
mod header;
mod help;
mod rates;
mod score;
mod span;
mod timeline;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::{Block, Widget};

use self::canvas::put;
use self::chart::Scale;
use self::span::Span;
use crate::figures::{ms, percent};
use crate::model::Model;
use crate::run::{Quantile, Second};
use crate::style::{Look, Role};

/// From here on everything is shown.
const WIDE: (u16, u16) = (120, 36);
/// Below, one arm at a time.
const TWO_ARMS: u16 = 80;
/// Fewer rows hold a header, a sparkline per arm and a line of the score.
const PANELS: u16 = 12;
/// Anything smaller than this is one line of text.
const SMALLEST: (u16, u16) = (40, 6);

/// Draws the model; never fails, at any size.
pub fn view(model: &Model, frame: &mut Frame) {
    let area = frame.area();
    draw(model, area, frame.buffer_mut());
}

fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    buffer.set_style(area, model.look.style(Role::Text));
    if model.run.header.is_none() || model.shown().is_none() {
        put(buffer, area.x, area.y, " cleave: waiting for the run to begin", model.look.style(Role::Text));
    } else if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        header::one_line(model, area, buffer);
    } else if area.height < PANELS {
        tiny(model, area, buffer);
    } else if area.width >= WIDE.0 && area.height >= WIDE.1 {
        wide(model, area, buffer);
    } else if area.width >= TWO_ARMS {
        narrow(model, area, buffer);
    } else {
        single(model, area, buffer);
    }
    if model.help {
        help::draw(model, area, buffer);
    }
}

/// Everything.
fn wide(model: &Model, area: Rect, buffer: &mut Buffer) {
    // 36 rows is the least; what is more goes to the charts, the map and the events in turn.
    let more = area.height - WIDE.1;
    let [charts, map, events] = [11 + more.div_ceil(2), 9 + more / 4, 5 + more - more.div_ceil(2) - more / 4];
    let rows: [Rect; 7] =
        Layout::vertical([2, charts, 4, map, 4, events, 1].map(Constraint::Length)).areas(area);
    header::draw(model, rows[0], buffer);
    both_charts(model, rows[1], buffer);
    for ((arm, panel), other) in pair(model, rows[2]).into_iter().zip([None, model.shown().map(|(a, _)| a)]) {
        let inner = framed(&model.look, rates::title(model, arm, other), panel, buffer);
        rates::draw(model, arm, inner, buffer);
    }
    let [left, right]: [Rect; 2] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(52)]).areas(rows[3]);
    edges::map(model, left, buffer);
    score::draw(model, right, buffer);
    timeline::draw(model, rows[4], buffer);
    events::draw(model, rows[5], buffer);
    help::footer(model, rows[6], buffer);
}

/// Short titles, no timeline, edges worst first.
fn narrow(model: &Model, area: Rect, buffer: &mut Buffer) {
    let Heights { charts, score, events } = Heights::of(area.height);
    let rows: [Rect; 5] = Layout::vertical([2, charts, score, events, 1].map(Constraint::Length)).areas(area);
    header::draw(model, rows[0], buffer);
    both_charts(model, rows[1], buffer);
    let [left, right]: [Rect; 2] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(rows[2]);
    score::draw(model, left, buffer);
    edges::worst_first(model, right, buffer);
    events::draw(model, rows[3], buffer);
    help::footer(model, rows[4], buffer);
}

/// One arm at a time and the score.
fn single(model: &Model, area: Rect, buffer: &mut Buffer) {
    let Heights { charts, score, events } = Heights::of(area.height);
    let rows: [Rect; 5] = Layout::vertical([2, charts, score, events, 1].map(Constraint::Length)).areas(area);
    header::draw(model, rows[0], buffer);
    if let Some((first, other)) = model.shown() {
        let arm = if model.swapped { other } else { first };
        let span = Span::of(model, &[first, other], area.width.saturating_sub(2 + chart::GUTTER));
        let scale = shared_scale(model, span);
        arm_panel(model, arm, model.swapped.then_some(first), scale, span, rows[1], buffer);
    }
    score::draw(model, rows[2], buffer);
    events::draw(model, rows[3], buffer);
    help::footer(model, rows[4], buffer);
}

/// How rows are shared where there are few: score before charts before events.
struct Heights {
    charts: u16,
    score: u16,
    events: u16,
}

impl Heights {
    fn of(height: u16) -> Self {
        let rest = height.saturating_sub(3);
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

/// Header, a sparkline per arm, a line of the score.
fn tiny(model: &Model, area: Rect, buffer: &mut Buffer) {
    header::draw(model, Rect { height: 2, ..area }, buffer);
    let bottom = area.bottom() - 1;
    let letters = model.run.letters();
    // Goodput for all arms before errors for any.
    let rows = ((bottom - area.y - 2) / letters.len().max(1) as u16).clamp(1, 2);
    for (arm, y) in letters.into_iter().zip((area.y + 2..bottom).step_by(rows.into())) {
        let row = Rect { y, height: rows, ..area };
        put(buffer, row.x + 1, y, &arm.to_string(), model.look.style(Role::Strong));
        let inner = Rect { x: row.x + 3, width: row.width.saturating_sub(4), ..row };
        rates::draw(model, arm, inner, buffer);
    }
    score::line(model, Rect { y: bottom, height: 1, ..area }, buffer);
}

/// The two arms shown, each with its half.
fn pair(model: &Model, area: Rect) -> Vec<(char, Rect)> {
    let Some((first, other)) = model.shown() else { return Vec::new() };
    if first == other {
        return vec![(first, area)];
    }
    let halves: [Rect; 2] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
    vec![(first, halves[0]), (other, halves[1])]
}

fn both_charts(model: &Model, area: Rect, buffer: &mut Buffer) {
    let halves = pair(model, area);
    let Some((first, panel)) = halves.first().copied() else { return };
    let letters: Vec<char> = halves.iter().map(|(arm, _)| *arm).collect();
    let span = Span::of(model, &letters, panel.width.saturating_sub(2 + chart::GUTTER));
    let scale = shared_scale(model, span);
    for (arm, panel) in halves {
        arm_panel(model, arm, (arm != first).then_some(first), scale, span, panel, buffer);
    }
}

fn shared_scale(model: &Model, span: Span) -> Scale {
    let (first, other) = model.shown().unwrap_or_default();
    Scale::over(chart::values(model, first, span).chain(chart::values(model, other, span)))
}

/// An arm's chart; where there is no panel for its rates, with its goodput below.
fn arm_panel(
    model: &Model,
    arm: char,
    against: Option<char>,
    scale: Scale,
    span: Span,
    area: Rect,
    buffer: &mut Buffer,
) {
    let roomy = buffer.area.width >= WIDE.0 && buffer.area.height >= WIDE.1;
    let inner = framed(&model.look, chart_title(model, arm, against, area.width), area, buffer);
    if roomy {
        chart::draw(model, arm, scale, span, inner, buffer);
    } else if inner.height < 5 {
        // A chart of three rows says nothing: the space is the sparklines'.
        rates::draw(model, arm, inner, buffer);
    } else {
        chart::draw(model, arm, scale, span, Rect { height: inner.height - 1, ..inner }, buffer);
        rates::draw(model, arm, Rect { y: inner.bottom() - 1, height: 1, ..inner }, buffer);
    }
}

/// `A monolith ─ p50 2.1  p99 9.4  p99.9 22 ms`: the newest closed second's.
fn chart_title(model: &Model, arm: char, against: Option<char>, width: u16) -> Line<'static> {
    let look = &model.look;
    let now = newest_closed(model, arm);
    let other = against.and_then(|arm| newest_closed(model, arm));
    let name = model.run.header.as_deref().and_then(|h| h.arms.iter().find(|a| a.letter == arm));
    let name = name.map_or_else(String::new, |arm| arm.name.clone());
    let room = usize::from(width).saturating_sub(36).max(5);
    let mut pieces = vec![
        Piece::styled(format!(" {arm} "), look.style(Role::Strong)),
        Piece::styled(crate::figures::cut(&name, room, look.ascii), look.style(Role::Strong)),
        Piece::raw(" "),
    ];
    let mut figure = |name: &str, of: fn(&Second) -> Quantile| {
        let mine = now.map(of);
        let than = other.map(of).and_then(|q| q.ms);
        let role = if mine.is_some_and(Quantile::believable) { Role::Text } else { Role::Dim };
        let (sign, sign_role) = worse(mine.and_then(|q| q.ms), than);
        pieces.push(Piece::styled(format!(" {name} "), look.style(Role::Dim)));
        pieces.push(Piece::styled(ms(mine.and_then(|q| q.ms)), look.style(role)));
        pieces.push(Piece::styled(sign, look.style(sign_role)));
    };
    if width >= 56 {
        figure("p50", |s| s.p50);
        figure("p99", |s| s.p99);
        figure("p99.9", |s| s.p999);
        pieces.push(Piece::styled(" ms ", look.style(Role::Dim)));
    } else {
        figure("p99", |s| s.p99);
        pieces.push(Piece::styled("ms", look.style(Role::Dim)));
        let share = now.filter(|s| s.offered > 0).map(|s| s.failed as f64 / s.offered as f64);
        let role = if share.is_some_and(|s| s > 0.0) { Role::Error } else { Role::Text };
        pieces.push(Piece::styled("  err ", look.style(Role::Dim)));
        pieces.push(Piece::styled(percent(share), look.style(role)));
        pieces.push(Piece::raw(" "));
    }
    Line::from(pieces)
}

/// The newest second that late answers can no longer change, within the last half minute.
fn newest_closed(model: &Model, arm: char) -> Option<&Second> {
    let (newest, _) = model.run.newest(arm, model.at())?;
    let round = model.run.place(arm, model.at())?.round;
    let recent = newest.saturating_sub(crate::run::P999_SECONDS)..=newest;
    recent.rev().find_map(|at| model.run.second(arm, round, at).filter(|second| second.closed))
}

/// A sign where a latency is more than a tenth above the other arm's.
fn worse(mine: Option<f64>, other: Option<f64>) -> (&'static str, Role) {
    match (mine, other) {
        (Some(mine), Some(other)) if mine > other * 1.1 => ("!", Role::Error),
        _ => ("", Role::Text),
    }
}

/// Draws a frame with its title, returns what is inside.
fn framed(look: &Look, title: Line<'static>, area: Rect, buffer: &mut Buffer) -> Rect {
    let set = if look.ascii { ASCII } else { ratatui::symbols::border::ROUNDED };
    let block = Block::bordered().border_set(set).border_style(look.style(Role::Frame)).title(title);
    let inner = block.inner(area);
    block.render(area, buffer);
    inner
}

const ASCII: ratatui::symbols::border::Set<'static> = ratatui::symbols::border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// A panel's plain title.
fn titled(look: &Look, text: &str) -> Line<'static> {
    Line::from(Piece::styled(format!(" {text} "), look.style(Role::Strong)))
}
