//! What is simulated besides the arms, and the plan that is being made of it.

use std::collections::BTreeSet;

use contract::ComponentName;
use record::CLIENT;
use scenario::Scenario;
use traffic::Journey;

use super::layout::{Hosts, Layout};
use crate::calibrate::{Calibration, Operation, calls_of};
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
pub struct BuiltPlan {
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

/// Whether a call is one of the gateway that stays in its process: what the server of the callee takes for it elsewhere, the
/// gateway takes.
pub(super) fn is_local_door(layout: &Layout, caller: &str, called: &str) -> bool {
    let callee = called.split('/').next().unwrap_or_default();
    caller == ComponentName::GATEWAY.as_str() && layout.is_local(caller, callee)
}

/// How many such calls an operation of a component makes.
pub(super) fn local_calls(layout: &Layout, component: &str, operation: &Operation) -> f64 {
    let calls = calls_of(operation).filter(|(called, _)| is_local_door(layout, component, called));
    calls.map(|(_, share)| share).sum()
}
