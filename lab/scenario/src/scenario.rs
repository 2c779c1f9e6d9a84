//! What a scenario says, read and checked: the sum of the types of those who carry it out.

use std::collections::BTreeMap;

use contract::Placement;
use policy::units::{ByteSize, HumanDuration, Ratio};
use policy::{Policy, ServiceOptions};
use schemars::JsonSchema;
use scorecard::Expectation;
use serde::Deserialize;
use traffic::load::Load;

use crate::action::{Action, Build};
use crate::source::Source;

/// A scenario whose every part is known to be right.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its file.
    pub source: Source,
    /// Its name; also the file's.
    pub name: String,
    /// One line.
    pub title: String,
    /// The claim it tests.
    pub why: String,
    /// One seed for everything.
    pub seed: u64,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// How much is watched.
    pub telemetry: TelemetryLevel,
    /// Side by side, or one arm after another.
    pub way: RunMode,
    /// Rounds of a run of arms one after another.
    pub repeats: u32,
    /// Whether every round begins with the same data.
    pub data: DataRetention,
    /// What every arm may use.
    pub budget: Budget,
    /// The run's stretches.
    pub phases: Vec<Phase>,
    /// What the users do.
    pub load: Load,
    /// What is compared: every variant on every topology, in file order; the first is arm A.
    pub arms: Vec<Arm>,
    /// Timed actions, in file order.
    pub steps: Vec<Step>,
    /// Must hold for the run to be believed.
    pub valid: Vec<Assertion>,
    /// What the scenario claims.
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
    /// Which component lives where.
    pub placement: Placement,
    /// Shapes of components.
    pub services: BTreeMap<String, ServiceOptions>,
    /// Policies by edge pattern.
    pub policies: BTreeMap<String, Policy>,
    /// How much is watched here, where the variant says otherwise than the file.
    pub telemetry: Option<TelemetryLevel>,
    /// What its deploys deploy, where the variant says otherwise than the steps.
    pub build: Option<Build>,
    /// Run only when asked for by name.
    pub is_opt_in: bool,
}

impl Arm {
    /// A topology as it is, without a variant.
    pub fn without_variant(name: &str, placement: Placement) -> Self {
        Self {
            name: name.to_owned(),
            topology: name.to_owned(),
            variant: String::new(),
            placement,
            services: BTreeMap::new(),
            policies: BTreeMap::new(),
            telemetry: None,
            build: None,
            is_opt_in: false,
        }
    }
}

/// How much is watched, the same in every arm.
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

/// A stretch of the run.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Its length.
    #[serde(rename = "for")]
    pub length: HumanDuration,
    /// Whether its figures count.
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
    /// What happens.
    pub action: Action,
    /// Which calls it hits.
    pub matching: fault::Match,
    /// Where; none for what concerns the load.
    pub target: Option<fault::Target>,
    /// As written, for messages.
    pub on: String,
    /// How many of the copies meant.
    pub pick: Option<Pick>,
    /// How long it takes to grow to its full size, ns.
    pub ramp_ns: u64,
    /// Ends it early.
    pub until: Option<Expectation>,
    /// What must be seen of it, or it did nothing.
    pub symptom: Option<Expectation>,
}

/// How arms are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunMode {
    /// At the same moment, every arrival offered to all.
    #[default]
    SideBySide,
    /// One after another, in balanced order.
    Interleaved,
}

/// What becomes of an arm's data between its rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DataRetention {
    /// Every round begins with the snapshot.
    #[default]
    Fresh,
    /// A round goes on with what the one before has left: to see what growing data costs. Arms
    /// are not compared then.
    Kept,
}

/// How many of the copies meant are hit; which, the seed decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pick {
    /// So many.
    Count(u32),
    /// This share, at least one.
    Share(f64),
}

impl Pick {
    /// How many of so many.
    pub fn of(self, all: usize) -> usize {
        match self {
            Self::Count(count) => (count as usize).min(all),
            Self::Share(share) => ((all as f64 * share).round() as usize).clamp(usize::from(all > 0), all),
        }
    }
}

/// What an arm may use as a whole, door, registry and all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Cores all its processes share, by affinity.
    pub cores: Option<u32>,
    /// Memory all its processes together may hold.
    pub memory: Option<ByteSize>,
    /// Greatest share of an arm's copies that faults may hit at once.
    pub blast: Option<Ratio>,
    /// Faults in force at once.
    pub faults: Option<u32>,
}

/// An expectation with its reason and place.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// What must hold.
    pub that: Expectation,
    /// Why it should.
    pub why: String,
    /// Line in the file, from 1.
    pub line: u32,
}

/// What ends a run early.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Any of these, once it stands.
    pub when: Vec<Expectation>,
    /// Longest run, ns; 0 for no limit but the built-in one.
    pub max_ns: u64,
}

impl Scenario {
    /// Length of the load, ns.
    pub fn length_ns(&self) -> u64 {
        self.phases.iter().map(|phase| ns(phase.length)).sum()
    }

    /// The phases with their starts.
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

    /// What goes wrong, in the order of the steps.
    pub fn faults(&self) -> impl Iterator<Item = &fault::Fault> {
        self.steps.iter().filter_map(|step| step.action.fault())
    }

    /// Whether the kernel is to lose packets: that takes a network of the run's own.
    pub fn loses_packets(&self) -> bool {
        self.faults().any(|fault| matches!(fault.connection_fault(), Some(fault::ConnectionFault::Loss(_))))
    }

    /// The arms that are run when nobody chooses: those not set aside.
    pub fn default_arms(&self) -> impl Iterator<Item = &Arm> {
        self.arms.iter().filter(|arm| !arm.is_opt_in)
    }
}

/// A length in nanoseconds.
pub(crate) fn ns(span: HumanDuration) -> u64 {
    u64::try_from(std::time::Duration::from(span).as_nanos()).unwrap_or(u64::MAX)
}
