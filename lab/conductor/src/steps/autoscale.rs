//! `autoscale`: as long as the step lasts, copies of a process come and go by what they do.
//!
//! The decision is [`policy::Autoscaler`]'s; here are its figures, from the samples of processes, and what is done about it.

use std::time::Duration;

use contract::ProcessPlan;
use policy::autoscale::{Target, reason};
use policy::{AutoscaleOptions, Autoscaler};
use record::{EventKind, Proc};
use runtime::clock;

use crate::steps::context::ActiveStep;
use crate::steps::copies;

/// How often it decides: processes are sampled once a second.
const DECISION_INTERVAL: Duration = Duration::from_secs(1);

/// Scales every process that the step names, each by its own figures, until the step ends. The copies there are then stay.
pub(super) async fn autoscale(active: &ActiveStep<'_>, options: &AutoscaleOptions, names: &[String]) {
    let processes = copies::processes(active, names);
    let scaled = processes.iter().map(|process| scale(active, options, process));
    futures_util::future::join_all(scaled).await;
}

async fn scale(active: &ActiveStep<'_>, options: &AutoscaleOptions, process: &ProcessPlan) {
    let (letter, arm, record) = (active.letter(), active.arm, active.context.record);
    let event = |text: String| record.event(EventKind::Scale, active.step.number, text);
    if copies::has_one_port(process) {
        return event(format!("{letter} {}: it has one port and cannot be copied", process.name));
    }
    let components = counted_components(active, process);
    let mut autoscaler = Autoscaler::new(*options);
    loop {
        let left = active.end().saturating_duration_since(clock::now());
        if left.is_zero() || active.has_ended_early() {
            return;
        }
        let all = arm.copies(&process.name);
        let now = record.now();
        let total = figure(active, options.target(), process, &components, now);
        // Copies that are paused or dead count, so that there are never more than `max`: bringing them back is their
        // supervisor's part.
        let wanted = autoscaler.decide(now, all.len() as u32, total);
        active.count_hits(1);
        if wanted as usize != all.len() {
            event(format!(
                "{letter} {}: {} to {wanted} copies{}",
                process.name,
                all.len(),
                reason(options.target(), total)
            ));
            if let Err(error) = copies::resize(arm, process, wanted).await {
                event(error.to_string());
            }
        }
        let left = active.end().saturating_duration_since(clock::now());
        tokio::time::sleep(DECISION_INTERVAL.min(left)).await;
    }
}

/// Components whose requests and calls count: the one that the step names, or all of the process.
fn counted_components(active: &ActiveStep<'_>, process: &ProcessPlan) -> Vec<String> {
    let named = active.step.target.and_then(fault::Target::component);
    let hosted = || process.hosts.iter().map(|host| host.as_str().to_owned());
    match hosted().find(|host| named.is_some_and(|name| name.as_str() == *host)) {
        Some(named) => vec![named],
        None => hosted().collect(),
    }
}

/// What the copies of a process do together, in the unit of the target.
fn figure(
    active: &ActiveStep<'_>,
    target: Option<Target>,
    process: &ProcessPlan,
    components: &[String],
    now: u64,
) -> Option<f64> {
    let finished = |proc: &Proc| {
        components.iter().filter_map(|component| proc.work.get(component)).map(|work| work[0]).sum::<u64>()
    };
    active.context.record.query(|run| match target? {
        Target::Requests(_) => run.copies_rate_at(active.letter(), &process.name, now, finished),
        Target::Cpu(_) => {
            let spent = run.copies_rate_at(active.letter(), &process.name, now, |proc| proc.cpu_ns);
            spent.map(|ns| ns / 1e9)
        }
    })?
}
