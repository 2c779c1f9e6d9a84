//! The other end of a connection.

use std::net::SocketAddr;

use http::HeaderValue;

/// The other end of the connection a request came on: see [`Body::peer`](crate::Body::peer).
#[derive(Debug)]
pub struct Peer {
    /// Its address.
    pub addr: SocketAddr,
    /// Its host, as a header has it: written once a connection.
    pub host: HeaderValue,
    /// Whether what it sends and gets is encrypted.
    pub is_secured: bool,
}

impl Peer {
    pub(crate) fn new(addr: SocketAddr) -> Self {
        let host = HeaderValue::from_str(&addr.ip().to_string()).expect("an address is a header value");
        Self { addr, host, is_secured: false }
    }

    /// The same over TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn secured(addr: SocketAddr) -> Self {
        Self { is_secured: true, ..Self::new(addr) }
    }
}
