//! Who is connected: so many of one address, so many that have not asked for anything yet.
//!
//! A connection without a whole header costs its client nothing and others a place. So these are
//! bounded, of one address and in all, and it is the oldest that goes: a client that connects in order
//! to ask has asked long before.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Of one address; `None` where all clients share one.
    pub per_address: Option<usize>,
    /// Without a request so far, of one address; `None` where all clients share one.
    pub half_open_per_address: Option<usize>,
    /// Without a request so far, in all.
    pub half_open: usize,
}

impl ConnectionLimits {
    /// None but the number of connections: for clients that are our own, or that share an address. Where
    /// there is no room left, the oldest without a request still goes.
    pub const SHARED: Self = Self { per_address: None, half_open_per_address: None, half_open: usize::MAX };
    /// The same, and limits by address: for the public.
    pub const PUBLIC: Self =
        Self { per_address: Some(1_024), half_open_per_address: Some(256), half_open: 2_048 };
}

/// The connections of a server.
#[derive(Debug)]
pub(crate) struct Connections {
    limits: ConnectionLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    addresses: HashMap<IpAddr, AddressState>,
    /// Every one without a request, oldest first, and how it is asked to go.
    half_open: BTreeMap<u64, (IpAddr, Arc<EvictionNotice>)>,
    /// Number of the next connection.
    next: u64,
}

#[derive(Debug, Default)]
struct AddressState {
    open: usize,
    half_open: usize,
}

/// A connection's place in the table; given up when dropped.
#[derive(Debug)]
pub(crate) struct ConnectionEntry {
    connections: Arc<Connections>,
    address: IpAddr,
    number: u64,
    notice: Arc<EvictionNotice>,
}

/// Whose place a connection without a request has to leave.
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
        Self { limits, state: Mutex::default() }
    }

    /// Counts a connection in; `None` when its address has as many as it may.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionEntry> {
        let mut state = self.state();
        let entry = state.addresses.entry(address).or_default();
        if self.limits.per_address.is_some_and(|most| entry.open >= most) {
            return None;
        }
        entry.open += 1;
        entry.half_open += 1;
        let crowded = self.limits.half_open_per_address.is_some_and(|most| entry.half_open > most);
        if crowded {
            state.evict_oldest(Some(address));
        }
        if state.half_open.len() >= self.limits.half_open {
            state.evict_oldest(None);
        }
        let (number, notice) = (state.next, Arc::new(EvictionNotice::default()));
        state.next += 1;
        state.half_open.insert(number, (address, notice.clone()));
        Some(ConnectionEntry { connections: self.clone(), address, number, notice })
    }

    /// Makes room where there is none at all: the oldest without a request goes.
    pub fn make_room(&self) {
        self.state().evict_oldest(None);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }
}

impl State {
    fn evict_oldest(&mut self, address: Option<IpAddr>) {
        let is_it = |of: &IpAddr| address.is_none_or(|address| *of == address);
        let oldest = self.half_open.iter().find(|(_, (of, _))| is_it(of)).map(|(number, _)| *number);
        if let Some(notice) = oldest.and_then(|number| self.leave_half_open(number)) {
            notice.is_of_address.store(address.is_some(), Ordering::Release);
            notice.sent.notify_one();
        }
    }

    fn leave_half_open(&mut self, number: u64) -> Option<Arc<EvictionNotice>> {
        let (address, notice) = self.half_open.remove(&number)?;
        if let Some(entry) = self.addresses.get_mut(&address) {
            entry.half_open -= 1;
        }
        Some(notice)
    }
}

impl ConnectionEntry {
    /// Its first request has come.
    pub fn has_asked(&self) {
        let _waiting = self.connections.state().leave_half_open(self.number);
    }

    /// Resolves when it has to go: it has asked for nothing, and others need its place.
    pub async fn evicted(&self) -> Eviction {
        self.notice.sent.notified().await;
        if self.notice.is_of_address.load(Ordering::Acquire) { Eviction::OfAddress } else { Eviction::OfAll }
    }
}

impl Drop for ConnectionEntry {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        state.leave_half_open(self.number);
        if let Some(entry) = state.addresses.get_mut(&self.address) {
            entry.open -= 1;
            if entry.open == 0 {
                state.addresses.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    fn limited(per_address: usize, half_open_per_address: usize, half_open: usize) -> Arc<Connections> {
        let limits = ConnectionLimits {
            per_address: Some(per_address),
            half_open_per_address: Some(half_open_per_address),
            half_open,
        };
        Arc::new(Connections::new(limits))
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
    fn the_oldest_that_asked_for_nothing_goes() {
        let connections = limited(9, 2, 9);
        let enter = |address| connections.enter(address).expect("room");
        let (there, oldest) = (enter(THERE), enter(HERE));
        let asking = enter(HERE);
        asking.has_asked();
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
    fn nothing_is_left_of_those_that_left() {
        let connections = limited(9, 2, 2);
        let entries: Vec<_> = (0..9).filter_map(|_| connections.enter(HERE)).collect();
        drop(entries);
        let state = connections.state();
        assert!(state.addresses.is_empty() && state.half_open.is_empty());
    }
}
