//! Admission: so many requests at once, a short queue in order of arrival, a quick refusal for the rest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use policy::admission::{AdmissionControl, AdmissionDecision, AdmissionOptions};
use runtime::clock;
use tokio::sync::oneshot;

/// The gateway's permits and the queue for them. [`AdmissionControl`] decides; here is the waiting.
pub(crate) struct AdmissionQueue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
}

struct State {
    admission: AdmissionControl,
    queue: VecDeque<Waiter>,
}

struct Waiter {
    since_ns: u64,
    turn: oneshot::Sender<Option<Permit>>,
}

/// What becomes of a request that arrives.
pub(crate) enum Admission {
    /// It is served.
    Granted(Permit),
    /// It waits for a permit.
    Queued(QueuedRequest),
    /// There is no permit, and no use in waiting.
    Shed,
}

/// A place in the queue. Dropping it leaves the queue.
pub(crate) struct QueuedRequest(oneshot::Receiver<Option<Permit>>);

/// Leave to be served; goes to the next request in the queue when dropped.
pub(crate) struct Permit(Arc<Shared>);

impl AdmissionQueue {
    /// Nothing served, nothing waiting.
    pub fn new(options: AdmissionOptions) -> Self {
        let state = State { admission: AdmissionControl::new(options), queue: VecDeque::new() };
        Self(Arc::new(Shared { state: Mutex::new(state) }))
    }

    /// Asks for a permit.
    pub fn request_permit(&self) -> Admission {
        let mut state = self.0.state();
        state.drop_abandoned();
        match state.admission.on_arrival() {
            AdmissionDecision::Serve => Admission::Granted(Permit(self.0.clone())),
            AdmissionDecision::Shed => Admission::Shed,
            AdmissionDecision::Wait => {
                let (turn, granted) = oneshot::channel();
                state.queue.push_back(Waiter { since_ns: clock::now_ns(), turn });
                Admission::Queued(QueuedRequest(granted))
            }
        }
    }

    /// Requests being served and requests waiting.
    pub fn counts(&self) -> (u32, u32) {
        self.0.state().admission.counts()
    }
}

impl QueuedRequest {
    /// Waits for the permit; `None` when the queue has been standing for too long.
    pub async fn granted(self) -> Option<Permit> {
        self.0.await.ok().flatten()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }
}

impl State {
    /// Requests whose clients stopped waiting make room for new ones.
    fn drop_abandoned(&mut self) {
        let before = self.queue.len();
        self.queue.retain(|waiter| !waiter.turn.is_closed());
        for _ in self.queue.len()..before {
            self.admission.on_abandoned();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut notified = Vec::new();
        {
            let mut state = self.0.state();
            state.drop_abandoned();
            state.admission.on_done();
            while let Some(waiter) = state.queue.pop_front() {
                let now_ns = clock::now_ns();
                let entry = state.admission.on_dequeue(now_ns - waiter.since_ns, now_ns);
                let served = entry == AdmissionDecision::Serve;
                notified.push((waiter.turn, served.then(|| Self(self.0.clone()))));
                if served {
                    break;
                }
            }
        }
        // Outside the lock: a waiter that left in between drops its permit right here.
        for (turn, permit) in notified {
            let _gone = turn.send(permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(limit: u32, queue: u32) -> AdmissionQueue {
        AdmissionQueue::new(AdmissionOptions { limit, queue, ..AdmissionOptions::default() })
    }

    fn enter(admission: &AdmissionQueue) -> Permit {
        match admission.request_permit() {
            Admission::Granted(permit) => permit,
            _ => panic!("a permit is free"),
        }
    }

    fn queue(admission: &AdmissionQueue) -> QueuedRequest {
        match admission.request_permit() {
            Admission::Queued(turn) => turn,
            _ => panic!("no permit is free, and the queue has room"),
        }
    }

    #[tokio::test]
    async fn a_permit_goes_to_the_request_that_waits_longest() {
        let admission = admission(1, 2);
        let first = enter(&admission);
        let (second, third) = (queue(&admission), queue(&admission));
        assert!(
            matches!(admission.request_permit(), Admission::Shed),
            "one served, two waiting, and no more"
        );
        drop(first);
        let second = second.granted().await.expect("its turn");
        assert_eq!(admission.counts(), (1, 1));
        drop(second);
        drop(third.granted().await.expect("its turn"));
        assert_eq!(admission.counts(), (0, 0));
    }

    #[tokio::test]
    async fn a_request_that_stops_waiting_leaves_no_trace() {
        let admission = admission(1, 1);
        let first = enter(&admission);
        drop(queue(&admission));
        let next = queue(&admission);
        drop(first);
        drop(next.granted().await.expect("its turn"));
        assert_eq!(admission.counts(), (0, 0));
    }

    #[tokio::test]
    async fn a_permit_that_is_not_taken_goes_on() {
        let admission = admission(1, 2);
        let first = enter(&admission);
        let (gone, last) = (queue(&admission), queue(&admission));
        // Its turn comes, and it leaves without having looked.
        drop(first);
        drop(gone);
        drop(last.granted().await.expect("its turn"));
        assert_eq!(admission.counts(), (0, 0));
    }
}
