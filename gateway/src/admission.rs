//! Who may come in: so many at once, a short queue in order of arrival, and a quick no for the rest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use contract::ComponentName;
use policy::admit::{Admission, AdmitOptions, Entry};
use runtime::clock;
use tokio::sync::oneshot;

/// The name of the queue in its metrics.
const QUEUE: &str = "admission";

/// The door's places and the queue before them. [`Admission`] decides; here is the waiting.
pub struct House(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
}

struct State {
    admission: Admission,
    queue: VecDeque<Waiter>,
}

struct Waiter {
    since_ns: u64,
    turn: oneshot::Sender<Option<Place>>,
}

/// A place in the house; goes to the next in the queue when dropped.
pub struct Place(Option<Arc<Shared>>);

/// There is no place, and no use in waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shed;

impl House {
    /// An empty house.
    pub fn new(options: AdmitOptions) -> Self {
        let state = State { admission: Admission::new(options), queue: VecDeque::new() };
        Self(Arc::new(Shared { state: Mutex::new(state) }))
    }

    /// A place at once, or a place in the queue. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// When the queue is full or has been standing.
    pub async fn enter(&self) -> Result<Place, Shed> {
        let turn = {
            let mut state = self.0.state();
            state.forget_the_gone();
            match state.admission.arrive() {
                Entry::Serve => return Ok(Place(Some(self.0.clone()))),
                Entry::Shed => return Err(Shed),
                Entry::Wait => {
                    let (turn, told) = oneshot::channel();
                    state.queue.push_back(Waiter { since_ns: clock::now_ns(), turn });
                    told
                }
            }
        };
        let started = clock::now();
        let place = turn.await.ok().flatten();
        telemetry::queue_wait(ComponentName::GATEWAY, QUEUE, clock::now() - started);
        place.ok_or(Shed)
    }

    /// Requests being served and requests waiting.
    pub fn counts(&self) -> (u32, u32) {
        self.0.state().admission.counts()
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
            self.admission.give_up();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        let mut told = Vec::new();
        {
            let mut state = shared.state();
            state.forget_the_gone();
            state.admission.done();
            while let Some(waiter) = state.queue.pop_front() {
                let now_ns = clock::now_ns();
                let entry = state.admission.leave_queue(now_ns - waiter.since_ns, now_ns);
                let served = entry == Entry::Serve;
                told.push((waiter.turn, served.then(|| Self(Some(shared.clone())))));
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
    use std::pin::pin;
    use std::task::Poll;

    use futures_util::poll;

    use super::*;

    fn house(limit: u32, queue: u32) -> House {
        House::new(AdmitOptions { limit, queue, ..AdmitOptions::default() })
    }

    #[tokio::test]
    async fn a_place_goes_to_whoever_waits_longest() {
        let house = house(1, 2);
        let first = house.enter().await.expect("empty");
        let (mut second, mut third) = (pin!(house.enter()), pin!(house.enter()));
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
        assert_eq!(house.enter().await.err(), Some(Shed), "one served, two waiting, and no more");
        drop(first);
        let second = second.await.expect("its turn");
        assert!(poll!(&mut third).is_pending());
        drop(second);
        drop(third.await.expect("its turn"));
        assert_eq!(house.counts(), (0, 0));
    }

    #[tokio::test]
    async fn whoever_stops_waiting_leaves_no_trace() {
        let house = house(1, 1);
        let first = house.enter().await.expect("empty");
        {
            let mut gone = pin!(house.enter());
            assert!(poll!(&mut gone).is_pending());
        }
        let mut next = pin!(house.enter());
        assert!(poll!(&mut next).is_pending(), "the queue has room again");
        drop(first);
        assert!(matches!(poll!(&mut next), Poll::Ready(Ok(_))));
    }

    #[tokio::test]
    async fn a_turn_that_nobody_takes_goes_on() {
        let house = house(1, 2);
        let first = house.enter().await.expect("empty");
        let mut last = {
            let mut gone = pin!(house.enter());
            assert!(poll!(&mut gone).is_pending());
            let mut last = Box::pin(house.enter());
            assert!(poll!(&mut last).is_pending());
            // Its turn comes, and then it leaves without having looked.
            drop(first);
            last
        };
        assert!(matches!(poll!(&mut last), Poll::Ready(Ok(_))));
        assert_eq!(house.counts(), (0, 0));
    }
}
