//! Limits of a server and of its connections.

use std::time::Duration;

use policy::{BodyLimits, BodyOptions, MinimumRate};

use crate::connections::ConnectionLimits;
use crate::headers::MAX_DEADLINE;

/// Limits of a server, each with its reason.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// For the whole header block; also how long a connection may idle, since
    /// hyper arms it again between messages. Longer than any client's pool
    /// keeps a connection (10 s), so that the client closes first.
    pub header_timeout: Duration,
    /// A request's body may be silent this long.
    pub body_idle: Duration,
    /// Largest header block, bytes: 431 beyond. A hundred headers are hyper's own limit.
    pub max_header_bytes: usize,
    /// Connections at once; the others wait in the kernel's backlog. Of requests at work there are no more over HTTP/2 than this
    /// either, those over HTTP/1.1 counted in: a stream beyond them is refused, and may be repeated.
    pub max_connections: usize,
    /// How many of these one address may have, and how many may be idle.
    pub connection_limits: ConnectionLimits,
    /// How slowly a client may take its answers; `None` where links may be slow on purpose.
    pub read_rate: Option<MinimumRate>,
    /// Bytes of replies on their way to clients; beyond these, nothing more is read of what they come from.
    pub reply_bytes: BodyLimits,
    /// Bytes that are read of a connection at once, and those of a reply that wait for its client: with these, one more piece
    /// of what the reply comes from is held. hyper panics below 8,192.
    pub buffer_bytes: usize,
    /// Limits of connections that begin with HTTP/2: without negotiation, or over TLS as it negotiates; `None` answers them with
    /// 505, and negotiates HTTP/1.1.
    pub http2: Option<StreamLimits>,
    /// How long a draining server still accepts, and asks clients to close.
    /// At least as long as the news takes through the registry.
    pub drain_grace: Duration,
    /// How long requests under way may take after that.
    pub drain_deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(30),
            body_idle: Duration::from_secs(10),
            max_header_bytes: 16 * 1024,
            max_connections: 4_096,
            connection_limits: ConnectionLimits::SHARED,
            read_rate: None,
            reply_bytes: BodyOptions::default().replies(false),
            buffer_bytes: 64 * 1024,
            http2: None,
            drain_grace: Duration::from_millis(500),
            drain_deadline: Duration::from_secs(10),
        }
    }
}

/// Limits of one connection, each with its reason.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// Streams at once: four times what a pool of ours has under way at an endpoint. More are refused, and may be repeated.
    pub max_streams: u32,
    /// Bytes of one request that may be under way unread. Calls are a few hundred; longer ones come in several round trips.
    pub stream_window_bytes: u32,
    /// The same for all requests of a connection together.
    pub connection_window_bytes: u32,
    /// How long a stream may take, reply included: the longest deadline, and as long as a body may be silent. Nothing waits
    /// for a reply after that, unless there is a minimum rate for readers: then one that keeps it takes as long as it likes.
    pub longest_stream: Duration,
}

impl StreamLimits {
    /// For the public, whose connections are many: a hundred streams, the fewest that RFC 9113 (section 6.5.2) recommends, and
    /// bytes of uploads for 2.5 MB/s over a round trip of 100 ms.
    pub const PUBLIC: Self = Self {
        max_streams: 100,
        stream_window_bytes: 128 * 1024,
        connection_window_bytes: 256 * 1024,
        longest_stream: MAX_DEADLINE.saturating_add(Duration::from_secs(10)),
    };
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            max_streams: 256,
            stream_window_bytes: 256 * 1024,
            connection_window_bytes: 1 << 20,
            longest_stream: MAX_DEADLINE + Duration::from_secs(10),
        }
    }
}
