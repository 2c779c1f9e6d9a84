//! The application that a scenario is written for: its components, their tables, and who calls whom.

use contract::ComponentName;

/// Components and edges of an application.
#[derive(Clone, Copy, Debug)]
pub struct Application<'a> {
    /// Its components, in the order documents name them.
    pub components: &'a [ComponentName],
    /// Who calls whom, the gateway's edges included.
    pub calls: &'a [(ComponentName, ComponentName)],
    /// Who takes events from whom where they do not share a database.
    pub events: &'a [(ComponentName, ComponentName)],
    /// The tables of its components on a database server, each component's in the order it makes them.
    pub tables: &'a [(ComponentName, &'a str)],
}

/// What travels along an edge that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// Calls: policies and measures are of them.
    Calls,
    /// Calls, events and questions to the registry: faults act on connections, too.
    Connections,
}
