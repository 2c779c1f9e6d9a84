//! The timing wheel: slots of equal width, sorted only when their turn comes (Varghese & Lauck, SOSP 1987).
//!
//! Its speed hangs on the width: too wide, and events are inserted into the slot that is being drained; too narrow, and
//! they lie beyond the horizon, in a heap. The wheel measures both and sets the width itself. What it hands out does not
//! depend on it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::key::Key;
use super::queue::EventQueue;

/// Slots; a power of two.
const SLOTS: usize = 1 << 14;
const MASK: u64 = SLOTS as u64 - 1;
/// Words of the occupancy bitmap.
const WORDS: usize = SLOTS / 64;
/// Up to so many events are sorted by insertion: below it that beats any other sort.
const INSERTION_SORT: usize = 24;
/// Width that a wheel begins with: 2^11 ns, and so a horizon of 34 ms.
const FIRST_SHIFT: u32 = 11;
/// Widest slot: 2^36 ns, a horizon of 13 days.
const MAX_SHIFT: u32 = 36;
/// Events that come out between two looks at the width.
const TUNING_INTERVAL: u64 = 1 << 14;
/// Events a slot should hold when it is drained: between 2 and 20 is flat, so in the middle.
const EVENTS_PER_SLOT: f64 = 8.0;
/// Share of events beyond the horizon from which the wheel is too narrow, whatever its slots hold.
const MAX_OVERFLOW: f64 = 0.02;

/// How much wider than fitting a slot may become for the horizon's sake, as a power of two: 256 events.
const MAX_WIDENING: u32 = 5;

/// A timing wheel with a heap for what lies beyond its horizon.
#[derive(Debug)]
pub struct WheelQueue {
    slots: Vec<Vec<Key>>,
    occupied: [u64; WORDS],
    /// Number of the slot that is being drained, counted from time 0.
    current: u64,
    /// What is left of it, the next event last.
    draining: Vec<Key>,
    /// All in slots from `current + SLOTS` on.
    overflow: BinaryHeap<Reverse<Key>>,
    /// Width of a slot, as a power of two in ns.
    shift: u32,
    /// A width at which too much lay beyond the horizon was narrower than this.
    min_shift: u32,
    len: usize,
    tuning: Tuning,
}

/// What has been seen since the last look at the width.
#[derive(Clone, Copy, Debug, Default)]
struct Tuning {
    popped: u64,
    overflowed: u64,
    /// When it began, ns.
    since_ns: u64,
}

impl Default for WheelQueue {
    fn default() -> Self {
        Self::with_width(FIRST_SHIFT)
    }
}

impl WheelQueue {
    /// A wheel that begins with slots of `2^shift` ns.
    pub fn with_width(shift: u32) -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            occupied: [0; WORDS],
            current: 0,
            draining: Vec::new(),
            overflow: BinaryHeap::new(),
            shift: shift.min(MAX_SHIFT),
            min_shift: 0,
            len: 0,
            tuning: Tuning::default(),
        }
    }

    /// Width of a slot now, as a power of two in ns.
    pub const fn shift(&self) -> u32 {
        self.shift
    }

    /// Files a key where it belongs, without counting it.
    fn file(&mut self, key: Key) {
        let slot = key.time_ns() >> self.shift;
        if slot <= self.current {
            // The slot that is being drained: keys descend, so those that come out before it stay after it.
            let at = self.draining.partition_point(|other| *other > key);
            self.draining.insert(at, key);
        } else if slot - self.current < SLOTS as u64 {
            let index = (slot & MASK) as usize;
            self.slots[index].push(key);
            self.occupied[index / 64] |= 1 << (index % 64);
        } else {
            self.overflow.push(Reverse(key));
            self.tuning.overflowed += 1;
        }
    }

    /// Distance from the current slot to the next occupied one.
    fn next_occupied(&self) -> Option<u64> {
        let start = ((self.current + 1) & MASK) as usize;
        let (first, bit) = (start / 64, start % 64);
        let found = |word: usize, bits: u64| word * 64 + bits.trailing_zeros() as usize;
        let head = self.occupied[first] & (!0 << bit);
        let index = if head != 0 {
            found(first, head)
        } else {
            (1..=WORDS).find_map(|step| {
                let word = (first + step) % WORDS;
                (self.occupied[word] != 0).then(|| found(word, self.occupied[word]))
            })?
        };
        Some(((index as u64).wrapping_sub(start as u64) & MASK) + 1)
    }

    /// Goes on to the next slot that holds anything.
    fn advance(&mut self) {
        let in_wheel = self.next_occupied().map(|distance| self.current + distance);
        let beyond = self.overflow.peek().map(|Reverse(key)| key.time_ns() >> self.shift);
        let Some(next) = in_wheel.or(beyond) else { return };
        self.current = next;
        let index = (next & MASK) as usize;
        std::mem::swap(&mut self.draining, &mut self.slots[index]);
        self.occupied[index / 64] &= !(1 << (index % 64));
        // What comes within the horizon leaves the heap; events of the slot itself go with the others of it.
        while let Some(Reverse(key)) = self.overflow.peek() {
            let slot = key.time_ns() >> self.shift;
            if slot - self.current >= SLOTS as u64 {
                break;
            }
            let Some(Reverse(key)) = self.overflow.pop() else { break };
            if slot == self.current {
                self.draining.push(key);
            } else {
                let index = (slot & MASK) as usize;
                self.slots[index].push(key);
                self.occupied[index / 64] |= 1 << (index % 64);
            }
        }
        sort_descending(&mut self.draining);
    }

    /// Sets the width by what has been seen, from time to time.
    fn tune(&mut self, now_ns: u64) {
        let Tuning { popped, overflowed, since_ns } = self.tuning;
        let gap_ns = now_ns.saturating_sub(since_ns).max(1) as f64 / popped as f64;
        let fitting = (gap_ns * EVENTS_PER_SLOT).log2().clamp(0.0, f64::from(MAX_SHIFT)) as u32;
        let is_narrow = overflowed as f64 > MAX_OVERFLOW * popped as f64;
        if is_narrow {
            // The heap is better than slots of hundreds.
            self.min_shift = (self.shift + 2).min(fitting + MAX_WIDENING).min(MAX_SHIFT);
        }
        let wanted = fitting.max(self.min_shift);
        // Narrower only where that is worth filing all anew.
        if wanted > self.shift || wanted + 2 < self.shift {
            self.set_width(wanted, now_ns);
        }
        self.tuning = Tuning { since_ns: now_ns, ..Tuning::default() };
    }

    /// Files all keys anew, in slots of `2^shift` ns.
    fn set_width(&mut self, shift: u32, now_ns: u64) {
        let mut keys = std::mem::take(&mut self.draining);
        for slot in self.slots.iter_mut().filter(|slot| !slot.is_empty()) {
            keys.append(slot);
        }
        keys.extend(std::mem::take(&mut self.overflow).into_iter().map(|Reverse(key)| key));
        self.occupied = [0; WORDS];
        self.shift = shift;
        self.current = now_ns >> shift;
        // Descending, so that each of the current slot is filed behind the others.
        keys.sort_unstable_by(|a, b| b.cmp(a));
        for key in keys {
            self.file(key);
        }
    }

    /// Empties it, in no order.
    pub(super) fn drain(&mut self) -> Vec<Key> {
        let mut keys = std::mem::take(&mut self.draining);
        for slot in self.slots.iter_mut().filter(|slot| !slot.is_empty()) {
            keys.append(slot);
        }
        keys.extend(std::mem::take(&mut self.overflow).into_iter().map(|Reverse(key)| key));
        self.occupied = [0; WORDS];
        self.len = 0;
        keys
    }
}

impl EventQueue for WheelQueue {
    fn push(&mut self, key: Key) {
        self.len += 1;
        self.file(key);
    }

    fn pop_until(&mut self, until_ns: u64) -> Option<Key> {
        if self.draining.is_empty() {
            self.advance();
        }
        let key = *self.draining.last()?;
        if key.time_ns() > until_ns {
            return None;
        }
        self.draining.pop();
        self.len -= 1;
        self.tuning.popped += 1;
        // A look costs as much as it may move, so it waits for as many events.
        if self.tuning.popped >= TUNING_INTERVAL.max(2 * self.len as u64) {
            self.tune(key.time_ns());
        }
        Some(key)
    }

    fn len(&self) -> usize {
        self.len
    }
}

fn sort_descending(keys: &mut [Key]) {
    if keys.len() > INSERTION_SORT {
        keys.sort_unstable_by(|a, b| b.cmp(a));
        return;
    }
    for at in 1..keys.len() {
        let key = keys[at];
        let mut hole = at;
        while hole > 0 && keys[hole - 1] < key {
            keys[hole] = keys[hole - 1];
            hole -= 1;
        }
        keys[hole] = key;
    }
}
