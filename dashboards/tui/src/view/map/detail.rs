//! One edge: its rate, errors and duration over time, and the instances that answer it.

use ratatui::layout::Rect;
use record::{CLIENT, Edge};

use super::super::frame::{framed, titled};
use super::super::graph;
use super::super::page::Page;
use super::super::put;
use super::paragraph;
use super::tree::Node;
use crate::state::State;
use crate::style::Role;
use crate::text::{NO_DATA, clock, cores, count, left, ms, name_of, percent, right};
use model::SECOND;

const LEVELS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII_LEVELS: [&str; 8] = ["_", ".", ":", "-", "=", "+", "*", "#"];

/// A row of bars: what it shows, how, its value of a sample.
type Bars = (&'static str, fn(f64) -> String, fn(&Edge) -> Option<f64>, Role);

/// Rate, errors, duration; and what makes them: retries and the queue.
const BARS: [Bars; 6] = [
    ("edge_actual", |v| count(Some(v)), |e| Some(e.actual_rps), Role::Good),
    ("edge_errors", |v| percent(Some(v)), model::edges::error_ratio, Role::Error),
    ("edge_p50", |v| ms(Some(v)), |e| e.p50_ms, Role::Median),
    ("edge_p99", |v| ms(Some(v)), |e| e.p99_ms, Role::Tail),
    ("edge_retries", |v| count(Some(v)), |e| Some(e.retries_rps), Role::Warn),
    ("edge_queue", |v| count(Some(v)), |e| Some(e.queue as f64), Role::Warn),
];

/// Cells of a row's name and of its newest and highest value.
const NAME: usize = 9;
const FIGURE: usize = 7;

pub(super) fn draw(state: &State, node: &Node, area: Rect, page: &mut Page) {
    let theme = &state.theme;
    let caller = if node.caller.is_empty() { "(events)" } else { &node.caller };
    let title = format!("{} {caller} {} {}", node.arm, theme.either("→", ">"), node.component);
    let inner = framed(theme, titled(theme, &title), area, page);
    let why = match (node.local, node.caller == CLIENT) {
        (true, _) => Some("A function call: it has no latency of its own, no breaker and no queue."),
        (_, true) => Some("What users see: the charts of the Live tab are this edge, second by second."),
        _ => None,
    };
    let y = match why {
        Some(why) => paragraph(state, why, Role::Text, inner, page),
        None => bars(state, node, inner, page),
    };
    let below =
        Rect { y: (y + 1).min(inner.bottom()), height: inner.bottom().saturating_sub(y + 1), ..inner };
    answerers(state, node, below, page);
}

/// Draws the bars over the seconds up to the moment shown; returns the first row left.
fn bars(state: &State, node: &Node, area: Rect, page: &mut Page) -> u16 {
    let theme = &state.theme;
    let columns = usize::from(area.width).saturating_sub(NAME + 2 * FIGURE + 4);
    if columns == 0 || area.height == 0 {
        return area.y;
    }
    let now = state.at();
    let from = now.saturating_sub(columns as u64 * SECOND).max(state.run.load_start());
    let samples = state.detail().edge_between(node.arm, &node.caller, &node.component, from, now);
    let heads = format!(" {}{}{}", left("", NAME, true), right("now", FIGURE), right("most", FIGURE));
    put(page, area.x, area.y, &heads, theme.style(Role::Dim));
    let x = area.x + (NAME + 2 * FIGURE + 3) as u16;
    let levels = if theme.ascii { ASCII_LEVELS } else { LEVELS };
    let mut y = area.y + 1;
    for (term, show, of, role) in BARS.iter().take(usize::from(area.height.saturating_sub(2))) {
        let values = || samples.iter().filter_map(|(t, edge)| Some((*t, of(edge)?)));
        let most = values().map(|(_, value)| value).reduce(f64::max);
        let newest = samples.last().and_then(|(_, edge)| of(edge));
        let shown = |value: Option<f64>| value.map_or(NO_DATA.into(), show);
        let text = format!(
            " {}{}{}",
            left(name_of(term), NAME, theme.ascii),
            right(&shown(newest), FIGURE),
            right(&shown(most), FIGURE)
        );
        put(page, area.x, y, &text, theme.style(Role::Text));
        for (t, value) in values() {
            let column = (t.saturating_sub(from) / SECOND).min(columns as u64 - 1) as u16;
            let share = most.filter(|most| *most > 0.0).map_or(0.0, |most| value / most);
            // Whatever is more than nothing is drawn as more than nothing.
            let level = (share * 7.0).round().clamp(if value > 0.0 { 1.0 } else { 0.0 }, 7.0);
            let role = if value > 0.0 { *role } else { Role::Dim };
            put(page, x + column, y, levels[level as usize], theme.style(role));
        }
        page.is_time(Rect { x, y, width: columns as u16, height: 1 }, from, from + columns as u64 * SECOND);
        y += 1;
    }
    let start = state.run.load_start();
    let text = format!(
        "{} to {}",
        clock(from.saturating_sub(start) / SECOND),
        clock(now.saturating_sub(start) / SECOND)
    );
    if y < area.bottom() {
        put(page, x, y, &text, theme.style(Role::Dim));
    }
    y + 1
}

/// The instances behind it.
fn answerers(state: &State, node: &Node, area: Rect, page: &mut Page) {
    let theme = &state.theme;
    if area.height < 2 {
        return;
    }
    put(page, area.x, area.y, &format!(" {} runs in", node.component), theme.style(Role::Strong));
    let held: Vec<_> = graph::holders(state, node.arm, &node.component).collect();
    if held.is_empty() {
        put(page, area.x, area.y + 1, " no process sampled in the last seconds", theme.style(Role::Error));
    }
    for (proc, y) in held.into_iter().zip(area.y + 1..area.bottom()) {
        let (sign, role) = graph::process_sign(theme, proc);
        put(page, area.x + 1, y, sign, theme.style(role));
        let rates = state.detail().rates_at(node.arm, &proc.instance, state.at());
        let text = format!(
            "{} {}  pid {}  {} {}  {} {}  with {}",
            left(&proc.instance, 14, theme.ascii),
            proc.state,
            proc.pid,
            name_of("proc_cpu"),
            cores(rates.map(|rates| rates.cpu)),
            name_of("proc_restarts"),
            proc.restarts,
            proc.components.join(", "),
        );
        let text = crate::text::cut(&text, usize::from(area.width).saturating_sub(4), theme.ascii);
        put(page, area.x + 3, y, &text, theme.style(Role::Text));
    }
}
