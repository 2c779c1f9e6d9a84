//! Slots, and the bounded queue of those that wait for one.

use std::collections::VecDeque;

use policy::admission::{AdmissionControl, AdmissionDecision, AdmissionOptions};
use policy::units::HumanDuration;

use super::flow::Flow;
use super::plan::QueuePlan;
use crate::engine::Handle;

/// What becomes of one that asks for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It has one.
    Served,
    /// It waits.
    Waits,
    /// It waits, and the oldest that waited is refused for it.
    Displaces(Handle),
    /// It is refused.
    Refused,
}

/// Slots, and a queue before them.
#[derive(Debug)]
pub struct Pool {
    slots: u32,
    taken: u32,
    queue: VecDeque<(Handle, u64)>,
    /// How many of the queue still wait; the others have left, and are passed over.
    waiting: u32,
    capacity: u32,
    order: QueuePlan,
    standing: Option<AdmissionControl>,
    flow: Flow,
    refused: u64,
}

impl Pool {
    /// So many slots, at least one, and so many places to wait.
    pub fn new(slots: u32, capacity: u32, order: QueuePlan) -> Self {
        let standing = match order {
            QueuePlan::Standing { target_ns, interval_ns } => {
                let duration = |ns| HumanDuration::from(std::time::Duration::from_nanos(ns));
                let (target, interval) = (duration(target_ns), duration(interval_ns));
                Some(AdmissionControl::new(AdmissionOptions {
                    limit: slots.max(1),
                    queue: capacity,
                    target,
                    interval,
                }))
            }
            QueuePlan::Fifo | QueuePlan::Lifo | QueuePlan::DropOldest => None,
        };
        Self {
            slots: slots.max(1),
            taken: 0,
            queue: VecDeque::new(),
            waiting: 0,
            capacity,
            order,
            standing,
            flow: Flow::default(),
            refused: 0,
        }
    }

    /// One asks for a slot. `is_waiting` holds for those of the queue that have not left.
    pub fn enter(&mut self, handle: Handle, now_ns: u64, is_waiting: impl Fn(Handle) -> bool) -> Entry {
        if let Some(standing) = &mut self.standing {
            let decision = standing.on_arrival();
            match decision {
                AdmissionDecision::Serve => self.taken += 1,
                AdmissionDecision::Wait => self.push(handle, now_ns),
                AdmissionDecision::Shed => self.refused += 1,
            }
            return match decision {
                AdmissionDecision::Serve => Entry::Served,
                AdmissionDecision::Wait => Entry::Waits,
                AdmissionDecision::Shed => Entry::Refused,
            };
        }
        if self.taken < self.slots && self.waiting == 0 {
            self.taken += 1;
            return Entry::Served;
        }
        if self.waiting < self.capacity {
            self.push(handle, now_ns);
            return Entry::Waits;
        }
        self.refused += 1;
        if self.order == QueuePlan::Fifo || self.capacity == 0 {
            return Entry::Refused;
        }
        let oldest = loop {
            match self.queue.pop_front() {
                Some((oldest, since_ns)) if is_waiting(oldest) => {
                    self.flow.leave(now_ns, since_ns);
                    break oldest;
                }
                Some(_) => {}
                None => return Entry::Refused,
            }
        };
        self.waiting -= 1;
        self.push(handle, now_ns);
        Entry::Displaces(oldest)
    }

    fn push(&mut self, handle: Handle, now_ns: u64) {
        self.flow.enter(now_ns);
        self.waiting += 1;
        self.queue.push_back((handle, now_ns));
    }

    /// One that waited since `since_ns` has left. It may be called for those alone for which `is_waiting` held.
    pub fn abandon(&mut self, now_ns: u64, since_ns: u64) {
        self.waiting -= 1;
        self.flow.leave(now_ns, since_ns);
        if let Some(standing) = &mut self.standing {
            standing.on_abandoned();
        }
    }

    /// A slot is free again. Returns the one that gets it, and those that are dropped on the way.
    pub fn leave(
        &mut self,
        now_ns: u64,
        is_waiting: impl Fn(Handle) -> bool,
    ) -> (Option<Handle>, Vec<Handle>) {
        self.taken -= 1;
        if let Some(standing) = &mut self.standing {
            standing.on_done();
        }
        let mut dropped = Vec::new();
        loop {
            let next =
                if self.order == QueuePlan::Lifo { self.queue.pop_back() } else { self.queue.pop_front() };
            let Some((handle, since_ns)) = next else { return (None, dropped) };
            if !is_waiting(handle) {
                continue;
            }
            self.waiting -= 1;
            self.flow.leave(now_ns, since_ns);
            let decision =
                self.standing.as_mut().map(|standing| standing.on_dequeue(now_ns - since_ns, now_ns));
            if decision == Some(AdmissionDecision::Shed) {
                self.refused += 1;
                dropped.push(handle);
                continue;
            }
            self.taken += 1;
            return (Some(handle), dropped);
        }
    }

    /// All slots are free, and none waits: the process has died.
    pub fn reset(&mut self, now_ns: u64, is_waiting: impl Fn(Handle) -> bool) {
        for (handle, since_ns) in std::mem::take(&mut self.queue) {
            if is_waiting(handle) {
                self.flow.leave(now_ns, since_ns);
            }
        }
        let (flow, refused) = (self.flow, self.refused);
        *self = Self { flow, refused, ..Self::new(self.slots, self.capacity, self.order) };
    }

    /// Slots taken.
    pub const fn taken(&self) -> u32 {
        self.taken
    }

    /// How many wait.
    pub const fn waiting(&self) -> u32 {
        self.waiting
    }

    /// How many were refused or dropped.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether Little's law holds of those that wait; `is_waiting` as for [`Pool::enter`].
    pub fn is_balanced(&self, is_waiting: impl Fn(Handle) -> bool) -> bool {
        let waiting = self.queue.iter().filter(|(handle, _)| is_waiting(*handle));
        self.flow.is_balanced(waiting.map(|(_, since_ns)| *since_ns))
    }

    /// Who has waited.
    pub const fn flow(&self) -> &Flow {
        &self.flow
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Slab;

    fn handles() -> [Handle; 4] {
        let mut slab = Slab::default();
        [(); 4].map(|()| slab.insert(()))
    }

    #[test]
    fn who_is_served_and_who_is_refused() {
        let [a, b, c, d] = handles();
        let all = |_| true;
        for (order, full, next) in [
            (QueuePlan::Fifo, Entry::Refused, b),
            (QueuePlan::Lifo, Entry::Displaces(b), d),
            (QueuePlan::DropOldest, Entry::Displaces(b), c),
        ] {
            let mut pool = Pool::new(1, 2, order);
            assert_eq!(pool.enter(a, 0, all), Entry::Served);
            assert_eq!((pool.enter(b, 1, all), pool.enter(c, 2, all)), (Entry::Waits, Entry::Waits));
            assert_eq!(pool.enter(d, 3, all), full, "{order:?}");
            assert_eq!(pool.leave(4, all), (Some(next), Vec::new()), "{order:?}");
            assert_eq!((pool.taken(), pool.waiting(), pool.refused()), (1, 1, 1));
            assert!(pool.is_balanced(all));
        }
    }

    #[test]
    fn those_who_left_are_passed_over() {
        let [a, b, c, _] = handles();
        let mut pool = Pool::new(1, 2, QueuePlan::Fifo);
        pool.enter(a, 0, |_| true);
        pool.enter(b, 1, |_| true);
        pool.abandon(2, 1);
        let is_waiting = |handle| handle != b;
        assert_eq!(pool.enter(c, 3, is_waiting), Entry::Waits);
        assert_eq!(pool.leave(5, is_waiting), (Some(c), Vec::new()));
        assert_eq!(pool.leave(6, is_waiting), (None, Vec::new()));
        assert_eq!((pool.taken(), pool.waiting()), (0, 0));
        assert!(pool.is_balanced(is_waiting));
    }

    #[test]
    fn a_queue_that_stands_is_dropped_from() {
        let [a, b, c, d] = handles();
        let mut pool = Pool::new(1, 8, QueuePlan::Standing { target_ns: 5, interval_ns: 100 });
        for (handle, n) in [a, b, c, d].into_iter().zip(0..) {
            pool.enter(handle, n, |_| true);
        }
        assert_eq!(pool.leave(50, |_| true), (Some(b), Vec::new()), "it has stood since now");
        assert_eq!(pool.leave(160, |_| true), (Some(d), vec![c]), "for more than an interval");
    }
}
