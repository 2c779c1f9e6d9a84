//! Bytes of bodies that are held at once: bounded in all and, where clients have addresses of their own, for each
//! address.
//!
//! [`Reservation::grow`] refuses where there is no room, for what can be sent again later; [`Reservation::poll_grow`]
//! waits for room, for what is on its way already. Those that wait get their bytes in the order in which they came; one
//! whose own address has no room left keeps no other waiting.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use policy::BodyLimits;

/// What bodies may hold: a quarter of the bytes is kept for short ones, so that uploads and downloads do not take the
/// room of everything else.
#[derive(Clone, Debug)]
pub struct BodyBudget {
    /// For bodies of which a client has many.
    pub short: ByteBudget,
    /// For those that are long, or of unknown length.
    pub long: ByteBudget,
}

impl BodyBudget {
    /// Nothing is held yet.
    pub fn new(limits: BodyLimits) -> Self {
        let budget = |share: fn(u64) -> u64| {
            let (in_all, per_address) = (share(limits.in_all), limits.per_address.map(share));
            ByteBudget::new(BodyLimits { in_all, per_address })
        };
        Self { short: budget(|bytes| bytes / 4), long: budget(|bytes| bytes - bytes / 4) }
    }

    /// Bytes that are held now.
    pub fn held(&self) -> u64 {
        self.short.held() + self.long.held()
    }
}

/// So many bytes, shared by all bodies of a kind. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ByteBudget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: BodyLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: u64,
    /// What each address holds; empty where all share one.
    addresses: HashMap<IpAddr, u64>,
    /// Those without room, in the order in which they came.
    waiting: BTreeMap<u64, Waiter>,
    /// Number of the next one that waits.
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    address: IpAddr,
    bytes: u64,
    waker: Waker,
    /// Its bytes are counted as held, and it has been woken.
    is_granted: bool,
}

/// What one body holds; free again when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: ByteBudget,
    address: IpAddr,
    bytes: u64,
    /// Its number among those that wait.
    waiting: Option<u64>,
}

impl ByteBudget {
    /// Nothing is held yet.
    pub fn new(limits: BodyLimits) -> Self {
        Self(Arc::new(Shared { limits, state: Mutex::default() }))
    }

    /// Nothing yet, for a client at this address.
    pub fn reserve(&self, address: IpAddr) -> Reservation {
        Reservation { budget: self.clone(), address, bytes: 0, waiting: None }
    }

    /// Bytes that are held now.
    pub fn held(&self) -> u64 {
        self.0.state().held
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }
}

impl State {
    /// Counts so many more bytes, if they fit.
    fn take(&mut self, limits: &BodyLimits, address: IpAddr, bytes: u64) -> bool {
        let fits = |held: u64, limit: u64| held.checked_add(bytes).is_some_and(|sum| sum <= limit);
        if !fits(self.held, limits.in_all) {
            return false;
        }
        if let Some(limit) = limits.per_address {
            let held = self.addresses.get(&address).copied().unwrap_or_default();
            if !fits(held, limit) {
                return false;
            }
            self.addresses.insert(address, held + bytes);
        }
        self.held += bytes;
        true
    }

    /// Counts so many bytes as free, and gives them to those that wait; these are to be woken once the lock is free.
    fn give_back(&mut self, limits: &BodyLimits, address: IpAddr, bytes: u64) -> Vec<Waker> {
        self.held -= bytes;
        if let Some(held) = self.addresses.get_mut(&address) {
            *held -= bytes;
            if *held == 0 {
                self.addresses.remove(&address);
            }
        }
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut woken = Vec::new();
        for waiter in waiting.values_mut().filter(|waiter| !waiter.is_granted) {
            if self.held >= limits.in_all {
                break;
            }
            waiter.is_granted = self.take(limits, waiter.address, waiter.bytes);
            woken.extend(waiter.is_granted.then(|| waiter.waker.clone()));
        }
        self.waiting = waiting;
        woken
    }

    /// Waits in line, or stays in it.
    fn wait(&mut self, number: Option<u64>, address: IpAddr, bytes: u64, waker: &Waker) -> u64 {
        let number = number.unwrap_or(self.next);
        self.next = self.next.max(number + 1);
        let waiter = Waiter { address, bytes, waker: waker.clone(), is_granted: false };
        self.waiting.insert(number, waiter);
        number
    }
}

impl Reservation {
    /// Whether so many more bytes may be held; they are counted if so.
    pub fn grow(&mut self, bytes: u64) -> bool {
        let Shared { limits, .. } = &*self.budget.0;
        let grown = bytes == 0 || self.budget.0.state().take(limits, self.address, bytes);
        self.bytes += if grown { bytes } else { 0 };
        grown
    }

    /// Waits until so many more bytes may be held, and counts them: all there are, where that is less.
    pub fn poll_grow(&mut self, cx: &Context<'_>, bytes: u64) -> Poll<()> {
        let Shared { limits, .. } = &*self.budget.0;
        let bytes = bytes.min(limits.in_all).min(limits.per_address.unwrap_or(u64::MAX));
        if bytes == 0 {
            return Poll::Ready(());
        }
        let mut state = self.budget.0.state();
        let granted = self.waiting.and_then(|number| state.waiting.get(&number)).map(|waiter| {
            let is_same = waiter.bytes == bytes;
            debug_assert!(is_same, "the same bytes are asked for until they are there");
            waiter.is_granted
        });
        let is_taken = match granted {
            Some(is_granted) => is_granted,
            None => state.take(limits, self.address, bytes),
        };
        if !is_taken {
            self.waiting = Some(state.wait(self.waiting, self.address, bytes, cx.waker()));
            return Poll::Pending;
        }
        if let Some(number) = self.waiting.take() {
            state.waiting.remove(&number);
        }
        self.bytes += bytes;
        Poll::Ready(())
    }

    /// Bytes that it holds.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Part of it, as a reservation of its own; what it does not hold is counted, whether there is room or not: the bytes
    /// are here.
    #[must_use]
    pub fn split(&mut self, bytes: u64) -> Self {
        let missing = bytes.saturating_sub(self.bytes);
        if missing > 0 {
            let mut state = self.budget.0.state();
            state.held += missing;
            if self.budget.0.limits.per_address.is_some() {
                *state.addresses.entry(self.address).or_default() += missing;
            }
        }
        self.bytes = (self.bytes + missing) - bytes;
        Self { budget: self.budget.clone(), address: self.address, bytes, waiting: None }
    }

    /// Holds nothing from here on, and waits for nothing.
    pub fn release(&mut self) {
        let Shared { limits, .. } = &*self.budget.0;
        let waiting = self.waiting.take();
        if self.bytes == 0 && waiting.is_none() {
            return;
        }
        let woken = {
            let mut state = self.budget.0.state();
            let waiter = waiting.and_then(|number| state.waiting.remove(&number));
            let granted = waiter.filter(|waiter| waiter.is_granted).map_or(0, |waiter| waiter.bytes);
            let bytes = std::mem::take(&mut self.bytes) + granted;
            state.give_back(limits, self.address, bytes)
        };
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    fn budget(in_all: u64, per_address: Option<u64>) -> ByteBudget {
        ByteBudget::new(BodyLimits { in_all, per_address })
    }

    /// How often one that waits was woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll(reservation: &mut Reservation, bytes: u64, woken: &Arc<Woken>) -> bool {
        let waker = Waker::from(woken.clone());
        reservation.poll_grow(&Context::from_waker(&waker), bytes).is_ready()
    }

    #[test]
    fn what_is_held_is_bounded_and_given_back() {
        let budget = budget(10, None);
        let (mut one, mut other) = (budget.reserve(HERE), budget.reserve(HERE));
        assert!(one.grow(6) && other.grow(4));
        assert!(!other.grow(1), "ten are ten");
        drop(one);
        assert!(other.grow(6) && !other.grow(u64::MAX));
        drop(other);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let budget = budget(10, Some(6));
        let (mut one, mut other) = (budget.reserve(HERE), budget.reserve(THERE));
        assert!(one.grow(6) && !one.grow(1), "six are its share");
        assert!(other.grow(4) && !other.grow(1), "and ten are all there is");
        drop(one);
        assert!(other.grow(2) && !other.grow(1));
        drop(other);
        assert!(budget.0.state().addresses.is_empty());
    }

    #[test]
    fn those_that_wait_get_room_in_their_order() {
        let (budget, woken) = (budget(10, None), Arc::new(Woken::default()));
        let (mut holder, mut first, mut second) =
            (budget.reserve(HERE), budget.reserve(HERE), budget.reserve(HERE));
        assert!(holder.grow(10));
        assert!(!poll(&mut first, 8, &woken) && !poll(&mut second, 8, &woken));
        drop(holder);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "there is room for one of them");
        // The bytes belong to the first one already.
        assert!(!poll(&mut second, 8, &woken) && poll(&mut first, 8, &woken));
        drop(first);
        assert!(poll(&mut second, 8, &woken));
    }

    #[test]
    fn an_address_without_room_keeps_no_other_waiting() {
        let (budget, woken) = (budget(10, Some(6)), Arc::new(Woken::default()));
        let (mut full, mut other) = (budget.reserve(HERE), budget.reserve(THERE));
        assert!(full.grow(6) && other.grow(4));
        let (mut same, mut behind) = (budget.reserve(HERE), budget.reserve(THERE));
        assert!(!poll(&mut same, 3, &woken) && !poll(&mut behind, 3, &woken));
        drop(other);
        assert!(!poll(&mut same, 3, &woken) && poll(&mut behind, 3, &woken));
    }

    #[test]
    fn one_that_waits_no_longer_gives_its_bytes_to_the_next() {
        let (budget, woken) = (budget(10, None), Arc::new(Woken::default()));
        let (mut holder, mut gone, mut next) =
            (budget.reserve(HERE), budget.reserve(HERE), budget.reserve(HERE));
        assert!(holder.grow(10));
        assert!(!poll(&mut gone, 10, &woken) && !poll(&mut next, 10, &woken));
        drop(holder);
        // Granted, and it leaves without having looked.
        drop(gone);
        assert!(poll(&mut next, 10, &woken));
        drop(next);
        assert_eq!(budget.held(), 0);
        assert!(budget.0.state().waiting.is_empty());
    }

    #[test]
    fn what_is_larger_than_the_limit_passes_alone() {
        let (budget, woken) = (budget(10, None), Arc::new(Woken::default()));
        let (mut large, mut small) = (budget.reserve(HERE), budget.reserve(HERE));
        assert!(poll(&mut large, 11, &woken) && !poll(&mut small, 1, &woken));
        drop(large);
        assert!(poll(&mut small, 1, &woken));
    }

    #[test]
    fn a_part_is_held_and_given_back_by_itself() {
        let budget = budget(10, Some(10));
        let mut whole = budget.reserve(HERE);
        assert!(whole.grow(6));
        let part = whole.split(4);
        assert_eq!((whole.bytes(), part.bytes()), (2, 4));
        let more = whole.split(9);
        assert_eq!((budget.held(), whole.bytes()), (13, 0), "they are here, and counted");
        drop((part, more, whole));
        assert_eq!(budget.held(), 0);
        assert!(budget.0.state().addresses.is_empty());
    }

    #[test]
    fn a_quarter_is_for_short_bodies() {
        let budget = BodyBudget::new(BodyLimits { in_all: 64, per_address: Some(24) });
        let mut long = budget.long.reserve(HERE);
        assert!(long.grow(18) && !long.grow(1));
        let mut short = budget.short.reserve(HERE);
        assert!(short.grow(6) && !short.grow(1));
    }
}
