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
use scenario::action::{Action, Build, Deploy, Reconfigure, Takeover};

use crate::arm::Arm;
use crate::instance::{ArmError, Instance};
use crate::timeline::Play;

/// Leases that a build brings along begin so.
pub(crate) const DEFECT: &str = "build:";
/// How often a canary is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A copy has a thousand shares of requests, a canary a part of that.
const WEIGHT: f64 = 1_000.0;

type Change<'a> = dyn Fn(&mut NodeConfig) + Sync + 'a;

/// What a build is, in a node's configuration. Only the component named is affected,
/// also where the whole program is replaced.
fn defects(build: Build, component: Option<ComponentName>, seed: u64) -> (Vec<Lease>, u32) {
    let lease = |fault: Fault, matching: Match| Lease {
        id: format!("{DEFECT}{}", build.name()),
        order: 0,
        fault,
        target: Target::Node(component.map_or(Pattern::Any, Pattern::One)),
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

fn becomes(build: Build, component: Option<ComponentName>, seed: u64) -> impl Fn(&mut NodeConfig) + Sync {
    let (defects, schema) = defects(build, component, seed);
    move |config: &mut NodeConfig| {
        config.build = build.name().to_owned();
        config.defects.clone_from(&defects);
        config.schema = schema;
    }
}

/// What is deployed here: the variant may say otherwise than the step.
fn of_variant(play: &Play<'_>, deploy: &Deploy, arm: &Arm) -> Deploy {
    let planned = play.scenario.arms.iter().find(|planned| planned.name == arm.plan.name);
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
pub(crate) async fn scale(play: &Play<'_>, step: &Step, to: u32, arm: &Arc<Arm>, names: &[String]) {
    let letter = arm.plan.letter;
    for process in processes(arm, names) {
        if process.gateway || process.registry {
            let text = format!("{letter} {}: it has one port and cannot be copied", process.name);
            play.lines.event(EventKind::Scale, step.number, text);
            continue;
        }
        let before = arm.copies(&process.name).len();
        play.mark(step, letter, "began", format!("{letter} {}: {before} to {to} copies", process.name));
        while arm.copies(&process.name).len() < to as usize {
            if let Err(error) = arm.add(play.ground, &process, play.lines, &|_| {}).await {
                play.lines.event(EventKind::Scale, step.number, error.to_string());
                return;
            }
        }
        while arm.copies(&process.name).len() > to.max(1) as usize {
            let Some(last) = arm.copies(&process.name).pop() else { break };
            arm.remove(play.ground, &last).await;
        }
        play.mark(step, letter, "done", format!("{letter} {}: {to} copies serve", process.name));
        play.hit(step, letter, 1);
    }
}

/// `drain`: copies finish what they have and leave for good.
pub(crate) async fn drain(play: &Play<'_>, step: &Step, arm: &Arc<Arm>, names: &[String]) {
    let letter = arm.plan.letter;
    for instance in arm.instances().into_iter().filter(|instance| names.contains(&instance.name)) {
        play.mark(step, letter, "began", format!("{letter} {} drains", instance.name));
        arm.remove(play.ground, &instance).await;
        play.mark(step, letter, "done", format!("{letter} {} has left", instance.name));
        play.hit(step, letter, 1);
    }
}

/// `deploy`: another build takes over.
pub(crate) async fn deploy(play: &Play<'_>, step: &Step, deploy: &Deploy, arm: &Arc<Arm>, names: &[String]) {
    let letter = arm.plan.letter;
    let component = step.target.and_then(Target::component);
    let deploy = &of_variant(play, deploy, arm);
    let new = becomes(deploy.build, component, play.seed);
    let old = becomes(Build::Good, component, play.seed);
    play.mark(step, letter, "began", format!("{letter} {} deploy {}", step.on, deploy.build.name()));
    for process in processes(arm, names) {
        let one_port = process.gateway || process.registry;
        let result = if deploy.strategy.kind == Takeover::Canary && !one_port {
            canary(play, step, deploy, arm, &process, &new).await
        } else {
            for_good_or_back(play, step, deploy, arm, &process, (&new, &old)).await
        };
        match result {
            Ok(()) => play.hit(step, letter, 1),
            Err(error) => {
                let text = format!("{letter} {}: the deploy failed: {error}", process.name);
                play.lines.event(EventKind::Deploy, step.number, text);
            }
        }
    }
    play.mark(step, letter, "done", format!("{letter} {} deploy is over", step.on));
}

/// The new build takes over; where a condition watches it and does not hold, the old one does again.
async fn for_good_or_back(
    play: &Play<'_>,
    step: &Step,
    deploy: &Deploy,
    arm: &Arm,
    process: &ProcessPlan,
    (new, old): (&Change<'_>, &Change<'_>),
) -> Result<(), ArmError> {
    let letter = arm.plan.letter;
    let take_over = async |change: &Change<'_>| match deploy.strategy.kind {
        _ if process.gateway || process.registry => in_place(play, arm, process, change).await,
        Takeover::Recreate => in_place(play, arm, process, change).await,
        Takeover::Rolling | Takeover::Canary => rolling(play, arm, process, change).await,
        Takeover::BlueGreen => blue_green(play, arm, process, change).await,
    };
    take_over(new).await?;
    if deploy.strategy.promote_if.is_some()
        && !watched(play, step, deploy, letter).await
        && deploy.strategy.is_taken_back()
    {
        take_over(old).await?;
        play.mark(step, letter, "rolled-back", format!("{letter} {} is taken back", deploy.build.name()));
    }
    Ok(())
}

/// Copy by copy: a new one serves before an old one drains.
async fn rolling(
    play: &Play<'_>,
    arm: &Arm,
    process: &ProcessPlan,
    new: &Change<'_>,
) -> Result<(), ArmError> {
    for old in arm.copies(&process.name) {
        arm.add(play.ground, process, play.lines, new).await?;
        arm.remove(play.ground, &old).await;
    }
    Ok(())
}

/// A whole new set serves before the old one drains.
async fn blue_green(
    play: &Play<'_>,
    arm: &Arm,
    process: &ProcessPlan,
    new: &Change<'_>,
) -> Result<(), ArmError> {
    let old = arm.copies(&process.name);
    for _ in &old {
        arm.add(play.ground, process, play.lines, new).await?;
    }
    futures_util::future::join_all(old.iter().map(|old| arm.remove(play.ground, old))).await;
    Ok(())
}

/// One new copy gets a share of requests until its time is up; then it takes over, or
/// is taken back.
async fn canary(
    play: &Play<'_>,
    step: &Step,
    deploy: &Deploy,
    arm: &Arm,
    process: &ProcessPlan,
    new: &Change<'_>,
) -> Result<(), ArmError> {
    let (letter, share) = (arm.plan.letter, deploy.strategy.canary_share().clamp(0.001, 0.999));
    let peers = arm.copies(&process.name).len() as f64;
    // Of all weights together the canary's is its share.
    let weight = (share / (1.0 - share) * peers * WEIGHT).round().max(1.0) as u32;
    let light = |config: &mut NodeConfig| {
        new(config);
        config.weight = weight;
    };
    let canary = arm.add(play.ground, process, play.lines, &light).await?;
    play.mark(
        step,
        letter,
        "canary",
        format!("{letter} {} is the canary, with {:.0} %", canary.name, share * 100.0),
    );
    if watched(play, step, deploy, letter).await {
        rolling_but(play, arm, process, new, &canary).await?;
        arm.remove(play.ground, &canary).await;
        play.mark(step, letter, "promoted", format!("{letter} {} takes over", deploy.build.name()));
    } else if deploy.strategy.is_taken_back() {
        arm.remove(play.ground, &canary).await;
        play.mark(step, letter, "rolled-back", format!("{letter} {} is taken back", deploy.build.name()));
    }
    Ok(())
}

async fn rolling_but(
    play: &Play<'_>,
    arm: &Arm,
    process: &ProcessPlan,
    new: &Change<'_>,
    canary: &Arc<Instance>,
) -> Result<(), ArmError> {
    for old in arm.copies(&process.name).into_iter().filter(|copy| !Arc::ptr_eq(copy, canary)) {
        arm.add(play.ground, process, play.lines, new).await?;
        arm.remove(play.ground, &old).await;
    }
    Ok(())
}

/// All copies leave and come back on their ports as the new build: there is a gap.
async fn in_place(
    play: &Play<'_>,
    arm: &Arm,
    process: &ProcessPlan,
    new: &Change<'_>,
) -> Result<(), ArmError> {
    for copy in arm.copies(&process.name) {
        arm.recreate(play.ground, &copy, play.lines, new).await?;
    }
    Ok(())
}

/// Watches the arm for the hold; false as soon as the condition is broken, or where
/// it does not hold at the end.
async fn watched(play: &Play<'_>, step: &Step, deploy: &Deploy, letter: char) -> bool {
    let Some(condition) = &deploy.strategy.promote_if else {
        tokio::time::sleep(Duration::from_nanos(deploy.strategy.hold_ns())).await;
        return true;
    };
    let since = runtime::clock::now();
    let from = u32::try_from(since.saturating_duration_since(play.t0).as_secs()).unwrap_or(0);
    let until = since + Duration::from_nanos(deploy.strategy.hold_ns());
    loop {
        tokio::time::sleep(LOOK).await;
        let judged = play.judged(&condition.0, letter, from);
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
    play.mark(step, letter, "detected", format!("{letter} `{}` does not hold", condition.0.text));
    false
}

/// A changed copy takes over from one that leaves afterwards; the public door, whose port
/// users know, is replaced in its place.
async fn succeed(play: &Play<'_>, step: &Step, arm: &Arm, old: &Arc<Instance>, change: &Change<'_>) {
    let result = if old.process.gateway {
        arm.recreate(play.ground, old, play.lines, change).await
    } else {
        match arm.add(play.ground, &old.process.clone(), play.lines, change).await {
            Ok(_) => {
                arm.remove(play.ground, old).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    };
    match result {
        Ok(()) => play.hit(step, arm.plan.letter, 1),
        Err(error) => play.lines.event(EventKind::Deploy, step.number, error.to_string()),
    }
}

/// `reconfigure`: processes take changed policies over, one after another.
pub(crate) async fn reconfigure(play: &Play<'_>, step: &Step, change: &Reconfigure, arm: &Arc<Arm>) {
    let letter = arm.plan.letter;
    play.mark(step, letter, "began", format!("{letter} {}", step.action));
    let changed = |config: &mut NodeConfig| lay_over(&mut config.policies, &change.policy);
    for instance in arm.instances().into_iter().filter(|instance| !instance.process.registry) {
        succeed(play, step, arm, &instance, &changed).await;
    }
    play.mark(step, letter, "done", format!("{letter} policies have changed"));
}

fn lay_over(policies: &mut BTreeMap<String, policy::Policy>, changes: &BTreeMap<String, policy::Policy>) {
    for (edge, change) in changes {
        let laid = policies.get(edge).map_or_else(|| change.clone(), |before| change.over(before));
        policies.insert(edge.clone(), laid);
    }
}

/// `rollback`: what a deploy replaced comes back, copy by copy.
pub(crate) async fn roll_back(play: &Play<'_>, step: &Step, of: &str, arm: &Arc<Arm>) {
    let letter = arm.plan.letter;
    let Some(deployed) = play.scenario.steps.iter().find(|step| step.id == of) else { return };
    let Action::Deploy(deploy) = &deployed.action else { return };
    let deploy = &of_variant(play, deploy, arm);
    let component = deployed.target.and_then(Target::component);
    let good = becomes(Build::Good, component, play.seed);
    let bad: Vec<Arc<Instance>> =
        arm.instances().into_iter().filter(|instance| instance.build() == deploy.build.name()).collect();
    for instance in bad {
        succeed(play, step, arm, &instance, &good).await;
    }
    play.mark(deployed, letter, "rolled-back", format!("{letter} {} is taken back", deploy.build.name()));
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
            becomes(build, photo, 42)(&mut config);
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
        lay_over(&mut policies, &changes);
        assert_eq!(policies["feed->photo"], policy("timeout = \"100ms\"\nattempts = 2"));
    }
}
