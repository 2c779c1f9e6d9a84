//! What a step needs: itself, its arm, and the record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use record::{Entry, Event, EventKind, Verdict};
use runtime::clock;
use scenario::{Action, Step};
use scorecard::{Expectation, judge};

use crate::arm::Arm;
use crate::arm::instance::Instance;
use crate::observe::record_writer::RecordWriter;
use crate::steps::log::{StepKey, StepLog};

/// How often the condition of a step is judged.
const CONDITION_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// What all steps of a block share.
#[derive(Clone, Copy)]
pub(crate) struct StepContext<'a> {
    /// Decides where only some instances are picked, and what faults draw.
    pub seed: u64,
    /// When the load began.
    pub load_start: Instant,
    pub record: &'a RecordWriter,
    pub log: &'a StepLog,
}

impl StepContext<'_> {
    fn start(&self, step: &Step) -> Instant {
        self.load_start + Duration::from_nanos(step.start_ns)
    }

    fn end(&self, step: &Step) -> Instant {
        self.start(step) + Duration::from_nanos(step.length_ns)
    }
}

/// A step as it is played in one arm.
#[derive(Clone, Copy)]
pub(super) struct ActiveStep<'a> {
    pub context: StepContext<'a>,
    pub step: &'a Step,
    pub arm: &'a Arc<Arm>,
}

impl ActiveStep<'_> {
    /// The arm's letter.
    pub fn letter(&self) -> char {
        self.arm.plan.letter
    }

    /// The step's number and the arm's letter.
    pub fn key(&self) -> StepKey {
        (self.step.number, self.letter())
    }

    /// When the step begins.
    pub fn start(&self) -> Instant {
        self.context.start(self.step)
    }

    /// When it ends, unless its condition ends it earlier.
    pub fn end(&self) -> Instant {
        self.context.end(self.step)
    }

    /// Adds to its hits.
    pub fn count_hits(&self, count: u64) {
        self.context.log.count_hits(self.key(), count);
    }

    /// Writes a line of the log.
    pub fn log(&self, text: impl Into<String>) {
        self.context.record.event(EventKind::Log, self.step.number, text);
    }

    /// Writes where a step of several parts stands.
    pub fn mark(&self, mark: &str, text: String) {
        let what =
            if matches!(self.step.action, Action::Scale(_)) { EventKind::Scale } else { EventKind::Deploy };
        self.context.record.append(Entry::Event(Event {
            number: self.step.number,
            what,
            active: None,
            mark: Some((self.letter(), mark.to_owned())),
            targets: std::collections::BTreeMap::new(),
            text,
        }));
    }

    /// Notes that this machine cannot carry the step out: the run is inconclusive then.
    pub fn mark_degraded(&self, why: &str) {
        let reason = format!("step {}: {why} (see `cleave doctor`)", self.step.number);
        self.log(reason.clone());
        self.context.log.degrade(self.key(), reason);
    }

    /// The instances of these names, as they are now.
    pub fn instances(&self, names: &[String]) -> Vec<Arc<Instance>> {
        self.arm.instances_named(names)
    }

    /// Whether the step's condition ends it now.
    pub fn has_ended_early(&self) -> bool {
        let Some(until) = &self.step.until else { return false };
        let from = u32::try_from(self.step.start_ns / 1_000_000_000).unwrap_or(0);
        let holds = self.judge(until, from).is_some_and(|(verdict, _)| verdict == Verdict::Pass);
        self.context.log.has_held(self.key(), holds, Duration::from_nanos(until.held_ns))
    }

    /// The verdict of a condition in this arm over the seconds from `from` until now, and whether its value alone
    /// meets it.
    pub fn judge(&self, that: &Expectation, from: u32) -> Option<(Verdict, bool)> {
        let now = clock::now().saturating_duration_since(self.context.load_start).as_secs();
        let to = u32::try_from(now).unwrap_or(u32::MAX).max(from + 1);
        let that = that.over_seconds(from, to);
        self.context.record.query(|run| judge::condition_in(run, self.letter(), &that))?
    }

    /// Sleeps until `end`, or until the step's condition holds.
    pub async fn wait_until(&self, end: Instant) {
        loop {
            let left = end.saturating_duration_since(clock::now());
            if left.is_zero() || self.has_ended_early() {
                return;
            }
            let pause = if self.step.until.is_some() { CONDITION_POLL_INTERVAL.min(left) } else { left };
            tokio::time::sleep(pause).await;
        }
    }

    /// Sleeps until the step's end, or until its condition holds.
    pub async fn wait(&self) {
        self.wait_until(self.end()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_step_begins_and_ends_on_the_clock_of_the_load() {
        let (record, _folder) = fixture::record();
        let log = StepLog::default();
        let load_start = clock::now();
        let context = StepContext { seed: 1, load_start, record: &record, log: &log };
        let scenario = fixture::scenario(&fixture::two_arms(
            "[[step]]\nid = \"slow\"\nin = \"steady\"\ndo = \"delay\"\non = \"feed\"\nby = \"10ms\"\nat = \"+1s\"\nfor = \"2s\"\n",
        ));
        // A second of warming, and one more into the phase.
        let [step] = &scenario.steps[..] else { panic!("one step") };
        assert_eq!(context.start(step), load_start + Duration::from_secs(2));
        assert_eq!(context.end(step), load_start + Duration::from_secs(4));
    }
}
