//! Virtual time, and the events to come.

use super::key::{Event, Key, MAX_TIME_NS};
use super::queue::EventQueue;

/// Virtual time and the events to come. What kinds and indexes mean is the business of what drives it.
#[derive(Debug)]
pub struct Scheduler<Q> {
    queue: Q,
    now_ns: u64,
    seq: u32,
    /// Earliest time an event may be scheduled for.
    floor_ns: u64,
    happened: u64,
}

impl<Q: EventQueue> Scheduler<Q> {
    /// Time 0, and nothing to come.
    pub const fn new(queue: Q) -> Self {
        // The first number is 1: the radix heap takes keys above 0.
        Self { queue, now_ns: 0, seq: 1, floor_ns: 0, happened: 0 }
    }

    /// Virtual time, ns.
    pub const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Events that have happened.
    pub const fn happened(&self) -> u64 {
        self.happened
    }

    /// What holds the events to come.
    pub const fn queue(&self) -> &Q {
        &self.queue
    }

    /// Events to come.
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Schedules an event, now at the earliest. Returns its number, which distinguishes it from others of its kind and index; events of one nanosecond happen in the order in which they were scheduled.
    ///
    /// Numbers wrap after 2^32: then the order of events of one nanosecond is still fixed, but no longer this one.
    pub fn at(&mut self, time_ns: u64, kind: u8, index: u32) -> u32 {
        let seq = self.seq;
        let time_ns = time_ns.clamp(self.floor_ns, MAX_TIME_NS);
        self.queue.push(Key::new(Event { time_ns, seq, kind, index }));
        self.seq = seq.wrapping_add(1);
        if self.seq == 0 {
            // A key of now with a small number would be before one that has happened.
            self.floor_ns = self.now_ns + 1;
        }
        seq
    }

    /// Schedules an event after a delay, ns.
    pub fn after(&mut self, delay_ns: u64, kind: u8, index: u32) -> u32 {
        self.at(self.now_ns.saturating_add(delay_ns), kind, index)
    }

    /// The next event, which happens now; `None` when there is none until `until_ns`. Events after that stay.
    pub fn next(&mut self, until_ns: u64) -> Option<Event> {
        let key = self.queue.pop_until(until_ns)?;
        self.now_ns = key.time_ns();
        self.floor_ns = self.floor_ns.max(self.now_ns);
        self.happened += 1;
        Some(key.event())
    }
}
