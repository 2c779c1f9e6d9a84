//! The wire form of a histogram: HDR V2, deflated (HdrHistogram, `EncodableHistogram.java`), read straight into the
//! values that occurred.
//!
//! `hdrhistogram` reads it into a dense histogram of 139 KB first, which is above glibc's threshold for giving memory
//! back: a record of an hour has 200,000 of them, each a mapping made and dropped. Here one set of buffers a thread
//! serves all of them.

use std::cell::RefCell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Decompress, FlushDecompress, Status};

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

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers {
        deflated: Vec::new(),
        plain: vec![0; MAX_PLAIN_BYTES],
        inflate: Decompress::new(true),
    });
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

impl Buckets {
    fn of(plain: &[u8]) -> Result<Self, DecodeError> {
        let (offset, digits, lowest) = (u32_at(plain, 8)?, u32_at(plain, 12)?, u64_at(plain, 16)?);
        let ratio = f64::from_bits(u64_at(plain, 32)?);
        let known = u32_at(plain, 0)? == V2_COOKIE && offset == 0 && ratio.to_bits() == 1_f64.to_bits();
        if !known || digits > 5 || lowest == 0 {
            return Err(DecodeError::Format);
        }
        // At three digits two values a thousand apart in a thousand differ: 2,000 of them, in a power of two.
        let half = (2 * 10_u64.pow(digits)).next_power_of_two().ilog2() - 1;
        Ok(Self { half, unit: lowest.ilog2() })
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
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
    use proptest::prelude::*;

    use super::*;

    fn text(histogram: &Histogram<u64>) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("encodes");
        STANDARD.encode(bytes)
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
