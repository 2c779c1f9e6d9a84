//! `outage`: a part of the platform stands still.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::{ProcessFault, TargetKind, ActiveFaults, Target};

/// Of the delivery of events nothing is lost: it is delivered when the outage ends. The registry and
/// the gateway are stopped where they stand: connections are accepted, and nothing is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outage {}

impl FaultKind for Outage {
    const ACTUATOR: Actuator = Actuator::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Broker, TargetKind::Registry, TargetKind::Node];

    fn actuator_on(target: TargetKind) -> Actuator {
        if target == TargetKind::Broker { Self::ACTUATOR } else { Actuator::Conductor }
    }

    fn activate(&self, _: Target, _: f64, active: &mut ActiveFaults) {
        active.delivery_stopped = true;
    }

    fn process_fault(&self) -> Option<ProcessFault> {
        Some(ProcessFault::Pause)
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stands still")
    }
}
