//! Reads `on = ".."` of a step: names of the file, and what the action can act on.

use std::ops::Range;

use contract::ComponentName;
use fault::target::EVENTS;
use fault::{Actuator, Fault, Pattern, Target, TargetKind};

use crate::action::Action;
use crate::application::Traffic;
use crate::reader::Reader;
use crate::source::unknown;

impl Reader<'_> {
    pub(crate) fn target(&mut self, on: &str, span: Range<usize>) -> Option<Target> {
        let target: Target = match on.parse() {
            Ok(target) => target,
            Err(error) => {
                self.report(span, error.to_string());
                return None;
            }
        };
        let before = self.diagnostics.len();
        for pattern in target.patterns() {
            self.check_pattern(pattern, target, &span);
        }
        if let Target::Connection { caller, server } = target {
            self.check_connection(caller, server, &span);
        }
        if let Target::Edge { caller, callee } = target
            && [caller, callee].into_iter().all(|side| side.zone().is_none())
        {
            let name = |side: Pattern| side.name().map_or("*", |name| name.as_str());
            self.check_called(name(caller), name(callee), Traffic::Connections, span);
        }
        (self.diagnostics.len() == before).then_some(target)
    }

    fn check_pattern(&mut self, pattern: Pattern, target: Target, span: &Range<usize>) {
        if let Some(zone) = pattern.zone() {
            let zones = self.declared.zones.clone();
            if !zones.iter().any(|other| other == zone.as_str()) {
                self.report(span.clone(), unknown("zone", zone.as_str(), zones.iter().map(String::as_str)));
            }
            return;
        }
        let Some(name) = pattern.name() else { return };
        match target {
            Target::Server(_) => self.check_server(name, span),
            Target::Store(_) | Target::Connection { .. } => {
                self.check_component(span.clone(), name.as_str(), &[]);
            }
            Target::Cache(_) => {
                self.check_component(span.clone(), name.as_str(), &[]);
                let cached = self.declared.cached.iter().any(|other| other == name.as_str());
                if !cached && self.components.contains(&name) {
                    let message = format!(
                        "`{name}` has no cache; write [service.{name}] with cache = {{ ttl = \"60s\" }}"
                    );
                    self.report(span.clone(), message);
                }
            }
            Target::Edge { .. } => {
                self.check_component(span.clone(), name.as_str(), &["gateway", "registry"])
            }
            Target::Node(_) | Target::Host => {
                let processes = self.declared.processes.clone();
                let mut others: Vec<&str> = processes.iter().map(String::as_str).collect();
                others.extend(["gateway", "registry", "broker"]);
                others.sort_unstable();
                others.dedup();
                others.retain(|other| self.components.iter().all(|component| component.as_str() != *other));
                self.check_component(span.clone(), name.as_str(), &others);
            }
        }
    }

    /// Reports a server that keeps no component's data, or events that none carries.
    fn check_server(&mut self, name: ComponentName, span: &Range<usize>) {
        if name != EVENTS {
            self.check_component(span.clone(), name.as_str(), &[EVENTS.as_str()]);
        } else if !self.declared.has_broker {
            let message = "no topology has a broker; write events = \"nats\" in one of them";
            self.report(span.clone(), message.to_owned());
        }
    }

    /// Reports connections of some copies alone: all copies of a process reach a server the same way.
    fn check_connection(&mut self, caller: Pattern, server: ComponentName, span: &Range<usize>) {
        self.check_server(server, span);
        let component = match caller {
            Pattern::Any | Pattern::Component(_) => return,
            Pattern::Instance(name, _) => name.to_string(),
            Pattern::Zone(_) => "*".to_owned(),
        };
        let message = format!(
            "all copies of a component reach a server the same way, not only `{caller}`; write `{component}->server:{server}`"
        );
        self.report(span.clone(), message);
    }

    /// Reports faults of calls and events on what has none: both are of components.
    pub(crate) fn check_callee(&mut self, action: &Action, target: Target, span: Range<usize>) {
        let (Action::Fault(fault), Target::Node(pattern), TargetKind::Node) = (action, target, target.kind())
        else {
            return;
        };
        let Some(name) = pattern.name().filter(|name| !self.components.contains(name)) else { return };
        let (is_gateway, is_copy) =
            (name == ComponentName::GATEWAY, matches!(pattern, Pattern::Instance(..)));
        let on_call_path = fault.actuator_on(TargetKind::Node) == Actuator::CallPath;
        let subject = if fault.acts_on_events() {
            "events that a component takes"
        } else if on_call_path && is_copy && !is_gateway {
            // Of a copy they are found by its name, whatever it holds.
            return;
        } else if on_call_path || fault.is_caller_side() {
            "calls to a component"
        } else {
            return;
        };
        let instead = if is_gateway && fault.target_kinds().contains(&TargetKind::Edge) {
            ", or an edge such as `gateway->photo`".to_owned()
        } else if on_call_path && !is_gateway {
            format!(", or a copy such as `{name}#0`")
        } else {
            String::new()
        };
        self.report(
            span,
            format!("`{}` acts on {subject}, and `{name}` is none; write a component{instead}", fault.name()),
        );
    }

    /// Reports `name` unless it is a component or one of the `others`.
    pub(crate) fn check_component(&mut self, span: Range<usize>, name: &str, others: &[&str]) {
        let known: Vec<&str> =
            self.components.iter().map(|c| c.as_str()).chain(others.iter().copied()).collect();
        if !known.contains(&name) {
            self.report(span, unknown("component", name, known));
        }
    }
}

/// Whether an action can act on a target.
pub(crate) fn accepts(action: &Action, target: Target) -> Result<(), String> {
    match action {
        Action::Fault(fault) if fault.actuator() == Actuator::Session && target == Target::Server(EVENTS) => {
            Err("a broker keeps no database; name a component whose data is on a server, such as `server:feed`".into())
        }
        Action::Fault(Fault::DiskFull(_)) if matches!(target, Target::Server(name) if name != EVENTS) => {
            let name = target.component().map(|name| name.to_string()).unwrap_or_default();
            Err(format!("the disk of `{target}` cannot be filled; name a database, `db:{name}`, or the broker, `server:events`"))
        }
        Action::Fault(fault) if target.kind() == TargetKind::Connection => {
            let kinds: Vec<&str> = Fault::names_on(TargetKind::Connection).collect();
            let name = fault.name();
            let refused = || format!("`{name}` does not act on connections to a server; what does: {}", kinds.join(", "));
            kinds.contains(&name).then_some(()).ok_or_else(refused)
        }
        Action::Fault(fault) => fault.accepts(&target),
        _ if action.acts_on_whole_processes()
            && matches!(target, Target::Node(Pattern::Instance(..) | Pattern::Zone(_))) =>
        {
            Err(format!(
                "all copies of a process change, not only `{target}`; name a component such as `photo`"
            ))
        }
        _ if target.kind() == TargetKind::Node => Ok(()),
        _ => Err(format!("`{target}` has no instances; name a component such as `photo`")),
    }
}
