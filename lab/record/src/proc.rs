//! One second of one process, as the kernel and the process itself report it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::trace::{is_false, is_zero};

/// One second of one process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proc {
    /// Arm letter; `-` for the generator and the lab itself.
    pub arm: char,
    /// Process id.
    pub pid: u32,
    /// `feed#0`, `generator`, `cleave`.
    pub instance: String,
    /// Components inside.
    pub components: Vec<String>,
    /// `up`, `starting`, `paused`, `down`.
    pub state: String,
    /// Whether it is a server of databases or of events: a tree of processes, accounted as one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_server: bool,
    /// CPU since its start, ns; user and system.
    pub cpu_ns: u64,
    /// Of it, threads of the database; 0 where it runs on those of its callers, as in all records but older ones.
    pub cpu_db_ns: u64,
    /// Of it, threads of the telemetry exporter.
    pub cpu_telemetry_ns: u64,
    /// Of it, threads that do the work of tasks: workers of the async runtime, and those for blocking and background work.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cpu_workers_ns: u64,
    /// Of it, the thread that ends injected delays, declared work and the waits of a declared network.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cpu_timer_ns: u64,
    /// Whether the process exposed its own figures at this moment. Without it `parts` and `requests` are not known, rather
    /// than 0; so it is in records of version 1.
    #[serde(default, skip_serializing_if = "is_false")]
    pub scraped: bool,
    /// CPU of its workers' tasks since its start by part, ns, scaled up from sampled polls: a second of it is noisy.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, u64>,
    /// By component and operation, as in `photo/photo.by_ids`: what it took since the start of the process.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operations: BTreeMap<String, OperationCost>,
    /// Requests on the wire since its start: served as the door, and sent to other processes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub requests: u64,
    /// Time runnable but not running since its start, ns.
    pub run_queue_ns: u64,
    /// Proportional set size, KiB.
    pub pss_kib: u64,
    /// Threads.
    pub threads: u32,
    /// Open file descriptors.
    pub fds: u32,
    /// Sockets among them.
    pub sockets: u32,
    /// Context switches since its start.
    pub switches: u64,
    /// Restarts so far.
    pub restarts: u32,
    /// Bytes of its databases, WAL included.
    pub db_bytes: u64,
    /// Checkpoints of its databases since its start, as their write-ahead logs show them: each begins anew after one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub checkpoints: u64,
    /// Spans ended, exported, failed, dropped since its start.
    pub spans: [u64; 4],
    /// By component: requests and calls finished since its start, and of them those whose caller had gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub work: BTreeMap<String, [u64; 2]>,
    /// By component: reads its declared cache answered, and all reads through it, since its start.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cache: BTreeMap<String, [u64; 2]>,
    /// By component and queue, as in `photo tx`: the longest wait that ended in about the last second, microseconds. The
    /// queue `tx` is that for the writer of a database, `readers` for its readers, `pool` for a connection to another
    /// component, `slots` for a place among the calls of a component, `admission` for one at the gateway. Queues in which
    /// nothing waited are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub longest_waits: BTreeMap<String, u64>,
}

/// What an operation of a component took in a process: a route, a call, or the handler of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperationCost {
    /// How often it was begun.
    pub served: u64,
    /// CPU of its own code on workers, ns, scaled up from sampled polls.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub business_ns: u64,
    /// The same on threads for blocking and for background work, measured whole.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub blocking_ns: u64,
    /// CPU of its statements, ns.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub database_ns: u64,
    /// Events that it has published, by topic.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub published: BTreeMap<String, u64>,
}
