//! One edge: its rate, errors and duration over time, and who answers it.

use ratatui::layout::Rect;
use record::{CLIENT, Edge};

use super::super::frame::{framed, titled};
use super::super::graph;
use super::super::page::Page;
use super::super::put;
use super::say;
use super::tree::Node;
use crate::figures::{NO_DATA, clock, count, left, ms, name_of, percent, right};
use crate::model::Model;
use crate::run::SECOND;
use crate::style::Role;

const LEVELS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII_LEVELS: [&str; 8] = ["_", ".", ":", "-", "=", "+", "*", "#"];

/// A row of bars: what it shows, how, its value of a sample.
type Bars = (&'static str, fn(f64) -> String, fn(&Edge) -> Option<f64>, Role);

/// Rate, errors, duration; and what makes them: retries and the queue.
const BARS: [Bars; 6] = [
    ("edge_actual", |v| count(Some(v)), |e| Some(e.actual_rps), Role::Good),
    ("edge_errors", |v| percent(Some(v)), graph::failing, Role::Error),
    ("edge_p50", |v| ms(Some(v)), |e| e.p50_ms, Role::Median),
    ("edge_p99", |v| ms(Some(v)), |e| e.p99_ms, Role::Tail),
    ("edge_retries", |v| count(Some(v)), |e| Some(e.retries_rps), Role::Warn),
    ("edge_queue", |v| count(Some(v)), |e| Some(e.queue as f64), Role::Warn),
];

/// Cells of a row's name and of its newest and highest value.
const NAME: usize = 9;
const FIGURE: usize = 7;

pub(super) fn draw(model: &Model, node: &Node, area: Rect, page: &mut Page) {
    let look = &model.look;
    let caller = if node.caller.is_empty() { "(events)" } else { &node.caller };
    let title = format!("{} {caller} {} {}", node.arm, look.either("→", ">"), node.component);
    let inner = framed(look, titled(look, &title), area, page);
    let why = match (node.local, node.caller == CLIENT) {
        (true, _) => Some("A function call: it has no latency of its own, no breaker and no queue."),
        (_, true) => Some("What users feel: the charts of the Live tab are this edge, second by second."),
        _ => None,
    };
    let y = match why {
        Some(why) => say(model, why, Role::Text, inner, page),
        None => bars(model, node, inner, page),
    };
    let below =
        Rect { y: (y + 1).min(inner.bottom()), height: inner.bottom().saturating_sub(y + 1), ..inner };
    answerers(model, node, below, page);
}

/// Draws the bars over the seconds up to the moment shown; returns the first row left.
fn bars(model: &Model, node: &Node, area: Rect, page: &mut Page) -> u16 {
    let look = &model.look;
    let columns = usize::from(area.width).saturating_sub(NAME + 2 * FIGURE + 4);
    if columns == 0 || area.height == 0 {
        return area.y;
    }
    let now = model.at();
    let from = now.saturating_sub(columns as u64 * SECOND).max(model.run.load_start());
    let said = model.run.edge_between(node.arm, &node.caller, &node.component, from, now);
    let heads = format!(" {}{}{}", left("", NAME, true), right("now", FIGURE), right("most", FIGURE));
    put(page, area.x, area.y, &heads, look.style(Role::Dim));
    let x = area.x + (NAME + 2 * FIGURE + 3) as u16;
    let levels = if look.ascii { ASCII_LEVELS } else { LEVELS };
    let mut y = area.y + 1;
    for (term, show, of, role) in BARS.iter().take(usize::from(area.height.saturating_sub(2))) {
        let values = || said.iter().filter_map(|(t, edge)| Some((*t, of(edge)?)));
        let most = values().map(|(_, value)| value).reduce(f64::max);
        let newest = said.last().and_then(|(_, edge)| of(edge));
        let shown = |value: Option<f64>| value.map_or(NO_DATA.into(), show);
        let text = format!(
            " {}{}{}",
            left(name_of(term), NAME, look.ascii),
            right(&shown(newest), FIGURE),
            right(&shown(most), FIGURE)
        );
        put(page, area.x, y, &text, look.style(Role::Text));
        for (t, value) in values() {
            let column = (t.saturating_sub(from) / SECOND).min(columns as u64 - 1) as u16;
            let share = most.filter(|most| *most > 0.0).map_or(0.0, |most| value / most);
            // Whatever is more than nothing is drawn as more than nothing.
            let level = (share * 7.0).round().clamp(if value > 0.0 { 1.0 } else { 0.0 }, 7.0);
            let role = if value > 0.0 { *role } else { Role::Dim };
            put(page, x + column, y, levels[level as usize], look.style(role));
        }
        page.is_time(Rect { x, y, width: columns as u16, height: 1 }, from, from + columns as u64 * SECOND);
        y += 1;
    }
    let start = model.run.load_start();
    let text = format!(
        "{} to {}",
        clock(from.saturating_sub(start) / SECOND),
        clock(now.saturating_sub(start) / SECOND)
    );
    if y < area.bottom() {
        put(page, x, y, &text, look.style(Role::Dim));
    }
    y + 1
}

/// The instances behind it.
fn answerers(model: &Model, node: &Node, area: Rect, page: &mut Page) {
    let look = &model.look;
    if area.height < 2 {
        return;
    }
    put(page, area.x, area.y, &format!(" {} is held by", node.component), look.style(Role::Strong));
    let held: Vec<_> = graph::holders(model, node.arm, &node.component).collect();
    if held.is_empty() {
        put(page, area.x, area.y + 1, " nobody heard of in the last seconds", look.style(Role::Error));
    }
    for (proc, y) in held.into_iter().zip(area.y + 1..area.bottom()) {
        let (sign, role) = graph::state(look, proc);
        put(page, area.x + 1, y, sign, look.style(role));
        let rates = model.run.rates(node.arm, &proc.instance, model.at());
        let text = format!(
            "{} {}  pid {}  {} {}  {} {}  with {}",
            left(&proc.instance, 14, look.ascii),
            proc.state,
            proc.pid,
            name_of("proc_cpu"),
            percent(rates.map(|rates| rates.cpu)),
            name_of("proc_restarts"),
            proc.restarts,
            proc.components.join(", "),
        );
        let text = crate::figures::cut(&text, usize::from(area.width).saturating_sub(4), look.ascii);
        put(page, area.x + 3, y, &text, look.style(Role::Text));
    }
}
