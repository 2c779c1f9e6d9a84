//! Who asks for what others ask for as well: one of them, and they wait for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tokio::sync::watch;
use tokio::time::timeout_at;

use super::target::CacheKey;
use super::writes::WriteReach;

/// Requests on their way to components, each for all that would ask for the same. Cheap to clone.
#[derive(Clone)]
pub struct Flights(Arc<Shared>);

/// A target, and a number of what a request has in the fields that answers depend on.
type FlightKey = (Arc<CacheKey>, u64);

struct Shared {
    max_waiting: usize,
    waiting: AtomicUsize,
    /// Numbers flights, so that one that ends late does not end its successor.
    next: AtomicU64,
    open: Mutex<HashMap<FlightKey, (u64, watch::Receiver<()>)>>,
}

/// What a request does that finds no answer.
pub enum Boarding {
    /// It asks for all.
    Lead(Lead),
    /// None has asked, and it cannot yet.
    Vacant,
    /// Another one has asked.
    Follow(Follow),
    /// As many wait as may.
    Full,
}

/// One that asks for all. Dropped, those that wait look again: for its answer where it has been kept, and otherwise one of them
/// asks in its place.
pub struct Lead {
    flights: Flights,
    key: FlightKey,
    number: u64,
    _ended: watch::Sender<()>,
}

/// One that waits.
pub struct Follow {
    flights: Flights,
    flight: watch::Receiver<()>,
}

impl Flights {
    /// None yet; no more requests wait than these.
    pub fn new(max_waiting: usize) -> Self {
        let (waiting, next, open) = Default::default();
        Self(Arc::new(Shared { max_waiting, waiting, next, open }))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<FlightKey, (u64, watch::Receiver<()>)>> {
        self.0.open.lock().expect("no panic while held")
    }

    /// Asks for all, where it is `ready` to be sent, or waits for the one that does.
    pub fn board(&self, key: &Arc<CacheKey>, selection: u64, ready: bool) -> Boarding {
        let key = (key.clone(), selection);
        let mut open = self.open();
        if let Some((_, flight)) = open.get(&key) {
            let flight = flight.clone();
            drop(open);
            if self.0.waiting.fetch_add(1, Ordering::Relaxed) >= self.0.max_waiting {
                self.0.waiting.fetch_sub(1, Ordering::Relaxed);
                return Boarding::Full;
            }
            return Boarding::Follow(Follow { flights: self.clone(), flight });
        }
        if !ready {
            return Boarding::Vacant;
        }
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (ended, flight) = watch::channel(());
        open.insert(key.clone(), (number, flight));
        Boarding::Lead(Lead { flights: self.clone(), key, number, _ended: ended })
    }

    /// Requests for what a write reaches do not wait any more for those that have asked until now: their answers may be out of
    /// date.
    pub fn part_with(&self, reach: &WriteReach) {
        self.open().retain(|(key, _), _| !reach.reaches(key));
    }

    /// Requests that wait now.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }
}

impl Follow {
    /// Waits until the other one has its answer, or has left, or until this moment.
    pub async fn ended(mut self, until: Instant) {
        // Nothing is ever sent: the end of the channel is what is waited for.
        let _ended = timeout_at(until.into(), self.flight.changed()).await;
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.flights.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut open = self.flights.open();
        if open.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            open.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use http::Method;
    use runtime::clock;

    use super::*;

    fn key() -> Arc<CacheKey> {
        Arc::new(CacheKey { host: "cleave".into(), target: "/1".into() })
    }

    fn lead(flights: &Flights, selection: u64) -> Lead {
        match flights.board(&key(), selection, true) {
            Boarding::Lead(lead) => lead,
            _ => panic!("none has asked"),
        }
    }

    fn follow(flights: &Flights) -> Follow {
        match flights.board(&key(), 0, false) {
            Boarding::Follow(follow) => follow,
            _ => panic!("one has asked, and there is room"),
        }
    }

    fn later() -> Instant {
        clock::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn one_asks_and_the_others_wait_for_its_end() {
        let flights = Flights::new(2);
        assert!(matches!(flights.board(&key(), 0, false), Boarding::Vacant));
        let first = lead(&flights, 0);
        let _of_others = lead(&flights, 1);
        let (one, two) = (follow(&flights), follow(&flights));
        assert!(matches!(flights.board(&key(), 0, true), Boarding::Full));
        assert_eq!(flights.waiting(), 2);
        let mut waiting = Box::pin(one.ended(later()));
        assert!((&mut waiting).now_or_never().is_none());
        drop(first);
        waiting.await;
        drop(two);
        assert_eq!(flights.waiting(), 0);
        drop(lead(&flights, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn no_request_waits_longer_than_it_may() {
        let flights = Flights::new(2);
        let _first = lead(&flights, 0);
        follow(&flights).ended(clock::now() + Duration::from_millis(100)).await;
        assert_eq!(flights.waiting(), 0);
    }

    #[tokio::test]
    async fn one_that_has_been_parted_with_does_not_end_its_successor() {
        let flights = Flights::new(2);
        let old = lead(&flights, 0);
        flights.part_with(&WriteReach::of(&Method::POST, "/1"));
        let _new = lead(&flights, 0);
        drop(old);
        drop(follow(&flights));
    }
}
