//! What is done to processes from outside: signals, limits, restarts. Written down before it is done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fault::{Deed, Fault};
use record::EventKind;
use runtime::limits::Limited;
use scenario::Step;

use crate::arm::Arm;
use crate::guardian::Undo;
use crate::instance::Instance;
use crate::timeline::Play;

/// A process that crashes in a loop comes back so soon where the topology says nothing.
const LOOP_BACK_MS: u64 = 500;

/// Carries a deed out on the instances reached, and undoes it when the step ends.
pub(crate) async fn carry_out(
    play: &Play<'_>,
    step: &Step,
    fault: &Fault,
    arm: &Arc<Arm>,
    names: &[String],
    end: Instant,
) {
    let Some(deed) = fault.deed() else { return };
    let letter = arm.plan.letter;
    let instances: Vec<Arc<Instance>> =
        arm.instances().into_iter().filter(|instance| names.contains(&instance.name)).collect();
    let each = |act: &dyn Fn(&Instance) -> std::io::Result<()>| {
        for instance in &instances {
            match act(instance) {
                Ok(()) => play.hit(step, letter, 1),
                Err(error) => {
                    let text = format!("{letter} {} could not be {}: {error}", instance.name, deed.name());
                    play.lines.event(EventKind::Log, step.number, text);
                }
            }
        }
    };
    let undone = |act: &dyn Fn(&Instance) -> std::io::Result<()>| {
        for instance in &instances {
            if let Err(error) = act(instance) {
                let text = format!("{letter} {} is still {}: {error}", instance.name, deed.name());
                play.log.lock().expect("no panic while held").left.push(text);
            }
        }
    };
    match deed {
        Deed::Kill(back) => each(&|instance| {
            if let Some(back) = back {
                instance.bring_back_after(u64::try_from(back.duration().as_millis()).unwrap_or(u64::MAX));
            }
            instance.kill()
        }),
        Deed::Stop(within) => {
            let stopping = instances.iter().map(|instance| stop(play, instance, within.duration()));
            futures_util::future::join_all(stopping).await;
            play.hit(step, letter, instances.len() as u64);
        }
        Deed::Restart => {
            for instance in &instances {
                match arm.recreate(play.ground, instance, play.lines, &|_| {}).await {
                    Ok(()) => play.hit(step, letter, 1),
                    Err(error) => play.lines.event(EventKind::Log, step.number, error.to_string()),
                }
            }
        }
        Deed::Crashloop(every) => {
            while runtime::clock::now() < end && !play.is_over(step, letter) {
                each(&|instance| {
                    if arm.plan.placement.restart.is_none() {
                        instance.bring_back_after(LOOP_BACK_MS);
                    }
                    instance.kill()
                });
                let next = runtime::clock::now() + every.duration();
                play.wait(step, letter, next.min(end)).await;
            }
        }
        Deed::Pause => {
            let entries = journal(play, &instances, &|instance| Undo::Continue(instance.identity()));
            each(&Instance::pause);
            play.wait(step, letter, end).await;
            undone(&Instance::resume);
            play.guardian.done(entries);
        }
        Deed::Quota(cores) => quota(play, step, arm, &instances, cores, end).await,
        Deed::Memory(limit) => {
            limited(play, step, letter, &instances, Limited::Data, limit.get(), end, &each, &undone).await
        }
        Deed::Files(limit) => {
            limited(play, step, letter, &instances, Limited::Files, limit, end, &each, &undone).await
        }
    }
}

/// A control group around each instance, and around its successor while the step lasts. Where there
/// are none to make, the step is told as degraded and the run as inconclusive.
async fn quota(
    play: &Play<'_>,
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
        let made = crate::cgroup::place(&name).map(|group| {
            let entry = play.guardian.about_to(&Undo::Group(group.clone()));
            (crate::cgroup::make(&group, cores), group, entry)
        });
        let Some((Ok(()), group, entry)) = made else {
            play.degraded(step, letter, "this machine lets us make no control group");
            break;
        };
        if instance.confine(step.number, cores, group.clone()).is_ok() {
            play.hit(step, letter, 1);
        }
        groups.push((instance, group, entry));
    }
    play.wait(step, letter, end).await;
    for (instance, group, entry) in groups {
        if let Err(error) = instance.release(step.number) {
            let text = format!("{letter} {} is still confined: {error}", instance.name);
            play.log.lock().expect("no panic while held").left.push(text);
        }
        crate::cgroup::remove(&group);
        play.guardian.done(entry.into_iter().collect());
    }
}

type Act<'a> = &'a dyn Fn(&Instance) -> std::io::Result<()>;

#[expect(clippy::too_many_arguments, reason = "the common part of two deeds")]
async fn limited(
    play: &Play<'_>,
    step: &Step,
    letter: char,
    instances: &[Arc<Instance>],
    what: Limited,
    to: u64,
    end: Instant,
    each: &dyn Fn(Act<'_>),
    undone: &dyn Fn(Act<'_>),
) {
    let entries = journal(play, instances, &|instance| Undo::Lift(instance.identity(), what));
    each(&|instance| instance.limit(step.number, what, to));
    play.wait(step, letter, end).await;
    undone(&|instance| instance.lift(step.number, what));
    play.guardian.done(entries);
}

/// Written and on disk before anything is done: a dead conductor undoes nothing.
fn journal(play: &Play<'_>, instances: &[Arc<Instance>], undo: &dyn Fn(&Instance) -> Undo) -> Vec<u64> {
    instances.iter().filter_map(|instance| play.guardian.about_to(&undo(instance))).collect()
}

async fn stop(play: &Play<'_>, instance: &Arc<Instance>, within: Duration) {
    instance.set_leaving(true);
    let leaving = crate::instance::leave(play.ground, instance);
    if tokio::time::timeout(within, leaving).await.is_err() {
        // It had its time.
        let _ = instance.kill();
    }
}
