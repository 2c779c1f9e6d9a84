//! A chart as SVG: lines over the run's seconds, faults as bands, limits as dashed lines. No script, no font, nothing
//! from outside; what a pointer over a second shows is in the chart's own titles.
//!
//! - [`percentiles`]: the same over rarity. [`waterfall`]: a request and where its time went.

pub mod percentiles;
pub mod waterfall;

use std::fmt::Write;

use crate::escaped;
use model::series::Series;

/// Size of a chart, in its own units.
const WIDTH: f64 = 500.0;
const HEIGHT: f64 = 180.0;
/// Room for numbers on the left, the clock below, and the title above.
const LEFT: f64 = 46.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 18.0;
/// About what a letter takes at the size of small text.
const LETTER: f64 = 6.0;
/// Height of a line of small text.
const LINE: f64 = 12.0;
/// More points than this are drawn as the least and the greatest of each piece: a spike stays a spike.
const MOST_POINTS: usize = 1_000;
/// A logarithmic axis spans at least so many decades.
const DECADES: f64 = 2.0;

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
    /// What was done.
    pub bands: &'a [Band],
    /// Limits of expectations, with their texts.
    pub limits: &'a [(f64, String)],
    /// The lines.
    pub curves: &'a [Curve<'a>],
    /// How many columns a pointer can ask for their values.
    pub columns: usize,
}

impl Plot<'_> {
    /// The chart of a range of time, which all charts of a page show alike. `clock` labels a place along it.
    pub fn draw(&self, clock: impl Fn(f64) -> String) -> String {
        self.drawn(" data-zoom=\"\"", clock)
    }

    /// The chart of anything else: what is below it is not a clock.
    pub fn draw_plain(&self, place: impl Fn(f64) -> String) -> String {
        self.drawn("", place)
    }

    fn drawn(&self, more: &str, place: impl Fn(f64) -> String) -> String {
        let label = escaped(&self.describe());
        let inside = WIDTH - LEFT - RIGHT;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\"{more}><title>{label}</title>"
        );
        self.scale(&mut svg);
        self.limits(&mut svg);
        // What lies along the axis has a picture of its own, so that it can be stretched without its words. Writing to
        // a string does not fail.
        let _ = write!(
            svg,
            "<svg x=\"{LEFT}\" y=\"0\" width=\"{inside}\" height=\"{HEIGHT}\" viewBox=\"{LEFT} 0 {inside} {HEIGHT}\" \
             preserveAspectRatio=\"none\">"
        );
        self.bands(&mut svg);
        for curve in self.curves {
            self.curve(&mut svg, curve);
        }
        self.pointed(&mut svg, place);
        svg.push_str("</svg>");
        self.words(&mut svg);
        let _ = write!(svg, "<text class=\"title\" x=\"{LEFT}\" y=\"14\">{}</text>", escaped(self.title));
        self.legend(&mut svg);
        svg.push_str("</svg>");
        svg
    }

    /// For those who do not see it.
    fn describe(&self) -> String {
        let greatest = |curve: &Curve<'_>| {
            let most = curve.points.iter().flatten().copied().reduce(f64::max);
            most.map_or_else(
                || format!("{}: no data", curve.name),
                |most| format!("{} up to {}{}", curve.name, short(most), self.unit),
            )
        };
        let named = self.curves.iter().filter(|curve| !curve.name.is_empty());
        let curves: Vec<String> = named.map(greatest).collect();
        format!("{}: {}", self.title, curves.join(", "))
    }

    fn x(&self, second: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (second / self.length.max(1.0)).clamp(0.0, 1.0)
    }

    fn bottom(&self) -> f64 {
        if !self.is_logarithmic {
            return 0.0;
        }
        self.range.0.max(1e-3).log10().floor().min(self.highest() - DECADES)
    }

    /// The upper end of the axis; a power of ten where it is logarithmic.
    fn highest(&self) -> f64 {
        if self.is_logarithmic { self.range.1.max(1e-3).log10().ceil() } else { even_top(self.range.1) }
    }

    fn y(&self, value: f64) -> f64 {
        let value = if self.is_logarithmic { value.max(1e-9).log10() } else { value };
        let (low, high) = (self.bottom(), self.highest());
        let share = ((value - low) / (high - low).max(1e-9)).clamp(0.0, 1.0);
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
    }

    fn ticks(&self) -> Vec<f64> {
        let (low, high) = (self.bottom(), self.highest());
        if self.is_logarithmic {
            (low as i32..=high as i32).map(|power| 10_f64.powi(power)).collect()
        } else {
            // Tops are 1, 2 or 5 times a power of ten: fifths of the first and last, quarters of the second are round.
            let steps = if (high / 10_f64.powf(high.log10().floor()) - 2.0).abs() < 0.5 { 4 } else { 5 };
            (0..=steps).map(|step| high * f64::from(step) / f64::from(steps)).collect()
        }
    }

    fn scale(&self, svg: &mut String) {
        for tick in self.ticks() {
            let y = self.y(tick);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 4.0,
                y + 3.5,
                escaped(&format!("{}{}", short(tick), self.unit))
            );
        }
    }

    /// What was done, and where phases begin.
    fn bands(&self, svg: &mut String) {
        for band in self.bands {
            let (from, to) = (self.x(band.from_s), self.x(band.to_s));
            let class = if band.is_fault { "fault" } else { "action" };
            let absent = if band.is_absent { " absent" } else { "" };
            let _ = write!(
                svg,
                "<rect class=\"{class}{absent}\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                (to - from).max(1.5),
                HEIGHT - TOP - BOTTOM
            );
        }
        for (at, _) in self.marks {
            let x = self.x(*at);
            let _ = write!(
                svg,
                "<line class=\"phase\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>",
                HEIGHT - BOTTOM
            );
        }
    }

    /// Numbers of what was done, and names below the axis; a script that stretches it moves them along.
    fn words(&self, svg: &mut String) {
        let mut label = |class: &str, x: f64, y: f64, text: &str| {
            let text = escaped(text);
            let _ =
                write!(svg, "<text class=\"{class}\" data-x=\"\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
        };
        for band in self.bands {
            let note = if band.is_absent { " n/a" } else { "" };
            label("mark", self.x(band.from_s) + 2.0, TOP + 10.0, &format!("{}{note}", band.number));
        }
        let mut written_to = 0.0;
        for (at, name) in self.marks {
            let x = self.x(*at);
            // A short phase keeps its line and leaves its name out, where there is no room for it.
            if x >= written_to {
                written_to = x + LETTER * name.chars().count() as f64;
                label("tick", x + 2.0, HEIGHT - 5.0, name);
            }
        }
    }

    fn limits(&self, svg: &mut String) {
        for (limit, text) in self.limits {
            let y = self.y(*limit);
            // Below the line where above it there is the legend.
            let words = if y < TOP + LINE { y + LINE - 2.0 } else { y - 3.0 };
            let _ = write!(
                svg,
                "<g class=\"limit\"><title>{}</title><line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{} limit {}{}</text></g>",
                escaped(text),
                WIDTH - RIGHT,
                WIDTH - RIGHT - 2.0,
                words,
                escaped(text.split(' ').next().unwrap_or_default()),
                short(*limit),
                escaped(self.unit)
            );
        }
    }

    /// A gap stays a gap: a dead arm is neither zero nor bridged.
    fn curve(&self, svg: &mut String, curve: &Curve<'_>) {
        let points = decimated(&curve.points, MOST_POINTS);
        let mut path = String::new();
        let mut open = false;
        for (at, value) in points {
            let Some(value) = value else {
                open = false;
                continue;
            };
            let second = self.length * (at + 0.5) / curve.points.len().max(1) as f64;
            let verb = if open { 'L' } else { 'M' };
            let _ = write!(path, "{verb}{:.1} {:.1}", self.x(second), self.y(value));
            open = true;
        }
        let _ = write!(svg, "<path class=\"curve {}\" d=\"{path}\"/>", curve.class);
    }

    fn legend(&self, svg: &mut String) {
        let mut x = WIDTH - RIGHT;
        for curve in self.curves.iter().rev().filter(|curve| !curve.name.is_empty()) {
            x -= LETTER * curve.name.chars().count() as f64 + 24.0;
            let _ = write!(
                svg,
                "<path class=\"curve {}\" d=\"M{x:.1} 10h14\"/><text class=\"tick\" x=\"{:.1}\" y=\"13.5\">{}</text>",
                curve.class,
                x + 17.0,
                escaped(curve.name)
            );
        }
    }

    /// Transparent columns: the title of each has the values in its middle.
    fn pointed(&self, svg: &mut String, place: impl Fn(f64) -> String) {
        let most = self.curves.iter().map(|curve| curve.points.len()).max().unwrap_or(0);
        let columns = self.columns.min(most).max(1);
        let wide = (WIDTH - LEFT - RIGHT) / columns as f64;
        svg.push_str("<g class=\"columns\">");
        for column in 0..columns {
            let middle = (column as f64 + 0.5) / columns as f64;
            let value = |curve: &Curve<'_>| {
                let index = (curve.points.len() as f64 * middle) as usize;
                let value = curve.points.get(index).copied().flatten()?;
                Some(format!("{}{}", short(value), self.unit))
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
                "<rect x=\"{:.1}\" y=\"{TOP}\" width=\"{wide:.2}\" height=\"{:.1}\"><title>{}</title></rect>",
                LEFT + wide * column as f64,
                HEIGHT - TOP - BOTTOM,
                escaped(&format!("{} {}", place(self.length * middle), values.join(", ")))
            );
        }
        svg.push_str("</g>");
    }
}

/// The upper end of an even axis: 1, 2 or 5 times a power of ten.
fn even_top(top: f64) -> f64 {
    if top <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(top.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|end| *end >= top).unwrap_or(10.0 * power)
}

/// Three digits are enough on an axis.
fn short(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        v if v.abs() >= 100.0 => format!("{v:.0}"),
        v if v.abs() >= 10.0 => format!("{v:.1}").trim_end_matches(".0").to_owned(),
        v => format!("{v:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
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
        assert_eq!(plot(&one, &[], &limits).y(100.0), plot(&other, &[], &limits).y(100.0));
        assert_eq!(plot(&one, &[], &limits).ticks(), [1.0, 10.0, 100.0, 1_000.0]);
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
    fn axes_end_at_round_numbers() {
        assert_eq!([0.0, 0.3, 7.0, 61.0, 100.0].map(even_top), [1.0, 0.5, 10.0, 100.0, 100.0]);
        assert_eq!([0.0, 0.5, 12.0, 480.4].map(short), ["0", "0.5", "12", "480"]);
    }
}
