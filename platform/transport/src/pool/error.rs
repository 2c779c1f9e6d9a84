//! Why a request got no connection.

use std::net::SocketAddr;

/// Why there is no connection. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// As many requests wait as may.
    #[error("{0} requests wait for a connection already")]
    Full(usize),
    /// None became free in time.
    #[error("no connection became free in time")]
    TimedOut,
    /// The caller's time was over before a connection was made: shorter than what the endpoint is given for it.
    #[error("no connection to {0} before the deadline")]
    Late(SocketAddr),
    /// The endpoint does not accept.
    #[error("no connection to {addr}")]
    Connect {
        /// The address of the endpoint.
        addr: SocketAddr,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// It accepted and spoke no HTTP.
    #[error("no HTTP with {addr}")]
    Handshake {
        /// The address of the endpoint.
        addr: SocketAddr,
        /// hyper's error.
        #[source]
        source: hyper::Error,
    },
}
