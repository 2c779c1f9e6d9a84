//! What a measure is: its name, its unit and which way is good, what it needs, and its value over some seconds of an
//! arm. The measures themselves are the files of [`measures`](crate::measures).

use model::{Run, Window};
use record::{Better, Interval, Measured};

use crate::argument::{Argument, Parameter};
use crate::inference::Statistic;
use crate::selection::Selection;

/// Two latencies whose ratio is nearer to 1 than this are the same to a decision.
pub(crate) const LATENCY_MARGIN: f64 = 1.10;
/// The same of CPU, memory, hops and spans.
pub(crate) const RESOURCE_MARGIN: f64 = 1.05;
/// Two shares nearer than this are the same to a decision: half a point.
pub(crate) const SHARE_MARGIN: f64 = 0.005;
/// A part of a total changes no decision below this share of the base arm's total.
pub(crate) const PART_MARGIN: f64 = 0.05;

/// What a number is a number of. Both sides of an expectation must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Time,
    /// A share, 0 to 1.
    Share,
    /// Per second.
    Rate,
    /// Bytes.
    Bytes,
    /// A bare number.
    Count,
}

impl Unit {
    /// How the record and the documents write it.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Time => "s",
            Self::Share => "%",
            Self::Rate => "/s",
            Self::Bytes => "B",
            Self::Count => "",
        }
    }

    /// A figure times `factor` without what none of the unit can be: no share is more than all, however far an interval over
    /// rounds reaches on its logarithm.
    pub(crate) fn bounded(self, figure: Measured, factor: f64) -> Measured {
        let at_most = |interval: Interval| Interval {
            low: interval.low.min(factor),
            high: interval.high.map(|high| high.min(factor)),
        };
        match self {
            Self::Share => Measured { interval: figure.interval.map(at_most), ..figure },
            Self::Time | Self::Rate | Self::Bytes | Self::Count => figure,
        }
    }
}

/// One measure. Its file holds a constant of this type, and the catalogue a line with it.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// What an expectation calls it.
    pub name: &'static str,
    /// What an expectation writes in its brackets.
    pub parameter: Parameter,
    /// What it is and how it is computed, for the glossary and for writers of expectations.
    pub meaning: &'static str,
    /// Unit of its values.
    pub unit: Unit,
    /// Which way is good.
    pub better: Better,
    /// What has to be known of it besides.
    pub properties: &'static [Property],
    /// The percentile of latencies that it is, as a share; `None` where it is none.
    pub quantile: Option<f64>,
    /// What its value over a selection is made of.
    pub statistic: fn(&Selection<'_>) -> Statistic,
    /// What is to be known of its value over a selection besides, each a sentence.
    pub notes: fn(&Selection<'_>) -> Vec<String>,
    /// Where it stands on the scorecard.
    pub rows: &'static [Row],
}

/// A property that decides how a measure is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// Its value from a window's start to any second in it has a meaning, so a violation has a start.
    Cumulative,
    /// A ratio of it means nothing without work, hops and hop cost beside it (trap T16).
    NeedsContext,
    /// A closed loop hides what it measures (trap T3).
    NeedsOpenLoop,
    /// A machine busy with other things disturbs it more than arms differ.
    NeedsIdleMachine,
    /// Two starts of one program differ in it: latency, time, CPU.
    DependsOnStart,
    /// It is of the whole run, of its step or of the plan, whatever window is named.
    OwnWindow,
    /// It belongs to the host rather than to an arm.
    OfHost,
    /// By itself it is a condition: more than none.
    Condition,
    /// The simulator has no value of it: sockets, spans, staleness, what was audited.
    NotSimulated,
    /// It is of memory: the simulator has a value of it where the calibration knows what processes hold.
    OfMemory,
}

/// A row of the scorecard: the measure over one window.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Id of the score; the id of its step follows in rows of steps.
    pub id: &'static str,
    /// How views call it, in a word or two.
    pub name: &'static str,
    /// The claim it tests.
    pub claim: Claim,
    /// What it is, in words; `{step}` stands for the id of its step, `{hits}` for the components that it hits.
    pub text: &'static str,
    /// Over which window.
    pub window: RowWindow,
    /// How arms are compared.
    pub comparison: Comparison,
}

/// The windows rows look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowWindow {
    /// The phase undisturbed figures come from.
    Steady,
    /// The same, and for comparison each other measured phase with a fault.
    SteadyAndFaults,
    /// All measured phases.
    Whole,
    /// For each step the phase it falls into.
    EachStep,
    /// The same, and each other measured phase that is overloaded on purpose.
    StepsAndOverloads,
}

impl RowWindow {
    /// Whether the row is of steps.
    pub const fn is_of_steps(self) -> bool {
        matches!(self, Self::EachStep | Self::StepsAndOverloads)
    }
}

/// How the arms of a row are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Comparison {
    /// An arm over the base arm, equivalent within this ratio.
    Ratio(f64),
    /// The same row in another guise: it takes the finding of the row of that id where its own figures bear it out, and counts
    /// in no family.
    SameAs(&'static str),
    /// An arm less the base arm, equivalent within this difference, in the row's unit.
    Difference(f64),
    /// The same of a part, equivalent within this share of the base arm's total.
    Part(f64),
    /// Arms are not compared: the row explains others.
    Unjudged,
}

impl Comparison {
    /// Id of the row that a row of this comparison is in another guise.
    pub const fn guise_of(self) -> Option<&'static str> {
        match self {
            Self::SameAs(id) => Some(id),
            _ => None,
        }
    }
}

/// The claims the scorecard tests, in the order it shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// What crossing process boundaries costs.
    Latency,
    /// What a core and a GiB are worth.
    Scalability,
    /// What a change costs until it is served everywhere.
    Delivery,
    /// What another store or another server takes.
    Technology,
    /// What a fault takes along.
    Isolation,
    /// What becomes of acknowledged writes.
    Consistency,
    /// What there is to look after.
    Complexity,
    /// What it takes to see what happens.
    Monitoring,
    /// Which of many groupings are worth having.
    Groupings,
}

impl Claim {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::Latency,
        Self::Scalability,
        Self::Delivery,
        Self::Technology,
        Self::Isolation,
        Self::Consistency,
        Self::Complexity,
        Self::Monitoring,
        Self::Groupings,
    ];

    /// Its heading.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Latency => "network latency between services",
            Self::Scalability => "scalability",
            Self::Delivery => "independent deployment and delivery",
            Self::Technology => "technology per service",
            Self::Isolation => "fault isolation",
            Self::Consistency => "data consistency",
            Self::Complexity => "operational complexity",
            Self::Monitoring => "monitoring and tracing",
            Self::Groupings => "every grouping",
        }
    }
}

impl Measure {
    /// The fields a measure has unless its file sets them.
    pub const DEFAULT: Self = Self {
        name: "",
        parameter: Parameter::None,
        meaning: "",
        unit: Unit::Count,
        better: Better::Lower,
        properties: &[],
        quantile: None,
        statistic: |_| Statistic::exact(None),
        notes: |_| Vec::new(),
        rows: &[],
    };

    /// Whether it has a property.
    pub fn has(&self, property: Property) -> bool {
        self.properties.contains(&property)
    }

    /// Whether it is a latency of journeys, whose failures lie above every value.
    pub fn is_latency(&self) -> bool {
        self.has(Property::NeedsIdleMachine) && self.unit == Unit::Time
    }

    /// As an expectation writes it: `p99(journey)`.
    pub fn form(&self) -> String {
        match self.parameter {
            Parameter::None => self.name.to_owned(),
            parameter => format!("{}({})", self.name, parameter.placeholder()),
        }
    }

    /// Whether it has values in a run: in a simulated one, if the simulator knows them.
    pub fn is_known_in(&self, run: &Run) -> bool {
        let is_unknown =
            self.has(Property::NotSimulated) || self.has(Property::OfMemory) && !run.knows_memory();
        !(run.is_simulated() && is_unknown)
    }

    /// What its value over a selection is made of: of nothing where a simulation does not know it.
    pub fn of(&self, selection: &Selection<'_>) -> Statistic {
        if self.is_known_in(selection.run) {
            (self.statistic)(selection)
        } else {
            Statistic::once(vec![None])
        }
    }

    /// Its value as seen over a selection, without an interval.
    pub fn seen(&self, of: &Selection<'_>) -> Measured {
        self.of(of).seen()
    }

    /// The same over a window of an arm, all journeys together.
    pub fn over(&self, run: &Run, arm: char, window: &Window) -> Measured {
        self.seen(&Selection::new(run, arm, window, &Argument::of_row(self.parameter, None)))
    }
}

/// Two measures are the same where an expectation writes them the same way.
impl PartialEq for Measure {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.parameter == other.parameter
    }
}
