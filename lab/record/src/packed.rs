//! Rising values with their counts in few bytes: how a histogram lies in memory.
//!
//! Of each value the distance to the one before is kept, with a bit that says whether a count follows: most values of a
//! second occur once. Numbers are LEB128: seven bits a byte, the lowest first.

/// The first number of a value holds its distance and, in the lowest bit, whether a count follows.
const HAS_COUNT: u64 = 1;

/// Packs values as they come.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    bytes: Vec<u8>,
    last: u64,
}

impl Packer {
    /// A packer for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), last: 0 }
    }

    /// Adds a value, not below the last, with its count. Both stop at `u32::MAX`; a count of 0 is no value.
    pub fn push(&mut self, value: u64, count: u64) {
        let (value, count) = (value.min(u32::MAX.into()), count.min(u32::MAX.into()));
        if count == 0 {
            return;
        }
        let distance = value - self.last;
        self.last = value;
        if count == 1 {
            self.put(distance << 1);
        } else {
            self.put(distance << 1 | HAS_COUNT);
            self.put(count);
        }
    }

    /// All of it.
    pub fn finish(self) -> Box<[u8]> {
        self.bytes.into_boxed_slice()
    }

    fn put(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

/// The values with their counts.
#[derive(Clone, Debug)]
pub(crate) struct Counts<'a> {
    bytes: &'a [u8],
    last: u64,
}

impl<'a> Counts<'a> {
    /// What a packer packed.
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, last: 0 }
    }

    fn take(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
            shift += 7;
        }
    }
}

impl Iterator for Counts<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let number = self.take()?;
        self.last += number >> 1;
        let count = if number & HAS_COUNT == 0 { 1 } else { self.take()? };
        Some((self.last, count))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn pack(counts: impl IntoIterator<Item = (u64, u64)>) -> Box<[u8]> {
        let mut packer = Packer::default();
        counts.into_iter().for_each(|(value, count)| packer.push(value, count));
        packer.finish()
    }

    proptest! {
        #[test]
        fn what_is_packed_is_read_back(counts in prop::collection::btree_map(any::<u32>(), 1..=u32::MAX, 0..50)) {
            let counts: BTreeMap<u64, u64> =
                counts.into_iter().map(|(value, count)| (value.into(), count.into())).collect();
            let packed = pack(counts.clone());
            prop_assert_eq!(Counts::of(&packed).collect::<BTreeMap<_, _>>(), counts);
        }
    }

    #[test]
    fn a_value_that_occurred_once_near_the_last_takes_a_byte_and_none_takes_nothing() {
        assert_eq!(pack([(60, 1), (70, 1), (71, 0), (133, 1)]).len(), 3);
        assert_eq!(pack([(60, 2)]).len(), 2);
        let beyond = pack([(u64::MAX, u64::MAX)]);
        assert_eq!(Counts::of(&beyond).collect::<Vec<_>>(), [(u32::MAX.into(), u32::MAX.into())]);
    }
}
