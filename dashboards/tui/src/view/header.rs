//! The first row: what runs, how far it is, whether what is shown is now; and whether it can be believed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::Widget;

use super::live::newest_closed;
use crate::figures::{NO_DATA, clock, count, cut, ms, name_of, percent, width};
use crate::model::Model;
use crate::run::SECOND;
use crate::style::Role;

/// The generator's lateness is harmless below this, ms, as the scorecard judges it.
const LAG_FLOOR_MS: f64 = 2.0;

pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    let Some(header) = model.run.header.as_deref() else { return };
    let look = &model.look;
    let roomy = area.width >= 120;
    let (at, index) = model.run.progress(model.at()).unwrap_or((0, 0));
    let length = model.run.length_ns().max(1);
    let phase = header.phases.get(index).map_or("", |phase| phase.name.as_str()).to_uppercase();
    let (state, state_role) = state(model);
    let times = format!("{}/{}", clock(at / SECOND), clock(length / SECOND));

    let mut left = vec![Piece::raw(" ")];
    if roomy {
        left.push(Piece::styled("cleave", look.style(Role::Dim)));
        left.push(Piece::raw("  "));
    }
    let name_room = usize::from(area.width / if roomy { 4 } else { 5 });
    left.push(Piece::styled(cut(&header.scenario, name_room, look.ascii), look.style(Role::Strong)));
    if roomy {
        left.push(Piece::raw(format!("  seed {}  run {}", header.seed, cut(&header.run_id, 24, look.ascii))));
    }
    let label = if roomy { "  phase " } else { " " };
    left.push(Piece::raw(format!("{label}{}/{} ", index + 1, header.phases.len())));
    let used: usize = left.iter().map(|piece| width(&piece.content)).sum();
    let right = width(&times) + width(&state) + 3;
    // Where time and state must fit, the phase is told by its number alone.
    let phase_room = usize::from(area.width).saturating_sub(used + right + 1).min(12);
    if phase_room >= 3 {
        left.push(Piece::styled(cut(&phase, phase_room, look.ascii), look.style(Role::Strong)));
        left.push(Piece::raw(" "));
    }
    let used: usize = left.iter().map(|piece| width(&piece.content)).sum();
    let room = usize::from(area.width).saturating_sub(used + right + 3).min(24);
    if room >= 4 {
        left.push(Piece::styled(look.either("▕", "["), look.style(Role::Frame)));
        left.push(Piece::raw(bar(at as f64 / length as f64, room, look.ascii)));
        left.push(Piece::styled(look.either("▏", "]"), look.style(Role::Frame)));
        left.push(Piece::raw(" "));
    }
    // Whether it is now that is shown matters more than when: time goes before the state is cut.
    let used: usize = left.iter().map(|piece| width(&piece.content)).sum();
    if used + right <= usize::from(area.width) {
        left.push(Piece::raw(times));
        left.push(Piece::raw("  "));
    }
    left.push(Piece::styled(state, look.style(state_role)));
    Line::from(left).render(Rect { height: 1, ..area }, buffer);
}

/// What makes figures doubtful, or says that they are not, by weight: the generator's lateness, updates lost, what was
/// offered, which arms and rounds, the host, the way of the run.
pub(super) fn doubts(model: &Model, room: u16) -> Vec<Vec<Piece<'static>>> {
    let look = &model.look;
    let Some(header) = model.run.header.as_deref() else { return Vec::new() };
    let dim_of = |text: String| Piece::styled(text, look.style(Role::Dim));
    let mut groups = Vec::new();
    let dropped = model.run.host(model.at()).map_or(0, |host| host.dropped_updates);
    if dropped > 0 {
        groups
            .push(vec![Piece::styled(format!("{}: {dropped}", name_of("dropped")), look.style(Role::Error))]);
    }
    let (lag, behind) = lag(model);
    let lag_name = name_of("generator_lag");
    let lag_name = if room >= 120 { format!("{lag_name} p99 ") } else { format!("{lag_name} ") };
    let mut late = vec![
        dim_of(lag_name),
        Piece::styled(
            lag.map_or(NO_DATA.into(), |_| format!("{}ms ", ms(lag))),
            look.style(if behind { Role::Error } else { Role::Text }),
        ),
    ];
    if lag.is_some() {
        let (word, role) = if behind { ("BEHIND", Role::Error) } else { ("ok", Role::Good) };
        late.push(Piece::styled(word, look.style(role)));
    }
    groups.push(late);
    let newest = header.arms.iter().filter_map(|arm| newest_closed(model, arm.letter));
    let offered = newest.map(|s| s.offered as f64).reduce(f64::max);
    groups.push(vec![
        dim_of(format!("{} ", name_of("offered"))),
        Piece::raw(offered.map_or(NO_DATA.into(), |rate| format!("{}/s", count(Some(rate))))),
    ]);
    let shown = model.shown();
    if let Some((first, other)) = shown.filter(|_| header.arms.len() > 2) {
        groups.push(vec![Piece::raw(format!("{first} and {other} of {}", header.arms.len()))]);
    }
    let place = shown.and_then(|(first, _)| model.run.place(first, model.at()));
    if let Some(place) = place.filter(|_| header.rounds > 1) {
        groups.push(vec![Piece::raw(format!("round {}/{}", place.round, header.rounds))]);
    }
    let stall = model.run.host(model.at()).map(|host| host.cpu_stall / 100.0);
    groups.push(vec![dim_of(format!("CPU {} ", name_of("cpu_stall"))), Piece::raw(percent(stall))]);
    groups.push(vec![dim_of(header.way.clone())]);
    groups
}

/// The generator's lateness, ms, and whether it is too much.
fn lag(model: &Model) -> (Option<f64>, bool) {
    let letters = model.run.letters();
    let newest = || letters.iter().filter_map(|arm| newest_closed(model, *arm));
    let lag = newest().filter_map(|s| s.lag.ms).reduce(f64::max);
    let felt = newest().filter_map(|s| s.p99.ms).reduce(f64::max).unwrap_or(0.0);
    (lag, lag.is_some_and(|lag| lag > LAG_FLOOR_MS.max(felt / 10.0)))
}

fn state(model: &Model) -> (String, Role) {
    let look = &model.look;
    // A figure that is not to be believed says so at every width.
    let doubt = if lag(model).1 { "! " } else { "" };
    let pace = model.pace.map_or_else(String::new, |pace| format!(" {pace}{}", look.either("×", "x")));
    let (text, role) = match (model.cursor, &model.run.end) {
        (Some(at), _) => {
            let behind = model.run.now.saturating_sub(at) as f64 / SECOND as f64;
            (format!("{} PAUSED -{behind:.1}s", look.either("‖", "=")), Role::Warn)
        }
        (None, Some(end)) => {
            let verdict = end.verdict.map_or("interrupted", record::Verdict::word);
            (format!("{} ENDED {verdict}", look.either("■", "#")), Role::Strong)
        }
        (None, None) if model.interrupted => (format!("{} ENDING", look.either("■", "#")), Role::Warn),
        (None, None) if model.pace.is_some() => {
            (format!("{} REPLAY{pace}", look.either("●", "*")), Role::Good)
        }
        (None, None) => (format!("{} LIVE", look.either("●", "*")), Role::Good),
    };
    (format!("{doubt}{text}"), if doubt.is_empty() { role } else { Role::Error })
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
pub(super) fn one_line(model: &Model, area: Rect, buffer: &mut Buffer) {
    let Some((first, other)) = model.shown() else { return };
    let look = &model.look;
    let p99 = |arm: char| ms(newest_closed(model, arm).and_then(|second| second.p99.ms));
    let (at, _) = model.run.progress(model.at()).unwrap_or((0, 0));
    let others = if other == first { String::new() } else { format!(" {other} {}", p99(other)) };
    let figures = format!("p99 {first} {}{others} ms", p99(first));
    let clock = clock(at / SECOND);
    let text = format!("{figures} {clock}");
    let text = if width(&text) <= usize::from(area.width) { text } else { figures };
    let style = look.style(if model.cursor.is_some() { Role::Warn } else { Role::Text });
    super::put(buffer, area.x, area.y, &cut(&text, area.width.into(), look.ascii), style);
}
