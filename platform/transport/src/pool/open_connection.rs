//! A connection as such: the side to speak into, and what moves the bytes.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Context;

use hyper::client::conn::http1::{Connection, SendRequest};

use crate::Body;
use crate::probe::{Probe, Probed};

/// An open connection.
pub(super) struct OpenConnection {
    pub sender: SendRequest<Body>,
    pub connection: Connection<Probed, Body>,
    pub probe: Probe,
    /// Where it was made to: the endpoint, or a proxy before it.
    pub via: SocketAddr,
    pub ended: bool,
}

/// Moves bytes, both ways, unless the connection has ended.
pub(super) fn drive(connection: &mut Connection<Probed, Body>, ended: &mut bool, cx: &mut Context<'_>) {
    if !*ended {
        // An error shows as an error of the request itself.
        *ended = Pin::new(connection).poll(cx).is_ready();
    }
}
