//! Steps of a scenario as faults of a plan; what has no counterpart is named.

use fault::{Actuator, CallFault, Fault, Pattern, ProcessFault, Target};
use policy::units::{HumanDuration, Ratio};
use scenario::{Action, Step};

use super::changes::{self, Changes};
use super::layout::{Instance, Layout};
use super::setting::{BuiltPlan, Setting, edges};
use super::targets::{instances, is_simulated, picked, share_of};
use crate::calibrate::Calibration;
use crate::model::{Effect, FaultPlan};

/// Adds what the steps of a scenario do to an arm.
pub(super) fn add(
    calibration: &Calibration,
    setting: &Setting<'_>,
    layout: &Layout,
    copies: &[Instance],
    changes: &Changes,
    built: &mut BuiltPlan,
) {
    changes.add_copies(calibration, layout, built);
    for step in &setting.scenario.steps {
        let arm = Arm { calibration, layout, copies, changes, seed: setting.seed };
        let planned = if changes::is_change(step) {
            let change = changes.plan(setting.scenario, layout, setting.seed, step);
            change.map(|change| built.plan.changes.extend(change))
        } else {
            arm.faults(step).map(|faults| built.plan.faults.extend(faults))
        };
        if let Err(what) = planned {
            built.not_simulated.insert(format!("step {} (`{}`): {what}", step.number, step.id));
            continue;
        }
        built.not_simulated.extend(changes.left_out(layout, step));
        let named = format!("step {} (`{}`)", step.number, step.id);
        let partly = [
            (step.ramp_ns > 0, format!("the ramp of {named}: it acts at full strength from the start")),
            (step.until.is_some(), format!("the early end of {named} by `until`: it lasts its full length")),
            (varies(step), format!("the variation of {named} from call to call")),
        ];
        built.not_simulated.extend(partly.into_iter().filter_map(|(is_so, what)| is_so.then_some(what)));
    }
}

/// An arm that a step acts on.
struct Arm<'a> {
    calibration: &'a Calibration,
    layout: &'a Layout,
    copies: &'a [Instance],
    changes: &'a Changes,
    seed: u64,
}

impl Arm<'_> {
    /// The faults of a step, none where it has nothing to act on here.
    ///
    /// # Errors
    /// What of it is not simulated.
    fn faults(&self, step: &Step) -> Result<Vec<FaultPlan>, String> {
        match &step.action {
            // The schedule has it.
            Action::Load(_) => Ok(Vec::new()),
            Action::Fault(fault) => self.fault(step, fault),
            other => Err(other.to_string()),
        }
    }

    fn fault(&self, step: &Step, fault: &Fault) -> Result<Vec<FaultPlan>, String> {
        let Some(target) = step.target else { return Err(fault.to_string()) };
        let end_ns = step.start_ns + step.length_ns;
        let plan = |name: String, effect| FaultPlan { name, start_ns: step.start_ns, end_ns, effect };
        match (fault.actuator_on(target.kind()), fault.process_fault()) {
            (Actuator::CallPath, _) => {
                let (call, share) = (fault.effect_on_call(0), share_of(&step.matching)?);
                is_simulated(&call).then_some(()).ok_or_else(|| fault.to_string())?;
                let effects = self.call_effects(target, share, call)?;
                let named = effects.into_iter().enumerate();
                // Named alike in every arm, so that the same calls are hit.
                Ok(named
                    .map(|(at, effect)| plan(self.layout.own(&format!("{}/{at}", step.id)), effect))
                    .collect())
            }
            (Actuator::Conductor, Some(ProcessFault::Kill(back))) => {
                let after = back
                    .map(HumanDuration::nanos)
                    .or_else(|| self.layout.arm.placement.restart.map(|restart| restart.after * 1_000_000));
                let back = after.map(|ns| {
                    HumanDuration::from(std::time::Duration::from_nanos(ns + self.calibration.start_ns))
                });
                self.process_faults(step, target, ProcessFault::Kill(back), plan)
            }
            (Actuator::Conductor, Some(ProcessFault::Pause)) => {
                self.process_faults(step, target, ProcessFault::Pause, plan)
            }
            _ => Err(fault.to_string()),
        }
    }

    fn call_effects(&self, target: Target, share: Ratio, call: CallFault) -> Result<Vec<Effect>, String> {
        let side = |pattern: Pattern| match pattern {
            Pattern::Any => Ok(None),
            Pattern::Component(name) => Ok(Some(name.to_string())),
            Pattern::Instance(..) | Pattern::Zone(_) => {
                Err(format!("`{target}`, a target of only some copies"))
            }
        };
        match target {
            Target::Edge { caller, callee } => {
                let (caller, callee) = (side(caller)?, side(callee)?);
                let is =
                    |named: &Option<String>, name: &str| named.as_ref().is_none_or(|named| named == name);
                let meant = edges(self.calibration)
                    .into_iter()
                    .filter(|(from, to)| is(&caller, from) && is(&callee, to))
                    .filter(|(from, to)| !self.layout.is_local(from, to));
                let effect = |(from, to): (&str, &str)| {
                    let name = format!("{}->{}", self.layout.own(from), self.layout.own(to));
                    name.parse().ok().map(|pattern| Effect::Edge(pattern, share, call))
                };
                Ok(meant.filter_map(effect).collect())
            }
            Target::Node(pattern) => {
                let name = side(pattern)?.ok_or_else(|| format!("`{target}` as a target"))?;
                let is_here = self.copies.iter().any(|copy| copy.components.contains(&name));
                let effect = Effect::Component(self.layout.own(&name), share, call);
                Ok(is_here.then_some(effect).into_iter().collect())
            }
            other => Err(format!("`{other}` as a target")),
        }
    }

    fn process_faults(
        &self,
        step: &Step,
        target: Target,
        fault: ProcessFault,
        plan: impl Fn(String, Effect) -> FaultPlan,
    ) -> Result<Vec<FaultPlan>, String> {
        let names = picked(step, instances(self.layout, self.copies, target), self.seed);
        self.changes.check_unchanged(step, &names)?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let effect = Effect::Processes(names.iter().map(|name| self.layout.own(name)).collect(), fault);
        Ok(vec![plan(self.layout.own(&step.id), effect)])
    }
}

/// Whether a fault differs from call to call: what one call gets stands for all.
fn varies(step: &Step) -> bool {
    let differs =
        |fault: &Fault| (1..8).any(|number| fault.effect_on_call(number) != fault.effect_on_call(0));
    step.action.fault().is_some_and(differs)
}
