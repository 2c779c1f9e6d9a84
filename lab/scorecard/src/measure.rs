//! What a measure is: its name, its unit and which way is good, what it needs, and its value over some seconds of an
//! arm. The measures themselves are the files of [`measures`](crate::measures).

use model::{Run, Window};
use record::{Better, Measured};

use crate::expect::{Argument, Parameter};
use crate::selection::Selection;
use crate::stats;

/// Samples a share needs before it is judged.
pub(crate) const MIN_SHARE: u64 = 100;

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
    /// Samples below which no expectation on it is judged.
    pub min_samples: u64,
    /// The quantile it is, where it is one.
    pub quantile: Option<f64>,
    /// What the blocks of a window are good for.
    pub blocks: Blocks,
    /// What else has to be known of it.
    pub properties: &'static [Property],
    /// Its value over the seconds of a selection and the samples behind it, with an interval where the samples
    /// themselves have one.
    pub value: fn(&Selection<'_>) -> Measured,
    /// Where it stands on the scorecard.
    pub rows: &'static [Row],
}

/// What the blocks of a window are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// Nothing: the measure has no meaning in a part of its window, or no spread.
    Unused,
    /// Ratios: a block counts from so many samples.
    Ratio {
        /// Samples a block needs.
        min_samples: u64,
    },
    /// Ratios and the interval of the value.
    RatioAndInterval,
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
    /// It belongs to the host rather than to an arm.
    OfHost,
    /// By itself it is a condition: more than none.
    Condition,
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
    /// What it is, in words; `{step}` stands for the id of its step.
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
    /// All measured phases.
    Whole,
    /// For each step the phase it falls into.
    EachStep,
}

/// How the arms of a row are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// B over A: shown, and its interval decides.
    Ratio,
    /// B over A decides, and is not shown: it would be a ratio of CPU without the work it sits on.
    HiddenRatio,
    /// Whether the intervals of the arms overlap.
    Intervals,
    /// Arms are not compared.
    Unjudged,
}

/// The claims the scorecard tests, in the order it shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// What crossing process boundaries costs.
    Latency,
    /// What a core and a GiB are worth.
    Scalability,
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
    pub const ALL: [Self; 7] = [
        Self::Latency,
        Self::Scalability,
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
        min_samples: 1,
        quantile: None,
        blocks: Blocks::Unused,
        properties: &[],
        value: |_| Measured { value: None, n: 0, interval: None },
        rows: &[],
    };

    /// Whether it has a property.
    pub fn has(&self, property: Property) -> bool {
        self.properties.contains(&property)
    }

    /// As an expectation writes it: `p99(journey)`.
    pub fn form(&self) -> String {
        match self.parameter {
            Parameter::None => self.name.to_owned(),
            parameter => format!("{}({})", self.name, parameter.placeholder()),
        }
    }

    /// Its value over a selection, with samples and interval.
    pub fn measure(&self, of: &Selection<'_>) -> Measured {
        let whole = (self.value)(of);
        if self.blocks != Blocks::RatioAndInterval {
            return whole;
        }
        let blocks: Vec<f64> = of.blocks().iter().filter_map(|block| self.in_block(block)).collect();
        Measured { interval: stats::mean(&blocks).map(|(_, interval)| interval), ..whole }
    }

    /// The same over a window of an arm, all journeys together.
    pub fn over(&self, run: &Run, arm: char, window: &Window) -> Measured {
        self.measure(&Selection::new(run, arm, window, &Argument::of_row(self.parameter, None)))
    }

    /// `b` over `a`: from pairs of blocks where the measure has them, else from the two intervals.
    pub fn ratio(&self, a: &Selection<'_>, b: &Selection<'_>) -> Option<Measured> {
        let (left, right) = (self.measure(a), self.measure(b));
        let value = match (left.value?, right.value?) {
            (a, b) if a > 0.0 => b / a,
            _ => return None,
        };
        let blocks = |of: &Selection<'_>| -> Vec<Option<f64>> {
            of.blocks().iter().map(|block| self.in_block(block)).collect()
        };
        let paired = stats::paired_ratio(&blocks(a), &blocks(b)).map(|(_, interval)| interval);
        let interval = paired.or_else(|| {
            let ((a_low, a_high), (b_low, b_high)) = (left.interval?, right.interval?);
            (a_low > 0.0).then(|| (b_low / a_high, b_high / a_low))
        });
        Some(Measured { value: Some(value), n: left.n.min(right.n), interval })
    }

    /// Its value in one block; `None` where it has no meaning in a part of a window, or too few samples there.
    fn in_block(&self, block: &Selection<'_>) -> Option<f64> {
        match self.blocks {
            Blocks::Unused => None,
            Blocks::Ratio { min_samples } => {
                let measured = (self.value)(block);
                measured.value.filter(|_| measured.n >= min_samples)
            }
            Blocks::RatioAndInterval => (self.value)(block).value,
        }
    }
}

/// Two measures are the same where an expectation writes them the same way.
impl PartialEq for Measure {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.parameter == other.parameter
    }
}
