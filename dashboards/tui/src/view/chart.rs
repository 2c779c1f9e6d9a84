//! Latency over time in braille on a log axis that both arms share.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::canvas::{Canvas, put};
use super::span::Span;
use crate::figures::{clock, number, right, width};
use crate::model::Model;
use crate::run::{Place, Quantile, SECOND, Second};
use crate::style::Role;

/// Cells of the labels and the line left of the plot.
pub(super) const GUTTER: u16 = 5;
/// A shorter plot shows its median and p99 only.
const ROOM_FOR_P999: u16 = 6;

/// A log scale in milliseconds, the same for every arm on the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// Covers what both arms show, to the next 1, 2 or 5, and at least a decade.
    pub(super) fn over(values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|v| v.is_finite() && *v > 0.0) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            return Self { low: 1.0, high: 1_000.0 };
        }
        let low = steps().rev().find(|step| *step <= low).unwrap_or(low);
        let high = steps().find(|step| *step >= high).unwrap_or(high).max(low * 10.0);
        Self { low, high }
    }

    /// 0 at the bottom, 1 at the top.
    fn share(self, ms: f64) -> f64 {
        ((ms / self.low).ln() / (self.high / self.low).ln()).clamp(0.0, 1.0)
    }
}

/// 1, 2, 5 times the powers of ten from 1 us to 1,000 s, in ms.
fn steps() -> impl DoubleEndedIterator<Item = f64> {
    (-3..=6).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
}

/// `5`, `100`, `.2`, `1s`: at most three cells.
fn label(ms: f64) -> String {
    match ms {
        ms if ms >= 1_000.0 => format!("{:.0}s", ms / 1_000.0),
        ms if ms >= 1.0 => format!("{ms:.0}"),
        ms if ms >= 0.01 => format!("{ms}").trim_start_matches('0').to_owned(),
        ms => format!("{:.0}u", ms * 1_000.0),
    }
}

/// Everything the two charts' scale has to cover.
pub(super) fn values<'a>(model: &'a Model, arm: char, span: Span) -> impl Iterator<Item = f64> + 'a {
    let place = model.run.place(arm, model.at());
    let seconds = place.into_iter().flat_map(move |place| {
        let to = place.seconds.min(span.to);
        model.run.seconds(arm, place.round, span.from, to)
    });
    let limits = limits(model, arm).into_iter().map(|(_, ms)| ms);
    seconds.flat_map(|second| [second.p50, second.p99, second.p999]).filter_map(|q| q.ms).chain(limits)
}

/// Latency limits the scenario sets for an arm: quantile and milliseconds.
/// Expectations that only name a figure are limits; comparisons of arms are not.
pub(super) fn limits(model: &Model, arm: char) -> Vec<(&str, f64)> {
    let Some(header) = model.run.header.as_deref() else { return Vec::new() };
    let Some(arm) = header.arms.iter().find(|a| a.letter == arm) else { return Vec::new() };
    let mut limits: Vec<(&str, f64)> = Vec::new();
    for plan in &header.expectations {
        let Some((measure, rest)) = plan.text.split_once('<') else { continue };
        let quantile = measure.split('(').next().unwrap_or("").trim();
        if !["p50", "p99", "p999"].contains(&quantile) {
            continue;
        }
        let named = measure.split_once(" for ").map(|(_, names)| names);
        let concerns =
            |names: &str| names.split(',').any(|n| n.trim() == arm.name || n.trim() == arm.topology);
        if !named.is_none_or(concerns) {
            continue;
        }
        let Some(ms) = milliseconds(rest.trim_start_matches('=').trim()) else { continue };
        if !limits.contains(&(quantile, ms)) {
            limits.push((quantile, ms));
        }
    }
    limits
}

/// `150ms`, `1.5s`, `800us` at the beginning of a text.
fn milliseconds(text: &str) -> Option<f64> {
    let word = text.split_whitespace().next()?;
    let unit = word.find(|c: char| c.is_ascii_alphabetic())?;
    let value: f64 = word[..unit].parse().ok()?;
    match &word[unit..] {
        "s" => Some(value * 1_000.0),
        "ms" => Some(value),
        "us" => Some(value / 1_000.0),
        _ => None,
    }
}

/// Draws an arm's chart: marks and limits first, lines over them, p99 last,
/// since the last colour of a cell wins.
pub(super) fn draw(model: &Model, arm: char, scale: Scale, span: Span, area: Rect, buffer: &mut Buffer) {
    let look = &model.look;
    if area.width <= GUTTER + 2 || area.height < 4 {
        return;
    }
    let plot = Rect { x: area.x + GUTTER, width: area.width - GUTTER, height: area.height - 2, ..area };
    axes(model, scale, span, plot, buffer);
    for (quantile, ms) in limits(model, arm) {
        let y = row_of(scale, ms, plot);
        let dash = look.either("┄", "-");
        for x in plot.left()..plot.right() {
            put(buffer, x, y, dash, look.style(Role::Limit));
        }
        let text = format!("{quantile}<{} ", label(ms));
        if width(&text) + 4 < usize::from(plot.width) {
            put(buffer, plot.x, y, &text, look.style(Role::Limit));
        }
    }
    let place = model.run.place(arm, model.at());
    let ends = place.map_or_else(Vec::new, |place| lines(model, arm, place, scale, span, plot, buffer));
    marks(model, arm, place, span, plot, buffer);
    for (name, x, y, role) in spread(ends, plot) {
        let x = (plot.x + x + 1).min(plot.right().saturating_sub(width(name) as u16));
        put(buffer, x, y, name, look.style(role));
    }
}

fn row_of(scale: Scale, ms: f64, plot: Rect) -> u16 {
    let dots = f64::from(plot.height * 4 - 1);
    plot.y + ((1.0 - scale.share(ms)) * dots).round() as u16 / 4
}

fn axes(model: &Model, scale: Scale, span: Span, plot: Rect, buffer: &mut Buffer) {
    let look = &model.look;
    let frame = look.style(Role::Frame);
    for y in plot.top()..plot.bottom() {
        put(buffer, plot.x - 1, y, look.either("│", "|"), frame);
    }
    put(buffer, plot.x - 1, plot.bottom(), look.either("└", "+"), frame);
    for x in plot.left()..plot.right() {
        put(buffer, x, plot.bottom(), look.either("─", "-"), frame);
    }
    // Powers of ten first; 2 and 5 where a row is left between two labels.
    let inside = || steps().filter(|ms| *ms >= scale.low && *ms <= scale.high);
    let is_power = |ms: &f64| (ms.log10() - ms.log10().round()).abs() < 1e-9;
    let mut taken: Vec<u16> = Vec::new();
    for ms in inside().filter(is_power).chain(inside().filter(|ms| !is_power(ms))) {
        let y = row_of(scale, ms, plot);
        if taken.iter().all(|other| other.abs_diff(y) > u16::from(!is_power(&ms))) {
            taken.push(y);
            put(buffer, plot.x - GUTTER, y, &right(&label(ms), 4), look.style(Role::Dim));
        }
    }
    let y = plot.bottom() + 1;
    let (first, last) = (clock(span.from.into()), clock(span.to.into()));
    put(buffer, plot.x, y, &first, look.style(Role::Dim));
    if usize::from(plot.width) > width(&first) + width(&last) {
        put(buffer, plot.right() - width(&last) as u16, y, &last, look.style(Role::Dim));
    }
    let middle = clock(u64::from(span.from + span.to) / 2);
    if usize::from(plot.width) > 4 * (width(&middle) + 2) && (span.from + span.to).is_multiple_of(2) {
        let x = plot.x + plot.width / 2 - width(&middle) as u16 / 2;
        put(buffer, x, y, &middle, look.style(Role::Dim));
    }
}

/// A line's name, the column and row it ends at, its role.
type End = (&'static str, u16, u16, Role);

/// The lines; returns where each ends, for its name.
fn lines(
    model: &Model,
    arm: char,
    place: Place,
    scale: Scale,
    span: Span,
    plot: Rect,
    buffer: &mut Buffer,
) -> Vec<End> {
    type Of = fn(&Second) -> Quantile;
    let all: [(&'static str, Of, Role); 3] = [
        ("p99.9", |s| s.p999, Role::FarTail),
        ("p50", |s| s.p50, Role::Median),
        ("p99", |s| s.p99, Role::Tail),
    ];
    let shown = if plot.height >= ROOM_FOR_P999 { &all[..] } else { &all[1..] };
    let to = place.seconds.min(span.to);
    let mut ends = Vec::new();
    for (name, of, role) in shown {
        let mut canvas = Canvas::new(plot);
        let mut before: Option<u16> = None;
        let mut end = None;
        for at in span.from..to {
            let second = model.run.second(arm, place.round, at);
            let Some((second, ms)) = second.and_then(|s| Some((s, of(s).ms?))) else {
                before = None;
                continue;
            };
            let (from, to) = (span.dot(at, canvas.width()), span.dot(at + 1, canvas.width()));
            let y = ((1.0 - scale.share(ms)) * f64::from(canvas.height() - 1)).round() as u16;
            let role = if second.closed && of(second).believable() { *role } else { Role::Dim };
            for x in from..to.max(from + 1) {
                canvas.dot(x, y, role);
            }
            if let Some(before) = before {
                for y in before.min(y)..=before.max(y) {
                    canvas.dot(from, y, role);
                }
            }
            before = Some(y);
            end = Some((plot.y + y / 4, from / 2));
        }
        canvas.draw(&model.look, buffer);
        ends.extend(end.map(|(y, x)| (*name, x, y, *role)));
    }
    ends
}

/// Moves names apart that would share a row: the higher line keeps the higher row.
fn spread(mut ends: Vec<End>, plot: Rect) -> Vec<End> {
    ends.sort_by_key(|(name, _, y, _)| (*y, std::cmp::Reverse(width(name)), std::cmp::Reverse(*name)));
    let mut next = plot.y;
    for (_, _, y, _) in &mut ends {
        *y = (*y).max(next);
        next = *y + 1;
    }
    let mut limit = plot.bottom();
    for (_, _, y, _) in ends.iter_mut().rev() {
        *y = (*y).min(limit.saturating_sub(1)).max(plot.y);
        limit = *y;
    }
    ends
}

/// Steps at their times: number on top and on the axis, a dotted line where nothing
/// else is drawn, a heavy axis while a fault lasts; `n/a` where the arm has no such target.
fn marks(model: &Model, arm: char, place: Option<Place>, span: Span, plot: Rect, buffer: &mut Buffer) {
    let look = &model.look;
    let Some(header) = model.run.header.as_deref() else { return };
    let begun = place.map_or(0, |place| model.at().saturating_sub(place.start));
    for step in &header.steps {
        let Some(x) = span.column(step.start_ns, plot.width).map(|x| plot.x + x) else { continue };
        let spared = step.not_applicable.contains_key(&arm);
        let style = look.style(if spared || step.start_ns > begun { Role::Dim } else { Role::Fault });
        for y in plot.top()..plot.bottom() {
            if buffer.cell((x, y)).is_some_and(|cell| cell.symbol() == " ") {
                put(buffer, x, y, look.either("╎", ":"), style);
            }
        }
        let name = number(step.number, look.ascii);
        let top = if spared { format!("{name}n/a") } else { name.clone() };
        let fits = usize::from(plot.right() - x) >= width(&top);
        put(buffer, if fits { x } else { plot.right() - width(&top) as u16 }, plot.y, &top, style);
        if !spared {
            let end = span
                .column((step.start_ns + step.length_ns).min(u64::from(span.to) * SECOND - 1), plot.width);
            for x in x..=plot.x + end.unwrap_or(x - plot.x) {
                put(buffer, x, plot.bottom(), look.either("━", "="), style);
            }
        }
        let x = x.min(plot.right() - (width(&name) as u16).min(plot.width));
        put(buffer, x, plot.bottom(), &name, style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_covers_what_it_is_given() {
        assert_eq!(Scale::over([3.0, 180.0].into_iter()), Scale { low: 2.0, high: 200.0 });
        assert_eq!(Scale::over([3.0].into_iter()), Scale { low: 2.0, high: 20.0 }, "at least a decade");
        assert_eq!(Scale::over(std::iter::empty()), Scale { low: 1.0, high: 1_000.0 });
        let scale = Scale { low: 1.0, high: 100.0 };
        assert!((scale.share(10.0) - 0.5).abs() < 1e-12, "10 is half way from 1 to 100 on a log axis");
    }

    #[test]
    fn labels_take_three_cells() {
        assert_eq!(steps().map(|ms| width(&label(ms))).max(), Some(5), "only beyond 1,000 s");
        assert!(steps().filter(|ms| (0.01..100_000.0).contains(ms)).all(|ms| width(&label(ms)) <= 3));
    }

    #[test]
    fn limits_are_read_from_a_text() {
        assert_eq!(milliseconds("150ms"), Some(150.0));
        assert_eq!(milliseconds("1.5s held 3s"), Some(1_500.0));
        assert_eq!(milliseconds("3 * p50(all)"), None);
    }
}
