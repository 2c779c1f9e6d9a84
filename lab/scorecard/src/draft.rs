//! A row before anything is concluded from it: what its figures are made of, arm by arm.

use std::collections::BTreeMap;

use model::{Run, Window};
use record::{Better, Note};

use crate::inference::{Arrivals, Body, Engine, Frame, Statistic};
use crate::measure::{Claim, Comparison, Unit};

/// What rows are made from.
pub(crate) struct Card<'a> {
    pub run: &'a Run,
    /// What its rows share.
    pub engine: &'a Engine,
    /// The phase undisturbed figures come from.
    pub steady: Window,
}

/// A row whose figures are known and not judged.
pub(crate) struct Draft {
    /// Id of the score.
    pub id: String,
    /// The claim it tests.
    pub claim: Claim,
    /// In words.
    pub text: String,
    /// Unit of its values.
    pub unit: Unit,
    /// Which way is good.
    pub better: Better,
    /// Id of the row it is a part of.
    pub part_of: Option<&'static str>,
    /// How arms are compared.
    pub comparison: Comparison,
    /// Whether two starts of one program differ in it.
    pub depends_on_start: bool,
    /// Work, hop cost and hops beside it.
    pub context: Option<String>,
    /// What is to be known of it besides, each a sentence.
    pub notes: Vec<String>,
    /// Why no ratio and no finding is to be had, whatever the figures are.
    pub withheld: Option<Note>,
    /// The window in which it compares latencies: where arms fail differently there, they have no ratio.
    pub latencies_of: Option<Window>,
    /// Whether much of it, in some arm, is the load generator's own lateness.
    pub is_late: bool,
    /// The window in which the machine must have had room for arms side by side, for a finding.
    pub idle_in: Option<Window>,
    /// The window that has to be steady for a finding.
    pub steady_in: Option<Window>,
    /// Whether a fault acts in its window, so that a count is of one event.
    pub has_fault: bool,
    /// The arrivals its means are of, by arm: where queues couple their seconds, a mean decides nothing.
    pub arrivals: BTreeMap<char, Vec<Option<Arrivals>>>,
    /// Its window.
    pub frame: Frame,
    /// What the figures are made of.
    pub statistics: BTreeMap<char, Statistic>,
}

impl Draft {
    /// A row whose arms are not compared.
    pub fn new(id: String, text: String, frame: Frame, statistics: BTreeMap<char, Statistic>) -> Self {
        Self {
            id,
            claim: Claim::Latency,
            text,
            unit: Unit::Count,
            better: Better::Neither,
            part_of: None,
            comparison: Comparison::Unjudged,
            depends_on_start: false,
            context: None,
            notes: Vec::new(),
            withheld: None,
            latencies_of: None,
            is_late: false,
            idle_in: None,
            steady_in: None,
            has_fault: false,
            arrivals: BTreeMap::new(),
            frame,
            statistics,
        }
    }

    /// Whether a figure of some arm is known, or what bounds it.
    pub fn has_data(&self) -> bool {
        let is_bounded =
            |body: &Body| matches!(body, Body::Bracket { low, high } if low.is_some() || high.is_some());
        let is_known = |of: &Statistic| of.seen().value.is_some() || is_bounded(&of.body);
        self.statistics.values().any(is_known)
    }
}
