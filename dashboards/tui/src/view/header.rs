//! The first row: what runs, how far it is, whether what is shown is now; and whether it can be believed, at the end in a
//! sentence below the tabs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::Widget;

use crate::state::State;
use crate::style::Role;
use crate::text::{NO_DATA, about, clock, count, cut, ms, name_of, percent, width, wrap};
use model::SECOND;
use model::so_far::Lag;

pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let header = &state.run.header;
    let theme = &state.theme;
    let roomy = area.width >= 120;
    let (at, index) = state.run.progress_at(state.at()).unwrap_or((0, 0));
    let length = state.run.length_ns().max(1);
    let phase = header.phases.get(index).map_or("", |phase| phase.name.as_str()).to_uppercase();
    let (status, status_role) = status(state, area.width);
    let times = format!("{}/{}", clock(at / SECOND), clock(length / SECOND));

    let mut left = vec![Piece::raw(" ")];
    if roomy {
        left.push(Piece::styled("cleave", theme.style(Role::Dim)));
        left.push(Piece::raw("  "));
    }
    let name_room = usize::from(area.width / if roomy { 4 } else { 5 });
    left.push(Piece::styled(cut(&header.scenario, name_room, theme.ascii), theme.style(Role::Strong)));
    if roomy {
        left.push(Piece::raw(format!(
            "  seed {}  run {}",
            header.seed,
            cut(&header.run_id, 24, theme.ascii)
        )));
    }
    let label = if roomy { "  phase " } else { " " };
    left.push(Piece::raw(format!("{label}{}/{} ", index + 1, header.phases.len())));
    let used: usize = left.iter().map(|piece| width(&piece.content)).sum();
    let right = width(&times) + width(&status) + 3;
    // Where time and state must fit, the phase is its number alone.
    let phase_room = usize::from(area.width).saturating_sub(used + right + 1).min(12);
    if phase_room >= 3 {
        left.push(Piece::styled(cut(&phase, phase_room, theme.ascii), theme.style(Role::Strong)));
        left.push(Piece::raw(" "));
    }
    let used: usize = left.iter().map(|piece| width(&piece.content)).sum();
    let room = usize::from(area.width).saturating_sub(used + right + 3).min(24);
    if room >= 4 {
        left.push(Piece::styled(theme.either("▕", "["), theme.style(Role::Frame)));
        left.push(Piece::raw(bar(at as f64 / length as f64, room, theme.ascii)));
        left.push(Piece::styled(theme.either("▏", "]"), theme.style(Role::Frame)));
        left.push(Piece::raw(" "));
    }
    // Whether it is now that is shown matters more than when: time goes before the state is cut.
    let used: usize = left.iter().map(|piece| width(&piece.content)).sum();
    if used + right <= usize::from(area.width) {
        left.push(Piece::raw(times));
        left.push(Piece::raw("  "));
    }
    left.push(Piece::styled(status, theme.style(status_role)));
    Line::from(left).render(Rect { height: 1, ..area }, buffer);
}

/// Why the run that has ended is invalid or inconclusive, as every view has it; `None` while an earlier moment is shown.
pub(super) fn reason_of(state: &State) -> Option<String> {
    state.cursor.is_none().then(|| scorecard::reason::sentence(&state.run)).flatten()
}

/// Rows of the screen for each row of the reason, which the score tab has whole.
const ROWS_PER_REASON: u16 = 12;

/// Rows of a mark at most: on a narrow screen its end is cut, and the score tab has it whole.
const MARK_ROWS: u16 = 2;

/// Draws what stands behind a simulated run at the top of an area; returns how many rows it took.
pub(super) fn mark(state: &State, area: Rect, buffer: &mut Buffer) -> u16 {
    let Some(mark) = state.run.mark() else { return 0 };
    let cells = usize::from(area.width).saturating_sub(2);
    let rows = wrap(&mark, cells);
    // A low screen has one row for it, the lowest none: the first row of the screen has the word.
    let room = if area.height >= 2 * ROWS_PER_REASON { MARK_ROWS } else { u16::from(area.height >= 8) };
    let most = usize::from(room).min(rows.len());
    for (index, y) in (0..most).zip(area.top()..area.bottom()) {
        let text = if index + 1 == most { rows[index..].join(" ") } else { rows[index].clone() };
        let text = cut(&text, cells, state.theme.ascii);
        super::put(buffer, area.x + 1, y, &text, state.theme.style(Role::Warn));
    }
    u16::try_from(most).unwrap_or(0)
}

/// Draws the reason at the top of an area; returns how many rows it took.
pub(super) fn reason(state: &State, area: Rect, buffer: &mut Buffer) -> u16 {
    let Some(sentence) = reason_of(state) else { return 0 };
    let cells = usize::from(area.width).saturating_sub(2);
    let rows = wrap(&sentence, cells);
    let most = usize::from((area.height / ROWS_PER_REASON).max(1)).min(rows.len());
    for (index, y) in (0..most).zip(area.top()..area.bottom()) {
        // The last row ends with a sign where more follows.
        let text = if index + 1 == most { rows[index..].join(" ") } else { rows[index].clone() };
        super::put(
            buffer,
            area.x + 1,
            y,
            &cut(&text, cells, state.theme.ascii),
            state.theme.style(Role::Warn),
        );
    }
    u16::try_from(most).unwrap_or(0)
}

/// What makes figures doubtful, or shows that they are not, the weightiest first: the generator's lateness, updates lost, what was
/// offered, which arms and rounds, the host, the way of the run.
pub(super) fn caveats(state: &State, room: u16) -> Vec<Vec<Piece<'static>>> {
    let theme = &state.theme;
    let header = &state.run.header;
    let dim_of = |text: String| Piece::styled(text, theme.style(Role::Dim));
    let mut groups = Vec::new();
    let dropped = state.detail().host_at(state.at()).map_or(0, |host| host.dropped_updates);
    if dropped > 0 {
        groups.push(vec![Piece::styled(
            format!("{}: {dropped}", name_of("dropped")),
            theme.style(Role::Error),
        )]);
    }
    let Lag { ms: lag, is_behind } = state.run.lag_at(state.at());
    let lag_name = name_of("generator_lag");
    let lag_name = if room >= 120 { format!("{lag_name} p99 ") } else { format!("{lag_name} ") };
    let mut late = vec![
        dim_of(lag_name),
        Piece::styled(
            lag.map_or(NO_DATA.into(), |_| format!("{}ms ", ms(lag))),
            theme.style(if is_behind { Role::Error } else { Role::Text }),
        ),
    ];
    if lag.is_some() {
        let (word, role) = if is_behind { ("BEHIND", Role::Error) } else { ("ok", Role::Good) };
        late.push(Piece::styled(word, theme.style(role)));
    }
    groups.push(late);
    let offered = state.run.offered_at(state.at()).map(|offered| offered as f64);
    groups.push(vec![
        dim_of(format!("{} ", name_of("offered"))),
        Piece::raw(offered.map_or(NO_DATA.into(), |rate| format!("{}/s", count(Some(rate))))),
    ]);
    let shown = state.shown();
    if let Some((first, other)) = shown.filter(|_| header.arms.len() > 2) {
        groups.push(vec![Piece::raw(format!("{first} and {other} of {}", header.arms.len()))]);
    }
    let place = shown.and_then(|(first, _)| state.run.position_at(first, state.at()));
    if let Some(turn) = state.run.turn_at(state.at()) {
        let round = place.filter(|_| header.rounds > 1);
        let round = round.map_or_else(String::new, |at| format!("round {}/{}, ", at.round, header.rounds));
        let left = state.run.time_left_at(state.at()).filter(|_| state.run.end.is_none());
        let left = left.map_or_else(String::new, |ns| format!(", {} left", about(ns.div_ceil(SECOND))));
        groups.push(vec![Piece::raw(format!("{round}arm {} of {}{left}", turn.number, turn.of))]);
    }
    let stall = state.detail().host_at(state.at()).and_then(model::host::stall_share);
    groups.push(vec![dim_of(format!("CPU {} ", name_of("cpu_stall"))), Piece::raw(percent(stall))]);
    groups.push(vec![dim_of(header.way.clone())]);
    groups
}

/// From this width on the header has room for what a key does.
const ROOM_FOR_KEYS: u16 = 60;

fn status(state: &State, width: u16) -> (String, Role) {
    let theme = &state.theme;
    // Doubtful figures are marked at every width.
    let doubt = if state.run.lag_at(state.at()).is_behind { "! " } else { "" };
    let simulated = if state.run.is_simulated() { "SIMULATED " } else { "" };
    let pace = state.pace.map_or_else(String::new, |pace| format!(" {pace}{}", theme.either("×", "x")));
    let (text, role) = match (state.cursor, &state.run.end) {
        (Some(at), _) => {
            let behind = state.run.behind(at);
            (format!("{} PAUSED -{behind:.1}s", theme.either("‖", "=")), Role::Warn)
        }
        (None, Some(_)) => {
            let key = if width >= ROOM_FOR_KEYS { ", q leaves" } else { "" };
            (format!("{} ENDED {}{key}", theme.either("■", "#"), state.run.verdict()), Role::Strong)
        }
        (None, None) if state.interrupted => (format!("{} ENDING", theme.either("■", "#")), Role::Warn),
        (None, None) if state.pace.is_some() => {
            (format!("{} REPLAY{pace}", theme.either("●", "*")), Role::Good)
        }
        // What an arm costs at rest is measured before its load.
        (None, None) if state.run.progress_at(state.run.now).is_none() => {
            (format!("{} AT REST", theme.either("◐", "~")), Role::Good)
        }
        (None, None) => (format!("{} LIVE", theme.either("●", "*")), Role::Good),
    };
    let role = match (doubt, simulated) {
        ("", "") => role,
        ("", _) => Role::Warn,
        _ => Role::Error,
    };
    (format!("{simulated}{doubt}{text}"), role)
}

/// A bar of eighths.
pub(super) fn bar(share: f64, cells: usize, ascii: bool) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (share.clamp(0.0, 1.0) * (cells * 8) as f64).round() as usize;
    let full = eighths / 8;
    let mut bar = if ascii { "#" } else { "█" }.repeat(full);
    if full < cells {
        bar.push(if ascii { '.' } else { EIGHTHS[eighths % 8] });
        bar.push_str(&if ascii { "." } else { " " }.repeat(cells - full - 1));
    }
    bar
}

/// All there is room for on a very small screen.
pub(super) fn one_line(state: &State, area: Rect, buffer: &mut Buffer) {
    let Some((first, other)) = state.shown() else { return };
    let theme = &state.theme;
    let newest = |arm: char| state.run.newest_closed_at(arm, state.at());
    let p99 = |arm: char| ms(newest(arm).and_then(|(_, second)| second.p99().ms));
    let (at, _) = state.run.progress_at(state.at()).unwrap_or((0, 0));
    let others = if other == first { String::new() } else { format!(" {other} {}", p99(other)) };
    let simulated = if state.run.is_simulated() { "SIM " } else { "" };
    let figures = format!("{simulated}p99 {first} {}{others} ms", p99(first));
    let clock = clock(at / SECOND);
    let text = format!("{figures} {clock}");
    let text = if width(&text) <= usize::from(area.width) { text } else { figures };
    let style = theme.style(if state.cursor.is_some() { Role::Warn } else { Role::Text });
    super::put(buffer, area.x, area.y, &cut(&text, area.width.into(), theme.ascii), style);
}
