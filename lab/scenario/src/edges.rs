//! Checks that something is sent along an edge that is named, and that a component publishes or takes the events that its keys are
//! about.

use std::ops::Range;

use contract::ComponentName;
use policy::ServiceOptions;

use crate::application::Traffic;
use crate::reader::Reader;

impl Reader<'_> {
    /// Reports an edge between known components along which nothing travels. A side that is `*` is any.
    pub(crate) fn check_called(&mut self, caller: &str, callee: &str, traffic: Traffic, span: Range<usize>) {
        let application = self.application;
        let is_any = |side: &str| side == ANY;
        let is_known = |side: &str| {
            let names = [ComponentName::GATEWAY, ComponentName::REGISTRY];
            is_any(side) || names.iter().chain(application.components).any(|name| name.as_str() == side)
        };
        let is_question = callee == ComponentName::REGISTRY.as_str() && traffic == Traffic::Connections;
        // A name that is unknown is reported as such.
        if is_question || !is_known(caller) || !is_known(callee) {
            return;
        }
        let events: &[(ComponentName, ComponentName)] =
            if traffic == Traffic::Calls { &[] } else { application.events };
        let edges = || application.calls.iter().chain(events).map(|(from, to)| (from.as_str(), to.as_str()));
        let is_meant =
            |from: &str, to: &str| (is_any(caller) || caller == from) && (is_any(callee) || callee == to);
        if edges().any(|(from, to)| is_meant(from, to)) {
            return;
        }
        let list = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let mut choices = Vec::new();
        if !is_any(caller) {
            let called = edges().filter(|(from, _)| *from == caller).map(|(_, to)| to);
            choices.push(format!("called by {caller}: {}", list(called.collect())));
        }
        if !is_any(callee) {
            let callers = edges().filter(|(_, to)| *to == callee).map(|(from, _)| from);
            choices.push(format!("callers of {callee}: {}", list(callers.collect())));
        }
        self.report(span, format!("nothing is sent along `{caller}->{callee}`; {}", choices.join("; ")));
    }
}

impl Reader<'_> {
    /// Reports what a component declares of events that it does not publish, or does not take.
    pub(crate) fn check_event_keys(
        &mut self,
        name: &str,
        service: &ServiceOptions,
        place: &dyn Fn(&str) -> Range<usize>,
    ) {
        let (components, calls, events) = (self.components, self.application.calls, self.application.events);
        // A name that is unknown is reported as such, and the gateway has none of these.
        if !components.iter().any(|component| component.as_str() == name) {
            return;
        }
        let publishes = |component: &str| events.iter().any(|(_, from)| from.as_str() == component);
        let asks = |component: &str| {
            events.iter().any(|(to, _)| to.as_str() == component)
                && calls.iter().any(|(from, _)| from.as_str() == component)
        };
        let list = |fits: &dyn Fn(&str) -> bool| {
            let names: Vec<&str> =
                components.iter().map(|name| name.as_str()).filter(|&name| fits(name)).collect();
            names.join(", ")
        };
        if service.outbox.is_some() && !publishes(name) {
            let message = format!(
                "outbox: nothing takes events of `{name}`; components that publish some: {}",
                list(&publishes)
            );
            self.report(place("outbox"), message);
        }
        if service.calls_in_transaction.is_some() && !asks(name) {
            let message = format!(
                "calls_in_transaction: `{name}` asks no component about events that it takes; components that do: {}",
                list(&asks)
            );
            self.report(place("calls_in_transaction"), message);
        }
        if service.push_below.is_some() && name != FAN_OUT {
            let message =
                format!("push_below: `{name}` fans out to no followers; write it under [service.{FAN_OUT}]");
            self.report(place("push_below"), message);
        }
    }
}

/// The component that fans posts out to followers, whose threshold is `push_below`.
const FAN_OUT: &str = "feed";
/// A side of an edge that is not named.
const ANY: &str = "*";
