//! Timeouts of one length: first in, first out, so that one event stands for all of them.
//!
//! Almost no timeout fires. A queue of events would sort each of them; here it costs a push to the back and a pop from
//! the front.

use std::collections::VecDeque;

use super::slab::Handle;

/// Timers of one class, which all run for the same time.
#[derive(Debug)]
pub struct Timers {
    length_ns: u64,
    waiting: VecDeque<(u64, Handle)>,
    is_armed: bool,
}

impl Timers {
    /// A class of timers that run for so long.
    pub const fn new(length_ns: u64) -> Self {
        Self { length_ns, waiting: VecDeque::new(), is_armed: false }
    }

    /// How long they run, ns.
    pub const fn length_ns(&self) -> u64 {
        self.length_ns
    }

    /// Starts one. Returns when the class must be looked at, if no event stands for it yet.
    #[must_use = "an event has to be scheduled"]
    pub fn start(&mut self, now_ns: u64, handle: Handle) -> Option<u64> {
        let due_ns = now_ns.saturating_add(self.length_ns);
        self.waiting.push_back((due_ns, handle));
        let is_first = !std::mem::replace(&mut self.is_armed, true);
        is_first.then_some(due_ns)
    }

    /// The next timer that is due. Timers for which `is_stale` holds are dropped.
    pub fn due(&mut self, now_ns: u64, is_stale: impl Fn(Handle) -> bool) -> Option<Handle> {
        while let Some((due_ns, handle)) = self.waiting.front().copied() {
            let stale = is_stale(handle);
            if due_ns > now_ns && !stale {
                return None;
            }
            self.waiting.pop_front();
            if !stale {
                return Some(handle);
            }
        }
        None
    }

    /// To be called when no other is due: when the class must be looked at again, if at all.
    #[must_use = "an event has to be scheduled"]
    pub fn rearm(&mut self) -> Option<u64> {
        let next = self.waiting.front().map(|(due_ns, _)| *due_ns);
        self.is_armed = next.is_some();
        next
    }
}

#[cfg(test)]
mod tests {
    use super::super::slab::Slab;
    use super::*;

    #[test]
    fn one_event_stands_for_all() {
        let mut slab = Slab::default();
        let [a, b, c] = [slab.insert(()), slab.insert(()), slab.insert(())];
        let mut timers = Timers::new(100);
        assert_eq!(timers.start(0, a), Some(100), "the first is scheduled");
        assert_eq!((timers.start(10, b), timers.start(30, c)), (None, None), "the others wait behind it");
        slab.remove(b);
        let stale = |handle| slab.get(handle).is_none();
        assert_eq!(timers.due(100, stale), Some(a));
        assert_eq!(timers.due(100, stale), None, "b has gone, c is not due");
        assert_eq!(timers.rearm(), Some(130));
        assert_eq!(timers.due(130, stale), Some(c));
        assert_eq!((timers.due(130, stale), timers.rearm()), (None, None));
        assert_eq!(timers.start(500, a), Some(600), "and again from the beginning");
    }
}
