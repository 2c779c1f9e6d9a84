//! Copies that come and go: scaling, deploys of registered builds, draining, changed settings.
//!
//! What holds the public door in the same process has one port and so one copy: it is
//! replaced all at once, whatever the strategy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::{ComponentName, ProcessPlan};
use fault::kinds::{Abort, Delay};
use fault::{Fault, Lease, Match, Pattern, ShareOf, Target};
use node::NodeConfig;
use policy::units::Ratio;
use record::{EventKind, Verdict};
use scenario::Step;
use scenario::action::{Action, Build, Deploy, Reconfigure, RolloutKind};

use crate::arm::Arm;
use crate::arm::instance::{ArmError, Instance};
use crate::steps::timeline::StepContext;

/// Leases that a build brings along begin so.
pub(crate) const BUILD_LEASE_PREFIX: &str = "build:";
/// How often a canary is looked at.
const PROMOTION_POLL_INTERVAL: Duration = Duration::from_millis(500);
/// A copy has a thousand shares of requests, a canary a part of that.
const COPY_WEIGHT: f64 = 1_000.0;

type Change<'a> = dyn Fn(&mut NodeConfig) + Sync + 'a;

/// What a build is, in a node's configuration. Only the component named is affected,
/// also where the whole program is replaced.
fn build_leases(build: Build, component: Option<ComponentName>, seed: u64) -> (Vec<Lease>, u32) {
    let lease = |fault: Fault, matching: Match| Lease {
        id: format!("{BUILD_LEASE_PREFIX}{}", build.name()),
        order: 0,
        fault,
        target: Target::Node(component.map_or(Pattern::Any, Pattern::Component)),
        matching,
        copies: Vec::new(),
        detours: Vec::new(),
        ramp_ms: 0,
        seed,
    };
    let abort = || Fault::Abort(Abort::with(500).expect("a failure"));
    match build {
        Build::Good => (Vec::new(), 1),
        Build::BadErrors => (vec![lease(abort(), Match::share(Ratio::new(0.4), ShareOf::Calls))], 1),
        Build::BadSlow => {
            (vec![lease(Fault::Delay(Delay::by(Duration::from_millis(500))), Match::default())], 1)
        }
        Build::BadLeak => {
            let leak = serde_json::json!({ "do": "leak", "size": "1MiB" });
            (vec![lease(serde_json::from_value(leak).expect("a leak"), Match::default())], 1)
        }
        Build::IncompatibleSchema => (Vec::new(), 2),
    }
}

fn to_build(build: Build, component: Option<ComponentName>, seed: u64) -> impl Fn(&mut NodeConfig) + Sync {
    let (defects, schema) = build_leases(build, component, seed);
    move |config: &mut NodeConfig| {
        config.build = build.name().to_owned();
        config.defects.clone_from(&defects);
        config.schema = schema;
    }
}

/// What is deployed here: the variant may say otherwise than the step.
fn variant_deploy(context: &StepContext<'_>, deploy: &Deploy, arm: &Arm) -> Deploy {
    let planned = context.scenario.arms.iter().find(|planned| planned.name == arm.plan.name);
    let build = planned.and_then(|planned| planned.build).unwrap_or(deploy.build);
    Deploy { build, ..deploy.clone() }
}

/// The processes of the instances reached, each once.
fn processes(arm: &Arm, names: &[String]) -> Vec<ProcessPlan> {
    let mut found: Vec<ProcessPlan> = Vec::new();
    for instance in arm.instances().iter().filter(|instance| names.contains(&instance.name)) {
        if found.iter().all(|process| process.name != instance.process.name) {
            found.push(instance.process.clone());
        }
    }
    found
}

/// `scale`: copies are added until they serve, or drain away, the newest first.
pub(crate) async fn scale(context: &StepContext<'_>, step: &Step, to: u32, arm: &Arc<Arm>, names: &[String]) {
    let letter = arm.plan.letter;
    for process in processes(arm, names) {
        if process.gateway || process.registry {
            let text = format!("{letter} {}: it has one port and cannot be copied", process.name);
            context.record.event(EventKind::Scale, step.number, text);
            continue;
        }
        let before = arm.copies(&process.name).len();
        context.mark(step, letter, "began", format!("{letter} {}: {before} to {to} copies", process.name));
        while arm.copies(&process.name).len() < to as usize {
            if let Err(error) = arm.add_copy(context.environment, &process, context.record, &|_| {}).await {
                context.record.event(EventKind::Scale, step.number, error.to_string());
                return;
            }
        }
        while arm.copies(&process.name).len() > to.max(1) as usize {
            let Some(last) = arm.copies(&process.name).pop() else { break };
            arm.remove_copy(context.environment, &last).await;
        }
        context.mark(step, letter, "done", format!("{letter} {}: {to} copies serve", process.name));
        context.hit(step, letter, 1);
    }
}

/// `drain`: copies finish what they have and leave for good.
pub(crate) async fn drain(context: &StepContext<'_>, step: &Step, arm: &Arc<Arm>, names: &[String]) {
    let letter = arm.plan.letter;
    for instance in arm.instances().into_iter().filter(|instance| names.contains(&instance.name)) {
        context.mark(step, letter, "began", format!("{letter} {} drains", instance.name));
        arm.remove_copy(context.environment, &instance).await;
        context.mark(step, letter, "done", format!("{letter} {} has left", instance.name));
        context.hit(step, letter, 1);
    }
}

/// `deploy`: another build takes over.
pub(crate) async fn deploy(
    context: &StepContext<'_>,
    step: &Step,
    deploy: &Deploy,
    arm: &Arc<Arm>,
    names: &[String],
) {
    let letter = arm.plan.letter;
    let component = step.target.and_then(Target::component);
    let deploy = &variant_deploy(context, deploy, arm);
    let new = to_build(deploy.build, component, context.seed);
    let old = to_build(Build::Good, component, context.seed);
    context.mark(step, letter, "began", format!("{letter} {} deploy {}", step.on, deploy.build.name()));
    for process in processes(arm, names) {
        let one_port = process.gateway || process.registry;
        let result = if deploy.strategy.kind == RolloutKind::Canary && !one_port {
            canary(context, step, deploy, arm, &process, &new).await
        } else {
            deploy_or_roll_back(context, step, deploy, arm, &process, (&new, &old)).await
        };
        match result {
            Ok(()) => context.hit(step, letter, 1),
            Err(error) => {
                let text = format!("{letter} {}: the deploy failed: {error}", process.name);
                context.record.event(EventKind::Deploy, step.number, text);
            }
        }
    }
    context.mark(step, letter, "done", format!("{letter} {} deploy is over", step.on));
}

/// The new build takes over; where a condition watches it and does not hold, the old one does again.
async fn deploy_or_roll_back(
    context: &StepContext<'_>,
    step: &Step,
    deploy: &Deploy,
    arm: &Arm,
    process: &ProcessPlan,
    (new, old): (&Change<'_>, &Change<'_>),
) -> Result<(), ArmError> {
    let letter = arm.plan.letter;
    let take_over = async |change: &Change<'_>| match deploy.strategy.kind {
        _ if process.gateway || process.registry => in_place(context, arm, process, change).await,
        RolloutKind::Recreate => in_place(context, arm, process, change).await,
        RolloutKind::Rolling | RolloutKind::Canary => rolling(context, arm, process, change).await,
        RolloutKind::BlueGreen => blue_green(context, arm, process, change).await,
    };
    take_over(new).await?;
    if deploy.strategy.promote_if.is_some()
        && !passes_watch(context, step, deploy, letter).await
        && deploy.strategy.rolls_back_automatically()
    {
        take_over(old).await?;
        context.mark(step, letter, "rolled-back", format!("{letter} {} is taken back", deploy.build.name()));
    }
    Ok(())
}

/// Copy by copy: a new one serves before an old one drains.
async fn rolling(
    context: &StepContext<'_>,
    arm: &Arm,
    process: &ProcessPlan,
    new: &Change<'_>,
) -> Result<(), ArmError> {
    for old in arm.copies(&process.name) {
        arm.add_copy(context.environment, process, context.record, new).await?;
        arm.remove_copy(context.environment, &old).await;
    }
    Ok(())
}

/// A whole new set serves before the old one drains.
async fn blue_green(
    context: &StepContext<'_>,
    arm: &Arm,
    process: &ProcessPlan,
    new: &Change<'_>,
) -> Result<(), ArmError> {
    let old = arm.copies(&process.name);
    for _ in &old {
        arm.add_copy(context.environment, process, context.record, new).await?;
    }
    futures_util::future::join_all(old.iter().map(|old| arm.remove_copy(context.environment, old))).await;
    Ok(())
}

/// One new copy gets a share of requests until its time is up; then it takes over, or
/// is taken back.
async fn canary(
    context: &StepContext<'_>,
    step: &Step,
    deploy: &Deploy,
    arm: &Arm,
    process: &ProcessPlan,
    new: &Change<'_>,
) -> Result<(), ArmError> {
    let (letter, share) = (arm.plan.letter, deploy.strategy.canary_share().clamp(0.001, 0.999));
    let peers = arm.copies(&process.name).len() as f64;
    // Of all weights together the canary's is its share.
    let weight = (share / (1.0 - share) * peers * COPY_WEIGHT).round().max(1.0) as u32;
    let light = |config: &mut NodeConfig| {
        new(config);
        config.weight = weight;
    };
    let canary = arm.add_copy(context.environment, process, context.record, &light).await?;
    context.mark(
        step,
        letter,
        "canary",
        format!("{letter} {} is the canary, with {:.0} %", canary.name, share * 100.0),
    );
    if passes_watch(context, step, deploy, letter).await {
        roll_all_except(context, arm, process, new, &canary).await?;
        arm.remove_copy(context.environment, &canary).await;
        context.mark(step, letter, "promoted", format!("{letter} {} takes over", deploy.build.name()));
    } else if deploy.strategy.rolls_back_automatically() {
        arm.remove_copy(context.environment, &canary).await;
        context.mark(step, letter, "rolled-back", format!("{letter} {} is taken back", deploy.build.name()));
    }
    Ok(())
}

async fn roll_all_except(
    context: &StepContext<'_>,
    arm: &Arm,
    process: &ProcessPlan,
    new: &Change<'_>,
    canary: &Arc<Instance>,
) -> Result<(), ArmError> {
    for old in arm.copies(&process.name).into_iter().filter(|copy| !Arc::ptr_eq(copy, canary)) {
        arm.add_copy(context.environment, process, context.record, new).await?;
        arm.remove_copy(context.environment, &old).await;
    }
    Ok(())
}

/// All copies leave and come back on their ports as the new build: there is a gap.
async fn in_place(
    context: &StepContext<'_>,
    arm: &Arm,
    process: &ProcessPlan,
    new: &Change<'_>,
) -> Result<(), ArmError> {
    for copy in arm.copies(&process.name) {
        arm.recreate_copy(context.environment, &copy, context.record, new).await?;
    }
    Ok(())
}

/// Watches the arm for the hold; false as soon as the condition is broken, or where
/// it does not hold at the end.
async fn passes_watch(context: &StepContext<'_>, step: &Step, deploy: &Deploy, letter: char) -> bool {
    let Some(condition) = &deploy.strategy.promote_if else {
        tokio::time::sleep(Duration::from_nanos(deploy.strategy.hold_ns())).await;
        return true;
    };
    let since = runtime::clock::now();
    let from = u32::try_from(since.saturating_duration_since(context.t0).as_secs()).unwrap_or(0);
    let until = since + Duration::from_nanos(deploy.strategy.hold_ns());
    loop {
        tokio::time::sleep(PROMOTION_POLL_INTERVAL).await;
        let judged = context.judge(&condition.0, letter, from);
        let over = runtime::clock::now() >= until;
        match judged {
            Some((Verdict::Fail, _)) => break,
            Some((_, met)) if over => {
                if met {
                    return true;
                }
                break;
            }
            None if over => break,
            _ => {}
        }
    }
    context.mark(step, letter, "detected", format!("{letter} `{}` does not hold", condition.0.text));
    false
}

/// A changed copy takes over from one that leaves afterwards; the public door, whose port
/// users know, is replaced in its place.
async fn replace_copy(
    context: &StepContext<'_>,
    step: &Step,
    arm: &Arm,
    old: &Arc<Instance>,
    change: &Change<'_>,
) {
    let result = if old.process.gateway {
        arm.recreate_copy(context.environment, old, context.record, change).await
    } else {
        match arm.add_copy(context.environment, &old.process.clone(), context.record, change).await {
            Ok(_) => {
                arm.remove_copy(context.environment, old).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    };
    match result {
        Ok(()) => context.hit(step, arm.plan.letter, 1),
        Err(error) => context.record.event(EventKind::Deploy, step.number, error.to_string()),
    }
}

/// `reconfigure`: processes take changed policies over, one after another.
pub(crate) async fn reconfigure(
    context: &StepContext<'_>,
    step: &Step,
    change: &Reconfigure,
    arm: &Arc<Arm>,
) {
    let letter = arm.plan.letter;
    context.mark(step, letter, "began", format!("{letter} {}", step.action));
    let changed = |config: &mut NodeConfig| merge_policies(&mut config.policies, &change.policy);
    for instance in arm.instances().into_iter().filter(|instance| !instance.process.registry) {
        replace_copy(context, step, arm, &instance, &changed).await;
    }
    context.mark(step, letter, "done", format!("{letter} policies have changed"));
}

fn merge_policies(
    policies: &mut BTreeMap<String, policy::Policy>,
    changes: &BTreeMap<String, policy::Policy>,
) {
    for (edge, change) in changes {
        let merged = policies.get(edge).map_or_else(|| change.clone(), |before| change.over(before));
        policies.insert(edge.clone(), merged);
    }
}

/// `rollback`: what a deploy replaced comes back, copy by copy.
pub(crate) async fn roll_back(context: &StepContext<'_>, step: &Step, of: &str, arm: &Arc<Arm>) {
    let letter = arm.plan.letter;
    let Some(deployed) = context.scenario.steps.iter().find(|step| step.id == of) else { return };
    let Action::Deploy(deploy) = &deployed.action else { return };
    let deploy = &variant_deploy(context, deploy, arm);
    let component = deployed.target.and_then(Target::component);
    let good = to_build(Build::Good, component, context.seed);
    let bad: Vec<Arc<Instance>> =
        arm.instances().into_iter().filter(|instance| instance.build() == deploy.build.name()).collect();
    for instance in bad {
        replace_copy(context, step, arm, &instance, &good).await;
    }
    context.mark(deployed, letter, "rolled-back", format!("{letter} {} is taken back", deploy.build.name()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_brings_its_defect_and_a_good_one_takes_it_away() {
        let photo = Some(ComponentName::of("photo"));
        let mut config = NodeConfig::default();
        for (build, defects, schema) in [
            (Build::BadErrors, 1, 1),
            (Build::BadSlow, 1, 1),
            (Build::BadLeak, 1, 1),
            (Build::IncompatibleSchema, 0, 2),
            (Build::Good, 0, 1),
        ] {
            to_build(build, photo, 42)(&mut config);
            assert_eq!(
                (config.defects.len(), config.schema, config.build.as_str()),
                (defects, schema, build.name())
            );
        }
    }

    #[test]
    fn changed_policies_are_laid_over_those_in_force() {
        let policy = |toml: &str| toml::from_str::<policy::Policy>(toml).expect(toml);
        let mut policies =
            BTreeMap::from([("feed->photo".to_owned(), policy("timeout = \"1s\"\nattempts = 2"))]);
        let changes = BTreeMap::from([("feed->photo".to_owned(), policy("timeout = \"100ms\""))]);
        merge_policies(&mut policies, &changes);
        assert_eq!(policies["feed->photo"], policy("timeout = \"100ms\"\nattempts = 2"));
    }
}
