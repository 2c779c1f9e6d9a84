//! CPU that is burned in one of two arms on purpose: a share of what the arm's journeys are measured to cost.

use std::collections::BTreeMap;
use std::path::Path;

use policy::ServiceOptions;
use policy::service::{Distribution, SimulatedWork};
use policy::units::HumanDuration;
use record::{Entry, Kind, ReadError, Reader};
use scenario::{Arm, Scenario};

use super::tally::PLANTED_ROW;

/// Seconds of the run that measures the arm, at most: 8 s are the shortest window with an interval, and then some.
const MEASURED_SECONDS: u64 = 12;

/// What the journeys of an arm cost, and who takes part in them.
#[derive(Clone, Debug, PartialEq)]
pub struct JourneyCost {
    /// CPU of all processes per journey, ms.
    pub cpu_ms: f64,
    /// Calls of each component per journey.
    pub calls: BTreeMap<String, f64>,
}

/// The scenario with one arm, and of its phases those until the first that is measured.
pub fn measuring(scenario: &Scenario, arm: &Arm) -> Scenario {
    let mut short = scenario.clone();
    let first = short.phases.iter().position(|phase| phase.measure).unwrap_or(0);
    short.phases.truncate(first + 1);
    if let Some(phase) = short.phases.last_mut() {
        phase.length = phase.length.min(HumanDuration::from_millis(MEASURED_SECONDS * 1_000));
    }
    short.arms = vec![Arm { is_opt_in: false, ..arm.clone() }];
    short
}

/// The cost in the record of such a run; `None` where it holds no CPU or no journeys.
///
/// # Errors
/// When the record cannot be read.
pub fn read_cost(record: &Path) -> Result<Option<JourneyCost>, ReadError> {
    let mut cpu_ms = None;
    let mut journeys = 0;
    let mut served: BTreeMap<(String, String), u64> = BTreeMap::new();
    for line in Reader::open(record)?.only(&[Kind::Score, Kind::Window, Kind::Proc]) {
        match line?.entry {
            Entry::Score(score) if score.id == PLANTED_ROW => {
                let seconds = score.arms.get(&'A').and_then(|measured| measured.value);
                cpu_ms = seconds.map(|seconds| seconds * 1e3);
            }
            Entry::Window(window) if window.closed => journeys += window.sent,
            Entry::Proc(process) if process.arm == 'A' => {
                // Counters only grow: the last line has them all.
                for (component, [finished, _]) in &process.work {
                    served.insert((process.instance.clone(), component.clone()), *finished);
                }
            }
            _ => {}
        }
    }
    let Some(cpu_ms) = cpu_ms.filter(|_| journeys > 0) else { return Ok(None) };
    let mut calls = BTreeMap::new();
    for ((_, component), finished) in served {
        *calls.entry(component).or_default() += finished as f64 / journeys as f64;
    }
    Ok(Some(JourneyCost { cpu_ms, calls }))
}

/// Gives the arm `share` more CPU per journey, in the component that most journeys call and that has no declared work.
///
/// # Errors
/// A message when there is no such component.
pub fn plant(arm: &mut Arm, share: f64, cost: &JourneyCost) -> Result<(), String> {
    let has_work =
        |component: &str| arm.services.get(component).is_some_and(|service| service.work.is_some());
    let free = cost.calls.iter().filter(|(component, _)| *component != "gateway" && !has_work(component));
    let Some((component, calls)) = free.filter(|(_, calls)| **calls > 0.0).max_by(|a, b| a.1.total_cmp(b.1))
    else {
        return Err(format!("nothing can be planted in `{}`: every component has declared work", arm.name));
    };
    let mean_ms = cost.cpu_ms * share / calls;
    let mean = std::time::Duration::from_secs_f64(mean_ms / 1e3).into();
    let work = SimulatedWork { dist: Distribution::Constant, mean, cpu: true, offload: false, share: None };
    let service = arm.services.remove(component).unwrap_or_default();
    arm.services.insert(component.clone(), ServiceOptions { work: Some(work), ..service });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost() -> JourneyCost {
        let calls = [("gateway", 1.0), ("feed", 0.8), ("photo", 0.2)];
        JourneyCost { cpu_ms: 4.0, calls: calls.map(|(name, calls)| (name.to_owned(), calls)).into() }
    }

    fn arm() -> Arm {
        let scenario = crate::scenario_files::find("hop-tax").expect("shipped");
        scenario.arms[0].clone()
    }

    #[test]
    fn a_tenth_of_the_measured_cpu_is_burned_per_journey() {
        let mut arm = arm();
        plant(&mut arm, 0.10, &cost()).expect("feed is free");
        let work = arm.services["feed"].work.expect("planted");
        // A tenth of 4 ms in 0.8 calls per journey: 0.5 ms each.
        assert_eq!((work.mean, work.cpu), (HumanDuration::from(std::time::Duration::from_micros(500)), true));
        assert!(!arm.services.contains_key("gateway"));
    }

    #[test]
    fn declared_work_stays_as_it_is() {
        let mut arm = arm();
        plant(&mut arm, 0.10, &cost()).expect("feed is free");
        let feed = arm.services["feed"].clone();
        plant(&mut arm, 0.20, &cost()).expect("photo is free");
        assert_eq!(arm.services["feed"], feed);
        let text = plant(&mut arm, 0.20, &cost()).expect_err("nothing is free");
        assert!(text.contains("every component has declared work"), "{text}");
    }

    #[test]
    fn the_arm_is_measured_alone_in_its_first_measured_phase() {
        let scenario = crate::scenario_files::find("first-look").expect("shipped");
        let short = measuring(&scenario, &scenario.arms[0]);
        let names: Vec<&str> = short.phases.iter().map(|phase| phase.name.as_str()).collect();
        assert_eq!((names, short.arms.len()), (vec!["warm", "steady"], 1));
    }
}
