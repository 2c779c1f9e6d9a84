//! Latency by percentile, as HDR histograms are shown: x is 1/(1-q) on a logarithmic axis, so that p99 lies as far from
//! p90 as p99.9 from p99 (Tene, "How NOT to measure latency").

use model::latency::Quantile;
use model::series::Series;
use record::Latencies;

use super::{Curve, Plot};

/// Points in each decade of rarity.
const PER_DECADE: usize = 40;
/// p99.999 is as far as a run on one machine has samples for.
const MAX_DECADES: usize = 5;
/// Columns a pointer can ask.
const COLUMNS: usize = 60;

/// The chart of some lanes: each with its name and its class.
pub fn draw(title: &str, lanes: &[(&str, &str, Latencies)]) -> String {
    let most = lanes.iter().map(|(.., latencies)| latencies.len()).max().unwrap_or(1).max(1);
    let decades = ((most as f64).log10().ceil() as usize).clamp(1, MAX_DECADES);
    let mut curves = Vec::new();
    let mut range = (f64::INFINITY, 0.0_f64);
    let tails: Vec<String> = lanes.iter().map(|(_, class, _)| format!("{class} tail")).collect();
    for ((name, class, latencies), tail) in lanes.iter().zip(&tails) {
        let (points, doubtful) = points(latencies, decades);
        for ms in points.iter().chain(&doubtful).flatten() {
            range = (range.0.min(*ms), range.1.max(*ms));
        }
        curves.push(Curve { name, class, points });
        curves.push(Curve { name: "", class: tail, points: doubtful });
    }
    let mut marks = vec![(2_f64.log10(), "p50".to_owned())];
    marks.extend((1..decades).map(|decade| (decade as f64, format!("p{}", percent(decade as f64)))));
    Plot {
        title,
        unit: "ms",
        is_logarithmic: true,
        range,
        length: decades as f64,
        marks: &marks,
        bands: &[],
        limits: &[],
        curves: &curves,
        columns: COLUMNS,
    }
    .draw_plain(|decade| format!("p{}, 1 in {:.0}:", percent(decade), 10_f64.powf(decade)))
}

/// Milliseconds at evenly spaced rarities: where enough samples lie beyond, and where they do not. The two share the
/// point at which one becomes the other, so that the line goes on.
fn points(latencies: &Latencies, decades: usize) -> (Series, Series) {
    let count = decades * PER_DECADE;
    let n = latencies.len() as f64;
    let (mut sure, mut doubtful) = (vec![None; count], vec![None; count]);
    for at in 0..count {
        let rarity = (at as f64 + 0.5) / PER_DECADE as f64;
        let quantile = Quantile::of(latencies, 1.0 - 10_f64.powf(-rarity));
        if quantile.is_believable() {
            sure[at] = quantile.ms;
        } else if n * 10_f64.powf(-rarity) >= 1.0 {
            doubtful[at] = quantile.ms;
            if at > 0 && doubtful[at - 1].is_none() {
                doubtful[at - 1] = sure[at - 1];
            }
        }
    }
    (sure, doubtful)
}

/// The percentile at a rarity of so many decades: 2 is 99.
fn percent(decades: f64) -> String {
    let rest = 100.0 * 10_f64.powf(-decades);
    let digits = (decades.ceil() as usize).saturating_sub(2) + usize::from(decades.fract() > 0.0);
    format!("{:.digits$}", 100.0 - rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_named_with_the_digits_they_need() {
        assert_eq!([1.0, 2.0, 3.0, 4.0].map(percent), ["90", "99", "99.9", "99.99"]);
        assert_eq!(percent(2.3), "99.50");
    }

    #[test]
    fn a_line_ends_where_the_samples_do() {
        // A thousand samples: five beyond until p99.5, one until p99.9, which is three decades.
        let latencies: Latencies = (1..=1_000).collect();
        let (sure, doubtful) = points(&latencies, 4);
        let last = |series: &Series| {
            series.iter().rposition(Option::is_some).map(|at| at as f64 / PER_DECADE as f64)
        };
        assert!(last(&sure).is_some_and(|decade| (2.2..2.35).contains(&decade)), "{:?}", last(&sure));
        assert!(last(&doubtful).is_some_and(|decade| (2.9..3.0).contains(&decade)), "{:?}", last(&doubtful));
        let meet = sure.iter().rposition(Option::is_some).expect("some are sure");
        assert_eq!(sure[meet], doubtful[meet], "the line goes on");
        // The median: 500 us, at log10(2) of a decade.
        let median = sure[(2_f64.log10() * PER_DECADE as f64) as usize].expect("known");
        assert!((0.49..0.52).contains(&median), "{median}");
    }
}
