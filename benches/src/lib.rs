//! Shared parts of the benchmarks. The benchmarks are the other files of this folder, one per hot path:
//! hop, balance, registry, fault, outbox, feed, histogram, scenario, trace, simulator.
//!
//! `instructions/` counts instead, and `compare/` sets ours beside other programs: see README.md.
//!
//! `cargo bench -p benches` measures, `cargo bench -p benches -- hop` measures one,
//! `cargo bench -p benches -- --test` runs each once. On a shared machine believe
//! ratios within one run, not single figures.

pub mod figures;
pub mod transactions;

use std::time::Duration;

use contract::{CallContext, ComponentName, Deadline};

/// A runtime like a node's.
///
/// # Panics
/// When the system gives no threads.
pub fn runtime() -> tokio::runtime::Runtime {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.expect("two threads")
}

/// A context that outlasts the benchmark.
pub fn context() -> CallContext {
    let deadline = Deadline::after(runtime::clock::now(), Duration::from_secs(3_600));
    CallContext::background(ComponentName::CLIENT, deadline)
}
