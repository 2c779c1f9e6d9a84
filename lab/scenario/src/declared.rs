//! What a file declares and refers to, with places: sections are compared by it once all are read.

use std::ops::Range;

use contract::ProcessPlan;
use fault::Target;
use scorecard::Expectation;

/// The names a file declares, also in parts with mistakes: a reference to a phase whose length is
/// wrong is not a second mistake.
#[derive(Default)]
pub(crate) struct DeclaredNames {
    pub(crate) phases: Vec<String>,
    /// Topologies, variants, and arms by their whole names.
    pub(crate) axes: Vec<String>,
    /// Every variant on every topology, also where one has mistakes.
    pub(crate) arms: Vec<ArmName>,
    /// Copies that zones hold.
    pub(crate) zone_members: Vec<ZoneMember>,
    /// Processes of the topologies, with their copies.
    pub(crate) copies: Vec<CopyCount>,
    /// Processes and zones of all topologies.
    pub(crate) processes: Vec<String>,
    pub(crate) zones: Vec<String>,
    /// Components that have a cache in some arm.
    pub(crate) cached: Vec<String>,
    /// Whether a broker carries the events of some topology.
    pub(crate) has_broker: bool,
    pub(crate) steps: Vec<String>,
}

/// An arm by the words that an expectation binds to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArmName {
    pub(crate) name: String,
    pub(crate) topology: String,
    pub(crate) variant: String,
}

impl ArmName {
    pub(crate) fn new(topology: &str, variant: &str) -> Self {
        let name = if variant.is_empty() { topology.to_owned() } else { format!("{variant}/{topology}") };
        Self { name, topology: topology.to_owned(), variant: variant.to_owned() }
    }

    /// Whether every axis names it.
    pub(crate) fn fits(&self, axes: &[String]) -> bool {
        axes.iter().all(|axis| [&self.name, &self.topology, &self.variant].contains(&axis))
    }
}

/// A process of a topology, with the number of its copies.
#[derive(Clone, Debug)]
pub(crate) struct CopyCount {
    pub(crate) topology: String,
    pub(crate) process: ProcessPlan,
}

/// A copy that a zone of a topology holds, with its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct ZoneMember {
    pub(crate) topology: String,
    pub(crate) member: String,
    pub(crate) span: Range<usize>,
}

/// A target with its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct PlacedTarget {
    pub(crate) target: Target,
    pub(crate) span: Range<usize>,
}

/// Where an expectation stands, which decides what it may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpectationRole {
    /// In `valid` or `check`: judged once, at the end.
    Claim,
    /// Ends the run early.
    Stop,
    /// Ends a step early.
    Until,
    /// What must be seen of a step.
    Symptom,
    /// Promotes a deploy.
    Promotion,
}

impl ExpectationRole {
    /// Whether it is judged again and again, so that it can hold for a time.
    pub(crate) const fn may_be_held(self) -> bool {
        matches!(self, Self::Stop | Self::Until)
    }
}

/// An expectation of the file, with its place and its role.
#[derive(Clone, Debug)]
pub(crate) struct PlacedExpectation {
    pub(crate) that: Expectation,
    pub(crate) span: Range<usize>,
    pub(crate) role: ExpectationRole,
}
