//! How far predicted figures move: with each parameter, and from replication to replication.

use std::collections::BTreeMap;

use record::{Interval, Sensitivity};

use super::block::Figures;
use crate::run;

/// By how much a parameter is changed, each way.
pub(super) const CHANGE: f64 = 0.2;

/// Figures of arms, by letter.
pub(super) type ByArm = BTreeMap<char, Figures>;

/// The band of every figure of the run. `changed` has the parameter of each simulation, and what came of it: these and the
/// replications are of a few rounds, as `few` is of the run itself. By what share a parameter moves a figure of those, it
/// moves that of the run.
pub(super) fn band(
    whole: &ByArm,
    few: &ByArm,
    changed: &[(&str, ByArm)],
    replications: &[ByArm],
) -> Vec<Sensitivity> {
    let mut rows = Vec::new();
    for (arm, figures) in whole {
        for (at, (measure, value)) in figures.named().into_iter().enumerate() {
            let simulated = |arms: &ByArm| arms.get(arm).map(|figures| figures.named()[at].1);
            let base = simulated(few).filter(|base| *base > 0.0);
            let of = |arms: &ByArm| Some(value * simulated(arms)? / base?);
            let (mut low, mut high, mut parameter, mut widest) = (value, value, String::new(), 0.0);
            for (name, arms) in changed {
                let Some(seen) = of(arms) else { continue };
                (low, high) = (low.min(seen), high.max(seen));
                if (seen - value).abs() > widest {
                    (parameter, widest) = ((*name).to_owned(), (seen - value).abs());
                }
            }
            let replicated: Vec<f64> = replications.iter().filter_map(simulated).collect();
            let interval = run::Interval::of(&replicated).map(|interval| {
                Interval::new(interval.mean - interval.half_width, interval.mean + interval.half_width)
            });
            rows.push(Sensitivity {
                arm: *arm,
                measure: measure.to_owned(),
                unit: "s".to_owned(),
                value,
                low,
                high,
                parameter,
                interval,
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_reaches_as_far_as_any_parameter_moves_it_and_names_the_widest() {
        let arms = |p99: f64| ByArm::from([('A', Figures { p50: 1.0, p99, cpu: 1.0 })]);
        let rows = band(
            &arms(10.0),
            &arms(10.0),
            &[("wake_ns", arms(8.0)), ("wake_ns", arms(11.0)), ("contention", arms(10.5))],
            &[arms(10.0), arms(12.0)],
        );
        let p99 = rows.iter().find(|row| row.measure == "latency_p99").expect("there");
        assert_eq!((p99.low, p99.high, p99.parameter.as_str()), (8.0, 11.0, "wake_ns"));
        assert!((p99.relative() - 0.2).abs() < 1e-9);
        let interval = p99.interval.expect("two replications");
        assert!(interval.low < 11.0 && interval.high.is_some_and(|high| high > 11.0));
        let p50 = rows.iter().find(|row| row.measure == "latency_p50").expect("there");
        assert_eq!((p50.low, p50.high, p50.parameter.as_str()), (1.0, 1.0, ""));
    }

    #[test]
    fn a_figure_of_all_rounds_moves_by_the_share_by_which_that_of_a_few_does() {
        let arms = |p99: f64| ByArm::from([('A', Figures { p50: 1.0, p99, cpu: 1.0 })]);
        let rows = band(&arms(20.0), &arms(10.0), &[("wake_ns", arms(8.0)), ("wake_ns", arms(11.0))], &[]);
        let p99 = rows.iter().find(|row| row.measure == "latency_p99").expect("there");
        assert_eq!((p99.value, p99.low, p99.high), (20.0, 16.0, 22.0));
    }
}
