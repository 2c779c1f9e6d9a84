//! Where else to connect.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Addresses, and where to connect instead: how a proxy gets between two processes.
#[derive(Debug, Default)]
pub struct Detours(ArcSwap<Vec<(SocketAddr, SocketAddr)>>);

impl Detours {
    /// From now on these. Connections made another way are not used again.
    pub fn set(&self, detours: Vec<(SocketAddr, SocketAddr)>) {
        self.0.store(Arc::new(detours));
    }

    /// Where to connect for an address: the last detour that is about it.
    pub(crate) fn of(&self, addr: SocketAddr) -> SocketAddr {
        self.0.load().iter().rev().find(|(from, _)| *from == addr).map_or(addr, |(_, to)| *to)
    }
}
