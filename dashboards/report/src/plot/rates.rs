//! A figure over the rate that was offered: x is arrivals a second, and between two rates the line is straight.

use model::series::Series;

use super::{Curve, Plot};

/// Points of a line.
const POINTS: usize = 240;
/// Columns a pointer can ask.
const COLUMNS: usize = 60;

/// A line: its name, its class, and its figures by rate, rising.
pub struct RateLine<'a> {
    /// Its name in the legend.
    pub name: &'a str,
    /// How it is drawn.
    pub class: &'a str,
    /// Rate and figure; none where a rate showed none.
    pub figures: Vec<(f64, Option<f64>)>,
}

/// A chart of some lines, with the limits that are drawn across it.
pub fn draw(title: &str, unit: &str, lines: &[RateLine<'_>], limits: &[(f64, String)]) -> String {
    let figures = || lines.iter().flat_map(|line| &line.figures);
    let length = figures().map(|(rate, _)| *rate).fold(0.0, f64::max);
    let values = figures().filter_map(|(_, value)| *value).chain(limits.iter().map(|(limit, _)| *limit));
    let range =
        values.fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    let mut rates: Vec<f64> = figures().map(|(rate, _)| rate.round()).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let marks: Vec<(f64, String)> = rates.into_iter().map(|rate| (rate, format!("{rate}/s"))).collect();
    let curves: Vec<Curve<'_>> = lines
        .iter()
        .map(|line| Curve { name: line.name, class: line.class, points: points(&line.figures, length) })
        .collect();
    Plot {
        title,
        unit,
        is_logarithmic: unit == "ms",
        range,
        length,
        marks: &marks,
        bands: &[],
        limits,
        curves: &curves,
        columns: COLUMNS,
    }
    .draw_plain(|rate| format!("at {rate:.0}/s:"))
}

/// Figures at evenly spaced rates; nothing before the first rate, beyond the last, and next to one without a figure.
fn points(figures: &[(f64, Option<f64>)], length: f64) -> Series {
    let at = |index: usize| {
        let rate = (index as f64 + 0.5) / POINTS as f64 * length;
        let (from, to) = figures
            .windows(2)
            .map(|pair| (pair[0], pair[1]))
            .find(|(from, to)| (from.0..=to.0).contains(&rate))?;
        let share = (rate - from.0) / (to.0 - from.0).max(f64::MIN_POSITIVE);
        Some(from.1? + (to.1? - from.1?) * share)
    };
    (0..POINTS).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_straight_between_rates_and_ends_with_them() {
        let series =
            points(&[(100.0, Some(10.0)), (200.0, Some(30.0)), (300.0, None), (400.0, Some(1.0))], 400.0);
        let at = |rate: f64| series[(rate / 400.0 * POINTS as f64) as usize];
        assert_eq!(at(50.0), None, "below the lowest rate");
        assert!(at(150.0).is_some_and(|value| (value - 20.0).abs() < 0.5), "{:?}", at(150.0));
        assert_eq!((at(250.0), at(350.0)), (None, None), "a rate without a figure is not bridged");
    }

    #[test]
    fn the_limit_is_on_the_chart_even_where_no_arm_comes_near() {
        let line =
            RateLine { name: "A mono", class: "one", figures: vec![(100.0, Some(2.0)), (200.0, Some(3.0))] };
        let svg = draw("p99 by rate", "ms", &[line], &[(50.0, "p99 < 50 ms".to_owned())]);
        assert!(
            svg.contains("p99 limit 50ms") && svg.contains(">100/s</text>") && svg.contains(">100ms</text>"),
            "{svg}"
        );
    }
}
