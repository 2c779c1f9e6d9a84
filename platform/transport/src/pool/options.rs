//! How many connections there may be, and how long they are kept.

use std::time::Duration;

use policy::connections::{MAX_CONNECTIONS, MAX_WAITING};

/// Limits of a pool, each with its reason.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Connections at once. One carries one request, so this is also how much
    /// concurrency an endpoint sees from here; over HTTP/2 it is the calls at once.
    pub max_connections: usize,
    /// Requests that may wait for a connection; more are refused at once.
    pub max_waiting: usize,
    /// Idle connections are closed after this. Shorter than the 30 s after
    /// which our servers close them, or requests would race the close.
    pub idle_timeout: Duration,
    /// A loopback connect takes microseconds; this is a full backlog.
    pub connect_timeout: Duration,
    /// Long answers that are passed on beside those connections: one goes as fast as its reader,
    /// and must not keep other requests from the endpoint. More of them are refused.
    pub max_streaming: usize,
    /// Over HTTP/2: how long a connection with calls under way may be silent before a PING is sent, and how long the answer
    /// may take. Twice this is longer than a callee is expected to be stopped, and shorter than the longest call.
    pub ping_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: MAX_CONNECTIONS,
            max_waiting: MAX_WAITING,
            idle_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_millis(250),
            max_streaming: 1_024,
            ping_after: Duration::from_secs(5),
        }
    }
}
