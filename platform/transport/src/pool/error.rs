//! Why a request got no connection.

use std::io;
use std::net::SocketAddr;

use runtime::limits;

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
    /// This process, or its machine, has nothing left to make one with: descriptors, ports, buffers.
    #[error("no more connections can be made from here")]
    Exhausted(#[source] io::Error),
    /// The endpoint does not accept.
    #[error("no connection to {addr}")]
    Connect {
        /// The address of the endpoint.
        addr: SocketAddr,
        /// The system's error.
        #[source]
        source: io::Error,
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

impl PoolError {
    /// What a failure to connect to an endpoint means.
    pub(crate) fn of_connect(addr: SocketAddr, source: io::Error) -> Self {
        if limits::is_exhausted(&source) { Self::Exhausted(source) } else { Self::Connect { addr, source } }
    }

    /// Whether it is a limit of this side, of which the endpoint knows nothing.
    pub(crate) const fn is_of_this_side(&self) -> bool {
        matches!(self, Self::Full(_) | Self::TimedOut | Self::Exhausted(_))
    }
}
