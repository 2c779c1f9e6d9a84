//! reqwest without TLS: goose cannot do without the one, and the load generator speaks to loopback only.
//!
//! goose asks for reqwest's `default-tls`, which brings rustls and a C library of cryptography that are never used
//! and cost the first build a minute of CPU. It needs of TLS one setting of [`ClientBuilder`], which means nothing
//! here; everything else is the wrapped crate's.

use std::ops::Deref;
use std::time::Duration;

pub use plain::*;

/// The wrapped crate, whose builder has every setting.
pub use ::plain;

/// A client, as goose names it.
#[derive(Clone, Debug, Default)]
pub struct Client(plain::Client);

/// The settings that goose makes.
#[derive(Debug, Default)]
pub struct ClientBuilder(plain::ClientBuilder);

impl Client {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// A builder with the defaults.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }
}

impl From<plain::Client> for Client {
    fn from(client: plain::Client) -> Self {
        Self(client)
    }
}

impl Deref for Client {
    type Target = plain::Client;

    fn deref(&self) -> &plain::Client {
        &self.0
    }
}

impl ClientBuilder {
    /// Sets the `User-Agent` of all requests.
    #[must_use]
    pub fn user_agent(self, value: &str) -> Self {
        Self(self.0.user_agent(value))
    }

    /// Limits the time from a request to the end of its body.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(self.0.timeout(timeout))
    }

    /// Whether gzip is offered.
    #[must_use]
    pub fn gzip(self, enable: bool) -> Self {
        Self(self.0.gzip(enable))
    }

    /// Without TLS there are no certificates: does nothing.
    #[must_use]
    pub fn danger_accept_invalid_certs(self, _accept: bool) -> Self {
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    /// As the wrapped crate's.
    pub fn build(self) -> Result<Client> {
        self.0.build().map(Client)
    }
}
