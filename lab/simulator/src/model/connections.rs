//! Connections of a caller to a copy: one carries one request, and a request that finds none waits for its turn.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::Handle;

/// How many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// At once, of one caller to one copy.
    pub connections: u32,
    /// Requests that may wait for one.
    pub waiting: usize,
}

/// What a request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checkout {
    /// A connection.
    Connected,
    /// A place among those that wait.
    Waits,
    /// Neither.
    Full,
}

/// Requests of a caller that wait for a connection, by copy, the oldest first. Of ten thousand copies there are a million
/// views, and hardly any ever has a request that waits: how many of its connections are in use is kept by the view itself.
#[derive(Debug, Default)]
pub(super) struct WaitingRequests(BTreeMap<u16, VecDeque<Handle>>);

impl WaitingRequests {
    /// A request asks for a connection to a copy of which so many are in use. `waits` is whether one that was queued has not been
    /// given up meanwhile.
    pub fn checkout(
        &mut self,
        copy: u16,
        in_use: &mut u32,
        limits: ConnectionLimits,
        request: Handle,
        waits: impl Fn(Handle) -> bool,
    ) -> Checkout {
        if *in_use < limits.connections {
            *in_use += 1;
            return Checkout::Connected;
        }
        let waiting = self.0.entry(copy).or_default();
        if waiting.len() >= limits.waiting {
            waiting.retain(|queued| waits(*queued));
        }
        if waiting.len() >= limits.waiting {
            return Checkout::Full;
        }
        waiting.push_back(request);
        Checkout::Waits
    }

    /// A request needs its connection no longer: the one that gets it, if any waits.
    pub fn give_back(
        &mut self,
        copy: u16,
        in_use: &mut u32,
        waits: impl Fn(Handle) -> bool,
    ) -> Option<Handle> {
        let next = self
            .0
            .get_mut(&copy)
            .and_then(|waiting| std::iter::from_fn(|| waiting.pop_front()).find(|queued| waits(*queued)));
        if next.is_none() {
            *in_use -= 1;
        }
        next
    }

    /// Bytes that it has taken.
    pub fn held_bytes(&self) -> usize {
        let queued = |waiting: &VecDeque<Handle>| {
            size_of_val(waiting) + size_of::<u16>() + waiting.capacity() * size_of::<Handle>()
        };
        self.0.values().map(queued).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Slab;

    #[test]
    fn what_finds_no_connection_waits_its_turn_and_what_finds_no_place_is_refused() {
        let limits = ConnectionLimits { connections: 1, waiting: 2 };
        let mut requests = Slab::default();
        let [first, second, third, fourth] = [1, 2, 3, 4].map(|number| requests.insert(number));
        let (mut waiting, mut in_use) = (WaitingRequests::default(), 0);
        let all = |_| true;
        let found = [first, second, third, fourth]
            .map(|request| waiting.checkout(0, &mut in_use, limits, request, all));
        assert_eq!(found, [Checkout::Connected, Checkout::Waits, Checkout::Waits, Checkout::Full]);
        assert_eq!(in_use, 1);
        let mut in_use_of_other = 0;
        let other = waiting.checkout(1, &mut in_use_of_other, limits, fourth, all);
        assert_eq!(
            (other, in_use_of_other),
            (Checkout::Connected, 1),
            "copies have connections of their own"
        );
        // The second has been given up: its place is free, and its turn is the third's.
        let is_there = |request| request != second;
        assert_eq!(waiting.checkout(0, &mut in_use, limits, fourth, is_there), Checkout::Waits);
        assert_eq!(waiting.give_back(0, &mut in_use, is_there), Some(third));
        assert_eq!(waiting.give_back(0, &mut in_use, is_there), Some(fourth));
        assert_eq!(waiting.give_back(0, &mut in_use, is_there), None);
        assert_eq!(waiting.checkout(0, &mut in_use, limits, first, all), Checkout::Connected);
    }
}
