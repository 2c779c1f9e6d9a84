//! What a scenario says, read and checked: the sum of the types of those who carry it out.

use std::collections::BTreeMap;

use contract::Placement;
use policy::{Policy, Service};
use policy::units::Span;
use scorecard::Expectation;
use serde::Deserialize;
use traffic::load::Load;

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
    pub telemetry: Watching,
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
    pub services: BTreeMap<String, Service>,
    /// Policies by edge pattern.
    pub policies: BTreeMap<String, Policy>,
    /// Run only when asked for by name.
    pub aside: bool,
}

impl Arm {
    /// A topology as it is, without a variant.
    pub fn plain(name: &str, placement: Placement) -> Self {
        Self {
            name: name.to_owned(),
            topology: name.to_owned(),
            variant: String::new(),
            placement,
            services: BTreeMap::new(),
            policies: BTreeMap::new(),
            aside: false,
        }
    }
}

/// How much is watched, the same in every arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Watching {
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
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Its length.
    #[serde(rename = "for")]
    pub length: Span,
    /// Whether its figures count.
    #[serde(default = "yes")]
    pub measure: bool,
}

const fn yes() -> bool {
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
    /// What goes wrong.
    pub fault: fault::Fault,
    /// Which calls it hits.
    pub matching: fault::Match,
    /// Where.
    pub target: fault::Target,
    /// As written, for messages.
    pub on: String,
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

    /// The arms that are run when nobody chooses: those not set aside.
    pub fn default_arms(&self) -> impl Iterator<Item = &Arm> {
        self.arms.iter().filter(|arm| !arm.aside)
    }
}

/// A length in nanoseconds.
pub(crate) fn ns(span: Span) -> u64 {
    u64::try_from(std::time::Duration::from(span).as_nanos()).unwrap_or(u64::MAX)
}
