//! The metrics of a run: their names, kinds and senses, and what a series of one is at a moment.

use std::collections::BTreeMap;

use record::Latencies;
use telemetry::names::{self, run};

/// What a metric is to Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by upper bound: [`names::BUCKETS`].
    Histogram,
}

/// All metrics of a run, in the order they are written, with their help.
pub const FAMILIES: &[(&str, Kind, &str)] = &[
    (run::INFO, Kind::Gauge, "Which run, which arm; always 1."),
    (run::PHASE_ACTIVE, Kind::Gauge, "1 while a phase lasts."),
    (run::STEP_ACTIVE, Kind::Gauge, "1 while a step acts; kind is fault or action."),
    (run::OFFERED, Kind::Counter, "Arrivals due."),
    (run::SENT, Kind::Counter, "Arrivals sent."),
    (run::OK, Kind::Counter, "Journeys answered as asked."),
    (run::GOOD, Kind::Counter, "Journeys answered as asked and within the time a user waits."),
    (run::FAILED, Kind::Counter, "Journeys that failed, by cause."),
    (run::DROPPED, Kind::Counter, "Arrivals that found no free slot."),
    (run::DURATION, Kind::Histogram, "From when an arrival was due until its answer."),
    (run::LAG, Kind::Histogram, "Due until handed over: the generator's own lateness."),
    (run::SLOT_WAIT, Kind::Histogram, "Handed over until sent while all slots were busy: the arm's doing."),
    (run::STALENESS, Kind::Histogram, "A write acknowledged until another component shows it."),
    (run::PROBES, Kind::Counter, "Reads that should have shown an acknowledged write."),
    (run::STALE, Kind::Counter, "Reads that did not show an acknowledged write."),
    (run::AUDITED, Kind::Gauge, "Writes, by what the audit after the load found of them."),
    (run::EDGE_CALLS, Kind::Gauge, "Logical calls of an edge each second."),
    (run::EDGE_TRIES, Kind::Gauge, "Tries of an edge each second, retries included."),
    (run::EDGE_ERRORS, Kind::Gauge, "Failed tries of an edge each second."),
    (run::EDGE_P99, Kind::Gauge, "99th percentile of an edge's tries in the last second, from buckets."),
    (run::EDGE_BREAKER, Kind::Gauge, "0 closed, 1 half-open, 2 open; the worst of the caller's copies."),
    (run::EDGE_QUEUE, Kind::Gauge, "Calls of an edge that wait for a connection or a place."),
    (run::UP, Kind::Gauge, "1 while a process serves."),
    (run::CPU, Kind::Counter, "CPU since the process started, user and system."),
    (run::CPU_WAIT, Kind::Counter, "Time it could have run and had no core."),
    (run::MEMORY, Kind::Gauge, "Memory; what is shared is divided among the sharers."),
    (run::THREADS, Kind::Gauge, "Threads."),
    (run::FDS, Kind::Gauge, "Open files."),
    (run::SWITCHES, Kind::Counter, "Context switches since the process started."),
    (run::RESTARTS, Kind::Counter, "Times it was started again."),
    (run::DATABASE, Kind::Gauge, "Size of the database, write-ahead log included."),
    (run::CPU_STALL, Kind::Gauge, "Share of the last second in which something waited for a core."),
    (run::OTHER_CPU, Kind::Gauge, "Cores that processes outside the run kept busy."),
    (run::MEMORY_LEFT, Kind::Gauge, "Memory the machine has left."),
];

/// Names with values, in the order they are written.
pub type Labels = Vec<(&'static str, String)>;

/// A trace that stands for a bucket: the last that was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// 32 hex digits.
    pub trace_id: String,
    /// From when its request was due to its end, seconds.
    pub seconds: f64,
}

/// A histogram: how many fell into each bucket, the last without bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// Not cumulative.
    pub counts: [u64; names::BUCKETS.len() + 1],
    /// Of all samples, seconds.
    pub sum: f64,
    /// By bucket.
    pub exemplars: BTreeMap<usize, Exemplar>,
}

/// What a series is at now.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A counter or a gauge.
    Number(f64),
    /// A histogram.
    Spread(Box<Spread>),
}

impl Spread {
    /// Latencies by bucket.
    pub(crate) fn of(latencies: &Latencies) -> Self {
        let mut spread = Self::default();
        for (us, count) in latencies.iter() {
            let seconds = us as f64 / 1e6;
            spread.counts[bucket(seconds)] += count;
            spread.sum += seconds * count as f64;
        }
        spread
    }
}

/// Index of the bucket a duration falls into, seconds.
pub(crate) fn bucket(seconds: f64) -> usize {
    names::BUCKETS.iter().position(|bound| seconds <= *bound).unwrap_or(names::BUCKETS.len())
}
