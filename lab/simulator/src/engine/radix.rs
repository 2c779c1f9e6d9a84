//! The radix heap: flat in the number of events, and nothing to tune (Ahuja et al., JACM 1990).
//!
//! A key lies in the bucket of the highest bit in which it differs from the last that came out. The radix is taken over
//! the whole key: over the time alone, events of one nanosecond would come out last in, first out.

use super::key::Key;
use super::queue::EventQueue;

/// Buckets: one for each bit of a key. The last key itself never comes again.
const BUCKETS: usize = 128;

/// A radix heap over whole keys.
#[derive(Debug)]
pub struct RadixQueue {
    buckets: Vec<Vec<Key>>,
    /// Which buckets hold anything.
    occupied: u128,
    /// The last key that came out.
    last: u128,
    len: usize,
}

impl Default for RadixQueue {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| Vec::new()).collect(), occupied: 0, last: 0, len: 0 }
    }
}

impl RadixQueue {
    fn file(&mut self, key: Key) {
        let bucket = 127 - (key.0 ^ self.last).leading_zeros() as usize;
        self.buckets[bucket].push(key);
        self.occupied |= 1 << bucket;
    }

    /// Goes on to a key that has come out of another queue.
    pub(super) const fn resume_after(&mut self, last: Key) {
        self.last = last.0;
    }

    /// Empties it, in no order.
    pub(super) fn drain(&mut self) -> Vec<Key> {
        let keys = self.buckets.iter_mut().flat_map(|bucket| bucket.drain(..)).collect();
        (self.occupied, self.len) = (0, 0);
        keys
    }
}

impl EventQueue for RadixQueue {
    fn push(&mut self, key: Key) {
        assert!(key.0 > self.last, "an event is scheduled after those that have happened");
        self.len += 1;
        self.file(key);
    }

    fn pop_until(&mut self, until_ns: u64) -> Option<Key> {
        if self.occupied == 0 {
            return None;
        }
        let lowest = self.occupied.trailing_zeros() as usize;
        let bucket = &self.buckets[lowest];
        let at = (1..bucket.len()).fold(0, |min, at| if bucket[at] < bucket[min] { at } else { min });
        if bucket[at].time_ns() > until_ns {
            return None;
        }
        let mut bucket = std::mem::take(&mut self.buckets[lowest]);
        self.occupied &= !(1 << lowest);
        let key = bucket.swap_remove(at);
        self.last = key.0;
        self.len -= 1;
        // All of them share the bit with the key that came out, so each goes to a lower bucket.
        for other in bucket.drain(..) {
            self.file(other);
        }
        self.buckets[lowest] = bucket;
        Some(key)
    }

    fn len(&self) -> usize {
        self.len
    }
}
