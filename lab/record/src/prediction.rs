//! What stands behind simulated figures: from what they were calibrated, how far that carries, and how far they may be off.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Interval, MachineSpeed, SweepResult};

/// Where the figures of a record come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// They were measured.
    #[default]
    Live,
    /// They were computed by the simulator: nothing ran.
    Simulated,
}

impl Provenance {
    /// Whether they were measured.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live)
    }
}

/// How far a calibration carries to what is predicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Validity {
    /// Within the loads and groupings that were calibrated.
    Interpolated,
    /// Other loads, groupings, hosts or faults than were calibrated, of the same parts.
    Extrapolated,
    /// Something in it was never measured: another machine or build, a network, another size of the data.
    #[default]
    Assumed,
}

impl Validity {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Interpolated => "interpolated",
            Self::Extrapolated => "extrapolated",
            Self::Assumed => "assumed",
        }
    }
}

/// A calibration, as far as its reader must know it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalibrationIdentity {
    /// Digest of its document, in hex.
    pub digest: String,
    /// When its newest run began, microseconds since the Unix epoch.
    pub wall_us: i64,
    /// Runs it was made from: scenario and id of each.
    pub sources: Vec<String>,
    /// Version of Cleave, with the commit it was built from.
    pub version: String,
    /// Kernel release.
    pub kernel: String,
    /// Model name of the CPU.
    pub cpu: String,
    /// Cores.
    pub cores: u32,
    /// Build profile.
    pub profile: String,
    /// How far its own run, simulated, is off the measured one: the mean of the errors of p50, as a share.
    pub error_p50: Option<f64>,
    /// The same of p99.
    pub error_p99: Option<f64>,
    /// The same of CPU per journey, of arms that were held out: all CPU is scaled to what the others spent. `None` without any.
    pub error_cpu: Option<f64>,
    /// How fast the machine was during its runs; absent where they do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<MachineSpeed>,
}

/// A figure, and how far it moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sensitivity {
    /// Arm letter.
    pub arm: char,
    /// The row of the scorecard that it is, `latency_p50`, `latency_p99` or `cpu_per_journey`, over all measured phases and
    /// rounds. Where a latency is of a journey that failed, it is as long as clients wait.
    pub measure: String,
    /// Its unit.
    pub unit: String,
    /// The figure.
    pub value: f64,
    /// The least of it when each parameter in turn is 20 % lower or higher; one at a time, so this is no joint interval.
    pub low: f64,
    /// The most of it.
    pub high: f64,
    /// The parameter that moves it most; empty where none does.
    pub parameter: String,
    /// 95 % interval of its mean over replications, of two rounds each at most, by Student's t; absent with fewer than two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

impl Sensitivity {
    /// How far it moves, as a share of the figure.
    pub fn relative(&self) -> f64 {
        if self.value > 0.0 { (self.high - self.value).max(self.value - self.low) / self.value } else { 0.0 }
    }
}

/// What stands behind the figures of a simulated record; in a live one, what was predicted of it before its first arrival.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Prediction {
    /// In a live record the simulated run that it is from; empty in that run's own record.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run_id: String,
    /// In a live record the SHA-256 of that run's lines, in hex; empty in that run's own record.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// What it was calibrated from.
    pub calibration: CalibrationIdentity,
    /// `one`, `per-component`, or how many.
    pub hosts: String,
    /// Cores of each host.
    pub cores: u32,
    /// Replications with other seeds; the record is the first, which has the seed of the scenario.
    pub replications: u32,
    /// How far the calibration carries.
    pub validity: Validity,
    /// What keeps it from a better label.
    pub because: Vec<String>,
    /// What the scenario has and the simulator does not.
    pub not_simulated: Vec<String>,
    /// How far the figures move.
    pub band: Vec<Sensitivity>,
    /// Copies of processes in an arm of the smaller system that the band is from; absent where it is from one as large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band_copies: Option<u32>,
    /// Journeys a second at which every core is busy, by arm: the utilisation law, with the CPU that a journey takes here, its
    /// requests in the load generator included. An arm may go beyond it: busy processes are not woken. Absent where processes
    /// have hosts of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub saturation: BTreeMap<char, f64>,
    /// Where and when more requests were in flight than can be simulated; figures from then on mean nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverged: Option<String>,
    /// What came of the keys that the scenario lets vary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepResult>,
}

impl Prediction {
    /// How far a figure moves at most, over all arms, as a share; `None` where it has no band.
    pub fn widest(&self, measure: &str) -> Option<f64> {
        self.band.iter().filter(|row| row.measure == measure).map(Sensitivity::relative).reduce(f64::max)
    }
}
