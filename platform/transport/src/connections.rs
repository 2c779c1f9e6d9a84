//! Who is connected: so many of one address, so many that have no request at work; and how many requests are at work.
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
    /// Of one address; `None` where all clients share one. It has no more requests at work either, or it would have a hundred
    /// over each connection of HTTP/2. In all there are as many at work as there may be connections.
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
    /// How many there may be in all, and how many requests at work.
    most: usize,
    /// Requests at work.
    at_work: AtomicUsize,
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
    /// None yet. There are at most so many, which the accept loop keeps, and as many requests at work.
    pub fn new(limits: ConnectionLimits, most: usize) -> Self {
        let (at_work, idle, next, state) = Default::default();
        Self { limits, most, at_work, idle, next, state }
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
        connections.at_work.fetch_add(1, Ordering::Relaxed);
        if connections.limits.per_address.is_some() {
            connection.of_address.at_work.fetch_add(1, Ordering::Relaxed);
        }
        ActiveRequest { connections: connections.clone(), connection: connection.clone() }
    }

    /// Whether there may be one more request at work, of its address and in all. Asked for those over HTTP/2: one over HTTP/1.1
    /// has its connection's place, and counts. So there are fewer than twice as many as connections, however they are shared out.
    pub fn has_room(&self) -> bool {
        let Self { connections, connection } = self;
        let of_address = &connection.of_address.at_work;
        connections.at_work.load(Ordering::Relaxed) < connections.most
            && connections.limits.per_address.is_none_or(|most| of_address.load(Ordering::Relaxed) < most)
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
        connections.at_work.fetch_sub(1, Ordering::Relaxed);
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
mod tests;
