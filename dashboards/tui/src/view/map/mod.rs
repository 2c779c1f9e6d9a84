//! The call graph of the arms shown, edge by edge, with every instance; and what is wrong, in words.

mod detail;
mod tree;

use model::incidents::Symptom;
use ratatui::layout::{Constraint, Layout, Rect};

use self::tree::Node;
use super::frame::{foot, framed, titled};
use super::page::Page;
use super::table::{Column, Row, Table, more_columns};
use super::{WIDE, is_low, put};
use crate::state::State;
use crate::style::Role;
use crate::text::{cut, wrap};

/// Per edge, and in the same columns what there is of an instance.
pub(super) const COLUMNS: &[Column] = &[
    Column::rest("call", 20),
    Column::figure("edge_rps", 6, 2),
    Column::figure("edge_actual", 6, 1),
    Column::figure("edge_p50", 7, 5),
    Column::figure("edge_p99", 7, 0),
    Column::figure("edge_errors", 6, 0),
    Column::figure("edge_retries", 7, 3),
    Column::figure("breaker", 7, 4),
    Column::figure("edge_queue", 4, 2),
    Column::words("instances", 22, 6),
];

/// Most rows of the panel of what is wrong.
const SYMPTOMS: u16 = 9;
/// Fewer rows than this are the graph's alone, unless something is wrong.
const SHORT: u16 = 14;

pub(super) fn count(state: &State) -> usize {
    tree::nodes(state).len()
}

fn chosen(state: &State) -> Option<Node> {
    let mut nodes = tree::nodes(state);
    let at = state.map.at(nodes.len(), false);
    (at < nodes.len()).then(|| nodes.swap_remove(at))
}

/// The component whose row is chosen.
pub(super) fn chosen_component(state: &State) -> Option<String> {
    chosen(state).map(|node| node.component)
}

pub(super) fn draw(state: &State, area: Rect, page: &mut Page) {
    if state.map.open
        && let Some(node) = chosen(state)
    {
        return detail::draw(state, &node, area, page);
    }
    let theme = &state.theme;
    let arms = state.arms();
    let found: Vec<(char, Symptom)> = arms
        .iter()
        .flat_map(|arm| {
            state.detail().symptoms_at(*arm, state.at()).into_iter().map(|symptom| (*arm, symptom))
        })
        .collect();
    // On a short screen the absence of the panel shows that nothing is wrong.
    let short = area.height < SHORT && found.is_empty();
    let high = match is_low(area) || short {
        true => 0,
        false => (found.len() as u16 + 2).clamp(3, SYMPTOMS.min(area.height / 3).max(3)),
    };
    let [upper, lower]: [Rect; 2] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(high)]).areas(area);
    let inner = if is_low(area) {
        area
    } else {
        let filter =
            if state.map.filter.is_empty() { String::new() } else { format!(" with `{}`", state.map.filter) };
        framed(theme, titled(theme, &format!("calls between components{filter}")), upper, page)
    };
    let rows = tree::rows(state);
    let chosen = state.map.at(count(state), false);
    let missing =
        Table { columns: COLUMNS, rows: &rows, chosen, sort: None, before: 0 }.draw(theme, inner, page);
    if !is_low(area) {
        let signs = theme.either("● up ◐ starting or paused ○ down", "* up ~ starting or paused o down");
        let more = if missing > 0 {
            format!("  {} where there is room", more_columns(missing))
        } else {
            String::new()
        };
        let text = format!("{signs}  ! slowest{more}");
        foot(
            theme,
            if area.width >= WIDE.0 || missing == 0 { &text } else { more.trim() },
            Role::Dim,
            upper,
            page,
        );
        if high > 0 {
            wrong(state, &found, lower, page);
        }
    }
}

/// The panel of it.
fn wrong(state: &State, found: &[(char, Symptom)], area: Rect, page: &mut Page) {
    let theme = &state.theme;
    let inner = framed(theme, titled(theme, "what is wrong"), area, page);
    if found.is_empty() {
        put(page, inner.x, inner.y, " no problem detected", theme.style(Role::Dim));
    }
    let room = usize::from(inner.height);
    let shown = if found.len() > room { room.saturating_sub(1) } else { found.len() };
    for ((arm, symptom), y) in found.iter().take(shown).zip(inner.top()..inner.bottom()) {
        let text = cut(&format!(" {arm} {}", symptom.text), inner.width.into(), theme.ascii);
        put(page, inner.x, y, &text, theme.style(Role::of(symptom)));
    }
    if shown < found.len() && inner.height > 0 {
        let text = format!(" and {} more", found.len() - shown);
        put(page, inner.x, inner.bottom() - 1, &text, theme.style(Role::Dim));
    }
}

/// Words in a narrow place, row by row; returns the first row left.
fn paragraph(state: &State, text: &str, role: Role, area: Rect, page: &mut Page) -> u16 {
    let lines = wrap(text, usize::from(area.width.saturating_sub(2)).max(10));
    let mut y = area.y;
    for line in lines {
        if y >= area.bottom() {
            break;
        }
        put(page, area.x + 1, y, &line, state.theme.style(role));
        y += 1;
    }
    y
}

/// A row of words between the others.
fn text(text: String, role: Role) -> Row {
    Row::Text(text, role)
}
