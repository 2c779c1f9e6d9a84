//! `calibration.json`: what was learnt from runs, and the machine it was learnt on.

use std::collections::BTreeMap;

use contract::ComponentName;
use contract::hash::fnv1a64;
use record::{CalibrationIdentity, Machine, MachineSpeed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use traffic::Load;
use traffic::follow_graph::Graph;
use traffic::load::{Feed, Popularity};

use super::level::{FitError, Level};
use super::memory::MemoryUse;
use crate::dist::{Distribution, Histogram};

/// Version of the document, as it is written.
pub const VERSION: u32 = 4;
/// The oldest version that is read: it lacks the speed of the machine. A reader refuses those before it and later ones.
pub const OLDEST_VERSION: u32 = 3;

/// Why a text is no calibration.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not the JSON of one.
    #[error("invalid calibration: {0}; write one with: cleave calibrate hop-tax")]
    Json(#[from] serde_json::Error),
    /// Another version wrote it.
    #[error(
        "the calibration has version {0}: expected {OLDEST_VERSION} to {VERSION}; write one with: cleave calibrate hop-tax"
    )]
    Version(u32),
    /// It was edited or cut: it has what no calibration can have.
    #[error("the calibration cannot be used: {0}; write one with: cleave calibrate hop-tax")]
    Values(String),
}

/// What was learnt from runs. Times are nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Version of the document: refuse any other.
    #[schemars(range(min = OLDEST_VERSION, max = VERSION))]
    pub schema_version: u32,
    /// When the newest of its runs began, microseconds since the Unix epoch.
    pub wall_us: i64,
    /// Version of Cleave that made the runs, with its commit.
    pub version: String,
    /// The machine of the runs; its load average and speed are those of the newest one's start, noise to be compared with.
    pub machine: Machine,
    /// How fast the machine was during the runs, before and after the load of each; absent where they do not have it, and in
    /// version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<MachineSpeed>,
    /// The runs.
    pub sources: Vec<SourceRun>,
    /// Size of the data set: `tiny`, `small`, ...
    pub size: String,
    /// What else of the load decides how much an operation reads and writes.
    pub shape: DataShape,
    /// What nodes recorded of themselves, as the record has it.
    pub telemetry: String,
    /// What each operation does, by component and name: `feed/GET /v1/feed`. Those of `client` are the journeys.
    pub operations: BTreeMap<String, Operation>,
    /// CPU of components, ns a second of the runs, that is neither of their operations nor of their messages; below 0 where
    /// these come to more than was spent. Predictions have it only as far as all CPU is scaled to what the runs spent.
    pub unexplained_ns_per_s: BTreeMap<String, f64>,
    /// CPU of messages, by carrier: `http+json`.
    pub hops: BTreeMap<String, Hop>,
    /// CPU of a call of the gateway that stays in its process, ns: with it a simulation of the arms in which the gateway shares one
    /// spends on messages what they did. 0 where in no run the gateway shared a process.
    #[serde(default)]
    pub local_ns: f64,
    /// CPU of a request in the load generator: sending it and reading its answer.
    pub generator_ns: f64,
    /// CPU that a process takes at rest, ns a second: it is asked for its figures once a second.
    pub idle_ns_per_s: f64,
    /// CPU that a process under load takes beside that, ns a second, whatever is asked of it.
    pub background_ns_per_s: f64,
    /// Whether a run was looked at while at rest. Else what processes take at rest counts as what journeys take.
    pub is_rest_known: bool,
    /// CPU that the lab takes beside the arms, ns a second: it looks at all processes once a second.
    pub lab_ns_per_s: f64,
    /// What else the machine did during the runs.
    pub noise: Noise,
    /// From the start of a process until it serves, ns.
    pub start_ns: u64,
    /// What processes hold; absent where no arm of the runs had the same components in another number of processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryUse>,
    /// How long a commit takes to become durable.
    pub sync: Times,
    /// The physical parameters.
    pub parameters: Parameters,
    /// How far a simulation of the runs themselves is off.
    pub fit: Vec<FitError>,
    /// The measured phases of the runs, each of every arm that can be simulated: what was spent at its rate.
    pub levels: Vec<Level>,
}

/// Shape of a data set, and of how users meet it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataShape {
    /// Who follows whom.
    pub graph: Graph,
    /// Home feeds.
    pub feed: Feed,
    /// Which users and photos are met.
    pub popularity: Popularity,
}

impl DataShape {
    /// That of a load.
    pub const fn of(load: &Load) -> Self {
        Self { graph: load.graph, feed: load.feed, popularity: load.popularity }
    }
}

/// What a machine did besides the runs, on average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// CPU of other programs, percent of one core.
    pub other_cpu: f64,
    /// CPU stolen by the hypervisor, percent of one core.
    pub steal: f64,
}

impl Noise {
    /// Other programs may take so much of a core, percent: beyond it, tails are theirs.
    pub const MAX_PERCENT: f64 = 10.0;

    /// Whether the machine had hardly anything else to do.
    pub fn is_quiet(&self) -> bool {
        self.other_cpu + self.steal <= Self::MAX_PERCENT
    }
}

/// A run that was learnt from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceRun {
    /// Its id.
    pub run_id: String,
    /// Its scenario.
    pub scenario: String,
    /// Arms that were learnt from: those that have every component in a process of its own.
    pub arms: Vec<String>,
    /// Groupings of all its arms: components of a process joined by `+`, processes by a space.
    pub groupings: Vec<String>,
    /// Whether its arms took turns; side by side they share the machine.
    pub interleaved: bool,
    /// Lowest and highest arrivals a second of its measured phases.
    pub rates: (f64, f64),
    /// Its journeys, each with its share of them, 0 to 1.
    pub mix: BTreeMap<String, f64>,
    /// Requests whose traces were read.
    pub traces: u64,
}

/// What an operation does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Whether it may be done twice: it writes nothing.
    pub is_idempotent: bool,
    /// CPU of its own code on the thread that serves it; of a journey, the time of the client between its requests.
    pub own: Times,
    /// CPU of its own code on threads for blocking and for background work: passwords are hashed there, and pictures decoded.
    pub blocking: Times,
    /// Share of that before the first stage.
    pub before: f64,
    /// What it waits for, one stage after another.
    pub stages: Vec<Stage>,
    /// How often it causes another operation without waiting for it: the handlers of its events.
    pub events: BTreeMap<String, f64>,
}

impl Operation {
    /// Time of its statements, on average, ns: once they are scaled to it, CPU.
    pub fn statements_ns(&self) -> f64 {
        let activities = self.stages.iter().flat_map(|stage| stage.lanes.iter().flatten());
        activities
            .map(|activity| match &activity.what {
                ActivityKind::Call(_) => 0.0,
                ActivityKind::Read(times) | ActivityKind::Write(times) => activity.share * times.mean_ns,
            })
            .sum()
    }
}

/// What goes on at the same time: lanes of activities one after another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The lanes.
    pub lanes: Vec<Vec<Activity>>,
}

/// Something that an operation waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    /// How often it was there, 0 to 1.
    pub share: f64,
    /// What it is.
    pub what: ActivityKind,
}

/// Kinds of activities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// A call of an operation, by its name in `operations`.
    Call(String),
    /// A statement outside of a transaction: CPU on the thread that serves the call.
    Read(Times),
    /// A transaction: CPU while the writer is held. Its commit is `sync`.
    Write(Times),
}

/// Measured times: their mean, and bins of as many each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// How many were measured.
    pub n: u64,
    /// Their mean, ns.
    pub mean_ns: f64,
    /// Start and end of each bin, ns, and the weight of the times in it.
    pub bins: Vec<(u64, u64, u64)>,
}

impl Times {
    /// Always the same, `n` times measured.
    pub fn constant(n: u64, ns: f64) -> Self {
        let whole = ns.max(0.0).round() as u64;
        Self { n, mean_ns: ns.max(0.0), bins: vec![(whole, whole, n.max(1))] }
    }

    /// The same shape, with another mean; without a shape it is constant.
    #[must_use]
    pub fn with_mean(&self, ns: f64) -> Self {
        if self.mean_ns > 0.0 { self.scaled(ns / self.mean_ns) } else { Self::constant(self.n, ns) }
    }

    /// The times, `factor` times as long.
    pub fn distribution(&self, factor: f64) -> Distribution {
        let scaled = |ns: u64| (ns as f64 * factor).round() as u64;
        let bins: Vec<_> = self.bins.iter().map(|(from, to, n)| (scaled(*from), scaled(*to), *n)).collect();
        Histogram::new(&bins).map_or(Distribution::ZERO, Distribution::Measured)
    }

    /// The same times, `factor` times as long.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let scaled = |ns: u64| (ns as f64 * factor).round() as u64;
        Self {
            n: self.n,
            mean_ns: self.mean_ns * factor,
            bins: self.bins.iter().map(|(from, to, n)| (scaled(*from), scaled(*to), *n)).collect(),
        }
    }
}

/// CPU of messages, ns, without what waking an idle process takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hop {
    /// In the callee, of receiving a call and answering it.
    pub served_ns: f64,
    /// In the caller, of sending a call and receiving its answer.
    pub called_ns: f64,
}

/// A physical parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its value, in the unit of its key.
    pub value: f64,
    /// Where it comes from.
    pub origin: Origin,
    /// The least of the values tried around it that fits nearly as well: down to two thirds of a time, 0.05 of a contention. Of a
    /// parameter that is not fitted, itself.
    pub low: f64,
    /// The greatest of them.
    pub high: f64,
}

/// Where a parameter comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// From the runs, and scaled with all CPU so that a simulation of them spends what they spent.
    Measured,
    /// The value that comes closest to the runs, in a simulation of them or at their levels.
    Fitted,
    /// The runs do not determine it.
    #[default]
    Held,
}

impl Parameter {
    /// One that is not fitted.
    pub const fn fixed(value: f64, origin: Origin) -> Self {
        Self { value, origin, low: value, high: value }
    }
}

/// The physical parameters: all there are. The quantum and the hold of the writer are held, the other six are free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// How long a thread keeps its core while others wait for one, ns.
    pub quantum_ns: Parameter,
    /// CPU of a message that finds its process idle, ns.
    pub wake_cpu_ns: Parameter,
    /// By how much each other thread that runs slows one down that starts.
    pub contention: Parameter,
    /// How long an idle process takes to begin, ns.
    pub wake_ns: Parameter,
    /// How many times as long the writer is held as its statements took.
    pub lock_hold: Parameter,
    /// CPU of watching a call that is sent, or one that is received, ns.
    pub span_ns: Parameter,
    /// By what share more CPU a call takes that comes to a cold process: operations and messages, but not what blocks.
    pub cold_cpu: Parameter,
    /// How long after its last call a process is cold, ns.
    pub cooling_ns: Parameter,
}

impl Parameters {
    /// Names of all of them.
    pub const NAMES: [&str; 8] = [
        "quantum_ns",
        "wake_cpu_ns",
        "contention",
        "wake_ns",
        "lock_hold",
        "span_ns",
        "cold_cpu",
        "cooling_ns",
    ];

    /// The parameter of a name of [`Parameters::NAMES`].
    ///
    /// # Panics
    /// For any other name.
    pub fn of(&mut self, name: &str) -> &mut Parameter {
        match name {
            "quantum_ns" => &mut self.quantum_ns,
            "wake_cpu_ns" => &mut self.wake_cpu_ns,
            "contention" => &mut self.contention,
            "wake_ns" => &mut self.wake_ns,
            "lock_hold" => &mut self.lock_hold,
            "span_ns" => &mut self.span_ns,
            "cold_cpu" => &mut self.cold_cpu,
            "cooling_ns" => &mut self.cooling_ns,
            other => panic!("no parameter is called `{other}`"),
        }
    }
}

/// By how many times CPU of each kind is multiplied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostFactors {
    /// Operations, on the threads that serve calls.
    pub operations: f64,
    /// Operations, on threads for blocking work.
    pub blocking: f64,
    /// Messages, waking and watching, and all that the gateway does.
    pub messages: f64,
}

impl Calibration {
    /// The document.
    ///
    /// # Panics
    /// Never: its numbers are finite and its keys text.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data") + "\n"
    }

    /// The same machine, on which everything takes `factor` times as much CPU but processes at rest, whose is measured by itself.
    #[must_use]
    pub fn with_cpu(&self, factor: f64) -> Self {
        self.with_costs(CostFactors { operations: factor, blocking: factor, messages: factor })
    }

    /// The same machine, on which each kind of CPU is another one's multiple.
    #[must_use]
    pub fn with_costs(&self, factors: CostFactors) -> Self {
        let CostFactors { operations, blocking, messages } = factors;
        let mut scaled = self.clone();
        for (name, operation) in &mut scaled.operations {
            // The client's own time is no CPU of an arm.
            if name.starts_with(record::CLIENT) {
                continue;
            }
            // What the gateway does for a request is to pass it on.
            let is_gateway = name.split('/').next() == Some(ComponentName::GATEWAY.as_str());
            let own = if is_gateway { messages } else { operations };
            operation.own = operation.own.scaled(own);
            operation.blocking = operation.blocking.scaled(blocking);
            for activity in operation.stages.iter_mut().flat_map(|stage| stage.lanes.iter_mut().flatten()) {
                if let ActivityKind::Read(times) | ActivityKind::Write(times) = &mut activity.what {
                    *times = times.scaled(own);
                }
            }
        }
        for hop in scaled.hops.values_mut() {
            (hop.served_ns, hop.called_ns) = (hop.served_ns * messages, hop.called_ns * messages);
        }
        scaled.local_ns *= messages;
        let parameters = &mut scaled.parameters;
        for parameter in [&mut parameters.wake_cpu_ns, &mut parameters.span_ns] {
            *parameter = Parameter::fixed(parameter.value * messages, parameter.origin);
        }
        scaled
    }

    /// Mean size of the errors of a figure over the arms that were learnt from; `None` without any.
    pub fn error(&self, measure: &str) -> Option<f64> {
        self.mean_error(measure, true)
    }

    /// The same over the arms that were held out: of CPU, to which all is scaled, no other error shows anything.
    pub fn held_out_error(&self, measure: &str) -> Option<f64> {
        self.mean_error(measure, false)
    }

    fn mean_error(&self, measure: &str, is_fitted: bool) -> Option<f64> {
        let errors: Vec<f64> = self
            .fit
            .iter()
            .filter(|error| error.is_fitted == is_fitted && error.measure == measure)
            .map(|error| error.relative().abs())
            .collect();
        (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64)
    }

    /// What a reader of a prediction must know of it.
    pub fn identity(&self) -> CalibrationIdentity {
        CalibrationIdentity {
            digest: format!("{:016x}", fnv1a64(self.text().as_bytes())),
            wall_us: self.wall_us,
            sources: self.sources.iter().map(|run| format!("{} {}", run.scenario, run.run_id)).collect(),
            version: self.version.clone(),
            kernel: self.machine.kernel.clone(),
            cpu: self.machine.cpu.clone(),
            cores: self.machine.cores,
            profile: self.machine.profile.clone(),
            error_p50: self.error("latency_p50"),
            error_p99: self.error("latency_p99"),
            error_cpu: self.held_out_error("cpu_per_journey"),
            speed: self.speed,
        }
    }
}

/// The JSON Schema of the document; committed as `lab/simulator/schema/calibration.json`.
pub fn schema() -> serde_json::Value {
    record::schema::of_written::<Calibration>("a calibration of Cleave's simulator")
}
