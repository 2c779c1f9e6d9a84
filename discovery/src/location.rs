//! The location of a registry: an address, or a host name that is resolved for every connection.
//!
//! A recreated container has another address under the same name.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// `127.0.0.1:7000`, or `registry:7000`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Location(Arc<str>);

/// Text that is not a location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid location `{0}`: expected an address or a host name, and a port, e.g. registry:7000")]
pub struct LocationParseError(String);

impl Location {
    /// The text as written, for connecting.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<SocketAddr> for Location {
    fn from(addr: SocketAddr) -> Self {
        Self(addr.to_string().into())
    }
}

impl FromStr for Location {
    type Err = LocationParseError;

    fn from_str(text: &str) -> Result<Self, LocationParseError> {
        if text.parse::<SocketAddr>().is_ok() {
            return Ok(Self(text.into()));
        }
        // Letters, digits, hyphens and dots (RFC 1123, section 2.1), and the underscores of container engines.
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let is_location = text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && host.chars().all(is_of_name) && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if is_location { Ok(Self(text.into())) } else { Err(LocationParseError(text.to_owned())) }
    }
}

impl TryFrom<String> for Location {
    type Error = LocationParseError;

    fn try_from(text: String) -> Result<Self, LocationParseError> {
        text.parse()
    }
}

impl From<Location> for String {
    fn from(location: Location) -> Self {
        location.as_str().to_owned()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_with_a_port_are_locations_and_nothing_else_is() {
        for right in ["127.0.0.1:7000", "[::1]:7000", "registry:7000", "registry.suite_default:1"] {
            let location: Location = right.parse().unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(location.to_string(), right);
            let json = serde_json::to_string(&location).expect("a string");
            assert_eq!(serde_json::from_str::<Location>(&json).expect("reads back"), location);
        }
        for wrong in
            ["", "registry", ":7000", "registry:", "registry:0", "registry:70000", "a b:1", "http://a:1"]
        {
            assert!(wrong.parse::<Location>().is_err(), "{wrong}");
        }
    }
}
