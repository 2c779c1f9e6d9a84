//! The wire form of a histogram: HDR V2, deflated (HdrHistogram, `EncodableHistogram.java`), read straight into the
//! values that occurred, and written straight from them.
//!
//! `hdrhistogram` reads it into a dense histogram of 139 KB first, which is above glibc's threshold for giving memory
//! back: a record of an hour has 200,000 of them, each a mapping made and dropped. To write one it takes six blocks of 32
//! to 85 KB, between which what a run keeps comes to lie. Here one set of buffers a thread serves all of them.

use std::cell::RefCell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Longest latency that is distinguished, microseconds: one minute.
pub const MAX_US: u64 = 60_000_000;
/// Significant decimal digits.
pub const DIGITS: u8 = 3;

/// First four bytes of a deflated histogram, and of what it holds.
const DEFLATED_COOKIE: u32 = 0x1c84_9314;
const V2_COOKIE: u32 = 0x1c84_9313;
/// Cookie and length before the deflated bytes.
const DEFLATED_HEADER_BYTES: usize = 8;
/// Cookie, length, offset, digits, lowest, highest, ratio before the counts.
const V2_HEADER_BYTES: usize = 40;
/// Most bytes a histogram of ours inflates to: one minute at three digits has 17 buckets of 1,024 counts, each at most
/// nine bytes long; rounded up to a power of two.
const MAX_PLAIN_BYTES: usize = 256 * 1024;
/// Longest integer of the format, which is LEB128 with a whole ninth byte.
const MAX_VARINT_BYTES: usize = 9;

/// Why a text is no histogram.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("invalid histogram: not base64")]
    Base64(#[source] base64::DecodeError),
    #[error("invalid histogram: expected HDR V2, deflated, of at most {MAX_PLAIN_BYTES} bytes")]
    Format,
    #[error("invalid histogram: a value is beyond {} us", u32::MAX)]
    Value,
}

struct Buffers {
    deflated: Vec<u8>,
    plain: Vec<u8>,
    inflate: Decompress,
}

/// What a thread writes histograms with.
struct WriteBuffers {
    plain: Vec<u8>,
    deflated: Vec<u8>,
    deflate: Compress,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers {
        deflated: Vec::new(),
        plain: vec![0; MAX_PLAIN_BYTES],
        inflate: Decompress::new(true),
    });
    static WRITE_BUFFERS: RefCell<WriteBuffers> = RefCell::new(WriteBuffers {
        plain: Vec::new(),
        deflated: Vec::new(),
        deflate: Compress::new(Compression::default(), true),
    });
}

/// The text of these values with their counts, by rising value: as `hdrhistogram` writes them
/// within these bounds, but for values beyond the last bucket, which count as the largest of that.
pub(crate) fn encode(counts: impl Iterator<Item = (u64, u64)>) -> String {
    WRITE_BUFFERS.with_borrow_mut(|WriteBuffers { plain, deflated, deflate }| {
        write_plain(counts, plain);
        deflated.clear();
        deflated.extend(DEFLATED_COOKIE.to_be_bytes());
        deflated.extend([0; 4]);
        deflate.reset();
        let mut rest = plain.as_slice();
        loop {
            // Once at most for what compresses: it does not become longer by more than a few bytes.
            deflated.reserve(rest.len() + DEFLATED_HEADER_BYTES);
            let before = deflate.total_in();
            let written = deflate.compress_vec(rest, deflated, FlushCompress::Finish).expect("no dictionary");
            let taken = usize::try_from(deflate.total_in() - before).unwrap_or(rest.len());
            rest = &rest[taken..];
            if written == Status::StreamEnd {
                break;
            }
        }
        let length = (deflated.len() - DEFLATED_HEADER_BYTES) as u32;
        deflated[4..DEFLATED_HEADER_BYTES].copy_from_slice(&length.to_be_bytes());
        STANDARD.encode(deflated.as_slice())
    })
}

/// The histogram before it is deflated: a header, then counts by index, and stretches of zeros as negative numbers.
fn write_plain(counts: impl Iterator<Item = (u64, u64)>, plain: &mut Vec<u8>) {
    plain.clear();
    plain.extend([V2_COOKIE, 0, 0, DIGITS.into()].map(u32::to_be_bytes).concat());
    plain.extend([1, MAX_US, 1_f64.to_bits()].map(u64::to_be_bytes).concat());
    let mut next = 0;
    let mut counts = counts.map(|(value, count)| (RECORDED.index(value), count)).peekable();
    while let Some((index, mut count)) = counts.next() {
        // Several values may be beyond the buckets.
        while let Some((_, more)) = counts.next_if(|(other, _)| *other == index) {
            count = count.saturating_add(more);
        }
        match index - next {
            0 => {}
            // A single zero is a count like others.
            1 => put_varint(0, plain),
            zeros => put_varint(zigzagged(-zeros.cast_signed()), plain),
        }
        put_varint(zigzagged(i64::try_from(count).unwrap_or(i64::MAX)), plain);
        next = index + 1;
    }
    if next == 0 {
        // Of no value at all the count of the smallest is written.
        put_varint(0, plain);
    }
    let length = (plain.len() - V2_HEADER_BYTES) as u32;
    plain[4..8].copy_from_slice(&length.to_be_bytes());
}

/// The values that occurred with their counts, by rising value. A value is the largest its bucket stands for, as
/// everywhere in HDR histograms; a count beyond `u32` is that many.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<(u32, u32)>, DecodeError> {
    BUFFERS.with_borrow_mut(|Buffers { deflated, plain, inflate }| {
        deflated.clear();
        STANDARD.decode_vec(text, deflated).map_err(DecodeError::Base64)?;
        if u32_at(deflated, 0)? != DEFLATED_COOKIE {
            return Err(DecodeError::Format);
        }
        let body = deflated.get(DEFLATED_HEADER_BYTES..).ok_or(DecodeError::Format)?;
        inflate.reset(true);
        let inflated = inflate.decompress(body, plain, FlushDecompress::Finish);
        if !matches!(inflated, Ok(Status::StreamEnd)) {
            return Err(DecodeError::Format);
        }
        let length = usize::try_from(inflate.total_out()).map_err(|_| DecodeError::Format)?;
        counts(&plain[..length])
    })
}

/// The counts of an inflated histogram.
fn counts(plain: &[u8]) -> Result<Vec<(u32, u32)>, DecodeError> {
    let buckets = Buckets::of(plain)?;
    let length = u32_at(plain, 4)? as usize;
    let mut rest = plain.get(V2_HEADER_BYTES..V2_HEADER_BYTES + length).ok_or(DecodeError::Format)?;
    // A count takes a byte, mostly, and so does the stretch of zeros before it.
    let mut counts = Vec::with_capacity(rest.len() / 2 + 1);
    let mut index = 0_u64;
    while !rest.is_empty() {
        match zigzag(take_varint(&mut rest)?) {
            0 => index = index.saturating_add(1),
            zeros @ ..0 => index = index.saturating_add(zeros.unsigned_abs()),
            count => {
                let value = buckets.highest(index).ok_or(DecodeError::Value)?;
                counts.push((value, u32::try_from(count).unwrap_or(u32::MAX)));
                index = index.saturating_add(1);
            }
        }
    }
    counts.shrink_to_fit();
    Ok(counts)
}

/// How indices of counts map to values: `n` values each a unit wide, then halves of `n` whose width doubles.
struct Buckets {
    /// log2 of half the values of the first bucket.
    half: u32,
    /// log2 of the smallest width.
    unit: u32,
}

/// Those that latencies are recorded in.
const RECORDED: Buckets = Buckets { half: half(DIGITS as u32), unit: 0 };

/// log2 of half the values of the first bucket: at three digits two values a thousand apart in a thousand differ, which takes
/// 2,000 of them, in a power of two.
const fn half(digits: u32) -> u32 {
    (2 * 10_u64.pow(digits)).next_power_of_two().ilog2() - 1
}

impl Buckets {
    /// Where a value is counted, in a histogram whose longest is [`MAX_US`]; a value beyond its last bucket counts as the
    /// largest of that.
    fn index(&self, value: u64) -> u64 {
        let bucket = |value: u64| ((value >> self.unit) | ((2 << self.half) - 1)).ilog2() - self.half;
        let (of, last) = (bucket(value), bucket(MAX_US));
        if of > last {
            return (u64::from(last + 2) << self.half) - 1;
        }
        (u64::from(of) << self.half) + (value >> (of + self.unit))
    }

    fn of(plain: &[u8]) -> Result<Self, DecodeError> {
        let (offset, digits, lowest) = (u32_at(plain, 8)?, u32_at(plain, 12)?, u64_at(plain, 16)?);
        let ratio = f64::from_bits(u64_at(plain, 32)?);
        let known = u32_at(plain, 0)? == V2_COOKIE && offset == 0 && ratio.to_bits() == 1_f64.to_bits();
        if !known || digits > 5 || lowest == 0 {
            return Err(DecodeError::Format);
        }
        Ok(Self { half: half(digits), unit: lowest.ilog2() })
    }

    /// The largest value that is counted at an index.
    fn highest(&self, index: u64) -> Option<u32> {
        let values = 1_u64 << self.half;
        let (bucket, sub) = match index >> self.half {
            0 => (0, index),
            bucket => (bucket - 1, (index & (values - 1)) + values),
        };
        let width = u32::try_from(bucket).ok()?.checked_add(self.unit)?;
        let end = (sub + 1).checked_shl(width).filter(|end| end >> width == sub + 1)?;
        u32::try_from(end - 1).ok()
    }
}

fn take_varint(rest: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut value = 0;
    for (at, byte) in rest.iter().take(MAX_VARINT_BYTES).enumerate() {
        let last = at + 1 == MAX_VARINT_BYTES;
        let bits = if last { *byte } else { byte & 0x7f };
        value |= u64::from(bits) << (7 * at);
        if last || byte & 0x80 == 0 {
            *rest = &rest[at + 1..];
            return Ok(value);
        }
    }
    Err(DecodeError::Format)
}

fn put_varint(mut value: u64, bytes: &mut Vec<u8>) {
    for _ in 1..MAX_VARINT_BYTES {
        if value < 0x80 {
            break;
        }
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn zigzagged(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, DecodeError> {
    let bytes = bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).ok_or(DecodeError::Format)?;
    Ok(u32::from_be_bytes(bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, DecodeError> {
    let bytes = bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).ok_or(DecodeError::Format)?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
    use proptest::prelude::*;

    use super::*;

    fn text(histogram: &Histogram<u64>) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("encodes");
        STANDARD.encode(bytes)
    }

    fn written_by_the_library(values: &BTreeMap<u64, u64>) -> String {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, MAX_US, DIGITS).expect("bounds");
        for (value, count) in values {
            histogram.saturating_record_n(*value, *count);
        }
        text(&histogram)
    }

    fn recorded(histogram: &Histogram<u64>) -> Vec<(u32, u32)> {
        let steps = histogram.iter_recorded();
        let narrow = |value: u64| u32::try_from(value).expect("small");
        steps.map(|step| (narrow(step.value_iterated_to()), narrow(step.count_at_value()))).collect()
    }

    proptest! {
        #[test]
        fn what_the_library_writes_is_read_as_it_would_iterate_it(
            values in prop::collection::vec((1_u64..60_000_000, 1_u64..100_000), 0..200),
            lowest in 1_u64..2_000, digits in 1_u8..=4,
        ) {
            let mut histogram = Histogram::<u64>::new_with_bounds(lowest, 60_000_000, digits).expect("bounds");
            for (value, count) in values {
                histogram.saturating_record_n(value, count);
            }
            prop_assert_eq!(decode(text(&histogram).as_bytes()).expect("reads"), recorded(&histogram));
        }

        #[test]
        fn it_is_written_as_the_library_does(
            values in prop::collection::btree_map(0_u64..1 << 26, 1_u64..100_000, 0..300),
        ) {
            prop_assert_eq!(encode(values.clone().into_iter()), written_by_the_library(&values));
        }

        #[test]
        fn few_values_are_written_as_the_library_does(
            values in prop::collection::btree_map(0_u64..4, 1_u64..3, 0..4),
        ) {
            prop_assert_eq!(encode(values.clone().into_iter()), written_by_the_library(&values));
        }

        #[test]
        fn whatever_is_written_is_read(
            values in prop::collection::btree_map(any::<u64>(), 1_u64..100_000, 0..300),
        ) {
            let total = |counts: &[(u32, u32)]| counts.iter().map(|(_, count)| u64::from(*count)).sum::<u64>();
            let read = decode(encode(values.clone().into_iter()).as_bytes()).expect("ours");
            prop_assert_eq!(total(&read), values.values().sum::<u64>());
            prop_assert!(read.is_sorted());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(STANDARD.encode(&bytes).as_bytes());
            let _ = counts(&bytes);
        }

        // By chance alone no bytes begin with a cookie.
        #[test]
        fn no_bytes_behind_a_cookie_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let deflated = [&DEFLATED_COOKIE.to_be_bytes()[..], &bytes].concat();
            let _ = decode(STANDARD.encode(deflated).as_bytes());
            let _ = counts(&[&V2_COOKIE.to_be_bytes()[..], &bytes].concat());
        }

        #[test]
        fn no_counts_make_it_panic(
            digits in 0_u32..7, lowest in any::<u64>(), bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = counts(&plain(digits, lowest, &bytes));
        }
    }

    /// An inflated histogram with such counts.
    fn plain(digits: u32, lowest: u64, counts: &[u8]) -> Vec<u8> {
        let length = u32::try_from(counts.len()).expect("short");
        let heads = [V2_COOKIE, length, 0, digits].map(u32::to_be_bytes).concat();
        let bounds = [lowest, 60_000_000, 1_f64.to_bits()].map(u64::to_be_bytes).concat();
        [heads, bounds, counts.to_vec()].concat()
    }

    #[test]
    fn zeros_beyond_every_index_are_no_histogram() {
        // Twice 2^63 zeros, then one count of 0, then one of 1.
        let most = [0xff; MAX_VARINT_BYTES];
        let counts_of = |bytes: &[u8]| counts(&plain(3, 1, bytes));
        assert!(counts_of(&[&most[..], &most, &[0]].concat()).expect("nothing occurred").is_empty());
        assert!(counts_of(&[&most[..], &most, &[0, 2]].concat()).is_err());
    }

    #[test]
    fn what_is_no_histogram_is_refused_and_the_next_one_read() {
        let mut histogram = crate::histogram::recorder();
        histogram.record(1_234).expect("in range");
        let whole = text(&histogram);
        let cookie = STANDARD.encode(DEFLATED_COOKIE.to_be_bytes());
        for wrong in ["!", "", "AAAA", &cookie, &whole[..whole.len() - 8], &STANDARD.encode([0; 64])] {
            assert!(decode(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(decode(whole.as_bytes()).expect("reads"), [(1_234, 1)]);
    }
}
