//! The machine of a run: what it is, and what it did in each second.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::MachineSpeed;

/// The machine the run was made on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// Model name of the first CPU.
    pub cpu: String,
    /// Logical CPUs this process may use.
    pub cores: u32,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Kernel release.
    pub kernel: String,
    /// How the first CPU's clock is governed; `None` where the kernel does not report it, as in most virtual machines.
    #[serde(default)]
    pub governor: Option<String>,
    /// Load average over a minute when the run started.
    pub load_average: f64,
    /// CPU time the hypervisor took since the machine started, percent of all.
    #[serde(default)]
    pub steal: f64,
    /// `release`, `lab`, `debug`.
    pub profile: String,
    /// How fast it was before the load, or before the simulation; absent where that was not measured, and in records that do
    /// not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<MachineSpeed>,
}

/// One second of the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Share of the second all processes together waited for a CPU (PSI `some`), percent.
    pub cpu_stall: f64,
    /// Memory available, MiB.
    pub memory_available_mib: u64,
    /// CPU stolen by the hypervisor, percent.
    pub steal: f64,
    /// CPU used by processes outside the run, percent of one core.
    pub other_cpu: f64,
    /// PSS of everything this run started, and the lab itself, KiB.
    pub pss_kib: u64,
    /// Updates views did not get.
    pub dropped_updates: u64,
}
