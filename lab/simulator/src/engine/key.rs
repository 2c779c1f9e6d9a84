//! An event as one integer: time, order, kind and index, compared at once.

/// Bits of the index of what an event is about.
const INDEX_BITS: u32 = 32;
/// Bits of its kind.
const KIND_BITS: u32 = 8;
/// Bits of the number that orders events of one nanosecond.
const SEQ_BITS: u32 = 32;

/// The last time an event may have, ns: 56 bits are 2.28 years.
pub const MAX_TIME_NS: u64 = (1 << (128 - INDEX_BITS - KIND_BITS - SEQ_BITS)) - 1;

/// An event in a queue: `time_ns:56 | seq:32 | kind:8 | index:32`. Keys are unique, so that their order is total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub(super) u128);

impl Key {
    /// The key of an event.
    ///
    /// # Panics
    /// In debug builds, for a time after [`MAX_TIME_NS`].
    pub const fn new(event: Event) -> Self {
        debug_assert!(event.time_ns <= MAX_TIME_NS, "a time beyond 2.28 years");
        let time = (event.time_ns as u128) << (SEQ_BITS + KIND_BITS + INDEX_BITS);
        let seq = (event.seq as u128) << (KIND_BITS + INDEX_BITS);
        Self(time | seq | (event.kind as u128) << INDEX_BITS | event.index as u128)
    }

    /// When it happens, ns.
    pub const fn time_ns(self) -> u64 {
        (self.0 >> (SEQ_BITS + KIND_BITS + INDEX_BITS)) as u64
    }

    /// The event.
    pub const fn event(self) -> Event {
        Event {
            time_ns: self.time_ns(),
            seq: (self.0 >> (KIND_BITS + INDEX_BITS)) as u32,
            kind: (self.0 >> INDEX_BITS) as u8,
            index: self.0 as u32,
        }
    }
}

/// An event, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it happens, ns of virtual time.
    pub time_ns: u64,
    /// Its place among the events of one nanosecond; also names it for what waits for it.
    pub seq: u32,
    /// What happens; the model gives numbers their meaning.
    pub kind: u8,
    /// What it happens to.
    pub index: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_and_time_counts_first() {
        let event = Event { time_ns: MAX_TIME_NS, seq: u32::MAX, kind: u8::MAX, index: u32::MAX };
        assert_eq!(Key::new(event).event(), event);
        let early = Event { time_ns: 1, seq: u32::MAX, kind: 255, index: 9 };
        let late = Event { time_ns: 2, seq: 0, kind: 0, index: 0 };
        assert_eq!(Key::new(early).event(), early);
        assert!(Key::new(early) < Key::new(late), "time");
        let next = Event { seq: 5, kind: 0, ..early };
        assert!(Key::new(next) < Key::new(early), "then the order in which they were scheduled");
    }
}
