//! Checks what steps do to database servers: that some arm has one there, and the table that is named.

use std::ops::Range;

use fault::{Fault, Target};

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
        let Target::Server(name) = target else { continue };
        let has_server =
            reader.declared.copies.iter().any(|copies| copies.process.on_postgres.contains(&name));
        if !has_server && reader.components.contains(&name) {
            let message = format!(
                "no arm keeps data of `{name}` on a server; write store = \"postgres\" in a topology"
            );
            reader.report(span, message);
        }
    }
}

impl Reader<'_> {
    /// Reports a table to lock that its component does not have.
    pub(crate) fn check_locked_table(
        &mut self,
        action: &Action,
        target: Option<Target>,
        place: Range<usize>,
    ) {
        let (Some(Fault::LockTable(lock)), Some(Target::Store(name))) = (action.fault(), target) else {
            return;
        };
        let tables = self.application.tables;
        let of_component: Vec<&str> =
            tables.iter().filter(|(owner, _)| *owner == name).map(|(_, table)| *table).collect();
        if !of_component.contains(&lock.table.as_str()) && self.components.contains(&name) {
            self.report(place, unknown("table", &lock.table, of_component));
        }
    }
}
