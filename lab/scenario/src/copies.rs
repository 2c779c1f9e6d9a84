//! Checks that the copies which steps name exist in some arm: `photo#7` of two copies could never be hit.

use fault::target::BROKER;
use fault::{Pattern, Target};

use crate::action::Action;
use crate::declared::{CopyCount, PlacedTarget, ZoneMember};
use crate::reader::Reader;
use crate::scenario::Step;

impl CopyCount {
    /// Whether the process has this name, or holds the component of this name.
    fn is_called(&self, name: &str) -> bool {
        let plan = &self.process;
        let is_infrastructure = (plan.gateway && name == "gateway") || (plan.registry && name == "registry");
        plan.name == name || is_infrastructure || plan.hosts.iter().any(|host| host.as_str() == name)
    }

    /// Copies there can be at most, whatever steps do: `scale` and `autoscale` add some, and every deploy numbers its copies on.
    fn at_most(&self, steps: &[Step]) -> u32 {
        // A process with a port that is known beforehand is never copied, and replaced in its place.
        if self.process.gateway || self.process.registry {
            return self.process.replicas;
        }
        let mut copies = self.process.replicas;
        let mut changes = 0;
        for step in steps {
            match &step.action {
                Action::Scale(scale) if self.is_target(step) => copies = copies.max(scale.to),
                Action::Autoscale(options) if self.is_target(step) => copies = copies.max(options.max),
                Action::Deploy(_) if self.is_target(step) => changes += 1,
                Action::Reconfigure(_) | Action::Rollback(_) => changes += 1,
                _ => {}
            }
        }
        copies.saturating_mul(1 + changes)
    }

    fn is_target(&self, step: &Step) -> bool {
        let patterns = step.target.into_iter().flat_map(Target::patterns);
        patterns.into_iter().any(|pattern| pattern.name().is_none_or(|name| self.is_called(name.as_str())))
    }
}

/// Reports copies that no arm has at any time. `steps` are none where some could not be read: they may add copies.
pub(crate) fn check_copies(reader: &mut Reader<'_>, steps: Option<&[Step]>) {
    let Some(steps) = steps else { return };
    for ZoneMember { topology, member, span } in std::mem::take(&mut reader.declared.zone_members) {
        let Some((process, copy)) = member.split_once('#') else { continue };
        let Ok(copy) = copy.parse::<u32>() else { continue };
        let mut processes = reader.declared.copies.iter().filter(|copies| copies.topology == topology);
        let Some(copies) = processes.find(|copies| copies.process.name == process) else { continue };
        let most = copies.at_most(steps);
        if copy >= most {
            let message = format!("unknown copy `{member}`; copies of `{process}` in `{topology}`: {most}");
            reader.report(span, message);
        }
    }
    for PlacedTarget { target, span } in reader.targets.clone() {
        for pattern in target.patterns() {
            let Pattern::Instance(name, index) = pattern else { continue };
            let named: Vec<CopyCount> = reader
                .declared
                .copies
                .iter()
                .filter(|copies| copies.is_called(name.as_str()))
                .cloned()
                .collect();
            // The delivery of events has no process of its own.
            if named.is_empty() && name == BROKER {
                reader.report(span.clone(), format!("`{pattern}`: `broker` has no copies; write `broker`"));
            }
            if named.is_empty() || named.iter().any(|copies| index < copies.at_most(steps)) {
                continue;
            }
            let mut counts: Vec<String> = named
                .iter()
                .map(|copies| format!("{} in `{}`", copies.at_most(steps), copies.topology))
                .collect();
            counts.dedup();
            let most = named.iter().map(|copies| copies.at_most(steps)).max().unwrap_or(1);
            let choices = if most == 1 {
                format!("`{name}#0`")
            } else {
                format!("`{name}#0` to `{name}#{}`", most - 1)
            };
            reader.report(
                span.clone(),
                format!(
                    "no arm has a copy `{pattern}`; copies of {name}: {}; write {choices}",
                    counts.join(", ")
                ),
            );
        }
    }
}
