//! Latencies as they are kept and merged: an HDR histogram's recorded values.
//!
//! In memory only the values that occurred are held, eight bytes each, since a
//! window of one second has a hundred samples and a dense histogram 139 KB. On
//! the wire it is HDR V2, deflated, in base64, which every HDR tool reads.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::hdr;

/// Longest latency that is distinguished, microseconds: one minute.
pub const MAX_US: u64 = 60_000_000;
/// Significant decimal digits.
pub const DIGITS: u8 = 3;

/// A dense histogram to record into, in microseconds.
///
/// # Panics
/// Never: the bounds are constants the library accepts.
pub fn recorder() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_US, DIGITS)
        .expect("1 us to one minute at three digits is a valid range")
}

/// Latencies in microseconds with their counts, by rising value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// A minute in microseconds takes 26 bits; a count stops at `u32::MAX`, five days of 10,000 a second that all took
    /// as long.
    counts: Vec<(u32, u32)>,
}

impl Latencies {
    /// What a recorder holds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let steps = histogram.iter_recorded();
        let counts =
            steps.map(|step| (narrow(step.value_iterated_to()), narrow(step.count_at_value()))).collect();
        Self { counts }
    }

    /// Samples.
    pub fn len(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }

    /// No samples.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The value below or at which a share `q` of the samples lies (0 to 1),
    /// microseconds; `None` without samples.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let total = self.len();
        if total == 0 {
            return None;
        }
        let rank = ((q.clamp(0.0, 1.0) * total as f64).ceil() as u64).clamp(1, total);
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
        self.counts.last().map(|(value, _)| u64::from(*value))
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
        if self.is_empty() {
            self.counts.clone_from(&other.counts);
            return;
        }
        let mut merged = Vec::with_capacity(self.counts.len() + other.counts.len());
        let (mut left, mut right) = (self.counts.iter().peekable(), other.counts.iter().peekable());
        loop {
            match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.0 == b.0 => {
                    merged.push((a.0, a.1.saturating_add(b.1)));
                    left.next();
                    right.next();
                }
                (Some(a), Some(b)) if a.0 < b.0 => {
                    merged.push(**a);
                    left.next();
                }
                (_, Some(b)) => {
                    merged.push(**b);
                    right.next();
                }
                (Some(a), None) => {
                    merged.push(**a);
                    left.next();
                }
                (None, None) => break,
            }
        }
        self.counts = merged;
    }

    /// All of them, merged.
    pub fn merged<'a>(windows: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self::default();
        for window in windows {
            all.merge(window);
        }
        all
    }

    /// The values that occurred with their counts, by rising value.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts.iter().map(|(value, count)| (u64::from(*value), u64::from(*count)))
    }
}

fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
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
        let mut histogram = recorder();
        for (value, count) in self.iter() {
            histogram.saturating_record_n(value, count);
        }
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&histogram, &mut bytes).map_err(ser::Error::custom)?;
        serializer.serialize_str(&STANDARD.encode(bytes))
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
                Ok(Latencies { counts })
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
        assert_eq!(Latencies::default().quantile(0.5), None);
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
