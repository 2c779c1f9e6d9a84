//! What a scenario declares of the network between processes: its round trip, and how it varies.
//!
//! Loopback is not a network: a round trip takes some 50 us of the kernel's time, and half a millisecond between two
//! hosts of a datacentre. What is declared here is added to each exchange between two processes.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use crate::units::schema::{patterns, text};
use crate::units::{HumanDuration, UnitError};

/// Longest round trip: beyond it no connection would be made within the 250 ms a connect may take. From Europe to
/// Australia it is more, and no services are split across that.
const MAX_RTT: HumanDuration = HumanDuration::from_millis(200);

/// `[network]`, of every exchange between two processes of an arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkOptions {
    /// Round trip, added to what loopback takes: half before a request, half before its answer, and one more to connect.
    #[serde(deserialize_with = "round_trip")]
    #[schemars(schema_with = "round_trip_schema")]
    pub rtt: HumanDuration,
    /// Half the width of its variation: round trips are even in `rtt` ± `jitter`.
    #[serde(deserialize_with = "round_trip")]
    #[schemars(schema_with = "round_trip_schema")]
    pub jitter: HumanDuration,
}

impl NetworkOptions {
    /// Whether nothing is added.
    pub fn is_loopback(&self) -> bool {
        self.rtt == HumanDuration::default()
    }

    /// Reads a round trip: `300us`, or `0` for loopback.
    ///
    /// # Errors
    /// When it is no duration, or longer than a connection can be made over.
    pub fn parse_rtt(text: &str) -> Result<HumanDuration, String> {
        let rtt = parse(text).map_err(|error| error.to_string())?;
        if rtt > MAX_RTT {
            Err(format!("a round trip of {rtt} is too long; write at most {MAX_RTT}"))
        } else {
            Ok(rtt)
        }
    }

    /// The same with another round trip, and no more variation than that.
    #[must_use]
    pub fn with_rtt(self, rtt: HumanDuration) -> Self {
        Self { rtt, jitter: self.jitter.min(rtt) }
    }

    /// What is wrong with it, each sentence with the key first.
    pub fn diagnostics(&self) -> Vec<String> {
        let mut diagnostics = Vec::new();
        if self.rtt > MAX_RTT {
            diagnostics.push(format!(
                "rtt: {} is too long for a connection to be made; write at most {MAX_RTT}",
                self.rtt
            ));
        }
        if self.jitter > self.rtt {
            diagnostics.push(format!(
                "jitter: {} is longer than the round trip of {}; no exchange can be early",
                self.jitter, self.rtt
            ));
        }
        diagnostics
    }

    /// One round trip, ns; `unit` is a number from 0 to 1.
    pub fn round_trip_ns(&self, unit: f64) -> u64 {
        let shift = (2.0 * unit - 1.0) * self.jitter.nanos() as f64;
        (self.rtt.nanos() as f64 + shift).max(0.0) as u64
    }
}

impl fmt::Display for NetworkOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_loopback(), self.jitter == HumanDuration::default()) {
            (true, _) => write!(f, "loopback"),
            (false, true) => write!(f, "{} round trip", self.rtt),
            (false, false) => write!(f, "{} round trip, more or less {}", self.rtt, self.jitter),
        }
    }
}

fn parse(text: &str) -> Result<HumanDuration, UnitError> {
    if text.trim_matches(' ') == "0" { Ok(HumanDuration::default()) } else { text.parse() }
}

fn round_trip<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HumanDuration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn round_trip_schema(_: &mut SchemaGenerator) -> Schema {
    text(&format!("(?:0|{})", patterns::duration()), "a duration, or 0", &["300us", "0"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(toml: &str) -> NetworkOptions {
        toml::from_str(toml).expect(toml)
    }

    #[test]
    fn zero_needs_no_unit_and_is_loopback() {
        assert!(network("rtt = \"0\"").is_loopback() && network("").is_loopback());
        assert!(!network("rtt = \"300us\"").is_loopback());
        assert!(toml::from_str::<NetworkOptions>("rtt = \"3\"").is_err(), "three of what?");
        assert!(NetworkOptions::parse_rtt("1s").is_err_and(|why| why.contains("at most 200ms")));
    }

    #[test]
    fn round_trips_are_even_around_the_declared_one() {
        let network = network("rtt = \"1ms\"\njitter = \"200us\"");
        assert_eq!([0.0, 0.5, 1.0].map(|unit| network.round_trip_ns(unit)), [800_000, 1_000_000, 1_200_000]);
        let shorter = network.with_rtt(NetworkOptions::parse_rtt("100us").expect("a duration"));
        assert_eq!(shorter.round_trip_ns(0.0), 0, "no exchange is early");
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_key_first() {
        let wrong = |toml: &str| network(toml).diagnostics().join("\n");
        assert!(wrong("rtt = \"1s\"").starts_with("rtt: 1s is too long"));
        assert!(wrong("rtt = \"1ms\"\njitter = \"2ms\"").starts_with("jitter: 2ms is longer"));
        assert_eq!(wrong("rtt = \"1ms\"\njitter = \"1ms\""), "");
    }

    #[test]
    fn it_is_printed_as_it_is_written() {
        assert_eq!(network("").to_string(), "loopback");
        assert_eq!(network("rtt = \"300us\"").to_string(), "300us round trip");
        let varying = network("rtt = \"1ms\"\njitter = \"50us\"");
        assert_eq!(varying.to_string(), "1ms round trip, more or less 50us");
    }
}
