//! Connections of a caller to a copy: one carries one request, and a request that finds none waits for its turn.

use std::collections::VecDeque;

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

/// Connections to a copy. Of ten thousand copies there are a million of these, and hardly any ever has a request that waits.
#[derive(Debug, Default)]
pub(super) struct Connections {
    in_use: u32,
    waiting: Option<Box<WaitingRequests>>,
}

/// Requests without a connection, the oldest first.
#[derive(Debug, Default)]
struct WaitingRequests(VecDeque<Handle>);

impl Connections {
    /// A request asks for one. `waits` is whether one that was queued has not been given up meanwhile.
    pub fn checkout(
        &mut self,
        limits: ConnectionLimits,
        request: Handle,
        waits: impl Fn(Handle) -> bool,
    ) -> Checkout {
        if self.in_use < limits.connections {
            self.in_use += 1;
            return Checkout::Connected;
        }
        let waiting = &mut self.waiting.get_or_insert_default().0;
        if waiting.len() >= limits.waiting {
            waiting.retain(|queued| waits(*queued));
        }
        if waiting.len() >= limits.waiting {
            return Checkout::Full;
        }
        waiting.push_back(request);
        Checkout::Waits
    }

    /// Bytes that it has taken for requests that wait.
    pub fn held_bytes(&self) -> usize {
        self.waiting
            .as_ref()
            .map_or(0, |waiting| size_of::<WaitingRequests>() + waiting.0.capacity() * size_of::<Handle>())
    }

    /// A request needs its connection no longer: the one that gets it, if any waits.
    pub fn give_back(&mut self, waits: impl Fn(Handle) -> bool) -> Option<Handle> {
        let next = self
            .waiting
            .as_mut()
            .and_then(|waiting| std::iter::from_fn(|| waiting.0.pop_front()).find(|queued| waits(*queued)));
        if next.is_none() {
            self.in_use -= 1;
        }
        next
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
        let mut connections = Connections::default();
        let all = |_| true;
        let found = [first, second, third, fourth].map(|request| connections.checkout(limits, request, all));
        assert_eq!(found, [Checkout::Connected, Checkout::Waits, Checkout::Waits, Checkout::Full]);
        // The second has been given up: its place is free, and its turn is the third's.
        let is_there = |request| request != second;
        assert_eq!(connections.checkout(limits, fourth, is_there), Checkout::Waits);
        assert_eq!(connections.give_back(is_there), Some(third));
        assert_eq!(connections.give_back(is_there), Some(fourth));
        assert_eq!(connections.give_back(is_there), None);
        assert_eq!(connections.checkout(limits, first, all), Checkout::Connected);
    }
}
