//! What happens on a connection, byte by byte: the work of a proxy on the edge, or of the kernel before it.

use policy::units::{ByteSize, Ratio};

/// A fault of a connection. Of several limits the smallest wins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ConnectionFault {
    /// So many bytes a second, each way.
    Bandwidth(ByteSize),
    /// What is sent is swallowed; the socket stays open.
    Blackhole,
    /// The connection ends after so many bytes of answers.
    Cut(ByteSize),
    /// The kernel loses this share of packets on their way to and from the proxy.
    Loss(Ratio),
}
