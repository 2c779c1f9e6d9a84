//! `deploy` and `rollback`: another build takes over, by a strategy, and perhaps back.
//!
//! A process with a port that is known beforehand has one copy: it is replaced in place, whatever the strategy.

use std::sync::Arc;
use std::time::Duration;

use contract::ProcessPlan;
use fault::Target;
use node::NodeConfig;
use policy::balance::canary_weight;
use record::EventKind;
use runtime::clock;
use scenario::action::{Build, Deploy, RolloutKind};
use scenario::{Action, Step};
use scorecard::judge::watch_result;

use crate::arm::arm_plan::ArmError;
use crate::arm::instance::Instance;
use crate::steps::builds::{DeployedBuild, to_build};
use crate::steps::context::ActiveStep;
use crate::steps::copies::{Change, has_one_port, processes, replace_copy};

/// How often the condition of a promotion is judged.
const PROMOTION_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// `deploy`: another build takes over.
pub(super) async fn deploy(active: &ActiveStep<'_>, deploy: &Deploy, build: Build, names: &[String]) {
    let (letter, on) = (active.letter(), &active.step.on);
    let component = active.step.target.and_then(Target::component);
    let new = to_build(build, component, active.context.seed);
    let deployment = Deployment { active, deploy, build, new: &new };
    active.mark("began", format!("{letter} {on} deploy {}", build.name()));
    // A process that holds several components may have been replaced for another.
    let runs_it = |process: &ProcessPlan| {
        active.arm.copies(&process.name).iter().all(|copy| copy.build() == Build::Changed.name())
    };
    for process in processes(active, names) {
        if build == Build::Changed && runs_it(&process) {
            active.mark("unchanged", format!("{letter} {} runs it already", process.name));
            active.count_hits(1);
            continue;
        }
        if let Some(before) = active.arm.copies(&process.name).first().and_then(|copy| copy.read_config()) {
            active.context.log.note_replaced(active.key(), &process.name, DeployedBuild::of(&before));
        }
        let result = if deploy.strategy.kind == RolloutKind::Canary && !has_one_port(&process) {
            deployment.canary(&process).await
        } else {
            deployment.all_copies(&process).await
        };
        match result {
            Ok(()) => active.count_hits(1),
            Err(error) => {
                let text = format!("{letter} {}: the deploy failed: {error}", process.name);
                active.context.record.event(EventKind::Deploy, active.step.number, text);
            }
        }
    }
    active.mark("done", format!("{letter} {on} deploy is over"));
}

/// `rollback`: what a deploy replaced comes back, copy by copy. `deployed` is the step that deployed `build`.
pub(super) async fn roll_back(active: &ActiveStep<'_>, deployed: &Step, build: Build) {
    let mut results = Vec::new();
    for (process, before) in active.context.log.replaced((deployed.number, active.letter())) {
        let change = |config: &mut NodeConfig| before.apply(config);
        for copy in active.arm.copies(&process).iter().filter(|copy| copy.build() == build.name()) {
            results.push(replace_copy(active, copy, &change).await);
        }
    }
    // Not where something still serves, nor where the deploy itself took it back before.
    if !results.is_empty() && !results.contains(&false) {
        // The mark belongs to the deploy: that is where its time to roll back is measured.
        let text = format!("{} {} is taken back", active.letter(), build.name());
        ActiveStep { step: deployed, ..*active }.mark("rolled-back", text);
    }
}

/// The step that a rollback takes back, with its deploy.
pub(super) fn deployed<'a>(steps: &'a [Step], of: &str) -> Option<(&'a Step, &'a Deploy)> {
    let step = steps.iter().find(|step| step.id == of)?;
    match &step.action {
        Action::Deploy(deploy) => Some((step, deploy)),
        _ => None,
    }
}

/// A build on its way into an arm.
struct Deployment<'a> {
    active: &'a ActiveStep<'a>,
    deploy: &'a Deploy,
    build: Build,
    new: &'a Change<'a>,
}

impl Deployment<'_> {
    /// The new build takes over; where a condition watches it and does not hold, the old one does again.
    async fn all_copies(&self, process: &ProcessPlan) -> Result<(), ArmError> {
        let strategy = &self.deploy.strategy;
        self.take_over(process, self.new).await?;
        if strategy.promote_if.is_some() && !self.passes_watch().await && strategy.rolls_back_automatically()
        {
            let before = self.active.context.log.replaced(self.active.key());
            let before = before.into_iter().find(|(replaced, _)| *replaced == process.name);
            if let Some((_, before)) = before {
                self.take_over(process, &|config: &mut NodeConfig| before.apply(config)).await?;
                self.mark_taken_back();
            }
        }
        Ok(())
    }

    async fn take_over(&self, process: &ProcessPlan, change: &Change<'_>) -> Result<(), ArmError> {
        match self.deploy.strategy.kind {
            _ if has_one_port(process) => self.in_place(process, change).await,
            RolloutKind::Recreate => self.in_place(process, change).await,
            RolloutKind::Rolling | RolloutKind::Canary => self.rolling(process, change, None).await,
            RolloutKind::BlueGreen => self.blue_green(process, change).await,
        }
    }

    /// Copy by copy, but for one: a new copy serves before an old one drains.
    async fn rolling(
        &self,
        process: &ProcessPlan,
        change: &Change<'_>,
        except: Option<&Arc<Instance>>,
    ) -> Result<(), ArmError> {
        let is_kept = |copy: &Arc<Instance>| except.is_some_and(|kept| Arc::ptr_eq(copy, kept));
        for old in self.active.arm.copies(&process.name).into_iter().filter(|copy| !is_kept(copy)) {
            self.active.arm.add_copy(process, Some(&old), change).await?;
            self.active.arm.remove_copy(&old).await;
        }
        Ok(())
    }

    /// A whole new set serves before the old one drains.
    async fn blue_green(&self, process: &ProcessPlan, change: &Change<'_>) -> Result<(), ArmError> {
        let arm = self.active.arm;
        let old = arm.copies(&process.name);
        let mut new = Vec::new();
        for old in &old {
            match arm.add_copy(process, Some(old), change).await {
                Ok(copy) => new.push(copy),
                // The old set goes on, and alone.
                Err(error) => {
                    futures_util::future::join_all(new.iter().map(|new| arm.remove_copy(new))).await;
                    return Err(error);
                }
            }
        }
        futures_util::future::join_all(old.iter().map(|old| arm.remove_copy(old))).await;
        Ok(())
    }

    /// All copies end and come back on their ports as the new build: there is a gap.
    async fn in_place(&self, process: &ProcessPlan, change: &Change<'_>) -> Result<(), ArmError> {
        for copy in self.active.arm.copies(&process.name) {
            self.active.arm.recreate_copy(&copy, change).await?;
        }
        Ok(())
    }

    /// One new copy gets a share of requests until its time is up; then it takes over, or is taken back.
    async fn canary(&self, process: &ProcessPlan) -> Result<(), ArmError> {
        let (active, arm, letter) = (self.active, self.active.arm, self.active.letter());
        let share = self.deploy.strategy.canary_share();
        let weight = canary_weight(share, arm.copies(&process.name).len());
        let light = |config: &mut NodeConfig| {
            (self.new)(config);
            config.weight = weight;
        };
        let canary = arm.add_copy(process, None, &light).await?;
        let text = format!("{letter} {} is the canary, with {:.0} %", canary.name, share * 100.0);
        active.mark("canary", text);
        if self.passes_watch().await {
            let result = self.rolling(process, self.new, Some(&canary)).await;
            arm.remove_copy(&canary).await;
            result?;
            active.mark("promoted", format!("{letter} {} takes over", self.build.name()));
        } else if self.deploy.strategy.rolls_back_automatically() {
            arm.remove_copy(&canary).await;
            self.mark_taken_back();
        }
        Ok(())
    }

    fn mark_taken_back(&self) {
        let text = format!("{} {} is taken back", self.active.letter(), self.build.name());
        self.active.mark("rolled-back", text);
    }

    /// Watches the arm for the hold; false as soon as the condition is broken, or where it does not hold at the end.
    async fn passes_watch(&self) -> bool {
        let hold = Duration::from_nanos(self.deploy.strategy.hold_ns());
        let Some(condition) = &self.deploy.strategy.promote_if else {
            tokio::time::sleep(hold).await;
            return true;
        };
        let since = clock::now();
        let elapsed = since.saturating_duration_since(self.active.context.load_start);
        let from = u32::try_from(elapsed.as_secs()).unwrap_or(0);
        loop {
            tokio::time::sleep(PROMOTION_POLL_INTERVAL).await;
            let judged = self.active.judge(&condition.0, from);
            match watch_result(judged, clock::now() >= since + hold) {
                Some(true) => return true,
                Some(false) => break,
                None => {}
            }
        }
        let text = format!("{} `{}` does not hold", self.active.letter(), condition.0.text);
        self.active.mark("detected", text);
        false
    }
}
