//! What a queue of events must do; the reference is the standard library's heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::key::Key;

/// Hands keys out in rising order. Keys are unique, and each that is put in is after the last that came out.
pub trait EventQueue {
    /// Puts one in.
    fn push(&mut self, key: Key);

    /// Takes the first one out, if it is not later than `until_ns`.
    fn pop_until(&mut self, until_ns: u64) -> Option<Key>;

    /// Takes the first one out.
    fn pop(&mut self) -> Option<Key> {
        self.pop_until(u64::MAX)
    }

    /// How many are in it.
    fn len(&self) -> usize;

    /// Whether none is.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A binary heap: the order that every other queue is compared with.
#[derive(Debug, Default)]
pub struct HeapQueue(BinaryHeap<Reverse<Key>>);

impl EventQueue for HeapQueue {
    fn push(&mut self, key: Key) {
        self.0.push(Reverse(key));
    }

    fn pop_until(&mut self, until_ns: u64) -> Option<Key> {
        let Reverse(first) = self.0.peek()?;
        if first.time_ns() > until_ns { None } else { self.0.pop().map(|Reverse(key)| key) }
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}
