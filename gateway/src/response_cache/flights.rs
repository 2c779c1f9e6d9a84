//! Who asks for what others ask for as well: one of them, and they wait for it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use policy::client_network;
use tokio::sync::watch;
use tokio::time::timeout_at;

use super::target::CacheKey;
use super::writes::WriteReach;

/// Requests on their way to components, each for all that would ask for the same. Cheap to clone.
#[derive(Clone)]
pub struct Flights(Arc<Shared>);

/// A target, and a number of what a request has in the fields that answers depend on.
type FlightKey = (Arc<CacheKey>, u64);

/// How many requests may wait at once.
#[derive(Clone, Copy, Debug)]
pub struct WaitingLimits {
    /// Of all clients.
    pub in_all: usize,
    /// Of one address; `None` where addresses do not set clients apart.
    pub per_address: Option<usize>,
}

struct Shared {
    limits: WaitingLimits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: HashMap<FlightKey, (u64, watch::Receiver<()>)>,
    /// Numbers flights, so that one that ends late does not end its successor.
    next: u64,
    waiting: usize,
    /// Of those that wait: of each address, as [`client_network()`] has it, where addresses are limited.
    by_address: HashMap<IpAddr, usize>,
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
    address: IpAddr,
}

impl Flights {
    /// None yet; no more requests wait than these.
    pub fn new(limits: WaitingLimits) -> Self {
        Self(Arc::new(Shared { limits, state: Mutex::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no panic while held")
    }

    /// Asks for all, where it is `ready` to be sent, or waits for the one that does. `address` is its client's.
    pub fn board(&self, key: &Arc<CacheKey>, selection: u64, ready: bool, address: IpAddr) -> Boarding {
        let key = (key.clone(), selection);
        let mut state = self.state();
        if let Some((_, flight)) = state.open.get(&key) {
            let (flight, address) = (flight.clone(), client_network(address));
            if !state.begin_waiting(self.0.limits, address) {
                return Boarding::Full;
            }
            return Boarding::Follow(Follow { flights: self.clone(), flight, address });
        }
        if !ready {
            return Boarding::Vacant;
        }
        let number = state.next;
        state.next += 1;
        let (ended, flight) = watch::channel(());
        state.open.insert(key.clone(), (number, flight));
        Boarding::Lead(Lead { flights: self.clone(), key, number, _ended: ended })
    }

    /// Requests for what a write reaches do not wait any more for those that have asked until now: their answers may be out of
    /// date.
    pub fn part_with(&self, reach: &WriteReach) {
        self.state().open.retain(|(key, _), _| !reach.reaches(key));
    }

    /// Requests that wait now.
    pub fn waiting(&self) -> usize {
        self.state().waiting
    }
}

impl State {
    /// Counts one more that waits, if it may.
    fn begin_waiting(&mut self, limits: WaitingLimits, address: IpAddr) -> bool {
        if self.waiting >= limits.in_all {
            return false;
        }
        if let Some(most) = limits.per_address {
            let of_address = self.by_address.get(&address).copied().unwrap_or_default();
            if of_address >= most {
                return false;
            }
            self.by_address.insert(address, of_address + 1);
        }
        self.waiting += 1;
        true
    }

    fn end_waiting(&mut self, address: IpAddr) {
        self.waiting -= 1;
        if let Some(of_address) = self.by_address.get_mut(&address) {
            *of_address -= 1;
            if *of_address == 0 {
                self.by_address.remove(&address);
            }
        }
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
        self.flights.state().end_waiting(self.address);
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut state = self.flights.state();
        if state.open.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            state.open.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use futures_util::FutureExt;
    use http::Method;
    use runtime::clock;

    use super::*;

    fn key() -> Arc<CacheKey> {
        Arc::new(CacheKey { host: "cleave".into(), target: "/1".into() })
    }

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Two may wait.
    fn two() -> Flights {
        Flights::new(WaitingLimits { in_all: 2, per_address: None })
    }

    fn lead(flights: &Flights, selection: u64) -> Lead {
        match flights.board(&key(), selection, true, HERE) {
            Boarding::Lead(lead) => lead,
            _ => panic!("none has asked"),
        }
    }

    fn follow(flights: &Flights) -> Follow {
        match flights.board(&key(), 0, false, HERE) {
            Boarding::Follow(follow) => follow,
            _ => panic!("one has asked, and there is room"),
        }
    }

    fn later() -> Instant {
        clock::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn one_asks_and_the_others_wait_for_its_end() {
        let flights = two();
        assert!(matches!(flights.board(&key(), 0, false, HERE), Boarding::Vacant));
        let first = lead(&flights, 0);
        let _of_others = lead(&flights, 1);
        let (one, two) = (follow(&flights), follow(&flights));
        assert!(matches!(flights.board(&key(), 0, true, HERE), Boarding::Full));
        assert_eq!(flights.waiting(), 2);
        let mut waiting = Box::pin(one.ended(later()));
        assert!((&mut waiting).now_or_never().is_none());
        drop(first);
        waiting.await;
        drop(two);
        assert_eq!(flights.waiting(), 0);
        drop(lead(&flights, 0));
    }

    #[test]
    fn an_address_whose_requests_wait_leaves_room_for_another() {
        let flights = Flights::new(WaitingLimits { in_all: 3, per_address: Some(1) });
        let _first = lead(&flights, 0);
        let board =
            |address: &str| flights.board(&key(), 0, false, address.parse::<IpAddr>().expect("an address"));
        let own = board("10.0.0.1");
        assert!(matches!(own, Boarding::Follow(_)) && matches!(board("10.0.0.1"), Boarding::Full));
        let (other, network) = (board("10.0.0.2"), board("2001:db8::1"));
        assert!(matches!(other, Boarding::Follow(_)) && matches!(network, Boarding::Follow(_)));
        assert!(matches!(board("10.0.0.3"), Boarding::Full), "as many as may in all");
        drop((own, other));
        assert!(matches!(board("2001:db8::2"), Boarding::Full), "the same network");
        let again = board("10.0.0.1");
        assert!(matches!(again, Boarding::Follow(_)));
        drop((again, network));
        let state = flights.state();
        assert!(state.waiting == 0 && state.by_address.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn no_request_waits_longer_than_it_may() {
        let flights = two();
        let _first = lead(&flights, 0);
        follow(&flights).ended(clock::now() + Duration::from_millis(100)).await;
        assert_eq!(flights.waiting(), 0);
    }

    #[tokio::test]
    async fn one_that_has_been_parted_with_does_not_end_its_successor() {
        let flights = two();
        let old = lead(&flights, 0);
        flights.part_with(&WriteReach::of(&Method::POST, "/1"));
        let _new = lead(&flights, 0);
        drop(old);
        drop(follow(&flights));
    }
}
