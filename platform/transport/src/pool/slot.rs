//! What of a pool's limits a connection takes up.

use std::sync::Arc;

use super::{Grant, Shared};

/// One of `max_connections`. Dropped, it goes to the request that has waited longest.
pub(super) struct ConnectionSlot(pub(super) Option<Arc<Shared>>);

/// One of `max_streaming`.
pub(super) struct StreamingSlot(pub(super) Arc<Shared>);

impl Drop for StreamingSlot {
    fn drop(&mut self) {
        self.0.state.lock().expect("no panic while held").streaming -= 1;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        loop {
            let mut state = shared.state.lock().expect("no panic while held");
            let Some(waiter) = state.waiting.pop_front() else {
                state.open -= 1;
                shared.metrics.active.decrement(1.0);
                return;
            };
            drop(state);
            match waiter.send(Grant::Slot(Self(Some(shared.clone())))) {
                Ok(()) => return,
                Err(Grant::Slot(mut slot)) => slot.0 = None,
                Err(Grant::Connection(_)) => return,
            }
        }
    }
}
