//! Requests that were kept: a list, the one chosen span by span, and the same request in the other arm.

mod waterfall;

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use model::traces::SLOWEST_KEPT;
use ratatui::layout::{Constraint, Layout, Rect};
use record::{Kept, Trace};

use self::waterfall::Waterfall;
use super::frame::{foot, framed, titled};
use super::page::Page;
use super::table::{Column, Row, Table, more_columns};
use super::{WIDE, is_low, put};
use crate::figures::{name_of, value, wrap};
use crate::model::{Model, Solo};
use crate::run::SECOND;
use crate::style::Role;

pub(super) const COLUMNS: &[Column] = &[
    Column::words("arm", 3, 0),
    Column::figure("felt", 8, 0),
    Column::figure("trace_length", 8, 3),
    Column::words("journey", 14, 0),
    Column::words("phase", 10, 2),
    Column::words("request", 8, 4),
    Column::rest("why it was kept", 10),
];

/// Fewer rows than this have no room for a list and a request below it.
const BOTH: u16 = 18;
/// Fewer rows have no frame.
const FRAMED: u16 = 5;

/// The kept requests up to the moment shown that pass the filter.
pub(super) fn rows(model: &Model) -> Vec<Arc<Trace>> {
    let mut traces: Vec<Arc<Trace>> = model.run.traces(model.at()).into_iter().cloned().collect();
    let shown = if model.solo == Solo::Both { model.run.letters() } else { model.arms() };
    let list = &model.traces.list;
    traces.retain(|trace| {
        // A component is found by the spans that went through it.
        let text = || {
            let through: Vec<&str> = trace.components().into_iter().collect();
            format!("{} {} {} {}", trace.journey, phase(model, trace), why(trace), through.join(" "))
        };
        shown.contains(&trace.arm) && (list.filter.is_empty() || list.passes(&text()))
    });
    if let Some(column) = list.sort {
        traces.sort_by(|a, b| order(column, a, b));
    }
    traces
}

/// Words rise, figures fall; what is equal stays slowest first.
fn order(column: usize, a: &Trace, b: &Trace) -> Ordering {
    match column {
        0 => a.arm.cmp(&b.arm),
        2 => Reverse(a.length()).cmp(&Reverse(b.length())),
        3 => a.journey.cmp(&b.journey),
        4 => (a.round, a.phase).cmp(&(b.round, b.phase)),
        5 => a.request.cmp(&b.request),
        6 => a.kept.cmp(&b.kept).then_with(|| a.error.cmp(&b.error)),
        _ => Reverse(a.felt).cmp(&Reverse(b.felt)),
    }
}

/// The trace shown whole, or chosen.
pub(super) fn chosen(model: &Model) -> Option<Arc<Trace>> {
    shown_whole(model).or_else(|| {
        let rows = rows(model);
        rows.get(model.traces.list.at(rows.len(), false)).cloned()
    })
}

fn shown_whole(model: &Model) -> Option<Arc<Trace>> {
    let (arm, round, request) = model.traces.shown?;
    model.run.trace(arm, round, request, model.at()).cloned()
}

fn phase<'a>(model: &'a Model, trace: &Trace) -> &'a str {
    let phases = model.run.header.as_deref().map_or(&[][..], |header| &header.phases);
    phases.get(trace.phase as usize).map_or("", |phase| &phase.name)
}

fn why(trace: &Trace) -> String {
    match (trace.error.as_str(), trace.kept) {
        ("", Kept::Error) => "failed".into(),
        ("", Kept::Slow) => "slow".into(),
        ("", Kept::Pair) => "kept in another arm".into(),
        (error, _) => format!("failed: {error}"),
    }
}

/// Nanoseconds as every view writes seconds.
fn length(ns: u64) -> String {
    value(Some(ns as f64 / SECOND as f64), "s")
}

pub(super) fn draw(model: &Model, area: Rect, page: &mut Page) {
    if let Some(trace) = shown_whole(model) {
        return whole(model, &trace, area, page);
    }
    let rows = rows(model);
    let Some(trace) = rows.get(model.traces.list.at(rows.len(), false)) else {
        return none(model, area, page);
    };
    let below = if area.height >= BOTH { area.height / 2 } else { 0 };
    let [upper, lower]: [Rect; 2] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(area);
    list(model, &rows, upper, page);
    if below == 0 {
        return;
    }
    match twin(model, trace).filter(|_| model.solo == Solo::Both) {
        Some(twin) if area.width >= WIDE.0 => pair(model, trace, twin, lower, page),
        Some(_) => one(model, trace, "Enter shows the other arm's as well", lower, page),
        None => one(model, trace, "", lower, page),
    }
}

fn list(model: &Model, traces: &[Arc<Trace>], area: Rect, page: &mut Page) {
    let look = &model.look;
    let filter = match model.traces.list.filter.as_str() {
        "" => String::new(),
        filter => format!(" with `{filter}`"),
    };
    let title = format!("{} requests kept{filter}", traces.len());
    let inner = if is_low(area) { area } else { framed(look, titled(look, &title), area, page) };
    let cells = |trace: &Arc<Trace>| {
        let failed = !trace.error.is_empty();
        let sign = if failed { look.either("✗ ", "x ") } else { "" };
        Row::Cells(vec![
            (trace.arm.to_string(), Role::Strong),
            (length(trace.felt), Role::Text),
            (length(trace.length()), Role::Text),
            (trace.journey.clone(), Role::Text),
            (phase(model, trace).to_owned(), Role::Dim),
            (trace.request.to_string(), Role::Dim),
            (format!("{sign}{}", why(trace)), if failed { Role::Error } else { Role::Dim }),
        ])
    };
    let rows: Vec<Row> = traces.iter().map(cells).collect();
    let chosen = model.traces.list.at(rows.len(), false);
    let table = Table { columns: COLUMNS, rows: &rows, chosen, sort: model.traces.list.sort, before: 0 };
    let missing = table.draw(look, inner, page);
    if !is_low(area) {
        let more = format!("{} on a wider screen", more_columns(missing));
        let what = format!("the {SLOWEST_KEPT} slowest of each journey, arm and phase, and what failed");
        foot(look, if missing > 0 { &more } else { &what }, Role::Dim, area, page);
    }
}

/// The same request in the arm it is compared with, else in any other that kept it.
fn twin<'a>(model: &'a Model, trace: &Trace) -> Option<&'a Trace> {
    let compared = model.shown().map_or([trace.arm; 2], |(first, other)| [first, other]);
    let arms = compared.into_iter().chain(model.run.letters()).filter(|arm| *arm != trace.arm);
    arms.filter_map(|arm| model.run.twin(trace, arm, model.at())).map(|twin| &**twin).next()
}

/// The request opened: with its twin where both fit, else the arm's that `s` asks for.
fn whole(model: &Model, trace: &Trace, area: Rect, page: &mut Page) {
    let Some(twin) = twin(model, trace) else {
        return one(model, trace, "not kept in another arm", area, page);
    };
    let fit = area.width >= WIDE.0 || area.height >= BOTH;
    if fit && model.solo == Solo::Both {
        return pair(model, trace, twin, area, page);
    }
    let asked = model.arms().first().copied().filter(|_| model.solo != Solo::Both);
    let shown = if asked == Some(twin.arm) { twin } else { trace };
    one(model, shown, "s shows the other arm's", area, page);
}

/// Two arms' traces of one request, side by side or one below the other, the first arm's first.
fn pair(model: &Model, trace: &Trace, twin: &Trace, area: Rect, page: &mut Page) {
    let halves = [Constraint::Fill(1), Constraint::Fill(1)];
    let halves: [Rect; 2] =
        if area.width >= WIDE.0 { Layout::horizontal(halves) } else { Layout::vertical(halves) }.areas(area);
    let (first, second) = if twin.arm < trace.arm { (twin, trace) } else { (trace, twin) };
    // Both on one scale: the shorter one looks shorter.
    let longest = first.length().max(second.length());
    waterfall(model, first, longest, halves[0], page);
    waterfall(model, second, longest, halves[1], page);
}

/// One request with a word below it.
fn one(model: &Model, trace: &Trace, word: &str, area: Rect, page: &mut Page) {
    waterfall(model, trace, trace.length(), area, page);
    if !word.is_empty() && area.height >= FRAMED {
        foot(&model.look, word, Role::Dim, area, page);
    }
}

fn waterfall(model: &Model, trace: &Trace, longest: u64, area: Rect, page: &mut Page) {
    let felt = format!("{} {}", name_of("felt"), length(trace.felt));
    let title = format!("{} {} request {}, {felt}", trace.arm, trace.journey, trace.request);
    let look = &model.look;
    let inner = if area.height < FRAMED { area } else { framed(look, titled(look, &title), area, page) };
    let split = model.run.split(trace, model.at()).map(|split| &**split);
    Waterfall { trace, longest, split, scroll: model.traces.scroll }.draw(look, inner, page);
}

/// Why there is no request to show.
fn none(model: &Model, area: Rect, page: &mut Page) {
    let look = &model.look;
    let inner = if is_low(area) { area } else { framed(look, titled(look, "requests kept"), area, page) };
    let telemetry = model.run.header.as_deref().map_or("", |header| header.telemetry.as_str());
    let text = if model.traces.list.filter.is_empty() {
        format!(
            "No request was kept up to this moment. The lab keeps the slowest and the failed ones of each journey as their \
             traces come in; telemetry of this run: {telemetry}."
        )
    } else {
        format!("No kept request goes with `{}`; Esc shows all.", model.traces.list.filter)
    };
    let lines = wrap(&text, usize::from(inner.width.saturating_sub(2)).clamp(10, 100));
    for (line, y) in lines.iter().zip(inner.top()..inner.bottom()) {
        put(page, inner.x + 1, y, line, look.style(Role::Dim));
    }
}
