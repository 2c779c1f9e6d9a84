//! What happens on a connection, byte by byte: the work of a proxy on it, or of the kernel before it.

use policy::units::{ByteSize, Ratio};

use crate::kinds::Delay;

/// A fault of a connection. Of several limits the smallest wins.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionFault {
    /// What the caller sends arrives later, in its order.
    Delay(Delay),
    /// So many bytes a second, each way.
    Bandwidth(ByteSize),
    /// What is sent does not arrive; the socket stays open.
    Blackhole,
    /// The connection ends after so many bytes of answers.
    Cut(ByteSize),
    /// The kernel loses this share of packets on their way to and from the proxy.
    Loss(Ratio),
}
