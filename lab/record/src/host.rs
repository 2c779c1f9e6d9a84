//! The machine, second by second.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One second of the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Share of the second in which a task waited for a CPU (PSI `some`), percent; `None` where the kernel does not report
    /// pressure.
    #[serde(default)]
    pub cpu_stall: Option<f64>,
    /// Share of the second in which a task waited for a disk (PSI `some` of IO), percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_stall: Option<f64>,
    /// Memory available, MiB.
    pub memory_available_mib: u64,
    /// CPU stolen by the hypervisor, percent of one core.
    pub steal: f64,
    /// CPU used by processes outside the run, percent of one core.
    pub other_cpu: f64,
    /// PSS of everything this run started, and the lab itself, KiB.
    pub pss_kib: u64,
    /// Updates views did not get.
    pub dropped_updates: u64,
}
