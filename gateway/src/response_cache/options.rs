//! How much the cache may hold, and how long requests wait for each other.

use std::time::Duration;

/// Bounds of the response cache, each with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// Bytes of answers in all, heads and keys included, also of those that are still coming.
    pub max_bytes: u64,
    /// Answers in all; each takes memory for its place as well.
    pub max_entries: usize,
    /// Longest answer that is kept, bytes: it is taken whole before its client gets the first byte of it.
    pub max_entry_bytes: u64,
    /// How long a request waits for the answer to another one, and no longer than half of the time that its client leaves it:
    /// then it asks by itself.
    pub longest_wait: Duration,
    /// Requests that wait so, in all. Each is a connection that its client keeps open, and no place of the admission queue;
    /// beyond them a request asks by itself.
    pub max_waiting: usize,
    /// The same of one address, where addresses set clients apart ([`crate::Options::clients`]): one client does not take the
    /// places of all others.
    pub max_waiting_per_address: usize,
    /// For how long requests for what turned out not to be kept are not made to wait for each other.
    pub pass_time: Duration,
}

impl Default for CacheOptions {
    /// 64 MiB, 16,384 answers of up to 1 MiB, a second, 1,024 requests and a quarter of them for each address, ten seconds.
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_entries: 16_384,
            max_entry_bytes: 1 << 20,
            longest_wait: Duration::from_secs(1),
            max_waiting: 1_024,
            max_waiting_per_address: 256,
            pass_time: Duration::from_secs(10),
        }
    }
}

/// What the cache holds at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Answers, and notes of what is not kept.
    pub entries: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Requests that wait for the answer to another one.
    pub waiting: usize,
}
