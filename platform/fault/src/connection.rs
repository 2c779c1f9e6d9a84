//! What happens on a connection, byte by byte: the work of a proxy on it, or of the kernel before it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use policy::units::{ByteSize, Ratio};

/// A fault of a connection. Of several limits the smallest wins.
#[derive(Clone, Debug)]
pub enum ConnectionFault {
    /// What the caller sends arrives later, in its order.
    Delay(Arc<dyn PieceDelay>),
    /// So many bytes a second, each way.
    Bandwidth(ByteSize),
    /// What is sent does not arrive; the socket stays open.
    Blackhole,
    /// The connection ends after so many bytes of answers.
    Cut(ByteSize),
    /// The kernel loses this share of packets on their way to and from the proxy.
    Loss(Ratio),
}

/// How long each piece of what is sent on a connection waits.
pub trait PieceDelay: fmt::Debug + Send + Sync {
    /// The delay of one piece, and the draw that the next piece of its connection may be correlated with: 0 before the first.
    /// `connection` and `piece` number them.
    fn of_piece(&self, connection: u64, piece: u64, previous_draw: f64) -> (Duration, f64);
}
