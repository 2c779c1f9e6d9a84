//! Bits of a stream, from the least to the most significant of each byte.

/// A place in a stream.
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
}

impl<'a> BitReader<'a> {
    /// The beginning of a stream.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bits that have been read.
    #[cfg(test)]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// The next bits, at most 24, the first as the least significant one; `None` where there are not as many.
    pub fn bits(&mut self, count: u32) -> Option<u32> {
        let bits = self.peek() & ((1 << count) - 1);
        self.skip(count)?;
        Some(bits)
    }

    /// The next 25 bits or more, and zeros where there are no more.
    pub fn peek(&self) -> u32 {
        let left = &self.bytes[self.at / 8..];
        let window = match left.first_chunk::<4>() {
            Some(bytes) => u32::from_le_bytes(*bytes),
            None => left.iter().rev().fold(0, |window, byte| window << 8 | u32::from(*byte)),
        };
        window >> (self.at % 8)
    }

    /// Goes on by so many bits; `None` where there are not as many.
    pub fn skip(&mut self, count: u32) -> Option<()> {
        let end = self.at + count as usize;
        (end <= self.bytes.len() * 8).then(|| self.at = end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_read_in_their_order_and_to_the_last() {
        let mut reader = BitReader::new(&[0b1010_0110, 0xff, 0, 0, 0x80]);
        assert_eq!((reader.bits(3), reader.bits(0), reader.bits(5)), (Some(0b110), Some(0), Some(0b1_0100)));
        assert_eq!((reader.bits(24), reader.position()), (Some(0xff), 32));
        assert_eq!((reader.bits(9), reader.bits(8), reader.bits(1)), (None, Some(0x80), None));
        assert_eq!((reader.peek(), reader.skip(0), reader.skip(1)), (0, Some(()), None));
    }
}
