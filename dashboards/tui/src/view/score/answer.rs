//! What the run comes to, before the figures it rests on: the same lines as on the final card and the page.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::super::{header, put};
use crate::state::State;
use crate::style::{Role, Theme};
use crate::text::{cut, width, wrap};

/// Its lines; of a run that decides nothing the first is why.
pub(in crate::view) fn lines(state: &State) -> Vec<String> {
    let answer = scorecard::answer::answer_until(&state.run, state.at());
    // What was predicted is known from the start; beside it stands what was measured once the run is over.
    let is_over = state.cursor.is_none() && state.run.end.is_some();
    let predicted = if is_over { state.run.prediction_lines() } else { Vec::new() };
    header::reason_of(state).into_iter().chain(answer).chain(predicted).collect()
}

/// Cells before a line: the sign of the chosen row, as tables have it.
const SIGN: u16 = 2;

/// Rows that the whole of it takes at a width.
pub(super) fn rows(lines: &[String], width: u16) -> u16 {
    let rows: usize = wrapped(lines, width).iter().map(Vec::len).sum();
    u16::try_from(rows).unwrap_or(u16::MAX)
}

/// Draws what has room; returns whether some has none.
pub(in crate::view) fn draw(
    state: &State,
    lines: &[String],
    is_chosen: bool,
    area: Rect,
    buffer: &mut Buffer,
) -> bool {
    let theme = &state.theme;
    let wrapped = wrapped(lines, area.width);
    let shown = fitted(&wrapped, area.height.into(), area.width.saturating_sub(SIGN).into(), theme.ascii);
    let is_cut = shown.len() < wrapped.iter().map(Vec::len).sum();
    for ((index, text), y) in shown.into_iter().enumerate().zip(area.top()..area.bottom()) {
        put(buffer, area.x + SIGN, y, &in_ascii(theme, text), theme.style(role(index)));
        if index == 0 && is_chosen {
            put(buffer, area.x, y, theme.either("▸", ">"), theme.style(Role::Strong));
            buffer.set_style(Rect { y, height: 1, ..area }, Modifier::REVERSED);
        }
    }
    is_cut
}

/// Its lines as the detail of a row has them.
pub(super) fn whole(lines: &[String]) -> Vec<(String, Role)> {
    lines.iter().enumerate().map(|(index, line)| (line.clone(), role(index))).collect()
}

/// What it is about stands out.
const fn role(line: usize) -> Role {
    if line == 0 { Role::Strong } else { Role::Text }
}

fn in_ascii(theme: &Theme, text: String) -> String {
    if theme.ascii { text.replace('×', "x") } else { text }
}

fn wrapped(lines: &[String], width: u16) -> Vec<Vec<String>> {
    let cells = usize::from(width.saturating_sub(SIGN));
    lines.iter().map(|line| wrap(line, cells)).collect()
}

/// The rows that have room. Each line has its first before one has its second: which lines there are matters more than all
/// of one.
fn fitted(lines: &[Vec<String>], room: usize, cells: usize, ascii: bool) -> Vec<String> {
    let mut spare = room.saturating_sub(lines.len());
    let mut shown = Vec::new();
    for rows in lines.iter().take(room) {
        let more = spare.min(rows.len() - 1);
        spare -= more;
        shown.extend_from_slice(&rows[..more]);
        let last = &rows[more];
        shown.push(match rows.get(more + 1) {
            Some(next) => cut(&format!("{last} {next}"), cells.min(width(last) + 1), ascii),
            None => last.clone(),
        });
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_row_before_one_has_two() {
        let lines = ["a b c", "d ef"].map(|line| wrap(line, 3));
        assert_eq!(lines, [vec!["a b", "c"], vec!["d", "ef"]]);
        assert_eq!(fitted(&lines, 4, 3, false), ["a b", "c", "d", "ef"]);
        assert_eq!(fitted(&lines, 3, 3, false), ["a b", "c", "d…"]);
        assert_eq!(fitted(&lines, 2, 3, true), ["a ~", "d~"]);
        assert_eq!(fitted(&lines, 1, 3, false), ["a …"]);
        assert_eq!(fitted(&lines, 0, 3, false), [""; 0]);
    }
}
