//! What the simulator does for an operation or a journey: its stages, as a calibration has them and an arm groups them.

use record::CLIENT;
use traffic::Journey;

use super::layout::Layout;
use super::setting::is_local_door;
use crate::calibrate::{ActivityKind, Calibration, Operation, Stage, calls_of};
use crate::dist::Distribution;
use crate::model::Work;

/// Builds the work of an arm's operations.
pub(super) struct WorkBuilder<'a> {
    pub calibration: &'a Calibration,
    pub layout: &'a Layout,
}

impl WorkBuilder<'_> {
    /// The work of an operation of a component.
    pub(super) fn operation(&self, component: &str, operation: &Operation) -> Work {
        let (before, after) = (operation.before.clamp(0.0, 1.0), 1.0 - operation.before.clamp(0.0, 1.0));
        let own = |share: f64| {
            let blocks = operation.blocking.mean_ns * share >= 1.0;
            let blocking = blocks.then(|| Work::Blocking(operation.blocking.distribution(share)));
            [Work::Cpu(operation.own.distribution(share))].into_iter().chain(blocking)
        };
        let stages = operation.stages.iter().map(|stage| self.stage(component, stage));
        let events = operation.events.iter().map(|(name, share)| self.event(name, *share));
        Work::Seq(own(before).chain(stages).chain(own(after)).chain(events).collect())
    }

    /// A journey: its requests, and between them the client's own time. The generator's CPU beside that is spent next to it.
    pub(super) fn journey(&self, journey: Journey) -> Work {
        let name = format!("{CLIENT}/{}", journey.name());
        let Some(operation) = self.calibration.operations.get(&name) else { return Work::None };
        let before = operation.before.clamp(0.0, 1.0);
        let wait = |share: f64| Work::Wait(operation.own.distribution(share));
        let stages = operation.stages.iter().map(|stage| self.stage(CLIENT, stage));
        if self.layout.scale.is_some() {
            // What asks is a world of users, whose machines are no part of what is predicted.
            return Work::Seq([wait(before)].into_iter().chain(stages).chain([wait(1.0 - before)]).collect());
        }
        let requests = calls_of(operation).map(|(_, share)| share).sum::<f64>();
        let cpu_ns = self.calibration.generator_ns * requests;
        let generator = Work::Cpu(Distribution::Constant(cpu_ns.max(0.0).round() as u64));
        Work::Seq(
            [Work::Spawn(Box::new(generator)), wait(before)]
                .into_iter()
                .chain(stages)
                .chain([wait(1.0 - before)])
                .collect(),
        )
    }

    /// An event on its way to its handler; its publisher does not wait.
    fn event(&self, handler: &str, share: f64) -> Work {
        let (component, operation) = handler.split_once('/').unwrap_or((handler, ""));
        let call = || Work::Spawn(Box::new(Work::Call(self.layout.own(component), operation.to_owned())));
        let whole = share.trunc();
        let certain = std::iter::repeat_with(call).take(whole as usize);
        let rest = (share > whole).then(|| Work::Sometimes(share - whole, Box::new(call())));
        Work::Seq(certain.chain(rest).collect())
    }

    /// A stage. Lanes are futures of one task: what stays in the process takes its turns on one thread, and only calls of
    /// other processes go on at the same time.
    fn stage(&self, component: &str, stage: &Stage) -> Work {
        let (mut lanes, mut here): (Vec<Work>, Vec<Work>) = (Vec::new(), Vec::new());
        for lane in &stage.lanes {
            let works = lane.iter().map(|activity| self.activity(component, &activity.what, activity.share));
            let work = Work::Seq(works.collect());
            let leaves = lane.iter().any(|activity| self.leaves(component, &activity.what));
            if leaves { lanes.push(work) } else { here.push(work) }
        }
        if !here.is_empty() {
            lanes.push(Work::Seq(here));
        }
        if lanes.len() == 1 { lanes.remove(0) } else { Work::all(lanes) }
    }

    /// Whether an activity is a call of another process.
    fn leaves(&self, component: &str, what: &ActivityKind) -> bool {
        let ActivityKind::Call(name) = what else { return false };
        let callee = name.split_once('/').map_or(name.as_str(), |(callee, _)| callee);
        component == CLIENT || !self.layout.is_local(component, callee)
    }

    fn activity(&self, component: &str, what: &ActivityKind, share: f64) -> Work {
        let work = match what {
            ActivityKind::Call(name) => {
                let (callee, operation) = name.split_once('/').unwrap_or((name.as_str(), ""));
                let call = Work::Call(self.layout.own(callee), operation.to_owned());
                match self.calibration.local_ns.round() as u64 {
                    ns if ns > 0 && is_local_door(self.layout, component, name) => {
                        Work::Seq(vec![Work::Cpu(Distribution::Constant(ns)), call])
                    }
                    _ => call,
                }
            }
            // Where it is asked: a reader's statement runs on the thread that serves the call.
            ActivityKind::Read(times) => Work::Cpu(times.distribution(1.0)),
            ActivityKind::Write(times) => {
                Work::Write(times.distribution(self.calibration.parameters.lock_hold.value))
            }
        };
        if share < 1.0 { Work::Sometimes(share, Box::new(work)) } else { work }
    }
}
