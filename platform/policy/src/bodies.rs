//! How many bytes of bodies the gateway holds at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::ByteSize;

/// `{ requests = "64MiB", replies = "32MiB" }`: of `[service.gateway]`. A quarter of each is kept for bodies of up to
/// 64 KiB. Limits of one address are off where a scenario sets none: its load comes from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BodyOptions {
    /// Bytes of request bodies that are held, of all clients together; 64MiB where unset. What does not fit is refused:
    /// 503 `bodies_busy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<ByteSize>,
    /// Bytes of replies on their way to clients; 32MiB where unset. What does not fit waits, back to the disk it is read
    /// from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replies: Option<ByteSize>,
    /// Bytes of request bodies of one address; 24MiB where unset and clients are limited by address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_address: Option<ByteSize>,
    /// Bytes of replies to one address; 8MiB where unset and clients are limited by address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replies_per_address: Option<ByteSize>,
}

/// Bytes that may be held: in all, and by the clients of one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// By all clients together.
    pub in_all: u64,
    /// By one address; `None` where all clients share one.
    pub per_address: Option<u64>,
}

impl BodyLimits {
    /// None: for bodies that are bounded elsewhere.
    pub const UNLIMITED: Self = Self { in_all: u64::MAX, per_address: None };
}

const MIB: u64 = 1 << 20;
/// Three of the largest uploads (16 MiB), and a third as much for short bodies.
const REQUEST_BYTES: u64 = 64 * MIB;
/// One of the largest uploads, and room for short bodies next to it.
const REQUEST_BYTES_PER_ADDRESS: u64 = 24 * MIB;
/// A reader that has stopped holds some 100 KiB: three hundred of them fit, until they are cut off for being too slow.
const REPLY_BYTES: u64 = 32 * MIB;
/// A quarter: four addresses can fill all there is, one cannot.
const REPLY_BYTES_PER_ADDRESS: u64 = 8 * MIB;
/// Less would hold up single requests; more is a machine's whole memory.
const RANGE: std::ops::RangeInclusive<u64> = MIB..=1_024 * MIB;

impl BodyOptions {
    /// Limits of request bodies; `by_address` where clients have addresses of their own.
    pub fn requests(&self, by_address: bool) -> BodyLimits {
        limits(
            (self.requests, REQUEST_BYTES),
            (self.requests_per_address, by_address.then_some(REQUEST_BYTES_PER_ADDRESS)),
        )
    }

    /// The same of replies.
    pub fn replies(&self, by_address: bool) -> BodyLimits {
        limits(
            (self.replies, REPLY_BYTES),
            (self.replies_per_address, by_address.then_some(REPLY_BYTES_PER_ADDRESS)),
        )
    }

    /// What is wrong with it, with the right choices.
    pub fn diagnostics(&self) -> Vec<String> {
        let pairs = [
            ("requests", self.requests, REQUEST_BYTES),
            ("replies", self.replies, REPLY_BYTES),
            ("requests_per_address", self.requests_per_address, REQUEST_BYTES_PER_ADDRESS),
            ("replies_per_address", self.replies_per_address, REPLY_BYTES_PER_ADDRESS),
        ];
        let out_of_range = pairs.into_iter().filter_map(|(name, size, usual)| {
            let size = size.filter(|size| !RANGE.contains(&size.get()))?;
            let usual = ByteSize::new(usual);
            Some(format!(
                "bodies: {name} = \"{size}\" is out of range; write 1MiB to 1GiB, for example \"{usual}\""
            ))
        });
        out_of_range.collect()
    }
}

fn limits(in_all: (Option<ByteSize>, u64), per_address: (Option<ByteSize>, Option<u64>)) -> BodyLimits {
    let in_all = in_all.0.map_or(in_all.1, ByteSize::get);
    let per_address = per_address.0.map(ByteSize::get).or(per_address.1);
    BodyLimits { in_all, per_address: per_address.map(|share| share.min(in_all)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_limited_where_addresses_differ_or_a_scenario_asks_for_it() {
        let unset = BodyOptions::default();
        let all_share_one = BodyLimits { in_all: 64 << 20, per_address: None };
        assert_eq!(unset.requests(false), all_share_one);
        assert_eq!(unset.requests(true), BodyLimits { per_address: Some(24 << 20), ..all_share_one });
        assert_eq!(unset.replies(true), BodyLimits { in_all: 32 << 20, per_address: Some(8 << 20) });
        let set: BodyOptions =
            toml::from_str("replies = \"4MiB\"\nreplies_per_address = \"2MiB\"").expect("options");
        assert_eq!(set.replies(false), BodyLimits { in_all: 4 << 20, per_address: Some(2 << 20) });
        let little: BodyOptions = toml::from_str("replies = \"4MiB\"").expect("options");
        assert_eq!(little.replies(true).per_address, Some(4 << 20), "no more than there is");
    }

    #[test]
    fn sizes_out_of_range_are_reported() {
        let options: BodyOptions =
            toml::from_str("requests = \"64KiB\"\nreplies = \"2GiB\"").expect("options");
        assert_eq!(
            options.diagnostics(),
            [
                "bodies: requests = \"64KiB\" is out of range; write 1MiB to 1GiB, for example \"64MiB\"",
                "bodies: replies = \"2GiB\" is out of range; write 1MiB to 1GiB, for example \"32MiB\"",
            ]
        );
        assert!(BodyOptions::default().diagnostics().is_empty());
    }
}
