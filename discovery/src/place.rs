//! Where a registry listens: an address, or a host's name that is looked up with every connection.
//!
//! Containers that are made again come back at another address under the same name.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// `127.0.0.1:7000`, or `registry:7000`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place(Arc<str>);

/// Text that is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place to connect to; write an address or a host's name, and a port, as in registry:7000"
)]
pub struct NotAPlace(String);

impl Place {
    /// As it was written: what a connection is made to.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<SocketAddr> for Place {
    fn from(addr: SocketAddr) -> Self {
        Self(addr.to_string().into())
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        if text.parse::<SocketAddr>().is_ok() {
            return Ok(Self(text.into()));
        }
        // Letters, digits, hyphens and dots (RFC 1123, section 2.1), and what container engines add.
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let is_place = text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && host.chars().all(is_of_name) && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if is_place { Ok(Self(text.into())) } else { Err(NotAPlace(text.to_owned())) }
    }
}

impl TryFrom<String> for Place {
    type Error = NotAPlace;

    fn try_from(text: String) -> Result<Self, NotAPlace> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.as_str().to_owned()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_with_a_port_are_places_and_nothing_else_is() {
        for right in ["127.0.0.1:7000", "[::1]:7000", "registry:7000", "registry.suite_default:1"] {
            let place: Place = right.parse().unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(place.to_string(), right);
            let json = serde_json::to_string(&place).expect("a string");
            assert_eq!(serde_json::from_str::<Place>(&json).expect("reads back"), place);
        }
        for wrong in
            ["", "registry", ":7000", "registry:", "registry:0", "registry:70000", "a b:1", "http://a:1"]
        {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
