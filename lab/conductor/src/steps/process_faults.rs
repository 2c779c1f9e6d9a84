//! Faults of processes, from outside: signals, limits, restarts. How each is undone is written down before it is done.

use std::io;
use std::sync::Arc;

use fault::{Fault, ProcessFault};
use runtime::clock;
use runtime::limits::ResourceLimit;

use crate::arm::instance::Instance;
use crate::process::cgroup;
use crate::process::guardian::{Guardian, UndoAction};
use crate::steps::context::ActiveStep;

/// Delay before a process that crashes in a loop is restarted, where the topology names none.
const CRASHLOOP_RESTART_MS: u64 = 500;

/// Applies a fault to the instances of these names, and undoes it when the step ends.
pub(super) async fn apply(active: &ActiveStep<'_>, guardian: &Guardian, fault: &Fault, names: &[String]) {
    let Some(fault) = fault.process_fault() else { return };
    let faulted = FaultedInstances { active, guardian, fault, instances: active.instances(names) };
    match fault {
        ProcessFault::Kill(restart_after) => {
            faulted.apply_each(|instance| {
                // Of one that is down it would hold for another death.
                if let Some(delay) = restart_after.filter(|_| instance.is_running()) {
                    instance.restart_after(u64::try_from(delay.duration().as_millis()).unwrap_or(u64::MAX));
                }
                instance.kill()
            });
        }
        ProcessFault::Stop(within) => {
            let running = faulted.instances.iter().filter(|instance| instance.is_running()).count();
            let stops =
                faulted.instances.iter().map(|instance| active.arm.stop_copy(instance, within.duration()));
            futures_util::future::join_all(stops).await;
            active.count_hits(running as u64);
        }
        ProcessFault::Restart => faulted.restart().await,
        ProcessFault::Crashloop(every) => {
            while clock::now() < active.end() && !active.has_ended_early() {
                faulted.apply_each(|instance| {
                    if active.arm.plan.placement.restart.is_none() && instance.is_running() {
                        instance.restart_after(CRASHLOOP_RESTART_MS);
                    }
                    instance.kill()
                });
                active.wait_until((clock::now() + every.duration()).min(active.end())).await;
            }
        }
        ProcessFault::Pause => {
            let entries = faulted.record_undo(|instance| UndoAction::Continue(instance.identity()));
            let ended = faulted.apply_each(Instance::pause);
            active.wait().await;
            faulted.count_successors(&ended);
            faulted.undo_each(Instance::resume);
            guardian.mark_undone(entries);
        }
        ProcessFault::CpuQuota(cores) => faulted.quota(cores).await,
        ProcessFault::Memory(limit) => faulted.limit(ResourceLimit::Data, limit.get()).await,
        ProcessFault::OpenFiles(limit) => faulted.limit(ResourceLimit::Files, limit).await,
        // Of servers alone.
        ProcessFault::DiskFull => {}
    }
}

/// The instances that a process fault acts on.
struct FaultedInstances<'a> {
    active: &'a ActiveStep<'a>,
    guardian: &'a Guardian,
    fault: ProcessFault,
    instances: Vec<Arc<Instance>>,
}

impl FaultedInstances<'_> {
    /// Acts on each instance; counts a hit for each whose process runs, and logs what failed. Returns the others: their
    /// processes have ended already, and nothing was done to them.
    fn apply_each(&self, act: impl Fn(&Instance) -> io::Result<()>) -> Vec<&Arc<Instance>> {
        let mut ended = Vec::new();
        for instance in &self.instances {
            let is_running = instance.is_running();
            match act(instance) {
                Ok(()) if is_running => self.active.count_hits(1),
                Ok(()) => {
                    self.active.log(format!("{} {} has ended already", self.active.letter(), instance.name));
                    ended.push(instance);
                }
                Err(error) => self.active.log(format!(
                    "{} {} could not be {}: {error}",
                    self.active.letter(),
                    instance.name,
                    self.fault.name()
                )),
            }
        }
        ended
    }

    /// Counts a hit for those that have started again since: what is in force holds for a successor, too.
    fn count_successors(&self, ended: &[&Arc<Instance>]) {
        let running = ended.iter().filter(|instance| instance.is_running());
        self.active.count_hits(running.count() as u64);
    }

    /// Undoes the fault on each instance; what fails is reported with the verdict.
    fn undo_each(&self, act: impl Fn(&Instance) -> io::Result<()>) {
        for instance in &self.instances {
            if let Err(error) = act(instance) {
                self.not_undone(instance, &error);
            }
        }
    }

    fn not_undone(&self, instance: &Instance, error: &io::Error) {
        self.active.context.log.not_cleaned_up(format!(
            "{} {} is still {}: {error}",
            self.active.letter(),
            instance.name,
            self.fault.name()
        ));
    }

    /// Written and on disk before anything is done: a dead conductor undoes nothing.
    fn record_undo(&self, undo: impl Fn(&Instance) -> UndoAction) -> Vec<u64> {
        self.instances.iter().filter_map(|instance| self.guardian.record_undo(&undo(instance))).collect()
    }

    /// Ends each instance and starts it again, one after another.
    async fn restart(&self) {
        for instance in &self.instances {
            match self.active.arm.recreate_copy(instance, &|_| {}).await {
                Ok(()) => self.active.count_hits(1),
                Err(error) => self.active.log(error.to_string()),
            }
        }
    }

    /// Limits a resource of each instance until the step ends.
    async fn limit(&self, what: ResourceLimit, to: u64) {
        let step = self.active.step.number;
        let entries = self.record_undo(|instance| UndoAction::Lift(instance.identity(), what));
        let ended = self.apply_each(|instance| instance.add_limit(step, what, to));
        self.active.wait().await;
        self.count_successors(&ended);
        self.undo_each(|instance| instance.remove_limit(step, what));
        self.guardian.mark_undone(entries);
    }

    /// Puts a control group around each instance, and around its successor while the step lasts. Where none can be
    /// made, the step is marked as degraded and the run as inconclusive.
    async fn quota(&self, cores: f64) {
        let (active, step) = (self.active, self.active.step.number);
        let mut groups = Vec::new();
        for instance in &self.instances {
            let name = quota_group(&active.arm.plan.config.run_id, step, active.letter(), &instance.name);
            let made = active.arm.plan.group_for(&name).map(|group| {
                let entry = self.guardian.record_undo(&UndoAction::Group(group.clone()));
                (cgroup::create(&group, cores), group, entry)
            });
            let Some((Ok(()), group, entry)) = made else {
                active.mark_degraded("this machine has no control group of CPU that `cleave` may make");
                break;
            };
            let is_running = instance.is_running();
            if instance.enter_cgroup(step, cores, group.clone()).is_ok() && is_running {
                active.count_hits(1);
            }
            groups.push((instance, group, entry));
        }
        active.wait().await;
        for (instance, group, entry) in groups {
            if let Err(error) = instance.leave_cgroup(step) {
                self.not_undone(instance, &error);
            }
            if cgroup::remove(&group) {
                self.guardian.mark_undone(entry.into_iter().collect());
            }
        }
    }
}

/// The name of the control group around an instance: one a step and instance, and unique on the machine.
fn quota_group(run_id: &str, step: u32, arm: char, instance: &str) -> String {
    format!("cleave-{run_id}-step-{step}-{arm}-{}", instance.replace('#', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_and_instance_has_a_group_of_its_own() {
        let name = quota_group("20260101-000000-abcd", 3, 'A', "feed#1");
        assert_eq!(name, "cleave-20260101-000000-abcd-step-3-A-feed-1");
        assert!(!name.contains('/'), "one folder below the root of the groups");
        assert_ne!(name, quota_group("20260101-000000-abcd", 4, 'A', "feed#1"));
    }
}
