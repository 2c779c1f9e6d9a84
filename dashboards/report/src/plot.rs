//! A chart as SVG: lines over the run's seconds, faults as bands, limits as dashed lines. No script, no font, nothing
//! from outside; what a pointer over a second shows is in the chart's own titles.
//!
//! - `axis`: the numbers at the axes. `labels`: where words stand, so that none covers another.
//! - [`percentiles`]: the same over rarity. [`rates`]: over the rate that was offered. [`waterfall`]: a request and where its time went.

mod axis;
mod labels;
pub mod percentiles;
pub mod rates;
pub mod waterfall;

use std::fmt::Write;

use crate::escaped;
use axis::{Axis, shown};
use labels::{LINE, PlacedLabel};
use model::series::Series;

/// Width of a chart, in its own units: about the pixels that a telephone has for it.
const WIDTH: f64 = 400.0;
/// Height of the part with the lines.
const PLOT_HEIGHT: f64 = 112.0;
/// Room on the right; that on the left is as wide as its numbers.
const RIGHT: f64 = 8.0;
/// Base lines of the title and of the legend's first row.
const TITLE: f64 = 12.0;
const LEGEND: f64 = 26.0;
/// What the sign before a name of the legend takes.
const SIGN: f64 = 18.0;
/// More points than this are drawn as the least and the greatest of each piece: a spike stays a spike.
const MAX_POINTS: usize = 1_000;

/// One line of a chart.
pub struct Curve<'a> {
    /// Its name in the legend; empty for the rest of the line before it.
    pub name: &'a str,
    /// Its class: `one`, `two`, and so on; how it is drawn.
    pub class: &'a str,
    /// Its points, evenly over the chart.
    pub points: Series,
}

/// A time in which something was done on purpose.
pub struct Band {
    /// Number of the step, the same in every view.
    pub number: u32,
    /// From, seconds of the load's clock.
    pub from_s: f64,
    /// To; the same for what happens once.
    pub to_s: f64,
    /// Whether something went wrong, rather than being done on purpose.
    pub is_fault: bool,
    /// Whether it does not apply here, and is only outlined.
    pub is_absent: bool,
}

/// A chart.
pub struct Plot<'a> {
    /// What is drawn.
    pub title: &'a str,
    /// Its unit.
    pub unit: &'a str,
    /// Decades instead of even steps.
    pub is_logarithmic: bool,
    /// The least and the greatest value of all charts it is compared with: they share one scale.
    pub range: (f64, f64),
    /// Length of the chart: seconds of the load, or decades of rarity.
    pub length: f64,
    /// Places along it with their labels below the chart: where phases begin.
    pub marks: &'a [(f64, String)],
    /// What was done, in the order of time.
    pub bands: &'a [Band],
    /// Limits of expectations, with their texts.
    pub limits: &'a [(f64, String)],
    /// The lines.
    pub curves: &'a [Curve<'a>],
    /// How many columns a pointer can ask for their values.
    pub columns: usize,
}

/// Where the parts of a chart stand.
struct Layout {
    left: f64,
    /// Of the part with the lines.
    top: f64,
    bottom: f64,
    /// Of the names of the legend.
    legend: Vec<PlacedLabel>,
    /// Of the marks' labels.
    marks: Vec<PlacedLabel>,
    /// Rows below the lines: times, and the labels of marks.
    height: f64,
}

impl Plot<'_> {
    /// The chart of a range of time, which all charts of a page show alike. `clock` labels a place along it.
    pub fn draw(&self, clock: impl Fn(f64) -> String) -> String {
        let times: Vec<(f64, String)> =
            axis::times(self.length).map(|second| (second, clock(second))).collect();
        self.drawn(" data-zoom=\"\"", &times, clock)
    }

    /// The chart of anything else: what is below it is not a clock.
    pub fn draw_plain(&self, place: impl Fn(f64) -> String) -> String {
        self.drawn("", &[], place)
    }

    fn drawn(&self, more: &str, times: &[(f64, String)], place: impl Fn(f64) -> String) -> String {
        let layout = self.layout(!times.is_empty());
        let Layout { left, height, .. } = layout;
        let label = escaped(&self.describe());
        let inside = WIDTH - left - RIGHT;
        let mut svg =
            format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\"{more}>");
        self.scale(&mut svg, &layout);
        // What lies along the axis has a picture of its own, so that it can be stretched without its words. Writing to
        // a string does not fail.
        let _ = write!(
            svg,
            "<svg x=\"{left}\" y=\"0\" width=\"{inside}\" height=\"{height}\" viewBox=\"{left} 0 {inside} {height}\" \
             preserveAspectRatio=\"none\">"
        );
        self.bands(&mut svg, &layout);
        for curve in self.curves {
            self.curve(&mut svg, &layout, curve);
        }
        self.pointed(&mut svg, &layout, place);
        svg.push_str("</svg>");
        self.limits(&mut svg, &layout);
        self.words(&mut svg, &layout, times);
        let _ = write!(svg, "<text class=\"title\" x=\"4\" y=\"{TITLE}\">{}</text>", escaped(self.title));
        self.legend(&mut svg, &layout);
        svg.push_str("</svg>");
        svg
    }

    fn layout(&self, has_times: bool) -> Layout {
        let ticks = self.axis().ticks();
        let widest = ticks.iter().map(|tick| labels::width(&shown(*tick, self.unit))).fold(0.0, f64::max);
        let left = (widest + 8.0).max(24.0);
        let names = self.named().map(|curve| curve.name);
        let legend = labels::wrapped(names, SIGN, left, WIDTH - RIGHT);
        let rows = |placed: &[PlacedLabel]| placed.iter().map(|one| one.row + 1).max().unwrap_or(0) as f64;
        let numbers = if self.bands.is_empty() { 0.0 } else { LINE };
        let top = LEGEND + LINE * (rows(&legend) - 1.0).max(0.0) + 8.0 + numbers;
        let bottom = top + PLOT_HEIGHT;
        let at = |(place, name): &'_ (f64, String)| (self.x_from(left, *place) + 2.0, name.clone());
        let marks: Vec<(f64, String)> = self.marks.iter().map(at).collect();
        let marks = labels::in_rows(marks.iter().map(|(x, name)| (*x, name.as_str())), WIDTH);
        let below = rows(&marks) + if has_times { 1.0 } else { 0.0 };
        Layout { left, top, bottom, legend, marks, height: bottom + LINE * below + 5.0 }
    }

    /// Lines with a name of their own.
    fn named(&self) -> impl DoubleEndedIterator<Item = &Curve<'_>> {
        self.curves.iter().filter(|curve| !curve.name.is_empty())
    }

    /// For those who do not see it.
    fn describe(&self) -> String {
        let greatest = |curve: &Curve<'_>| {
            let most = curve.points.iter().flatten().copied().reduce(f64::max);
            most.map_or_else(
                || format!("{}: no data", curve.name),
                |most| format!("{} up to {}", curve.name, shown(most, self.unit)),
            )
        };
        let curves: Vec<String> = self.named().map(greatest).collect();
        format!("{}: {}", self.title, curves.join(", "))
    }

    const fn axis(&self) -> Axis {
        Axis { is_logarithmic: self.is_logarithmic, range: self.range }
    }

    fn x_from(&self, left: f64, second: f64) -> f64 {
        left + (WIDTH - left - RIGHT) * (second / self.length.max(1.0)).clamp(0.0, 1.0)
    }

    fn x(&self, layout: &Layout, second: f64) -> f64 {
        self.x_from(layout.left, second)
    }

    fn y(&self, layout: &Layout, value: f64) -> f64 {
        layout.bottom - PLOT_HEIGHT * self.axis().share(value)
    }

    fn scale(&self, svg: &mut String, layout: &Layout) {
        for tick in self.axis().ticks() {
            let y = self.y(layout, tick);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                layout.left,
                WIDTH - RIGHT,
                layout.left - 4.0,
                y + 3.5,
                escaped(&shown(tick, self.unit))
            );
        }
    }

    /// What was done, and where phases begin.
    fn bands(&self, svg: &mut String, layout: &Layout) {
        let Layout { top, bottom, .. } = layout;
        for band in self.bands {
            let (from, to) = (self.x(layout, band.from_s), self.x(layout, band.to_s));
            let class = if band.is_fault { "fault" } else { "action" };
            let absent = if band.is_absent { " absent" } else { "" };
            let _ = write!(
                svg,
                "<rect class=\"{class}{absent}\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{PLOT_HEIGHT}\"/>",
                (to - from).max(1.5)
            );
        }
        for (at, _) in self.marks {
            let x = self.x(layout, *at);
            let _ = write!(
                svg,
                "<line class=\"phase\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>"
            );
        }
    }

    /// Numbers of what was done above the lines, times and phases below; a script that stretches it moves them along.
    fn words(&self, svg: &mut String, layout: &Layout, times: &[(f64, String)]) {
        let Layout { top, bottom, .. } = layout;
        let mut label = |class: &str, x: f64, y: f64, text: &str| {
            let text = escaped(text);
            let _ =
                write!(svg, "<text class=\"{class}\" data-x=\"\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
        };
        let number = |band: &Band| {
            let number = if band.is_absent { format!("({})", band.number) } else { band.number.to_string() };
            (self.x(layout, band.from_s), number)
        };
        let numbers: Vec<(f64, String)> = self.bands.iter().map(number).collect();
        let numbers: Vec<(f64, &str)> = numbers.iter().map(|(x, text)| (*x, text.as_str())).collect();
        for (x, (_, text)) in labels::on_a_line(&numbers, WIDTH).into_iter().zip(&numbers) {
            label("mark", x, top - 3.0, text);
        }
        for (second, text) in times {
            let x = self.x(layout, *second);
            if x + labels::width(text) <= WIDTH {
                label("tick", x, bottom + LINE, text);
            }
        }
        let first = bottom + LINE * if times.is_empty() { 1.0 } else { 2.0 };
        for ((_, name), placed) in self.marks.iter().zip(&layout.marks) {
            label("tick", placed.x, first + LINE * placed.row as f64, name);
        }
    }

    /// Limits that are written alike have one line and one text.
    fn limits(&self, svg: &mut String, layout: &Layout) {
        let mut limits: Vec<(f64, String, Vec<&str>)> = Vec::new();
        for (limit, text) in self.limits {
            let measure = text.split(['(', ' ']).next().unwrap_or_default();
            let label = format!("{measure} limit {}", shown(*limit, self.unit));
            match limits.iter_mut().find(|(_, known, _)| *known == label) {
                Some((_, _, texts)) => texts.push(text),
                None => limits.push((*limit, label, vec![text])),
            }
        }
        // Above its line, where there is room.
        let wanted: Vec<f64> = limits.iter().map(|(limit, ..)| self.y(layout, *limit) - 3.0).collect();
        let heights = labels::stacked(&wanted, layout.top + LINE - 2.0, layout.bottom - 2.0);
        for ((limit, label, texts), height) in limits.iter().zip(heights) {
            let y = self.y(layout, *limit);
            let _ = write!(
                svg,
                "<g class=\"limit\"><title>{}</title><line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{height:.1}\" text-anchor=\"end\">{}</text></g>",
                escaped(&texts.join("; ")),
                layout.left,
                WIDTH - RIGHT,
                WIDTH - RIGHT - 2.0,
                escaped(label)
            );
        }
    }

    /// A gap stays a gap: a dead arm is neither zero nor bridged.
    fn curve(&self, svg: &mut String, layout: &Layout, curve: &Curve<'_>) {
        let points = decimated(&curve.points, MAX_POINTS);
        let mut path = String::new();
        let mut open = false;
        for (at, value) in points {
            let Some(value) = value else {
                open = false;
                continue;
            };
            let second = self.length * (at + 0.5) / curve.points.len().max(1) as f64;
            let verb = if open { 'L' } else { 'M' };
            let _ = write!(path, "{verb}{:.1} {:.1}", self.x(layout, second), self.y(layout, value));
            open = true;
        }
        let _ = write!(svg, "<path class=\"curve {}\" d=\"{path}\"/>", curve.class);
    }

    fn legend(&self, svg: &mut String, layout: &Layout) {
        for (curve, placed) in self.named().zip(&layout.legend) {
            let y = LEGEND + LINE * placed.row as f64;
            let _ = write!(
                svg,
                "<path class=\"curve {}\" d=\"M{:.1} {:.1}h14\"/><text class=\"tick\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
                curve.class,
                placed.x,
                y - 3.5,
                placed.x + SIGN,
                escaped(curve.name)
            );
        }
    }

    /// Transparent columns: the title of each has the values in its middle.
    fn pointed(&self, svg: &mut String, layout: &Layout, place: impl Fn(f64) -> String) {
        let most = self.curves.iter().map(|curve| curve.points.len()).max().unwrap_or(0);
        let columns = self.columns.min(most).max(1);
        let wide = (WIDTH - layout.left - RIGHT) / columns as f64;
        svg.push_str("<g class=\"columns\">");
        for column in 0..columns {
            let middle = (column as f64 + 0.5) / columns as f64;
            let value = |curve: &Curve<'_>| {
                let index = (curve.points.len() as f64 * middle) as usize;
                Some(shown(curve.points.get(index).copied().flatten()?, self.unit))
            };
            let mut values: Vec<String> = Vec::new();
            for (at, curve) in self.curves.iter().enumerate() {
                // The rest of a line goes by the name of the line.
                let name =
                    if curve.name.is_empty() { self.curves[at.saturating_sub(1)].name } else { curve.name };
                let text = value(curve).map(|value| format!("{name} {value}"));
                values.extend(text.filter(|text| !values.contains(text)));
            }
            if values.is_empty() {
                continue;
            }
            let _ = write!(
                svg,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{wide:.2}\" height=\"{PLOT_HEIGHT}\"><title>{}</title></rect>",
                layout.left + wide * column as f64,
                layout.top,
                escaped(&format!("{} {}", place(self.length * middle), values.join(", ")))
            );
        }
        svg.push_str("</g>");
    }
}

/// At most so many points with their places: of each piece the least and the greatest, in their order, and a gap
/// where it holds nothing.
pub(crate) fn decimated(points: &[Option<f64>], most: usize) -> Vec<(f64, Option<f64>)> {
    if points.len() <= most {
        return points.iter().enumerate().map(|(at, value)| (at as f64, *value)).collect();
    }
    let piece = points.len().div_ceil(most / 2);
    let mut few = Vec::new();
    for (index, part) in points.chunks(piece).enumerate() {
        let known = part.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?)));
        let start = (index * piece) as f64;
        let least = known.clone().min_by(|a, b| a.1.total_cmp(&b.1));
        let greatest = known.max_by(|a, b| a.1.total_cmp(&b.1));
        match (least, greatest) {
            (Some(least), Some(greatest)) => {
                let mut both = [least, greatest];
                both.sort_by_key(|(at, _)| *at);
                few.extend(both.map(|(at, value)| (start + at as f64, Some(value))));
            }
            _ => few.push((start, None)),
        }
    }
    few
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot<'a>(
        curves: &'a [Curve<'a>],
        marks: &'a [(f64, String)],
        limits: &'a [(f64, String)],
    ) -> Plot<'a> {
        Plot {
            title: "latency",
            unit: "ms",
            is_logarithmic: true,
            range: (1.0, 200.0),
            length: 4.0,
            marks,
            bands: &[Band { number: 1, from_s: 1.0, to_s: 2.0, is_fault: true, is_absent: false }],
            limits,
            curves,
            columns: 100,
        }
    }

    #[test]
    fn a_gap_stays_a_gap() {
        let curve = Curve { name: "p50", class: "p50", points: vec![Some(2.0), None, Some(3.0), Some(4.0)] };
        let marks = [(0.0, "warm".to_owned()), (1.0, "a<b".to_owned())];
        let svg = plot(&[curve], &marks, &[]).draw(|second| format!("at {second}"));
        let path = svg.split("class=\"curve p50\" d=\"").nth(1).expect("its path").split('"').next();
        let path = path.expect("closed");
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1), "{path}");
        assert!(svg.contains("a&lt;b") && svg.contains("class=\"fault\""), "{svg}");
        assert!(svg.contains("<title>at 0.5 p50 2ms</title>") && !svg.contains("at 1.5"), "{svg}");
    }

    #[test]
    fn arms_on_one_scale_have_one_height_for_one_value() {
        let limits = [(100.0, "p99(all) < 100ms".to_owned())];
        let one = Curve { name: "p50", class: "p50", points: vec![Some(1.0)] };
        let other = Curve { name: "p50", class: "p50", points: vec![Some(150.0)] };
        let (one, other) = ([one], [other]);
        let height = |curves: &[Curve<'_>]| {
            let plot = plot(curves, &[], &limits);
            plot.y(&plot.layout(true), 100.0)
        };
        assert_eq!(height(&one), height(&other));
    }

    #[test]
    fn spikes_survive_the_thinning() {
        let mut points = vec![Some(1.0); 5_000];
        points[3_333] = Some(90.0);
        points[4_990..].fill(None);
        let few = decimated(&points, 1_000);
        assert!(few.len() <= 1_000, "{}", few.len());
        assert!(few.iter().any(|(at, value)| *at == 3_333.0 && *value == Some(90.0)));
        assert_eq!(few.last().map(|(_, value)| *value), Some(None), "and so do gaps");
    }

    #[test]
    fn every_phase_is_named_and_every_number_has_room() {
        let marks: Vec<(f64, String)> =
            (0..6).map(|at| (f64::from(at) * 0.2, format!("phase-{at}"))).collect();
        let curve = [Curve { name: "p50", class: "p50", points: vec![Some(10_000.0)] }];
        let mut plot = plot(&curve, &marks, &[]);
        plot.range = (0.01, 10_000.0);
        let svg = plot.draw(|second| format!("at {second}"));
        assert!((0..6).all(|at| svg.contains(&format!(">phase-{at}</text>"))), "{svg}");
        assert!(
            svg.contains(">10s</text>") && svg.contains(">10µs</text>") && !svg.contains("10000"),
            "{svg}"
        );
        let layout = plot.layout(true);
        assert!(layout.left > labels::width("100µs"), "{}", layout.left);
        assert!(layout.marks.iter().any(|placed| placed.row > 0), "they are too near for one row");
    }

    #[test]
    fn limits_never_cover_each_other() {
        let limits = [
            (100.0, "p99(all) in steady < 100ms".to_owned()),
            (100.0, "p99(all) in fault < 100ms".to_owned()),
            (100.5, "p50(all) < 100.5ms".to_owned()),
        ];
        let curve = [Curve { name: "p50", class: "p50", points: vec![Some(1.0)] }];
        let svg = plot(&curve, &[], &limits).draw(|second| format!("at {second}"));
        assert_eq!(svg.matches("class=\"limit\"").count(), 2, "those of one height and one measure are one");
        let heights: Vec<f64> = svg
            .split("class=\"limit\"")
            .skip(1)
            .filter_map(|limit| limit.split("class=\"tick\"").nth(1)?.split("y=\"").nth(1)?.split('"').next())
            .filter_map(|height| height.parse().ok())
            .collect();
        assert!((heights[0] - heights[1]).abs() >= LINE, "{heights:?}");
    }
}
