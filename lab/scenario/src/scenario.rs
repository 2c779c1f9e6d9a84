//! The types of a scenario that has been read and checked.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use contract::{ComponentName, Placement};
use fault::target::EVENTS;
use fault::{Pattern, Target};
use model::shell::command_line;
use policy::units::{ByteSize, HumanDuration, Ratio};
use policy::{NetworkOptions, Policy, ServiceOptions};
use schemars::JsonSchema;
use scorecard::Expectation;
use serde::Deserialize;
use traffic::load::Load;

use crate::action::{Action, Build};
use crate::change::Change;
use crate::prices::Prices;
use crate::scale::SystemScale;
use crate::source::{Source, catalogue_folder};
use crate::sweep::Sweep;

/// Longest run, whatever a scenario says: beyond it the conductor stops. Room for a soak of an hour with what comes before and
/// after.
pub const LONGEST_RUN: Duration = Duration::from_secs(2 * 60 * 60);

/// A scenario without mistakes.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its file.
    pub source: Source,
    /// Its name, which is also the file's.
    pub name: String,
    /// One-line summary.
    pub title: String,
    /// The claim it tests.
    pub why: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Search terms.
    pub tags: Vec<String>,
    /// Level of telemetry.
    pub telemetry: TelemetryLevel,
    /// Whether arms run side by side or in turns.
    pub way: RunMode,
    /// Rounds, if arms run in turns.
    pub repeats: u32,
    /// What happens to an arm's data between rounds.
    pub data: DataRetention,
    /// Resources of each arm.
    pub budget: Budget,
    /// Phases of the run, in order.
    pub phases: Vec<Phase>,
    /// The load, the same for every arm.
    pub load: Load,
    /// The edit that is built before the load, and deployed by steps with the build `changed`.
    pub change: Option<Change>,
    /// Arms: every variant on every topology, in file order; the first is arm A.
    pub arms: Vec<Arm>,
    /// The size at which it is simulated; one that has it is not run live.
    pub scale: Option<SystemScale>,
    /// What a month of each arm is priced with; assumed, so one that has it is not run live either.
    pub prices: Option<Prices>,
    /// Keys that vary from one simulation to the next; one that has it is not run live.
    pub sweep: Option<Sweep>,
    /// Timed actions, in file order.
    pub steps: Vec<Step>,
    /// Conditions without which the run is invalid.
    pub valid: Vec<Assertion>,
    /// Claims of the scenario.
    pub check: Vec<Assertion>,
    /// Ends the run early.
    pub stop: Stop,
}

/// One topology with one variant's policies: what a run starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// `mono`, or `naive/mono` where there are variants.
    pub name: String,
    /// Its topology's name.
    pub topology: String,
    /// Its variant's name; empty where the file has none.
    pub variant: String,
    /// Which process hosts which components.
    pub placement: Placement,
    /// Options of services: slots, queue, cache, work.
    pub services: BTreeMap<String, ServiceOptions>,
    /// Policies by edge pattern.
    pub policies: BTreeMap<String, Policy>,
    /// What lies between its processes.
    pub network: NetworkOptions,
    /// Level of telemetry, if the variant overrides the file's.
    pub telemetry: Option<TelemetryLevel>,
    /// Build of its deploys, if the variant overrides the steps'.
    pub build: Option<Build>,
    /// Whether it is run only when named in --arms.
    pub is_opt_in: bool,
}

impl Arm {
    /// An arm of a topology without a variant.
    pub fn without_variant(name: &str, placement: Placement) -> Self {
        Self {
            name: name.to_owned(),
            topology: name.to_owned(),
            variant: String::new(),
            placement,
            services: BTreeMap::new(),
            policies: BTreeMap::new(),
            network: NetworkOptions::default(),
            telemetry: None,
            build: None,
            is_opt_in: false,
        }
    }
}

/// Level of telemetry, the same in every arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TelemetryLevel {
    /// No metrics, no spans.
    Off,
    /// Metrics only.
    Metrics,
    /// Metrics, and spans of one journey in ten.
    #[default]
    Sampled,
    /// Metrics and all spans.
    Full,
}

/// A phase of the run.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Its length.
    #[serde(rename = "for")]
    pub length: HumanDuration,
    /// Whether its figures are judged.
    #[serde(default = "default_measure")]
    pub measure: bool,
}

const fn default_measure() -> bool {
    true
}

/// A timed action.
#[derive(Clone, Debug)]
pub struct Step {
    /// From 1, in file order; the same in every view.
    pub number: u32,
    /// Its id, or its verb and number.
    pub id: String,
    /// Index of its phase.
    pub phase: usize,
    /// Start, ns since the load's start.
    pub start_ns: u64,
    /// Length, ns; 0 for one-shot steps.
    pub length_ns: u64,
    /// Where the file says how long it lasts, or the step itself.
    pub span: Range<usize>,
    /// The action.
    pub action: Action,
    /// Which calls it affects.
    pub matching: fault::Match,
    /// The target; none for actions on the load.
    pub target: Option<fault::Target>,
    /// The target as written, for messages.
    pub on: String,
    /// How many of the matching instances.
    pub pick: Option<Pick>,
    /// Time to reach full strength, ns.
    pub ramp_ns: u64,
    /// Ends the step early once it holds.
    pub until: Option<Expectation>,
    /// Must hold at some moment, or the step had no effect.
    pub symptom: Option<Expectation>,
}

/// How the arms of a run are scheduled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunMode {
    /// At the same time; every arrival is offered to all arms.
    #[default]
    SideBySide,
    /// In turns, in balanced order.
    Interleaved,
}

/// What happens to an arm's data between rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DataRetention {
    /// Every round starts from the snapshot.
    #[default]
    Fresh,
    /// A round continues with the data of the round before, to measure the cost of growing data. Arms
    /// are not compared then.
    Kept,
}

/// How many of the matching instances are affected; the seed decides which.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pick {
    /// This number.
    Count(u32),
    /// This share, at least one.
    Share(f64),
}

impl Pick {
    /// The number out of `all`.
    pub fn of(self, all: usize) -> usize {
        match self {
            Self::Count(count) => (count as usize).min(all),
            Self::Share(share) => ((all as f64 * share).round() as usize).clamp(usize::from(all > 0), all),
        }
    }
}

/// Resources of an arm as a whole, gateway and registry included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Cores that all its processes share, by affinity.
    #[schemars(range(min = 1, max = MAX_CORES))]
    pub cores: Option<u32>,
    /// Memory limit of all its processes together.
    pub memory: Option<ByteSize>,
    /// Largest share of an arm's instances that faults may affect at once.
    pub blast: Option<Ratio>,
    /// Faults in force at once.
    #[schemars(range(min = 1, max = MAX_FAULTS))]
    pub faults: Option<u32>,
}

/// More cores than one machine has.
const MAX_CORES: u32 = 1_024;
/// More faults at once than a scenario has steps.
const MAX_FAULTS: u32 = 1_000;
/// An empty process of the suite has several times this.
const MIN_MEMORY: ByteSize = ByteSize::new(1 << 20);

impl Budget {
    /// What is wrong with it, each sentence with the key first: what no arm could start with, and no fault be injected.
    pub fn diagnostics(&self) -> Vec<String> {
        let mut diagnostics = Vec::new();
        let mut refuse = |wrong: bool, sentence: String| {
            if wrong {
                diagnostics.push(sentence);
            }
        };
        let outside = |count: Option<u32>, most: u32| count.is_some_and(|count| !(1..=most).contains(&count));
        refuse(outside(self.cores, MAX_CORES), format!("cores: out of range; write 1 to {MAX_CORES}"));
        refuse(
            self.memory.is_some_and(|memory| memory < MIN_MEMORY),
            format!("memory: no arm starts with less than {MIN_MEMORY}; write for example \"512MiB\""),
        );
        refuse(
            self.blast.is_some_and(|share| share.get() <= 0.0),
            "blast: 0% would withhold every fault; write for example \"50%\"".to_owned(),
        );
        refuse(outside(self.faults, MAX_FAULTS), format!("faults: out of range; write 1 to {MAX_FAULTS}"));
        diagnostics
    }
}

/// An expectation with its reason and place.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// What must hold.
    pub that: Expectation,
    /// The reason.
    pub why: String,
    /// Line in the file, from 1.
    pub line: u32,
}

/// What ends a run early.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Any of these ends the run as soon as it holds.
    pub when: Vec<Expectation>,
    /// Longest load, ns, of each turn where arms take turns; 0 for the built-in limit only.
    pub max_ns: u64,
}

impl Scenario {
    /// Length of the load, ns.
    pub fn length_ns(&self) -> u64 {
        self.phases.iter().map(|phase| ns(phase.length)).sum()
    }

    /// The phases with their start times.
    pub fn plan(&self) -> Vec<record::PhasePlan> {
        let mut start_ns = 0;
        self.phases
            .iter()
            .map(|phase| {
                let length_ns = ns(phase.length);
                let plan = record::PhasePlan {
                    name: phase.name.clone(),
                    start_ns,
                    length_ns,
                    measure: phase.measure,
                };
                start_ns += length_ns;
                plan
            })
            .collect()
    }

    /// Faults, in the order of the steps.
    pub fn faults(&self) -> impl Iterator<Item = &fault::Fault> {
        self.steps.iter().filter_map(|step| step.action.fault())
    }

    /// Whether a step makes the kernel drop packets, which needs a network namespace.
    pub fn loses_packets(&self) -> bool {
        self.faults().any(|fault| matches!(fault.connection_fault(), Some(fault::ConnectionFault::Loss(_))))
    }

    /// Whether a step fills the broker's disk, which needs a mount namespace.
    pub fn fills_broker_disk(&self) -> bool {
        self.steps.iter().any(|step| {
            step.target == Some(Target::Server(EVENTS))
                && matches!(step.action.fault(), Some(fault::Fault::DiskFull(_)))
        })
    }

    /// The scenario with the load that it has at its `[scale]`; the same where it has none.
    #[must_use]
    pub fn at_scale(mut self) -> Self {
        if let Some(scale) = &self.scale {
            self.load = scale.load(&self.load);
        }
        self
    }

    /// Whether it is simulated and never run: it has a size of its own, or keys that vary.
    pub const fn is_only_simulated(&self) -> bool {
        self.scale.is_some() || self.sweep.is_some()
    }

    /// Puts the processes of every arm at this distance from each other.
    pub fn set_rtt(&mut self, rtt: HumanDuration) {
        for arm in &mut self.arms {
            arm.network = arm.network.with_rtt(rtt);
        }
    }

    /// Components that steps deploy with the edit in them, each once.
    pub fn changed_components(&self) -> Vec<ComponentName> {
        let deploys = self.steps.iter().filter(|step| step.deploys_change());
        let mut changed: Vec<ComponentName> =
            deploys.filter_map(|step| step.target.and_then(fault::Target::component)).collect();
        changed.sort();
        changed.dedup();
        changed
    }

    /// The deploy that brings the behaviour of the edit: the first one of the change.
    pub fn first_deploy_of_change(&self) -> Option<&Step> {
        first_deploy_of_change(&self.steps)
    }

    /// What commands take for it, as a shell reads it: its name where it is in the catalogue, else its file.
    pub fn as_argument(&self) -> String {
        let path = &self.source.path;
        let is_shipped = *path == catalogue_folder().join(format!("{}.toml", self.name));
        let word = if is_shipped { self.name.clone() } else { path.display().to_string() };
        command_line(&[word])
    }

    /// The arms that are run unless --arms names others.
    pub fn default_arms(&self) -> impl Iterator<Item = &Arm> {
        self.arms.iter().filter(|arm| !arm.is_opt_in)
    }

    /// The others: they are run only where --arms names them.
    pub fn opt_in_arms(&self) -> impl Iterator<Item = &Arm> {
        self.arms.iter().filter(|arm| arm.is_opt_in)
    }

    /// The arms that are run where these are asked for, in their order; without names the default ones. Names of no arm are
    /// passed over.
    pub fn arms_to_run(&self, asked: &[String]) -> Vec<&Arm> {
        if asked.is_empty() {
            return self.default_arms().collect();
        }
        asked.iter().filter_map(|name| self.arms.iter().find(|arm| arm.name == *name)).collect()
    }
}

impl Step {
    /// The zone whose instances it acts on, if its target is one.
    pub fn zone(&self) -> Option<String> {
        match self.target {
            Some(Target::Node(Pattern::Zone(zone))) => Some(zone.as_str().to_owned()),
            _ => None,
        }
    }

    /// Whether it deploys the edit of `[change]`.
    pub fn deploys_change(&self) -> bool {
        self.action.deploy().is_some_and(|deploy| deploy.build == Build::Changed)
    }
}

/// The first of these steps that deploys the edit.
pub(crate) fn first_deploy_of_change(steps: &[Step]) -> Option<&Step> {
    steps.iter().filter(|step| step.deploys_change()).min_by_key(|step| step.start_ns)
}

/// A duration in nanoseconds.
pub(crate) fn ns(span: HumanDuration) -> u64 {
    u64::try_from(std::time::Duration::from(span).as_nanos()).unwrap_or(u64::MAX)
}
