//! The scorecard so far: the phase's closed seconds, A against B.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::Widget;
use record::{Better, Latencies};

use super::super::frame::framed;
use super::super::put;
use crate::figures::{NO_DATA, count, left, ms, name_of, percent, ratio, right};
use crate::model::Model;
use crate::run::{Quantile, SECOND};
use crate::style::{Look, Role};

/// Apart by less than this share, two figures are called the same: no sign.
const SAME: f64 = 0.03;

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

/// A figure and whether enough samples stand behind it.
#[derive(Clone, Copy)]
pub(in crate::view) struct Figure {
    pub value: Option<f64>,
    pub believable: bool,
}

/// An arm's figures in the phase shown, up to the moment shown.
struct Figures {
    p50: Figure,
    p99: Figure,
    goodput: Figure,
    cpu: Figure,
    memory: Figure,
    stale: Figure,
}

impl Figures {
    fn of(model: &Model, arm: char) -> Self {
        let sure = |value: Option<f64>| Figure { value, believable: true };
        let quantile = |q: Quantile| Figure { value: q.ms, believable: q.believable() };
        let at = model.at();
        let pss: Vec<u64> =
            model.run.procs(arm, at).map(|proc| proc.pss_kib).filter(|kib| *kib > 0).collect();
        let memory = sure((!pss.is_empty()).then(|| pss.iter().sum::<u64>() as f64 / 1024.0));
        let nothing = sure(None);
        let none =
            Self { p50: nothing, p99: nothing, goodput: nothing, cpu: nothing, memory, stale: nothing };
        let (Some(place), Some(header)) = (model.run.place(arm, at), model.run.header.as_deref()) else {
            return none;
        };
        let load_ns = at.saturating_sub(place.start).min(model.run.length_ns());
        let Some(phase) = header.phases.iter().rfind(|phase| phase.start_ns <= load_ns) else { return none };
        let from = u32::try_from(phase.start_ns / SECOND).unwrap_or(u32::MAX);
        let all = || model.run.seconds(arm, place.round, from, place.seconds).filter(|second| second.closed);
        let known = all().count();
        let latencies = Latencies::merged(all().map(|second| &second.latencies));
        let goodput = (known > 0).then(|| all().map(|s| s.good).sum::<u64>() as f64 / known as f64);
        let probes: u64 = all().map(|s| s.probes).sum();
        let stale: u64 = all().map(|s| s.stale).sum();
        let until = place.start + u64::from(from) * SECOND + known as u64 * SECOND;
        let finished: u64 = all().map(|s| s.finished).sum();
        let cpu = model.run.cpu_ns(arm, place.start + phase.start_ns, until).filter(|_| finished > 0);
        Self {
            p50: quantile(Quantile::of(&latencies, 0.5)),
            p99: quantile(Quantile::of(&latencies, 0.99)),
            goodput: sure(goodput),
            cpu: Figure { value: cpu.map(|ns| ns as f64 / 1e6 / finished as f64), believable: known >= 3 },
            memory,
            stale: sure((probes > 0).then(|| stale as f64 / probes as f64)),
        }
    }
}

/// The rows, as far as the phase has come.
pub(in crate::view) fn rows(model: &Model) -> Vec<Row> {
    let Some((first, other)) = model.shown() else { return Vec::new() };
    let (a, b) = (Figures::of(model, first), Figures::of(model, other));
    let row = |term, unit, better, show, a, b| Row { term, unit, better, show, a, b };
    vec![
        row("latency_p50", " ms", Better::Lower, ms, a.p50, b.p50),
        row("latency_p99", " ms", Better::Lower, ms, a.p99, b.p99),
        row("rate", "", Better::Higher, count, a.goodput, b.goodput),
        row("cpu_per_journey", " ms", Better::Lower, ms, a.cpu, b.cpu),
        row("proc_pss", " MiB", Better::Lower, count, a.memory, b.memory),
        row("stale_reads", "", Better::Lower, percent, a.stale, b.stale),
    ]
}

/// How B stands to A, with its sign and role.
pub(in crate::view) fn standing(look: &Look, row: &Row) -> (String, &'static str, Role) {
    let (Some(a), Some(b)) = (row.a.value, row.b.value) else { return (NO_DATA.into(), " ", Role::Dim) };
    // Nothing is no multiple of nothing: then the sign alone says which is better.
    let text = if a == 0.0 { NO_DATA.into() } else { ratio(b / a, look.ascii) };
    let same = (b - a).abs() <= a.abs() * SAME;
    if same || !(row.a.believable && row.b.believable) {
        return (text, " ", Role::Dim);
    }
    let better = match row.better {
        Better::Higher => b > a,
        Better::Lower => b < a,
        Better::Neither => return (text, " ", Role::Text),
    };
    let sign = if better { look.either("▲", "^") } else { look.either("▼", "v") };
    (text, sign, if better { Role::Good } else { Role::Error })
}

pub(super) fn draw(model: &Model, title: impl Fn(&str) -> Line<'static>, area: Rect, buffer: &mut Buffer) {
    let look = &model.look;
    let Some((first, other)) = model.shown() else { return };
    let rows = rows(model);
    let heads_inside = usize::from(area.height) >= rows.len() + 3;
    let text = if heads_inside { "scorecard, this phase so far" } else { "score" };
    let inner = framed(look, title(text), area, buffer);
    if area.width >= 36 && area.height > 1 {
        let legend = if look.ascii { " ^ better v worse " } else { " ▲ better ▼ worse " };
        let legend = format!("{}{legend}", if first == other { String::new() } else { format!(" {other}:") });
        put(buffer, area.x + 2, area.bottom() - 1, &legend, look.style(Role::Dim));
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
            put(buffer, x, y, &letter, look.style(Role::Strong));
        }
    }
    if heads_inside {
        lines.push(Line::default());
    }
    for row in &rows {
        let shown = |of: Figure| {
            let role = if of.value.is_some() && of.believable { Role::Text } else { Role::Dim };
            Piece::styled(right(&(row.show)(of.value), FIGURE), look.style(role))
        };
        let mut pieces = vec![Piece::raw(format!(" {}", left(&row.name(), name, look.ascii))), shown(row.a)];
        if !alone {
            let (text, sign, role) = standing(look, row);
            pieces.push(shown(row.b));
            pieces.push(Piece::styled(format!("{} {sign}", right(&text, FIGURE)), look.style(role)));
        }
        lines.push(Line::from(pieces));
    }
    for (line, y) in lines.iter().zip(inner.top()..inner.bottom()) {
        line.render(Rect { y, height: 1, ..inner }, buffer);
    }
}

/// Where there is one row only.
pub(super) fn line(model: &Model, area: Rect, buffer: &mut Buffer) {
    let look = &model.look;
    let mut pieces = vec![Piece::raw(" ")];
    for row in rows(model).iter().skip(1).take(2) {
        let (text, sign, role) = standing(look, row);
        pieces.push(Piece::styled(format!("{} ", row.name()), look.style(Role::Dim)));
        let Some((first, other)) = model.shown() else { return };
        pieces.push(Piece::raw(format!("{first} {} ", (row.show)(row.a.value))));
        if first == other {
            continue;
        }
        pieces.push(Piece::raw(format!("{other} {} ", (row.show)(row.b.value))));
        pieces.push(Piece::styled(format!("{text}{sign} "), look.style(role)));
    }
    Line::from(pieces).render(area, buffer);
}
