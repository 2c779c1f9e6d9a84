//! The first two rows: what runs, how far it is, whether what is shown is now, and whether it can be believed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::Widget;

use super::newest_closed;
use crate::figures::{clock, count, cut, ms, percent, width};
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
    left.push(Piece::styled(cut(&phase, 12, look.ascii), look.style(Role::Strong)));
    left.push(Piece::raw(" "));
    let used: usize = left.iter().map(|piece| width(&piece.content)).sum();
    let right = width(&times) + width(&state) + 4;
    let room = usize::from(area.width).saturating_sub(used + right + 2).min(24);
    if room >= 4 {
        left.push(Piece::styled(look.either("▕", "["), look.style(Role::Frame)));
        left.push(Piece::raw(bar(at as f64 / length as f64, room, look.ascii)));
        left.push(Piece::styled(look.either("▏", "]"), look.style(Role::Frame)));
        left.push(Piece::raw(" "));
    }
    left.push(Piece::raw(times));
    left.push(Piece::raw("  "));
    left.push(Piece::styled(state, look.style(state_role)));
    Line::from(left).render(Rect { height: 1, ..area }, buffer);
    if area.height > 1 {
        second_row(model, area.width).render(Rect { y: area.y + 1, height: 1, ..area }, buffer);
    }
}

/// Offered rate, the generator's lateness, updates lost, the way of the run.
fn second_row(model: &Model, width: u16) -> Line<'static> {
    let look = &model.look;
    let Some(header) = model.run.header.as_deref() else { return Line::default() };
    let dim = look.style(Role::Dim);
    let newest: Vec<_> = header.arms.iter().filter_map(|arm| newest_closed(model, arm.letter)).collect();
    let offered = newest.iter().map(|s| s.offered as f64).reduce(f64::max);
    let lag = newest.iter().filter_map(|s| s.lag.ms).reduce(f64::max);
    let felt = newest.iter().filter_map(|s| s.p99.ms).reduce(f64::max).unwrap_or(0.0);
    let behind = lag.is_some_and(|lag| lag > LAG_FLOOR_MS.max(felt / 10.0));
    let dim_of = |text: &str| Piece::styled(text.to_owned(), dim);
    let mut groups = vec![vec![
        dim_of(" offered "),
        Piece::raw(format!("{}/s", count(offered))),
        dim_of(if width >= 120 { " to each arm" } else { "" }),
    ]];
    let mut late = vec![
        dim_of(if width >= 120 { "  generator lag p99 " } else { "  lag " }),
        Piece::styled(format!("{}ms ", ms(lag)), look.style(if behind { Role::Error } else { Role::Text })),
    ];
    if lag.is_some() {
        let (word, role) = if behind { ("BEHIND", Role::Error) } else { ("ok", Role::Good) };
        late.push(Piece::styled(word, look.style(role)));
    }
    groups.push(late);
    let host = model.run.host(model.at());
    let dropped = host.map_or(0, |host| host.dropped_updates);
    if dropped > 0 {
        groups.push(vec![Piece::styled(format!("  dropped: {dropped}"), look.style(Role::Error))]);
    }
    let shown = model.shown();
    if let Some((first, other)) = shown.filter(|_| header.arms.len() > 2) {
        groups.push(vec![Piece::raw(format!("  {first} and {other} of {} arms", header.arms.len()))]);
    }
    let place = shown.and_then(|(first, _)| model.run.place(first, model.at()));
    if let Some(place) = place.filter(|_| header.rounds > 1) {
        groups.push(vec![Piece::raw(format!("  round {}/{}", place.round, header.rounds))]);
    }
    groups.push(vec![dim_of("  CPU wait "), Piece::raw(percent(host.map(|host| host.cpu_stall / 100.0)))]);
    groups.push(vec![dim_of(&format!("  {}", header.way))]);
    // Whole groups only: half a figure misleads.
    let mut used = 0;
    let fits = |group: &Vec<Piece<'static>>| {
        used += group.iter().map(|piece| crate::figures::width(&piece.content)).sum::<usize>();
        used <= usize::from(width)
    };
    Line::from(groups.into_iter().take_while(fits).flatten().collect::<Vec<_>>())
}

fn state(model: &Model) -> (String, Role) {
    let look = &model.look;
    match (model.cursor, &model.run.end) {
        (Some(at), _) => {
            let behind = model.run.now.saturating_sub(at) as f64 / SECOND as f64;
            (format!("{} PAUSED -{behind:.1}s", look.either("‖", "=")), Role::Warn)
        }
        (None, Some(end)) => {
            let verdict =
                end.verdict.map_or_else(|| "interrupted".to_owned(), |v| format!("{v:?}").to_lowercase());
            (format!("{} ENDED {verdict}", look.either("■", "#")), Role::Strong)
        }
        (None, None) if model.interrupted => (format!("{} ENDING", look.either("■", "#")), Role::Warn),
        (None, None) => (format!("{} LIVE", look.either("●", "*")), Role::Good),
    }
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
