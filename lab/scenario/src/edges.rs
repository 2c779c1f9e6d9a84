//! Checks that something is sent along an edge that is named.

use std::ops::Range;

use contract::ComponentName;

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

/// A side of an edge that is not named.
const ANY: &str = "*";
