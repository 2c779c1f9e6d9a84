//! What happened, by its moment.

use record::{Event, EventKind};

use crate::history::until;
use crate::run::Run;
use crate::segments::Retention;

/// Events held while a run goes on, half a KiB each: hours of one in which nothing is wrong, minutes of breakers that open and
/// close.
const MAX_LIVE_EVENTS: usize = 1_024;
/// Room that is made at once.
const ROOM: usize = MAX_LIVE_EVENTS / 4;

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
    /// Adds what happened. While a run goes on the oldest that belong to no step make room: those of steps are the plan's, and
    /// few.
    pub(crate) fn add_event(&mut self, event: &Event, t: u64) {
        self.events.push((t, event.clone()));
        let is_full = self.events.len() > MAX_LIVE_EVENTS && self.events.len().is_multiple_of(ROOM);
        if self.retention == Retention::Judged || !is_full {
            return;
        }
        let mut left = ROOM;
        let before = self.events.len();
        self.events.retain(|(_, event)| {
            let is_dropped = event.number == 0 && left > 0;
            left -= usize::from(is_dropped);
            !is_dropped
        });
        self.events_dropped += before - self.events.len();
    }

    /// Events so far, those included that are known no longer.
    pub fn event_count(&self) -> usize {
        self.events_dropped + self.events.len()
    }

    /// The event after so many, with its moment; after more than that where it is known no longer.
    pub fn event_after(&self, count: usize) -> Option<&(u64, Event)> {
        self.events.get(count.saturating_sub(self.events_dropped))
    }

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
