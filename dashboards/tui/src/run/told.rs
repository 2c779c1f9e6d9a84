//! What the record says of requests, expectations and scores up to a moment: later lines are not known yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use record::{Check, ExpectationPlan, Score, Split, Trace};

use super::Run;

/// An expectation with how it stands: not at all before it is first judged.
type Standing<'a> = (&'a ExpectationPlan, Vec<&'a Check>);

impl Run {
    /// The kept requests known at `t`: of each journey, arm, round and phase the slowest and the failed, slowest first.
    pub(crate) fn traces(&self, t: u64) -> Vec<&Arc<Trace>> {
        model::traces::foremost(self.traces_until(t))
    }

    /// The same request in another arm, if it was kept there by `t`.
    pub(crate) fn twin(&self, trace: &Trace, arm: char, t: u64) -> Option<&Arc<Trace>> {
        let same = |other: &&Arc<Trace>| {
            (other.arm, other.request, other.round) == (arm, trace.request, trace.round)
                && other.journey == trace.journey
        };
        self.traces_until(t).find(same)
    }

    /// A kept request.
    pub(crate) fn trace(&self, arm: char, round: u32, request: u64, t: u64) -> Option<&Arc<Trace>> {
        self.traces_until(t).find(|trace| (trace.arm, trace.round, trace.request) == (arm, round, request))
    }

    fn traces_until(&self, t: u64) -> impl Iterator<Item = &Arc<Trace>> {
        self.traces.iter().filter(move |(at, _)| *at <= t).map(|(_, trace)| trace)
    }

    /// Where the time of all of a trace's kind went: its journey in its arm, round and phase.
    pub(crate) fn split(&self, of: &Trace, t: u64) -> Option<&Arc<Split>> {
        let known = self.splits.iter().rev().filter(|(at, _)| *at <= t).map(|(_, split)| split);
        let key = (of.arm, of.round, of.phase);
        let mut known = known.filter(|split| (split.arm, split.round, split.phase) == key);
        known.find(|split| split.journey == of.journey)
    }

    /// Rows of the scorecard known at `t`.
    pub(crate) fn scores(&self, t: u64) -> impl Iterator<Item = &Arc<Score>> {
        self.scores.iter().filter(move |(at, _)| *at <= t).map(|(_, score)| score)
    }

    /// Every expectation with its last standing in each arm at `t`, in the file's order.
    pub(crate) fn checks(&self, t: u64) -> Vec<Standing<'_>> {
        let mut last: BTreeMap<(u32, char), &Check> = BTreeMap::new();
        for (_, check) in self.checks.iter().filter(|(at, _)| *at <= t) {
            last.insert((check.id, check.arm), check);
        }
        let plans = self.header.as_deref().map_or(&[][..], |header| &header.expectations);
        let standing = |plan: &ExpectationPlan| {
            last.range((plan.id, '\0')..=(plan.id, char::MAX)).map(|(_, c)| *c).collect()
        };
        plans.iter().map(|plan| (plan, standing(plan))).collect()
    }
}
