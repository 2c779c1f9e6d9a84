//! What carries events between processes: pulls over HTTP, or a message broker, and where that is.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What carries events from one process to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventCarrier {
    /// Consumers pull them from their publishers over HTTP.
    #[default]
    Pull,
    /// Publishers relay them to a server of NATS JetStream (<https://docs.nats.io/nats-concepts/jetstream>).
    Nats,
}

impl EventCarrier {
    const ALL: [Self; 2] = [Self::Pull, Self::Nats];

    /// Its name in a scenario.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Nats => "nats",
        }
    }

    /// Whether it is what a topology has that says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl<'de> Deserialize<'de> for EventCarrier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|carrier| carrier.name() == name);
        known.ok_or_else(|| {
            D::Error::custom(format!("unknown carrier of events `{name}`; carriers: pull, nats"))
        })
    }
}

/// Where a server of NATS is: a host and a port. It has no room for a secret, so that it can be shown and recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    host: String,
    port: u16,
}

/// The port that NATS has by default.
const DEFAULT_PORT: u16 = 4222;
/// The longest name of a host (RFC 1035, section 2.3.4), bytes.
const MAX_HOST: usize = 255;

/// The environment variable with what opens a server: `user:password`, or a token. Never in a file.
pub const CREDENTIALS_VARIABLE: &str = "CLEAVE_NATS_CREDENTIALS";

/// Why a text is no address of a server. The text itself is not in it: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddressError(String);

impl fmt::Display for BrokerAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid NATS URL: {}; write e.g. nats://127.0.0.1:4222", self.0)
    }
}

impl std::error::Error for BrokerAddressError {}

impl BrokerAddress {
    /// A server on this machine.
    pub fn loopback(port: u16) -> Self {
        Self { host: "127.0.0.1".into(), port }
    }

    /// The name or the address of its host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for BrokerAddress {
    type Err = BrokerAddressError;

    /// Reads `nats://host:port`; without a port it is 4222. An IPv6 address stands in brackets.
    fn from_str(text: &str) -> Result<Self, BrokerAddressError> {
        let wrong = |what: &str| Err(BrokerAddressError(what.to_owned()));
        let place = match text.split_once("://") {
            Some(("nats", place)) => place.strip_suffix('/').unwrap_or(place),
            Some(("tls" | "wss", _)) => return wrong("it requires TLS, which is not built in"),
            Some(_) => return wrong("its scheme is not nats"),
            None => return wrong("it does not begin with nats://"),
        };
        if place.contains('@') {
            return wrong(&format!(
                "it holds credentials, which would be recorded; put `user:password`, or a token, into the environment variable {CREDENTIALS_VARIABLE}"
            ));
        }
        if place.contains(',') {
            return wrong("it names several servers");
        }
        let (host, port) = match place.rsplit_once(':') {
            // The colons of an IPv6 address are inside its brackets.
            Some((host, port)) if !port.ends_with(']') => match port.parse() {
                Ok(port) if port > 0 => (host, port),
                _ => return wrong("its port is not 1 to 65535"),
            },
            _ => (place, DEFAULT_PORT),
        };
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match address {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_';
                !host.is_empty() && host.len() <= MAX_HOST && host.chars().all(plain)
            }
        };
        if !is_host {
            return wrong("it names no host");
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nats://{}:{}", self.host, self.port)
    }
}

impl Serialize for BrokerAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BrokerAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for BrokerAddress {
    fn schema_name() -> Cow<'static, str> {
        "BrokerAddress".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^nats://[^/@,:]+(?::[0-9]+)?/?$|^nats://\[[0-9A-Fa-f:.]+\](?::[0-9]+)?/?$",
            "description": "where a server of NATS is, without credentials",
            "examples": ["nats://127.0.0.1:4222"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (text, shown) in [
            ("nats://127.0.0.1:4300", "nats://127.0.0.1:4300"),
            ("nats://broker.example", "nats://broker.example:4222"),
            ("nats://broker.example/", "nats://broker.example:4222"),
            ("nats://[::1]:4300", "nats://[::1]:4300"),
            ("nats://[::1]", "nats://[::1]:4222"),
        ] {
            let address: BrokerAddress = text.parse().expect(text);
            assert_eq!(address.to_string(), shown);
            let json = serde_json::to_string(&address).expect("plain data");
            assert_eq!(serde_json::from_str::<BrokerAddress>(&json).expect("reads back"), address);
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_named_without_it() {
        for (text, part) in [
            ("nats://ada:s3cret@localhost:4222", "CLEAVE_NATS_CREDENTIALS"),
            ("nats://s3cret@localhost", "CLEAVE_NATS_CREDENTIALS"),
            ("tls://s3cret.example", "TLS"),
            ("http://s3cret.example", "scheme"),
            ("s3cret.example:4222", "begin with nats://"),
            ("nats://one:1,s3cret:2", "several servers"),
            ("nats://localhost:s3cret", "port"),
            ("nats://localhost:0", "port"),
            ("nats://", "no host"),
            ("nats://s3 cret", "no host"),
            ("nats://[s3cret]", "no host"),
        ] {
            let error = text.parse::<BrokerAddress>().expect_err(text).to_string();
            assert!(error.contains(part) && !error.contains("s3cret"), "{text}: {error}");
        }
    }
}
