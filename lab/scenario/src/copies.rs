//! Checks that the copies which steps name or pick exist in some arm: `photo#7` of two copies could never be hit, nor three of
//! them. And that those which a step reconfigures call something along its edges.

use std::collections::BTreeMap;

use fault::target::BROKER;
use fault::{Pattern, Target};

use crate::action::Action;
use crate::declared::{CopyCount, PlacedTarget, ZoneMember};
use crate::reader::Reader;
use crate::scenario::{Pick, Step};

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

/// Reports numbers of copies to pick that no arm has at any time.
pub(crate) fn check_picks(reader: &mut Reader<'_>, steps: Option<&[Step]>) {
    let Some(steps) = steps else { return };
    for (number, place) in std::mem::take(&mut reader.pick_places) {
        let Some(step) = steps.iter().find(|step| step.number == number) else { continue };
        let (Some(Pick::Count(wanted)), Some(pattern)) = (step.pick, picked_among(step)) else { continue };
        let Some(most) = most_copies(&reader.declared.copies, pattern, steps) else { continue };
        if wanted > most {
            let message = format!(
                "pick: no arm has {wanted} copies of `{pattern}`, {most} at most; write pick = {most}, or a share such as \
                 \"50%\""
            );
            reader.report(place, message);
        }
    }
}

/// Reports edges that a step reconfigures in processes that call nothing along them: copies would be replaced there, and no call
/// would go otherwise.
pub(crate) fn check_reconfigured(reader: &mut Reader<'_>, steps: &[Step]) {
    for (edge, number, place) in std::mem::take(&mut reader.reconfigured_edges) {
        let Some(step) = steps.iter().find(|step| step.number == number) else { continue };
        let Some(Target::Node(Pattern::Component(name) | Pattern::Instance(name, _))) = step.target else {
            continue;
        };
        let Some((caller, _)) = edge.split_once("->").filter(|(caller, _)| *caller != "*") else { continue };
        // Whether a process that is meant holds the caller, by topology.
        let mut topologies: BTreeMap<&str, bool> = BTreeMap::new();
        for copies in reader.declared.copies.iter().filter(|copies| copies.is_called(name.as_str())) {
            *topologies.entry(&copies.topology).or_default() |= copies.is_called(caller);
        }
        let without = topologies.iter().find(|(_, calls)| !**calls).map(|(topology, _)| *topology);
        if let Some(topology) = without {
            let message = format!(
                "in `{topology}` nothing that `{}` names calls along `{edge}`, so that nothing would change; write on = \"{caller}\"",
                step.on
            );
            reader.report(place, message);
        }
    }
}

/// What a step picks its copies among: of an edge the callers; `None` where no component is named.
fn picked_among(step: &Step) -> Option<Pattern> {
    match step.target? {
        Target::Node(pattern) | Target::Edge { caller: pattern, .. } => Some(pattern),
        Target::Store(name) | Target::Cache(name) => Some(Pattern::Component(name)),
        _ => None,
    }
}

/// Copies of what a pattern names that an arm has at once, at most; `None` where that is not known.
fn most_copies(copies: &[CopyCount], pattern: Pattern, steps: &[Step]) -> Option<u32> {
    let name = match pattern {
        Pattern::Component(name) => name,
        Pattern::Instance(..) => return Some(1),
        Pattern::Any | Pattern::Zone(_) => return None,
    };
    // A topology is there once for each variant.
    let mut of_processes: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for count in copies.iter().filter(|count| count.is_called(name.as_str())) {
        let most = of_processes.entry((count.topology.as_str(), count.process.name.as_str())).or_default();
        *most = (*most).max(count.at_most(steps));
    }
    let mut of_topologies: BTreeMap<&str, u32> = BTreeMap::new();
    for ((topology, _), most) in of_processes {
        *of_topologies.entry(topology).or_default() += most;
    }
    of_topologies.into_values().max()
}
