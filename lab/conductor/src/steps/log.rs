//! What happened to the steps of a run, for the verdict.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use runtime::clock;

use crate::steps::builds::DeployedBuild;
use crate::steps::held::HoldTimer;

/// A step in an arm: its number and the arm's letter.
pub(crate) type StepKey = (u32, char);

/// What happened to the steps of a run. One log serves all blocks.
#[derive(Debug, Default)]
pub struct StepLog(Mutex<Steps>);

/// What happened to the steps of a run, once it is over.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    /// Calls, processes or copies that a step acted on.
    pub hits: BTreeMap<StepKey, u64>,
    /// Why faults were withheld.
    pub withheld: Vec<String>,
    /// Effects whose end was not confirmed.
    pub not_cleaned_up: Vec<String>,
    /// Steps this machine cannot carry out, with the reason.
    pub degraded: BTreeMap<StepKey, String>,
    /// Since when the conditions that end steps have held.
    held: BTreeMap<StepKey, HoldTimer>,
    /// Instances on which faults are in force.
    active: Vec<(StepKey, String)>,
    /// What processes ran before a deploy replaced it.
    replaced: BTreeMap<(StepKey, String), DeployedBuild>,
}

impl StepLog {
    /// Adds to the hits of a step.
    pub(crate) fn count_hits(&self, key: StepKey, count: u64) {
        *self.steps().hits.entry(key).or_default() += count;
    }

    /// Takes a judgement of the condition that ends a step; whether it has held for `held` by now.
    pub(crate) fn has_held(&self, key: StepKey, holds: bool, held: Duration) -> bool {
        self.steps().held.entry(key).or_default().has_held(holds, clock::now(), held)
    }

    /// The first reason for which faults are withheld.
    pub(crate) fn withheld_reason(&self) -> Option<String> {
        self.steps().withheld.first().cloned()
    }

    /// Notes why faults are withheld; false where it is known.
    pub(crate) fn withhold(&self, reason: &str) -> bool {
        let mut steps = self.steps();
        let is_new = steps.withheld.iter().all(|known| known != reason);
        if is_new {
            steps.withheld.push(reason.to_owned());
        }
        is_new
    }

    /// Notes that this machine cannot carry a step out.
    pub(crate) fn degrade(&self, key: StepKey, reason: String) {
        self.steps().degraded.insert(key, reason);
    }

    /// Notes an effect whose end was not confirmed.
    pub(crate) fn not_cleaned_up(&self, text: String) {
        self.steps().not_cleaned_up.push(text);
    }

    /// Notes that a fault is in force on instances, unless `refusal` finds, among what is in force in this arm
    /// already, a reason against it.
    pub(crate) fn activate(
        &self,
        key: StepKey,
        names: &[String],
        refusal: impl FnOnce(&[(u32, &str)]) -> Option<String>,
    ) -> Option<String> {
        let mut steps = self.steps();
        let in_arm = steps.active.iter().filter(|((_, arm), _)| *arm == key.1);
        let in_arm: Vec<(u32, &str)> = in_arm.map(|((step, _), name)| (*step, name.as_str())).collect();
        let refused = refusal(&in_arm);
        if refused.is_none() {
            steps.active.extend(names.iter().map(|name| (key, name.clone())));
        }
        refused
    }

    /// Notes what a process ran before a deploy.
    pub(crate) fn note_replaced(&self, key: StepKey, process: &str, build: DeployedBuild) {
        self.steps().replaced.insert((key, process.to_owned()), build);
    }

    /// The processes that a deploy acted on, and what each ran before.
    pub(crate) fn replaced(&self, key: StepKey) -> Vec<(String, DeployedBuild)> {
        let steps = self.steps();
        let of_step = steps.replaced.iter().filter(|((step, _), _)| *step == key);
        of_step.map(|((_, process), build)| (process.clone(), build.clone())).collect()
    }

    /// Notes that a step has ended in an arm.
    pub(crate) fn deactivate(&self, key: StepKey) {
        self.steps().held.remove(&key);
        self.steps().active.retain(|(other, _)| *other != key);
    }

    /// Everything that was noted; the log is empty afterwards.
    pub(crate) fn take(&self) -> Steps {
        std::mem::take(&mut *self.steps())
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        self.0.lock().expect("no panic while held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_in_force_are_those_of_the_same_arm_until_they_end() {
        let log = StepLog::default();
        let names = ["feed#0".to_owned()];
        assert_eq!(log.activate((1, 'A'), &names, |_| None), None);
        assert_eq!(log.activate((2, 'B'), &names, |active| active.first().map(|_| "no".into())), None);
        let seen = |active: &[(u32, &str)]| Some(format!("{active:?}"));
        assert_eq!(log.activate((3, 'A'), &names, seen).as_deref(), Some("[(1, \"feed#0\")]"));
        log.deactivate((1, 'A'));
        assert_eq!(
            log.activate((4, 'A'), &names, seen).as_deref(),
            Some("[]"),
            "a refused step is not in force"
        );
    }

    #[test]
    fn hits_add_up_and_a_reason_counts_once() {
        let log = StepLog::default();
        log.count_hits((1, 'A'), 2);
        log.count_hits((1, 'A'), 3);
        assert!(log.withhold("too many") && !log.withhold("too many"));
        let steps = log.take();
        assert_eq!((steps.hits[&(1, 'A')], steps.withheld.len()), (5, 1));
        assert!(log.take().hits.is_empty());
    }
}
