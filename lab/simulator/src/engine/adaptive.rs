//! The wheel, or the radix heap where very many events are pending.

use super::key::{Event, Key};
use super::queue::EventQueue;
use super::radix::RadixQueue;
use super::wheel::WheelQueue;

/// Pending events from which the radix heap takes over: its cost is flat, the wheel's slots no longer fit the caches.
pub const RADIX_FROM: usize = 1 << 17;
/// Pending events at which the wheel is back: far enough below that the two do not take turns.
pub const WHEEL_BELOW: usize = 1 << 15;

/// The queue of a simulation unless another is asked for.
#[derive(Debug)]
pub struct AdaptiveQueue {
    wheel: WheelQueue,
    radix: RadixQueue,
    is_radix: bool,
    last: Key,
}

impl Default for AdaptiveQueue {
    fn default() -> Self {
        let last = Key::new(Event { time_ns: 0, seq: 0, kind: 0, index: 0 });
        Self { wheel: WheelQueue::default(), radix: RadixQueue::default(), is_radix: false, last }
    }
}

impl AdaptiveQueue {
    /// Whether the radix heap is in use.
    pub const fn is_radix(&self) -> bool {
        self.is_radix
    }

    fn switch_to_radix(&mut self) {
        self.is_radix = true;
        self.radix.resume_after(self.last);
        for key in self.wheel.drain() {
            self.radix.push(key);
        }
    }

    fn switch_to_wheel(&mut self) {
        self.is_radix = false;
        let mut keys = self.radix.drain();
        keys.sort_unstable_by(|a, b| b.cmp(a));
        for key in keys {
            self.wheel.push(key);
        }
    }
}

impl EventQueue for AdaptiveQueue {
    fn push(&mut self, key: Key) {
        if self.is_radix {
            self.radix.push(key);
            return;
        }
        self.wheel.push(key);
        if self.wheel.len() > RADIX_FROM {
            self.switch_to_radix();
        }
    }

    fn pop_until(&mut self, until_ns: u64) -> Option<Key> {
        let key =
            if self.is_radix { self.radix.pop_until(until_ns) } else { self.wheel.pop_until(until_ns) }?;
        self.last = key;
        if self.is_radix && self.radix.len() < WHEEL_BELOW {
            self.switch_to_wheel();
        }
        Some(key)
    }

    fn len(&self) -> usize {
        if self.is_radix { self.radix.len() } else { self.wheel.len() }
    }
}
