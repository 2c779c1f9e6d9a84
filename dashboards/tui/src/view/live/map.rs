//! The services by the calls between them: a tree where there is room, else the worst first.

use model::edges::error_ratio;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};
use record::Edge;

use super::super::frame::{foot, framed, line};
use super::super::graph::{self, busy, failing_role, tree};
use super::super::put;
use crate::state::{Solo, State};
use crate::style::{Role, Theme};
use crate::text::{count, cut, left, ms, name_of, percent, right, width};

/// Cells of a name on a wide map, at least.
const NAME: usize = 20;

/// The arm whose edges are shown: the right one, or the one that is shown alone.
fn arm(state: &State) -> Option<char> {
    let (first, other) = state.shown()?;
    Some(if state.solo == Solo::First { first } else { other })
}

/// Callee by callee, indented by depth.
pub(super) fn map(state: &State, title: impl Fn(&str) -> Line<'static>, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let Some(arm) = arm(state) else { return };
    let inner = framed(theme, title(&format!("{arm} service map: calls between processes")), area, buffer);
    worst_symptom(state, arm, area, buffer);
    let edges = busy(state, arm);
    let branches = tree(&edges);
    if branches.is_empty() {
        put(buffer, inner.x, inner.y, none(state, arm), theme.style(Role::Dim));
        return;
    }
    // Figures stand beside the names; short ones leave room, so that the columns stay when edges come and go.
    let longest = branches.iter().map(|branch| width(&graph::name(theme, branch))).max().unwrap_or(0);
    let name = longest.max(NAME).min(usize::from(inner.width).saturating_sub(36)).max(12);
    let heads = format!(
        " {}{}{}{}  {}up",
        left("", name, theme.ascii),
        right(name_of("edge_actual"), 7),
        right(&format!("{} ms", name_of("edge_p99")), 8),
        right(name_of("edge_errors"), 7),
        left(name_of("breaker"), 8, theme.ascii),
    );
    put(buffer, inner.x, inner.y, &heads, theme.style(Role::Dim));
    let slowest = model::edges::slowest_p99(edges.iter().copied());
    let rows = usize::from(inner.height.saturating_sub(1));
    let shown = if branches.len() > rows { rows.saturating_sub(1) } else { branches.len() };
    for (branch, y) in branches.iter().take(shown).zip(inner.y + 1..) {
        let edge = branch.edge;
        let mut pieces =
            vec![Piece::raw(format!(" {}", left(&graph::name(theme, branch), name, theme.ascii)))];
        pieces.push(Piece::raw(right(&count(Some(edge.actual_rps)), 7)));
        pieces.extend(figures(theme, edge, slowest));
        let (word, role) = graph::breaker(edge);
        pieces.push(Piece::styled(format!("  {}", left(word, 8, theme.ascii)), theme.style(role)));
        pieces.extend(graph::instances(state, arm, &edge.callee));
        let faults = graph::faults(state, arm, &edge.callee);
        pieces.push(Piece::styled(format!(" {faults}"), theme.style(Role::Fault)));
        line(pieces, inner.x, y, inner.width, buffer);
    }
    if shown < branches.len() && inner.height > 0 {
        let text = format!(" and {} more", branches.len() - shown);
        put(buffer, inner.x, inner.bottom() - 1, &text, theme.style(Role::Dim));
    }
}

/// Caller and callee in one line, the failing and slow ones on top.
pub(super) fn worst_first(
    state: &State,
    title: impl Fn(&str) -> Line<'static>,
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = &state.theme;
    let Some(arm) = arm(state) else { return };
    let inner = framed(theme, title(&format!("{arm} edges, worst first")), area, buffer);
    worst_symptom(state, arm, area, buffer);
    let mut edges = busy(state, arm);
    // Open breakers, then failing, then slow.
    edges.sort_by(|a, b| {
        let failing = |edge: &Edge| error_ratio(edge).unwrap_or(0.0);
        (b.breaker.cmp(&a.breaker))
            .then_with(|| failing(b).total_cmp(&failing(a)))
            .then_with(|| b.p99_ms.unwrap_or(0.0).total_cmp(&a.p99_ms.unwrap_or(0.0)))
    });
    if edges.is_empty() {
        put(buffer, inner.x, inner.y, none(state, arm), theme.style(Role::Dim));
    }
    let slowest = model::edges::slowest_p99(edges.iter().copied());
    let name = usize::from(inner.width).saturating_sub(23).max(8);
    for (edge, y) in edges.iter().zip(inner.top()..inner.bottom()) {
        let caller = if edge.caller == "gateway" { "gw" } else { graph::caller(edge) };
        let text = format!("{caller}{}{}", theme.either("→", ">"), edge.callee);
        let mut pieces = vec![Piece::raw(format!(" {}", left(&text, name, theme.ascii)))];
        pieces.extend(figures(theme, edge, slowest));
        let (word, role) = graph::breaker(edge);
        let word = if edge.breaker == 0 { "" } else { word };
        pieces.push(Piece::raw(" "));
        pieces.push(Piece::styled(word, theme.style(role)));
        pieces.extend(graph::instances(state, arm, &edge.callee));
        pieces.push(Piece::styled(graph::faults(state, arm, &edge.callee), theme.style(Role::Fault)));
        line(pieces, inner.x, y, inner.width, buffer);
    }
}

/// The worst symptom, in the panel's last row: the map's tab has all of it.
fn worst_symptom(state: &State, arm: char, area: Rect, buffer: &mut Buffer) {
    let found = state.detail().symptoms_at(arm, state.at());
    if let Some(symptom) = found.first() {
        let room = usize::from(area.width).saturating_sub(8);
        let more = if found.len() > 1 { format!(", and {} more", found.len() - 1) } else { String::new() };
        let text = format!("{}{more}", symptom.text);
        foot(&state.theme, &cut(&text, room, state.theme.ascii), Role::of(symptom), area, buffer);
    }
}

/// Why there is no edge: everything in one process, or nothing going on.
fn none(state: &State, arm: char) -> &'static str {
    let alone =
        state.run.arm(arm).is_some_and(|arm| arm.remote_edges.is_empty() && !arm.local_edges.is_empty());
    if alone { " every call is a function call here" } else { " no calls in the last seconds" }
}

/// p99 with `!` on the slowest, share of failed tries.
fn figures(theme: &Theme, edge: &Edge, slowest: Option<f64>) -> [Piece<'static>; 2] {
    let is_slowest = graph::is_slowest(edge, slowest);
    let p99 = format!("{}{}", ms(edge.p99_ms), if is_slowest { "!" } else { " " });
    let share = error_ratio(edge);
    let p99_role = if is_slowest { Role::Warn } else { Role::Text };
    [
        Piece::styled(right(&p99, 8), theme.style(p99_role)),
        Piece::styled(right(&percent(share), 7), theme.style(failing_role(share))),
    ]
}
