//! The scorecard so far: the phase's closed seconds, A against B; when the run is judged, its answer.

use model::format::whole_percent;
use model::outcome::{SAME_SHARE, is_clearly_better};
use model::so_far::{self, Figure};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::Widget;
use record::Better;

use super::super::frame::{foot, framed};
use super::super::put;
use super::super::score::answer;
use crate::state::State;
use crate::style::{Role, Theme};
use crate::text::{NO_DATA, count, left, ms, name_of, percent, ratio, right};

/// Columns and rows of a panel that has room for the answer.
const ANSWER: (u16, u16) = (48, 8);
/// Cells of a figure, and of the ratio.
const FIGURE: usize = 7;

/// A row: its term in the glossary, its figure for each arm.
pub(in crate::view) struct Row {
    pub term: &'static str,
    /// What stands behind the term's name.
    unit: &'static str,
    pub better: Better,
    pub show: fn(Option<f64>) -> String,
    pub a: Figure,
    pub b: Figure,
}

impl Row {
    /// Its name with its unit.
    pub(in crate::view) fn name(&self) -> String {
        format!("{}{}", name_of(self.term), self.unit)
    }
}

/// The rows, as far as the phase has come.
pub(in crate::view) fn rows(state: &State) -> Vec<Row> {
    let Some((first, other)) = state.shown() else { return Vec::new() };
    let (a, b) = (state.run.so_far_at(first, state.at()), state.run.so_far_at(other, state.at()));
    let row = |term, unit, better, show, a, b| Row { term, unit, better, show, a, b };
    vec![
        row("latency_p50", " ms", Better::Lower, ms, a.latency_p50, b.latency_p50),
        row("latency_p99", " ms", Better::Lower, ms, a.latency_p99, b.latency_p99),
        row("rate", "", Better::Higher, count, a.rate, b.rate),
        row("cpu_per_journey", " ms", Better::Lower, ms, a.cpu_per_journey, b.cpu_per_journey),
        row("proc_pss", " MiB", Better::Lower, count, a.memory, b.memory),
        row("stale_reads", "", Better::Lower, percent, a.stale_reads, b.stale_reads),
    ]
}

/// B over A, with its sign and role.
pub(in crate::view) fn comparison(theme: &Theme, row: &Row) -> (String, &'static str, Role) {
    let (Some(a), Some(b)) = (row.a.value, row.b.value) else { return (NO_DATA.into(), " ", Role::Dim) };
    // Where there is no ratio the sign alone shows which is better.
    let text = so_far::ratio(row.a, row.b).map_or_else(|| NO_DATA.into(), |of| ratio(of, theme.ascii));
    let better = is_clearly_better(row.better, a, b).filter(|_| row.a.is_believable && row.b.is_believable);
    let Some(better) = better else { return (text, " ", Role::Dim) };
    let sign = if better { theme.either("▲", "^") } else { theme.either("▼", "v") };
    (text, sign, if better { Role::Good } else { Role::Error })
}

/// What the signs mean. Without their rule they would look like findings, which only the scorecard has.
pub(in crate::view) fn legend(theme: &Theme, other: char) -> String {
    let signs = theme.either("▲ better ▼ worse", "^ better v worse");
    format!("{other}: {signs} by {}", whole_percent(SAME_SHARE))
}

pub(super) fn draw(state: &State, title: impl Fn(&str) -> Line<'static>, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let Some((first, other)) = state.shown() else { return };
    let lines = answer::lines(state);
    if !lines.is_empty() && area.width >= ANSWER.0 && area.height >= ANSWER.1 {
        let inner = framed(theme, title("answer"), area, buffer);
        if answer::draw(state, &lines, false, inner, buffer) {
            foot(theme, "3 shows all of it", Role::Dim, area, buffer);
        }
        return;
    }
    let rows = rows(state);
    let heads_inside = usize::from(area.height) >= rows.len() + 3;
    let text = if heads_inside { "scorecard, this phase so far" } else { "score" };
    let inner = framed(theme, title(text), area, buffer);
    if area.width >= 36 && area.height > 1 && first != other {
        foot(theme, &legend(theme, other), Role::Dim, area, buffer);
    }
    let alone = first == other;
    // Three columns of figures, a blank before and a sign behind them.
    let name = usize::from(inner.width).saturating_sub(3 * FIGURE + 3).min(18);
    let mut lines = Vec::new();
    let mut letters = vec![(first.to_string(), name + 1)];
    if !alone {
        letters.extend([
            (other.to_string(), name + 1 + FIGURE),
            (format!("{other}/{first}"), name + 1 + 2 * FIGURE),
        ]);
    }
    // Where rows are short the heads stand in the frame.
    for (letter, from) in letters {
        let x = inner.x + (from + FIGURE - letter.len()) as u16;
        let y = if heads_inside { inner.y } else { area.y };
        if x < inner.right() {
            put(buffer, x, y, &letter, theme.style(Role::Strong));
        }
    }
    if heads_inside {
        lines.push(Line::default());
    }
    for row in &rows {
        let shown = |of: Figure| {
            let role = if of.value.is_some() && of.is_believable { Role::Text } else { Role::Dim };
            Piece::styled(right(&(row.show)(of.value), FIGURE), theme.style(role))
        };
        let mut pieces = vec![Piece::raw(format!(" {}", left(&row.name(), name, theme.ascii))), shown(row.a)];
        if !alone {
            let (text, sign, role) = comparison(theme, row);
            pieces.push(shown(row.b));
            pieces.push(Piece::styled(format!("{} {sign}", right(&text, FIGURE)), theme.style(role)));
        }
        lines.push(Line::from(pieces));
    }
    for (line, y) in lines.iter().zip(inner.top()..inner.bottom()) {
        line.render(Rect { y, height: 1, ..inner }, buffer);
    }
}

/// Where there is one row only.
pub(super) fn line(state: &State, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let mut pieces = vec![Piece::raw(" ")];
    for row in rows(state).iter().skip(1).take(2) {
        let (text, sign, role) = comparison(theme, row);
        pieces.push(Piece::styled(format!("{} ", row.name()), theme.style(Role::Dim)));
        let Some((first, other)) = state.shown() else { return };
        pieces.push(Piece::raw(format!("{first} {} ", (row.show)(row.a.value))));
        if first == other {
            continue;
        }
        pieces.push(Piece::raw(format!("{other} {} ", (row.show)(row.b.value))));
        pieces.push(Piece::styled(format!("{text}{sign} "), theme.style(role)));
    }
    Line::from(pieces).render(area, buffer);
}
