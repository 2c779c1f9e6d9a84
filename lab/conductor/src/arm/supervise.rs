//! Restarts an instance that ended, as the topology or a step says.

use std::sync::Arc;
use std::time::Duration;

use record::EventKind;
use runtime::ShutdownPolicy;
use tokio::sync::watch;

use crate::arm::arm_plan::{ArmError, ArmPlan};
use crate::arm::children::describe_exit;
use crate::arm::environment::RunEnvironment;
use crate::arm::instance::{Health, Instance};
use crate::arm::launch::launch;

/// Watches an instance until the arm shuts down or nothing asks for a restart. The task belongs to the
/// environment's tasks.
pub(super) fn supervise(
    environment: &RunEnvironment,
    plan: &ArmPlan,
    instance: &Arc<Instance>,
    mut shutdown: watch::Receiver<bool>,
) {
    let (environment, plan, instance) = (environment.clone(), plan.clone(), instance.clone());
    let tasks = environment.tasks.clone();
    tasks.spawn("lab.supervise", ShutdownPolicy::Cancel, async move {
        let health = |text: String| environment.record.event(EventKind::Health, 0, text);
        while let Some(running) = instance.running() {
            let status = tokio::select! {
                status = running.wait() => status,
                _ = shutdown.wait_for(|shutdown| *shutdown) => return,
            };
            let since = runtime::clock::now();
            instance.state().health = Health::Down;
            if instance.is_stopping() {
                return;
            }
            let name = format!("{} {}", plan.letter, instance.name);
            health(format!("{name} went down: {}", describe_exit(status)));
            loop {
                let restarts = instance.status().restarts;
                let by_topology = plan.placement.restart.filter(|restart| restarts < restart.max);
                let delay_ms = instance.take_restart_delay().or(by_topology.map(|restart| restart.after));
                let Some(delay_ms) = delay_ms else { return };
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(delay_ms)) => {}
                    _ = shutdown.wait_for(|shutdown| *shutdown) => return,
                }
                instance.state().restarts += 1;
                match launch(&environment, &plan, instance.clone()).await {
                    Ok(()) => {
                        let gap = since.elapsed().as_secs_f64();
                        health(format!("{name} down -> up after {gap:.2}s"));
                        break;
                    }
                    Err(error) => health(format!("{name} did not come back: {}", with_cause(&error))),
                }
                match instance.running().filter(|latest| !Arc::ptr_eq(latest, &running)) {
                    // No process was started: the one that ended does not end again.
                    None => {}
                    // It runs and does not serve: its log shows why.
                    Some(latest) if latest.exit_status().is_none() => return,
                    Some(_) => break,
                }
            }
        }
    });
}

/// An error with what it comes from: a process that did not start is no use without the reason.
fn with_cause(error: &ArmError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
