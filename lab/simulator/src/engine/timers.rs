//! Timeouts of one length: first in, first out, so that one event stands for all of them.
//!
//! Almost no timeout fires. A queue of events would sort each of them; here it costs a push to the back and a pop from
//! the front.

use std::collections::VecDeque;

use super::slab::Handle;

/// Stale timers that a new one drops at most: more than one, so that they become fewer.
const DROPPED_PER_START: usize = 2;

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

    /// How many are kept, stale ones included.
    pub fn kept(&self) -> usize {
        self.waiting.len()
    }

    /// How long they run, ns.
    pub const fn length_ns(&self) -> u64 {
        self.length_ns
    }

    /// Starts one. Returns when the class must be looked at, if no event stands for it yet. Some of those before it are dropped
    /// if `is_stale` holds for them: nearly all are stale long before they are due, and half a million would wait here.
    #[must_use = "an event has to be scheduled"]
    pub fn start(&mut self, now_ns: u64, handle: Handle, is_stale: impl Fn(Handle) -> bool) -> Option<u64> {
        for _ in 0..DROPPED_PER_START {
            if self.waiting.pop_front_if(|(_, front)| is_stale(*front)).is_none() {
                break;
            }
        }
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
        let all = |_| false;
        assert_eq!(timers.start(0, a, all), Some(100), "the first is scheduled");
        let later = (timers.start(10, b, all), timers.start(30, c, all));
        assert_eq!(later, (None, None), "the others wait behind it");
        slab.remove(b);
        let stale = |handle| slab.get(handle).is_none();
        assert_eq!(timers.due(100, stale), Some(a));
        assert_eq!(timers.due(100, stale), None, "b has gone, c is not due");
        assert_eq!(timers.rearm(), Some(130));
        assert_eq!(timers.due(130, stale), Some(c));
        assert_eq!((timers.due(130, stale), timers.rearm()), (None, None));
        assert_eq!(timers.start(500, a, all), Some(600), "and again from the beginning");
    }

    #[test]
    fn those_that_have_gone_are_not_kept_until_they_are_due() {
        let mut slab = Slab::default();
        let mut timers = Timers::new(1_000_000);
        let mut under_way = VecDeque::new();
        let mut looked_at = Vec::new();
        for now_ns in 0..10_000 {
            let handle = slab.insert(());
            let stale = |handle| slab.get(handle).is_none();
            looked_at.extend(timers.start(now_ns, handle, stale));
            under_way.push_back(handle);
            // Each is done while the tenth after it begins.
            if under_way.len() > 10
                && let Some(done) = under_way.pop_front()
            {
                slab.remove(done);
            }
            assert!(timers.kept() <= 12, "{} at {now_ns}", timers.kept());
        }
        assert_eq!(looked_at, [1_000_000], "one event stands for all, and it stands");
        let last = *under_way.front().expect("ten are under way");
        let stale = |handle| slab.get(handle).is_none();
        assert_eq!((timers.due(1_000_000, stale), timers.rearm()), (None, Some(1_009_990)));
        assert_eq!(timers.due(1_009_990, stale), Some(last), "the first that is still there");
    }
}
