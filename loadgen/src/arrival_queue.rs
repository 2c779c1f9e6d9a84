//! Arrivals on their way to slots: each goes to the slot that became idle last, and waits in line where none is idle.
//!
//! There are as many slots as there may be requests in flight, a thousand at a rate of a thousand. If they took turns, each would
//! be used once a second: its memory is in no cache by then, and goose would send what it counts one by one in place of a
//! hundred together. So few are used as long as few are needed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::oneshot;
use traffic::Arrival;

/// An arrival dispatched to an arm.
#[derive(Clone, Copy, Debug)]
pub struct Dispatched {
    /// The arrival.
    pub arrival: Arrival,
    /// When it was dispatched, microseconds since the load's start; when it was due, if it was dispatched before.
    pub dispatched_us: u64,
    /// Whether a slot was idle then.
    pub idle: bool,
}

/// The queue of an arm.
#[derive(Debug)]
pub struct ArrivalQueue {
    /// Most arrivals that may wait.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Arrivals without a slot, in order.
    waiting: VecDeque<Dispatched>,
    /// Slots without an arrival, the one that became idle last at the end.
    idle: Vec<oneshot::Sender<Dispatched>>,
    is_closed: bool,
}

impl ArrivalQueue {
    /// Nothing waits, and no slot is there yet.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default() })
    }

    /// Hands an arrival to an idle slot, and notes that it was idle; or puts it in line. False where the line is full.
    pub fn offer(&self, dispatched: Dispatched) -> bool {
        let mut offered = Dispatched { idle: true, ..dispatched };
        loop {
            let slot = {
                let mut state = self.state();
                let Some(slot) = state.idle.pop() else {
                    let has_room = state.waiting.len() < self.limit;
                    if has_room {
                        state.waiting.push_back(Dispatched { idle: false, ..dispatched });
                    }
                    return has_room;
                };
                slot
            };
            // Outside the lock: it wakes the slot. One that has gone gives it back.
            match slot.send(offered) {
                Ok(()) => return true,
                Err(returned) => offered = returned,
            }
        }
    }

    /// The next arrival for a slot; `None` once the queue is closed and nothing waits.
    pub async fn take(&self) -> Option<Dispatched> {
        let turn = {
            let mut state = self.state();
            let first = state.waiting.pop_front();
            if first.is_some() || state.is_closed {
                return first;
            }
            let (slot, turn) = oneshot::channel();
            state.idle.push(slot);
            turn
        };
        turn.await.ok()
    }

    /// No more arrivals come. What waits is still taken.
    pub fn close(&self) {
        let idle = {
            let mut state = self.state();
            state.is_closed = true;
            std::mem::take(&mut state.idle)
        };
        // Outside the lock: it wakes all of them.
        drop(idle);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use traffic::Journey;

    use super::*;

    fn dispatched(seq: u64) -> Dispatched {
        let arrival =
            Arrival { seq, due_ns: 0, journey: Journey::HomeFeed, user: 0, target: 0, payload_seed: 0 };
        Dispatched { arrival, dispatched_us: 0, idle: false }
    }

    /// Number of an arrival, and whether its slot was idle.
    fn seen(taken: Option<Dispatched>) -> Option<(u64, bool)> {
        taken.map(|dispatched| (dispatched.arrival.seq, dispatched.idle))
    }

    #[test]
    fn the_slot_that_became_idle_last_is_used_first() {
        let queue = ArrivalQueue::new(1);
        let (mut first, mut second) = (Box::pin(queue.take()), Box::pin(queue.take()));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        assert!(queue.offer(dispatched(1)));
        assert_eq!(second.as_mut().now_or_never().map(seen), Some(Some((1, true))));
        assert!(first.as_mut().now_or_never().is_none(), "it is left alone while one is enough");
        assert!(queue.offer(dispatched(2)));
        assert_eq!(first.as_mut().now_or_never().map(seen), Some(Some((2, true))));
    }

    #[test]
    fn what_finds_no_slot_waits_in_order_and_no_more_than_may() {
        let queue = ArrivalQueue::new(2);
        let offered = [1, 2, 3].map(|seq| queue.offer(dispatched(seq)));
        assert_eq!(offered, [true, true, false]);
        queue.close();
        let taken = [(); 3].map(|()| queue.take().now_or_never().map(seen));
        assert_eq!(taken, [Some(Some((1, false))), Some(Some((2, false))), Some(None)]);
    }

    #[test]
    fn a_slot_that_has_gone_is_passed_over_and_the_end_reaches_all() {
        let queue = ArrivalQueue::new(1);
        let mut staying = Box::pin(queue.take());
        let mut gone = Box::pin(queue.take());
        assert!(staying.as_mut().now_or_never().is_none() && gone.as_mut().now_or_never().is_none());
        drop(gone);
        assert!(queue.offer(dispatched(1)));
        assert_eq!(staying.now_or_never().map(seen), Some(Some((1, true))));
        let mut idle = Box::pin(queue.take());
        assert!(idle.as_mut().now_or_never().is_none());
        queue.close();
        assert_eq!(idle.now_or_never().map(seen), Some(None));
    }
}
