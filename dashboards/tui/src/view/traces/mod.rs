//! Requests that were kept: a list, the one chosen span by span, and the same request in the other arm.

mod waterfall;

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use model::traces::SLOWEST_KEPT;
use ratatui::layout::{Constraint, Layout, Rect};
use record::{KeepReason, Trace};

use self::waterfall::Waterfall;
use super::frame::{foot, framed, titled};
use super::page::Page;
use super::table::{Column, Row, Table, more_columns};
use super::{WIDE, is_low, put};
use crate::state::{Solo, State};
use crate::style::Role;
use crate::text::{name_of, value, wrap};
use model::SECOND;

pub(super) const COLUMNS: &[Column] = &[
    Column::words("arm", 3, 0),
    Column::figure("user_latency", 14, 0),
    Column::figure("trace_length", 11, 3),
    Column::words("journey", 14, 0),
    Column::words("phase", 8, 2),
    Column::words("request", 7, 4),
    Column::rest("why it was kept", 10),
];

/// Fewer rows than this have no room for a list and a request below it.
const BOTH: u16 = 18;
/// Fewer rows have no frame.
const FRAMED: u16 = 5;

/// The kept requests up to the moment shown that pass the filter.
pub(super) fn rows(state: &State) -> Vec<Arc<Trace>> {
    let mut traces: Vec<Arc<Trace>> = state.run.traces_until(state.at()).into_iter().cloned().collect();
    let shown = if state.solo == Solo::Both { state.run.letters() } else { state.arms() };
    let list = &state.traces.list;
    traces.retain(|trace| {
        // A component is found by the spans that went through it.
        let text = || {
            let through: Vec<&str> = trace.components().into_iter().collect();
            format!("{} {} {} {}", trace.journey, phase(state, trace), why(trace), through.join(" "))
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
        _ => Reverse(a.user_latency).cmp(&Reverse(b.user_latency)),
    }
}

/// The trace shown whole, or chosen.
pub(super) fn chosen(state: &State) -> Option<Arc<Trace>> {
    shown_whole(state).or_else(|| {
        let rows = rows(state);
        rows.get(state.traces.list.at(rows.len(), false)).cloned()
    })
}

fn shown_whole(state: &State) -> Option<Arc<Trace>> {
    let (arm, round, request) = state.traces.shown?;
    state.run.trace_until(arm, round, request, state.at()).cloned()
}

fn phase<'a>(state: &'a State, trace: &Trace) -> &'a str {
    state.run.header.phases.get(trace.phase as usize).map_or("", |phase| &phase.name)
}

fn why(trace: &Trace) -> String {
    match (trace.error.as_str(), trace.kept) {
        ("", KeepReason::Error) => "failed".into(),
        ("", KeepReason::Slow) => "slow".into(),
        ("", KeepReason::Pair) => "kept in another arm".into(),
        (error, _) => format!("failed: {error}"),
    }
}

/// Nanoseconds as every view writes seconds.
fn length(ns: u64) -> String {
    value(Some(ns as f64 / SECOND as f64), "s")
}

pub(super) fn draw(state: &State, area: Rect, page: &mut Page) {
    if let Some(trace) = shown_whole(state) {
        return whole(state, &trace, area, page);
    }
    let rows = rows(state);
    let Some(trace) = rows.get(state.traces.list.at(rows.len(), false)) else {
        return none(state, area, page);
    };
    let below = if area.height >= BOTH { area.height / 2 } else { 0 };
    let [upper, lower]: [Rect; 2] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(area);
    list(state, &rows, upper, page);
    if below == 0 {
        return;
    }
    match twin(state, trace).filter(|_| state.solo == Solo::Both) {
        Some(twin) if area.width >= WIDE.0 => pair(state, trace, twin, lower, page),
        Some(_) => one(state, trace, "Enter shows the other arm's as well", lower, page),
        None => one(state, trace, "", lower, page),
    }
}

fn list(state: &State, traces: &[Arc<Trace>], area: Rect, page: &mut Page) {
    let theme = &state.theme;
    let filter = match state.traces.list.filter.as_str() {
        "" => String::new(),
        filter => format!(" with `{filter}`"),
    };
    let requests = if traces.len() == 1 { "request" } else { "requests" };
    let title = format!("{} {requests} kept{filter}", traces.len());
    let inner = if is_low(area) { area } else { framed(theme, titled(theme, &title), area, page) };
    let cells = |trace: &Arc<Trace>| {
        let failed = !trace.error.is_empty();
        let sign = if failed { theme.either("✗ ", "x ") } else { "" };
        Row::Cells(vec![
            (trace.arm.to_string(), Role::Strong),
            (length(trace.user_latency), Role::Text),
            (length(trace.length()), Role::Text),
            (trace.journey.clone(), Role::Text),
            (phase(state, trace).to_owned(), Role::Dim),
            (trace.request.to_string(), Role::Dim),
            (format!("{sign}{}", why(trace)), if failed { Role::Error } else { Role::Dim }),
        ])
    };
    let rows: Vec<Row> = traces.iter().map(cells).collect();
    let chosen = state.traces.list.at(rows.len(), false);
    let table = Table { columns: COLUMNS, rows: &rows, chosen, sort: state.traces.list.sort, before: 0 };
    let missing = table.draw(theme, inner, page);
    if !is_low(area) {
        let more = format!("{} on a wider screen", more_columns(missing));
        let what = format!("the {SLOWEST_KEPT} slowest of each journey, arm and phase, and what failed");
        foot(theme, if missing > 0 { &more } else { &what }, Role::Dim, area, page);
    }
}

/// The same request in the arm it is compared with, else in any other that kept it.
fn twin<'a>(state: &'a State, trace: &Trace) -> Option<&'a Trace> {
    let compared = state.shown().map_or([trace.arm; 2], |(first, other)| [first, other]);
    let arms = compared.into_iter().chain(state.run.letters()).filter(|arm| *arm != trace.arm);
    arms.filter_map(|arm| state.run.twin_until(trace, arm, state.at())).map(|twin| &**twin).next()
}

/// The request opened: with its twin where both fit, else the arm's that `s` selects.
fn whole(state: &State, trace: &Trace, area: Rect, page: &mut Page) {
    let Some(twin) = twin(state, trace) else {
        return one(state, trace, "not kept in another arm", area, page);
    };
    let fit = area.width >= WIDE.0 || area.height >= BOTH;
    if fit && state.solo == Solo::Both {
        return pair(state, trace, twin, area, page);
    }
    let selected = state.arms().first().copied().filter(|_| state.solo != Solo::Both);
    let shown = if selected == Some(twin.arm) { twin } else { trace };
    one(state, shown, "s shows the other arm's", area, page);
}

/// Two arms' traces of one request, side by side or one below the other, the first arm's first.
fn pair(state: &State, trace: &Trace, twin: &Trace, area: Rect, page: &mut Page) {
    let halves = [Constraint::Fill(1), Constraint::Fill(1)];
    let halves: [Rect; 2] =
        if area.width >= WIDE.0 { Layout::horizontal(halves) } else { Layout::vertical(halves) }.areas(area);
    let (first, second) = if twin.arm < trace.arm { (twin, trace) } else { (trace, twin) };
    // Both on one scale: the shorter one looks shorter.
    let longest = first.length().max(second.length());
    waterfall(state, first, longest, halves[0], page);
    waterfall(state, second, longest, halves[1], page);
}

/// One request with a word below it.
fn one(state: &State, trace: &Trace, word: &str, area: Rect, page: &mut Page) {
    waterfall(state, trace, trace.length(), area, page);
    if !word.is_empty() && area.height >= FRAMED {
        foot(&state.theme, word, Role::Dim, area, page);
    }
}

fn waterfall(state: &State, trace: &Trace, longest: u64, area: Rect, page: &mut Page) {
    let user_latency = format!("{} {}", name_of("user_latency"), length(trace.user_latency));
    let title = format!("{} {} request {}, {user_latency}", trace.arm, trace.journey, trace.request);
    let theme = &state.theme;
    let inner = if area.height < FRAMED { area } else { framed(theme, titled(theme, &title), area, page) };
    let split = state.run.split_until(trace, state.at()).map(|split| &**split);
    Waterfall { trace, longest, split, scroll: state.traces.scroll }.draw(theme, inner, page);
}

/// Why there is no request to show.
fn none(state: &State, area: Rect, page: &mut Page) {
    let theme = &state.theme;
    let inner = if is_low(area) { area } else { framed(theme, titled(theme, "requests kept"), area, page) };
    let telemetry = &state.run.header.telemetry;
    let text = if state.traces.list.filter.is_empty() {
        format!(
            "No request was kept up to this moment. The lab keeps the slowest and the failed ones of each journey as their \
             traces come in; telemetry of this run: {telemetry}."
        )
    } else {
        format!("No kept request goes with `{}`; Esc shows all.", state.traces.list.filter)
    };
    let lines = wrap(&text, usize::from(inner.width.saturating_sub(2)).clamp(10, 100));
    for (line, y) in lines.iter().zip(inner.top()..inner.bottom()) {
        put(page, inner.x + 1, y, line, theme.style(Role::Dim));
    }
}
