//! What happened, by its moment.

use record::{Event, EventKind};

use crate::history::until;
use crate::run::Run;

/// An event's kind as every view writes it.
pub const fn kind_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Fault => "FAULT",
        EventKind::Health => "HEALTH",
        EventKind::Break => "BREAK",
        EventKind::Scale => "SCALE",
        EventKind::Deploy => "DEPLOY",
        EventKind::Check => "CHECK",
        EventKind::Log => "LOG",
    }
}

impl Run {
    /// What happened, in order, each with its moment.
    pub fn events(&self) -> &[(u64, Event)] {
        &self.events
    }

    /// Events up to `t`, oldest first.
    pub fn events_until(&self, t: u64) -> &[(u64, Event)] {
        until(&self.events, t)
    }

    /// The moment of the event after `t`, or before it.
    pub fn event_from(&self, t: u64, forward: bool) -> Option<u64> {
        let moments = || self.events.iter().map(|(at, _)| *at);
        if forward { moments().find(|at| *at > t) } else { moments().rfind(|at| *at < t) }
    }
}
