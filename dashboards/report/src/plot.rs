//! A chart as SVG: lines over the run's seconds, faults as bands, limits as dashed lines. No script, no font, nothing
//! from outside; what a pointer over a second shows is in the chart's own titles.

use std::fmt::Write;

use record::figures::clock;

use crate::escaped;
use crate::story::Series;

/// Size of a chart, in its own units.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 190.0;
/// Room for numbers on the left, the clock below, and the title above.
const LEFT: f64 = 46.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 18.0;
/// About what a letter takes at the size of small text.
const LETTER: f64 = 6.0;
/// More points than this are drawn as the least and the greatest of each stretch: a spike stays a spike.
const MOST_POINTS: usize = 1_000;
/// A logarithmic axis spans at least so many decades.
const DECADES: f64 = 2.0;

/// One line of a chart.
pub struct Curve<'a> {
    /// Its name in the legend.
    pub name: &'a str,
    /// Its class: `p50`, `p99`, `good`, `bad`.
    pub class: &'a str,
    /// Its points, evenly over the chart.
    pub points: Series,
}

/// A stretch in which something was done on purpose.
pub struct Band {
    /// Number of the step, the same in every view.
    pub number: u32,
    /// From, seconds of the load's clock.
    pub from_s: f64,
    /// To; the same for what happens once.
    pub to_s: f64,
    /// Whether something went wrong, rather than being done on purpose.
    pub is_fault: bool,
}

/// A chart.
pub struct Plot<'a> {
    /// What is drawn.
    pub title: &'a str,
    /// Its unit.
    pub unit: &'a str,
    /// Decades instead of even steps.
    pub logarithmic: bool,
    /// The least and the greatest value of all charts it is compared with: they share one scale.
    pub range: (f64, f64),
    /// Seconds of the load.
    pub length_s: f64,
    /// Where stretches begin, with what is said of them below the chart.
    pub phases: &'a [(f64, &'a str)],
    /// What was done.
    pub bands: &'a [Band],
    /// Limits of expectations, with their texts.
    pub limits: &'a [(f64, String)],
    /// The lines.
    pub curves: &'a [Curve<'a>],
}

impl Plot<'_> {
    /// The chart of a stretch of time, which all charts of a page show alike.
    pub fn draw(&self) -> String {
        let mut svg = self.open(&format!(" data-zoom data-width=\"{WIDTH}\" data-height=\"{HEIGHT}\""));
        self.fill(&mut svg);
        self.seconds(&mut svg);
        svg.push_str("</svg>");
        svg
    }

    /// The chart of anything else: what is below it is not a clock.
    pub fn draw_plain(&self) -> String {
        let mut svg = self.open("");
        self.fill(&mut svg);
        svg.push_str("</svg>");
        svg
    }

    fn open(&self, more: &str) -> String {
        let label = escaped(&self.describe());
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\"{more}><title>{label}</title>"
        )
    }

    fn fill(&self, svg: &mut String) {
        self.bands(svg);
        self.axes(svg);
        self.limits(svg);
        // Writing to a string does not fail.
        let _ = write!(svg, "<text class=\"title\" x=\"{LEFT}\" y=\"14\">{}</text>", escaped(self.title));
        for curve in self.curves {
            self.curve(svg, curve);
        }
        self.legend(svg);
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
        let curves: Vec<String> = self.curves.iter().map(greatest).collect();
        format!("{}: {}", self.title, curves.join(", "))
    }

    fn x(&self, second: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (second / self.length_s.max(1.0)).clamp(0.0, 1.0)
    }

    fn bottom(&self) -> f64 {
        if !self.logarithmic {
            return 0.0;
        }
        self.range.0.max(1e-3).log10().floor().min(self.highest() - DECADES)
    }

    /// The upper end of the axis; a power of ten where it is logarithmic.
    fn highest(&self) -> f64 {
        if self.logarithmic { self.range.1.max(1e-3).log10().ceil() } else { even_top(self.range.1) }
    }

    fn y(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.max(1e-9).log10() } else { value };
        let (low, high) = (self.bottom(), self.highest());
        let share = ((value - low) / (high - low).max(1e-9)).clamp(0.0, 1.0);
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
    }

    fn ticks(&self) -> Vec<f64> {
        let (low, high) = (self.bottom(), self.highest());
        if self.logarithmic {
            (low as i32..=high as i32).map(|power| 10_f64.powi(power)).collect()
        } else {
            (0..=4).map(|step| high * f64::from(step) / 4.0).collect()
        }
    }

    fn axes(&self, svg: &mut String) {
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
        let mut written_to = 0.0;
        for (second, name) in self.phases {
            let x = self.x(*second);
            // A short phase keeps its line and leaves its name out, where there is no room for it.
            let name = if x < written_to { "" } else { name };
            written_to = f64::max(written_to, x + LETTER * name.chars().count() as f64);
            let _ = write!(
                svg,
                "<line class=\"phase\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                HEIGHT - BOTTOM,
                x + 2.0,
                HEIGHT - 5.0,
                escaped(name)
            );
        }
    }

    fn bands(&self, svg: &mut String) {
        for band in self.bands {
            let (from, to) = (self.x(band.from_s), self.x(band.to_s));
            let class = if band.is_fault { "fault" } else { "deed" };
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>\
                 <text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                (to - from).max(1.5),
                HEIGHT - TOP - BOTTOM,
                from + 2.0,
                TOP + 10.0,
                band.number
            );
        }
    }

    fn limits(&self, svg: &mut String) {
        for (limit, text) in self.limits {
            let y = self.y(*limit);
            let _ = write!(
                svg,
                "<g class=\"limit\"><title>{}</title><line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">limit {}{}</text></g>",
                escaped(text),
                WIDTH - RIGHT,
                WIDTH - RIGHT - 2.0,
                y - 3.0,
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
            let second = self.length_s * (at + 0.5) / curve.points.len().max(1) as f64;
            let verb = if open { 'L' } else { 'M' };
            let _ = write!(path, "{verb}{:.1} {:.1}", self.x(second), self.y(value));
            open = true;
        }
        let _ = write!(svg, "<path class=\"curve {}\" d=\"{path}\"/>", curve.class);
    }

    fn legend(&self, svg: &mut String) {
        let mut x = WIDTH - RIGHT;
        for curve in self.curves.iter().rev() {
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

    /// A transparent column for each second: its title says the values.
    fn seconds(&self, svg: &mut String) {
        let columns = (self.length_s.ceil() as usize).clamp(1, MOST_POINTS);
        let wide = (WIDTH - LEFT - RIGHT) / columns as f64;
        svg.push_str("<g class=\"columns\">");
        for column in 0..columns {
            let second = self.length_s * column as f64 / columns as f64;
            let value = |curve: &Curve<'_>| {
                let index = (curve.points.len() as f64 * second / self.length_s.max(1.0)) as usize;
                let value = curve.points.get(index).copied().flatten();
                value.map(|value| format!("{} {}{}", curve.name, short(value), self.unit))
            };
            let values: Vec<String> = self.curves.iter().filter_map(value).collect();
            if values.is_empty() {
                continue;
            }
            let _ = write!(
                svg,
                "<rect x=\"{:.1}\" y=\"{TOP}\" width=\"{wide:.2}\" height=\"{:.1}\"><title>{} {}</title></rect>",
                self.x(second),
                HEIGHT - TOP - BOTTOM,
                clock(second as u64),
                escaped(&values.join(", "))
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

/// At most so many points with their places: of each stretch the least and the greatest, in their order, and a gap
/// where it holds nothing.
fn decimated(points: &[Option<f64>], most: usize) -> Vec<(f64, Option<f64>)> {
    if points.len() <= most {
        return points.iter().enumerate().map(|(at, value)| (at as f64, *value)).collect();
    }
    let stretch = points.len().div_ceil(most / 2);
    let mut few = Vec::new();
    for (index, part) in points.chunks(stretch).enumerate() {
        let known = part.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?)));
        let start = (index * stretch) as f64;
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

    fn plot<'a>(curves: &'a [Curve<'a>], limits: &'a [(f64, String)]) -> Plot<'a> {
        Plot {
            title: "latency",
            unit: "ms",
            logarithmic: true,
            range: (1.0, 200.0),
            length_s: 4.0,
            phases: &[(0.0, "warm"), (1.0, "a<b")],
            bands: &[Band { number: 1, from_s: 1.0, to_s: 2.0, is_fault: true }],
            limits,
            curves,
        }
    }

    #[test]
    fn a_gap_stays_a_gap() {
        let curve = Curve { name: "p50", class: "p50", points: vec![Some(2.0), None, Some(3.0), Some(4.0)] };
        let svg = plot(&[curve], &[]).draw();
        let path = svg.split("class=\"curve p50\" d=\"").nth(1).expect("its path").split('"').next();
        let path = path.expect("closed");
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1), "{path}");
        assert!(svg.contains("a&lt;b") && svg.contains("class=\"fault\""), "{svg}");
    }

    #[test]
    fn arms_on_one_scale_have_one_height_for_one_value() {
        let limits = [(100.0, "p99(all) < 100ms".to_owned())];
        let one = Curve { name: "p50", class: "p50", points: vec![Some(1.0)] };
        let other = Curve { name: "p50", class: "p50", points: vec![Some(150.0)] };
        let (one, other) = ([one], [other]);
        assert_eq!(plot(&one, &limits).y(100.0), plot(&other, &limits).y(100.0));
        assert_eq!(plot(&one, &limits).ticks(), [1.0, 10.0, 100.0, 1_000.0]);
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
