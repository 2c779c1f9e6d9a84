//! Room for exports: the bytes that those of all exporters take at once, from the first of a body until its spans are taken over.
//! A bound on each export alone would let many of them take any memory.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use policy::BodyLimits;
use transport::byte_budget::{ByteBudget, Reservation};

/// Bytes in all, about. An export may take 80 MiB: a body of 16, the same unpacked and in texts of its messages, and 32 of
/// messages. A process of a run sends some 200 KiB at a time, which take 2 MiB.
pub(super) const MAX_BYTES: usize = 128 * 1024 * 1024;

/// All the room there is.
pub(super) struct ExportBudget(ByteBudget);

/// What one request takes of it; free again when all clones are dropped.
#[derive(Clone)]
pub(super) struct ExportRoom(Arc<Mutex<Reservation>>);

impl ExportBudget {
    /// Nothing is taken yet.
    pub fn new() -> Self {
        Self(ByteBudget::new(BodyLimits { in_all: MAX_BYTES as u64, per_address: None }))
    }

    /// For a request of which nothing has come yet.
    pub fn reserve(&self) -> ExportRoom {
        // Exporters are on this machine, and share one address.
        ExportRoom(Arc::new(Mutex::new(self.0.reserve(IpAddr::V4(Ipv4Addr::LOCALHOST)))))
    }
}

impl ExportRoom {
    /// Whether there is room for so many more bytes; they are counted if so.
    pub fn grow(&self, bytes: usize) -> bool {
        self.0.lock().expect("no panic while held").grow(bytes as u64)
    }

    /// So many of them are not needed.
    pub fn shrink(&self, bytes: usize) {
        drop(self.0.lock().expect("no panic while held").split(bytes as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_requests_share_one_room() {
        let budget = ExportBudget::new();
        let (one, other) = (budget.reserve(), budget.reserve());
        assert!(one.grow(MAX_BYTES - 8) && other.grow(8) && !other.grow(1));
        one.shrink(3);
        assert!(other.grow(3) && !other.grow(1));
        let same = one.clone();
        drop(one);
        assert!(!other.grow(1), "it is still at work");
        drop(same);
        assert!(other.grow(MAX_BYTES - 11));
    }
}
