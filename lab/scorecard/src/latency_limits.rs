//! The limits that a scenario sets for an arm's latencies, as charts of latencies draw them.

use model::Run;

use crate::expect::{Expectation, Op, Side};
use crate::measure::Unit;

/// Percentiles of latencies that charts draw.
const DRAWN: [&str; 3] = ["p50", "p99", "p999"];

/// A limit of a latency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatencyLimit {
    /// Of which percentile: the name of its measure.
    pub percentile: &'static str,
    /// What it may be at most, milliseconds.
    pub ms: f64,
}

/// The limits of an arm. An expectation that names a figure is a limit; one that compares arms, phases or percentiles is
/// not.
pub fn latency_limits(run: &Run, arm: char) -> Vec<LatencyLimit> {
    let Some(arm) = run.arm(arm) else { return Vec::new() };
    let mut limits: Vec<LatencyLimit> = Vec::new();
    for plan in &run.header.expectations {
        // What this program does not read, a newer one wrote.
        let Ok(that) = plan.text.parse::<Expectation>() else { continue };
        let (
            Op::AtMost | Op::Below,
            Side::Measure { factor, query },
            Side::Quantity { value, unit: Unit::Time },
        ) = (that.op, &that.left, &that.right)
        else {
            continue;
        };
        let percentile = query.measure.name;
        if !DRAWN.contains(&percentile) || !query.fits(&arm.name, &arm.topology, &arm.variant) {
            continue;
        }
        // To the microsecond: 800 us are not 0.799.. ms.
        let limit = LatencyLimit { percentile, ms: (value / factor * 1e6).round() / 1e3 };
        if !limits.contains(&limit) {
            limits.push(limit);
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    use record::{Arm, ExpectationPlan, Header};

    use super::*;

    /// Percentiles and milliseconds of the limits that these expectations set for the arm `naive/micro`.
    fn limits(texts: &[&str]) -> Vec<(&'static str, f64)> {
        let arm: Arm = serde_json::from_value(serde_json::json!({
            "letter": "A", "name": "naive/micro", "topology": "micro", "variant": "naive", "instances": [],
            "local_edges": [], "remote_edges": [], "databases": 1, "config_keys": 1, "ready_ms": 1
        }))
        .expect("an arm");
        let expectation = |(id, text): (usize, &&str)| ExpectationPlan {
            id: u32::try_from(id).expect("few"),
            list: "check".into(),
            text: (*text).to_owned(),
            why: String::new(),
            line: 1,
        };
        let expectations = texts.iter().enumerate().map(expectation).collect();
        let run = Run::new(Header { arms: vec![arm], expectations, ..Header::default() });
        assert!(latency_limits(&run, 'B').is_empty(), "there is no such arm");
        latency_limits(&run, 'A').into_iter().map(|limit| (limit.percentile, limit.ms)).collect()
    }

    #[test]
    fn a_figure_with_a_time_is_a_limit() {
        assert_eq!(
            limits(&["p99(all) <= 150ms", "p50(all) in steady < 1.5s", "p999(home-feed) < 800us"]),
            [("p99", 150.0), ("p50", 1_500.0), ("p999", 0.8)]
        );
        assert_eq!(limits(&["2 * p50(all) <= 3s"]), [("p50", 1_500.0)]);
        assert_eq!(limits(&["p99(all) < 1s", "p99(all) in steady <= 1s"]), [("p99", 1_000.0)], "drawn once");
    }

    #[test]
    fn comparisons_floors_and_other_measures_are_no_limits() {
        for text in [
            "p99(all) for micro <= 2 * p99(all) for mono",
            "p99(all) >= 150ms",
            "staleness_p99() < 1s",
            "errors(all) < 1%",
            "p90(all) < 1s",
            "no expectation",
        ] {
            assert_eq!(limits(&[text]), [], "{text}");
        }
    }

    #[test]
    fn a_limit_is_of_the_arms_that_every_name_fits() {
        let bound = |names: &str| !limits(&[&format!("p99(all) < 1s for {names}")]).is_empty();
        for (names, is_bound) in [
            ("micro", true),
            ("naive", true),
            ("naive, micro", true),
            ("mono", false),
            ("budget, micro", false),
        ] {
            assert_eq!(bound(names), is_bound, "{names}");
        }
    }
}
