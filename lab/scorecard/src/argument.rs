//! What a measure takes in its brackets, and what an expectation wrote there.

use record::StepPlan;

/// All journeys.
const ALL: &str = "all";

/// What a measure takes in its brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// Nothing.
    None,
    /// A journey, a group of journeys, or `all`.
    Journey,
    /// The same and a time: `all 50ms`.
    JourneyAndTime,
    /// An edge: `feed->follower`.
    Edge,
    /// A step by its id or its number: `step dead-photo`.
    Step,
    /// A component of the application.
    Component,
    /// Whatever runs in a process: a component, the gateway or the registry.
    Process,
}

/// What an expectation wrote in the brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing.
    None,
    /// A journey, a group, or `all`.
    Journey(String),
    /// The same and a time, microseconds.
    JourneyAndTime(String, u64),
    /// Caller and callee.
    Edge(String, String),
    /// Id or number of a step.
    Step(String),
    /// Name of a component.
    Component(String),
    /// Name of a component, of the gateway or of the registry.
    Process(String),
}

impl Parameter {
    /// What stands for it in documents.
    pub const fn placeholder(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Journey => "journey",
            Self::JourneyAndTime => "journey 50ms",
            Self::Edge => "a->b",
            Self::Step => "step id",
            Self::Component | Self::Process => "component",
        }
    }
}

impl Argument {
    /// What a row of the scorecard asks a measure: all journeys, or its step.
    pub(crate) fn of_row(parameter: Parameter, step: Option<&StepPlan>) -> Self {
        match parameter {
            Parameter::Journey => Self::Journey(ALL.to_owned()),
            Parameter::Step => Self::Step(step.map(|step| step.id.clone()).unwrap_or_default()),
            // A test finds a row whose measure needs more.
            _ => Self::None,
        }
    }

    /// The journeys meant; all where it names none.
    pub fn journeys(&self) -> &str {
        match self {
            Self::Journey(name) | Self::JourneyAndTime(name, _) => name,
            _ => ALL,
        }
    }

    /// The time, microseconds; 0 where it has none.
    pub const fn time_us(&self) -> u64 {
        match self {
            Self::JourneyAndTime(_, us) => *us,
            _ => 0,
        }
    }

    /// Caller and callee; empty where it is no edge.
    pub fn edge(&self) -> (&str, &str) {
        match self {
            Self::Edge(caller, callee) => (caller, callee),
            _ => ("", ""),
        }
    }

    /// The component, process or step; empty where it names none.
    pub fn name(&self) -> &str {
        match self {
            Self::Step(name) | Self::Component(name) | Self::Process(name) => name,
            _ => "",
        }
    }
}
