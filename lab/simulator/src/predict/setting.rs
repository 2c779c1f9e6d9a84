//! What is simulated besides the arms, and the plan that is being made of it.

use std::collections::BTreeSet;

use record::CLIENT;
use scenario::Scenario;
use traffic::Journey;

use super::layout::Hosts;
use crate::calibrate::{Calibration, calls_of};
use crate::model::Plan;

/// What is simulated, besides the arms.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The machines.
    pub hosts: Hosts,
    /// Cores of each.
    pub cores: u32,
    /// Seed of the run, which picks the targets of steps.
    pub seed: u64,
}

/// A plan, and what it leaves out of the scenario.
#[derive(Debug, Default)]
pub struct Built {
    /// The plan.
    pub plan: Plan,
    /// What is not simulated, one phrase each.
    pub not_simulated: BTreeSet<String>,
    /// Journeys that are asked for.
    pub journeys: Vec<Journey>,
    /// Names of the plan's hosts.
    pub(super) hosts: BTreeSet<String>,
    /// Which of the plan's processes are the copies of the arm that is being added, in their order.
    pub(super) own_processes: Vec<usize>,
}

/// Every edge of the calibrated operations: caller and callee.
pub(super) fn edges(calibration: &Calibration) -> BTreeSet<(&str, &str)> {
    let operations = calibration.operations.iter().filter(|(name, _)| !name.starts_with(CLIENT));
    operations
        .flat_map(|(name, operation)| {
            let component =
                |name: &'_ str| name.split_once('/').map_or(name.len(), |(component, _)| component.len());
            let caller = &name[..component(name)];
            calls_of(operation).map(move |(called, _)| (caller, &called[..component(called)]))
        })
        .collect()
}
