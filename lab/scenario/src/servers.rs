//! Checks what steps do to database servers: that some arm has one there, and a connection to it, and the table that is named.

use std::ops::Range;

use contract::ComponentName;
use fault::target::EVENTS;
use fault::{Fault, Pattern, Target};

use crate::action::Action;
use crate::declared::PlacedTarget;
use crate::reader::Reader;
use crate::source::unknown;

/// Reports servers that no arm has: where all keep a component's data in files there is none.
pub(crate) fn check_servers(reader: &mut Reader<'_>) {
    if reader.declared.copies.is_empty() {
        return;
    }
    for PlacedTarget { target, span } in reader.targets.clone() {
        let (caller, name) = match target {
            Target::Server(name) => (None, name),
            Target::Connection { caller, server } => (Some(caller), server),
            _ => continue,
        };
        if name == EVENTS || !reader.components.contains(&name) {
            continue;
        }
        let keeping = topologies_keeping(reader, name);
        let message = match caller {
            _ if keeping.is_empty() => {
                format!("no arm keeps data of `{name}` on a server; write store = \"postgres\" in a topology")
            }
            Some(Pattern::Component(caller))
                if reader.components.contains(&caller)
                    && topologies_keeping(reader, caller).iter().all(|other| !keeping.contains(other)) =>
            {
                format!(
                    "no arm keeps data of `{caller}` on a server with those of `{name}`, so that it has no connection to it; write store = \"postgres\" for both in a topology"
                )
            }
            _ => continue,
        };
        reader.report(span, message);
    }
}

/// The topologies in which a server keeps a component's data.
fn topologies_keeping(reader: &Reader<'_>, name: ComponentName) -> Vec<String> {
    let copies = reader.declared.copies.iter();
    let keeping = copies.filter(|copies| copies.process.on_postgres.contains(&name));
    keeping.map(|copies| copies.topology.clone()).collect()
}

impl Reader<'_> {
    /// Reports a table to lock or to change that its component does not have.
    pub(crate) fn check_table(&mut self, action: &Action, target: Option<Target>, place: Range<usize>) {
        let (Some(fault), Some(Target::Store(name))) = (action.fault(), target) else { return };
        let table = match fault {
            Fault::LockTable(lock) => lock.table.as_str(),
            Fault::ChangeSchema(change) => change.table.as_str(),
            _ => return,
        };
        let tables = self.application.tables;
        let of_component: Vec<&str> =
            tables.iter().filter(|(owner, _)| *owner == name).map(|(_, table)| *table).collect();
        if !of_component.contains(&table) && self.components.contains(&name) {
            self.report(place, unknown("table", table, of_component));
        }
    }
}
