//! Connections of a caller to one endpoint, as edges have them where nothing else is declared.

/// Connections at once. One carries one request, so this is also how much concurrency an endpoint sees from a caller; over
/// HTTP/2 it is the calls at once.
pub const MAX_CONNECTIONS: usize = 64;
/// Requests that may wait for a connection; more are refused at once.
pub const MAX_WAITING: usize = 256;
