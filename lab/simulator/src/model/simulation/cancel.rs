//! What is called off, and what is given back by that.

use policy::Cancellation;

use super::super::edge::Outcome;
use super::super::frame::{Frame, Waits};
use super::Simulation;
use crate::engine::{EventQueue, Handle, Slab};

impl<Q: EventQueue> Simulation<Q> {
    /// Calls a frame off, and all that is done for it. CPU that it is using is used to the end of the burst; a query runs on.
    pub(super) fn cancel_frame(&mut self, handle: Handle) {
        let now_ns = self.events.now_ns();
        let Some(frame) = self.frames.remove(handle) else { return };
        match frame.waits {
            Waits::Work => {}
            Waits::Slot(since_ns) => {
                if let Some(pool) = &mut self.system.instances[frame.instance as usize].pool {
                    pool.abandon(now_ns, since_ns);
                }
            }
            Waits::Call(call) => self.cancel_call(call),
            Waits::Callee(callee) => self.cancel_frame(callee),
            Waits::Branches(branches) => branches.into_iter().for_each(|branch| self.cancel_frame(branch)),
        }
        if frame.has_slot {
            self.free_slot(frame.instance);
        }
    }

    fn cancel_call(&mut self, handle: Handle) {
        let Some(call) = self.calls.remove(handle) else { return };
        for attempt in call.tries.into_iter().filter(|attempt| !attempt.is_none()) {
            self.give_up(attempt);
        }
    }

    /// A try is given up without a result.
    pub(super) fn give_up(&mut self, handle: Handle) {
        let Some(record) = self.tries.get_mut(handle) else { return };
        if let Some(pass) = record.pass.take() {
            let (edge, endpoint) = (record.edge, record.endpoint);
            self.system.connections[edge as usize].edge.give_up(pass, endpoint);
            self.give_connection_back(handle);
        }
        self.abandon(handle);
    }

    /// No caller waits for a try any more. Its callee is called off, or goes on without knowing.
    pub(super) fn abandon(&mut self, handle: Handle) {
        let Some(record) = self.tries.get(handle) else { return };
        let callee = record.callee;
        let policy = &self.system.connections[record.edge as usize].edge.policy;
        // It goes when its answer comes. Where none can come any more, it goes now.
        if policy.cancel == Cancellation::Detach
            && record.endpoint.is_some()
            && !record.is_answered
            && !record.awaits_connection()
        {
            return;
        }
        self.tries.remove(handle);
        self.cancel_frame(callee);
    }

    /// A frame gives its slot back.
    pub(super) fn free_slot(&mut self, instance: u32) {
        if self.system.instances[instance as usize].pool.is_some() {
            self.freed.push_back(instance);
        }
    }

    /// The next frame gets a slot that was given back.
    pub(super) fn give_slot(&mut self, instance: u32) {
        let now_ns = self.events.now_ns();
        let frames = &self.frames;
        let Some(pool) = &mut self.system.instances[instance as usize].pool else { return };
        let (next, dropped) = pool.leave(now_ns, is_waiting(frames));
        for handle in dropped {
            self.fail(handle, Outcome::Shed);
        }
        if let Some(handle) = next {
            self.has_slot(handle);
            self.advance(handle);
        }
    }
}

/// Whether a frame waits for a slot still.
pub(super) fn is_waiting(frames: &Slab<Frame>) -> impl Fn(Handle) -> bool + '_ {
    move |handle| frames.get(handle).is_some_and(|frame| matches!(frame.waits, Waits::Slot(_)))
}
