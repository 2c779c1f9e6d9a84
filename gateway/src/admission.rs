//! Who may come in: so many at once, a short queue in order of arrival, and a quick no for the rest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use policy::admission::{AdmissionControl, AdmissionDecision, AdmissionOptions};
use runtime::clock;
use tokio::sync::oneshot;

/// The door's places and the queue before them. [`AdmissionControl`] decides; here is the waiting.
pub(crate) struct House(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
}

struct State {
    admission: AdmissionControl,
    queue: VecDeque<Waiter>,
}

struct Waiter {
    since_ns: u64,
    turn: oneshot::Sender<Option<Place>>,
}

/// What becomes of somebody who knocks.
pub(crate) enum Knock {
    /// Come in.
    In(Place),
    /// Wait here.
    Wait(Turn),
    /// There is no place, and no use in waiting.
    Shed,
}

/// A place in the queue. Dropping it leaves the queue.
pub(crate) struct Turn(oneshot::Receiver<Option<Place>>);

/// A place in the house; goes to the next in the queue when dropped.
pub(crate) struct Place(Arc<Shared>);

impl House {
    /// An empty house.
    pub fn new(options: AdmissionOptions) -> Self {
        let state = State { admission: AdmissionControl::new(options), queue: VecDeque::new() };
        Self(Arc::new(Shared { state: Mutex::new(state) }))
    }

    /// Asks for a place.
    pub fn knock(&self) -> Knock {
        let mut state = self.0.state();
        state.forget_the_gone();
        match state.admission.on_arrival() {
            AdmissionDecision::Serve => Knock::In(Place(self.0.clone())),
            AdmissionDecision::Shed => Knock::Shed,
            AdmissionDecision::Wait => {
                let (turn, told) = oneshot::channel();
                state.queue.push_back(Waiter { since_ns: clock::now_ns(), turn });
                Knock::Wait(Turn(told))
            }
        }
    }

    /// Requests being served and requests waiting.
    pub fn counts(&self) -> (u32, u32) {
        self.0.state().admission.counts()
    }
}

impl Turn {
    /// Waits for a place; `None` when the queue has been standing for too long.
    pub async fn come(self) -> Option<Place> {
        self.0.await.ok().flatten()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }
}

impl State {
    /// Those who stopped waiting make room for those who come.
    fn forget_the_gone(&mut self) {
        let before = self.queue.len();
        self.queue.retain(|waiter| !waiter.turn.is_closed());
        for _ in self.queue.len()..before {
            self.admission.on_abandoned();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut told = Vec::new();
        {
            let mut state = self.0.state();
            state.forget_the_gone();
            state.admission.on_done();
            while let Some(waiter) = state.queue.pop_front() {
                let now_ns = clock::now_ns();
                let entry = state.admission.on_dequeue(now_ns - waiter.since_ns, now_ns);
                let served = entry == AdmissionDecision::Serve;
                told.push((waiter.turn, served.then(|| Self(self.0.clone()))));
                if served {
                    break;
                }
            }
        }
        // Outside the lock: a waiter that left in between drops its place right here.
        for (turn, place) in told {
            let _gone = turn.send(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house(limit: u32, queue: u32) -> House {
        House::new(AdmissionOptions { limit, queue, ..AdmissionOptions::default() })
    }

    fn enter(house: &House) -> Place {
        match house.knock() {
            Knock::In(place) => place,
            _ => panic!("there is a place"),
        }
    }

    fn queue(house: &House) -> Turn {
        match house.knock() {
            Knock::Wait(turn) => turn,
            _ => panic!("there is no place, but a queue"),
        }
    }

    #[tokio::test]
    async fn a_place_goes_to_whoever_waits_longest() {
        let house = house(1, 2);
        let first = enter(&house);
        let (second, third) = (queue(&house), queue(&house));
        assert!(matches!(house.knock(), Knock::Shed), "one served, two waiting, and no more");
        drop(first);
        let second = second.come().await.expect("its turn");
        assert_eq!(house.counts(), (1, 1));
        drop(second);
        drop(third.come().await.expect("its turn"));
        assert_eq!(house.counts(), (0, 0));
    }

    #[tokio::test]
    async fn whoever_stops_waiting_leaves_no_trace() {
        let house = house(1, 1);
        let first = enter(&house);
        drop(queue(&house));
        let next = queue(&house);
        drop(first);
        drop(next.come().await.expect("its turn"));
        assert_eq!(house.counts(), (0, 0));
    }

    #[tokio::test]
    async fn a_turn_that_nobody_takes_goes_on() {
        let house = house(1, 2);
        let first = enter(&house);
        let (gone, last) = (queue(&house), queue(&house));
        // Its turn comes, and it leaves without having looked.
        drop(first);
        drop(gone);
        drop(last.come().await.expect("its turn"));
        assert_eq!(house.counts(), (0, 0));
    }
}
