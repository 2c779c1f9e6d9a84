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
use crate::figures::{cut, wrap};
use crate::model::Model;
use crate::style::Role;

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

pub(super) fn count(model: &Model) -> usize {
    tree::nodes(model).len()
}

fn chosen(model: &Model) -> Option<Node> {
    let mut nodes = tree::nodes(model);
    let at = model.map.at(nodes.len(), false);
    (at < nodes.len()).then(|| nodes.swap_remove(at))
}

/// The component whose row is chosen.
pub(super) fn chosen_component(model: &Model) -> Option<String> {
    chosen(model).map(|node| node.component)
}

pub(super) fn draw(model: &Model, area: Rect, page: &mut Page) {
    if model.map.open
        && let Some(node) = chosen(model)
    {
        return detail::draw(model, &node, area, page);
    }
    let look = &model.look;
    let arms = model.arms();
    let found: Vec<(char, Symptom)> = arms
        .iter()
        .flat_map(|arm| model.run.symptoms(*arm, model.at()).into_iter().map(|symptom| (*arm, symptom)))
        .collect();
    // On a short screen that nothing is wrong is said by the absence of a panel.
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
            if model.map.filter.is_empty() { String::new() } else { format!(" with `{}`", model.map.filter) };
        framed(look, titled(look, &format!("who calls whom{filter}")), upper, page)
    };
    let rows = tree::rows(model);
    let chosen = model.map.at(count(model), false);
    let missing =
        Table { columns: COLUMNS, rows: &rows, chosen, sort: None, before: 0 }.draw(look, inner, page);
    if !is_low(area) {
        let signs = look.either("● up ◐ on its way ○ down", "* up ~ on its way o down");
        let more = if missing > 0 {
            format!("  {} where there is room", more_columns(missing))
        } else {
            String::new()
        };
        let text = format!("{signs}  ! slowest{more}");
        foot(
            look,
            if area.width >= WIDE.0 || missing == 0 { &text } else { more.trim() },
            Role::Dim,
            upper,
            page,
        );
        if high > 0 {
            wrong(model, &found, lower, page);
        }
    }
}

/// The panel of it.
fn wrong(model: &Model, found: &[(char, Symptom)], area: Rect, page: &mut Page) {
    let look = &model.look;
    let inner = framed(look, titled(look, "what is wrong"), area, page);
    if found.is_empty() {
        put(page, inner.x, inner.y, " nothing the detectors know of", look.style(Role::Dim));
    }
    let room = usize::from(inner.height);
    let shown = if found.len() > room { room.saturating_sub(1) } else { found.len() };
    for ((arm, symptom), y) in found.iter().take(shown).zip(inner.top()..inner.bottom()) {
        let text = cut(&format!(" {arm} {}", symptom.text), inner.width.into(), look.ascii);
        put(page, inner.x, y, &text, look.style(Role::of(symptom)));
    }
    if shown < found.len() && inner.height > 0 {
        let text = format!(" and {} more", found.len() - shown);
        put(page, inner.x, inner.bottom() - 1, &text, look.style(Role::Dim));
    }
}

/// Words in a narrow place, row by row; returns the first row left.
fn say(model: &Model, text: &str, role: Role, area: Rect, page: &mut Page) -> u16 {
    let lines = wrap(text, usize::from(area.width.saturating_sub(2)).max(10));
    let mut y = area.y;
    for line in lines {
        if y >= area.bottom() {
            break;
        }
        put(page, area.x + 1, y, &line, model.look.style(role));
        y += 1;
    }
    y
}

/// A row of words between the others.
fn text(text: String, role: Role) -> Row {
    Row::Text(text, role)
}
