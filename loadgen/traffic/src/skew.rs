//! Compares a schedule with the load that declares it: counts reveal a wrong generator (trap T8).

use std::collections::BTreeMap;

use record::PhasePlan;

use crate::journey::Journey;
use crate::load::{Arrivals, Load, Mix, Model};
use crate::schedule::Schedule;

/// A count this many standard deviations from its expectation is not chance: one in two million.
const SIGMAS: f64 = 5.0;
/// Step of the integral over the rate, ns: rates change over seconds.
const STEP_NS: u64 = 10_000_000;

/// Differences between the schedule and the declared load, as sentences; empty if there are none.
/// A trace defines its own arrivals; only an explicit mix is compared with it.
pub fn find_skew(schedule: Schedule, phases: &[PhasePlan], load: &Load) -> Vec<String> {
    let expected = expected(&schedule, phases);
    let mut counts: BTreeMap<Journey, u64> = BTreeMap::new();
    for arrival in schedule {
        *counts.entry(arrival.journey).or_default() += 1;
    }
    let all: u64 = counts.values().sum();
    let mut skewed = Vec::new();
    if load.rows.is_empty() && load.model == Model::Open {
        let chance = match load.arrivals {
            Arrivals::Poisson => SIGMAS * expected.sqrt(),
            Arrivals::Constant => phases.len() as f64,
        };
        if (all as f64 - expected).abs() > chance + 1.0 {
            skewed.push(format!("the schedule has {all} arrivals, but the rates declare {expected:.0}"));
        }
    }
    if !load.rows.is_empty() && load.mix == Mix::default() {
        return skewed;
    }
    let declared: BTreeMap<Journey, f64> = load.mix.weights().into_iter().collect();
    let total: f64 = declared.values().sum();
    let journeys = Journey::ALL.into_iter().filter(|j| declared.contains_key(j) || counts.contains_key(j));
    for journey in journeys {
        let share = declared.get(&journey).map_or(0.0, |weight| weight / total);
        let (count, mean) = (*counts.get(&journey).unwrap_or(&0) as f64, share * all as f64);
        if (count - mean).abs() > SIGMAS * (mean * (1.0 - share)).sqrt() + 1.0 {
            skewed.push(format!(
                "`{}` is {:.1} % of {all} arrivals, but the mix declares {:.1} %",
                journey.name(),
                count / all.max(1) as f64 * 100.0,
                share * 100.0
            ));
        }
    }
    skewed
}

/// Arrivals that the rates declare: the integral of the rate, by the midpoint rule.
fn expected(schedule: &Schedule, phases: &[PhasePlan]) -> f64 {
    let end_ns = phases.last().map_or(0, |phase| phase.start_ns + phase.length_ns);
    let steps = (0..end_ns).step_by(STEP_NS as usize);
    steps.filter_map(|at_ns| schedule.rate(at_ns + STEP_NS / 2)).sum::<f64>() * STEP_NS as f64 / 1e9
}
