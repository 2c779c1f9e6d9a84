//! Copies that come and go: scaling, draining, and replacing one by a changed one.

use std::sync::Arc;

use contract::ProcessPlan;
use node::NodeConfig;
use record::EventKind;

use crate::arm::Arm;
use crate::arm::arm_plan::ArmError;
use crate::arm::instance::Instance;
use crate::steps::context::ActiveStep;

/// A change of a copy's configuration.
pub(super) type Change<'a> = dyn Fn(&mut NodeConfig) + Sync + 'a;

/// The processes of the instances reached, each once.
pub(super) fn processes(active: &ActiveStep<'_>, names: &[String]) -> Vec<ProcessPlan> {
    let mut found: Vec<ProcessPlan> = Vec::new();
    for instance in active.instances(names) {
        if found.iter().all(|process| process.name != instance.process.name) {
            found.push(instance.process.clone());
        }
    }
    found
}

/// Whether a process has a port that is known beforehand, so that there can be one copy only.
pub(super) fn has_one_port(process: &ProcessPlan) -> bool {
    process.gateway || process.registry
}

/// `scale`: copies are added until they serve, or drain away, the newest first.
pub(super) async fn scale(active: &ActiveStep<'_>, to: u32, names: &[String]) {
    let (letter, arm) = (active.letter(), active.arm);
    let event = |text: String| active.context.record.event(EventKind::Scale, active.step.number, text);
    for process in processes(active, names) {
        if has_one_port(&process) {
            event(format!("{letter} {}: it has one port and cannot be copied", process.name));
            continue;
        }
        let copies = || arm.copies(&process.name);
        active.mark("began", format!("{letter} {}: {} to {to} copies", process.name, copies().len()));
        if let Err(error) = resize(arm, &process, to).await {
            return event(error.to_string());
        }
        active.mark("done", format!("{letter} {}: {to} copies serve", process.name));
        active.count_hits(1);
    }
}

/// Adds copies of a process until `to` serve, or lets the newest drain away.
pub(super) async fn resize(arm: &Arm, process: &ProcessPlan, to: u32) -> Result<(), ArmError> {
    let copies = || arm.copies(&process.name);
    while copies().len() < to as usize {
        arm.add_copy(process, None, &|_| {}).await?;
    }
    while copies().len() > to as usize {
        let Some(last) = copies().pop() else { break };
        arm.remove_copy(&last).await;
    }
    Ok(())
}

/// `drain`: copies finish what they have and end for good.
pub(super) async fn drain(active: &ActiveStep<'_>, names: &[String]) {
    let letter = active.letter();
    for instance in active.instances(names) {
        let is_running = instance.is_running();
        active.mark("began", format!("{letter} {} drains", instance.name));
        active.arm.remove_copy(&instance).await;
        active.mark("done", format!("{letter} {} has left", instance.name));
        active.count_hits(u64::from(is_running));
    }
}

/// A changed copy takes over from one that is removed afterwards; a gateway, whose port users know, is replaced in
/// place. Whether it does; what prevents it is recorded.
pub(super) async fn replace_copy(active: &ActiveStep<'_>, old: &Arc<Instance>, change: &Change<'_>) -> bool {
    let arm = active.arm;
    let result = if old.process.gateway {
        arm.recreate_copy(old, change).await
    } else {
        match arm.add_copy(&old.process, Some(old), change).await {
            Ok(_) => {
                arm.remove_copy(old).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    };
    match &result {
        Ok(()) => active.count_hits(1),
        Err(error) => {
            active.context.record.event(EventKind::Deploy, active.step.number, error.to_string());
        }
    }
    result.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_and_a_registry_have_one_port() {
        let process = ProcessPlan::holding(contract::ComponentName::of("feed"));
        assert!(!has_one_port(&process));
        assert!(has_one_port(&ProcessPlan { gateway: true, ..process.clone() }));
        assert!(has_one_port(&ProcessPlan { registry: true, ..process }));
    }
}
