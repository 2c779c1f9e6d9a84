//! Bytes of bodies that are held at once: bounded in all and, where clients have addresses of their own, for each
//! address; those of one /64 network of IPv6 are one address.
//!
//! [`Reservation::grow`] refuses where there is no room, for what can be sent again later; [`Reservation::poll_grow`]
//! waits for room, for what is on its way already. Those that wait get their bytes in the order in which they came; one
//! whose own address has no room left keeps no other waiting.
//!
//! Counts are atomic; a lock is for those that wait alone. One that waits is in line before it looks at the counts
//! once more, and one that gives back looks at the line after it has counted: one of the two sees the other.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll, Waker};

use policy::{BodyLimits, client_network};

/// So many bytes, shared by all bodies of a kind. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ByteBudget(Arc<Shared>);

/// The same, as the bodies of one client see it. Cheap to clone, and to reserve from.
#[derive(Clone, Debug)]
pub struct ClientBudget {
    budget: Arc<Shared>,
    /// What its address holds; `None` where all addresses share one limit.
    address: Option<Arc<AddressCount>>,
}

#[derive(Debug)]
struct Shared {
    limits: BodyLimits,
    held: AtomicU64,
    /// How many are in line.
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What each address holds, while it has a budget; empty where all share one.
    addresses: HashMap<IpAddr, Weak<AddressCount>>,
    /// Those without room, in the order in which they came.
    waiting: BTreeMap<u64, Waiter>,
    /// Number of the next one that waits.
    next: u64,
}

#[derive(Debug)]
struct AddressCount {
    held: AtomicU64,
    address: IpAddr,
    budget: Weak<Shared>,
}

#[derive(Debug)]
struct Waiter {
    /// Alive for as long as its reservation is, so that it never counts as the last of its address here.
    address: Option<Arc<AddressCount>>,
    bytes: u64,
    waker: Waker,
    /// Its bytes are counted as held, and it has been woken.
    is_granted: bool,
}

/// What one body holds; free again when dropped.
#[derive(Debug)]
pub struct Reservation {
    client: ClientBudget,
    bytes: u64,
    /// Its number among those that wait.
    waiting: Option<u64>,
}

impl ByteBudget {
    /// Nothing is held yet.
    pub fn new(limits: BodyLimits) -> Self {
        let (held, waiting, state) = Default::default();
        Self(Arc::new(Shared { limits, held, waiting, state }))
    }

    /// The budget of a client at this address.
    pub fn of(&self, address: IpAddr) -> ClientBudget {
        let count = self.0.limits.per_address.map(|_| self.0.count_of(client_network(address)));
        ClientBudget { budget: self.0.clone(), address: count }
    }

    /// Nothing yet, for a client at this address.
    pub fn reserve(&self, address: IpAddr) -> Reservation {
        self.of(address).reserve()
    }

    /// Bytes that are held now.
    pub fn held(&self) -> u64 {
        self.0.held.load(Ordering::SeqCst)
    }
}

impl ClientBudget {
    /// Nothing yet.
    pub fn reserve(&self) -> Reservation {
        Reservation { client: self.clone(), bytes: 0, waiting: None }
    }
}

/// Adds to a count what fits below its limit.
fn add(count: &AtomicU64, bytes: u64, limit: u64) -> bool {
    let fits = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= limit);
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fits).is_ok()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    fn count_of(self: &Arc<Self>, address: IpAddr) -> Arc<AddressCount> {
        let mut state = self.state();
        if let Some(count) = state.addresses.get(&address).and_then(Weak::upgrade) {
            return count;
        }
        let budget = Arc::downgrade(self);
        let count = Arc::new(AddressCount { held: AtomicU64::new(0), address, budget });
        state.addresses.insert(address, Arc::downgrade(&count));
        count
    }

    /// Counts so many more bytes, if they fit. Where they do not, others may have found no room in between: then the
    /// line has to be looked at, as after [`Shared::subtract`].
    fn take(&self, address: Option<&AddressCount>, bytes: u64) -> Result<(), CountRefusal> {
        let limit = self.limits.per_address.unwrap_or(u64::MAX);
        let is_full = |count: &AddressCount| count.held.load(Ordering::SeqCst).saturating_add(bytes) > limit;
        if address.is_some_and(is_full) || !add(&self.held, bytes, self.limits.in_all) {
            return Err(CountRefusal::Untouched);
        }
        if address.is_some_and(|count| !add(&count.held, bytes, limit)) {
            self.held.fetch_sub(bytes, Ordering::SeqCst);
            return Err(CountRefusal::GivenBack);
        }
        Ok(())
    }

    /// [`Shared::take`] by one that has nothing to do with the line.
    fn try_take(&self, address: Option<&AddressCount>, bytes: u64) -> bool {
        match self.take(address, bytes) {
            Ok(()) => true,
            Err(CountRefusal::Untouched) => false,
            Err(CountRefusal::GivenBack) => {
                self.serve_line();
                false
            }
        }
    }

    /// Counts so many bytes as free.
    fn subtract(&self, address: Option<&AddressCount>, bytes: u64) {
        if let Some(count) = address {
            count.held.fetch_sub(bytes, Ordering::SeqCst);
        }
        self.held.fetch_sub(bytes, Ordering::SeqCst);
    }

    /// Gives bytes that are free to those that wait, if any do.
    fn serve_line(&self) {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let woken = self.grant(&mut self.state());
        woken.into_iter().for_each(Waker::wake);
    }

    /// The same; returns those who are to be woken once the lock is free.
    fn grant(&self, state: &mut State) -> Vec<Waker> {
        let mut woken = Vec::new();
        for waiter in state.waiting.values_mut().filter(|waiter| !waiter.is_granted) {
            if self.held.load(Ordering::SeqCst) >= self.limits.in_all {
                break;
            }
            // Given back or not: one that comes into the line looks again under the lock, which is held here.
            waiter.is_granted = self.take(waiter.address.as_deref(), waiter.bytes).is_ok();
            woken.extend(waiter.is_granted.then(|| waiter.waker.clone()));
        }
        woken
    }
}

/// Why bytes were not counted.
enum CountRefusal {
    /// Nothing was counted.
    Untouched,
    /// They were counted in all for a moment, and did not fit their address.
    GivenBack,
}

impl Drop for AddressCount {
    fn drop(&mut self) {
        let Some(budget) = self.budget.upgrade() else { return };
        let mut state = budget.state();
        // Another may have been made for the same address meanwhile.
        if state.addresses.get(&self.address).is_some_and(|count| count.strong_count() == 0) {
            state.addresses.remove(&self.address);
        }
    }
}

impl Reservation {
    /// Whether so many more bytes may be held; they are counted if so.
    pub fn grow(&mut self, bytes: u64) -> bool {
        let ClientBudget { budget, address } = &self.client;
        let is_taken = bytes == 0 || budget.try_take(address.as_deref(), bytes);
        self.bytes += if is_taken { bytes } else { 0 };
        is_taken
    }

    /// Waits until so many more bytes may be held, and counts them: all there are, where that is less.
    pub fn poll_grow(&mut self, cx: &Context<'_>, bytes: u64) -> Poll<()> {
        let ClientBudget { budget, address } = &self.client;
        let limits = &budget.limits;
        let bytes = bytes.min(limits.in_all).min(limits.per_address.unwrap_or(u64::MAX));
        if bytes == 0 {
            return Poll::Ready(());
        }
        if self.waiting.is_none() && budget.try_take(address.as_deref(), bytes) {
            self.bytes += bytes;
            return Poll::Ready(());
        }
        self.poll_in_line(cx, bytes)
    }

    fn poll_in_line(&mut self, cx: &Context<'_>, bytes: u64) -> Poll<()> {
        let ClientBudget { budget, address } = &self.client;
        let mut state = budget.state();
        let number = self.waiting.unwrap_or(state.next);
        let is_granted = match state.waiting.get_mut(&number) {
            Some(waiter) => {
                let is_same = waiter.bytes == bytes;
                debug_assert!(is_same, "the same bytes are asked for until they are there");
                waiter.waker.clone_from(cx.waker());
                waiter.is_granted
            }
            None => {
                let (address, waker) = (address.clone(), cx.waker().clone());
                state.next += 1;
                state.waiting.insert(number, Waiter { address, bytes, waker, is_granted: false });
                budget.waiting.fetch_add(1, Ordering::SeqCst);
                false
            }
        };
        // In line by now: what is given back from here on is seen here, or this one is seen there.
        let is_taken = is_granted || budget.take(address.as_deref(), bytes).is_ok();
        if !is_taken {
            self.waiting = Some(number);
            return Poll::Pending;
        }
        state.waiting.remove(&number);
        budget.waiting.fetch_sub(1, Ordering::SeqCst);
        self.waiting = None;
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
            let ClientBudget { budget, address } = &self.client;
            budget.held.fetch_add(missing, Ordering::SeqCst);
            if let Some(count) = address {
                count.held.fetch_add(missing, Ordering::SeqCst);
            }
        }
        self.bytes = (self.bytes + missing) - bytes;
        Self { client: self.client.clone(), bytes, waiting: None }
    }

    /// Holds nothing from here on, and waits for nothing.
    pub fn release(&mut self) {
        let ClientBudget { budget, address } = &self.client;
        let mut bytes = std::mem::take(&mut self.bytes);
        if let Some(number) = self.waiting.take() {
            let waiter = budget.state().waiting.remove(&number);
            budget.waiting.fetch_sub(1, Ordering::SeqCst);
            bytes += waiter.filter(|waiter| waiter.is_granted).map_or(0, |waiter| waiter.bytes);
        }
        if bytes > 0 {
            budget.subtract(address.as_deref(), bytes);
            budget.serve_line();
        }
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
    fn a_client_has_one_share_for_all_addresses_of_its_ipv6_network() {
        let budget = budget(10, Some(6));
        let at = |text: &str| budget.reserve(text.parse().expect("an address"));
        let (mut one, mut other) = (at("2001:db8::1"), at("2001:db8::2"));
        assert!(one.grow(4) && other.grow(2) && !other.grow(1));
        assert!(at("2001:db8:0:1::1").grow(4), "another network");
        drop((one, other));
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
    fn many_threads_hold_no_more_than_there_is_and_none_waits_for_ever() {
        const THREADS: u64 = 4;
        let budget = budget(3, Some(2));
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let budget = &budget;
                scope.spawn(move || {
                    let address = if thread % 2 == 0 { HERE } else { THERE };
                    for round in 0..5_000 {
                        let mut reservation = budget.reserve(address);
                        let bytes = 1 + round % 2;
                        // A wake that is lost ends here in a test that does not end.
                        pollster(&mut reservation, bytes);
                        assert!(budget.held() <= 3);
                    }
                });
            }
        });
        assert_eq!(budget.held(), 0);
        let state = budget.0.state();
        assert!(state.waiting.is_empty() && state.addresses.is_empty());
        assert_eq!(budget.0.waiting.load(Ordering::SeqCst), 0);
    }

    /// Waits on this thread until the bytes are there.
    fn pollster(reservation: &mut Reservation, bytes: u64) {
        struct Unpark(std::thread::Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        while reservation.poll_grow(&Context::from_waker(&waker), bytes).is_pending() {
            std::thread::park();
        }
    }
}
