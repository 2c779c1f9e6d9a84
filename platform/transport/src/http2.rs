//! HTTP/2 to another process: calls share a few connections, each in a stream of its own.
//!
//! - [`channel`]: the connections to one copy, and how many calls are under way on them.
//! - [`connection`]: one of them, with the task that moves its bytes and asks for signs of life.
//! - [`socket`]: its socket, which can be asked whether the other side has closed it.
//! - [`reply`]: the body of a reply.
//! - [`exchange`]: one try of a call, and what it means when it has no reply.
//!
//! The other side is hyper's: `serve::multiplexed`. Start with [`exchange::exchange`].

pub mod channel;
mod connection;
pub(crate) mod exchange;
pub(crate) mod reply;
mod socket;

/// Bytes of one reply that may be under way before they are read: one as long as the largest page needs no more.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same for all replies of a connection together: four that are not read keep none of the others waiting.
const CONNECTION_WINDOW_BYTES: u32 = 5 << 20;
/// Largest header block of a reply, bytes.
const MAX_RESPONSE_HEADERS: u32 = 64 * 1024;
