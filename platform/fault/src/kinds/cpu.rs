//! `cpu`: something else burns CPU.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind, out_of_range};
use crate::{TargetKind, ActiveFaults, Target};

/// On a component, threads inside its process: they compete with its work. On `host`, a
/// process of its own: it takes cores from all processes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cpu {
    /// Threads that burn.
    #[serde(default = "one")]
    threads: u32,
}

const fn one() -> u32 {
    1
}

/// Four times the 64 cores of the largest machine in mind: all of them are taken several times over, and each thread is
/// one more for the kernel to switch to.
const MAX_THREADS: u32 = 4 * 64;

impl FaultKind for Cpu {
    const ACTUATOR: Actuator = Actuator::Process;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["threads"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node, TargetKind::Host];
    const HAS_SIZE: bool = true;

    fn activate(&self, _: Target, strength: f64, active: &mut ActiveFaults) {
        active.burners += (f64::from(self.threads) * strength).ceil() as u32;
    }

    fn diagnostics(&self) -> Vec<String> {
        out_of_range("threads", self.threads, 1..=MAX_THREADS)
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "burn {} thread{}", self.threads, if self.threads == 1 { "" } else { "s" })
    }
}
