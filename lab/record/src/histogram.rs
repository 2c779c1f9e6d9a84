//! Latencies as they are kept and merged: an HDR histogram's recorded values.
//!
//! In memory only the values that occurred are held, about two bytes each (`packed`), since a
//! window of one second has a hundred samples and a dense histogram 139 KB. On
//! the wire it is HDR V2, deflated, in base64, which every HDR tool reads.

use std::borrow::Cow;
use std::fmt;

use hdrhistogram::Histogram;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hdr;
pub use crate::hdr::{DIGITS, MAX_US};
use crate::packed::{Counts, Packer};

/// A dense histogram to record into, in microseconds.
///
/// # Panics
/// Never: the bounds are constants the library accepts.
pub fn recorder() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_US, DIGITS)
        .expect("1 us to one minute at three digits is a valid range")
}

/// Latencies in microseconds with their counts, by rising value. A minute in microseconds takes 26 bits; a count stops at
/// `u32::MAX`, five days of 10,000 a second that all took as long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    packed: Box<[u8]>,
}

impl Latencies {
    /// What a recorder holds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let steps = histogram.iter_recorded();
        Self::from_counts(steps.map(|step| (step.value_iterated_to(), step.count_at_value())))
    }

    /// Values with their counts, by rising value.
    pub(crate) fn from_counts(counts: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut packer = Packer::default();
        counts.into_iter().for_each(|(value, count)| packer.push(value, count));
        Self { packed: packer.finish() }
    }

    /// Samples.
    pub fn len(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }

    /// No samples.
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// Bytes that it takes in memory beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.packed.len()
    }

    /// The value below or at which a share `q` of the samples lies (0 to 1),
    /// microseconds; `None` without samples.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let total = self.len();
        if total == 0 {
            return None;
        }
        self.at(((q.clamp(0.0, 1.0) * total as f64).ceil() as u64).clamp(1, total))
    }

    /// The value of a rank from 1, the smallest's, microseconds; `None` beyond the samples.
    pub fn at(&self, rank: u64) -> Option<u64> {
        let mut seen = 0;
        for (value, count) in self.iter() {
            seen += count;
            if seen >= rank {
                return Some(value);
            }
        }
        None
    }

    /// Mean, microseconds; `None` without samples.
    pub fn mean(&self) -> Option<f64> {
        let total = self.len();
        let sum: u128 = self.iter().map(|(v, c)| u128::from(v) * u128::from(c)).sum();
        (total > 0).then(|| sum as f64 / total as f64)
    }

    /// The largest sample, microseconds.
    pub fn max(&self) -> Option<u64> {
        self.iter().last().map(|(value, _)| value)
    }

    /// Share of samples at or below `limit_us`; `None` without samples.
    pub fn share_within(&self, limit_us: u64) -> Option<f64> {
        let total = self.len();
        let within: u64 = self.iter().take_while(|(v, _)| *v <= limit_us).map(|(_, c)| c).sum();
        (total > 0).then(|| within as f64 / total as f64)
    }

    /// How many lie above a limit, microseconds.
    pub fn above(&self, limit_us: u64) -> u64 {
        self.iter().filter(|(us, _)| *us > limit_us).map(|(_, count)| count).sum()
    }

    /// Adds another window's samples: percentiles are merged, then computed.
    pub fn merge(&mut self, other: &Self) {
        if self.is_empty() || other.is_empty() {
            if self.is_empty() {
                self.packed.clone_from(&other.packed);
            }
            return;
        }
        let mut merged = Packer::with_capacity(self.packed.len() + other.packed.len());
        let (mut left, mut right) =
            (Counts::of(&self.packed).peekable(), Counts::of(&other.packed).peekable());
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.0 == b.0 => {
                    let both = (a.0, a.1 + b.1);
                    left.next();
                    right.next();
                    Some(both)
                }
                (Some(a), Some(b)) if a.0 < b.0 => left.next(),
                (_, Some(_)) => right.next(),
                (Some(_), None) => left.next(),
                (None, None) => break,
            };
            next.into_iter().for_each(|(value, count)| merged.push(value, count));
        }
        self.packed = merged.finish();
    }

    /// All of them, merged. Each is merged with as many as it is of itself: one after another, every window would cost as
    /// much as what has come together by then, and ten minutes of a run have thousands.
    pub fn merged<'a>(windows: impl IntoIterator<Item = &'a Self>) -> Self {
        // Of 1, 2, 4, .. windows, the most first, as the digits of a binary counter.
        let mut sums: Vec<Self> = Vec::new();
        for (number, window) in (1_u64..).zip(windows) {
            let mut sum = window.clone();
            for _ in 0..number.trailing_zeros() {
                if let Some(before) = sums.pop() {
                    sum.merge(&before);
                }
            }
            sums.push(sum);
        }
        let mut all = Self::default();
        sums.iter().rev().for_each(|sum| all.merge(sum));
        all
    }

    /// The values that occurred with their counts, by rising value.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        Counts::of(&self.packed)
    }
}

impl FromIterator<u64> for Latencies {
    /// Latencies of these microseconds, as an HDR histogram would keep them.
    fn from_iter<I: IntoIterator<Item = u64>>(values: I) -> Self {
        let mut histogram = recorder();
        for value in values {
            histogram.saturating_record(value.max(1));
        }
        Self::of(&histogram)
    }
}

impl JsonSchema for Latencies {
    fn schema_name() -> Cow<'static, str> {
        "Latencies".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "contentEncoding": "base64",
            "description": "Latencies in microseconds: an HDR histogram V2, deflated; empty without samples."
        })
    }
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_empty() {
            return serializer.serialize_str("");
        }
        serializer.serialize_str(&hdr::encode(self.iter()))
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = Latencies;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an HDR histogram in base64, or an empty string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Latencies, E> {
                if text.is_empty() {
                    return Ok(Latencies::default());
                }
                let counts = hdr::decode(text.as_bytes()).map_err(E::custom)?;
                let wide = |(value, count): (u32, u32)| (u64::from(value), u64::from(count));
                Ok(Latencies::from_counts(counts.into_iter().map(wide)))
            }
        }

        // The text itself is not kept: borrowed from the line, where it has no escapes.
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_of_a_known_set() {
        // 1 to 100 us, once each: below 2,048 us a bucket is 1 us wide, so nothing is rounded.
        let latencies: Latencies = (1..=100).collect();
        assert_eq!(latencies.quantile(0.5), Some(50));
        assert_eq!(latencies.quantile(0.99), Some(99));
        assert_eq!(latencies.quantile(1.0), Some(100));
        assert_eq!(latencies.share_within(25), Some(0.25));
        assert_eq!([1, 50, 100, 101].map(|rank| latencies.at(rank)), [Some(1), Some(50), Some(100), None]);
        assert_eq!(Latencies::default().quantile(0.5), None);
    }

    #[test]
    fn however_many_are_merged_it_is_as_one_after_another() {
        let window = |s: u64| -> Latencies { (0..s % 4).map(|i| s * 131 % 977 + i * 40 + 1).collect() };
        let windows: Vec<Latencies> = (0..40).map(window).collect();
        let mut all = Latencies::default();
        for (count, next) in windows.iter().enumerate() {
            assert_eq!(Latencies::merged(&windows[..count]), all, "of {count}");
            all.merge(next);
        }
        assert_eq!(Latencies::merged(&windows), all);
    }

    #[test]
    fn a_second_of_latencies_takes_two_bytes_each() {
        // A hundred answers between 2 and 20 ms, spread as those of a second are.
        let latencies: Latencies = (0..100).map(|i| 2_000 + i * i * 2).collect();
        assert!(latencies.heap_bytes() <= 200, "{} bytes", latencies.heap_bytes());
        assert_eq!((latencies.len(), latencies.max()), (100, Some(21_615)));
    }

    #[test]
    fn what_was_written_before_leaves_nothing_behind() {
        let text = |latencies: &Latencies| serde_json::to_string(latencies).expect("writes");
        let (short, long): (Latencies, Latencies) = ((1..=9).collect(), (1..=900).map(|i| i * i).collect());
        let alone = std::thread::spawn(move || (text(&short), short)).join();
        let (alone, short) = alone.expect("no panic");
        for latencies in [&long, &short, &long] {
            assert_eq!(serde_json::from_str::<Latencies>(&text(latencies)).expect("reads"), *latencies);
        }
        assert_eq!(text(&short), alone);
    }

    proptest! {
        #[test]
        fn merging_equals_recording_together(a in prop::collection::vec(1_u64..90_000_000, 0..200),
                                             b in prop::collection::vec(1_u64..90_000_000, 0..200)) {
            let mut merged: Latencies = a.iter().copied().collect();
            merged.merge(&b.iter().copied().collect());
            let together: Latencies = a.into_iter().chain(b).collect();
            prop_assert_eq!(merged, together);
        }

        #[test]
        fn the_wire_form_reads_back(values in prop::collection::vec(1_u64..60_000_000, 0..200)) {
            let latencies: Latencies = values.into_iter().collect();
            let text = serde_json::to_string(&latencies).expect("writes");
            prop_assert_eq!(serde_json::from_str::<Latencies>(&text).expect("reads"), latencies);
        }
    }
}
