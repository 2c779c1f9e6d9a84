//! What is done to processes from outside: signals, limits, restarts. Written down before it is done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fault::{Fault, ProcessFault};
use record::EventKind;
use runtime::limits::ResourceLimit;
use scenario::Step;

use crate::arm::Arm;
use crate::arm::instance::Instance;
use crate::process::guardian::UndoAction;
use crate::steps::timeline::StepContext;

/// A process that crashes in a loop comes back so soon where the topology says nothing.
const CRASHLOOP_RESTART_MS: u64 = 500;

/// Carries a deed out on the instances reached, and undoes it when the step ends.
pub(crate) async fn apply(
    context: &StepContext<'_>,
    step: &Step,
    fault: &Fault,
    arm: &Arc<Arm>,
    names: &[String],
    end: Instant,
) {
    let Some(process_fault) = fault.process_fault() else { return };
    let letter = arm.plan.letter;
    let instances: Vec<Arc<Instance>> =
        arm.instances().into_iter().filter(|instance| names.contains(&instance.name)).collect();
    let apply_each = |act: &dyn Fn(&Instance) -> std::io::Result<()>| {
        for instance in &instances {
            match act(instance) {
                Ok(()) => context.hit(step, letter, 1),
                Err(error) => {
                    let text =
                        format!("{letter} {} could not be {}: {error}", instance.name, process_fault.name());
                    context.record.event(EventKind::Log, step.number, text);
                }
            }
        }
    };
    let undo_each = |act: &dyn Fn(&Instance) -> std::io::Result<()>| {
        for instance in &instances {
            if let Err(error) = act(instance) {
                let text = format!("{letter} {} is still {}: {error}", instance.name, process_fault.name());
                context.log.lock().expect("no panic while held").not_cleaned_up.push(text);
            }
        }
    };
    match process_fault {
        ProcessFault::Kill(back) => apply_each(&|instance| {
            if let Some(back) = back {
                instance.restart_after(u64::try_from(back.duration().as_millis()).unwrap_or(u64::MAX));
            }
            instance.kill()
        }),
        ProcessFault::Stop(within) => {
            let stopping = instances.iter().map(|instance| stop(context, instance, within.duration()));
            futures_util::future::join_all(stopping).await;
            context.hit(step, letter, instances.len() as u64);
        }
        ProcessFault::Restart => {
            for instance in &instances {
                match arm.recreate_copy(context.environment, instance, context.record, &|_| {}).await {
                    Ok(()) => context.hit(step, letter, 1),
                    Err(error) => context.record.event(EventKind::Log, step.number, error.to_string()),
                }
            }
        }
        ProcessFault::Crashloop(every) => {
            while runtime::clock::now() < end && !context.has_ended_early(step, letter) {
                apply_each(&|instance| {
                    if arm.plan.placement.restart.is_none() {
                        instance.restart_after(CRASHLOOP_RESTART_MS);
                    }
                    instance.kill()
                });
                let next = runtime::clock::now() + every.duration();
                context.wait_until(step, letter, next.min(end)).await;
            }
        }
        ProcessFault::Pause => {
            let entries = journal(context, &instances, &|instance| UndoAction::Continue(instance.identity()));
            apply_each(&Instance::pause);
            context.wait_until(step, letter, end).await;
            undo_each(&Instance::resume);
            context.guardian.mark_undone(entries);
        }
        ProcessFault::CpuQuota(cores) => quota(context, step, arm, &instances, cores, end).await,
        ProcessFault::Memory(limit) => {
            limited(
                context,
                step,
                letter,
                &instances,
                ResourceLimit::Data,
                limit.get(),
                end,
                &apply_each,
                &undo_each,
            )
            .await
        }
        ProcessFault::OpenFiles(limit) => {
            limited(
                context,
                step,
                letter,
                &instances,
                ResourceLimit::Files,
                limit,
                end,
                &apply_each,
                &undo_each,
            )
            .await
        }
    }
}

/// A control group around each instance, and around its successor while the step lasts. Where there
/// are none to make, the step is told as degraded and the run as inconclusive.
async fn quota(
    context: &StepContext<'_>,
    step: &Step,
    arm: &Arm,
    instances: &[Arc<Instance>],
    cores: f64,
    end: Instant,
) {
    let letter = arm.plan.letter;
    let mut groups = Vec::new();
    for instance in instances {
        let name = instance.name.replace('#', "-");
        let name = format!("cleave-{}-step-{}-{letter}-{name}", arm.plan.config.run_id, step.number);
        let made = crate::process::cgroup::path_for(&name).map(|group| {
            let entry = context.guardian.record_undo(&UndoAction::Group(group.clone()));
            (crate::process::cgroup::create(&group, cores), group, entry)
        });
        let Some((Ok(()), group, entry)) = made else {
            context.mark_degraded(step, letter, "this machine lets us make no control group");
            break;
        };
        if instance.enter_cgroup(step.number, cores, group.clone()).is_ok() {
            context.hit(step, letter, 1);
        }
        groups.push((instance, group, entry));
    }
    context.wait_until(step, letter, end).await;
    for (instance, group, entry) in groups {
        if let Err(error) = instance.leave_cgroup(step.number) {
            let text = format!("{letter} {} is still confined: {error}", instance.name);
            context.log.lock().expect("no panic while held").not_cleaned_up.push(text);
        }
        crate::process::cgroup::remove(&group);
        context.guardian.mark_undone(entry.into_iter().collect());
    }
}

type Act<'a> = &'a dyn Fn(&Instance) -> std::io::Result<()>;

#[expect(clippy::too_many_arguments, reason = "the common part of two faults")]
async fn limited(
    context: &StepContext<'_>,
    step: &Step,
    letter: char,
    instances: &[Arc<Instance>],
    what: ResourceLimit,
    to: u64,
    end: Instant,
    apply_each: &dyn Fn(Act<'_>),
    undo_each: &dyn Fn(Act<'_>),
) {
    let entries = journal(context, instances, &|instance| UndoAction::Lift(instance.identity(), what));
    apply_each(&|instance| instance.add_limit(step.number, what, to));
    context.wait_until(step, letter, end).await;
    undo_each(&|instance| instance.remove_limit(step.number, what));
    context.guardian.mark_undone(entries);
}

/// Written and on disk before anything is done: a dead conductor undoes nothing.
fn journal(
    context: &StepContext<'_>,
    instances: &[Arc<Instance>],
    undo: &dyn Fn(&Instance) -> UndoAction,
) -> Vec<u64> {
    instances.iter().filter_map(|instance| context.guardian.record_undo(&undo(instance))).collect()
}

async fn stop(context: &StepContext<'_>, instance: &Arc<Instance>, within: Duration) {
    instance.set_stopping(true);
    let stopping = crate::arm::instance::stop(context.environment, instance);
    if tokio::time::timeout(within, stopping).await.is_err() {
        // It had its time.
        let _ = instance.kill();
    }
}
