//! Who is connected: so many of one address, so many that have no request at work.
//!
//! A connection without a whole header costs its client nothing and others a place, be it the header of its first request or
//! of one after it. So these are bounded, of one address and in all, and it is the one that goes that is idle for longest:
//! a client that connects in order to ask has asked long before.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use policy::client_network;
use tokio::sync::Notify;

/// How many connections there may be. Addresses of one /64 network of IPv6 are one: see [`client_network()`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Of one address; `None` where all clients share one. It has no more requests at work either: over HTTP/2 each connection
    /// would have a hundred.
    pub per_address: Option<usize>,
    /// Without a request at work, of one address; `None` where all clients share one.
    pub idle_per_address: Option<usize>,
    /// Without a request at work, in all.
    pub idle: usize,
}

impl ConnectionLimits {
    /// None but the number of connections: for clients that are our own, or that share an address. Where
    /// there is no room left, the one still goes that is idle for longest.
    pub const SHARED: Self = Self { per_address: None, idle_per_address: None, idle: usize::MAX };
    /// The same, and limits by address: for the public.
    pub const PUBLIC: Self = Self { per_address: Some(1_024), idle_per_address: Some(256), idle: 2_048 };
}

/// The connections of a server.
///
/// What a request costs here are a few atomic counts. The order is mended where it is needed, which is where there are too
/// many: an entry's place in it is never later than the time since which its connection is idle.
#[derive(Debug)]
pub(crate) struct Connections {
    limits: ConnectionLimits,
    /// Those without a request at work.
    idle: AtomicUsize,
    /// A clock of its own: rises with each connection that begins to be idle.
    next: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    addresses: HashMap<IpAddr, AddressState>,
    /// Every one that has not been asked to go, by the time since which it may be idle.
    order: BTreeMap<u64, Arc<ConnectionState>>,
}

#[derive(Debug, Default)]
struct AddressState {
    open: usize,
    counts: Arc<AddressCounts>,
}

/// What the connections of an address have in common.
#[derive(Debug, Default)]
struct AddressCounts {
    /// Connections without a request at work.
    idle: AtomicUsize,
    /// Requests at work, where they are limited.
    at_work: AtomicUsize,
}

#[derive(Debug)]
struct ConnectionState {
    address: IpAddr,
    of_address: Arc<AddressCounts>,
    /// Its key in [`State::order`]; changed under the lock alone.
    place: AtomicU64,
    idle_since: AtomicU64,
    /// Requests at work; [`LEAVING`] and more once it has been asked to go, or has gone.
    at_work: AtomicU64,
    notice: EvictionNotice,
}

/// Counted as a request at work, of one that is not counted as idle any more.
const LEAVING: u64 = 1 << 32;

/// A connection's place in the table; given up when dropped.
#[derive(Debug)]
pub(crate) struct ConnectionEntry {
    connections: Arc<Connections>,
    connection: Arc<ConnectionState>,
}

/// A request of a connection, from its head until its answer has ended.
#[derive(Debug)]
pub(crate) struct ActiveRequest {
    connections: Arc<Connections>,
    connection: Arc<ConnectionState>,
}

/// Whose place an idle connection has to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// Its address has too many of these.
    OfAddress,
    /// There are too many in all.
    OfAll,
}

#[derive(Debug, Default)]
struct EvictionNotice {
    sent: Notify,
    is_of_address: AtomicBool,
}

impl Connections {
    pub fn new(limits: ConnectionLimits) -> Self {
        let (idle, next, state) = Default::default();
        Self { limits, idle, next, state }
    }

    /// Counts a connection in; `None` when its address, or its network in IPv6, has as many as it may.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionEntry> {
        let address = client_network(address);
        let mut state = self.state();
        let entry = state.addresses.entry(address).or_default();
        if self.limits.per_address.is_some_and(|most| entry.open >= most) {
            return None;
        }
        entry.open += 1;
        let of_address = entry.counts.clone();
        let crowded = |most| of_address.idle.load(Ordering::Relaxed) >= most;
        if self.limits.idle_per_address.is_some_and(crowded) {
            self.evict_oldest(&mut state, Some(address));
        }
        if self.idle.load(Ordering::Relaxed) >= self.limits.idle {
            self.evict_oldest(&mut state, None);
        }
        let since = self.tick();
        let connection = Arc::new(ConnectionState {
            address,
            of_address,
            place: AtomicU64::new(since),
            idle_since: AtomicU64::new(since),
            at_work: AtomicU64::new(0),
            notice: EvictionNotice::default(),
        });
        state.order.insert(since, connection.clone());
        self.count_idle(&connection);
        Some(ConnectionEntry { connections: self.clone(), connection })
    }

    /// Makes room where there is none at all: the one goes that is idle for longest.
    pub fn make_room(&self) {
        self.evict_oldest(&mut self.state(), None);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    fn tick(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn count_idle(&self, connection: &ConnectionState) {
        self.idle.fetch_add(1, Ordering::Relaxed);
        connection.of_address.idle.fetch_add(1, Ordering::Relaxed);
    }

    fn uncount_idle(&self, connection: &ConnectionState) {
        self.idle.fetch_sub(1, Ordering::Relaxed);
        connection.of_address.idle.fetch_sub(1, Ordering::Relaxed);
    }

    /// Asks the connection to go that is idle for longest, if any is. Those that turn out to have had a request since they
    /// got their place get a new one: each of them once for a request.
    fn evict_oldest(&self, state: &mut State, address: Option<IpAddr>) {
        let is_it =
            |connection: &ConnectionState| address.is_none_or(|address| connection.address == address);
        let mut from = 0;
        let end = self.tick();
        while let Some((place, connection)) = state.order.range(from..end).find(|(_, other)| is_it(other)) {
            let (place, connection) = (*place, connection.clone());
            from = place + 1;
            state.order.remove(&place);
            let is_idle = connection.at_work.load(Ordering::Acquire) == 0;
            let since = connection.idle_since.load(Ordering::Relaxed);
            if is_idle && since == place && connection.leave_if_idle() {
                self.uncount_idle(&connection);
                connection.notice.is_of_address.store(address.is_some(), Ordering::Release);
                connection.notice.sent.notify_one();
                return;
            }
            // One at work will be idle from now on at the earliest.
            let place = if is_idle && since != place { since } else { self.tick() };
            connection.place.store(place, Ordering::Relaxed);
            state.order.insert(place, connection);
        }
    }
}

impl ConnectionState {
    /// Whether it was idle, and counts as leaving from here on.
    fn leave_if_idle(&self) -> bool {
        self.at_work.compare_exchange(0, LEAVING, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl ConnectionEntry {
    /// A request of it begins. It is not asked to go until that is dropped.
    pub fn begin_request(&self) -> ActiveRequest {
        let Self { connections, connection } = self;
        if connection.at_work.fetch_add(1, Ordering::AcqRel) == 0 {
            connections.uncount_idle(connection);
        }
        if connections.limits.per_address.is_some() {
            connection.of_address.at_work.fetch_add(1, Ordering::Relaxed);
        }
        ActiveRequest { connections: connections.clone(), connection: connection.clone() }
    }

    /// Whether its address may have one more request at work.
    pub fn has_room(&self) -> bool {
        let at_work = &self.connection.of_address.at_work;
        self.connections.limits.per_address.is_none_or(|most| at_work.load(Ordering::Relaxed) < most)
    }

    /// Whether a request of it is at work.
    pub fn is_at_work(&self) -> bool {
        !self.connection.at_work.load(Ordering::Acquire).is_multiple_of(LEAVING)
    }

    /// Resolves when it has to go: it asks for nothing, and others need its place.
    pub async fn evicted(&self) -> Eviction {
        let notice = &self.connection.notice;
        notice.sent.notified().await;
        if notice.is_of_address.load(Ordering::Acquire) { Eviction::OfAddress } else { Eviction::OfAll }
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        let Self { connections, connection } = self;
        if connections.limits.per_address.is_some() {
            connection.of_address.at_work.fetch_sub(1, Ordering::Relaxed);
        }
        // Before it counts as idle, so that it is not taken for one that has been for long.
        connection.idle_since.store(connections.tick(), Ordering::Relaxed);
        if connection.at_work.fetch_sub(1, Ordering::AcqRel) == 1 {
            connections.count_idle(connection);
        }
    }
}

impl Drop for ConnectionEntry {
    fn drop(&mut self) {
        let Self { connections, connection } = self;
        // Requests may outlive it, and it is not idle once they are over.
        if connection.at_work.fetch_add(LEAVING, Ordering::AcqRel) == 0 {
            connections.uncount_idle(connection);
        }
        let mut state = connections.state();
        state.order.remove(&connection.place.load(Ordering::Relaxed));
        if let Some(entry) = state.addresses.get_mut(&connection.address) {
            entry.open -= 1;
            if entry.open == 0 {
                state.addresses.remove(&connection.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    fn limited(per_address: usize, idle_per_address: usize, idle: usize) -> Arc<Connections> {
        let (per_address, idle_per_address) = (Some(per_address), Some(idle_per_address));
        Arc::new(Connections::new(ConnectionLimits { per_address, idle_per_address, idle }))
    }

    fn eviction(entry: &ConnectionEntry) -> Option<Eviction> {
        entry.evicted().now_or_never()
    }

    fn is_evicted(entry: &ConnectionEntry) -> bool {
        eviction(entry).is_some()
    }

    #[test]
    fn an_address_has_so_many_and_another_has_its_own() {
        let connections = limited(2, 9, 9);
        let (one, _two) = (connections.enter(HERE), connections.enter(HERE));
        assert!(connections.enter(HERE).is_none() && connections.enter(THERE).is_some());
        drop(one);
        assert!(connections.enter(HERE).is_some());
    }

    #[test]
    fn a_client_has_no_more_for_choosing_its_own_ipv6_addresses() {
        let connections = limited(4, 2, 9);
        let at = |text: &str| text.parse::<IpAddr>().expect("an address");
        let entries: Vec<_> =
            (1..=4).map(|host| connections.enter(at(&format!("2001:db8::{host}")))).collect();
        let evicted: Vec<_> = entries.iter().flatten().map(is_evicted).collect();
        assert_eq!(evicted, [true, true, false, false], "two of one network may be idle");
        assert!(connections.enter(at("2001:db8::5")).is_none(), "and four may be open");
        assert!(connections.enter(at("2001:db8:0:1::1")).is_some(), "another network");
        drop(entries);
        assert!(connections.enter(at("2001:db8::5")).is_some());
    }

    #[test]
    fn the_oldest_that_asked_for_nothing_goes() {
        let connections = limited(9, 2, 9);
        let enter = |address| connections.enter(address).expect("room");
        let (there, oldest) = (enter(THERE), enter(HERE));
        let asking = enter(HERE);
        let _request = asking.begin_request();
        let (second, third) = (enter(HERE), enter(HERE));
        let evicted = eviction(&oldest);
        assert_eq!(
            evicted,
            Some(Eviction::OfAddress),
            "two of one address may keep their headers to themselves"
        );
        assert!([&there, &asking, &second, &third].into_iter().all(|entry| !is_evicted(entry)));
    }

    #[test]
    fn in_all_as_well() {
        let connections = limited(9, 9, 2);
        let entries: Vec<_> = [HERE, THERE, HERE, THERE].map(|address| connections.enter(address)).into();
        let evicted: Vec<_> = entries.iter().flatten().map(is_evicted).collect();
        assert_eq!(evicted, [true, true, false, false]);
        connections.make_room();
        assert_eq!(eviction(entries[2].as_ref().expect("it was let in")), Some(Eviction::OfAll));
    }

    #[test]
    fn one_that_has_asked_is_idle_again_from_the_end_of_its_answer_on() {
        let connections = limited(9, 9, 9);
        let [first, second, third] = [HERE; 3].map(|address| connections.enter(address).expect("room"));
        let (answered, other) = (first.begin_request(), first.begin_request());
        drop(answered);
        // The first has another request at work, as over HTTP/2, and the third has had one since the second has been idle.
        drop(third.begin_request());
        connections.make_room();
        assert!(is_evicted(&second) && !is_evicted(&first) && !is_evicted(&third));
        drop(other);
        connections.make_room();
        assert!(is_evicted(&third) && !is_evicted(&first), "the first is idle for less time");
        connections.make_room();
        assert!(is_evicted(&first));
        assert_eq!(connections.idle.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn where_all_are_at_work_none_goes() {
        let connections = limited(9, 1, 1);
        let [one, other] = [HERE; 2].map(|address| {
            let entry = connections.enter(address).expect("room");
            let request = entry.begin_request();
            (entry, request)
        });
        connections.make_room();
        assert!(!is_evicted(&one.0) && !is_evicted(&other.0));
        assert!(one.0.is_at_work());
    }

    #[test]
    fn an_address_has_as_many_requests_at_work_as_connections() {
        let connections = limited(3, 9, 9);
        let [one, other] = [HERE; 2].map(|address| connections.enter(address).expect("room"));
        let elsewhere = connections.enter(THERE).expect("room");
        let mut requests: Vec<_> = [&one, &other, &one].map(ConnectionEntry::begin_request).into();
        assert!(!one.has_room() && !other.has_room() && elsewhere.has_room());
        requests.pop();
        assert!(one.has_room() && other.has_room());
        let shared = Arc::new(Connections::new(ConnectionLimits::SHARED));
        let entry = shared.enter(HERE).expect("room");
        let _many: Vec<_> = (0..9).map(|_| entry.begin_request()).collect();
        assert!(entry.has_room(), "where all clients share an address");
    }

    #[test]
    fn nothing_is_left_of_those_that_left() {
        let connections = limited(9, 2, 2);
        let entries: Vec<_> = (0..9).filter_map(|_| connections.enter(HERE)).collect();
        let requests: Vec<_> = entries.iter().map(ConnectionEntry::begin_request).collect();
        drop(entries);
        drop(requests);
        let state = connections.state();
        assert!(state.addresses.is_empty() && state.order.is_empty());
        assert_eq!(connections.idle.load(Ordering::Relaxed), 0);
    }

    /// What happens next; numbers are of connections that are open.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Enter(IpAddr),
        Begin(usize),
        End(usize),
        Leave(usize),
        MakeRoom,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => any::<bool>().prop_map(|is_here| Step::Enter(if is_here { HERE } else { THERE })),
            4 => any::<usize>().prop_map(Step::Begin),
            3 => any::<usize>().prop_map(Step::End),
            2 => any::<usize>().prop_map(Step::Leave),
            1 => Just(Step::MakeRoom),
        ]
    }

    /// A connection that is open, and those of its requests that are at work: they outlive it.
    struct Open {
        entry: ConnectionEntry,
        requests: Vec<ActiveRequest>,
        is_evicted: bool,
    }

    proptest! {
        #[test]
        fn those_without_a_request_are_counted_exactly_and_no_other_is_asked_to_go(
            steps in proptest::collection::vec(any_step(), 0..200),
        ) {
            let connections = limited(6, 3, 5);
            let mut open: Vec<Open> = Vec::new();
            for step in steps {
                let size = open.len().max(1);
                match step {
                    Step::Enter(address) => {
                        let is_of_it = |one: &&Open| one.entry.connection.address == address;
                        let has_room = open.iter().filter(is_of_it).count() < 6;
                        let entry = connections.enter(address);
                        prop_assert_eq!(entry.is_some(), has_room);
                        open.extend(entry.map(|entry| Open { entry, requests: Vec::new(), is_evicted: false }));
                    }
                    Step::Begin(at) => {
                        if let Some(one) = open.get_mut(at % size) {
                            one.requests.push(one.entry.begin_request());
                        }
                    }
                    Step::End(at) => {
                        if let Some(one) = open.get_mut(at % size) {
                            drop(one.requests.pop());
                        }
                    }
                    Step::Leave(at) => {
                        if !open.is_empty() {
                            drop(open.swap_remove(at % size));
                        }
                    }
                    Step::MakeRoom => connections.make_room(),
                }
                for one in &mut open {
                    let has_to_go = is_evicted(&one.entry);
                    prop_assert!(!has_to_go || (one.requests.is_empty() && !one.is_evicted));
                    one.is_evicted |= has_to_go;
                }
                let idle = |address: IpAddr| {
                    let of_it = open.iter().filter(|one| one.entry.connection.address == address);
                    of_it.filter(|one| one.requests.is_empty() && !one.is_evicted).count()
                };
                prop_assert_eq!(connections.idle.load(Ordering::Relaxed), idle(HERE) + idle(THERE));
                for address in [HERE, THERE] {
                    let state = connections.state();
                    let counted = state.addresses.get(&address).map(|known| known.counts.idle.load(Ordering::Relaxed));
                    prop_assert_eq!(counted.unwrap_or(0), idle(address));
                }
            }
            drop(open);
            prop_assert_eq!(connections.idle.load(Ordering::Relaxed), 0);
            let state = connections.state();
            prop_assert!(state.addresses.is_empty() && state.order.is_empty());
        }
    }
}
